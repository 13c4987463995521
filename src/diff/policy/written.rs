//! What a zone itself says of something, and where: the lines that were edited.

use crate::diagnostic::Span;
use crate::policy::ZoneRef;
use crate::spec::Spec;
use crate::spec::model::{Body, Guest, Host, HostPart, Map, Nic, OptionValue, Text};

use super::cause::Origins;

/// Something that a zone may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// An option, or a lock on it.
    Option(&'a str),
    /// A key of the kernel, by itself or through a profile.
    Sysctl(&'a str),
    /// Any other key of a host or guest, as properties are called: `addresses`, `net0 mac`, `comment`.
    Property(&'a str),
}

/// Words and their places, in the order written.
type Words = Vec<(String, Span)>;

impl Origins<'_> {
    /// Whether a zone says something else of a thing than it did.
    pub(super) fn edited(&self, zone: &ZoneRef, said: Said<'_>) -> bool {
        let texts = |spec| words(spec, zone, said).into_iter().map(|(text, _)| text).collect::<Vec<_>>();
        texts(self.old.spec) != texts(self.new.spec)
    }

    /// The lines of what a zone says of a thing: on the old side and the new, none where it says nothing.
    pub(super) fn lines(&self, zone: &ZoneRef, said: Said<'_>) -> (Option<Span>, Option<Span>) {
        let (old, new) = (words(self.old.spec, zone, said), words(self.new.spec, zone, said));
        // Of several words the first that the other side has not.
        let line = |own: &Words, other: &Words| {
            let foreign = own.iter().find(|(text, _)| !other.iter().any(|(known, _)| known == text));
            foreign.or(own.first()).map(|(_, span)| *span)
        };
        (line(&old, &new), line(&new, &old))
    }
}

fn words(spec: &Spec, zone: &ZoneRef, said: Said<'_>) -> Words {
    match said {
        Said::Option(name) => {
            let vnet = || match zone {
                ZoneRef::Vnet(name) => find(&spec.vnets, name).map(|vnet| &vnet.options),
                ZoneRef::Datacenter
                | ZoneRef::Guests(_)
                | ZoneRef::Zone(_)
                | ZoneRef::Host(_)
                | ZoneRef::Vm(_)
                | ZoneRef::Container(_)
                | ZoneRef::Nic(..)
                | ZoneRef::Group(_) => None,
            };
            let of_body = body(spec, zone).into_iter().flat_map(|body| [&body.options, &body.guardrail_options]);
            let found = of_body.chain(vnet()).flat_map(|options| options.iter().filter(|(key, _)| key.value == name));
            found.map(|(key, value)| (value_words(value), key.span)).collect()
        }
        Said::Sysctl(key) => {
            let part = host_part(spec, zone);
            let set = part.into_iter().flat_map(|part| &part.sysctl_set).filter(|(name, _)| dotted(&name.value) == key);
            let profiles = part.into_iter().flat_map(|part| &part.sysctl_profiles);
            let set = set.map(|(name, value)| (value.value.clone(), name.span));
            set.chain(profiles.map(|name| (name.value.clone(), name.span))).collect()
        }
        Said::Property(name) => property(spec, zone, name),
    }
}

/// The dotted form of a key that may be written with slashes.
fn dotted(key: &str) -> String {
    match (key.find('.'), key.find('/')) {
        (None, Some(_)) => key.replace('/', "."),
        (Some(dot), Some(slash)) if slash < dot => key
            .chars()
            .map(|c| {
                if c == '/' {
                    '.'
                } else if c == '.' {
                    '/'
                } else {
                    c
                }
            })
            .collect(),
        (_, _) => key.to_owned(),
    }
}

fn property(spec: &Spec, zone: &ZoneRef, name: &str) -> Words {
    let text = |text: &Option<Text>| text.iter().map(|text| (text.value.clone(), text.span)).collect::<Words>();
    let list = |list: &[Text]| list.iter().map(|text| (text.value.clone(), text.span)).collect::<Words>();
    if let Some(part) = host_part(spec, zone) {
        match name {
            "platform" => return text(&part.platform),
            "sysctl file" => return text(&part.sysctl_file),
            "targets" => return part.targets.as_ref().map_or(Vec::new(), |targets| list(&targets.value)),
            "iptables" => {
                let block = part.iptables.iter().flat_map(|block| [&block.mode, &block.prefix, &block.ipset]);
                return block.flat_map(text).collect();
            }
            _ => {}
        }
    }
    if let Some(host) = host(spec, zone) {
        return match name {
            "addresses" => list(&host.addresses),
            "corosync" => list(&host.corosync),
            "comment" => text(&host.comment),
            _ => Vec::new(),
        };
    }
    if let Some(guest) = guest(spec, zone) {
        return match name.split_once(' ') {
            None if name == "name" => text(&guest.name),
            None if name == "comment" => text(&guest.comment),
            None => nic(guest, name).map_or(Vec::new(), |(key, _)| vec![(key.value.clone(), key.span)]),
            Some((index, field)) => nic(guest, index).map_or(Vec::new(), |(_, nic)| nic_field(nic, field)),
        };
    }
    match zone {
        ZoneRef::Datacenter if name == "name" => text(&spec.datacenter.name),
        ZoneRef::Vnet(vnet) if name == "comment" => {
            find(&spec.vnets, vnet).map_or(Vec::new(), |vnet| text(&vnet.comment))
        }
        ZoneRef::Datacenter
        | ZoneRef::Guests(_)
        | ZoneRef::Zone(_)
        | ZoneRef::Host(_)
        | ZoneRef::Vm(_)
        | ZoneRef::Container(_)
        | ZoneRef::Nic(..)
        | ZoneRef::Group(_)
        | ZoneRef::Vnet(_) => Vec::new(),
    }
}

fn nic_field(nic: &Nic, field: &str) -> Words {
    let text = match field {
        "ip" => return nic.ip.iter().map(|text| (text.value.clone(), text.span)).collect(),
        "bridge" => &nic.bridge,
        "mac" => &nic.mac,
        "tag" => &nic.tag,
        "firewall" => &nic.firewall,
        "device" => &nic.device,
        _ => &None,
    };
    text.iter().map(|text| (text.value.clone(), text.span)).collect()
}

fn nic<'s>(guest: &'s Guest, name: &str) -> Option<(&'s Text, &'s Nic)> {
    guest.nics.iter().find(|(key, _)| key.value == name).map(|(key, nic)| (key, nic))
}

fn find<'s, T>(map: &'s Map<T>, name: &str) -> Option<&'s T> {
    map.iter().find(|(key, _)| key.value == name).map(|(_, value)| value)
}

fn host<'s>(spec: &'s Spec, zone: &ZoneRef) -> Option<&'s Host> {
    if let ZoneRef::Host(name) = zone { find(&spec.hosts, name) } else { None }
}

fn guest<'s>(spec: &'s Spec, zone: &ZoneRef) -> Option<&'s Guest> {
    let (guests, number) = match zone {
        ZoneRef::Vm(id) => (&spec.vms, id),
        ZoneRef::Container(id) => (&spec.containers, id),
        ZoneRef::Nic(owner, _) => return guest(spec, owner),
        ZoneRef::Datacenter
        | ZoneRef::Guests(_)
        | ZoneRef::Zone(_)
        | ZoneRef::Host(_)
        | ZoneRef::Group(_)
        | ZoneRef::Vnet(_) => return None,
    };
    guests.iter().find(|(id, _)| id.value.parse() == Ok(*number)).map(|(_, guest)| guest)
}

fn host_part<'s>(spec: &'s Spec, zone: &ZoneRef) -> Option<&'s HostPart> {
    match zone {
        ZoneRef::Datacenter => Some(&spec.datacenter.host),
        ZoneRef::Host(name) => find(&spec.hosts, name).map(|host| &host.host),
        ZoneRef::Zone(name) => find(&spec.zones, name).map(|zone| &zone.host),
        ZoneRef::Guests(_)
        | ZoneRef::Vm(_)
        | ZoneRef::Container(_)
        | ZoneRef::Nic(..)
        | ZoneRef::Group(_)
        | ZoneRef::Vnet(_) => None,
    }
}

/// Options, definitions and rules of a zone.
pub(super) fn body<'s>(spec: &'s Spec, zone: &ZoneRef) -> Option<&'s Body> {
    match zone {
        ZoneRef::Datacenter => Some(&spec.datacenter.body),
        ZoneRef::Host(name) => find(&spec.hosts, name).map(|host| &host.body),
        ZoneRef::Zone(name) => find(&spec.zones, name).map(|zone| &zone.body),
        ZoneRef::Guests(owner) => host_part(spec, owner)?.guests.as_ref().map(|block| &block.body),
        ZoneRef::Vm(_) | ZoneRef::Container(_) | ZoneRef::Nic(..) => guest(spec, zone).map(|guest| &guest.body),
        ZoneRef::Group(_) | ZoneRef::Vnet(_) => None,
    }
}

/// The value of an option as it is written, in one line.
pub(super) fn value_words(value: &OptionValue) -> String {
    match value {
        OptionValue::Scalar(text) => text.value.clone(),
        OptionValue::List(list) => list.value.iter().map(|text| text.value.as_str()).collect::<Vec<_>>().join(", "),
        OptionValue::Map(map) => {
            let pairs = map.value.iter().map(|(key, value)| format!("{} {}", key.value, value.value));
            pairs.collect::<Vec<_>>().join(", ")
        }
    }
}
