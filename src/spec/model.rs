//! The typed spec: shapes are right, values are still text, and every one knows its place.
//!
//! Maps of named things are sorted by name (guests by number), so that their order in the source
//! means nothing. Values that may be wrong stay strings until `resolve` gives them their type.

use crate::diagnostic::{Located, Span};

/// A piece of text and its place.
pub type Text = Located<String>;

/// Named things, sorted by name.
pub type Map<T> = Vec<(Text, T)>;

/// A list in the source (or a single value in its place), with the place of the whole.
pub type List = Located<Vec<Text>>;

/// A whole spec.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spec {
    /// `datacenter`.
    pub datacenter: Datacenter,
    /// `groups`.
    pub groups: Map<Group>,
    /// `zones`.
    pub zones: Map<Zone>,
    /// `hosts`.
    pub hosts: Map<Host>,
    /// `vms`: numbers as written.
    pub vms: Map<Guest>,
    /// `containers`: numbers as written.
    pub containers: Map<Guest>,
    /// `vnets`.
    pub vnets: Map<Vnet>,
    /// `tests`, in the order of files and lines.
    pub tests: Vec<Test>,
}

/// `datacenter`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Datacenter {
    /// `name`.
    pub name: Option<Text>,
    /// `options`, `aliases`, `ipsets`, `guardrails`, `rules`, `allow`.
    pub body: Body,
    /// `sysctl`, `platform`, `targets`, `iptables`, `guests`.
    pub host: HostPart,
}

/// `hosts.NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Host {
    /// `comment`.
    pub comment: Option<Text>,
    /// `inherits`.
    pub inherits: Vec<Text>,
    /// `addresses`.
    pub addresses: Vec<Text>,
    /// `corosync`: addresses; one for each ring.
    pub corosync: Vec<Text>,
    /// `options`, `aliases`, `ipsets`, `guardrails`, `rules`, `allow`.
    pub body: Body,
    /// `sysctl`, `platform`, `targets`, `iptables`, `guests`.
    pub host: HostPart,
}

/// `zones.NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// `kind`.
    pub kind: Located<ZoneKind>,
    /// `comment`.
    pub comment: Option<Text>,
    /// `inherits`.
    pub inherits: Vec<Text>,
    /// `options`, `aliases`, `ipsets`, `guardrails`, `rules`, `allow`.
    pub body: Body,
    /// What only a host zone has; empty for a guest zone.
    pub host: HostPart,
}

/// The kind of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ZoneKind {
    /// Hosts inherit it.
    Host,
    /// Guests inherit it.
    Guest,
}

/// What every zone that enforces something has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Body {
    /// `options`.
    pub options: Map<OptionValue>,
    /// `aliases`.
    pub aliases: Map<Alias>,
    /// `ipsets`.
    pub ipsets: Map<Ipset>,
    /// `guardrails.rules`.
    pub guardrail_rules: Vec<Rule>,
    /// `guardrails.options`.
    pub guardrail_options: Map<OptionValue>,
    /// `rules`.
    pub rules: Vec<Rule>,
    /// `allow`: reasons by lints.
    pub allow: Map<Text>,
}

/// What hosts, host zones and the datacenter have besides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostPart {
    /// `sysctl.profiles`.
    pub sysctl_profiles: Vec<Text>,
    /// `sysctl.set`.
    pub sysctl_set: Map<Text>,
    /// `sysctl.file`.
    pub sysctl_file: Option<Text>,
    /// `platform`: `proxmox` or `linux`.
    pub platform: Option<Text>,
    /// `targets`.
    pub targets: Option<List>,
    /// `iptables`.
    pub iptables: Option<Iptables>,
    /// `guests`.
    pub guests: Option<GuestsBlock>,
}

/// `iptables`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Iptables {
    /// The whole block.
    pub span: Span,
    /// `mode`: `exclusive` or `shared`.
    pub mode: Option<Text>,
    /// `prefix`.
    pub prefix: Option<Text>,
    /// `ipset`: a boolean.
    pub ipset: Option<Text>,
}

/// `guests` of a datacenter, host or host zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestsBlock {
    /// The key `guests`.
    pub span: Span,
    /// `inherits`.
    pub inherits: Vec<Text>,
    /// `options`, `guardrails`, `rules`, `allow`; no aliases or ipsets of its own.
    pub body: Body,
}

/// `vms.ID` or `containers.ID`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guest {
    /// `name`.
    pub name: Option<Text>,
    /// `comment`.
    pub comment: Option<Text>,
    /// `host`: names, or the one word `any`.
    pub host: Vec<Text>,
    /// `inherits`.
    pub inherits: Vec<Text>,
    /// `without`: identities.
    pub without: Vec<Text>,
    /// `options`, `aliases`, `ipsets`, `rules`, `allow`; guardrails only in zones.
    pub body: Body,
    /// `nics`: `netN`.
    pub nics: Map<Nic>,
}

/// `nics.netN`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nic {
    /// `bridge`.
    pub bridge: Option<Text>,
    /// `mac`.
    pub mac: Option<Text>,
    /// `ip`: addresses with or without prefix, or `dhcp`.
    pub ip: Vec<Text>,
    /// `tag`.
    pub tag: Option<Text>,
    /// `firewall`: a boolean.
    pub firewall: Option<Text>,
    /// `device`.
    pub device: Option<Text>,
    /// `rules`.
    pub rules: Vec<Rule>,
}

/// `vnets.NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vnet {
    /// `comment`.
    pub comment: Option<Text>,
    /// `allow`: reasons by lints.
    pub allow: Map<Text>,
    /// `options`.
    pub options: Map<OptionValue>,
    /// `rules`.
    pub rules: Vec<Rule>,
}

/// `groups.NAME`: a list of rules, or a map with `comment`, `allow` and `rules`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// `comment`.
    pub comment: Option<Text>,
    /// `allow`: reasons by lints.
    pub allow: Map<Text>,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// `aliases.NAME`: text, or a map with `value` and `comment`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// An address or a network.
    pub value: Text,
    /// `comment`.
    pub comment: Option<Text>,
}

/// `ipsets.NAME`: a list of entries, or a map with `comment` and `entries`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipset {
    /// The list.
    pub entries: Vec<IpsetEntry>,
    /// `comment`.
    pub comment: Option<Text>,
    /// The list in the source.
    pub span: Span,
}

/// An entry of an ipset: text, or a map with `value` and `comment`. A `!` before the text excludes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpsetEntry {
    /// As written, with its `!`.
    pub value: Text,
    /// `comment`.
    pub comment: Option<Text>,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionValue {
    /// A single value.
    Scalar(Text),
    /// A list, also of a single value (exactly where the option takes a list).
    List(List),
    /// A map of scalars (only `log_ratelimit`).
    Map(Located<Map<Text>>),
}

/// A rule or a group reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The whole rule in the source.
    pub span: Span,
    /// What it is.
    pub head: RuleHead,
    /// `macro`.
    pub macro_name: Option<Text>,
    /// `proto`.
    pub proto: Option<List>,
    /// `source`.
    pub source: Option<List>,
    /// `dest`.
    pub dest: Option<List>,
    /// `sport`.
    pub sport: Option<List>,
    /// `dport`.
    pub dport: Option<List>,
    /// `icmp_type`.
    pub icmp_type: Option<List>,
    /// `iface`.
    pub iface: Option<Text>,
    /// `tcp_flags`.
    pub tcp_flags: Option<TcpFlags>,
    /// `log`.
    pub log: Option<Text>,
    /// `enable`: a boolean.
    pub enable: Option<Text>,
    /// `id`.
    pub id: Option<Text>,
    /// `comment`.
    pub comment: Option<Text>,
    /// `allow`: reasons by lints.
    pub allow: Map<Text>,
}

/// `in`, `out`, `forward` with a verdict, or `group` with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleHead {
    /// `in: VERDICT`.
    In(Text),
    /// `out: VERDICT`.
    Out(Text),
    /// `forward: VERDICT`.
    Forward(Text),
    /// `group: NAME`.
    Group(Text),
}

/// `tcp_flags`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpFlags {
    /// The whole map.
    pub span: Span,
    /// `mask`.
    pub mask: List,
    /// `set`; may be an empty list.
    pub set: List,
}

/// An entry of `tests`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// The whole test in the source.
    pub span: Span,
    /// `name`.
    pub name: Option<Text>,
    /// `from`: endpoints; may be absent beside `only`.
    pub from: Option<List>,
    /// `to`: endpoints.
    pub to: List,
    /// `macro`.
    pub macro_name: Option<Text>,
    /// `proto`.
    pub proto: Option<List>,
    /// `source`.
    pub source: Option<List>,
    /// `dest`.
    pub dest: Option<List>,
    /// `sport`.
    pub sport: Option<List>,
    /// `dport`.
    pub dport: Option<List>,
    /// `icmp_type`.
    pub icmp_type: Option<List>,
    /// `iface`.
    pub iface: Option<Text>,
    /// `tcp_flags`.
    pub tcp_flags: Option<TcpFlags>,
    /// `state`.
    pub state: Option<Text>,
    /// What is claimed.
    pub says: Says,
}

/// What a test claims: it has one of these keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// `expect`: `accept`, `drop`, `reject` or `never`.
    Expect(Text),
    /// `only`: addresses.
    Only(List),
}
