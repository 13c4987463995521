//! A spec before it is text: what an import writes, in the words of the spec language.

use std::collections::BTreeMap;

use crate::state::guest_conf::Machine;

/// A whole spec.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    /// `datacenter.name`.
    pub name: Option<String>,
    /// `datacenter.targets`: empty for all.
    pub targets: Vec<String>,
    /// `datacenter`, but for its `guests`.
    pub datacenter: Body,
    /// `datacenter.guests`.
    pub guests_block: Body,
    /// `groups`.
    pub groups: BTreeMap<String, Group>,
    /// `zones`, all of kind `guest`.
    pub zones: BTreeMap<String, Body>,
    /// `hosts`.
    pub hosts: BTreeMap<String, Host>,
    /// `vms` and `containers`, by number.
    pub guests: BTreeMap<u32, Guest>,
    /// `vnets`.
    pub vnets: BTreeMap<String, Body>,
}

/// What every zone has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Body {
    /// `comment`.
    pub comment: Option<String>,
    /// `options`, in the order of the file.
    pub options: Vec<(&'static str, Value)>,
    /// `aliases`.
    pub aliases: BTreeMap<String, Commented>,
    /// `ipsets`.
    pub ipsets: BTreeMap<String, Ipset>,
    /// `rules`.
    pub rules: Vec<Rule>,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A word or a number.
    Text(String),
    /// A list of words.
    List(Vec<String>),
    /// A map.
    Map(Vec<(&'static str, String)>),
}

/// A value and what was said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commented {
    /// The value.
    pub value: String,
    /// `comment`.
    pub comment: Option<String>,
}

/// An ipset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ipset {
    /// `comment`.
    pub comment: Option<String>,
    /// `entries`, excluded ones with their `!`.
    pub entries: Vec<Commented>,
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// `comment`.
    pub comment: Option<String>,
    /// `rules`.
    pub rules: Vec<Rule>,
}

/// A rule or a reference to a group, its keys in the order in which they are written. Lists of one are single values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Rule {
    /// `id`.
    pub id: Option<String>,
    /// `in`, `out`, `forward` or `group`.
    pub head: &'static str,
    /// The verdict or the group.
    pub value: String,
    /// `macro`.
    pub macro_name: Option<&'static str>,
    /// `iface`.
    pub iface: Option<String>,
    /// `source`.
    pub source: Vec<String>,
    /// `dest`.
    pub dest: Vec<String>,
    /// `proto`.
    pub proto: Option<String>,
    /// `sport`.
    pub sport: Vec<String>,
    /// `dport`.
    pub dport: Vec<String>,
    /// `icmp_type`.
    pub icmp_type: Option<String>,
    /// `log`.
    pub log: Option<String>,
    /// `enable: false`.
    pub disabled: bool,
    /// `comment`.
    pub comment: Option<String>,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Host {
    /// `addresses`.
    pub addresses: Vec<String>,
    /// `corosync`, where it is not `addresses`.
    pub corosync: Vec<String>,
    /// `comment`, `options`, `rules`.
    pub body: Body,
    /// `guests`.
    pub guests_block: Body,
}

/// A guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// Whether it is under `vms` or `containers`.
    pub machine: Machine,
    /// `name`.
    pub name: Option<String>,
    /// `host`: none for `any`.
    pub hosts: Vec<String>,
    /// `inherits`.
    pub inherits: Vec<String>,
    /// `comment`, `options`, `aliases`, `ipsets`, `rules`.
    pub body: Body,
    /// `nics`, by number.
    pub nics: BTreeMap<u8, Nic>,
}

/// A NIC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nic {
    /// `bridge`.
    pub bridge: Option<String>,
    /// `tag`.
    pub tag: Option<u16>,
    /// `mac`.
    pub mac: Option<String>,
    /// `ip`.
    pub ip: Vec<String>,
    /// `firewall: false`.
    pub unfiltered: bool,
}

impl Body {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
