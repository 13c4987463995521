//! Address terms: what a word in `source`, `dest`, an ipset or an alias stands for.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, closest, did_you_mean};
use crate::net::{AddressSet, parse_address_range, parse_prefix};
use crate::policy::{AddressTerm, Addresses, Reference};
use crate::spec::model::{List, Text};

use super::names::{LocalNetwork, Machines, NameKind, Scope, ScopePart};

/// Why a match has no value: an error was reported, or it is empty on this host alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unresolved;

/// A list of terms: any of them.
pub(super) fn addresses(list: &List, scope: &Scope<'_>, out: &mut Diagnostics) -> Result<Addresses, Unresolved> {
    if list.value.is_empty() {
        out.push(
            Diagnostic::error(Code::EmptyMatch, list.span, "an empty list matches nothing")
                .help("name at least one address, or leave the key out to match any"),
        );
        return Err(Unresolved);
    }
    let terms: Vec<Result<AddressTerm, Unresolved>> = list.value.iter().map(|text| term(text, scope, out)).collect();
    let terms: Vec<AddressTerm> = terms.into_iter().collect::<Result<_, _>>()?;
    let set = match terms.as_slice() {
        [only] => Arc::clone(&only.set),
        several => Arc::new(AddressSet::union_of(several.iter().map(|term| term.set.as_ref()))),
    };
    Ok(Addresses { terms, set })
}

/// One term; never empty.
pub(super) fn term(text: &Text, scope: &Scope<'_>, out: &mut Diagnostics) -> Result<AddressTerm, Unresolved> {
    let word = text.value.as_str();
    let span = text.span;
    let (reference, set) = if let Some(name) = word.strip_prefix('+') {
        named(NameKind::Ipset, name, span, scope, out)?
    } else if let Some(found) = machine(word, span, scope, out) {
        found?
    } else if is_literal(word) {
        literal(word, span, out)?
    } else {
        named(NameKind::Alias, word, span, scope, out)?
    };
    if set.is_empty() {
        if matches!(reference, Reference::Host(_) | Reference::Guest(_) | Reference::Zone(_)) {
            out.push(Diagnostic::error(Code::NoAddresses, span, format!("`{word}` has no addresses")).help(
                "give its machines addresses (`addresses` of a host, `ip` of a NIC), or write the addresses here",
            ));
        }
        return Err(Unresolved);
    }
    if let Reference::Zone(name) = &reference
        && let Some(unknown) = scope.machines.unknown.get(name)
    {
        let message = format!("`{word}` leaves out addresses that the spec does not know");
        out.push(
            Diagnostic::warning(Code::UnknownAddresses, span, message)
                .because(format!("not known: all addresses of {unknown}"))
                .help("give these machines their addresses (`addresses` of a host, `ip` of a NIC)"),
        );
    }
    Ok(AddressTerm { reference, set, span })
}

/// Names begin with a letter and hold no `:`; IPv6 addresses hold one.
fn is_literal(word: &str) -> bool {
    word.contains(':') || word.starts_with(|first: char| first.is_ascii_digit())
}

/// An address, a network or a range, in its canonical form.
fn literal(word: &str, span: Span, out: &mut Diagnostics) -> Result<(Reference, Arc<AddressSet>), Unresolved> {
    if word.contains('-') {
        return match parse_address_range(word) {
            Ok(set) => Ok((Reference::Literal(word.to_owned()), Arc::new(set))),
            Err(message) => Err(bad_address(message, span, out)),
        };
    }
    match parse_prefix(word) {
        Ok(network) => {
            let network = without_host_bits(network, word, span, out);
            let full = network.prefix_len() == network.max_prefix_len();
            let text = if full { network.addr().to_string() } else { network.to_string() };
            Ok((Reference::Literal(text), Arc::new(AddressSet::network(network))))
        }
        Err(message) => Err(bad_address(message, span, out)),
    }
}

fn bad_address(message: String, span: Span, out: &mut Diagnostics) -> Unresolved {
    let help = "write an address (`192.0.2.1`), a network (`192.0.2.0/24`) or a range (`192.0.2.1-192.0.2.9`)";
    out.push(Diagnostic::error(Code::BadAddress, span, message).help(help));
    Unresolved
}

/// Cuts off host bits, with a warning where there were any.
pub(super) fn without_host_bits(network: ipnet::IpNet, word: &str, span: Span, out: &mut Diagnostics) -> ipnet::IpNet {
    let cut = network.trunc();
    if cut != network {
        out.push(
            Diagnostic::warning(Code::HostBits, span, format!("network `{word}` has host bits set"))
                .because(format!("read as `{cut}`"))
                .help(format!("write `{cut}` for the network, or `{}` for the one address", network.addr())),
        );
    }
    cut
}

/// An alias or an ipset, with or without a scope before it.
fn named(
    kind: NameKind,
    word: &str,
    span: Span,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Result<(Reference, Arc<AddressSet>), Unresolved> {
    let (part, name) = match word.split_once('/') {
        Some(("dc", name)) => (ScopePart::Datacenter, name),
        Some(("guest", name)) => (ScopePart::Guest, name),
        Some((other, _)) => {
            let help = match closest(other, ["dc", "guest", "host", "vm", "ct", "zone"]) {
                Some(near) => format!("did you mean `{near}/`?"),
                None => "a scope is `dc/` or `guest/`; machines are `host/`, `vm/`, `ct/` and `zone/`".to_owned(),
            };
            let message = format!("unknown scope `{other}/`");
            out.push(Diagnostic::error(Code::UnknownName, span, message).help(help));
            return Err(Unresolved);
        }
        None => (ScopePart::Any, word),
    };
    if let Some((zone, definition)) = scope.find(kind, part, name) {
        let (zone, name) = (zone.clone(), name.to_owned());
        let reference = match kind {
            NameKind::Alias => Reference::Alias(zone, name),
            NameKind::Ipset => Reference::Ipset(zone, name),
        };
        return Ok((reference, Arc::clone(&definition.set)));
    }
    if kind == NameKind::Alias && name == "local_network" && part != ScopePart::Guest {
        return local_network(span, scope, out);
    }
    out.push(unknown(kind, part, name, span, scope));
    Err(Unresolved)
}

fn local_network(
    span: Span,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Result<(Reference, Arc<AddressSet>), Unresolved> {
    if let LocalNetwork::OfNoHost(code) = scope.local_network {
        out.push(
            Diagnostic::error(code, span, "`local_network` differs from host to host")
                .help("define the alias `local_network`, or write the network here"),
        );
        return Err(Unresolved);
    }
    scope.used_local_network.set(true);
    match &scope.local_network {
        LocalNetwork::Sample(Some(set)) | LocalNetwork::Of(Some(set)) => Ok((Reference::LocalNetwork, Arc::clone(set))),
        LocalNetwork::Of(None) | LocalNetwork::OfNoHost(_) => Err(Unresolved),
        LocalNetwork::Sample(None) => {
            out.push(
                Diagnostic::error(
                    Code::NoAddresses,
                    span,
                    "`local_network` is not defined, and no host has an address",
                )
                .help("define the alias `local_network` in the datacenter, or give hosts their `addresses`"),
            );
            Err(Unresolved)
        }
    }
}

fn unknown(kind: NameKind, part: ScopePart, name: &str, span: Span, scope: &Scope<'_>) -> Diagnostic {
    let (other, written) = match kind {
        NameKind::Alias => (NameKind::Ipset, format!("+{name}")),
        NameKind::Ipset => (NameKind::Alias, name.to_owned()),
    };
    let plural = match kind {
        NameKind::Alias => "aliases",
        NameKind::Ipset => "ipsets",
    };
    let help = if scope.find(other, part, name).is_some() {
        format!("`{name}` is an {}: write `{written}`", other.word())
    } else if part != ScopePart::Any && scope.find(kind, ScopePart::Any, name).is_some() {
        format!("it is defined in another scope: write `{name}` without one")
    } else {
        did_you_mean(name, plural, scope.known(kind, part))
    };
    Diagnostic::error(Code::UnknownName, span, format!("unknown {} `{name}`", kind.word())).help(help)
}

/// `host/NAME`, `vm/ID`, `ct/ID`, `zone/NAME`; none where the word is something else.
fn machine(
    word: &str,
    span: Span,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Option<Result<(Reference, Arc<AddressSet>), Unresolved>> {
    let (what, name) = word.split_once('/')?;
    let machines = scope.machines;
    let found = match what {
        "host" => machines.hosts.get(name).map(|set| (Reference::Host(name.to_owned()), set)),
        "zone" => machines.zones.get(name).map(|set| (Reference::Zone(name.to_owned()), set)),
        "vm" => guest(&machines.vms, name),
        "ct" => guest(&machines.containers, name),
        _ => return None,
    };
    Some(match found {
        Some((reference, set)) => Ok((reference, Arc::clone(set))),
        None => {
            let help = machine_like(what, name, machines)
                .unwrap_or_else(|| "define the guest, or write its addresses here".to_owned());
            out.push(Diagnostic::error(Code::UnknownName, span, format!("unknown machine `{word}`")).help(help));
            Err(Unresolved)
        }
    })
}

/// The machine or zone that was perhaps meant; none where a guest's number is like no other.
pub(super) fn machine_like(what: &str, name: &str, machines: &Machines) -> Option<String> {
    let number = name.parse::<u32>().ok();
    match (what, number) {
        ("vm", Some(id)) if machines.containers.contains_key(&id) => Some(format!("did you mean `ct/{id}`?")),
        ("ct", Some(id)) if machines.vms.contains_key(&id) => Some(format!("did you mean `vm/{id}`?")),
        ("host", _) => Some(did_you_mean(name, "hosts", machines.hosts.keys().map(String::as_str))),
        ("zone", _) => Some(did_you_mean(name, "zones", machines.zones.keys().map(String::as_str))),
        (_, _) => None,
    }
}

fn guest<'a>(
    guests: &'a std::collections::BTreeMap<u32, Arc<AddressSet>>,
    name: &str,
) -> Option<(Reference, &'a Arc<AddressSet>)> {
    let id = name.parse::<u32>().ok()?;
    guests.get(&id).map(|set| (Reference::Guest(id), set))
}
