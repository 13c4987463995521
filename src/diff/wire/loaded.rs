//! What loading the spec's rules changes on the wire, where other rules are in force or captured.
//!
//! In: a host of the spec, and the rules that are there. Out: rows as two specs give them, where old is what the rules do that
//! are there. The same turn of the same packets on many ways, or at many guests, is one row: an end that only the way tells is
//! anyone, or the guests whose ways these are. Promise: see [`Changes`]; what is not known of a program is named.

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::Judge;
use crate::analysis::sets::Region;
use crate::diagnostic::{Places, SourceMap};
use crate::diff::report::{Aside, At, Wire};
use crate::net::{AddressSet, Family, Ranges};
use crate::policy::{Fleet, Hook, HookName, HostPolicy, Nic, words};
use crate::target::{self, Change, Changes, Doubt, Fate as Becomes, Rules, Turn, Why};

use super::beside::Besides;
use super::name::{Apart, Described, ITSELF, Names, Told};
use super::row::Rows;
use super::rules::Loaded;
use super::{Decider, Fate, Kind};

/// Machines at an end that are named one by one.
const FEW: usize = 3;

/// A host, and an end of a way.
type Ended = (String, String);

/// The hook that decides, where it is, and by what.
type Decided = (HookName, At, Decider);

/// What is the same of many packets: what refuses them does so for the rules of one program each.
type Turned = (Kind, Option<HookName>, Described, Decider, Option<&'static str>);

/// Where it is so.
#[derive(Debug, Default)]
struct Where {
    from: BTreeSet<Ended>,
    to: BTreeSet<Ended>,
    at: BTreeSet<At>,
    packet: Option<String>,
    /// What decides there as it is.
    loaded: Loaded,
}

/// What loading the spec changes on hosts. `spec` is the text of the spec, `there` that of the rules which are there.
#[must_use]
pub fn loaded(fleet: &Fleet, (spec, there): (&SourceMap, &SourceMap), hosts: &[(&HostPolicy, Rules)]) -> Wire {
    let names = Names::new(fleet, fleet);
    let beside_apart = Besides::default();
    let (mut wire, mut told, mut turned) = (Wire::default(), Told::new(&beside_apart), BTreeMap::new());
    for (host, rules) in hosts {
        wire.rulesets += rules.of.len();
        let Changes { changes, doubts, besides, left_out } = target::changes(host, rules);
        wire.left_out += left_out;
        doubts.into_iter().for_each(|doubt| aside(&mut wire, doubt, there));
        for program in besides {
            let message = "limits of new connections, or helpers of connections, are others".to_owned();
            wire.not_compared.push(Aside { host: host.name.clone(), output: program, message, place: None });
        }
        let known = Known::new(host);
        for way in changes.chunk_by(|a, b| (a.program, &a.way, a.turn) == (b.program, &b.way, b.turn)) {
            of_way(&known, way, (&names, &mut told, (spec, there)), &mut turned);
        }
    }
    let mut rows = Rows::default();
    for ((kind, _, mut described, spec, _), Where { from, to, at, packet, loaded }) in turned {
        described.from = end(&described.from, &from, &names);
        described.to = end(&described.to, &to, &names);
        match kind {
            Kind::Refused => {
                for (words, place) in loaded.by_program() {
                    let own = Decider { verdict: Fate::Accepted, words, macro_name: None, place };
                    let others = BTreeSet::from([spec.words.clone()]);
                    rows.put((kind, own, others), described.clone(), at.clone(), packet.clone());
                }
            }
            Kind::Accepted | Kind::Otherwise => {
                rows.put((kind, spec, loaded.each().collect()), described, at, packet);
            }
        }
    }
    rows.into_wire(&names, &mut wire);
    wire
}

/// The changes of one way.
fn of_way<'n>(
    known: &Known<'_>,
    changes: &[Change],
    (names, told, (spec, there)): (&'n Names, &mut Told<'_, 'n>, (&SourceMap, &SourceMap)),
    turned: &mut BTreeMap<Turned, Where>,
) {
    let host = known.host;
    let mut described: Vec<(Described, &Change, Option<Decided>)> = Vec::new();
    for change in changes {
        let found = change.hook.as_deref().and_then(|words| known.hook(words));
        let (name, apart) = match found {
            Some((hook, nic, _)) => (hook.name, Apart::of([hook, hook], nic)),
            None => (HookName::HostForward, Apart::default()),
        };
        let decided = found.map(|(hook, nic, machine)| {
            let at = At {
                host: host.name.clone(),
                machine: machine.trim_end_matches(":net0").to_owned(),
                hook: Some(hook.name.name().to_owned()),
                output: Some(change.program),
            };
            (hook.name, at, decider(hook, nic, change, spec))
        });
        let mut one = names.describe(&change.region, name, &apart, told);
        let nic = found.and_then(|(_, nic, _)| nic).filter(|_| name == HookName::GuestIn);
        if let Some(to) = known.towards(nic, &change.region) {
            one.to = to.to_owned();
        }
        described.push((one, change, decided));
    }
    for (one, change, decided) in &described {
        if described.iter().any(|(other, ..)| one.is_covered_by(other)) {
            continue;
        }
        let spec = decided.as_ref().map(|(_, _, decider)| decider.clone());
        let spec = spec.unwrap_or_else(|| plain(change.meant, format!("the spec ({})", change.meant.word())));
        let kind = kind(change.turn);
        // Of what refuses them the words alone are told.
        let (spec, program) = match kind {
            Kind::Refused => (plain(change.meant, spec.words), Some(change.program)),
            Kind::Accepted | Kind::Otherwise => (spec, None),
        };
        let name = decided.as_ref().map(|(name, ..)| *name);
        let here = turned.entry((kind, name, one.clone(), spec, program)).or_default();
        here.loaded.add(change, there);
        here.from.insert((host.name.clone(), change.way.from.clone()));
        here.to.insert((host.name.clone(), change.way.to.clone()));
        let itself = || At {
            host: host.name.clone(),
            machine: format!("host/{}", host.name),
            hook: None,
            output: Some(change.program),
        };
        here.at.insert(decided.as_ref().map_or_else(itself, |(_, at, _)| at.clone()));
        here.packet.get_or_insert_with(|| super::row::packet_words(&change.packet));
    }
}

/// A host, and what is asked of it for every box.
struct Known<'h> {
    host: &'h HostPolicy,
    /// The hooks of its machines, by the words for these: `vm/100:net0`.
    hooks: BTreeMap<String, Vec<(&'h Hook, Option<&'h Nic>)>>,
    /// The addresses of its guests.
    guests: AddressSet,
}

impl<'h> Known<'h> {
    fn new(host: &'h HostPolicy) -> Self {
        let own = [&host.hook_in, &host.hook_out, &host.hook_forward].map(|hook| (hook, None));
        let mut hooks = BTreeMap::from([(format!("host/{}", host.name), own.to_vec())]);
        hooks.extend(host.vnets.iter().map(|vnet| (format!("vnet/{}", vnet.name), vec![(&vnet.hook, None)])));
        for guest in &host.guests {
            hooks.extend(guest.nics.iter().map(|nic| {
                let own = [(&guest.hook_in, Some(nic)), (&guest.hook_out, Some(nic))];
                (format!("{}:net{}", guest.zone(), nic.index), own.to_vec())
            }));
        }
        let nics = host.guests.iter().flat_map(|guest| &guest.nics);
        let guests: Vec<AddressSet> = nics.map(addresses).collect();
        Self { host, hooks, guests: AddressSet::union_of(&guests) }
    }

    /// A hook by its words, `guest-in of vm/100:net0`, and whose it is.
    fn hook<'w>(&self, words: &'w str) -> Option<(&'h Hook, Option<&'h Nic>, &'w str)> {
        let (name, machine) = words.split_once(" of ")?;
        let (hook, nic) = self.hooks.get(machine)?.iter().find(|(hook, _)| hook.name.name() == name)?;
        Some((hook, *nic, machine))
    }

    /// Where packets go to by an address that only tells the way: iptables finds a guest by its addresses, and what is routed
    /// elsewhere by all others.
    fn towards(&self, nic: Option<&Nic>, region: &Region) -> Option<&'static str> {
        let (dest, family) = (region.dest()?, region.family()?);
        if nic.is_some_and(|nic| dest.difference(&addresses(nic)).is_empty()) {
            return Some(ITSELF);
        }
        let everything = match family {
            Family::V4 => AddressSet::new(Ranges::all(), Ranges::empty()),
            Family::V6 => AddressSet::new(Ranges::empty(), Ranges::all()),
        };
        everything.difference(&dest).difference(&self.guests).is_empty().then_some("anyone")
    }
}

/// All addresses by which packets are led to a NIC.
fn addresses(nic: &Nic) -> AddressSet {
    let own = nic.addresses.iter().map(|address| address.address());
    own.chain(nic.mac.map(|mac| mac.link_local().into()))
        .fold(AddressSet::default(), |set, one| set.union(&AddressSet::address(one)))
}

/// What decides about a packet in the spec.
fn decider(hook: &Hook, nic: Option<&Nic>, change: &Change, spec: &SourceMap) -> Decider {
    let judge = Judge::new(hook, nic);
    let decision = judge.decide(&change.packet);
    match (decision.rule, decision.stage) {
        (Some(applied), _) => Decider {
            verdict: fate(change.meant),
            words: format!(
                "{}: {} {}",
                super::super::policy::path(&applied.rule.origin.zone),
                words::verdict(applied.rule.verdict),
                words::matches(applied.rule)
            ),
            macro_name: applied.rule.macro_name,
            place: Some(Places(spec).of(applied.rule.origin.span)),
        },
        (None, Some(stage)) => plain(change.meant, format!("{} ({})", stage.name(), change.meant.word())),
        (None, None) => plain(change.meant, format!("the spec ({})", change.meant.word())),
    }
}

fn plain(becomes: Becomes, words: String) -> Decider {
    Decider { verdict: fate(becomes), words, macro_name: None, place: None }
}

const fn fate(becomes: Becomes) -> Fate {
    match becomes {
        Becomes::Accept => Fate::Accepted,
        Becomes::Drop => Fate::Dropped,
        Becomes::Reject => Fate::Rejected,
    }
}

const fn kind(turn: Turn) -> Kind {
    match turn {
        Turn::Accepted => Kind::Accepted,
        Turn::Refused => Kind::Refused,
        Turn::Otherwise => Kind::Otherwise,
    }
}

/// An end of a row: what the packets say, or else what the ways do.
fn end(packets: &str, ways: &BTreeSet<Ended>, names: &Names) -> String {
    if packets != "anyone" && packets != ITSELF {
        return packets.to_owned();
    }
    let machine = |(host, end): &Ended| {
        let machine = match end.as_str() {
            "the host" => format!("host/{host}"),
            nic => nic.split_once(":net").map(|(guest, _)| guest.to_owned())?,
        };
        Some(At { host: host.clone(), machine, hook: None, output: None })
    };
    let machines: Option<BTreeSet<At>> = ways.iter().map(machine).collect();
    let Some(machines) = machines else { return "anyone".to_owned() };
    names.machines_of(&machines).unwrap_or_else(|| match machines.len() {
        few if few <= FEW => machines.iter().map(|at| at.machine.as_str()).collect::<Vec<_>>().join(", "),
        many => format!("{many} machines"),
    })
}

/// What is not known.
fn aside(wire: &mut Wire, doubt: Doubt, there: &SourceMap) {
    let Doubt { host, program, why, .. } = doubt;
    let aside = |message, place| Aside { host: host.clone(), output: program, message, place };
    match why {
        // It is in the rows.
        Why::Differs { .. } => {}
        Why::Unknown(unknown) => {
            let message = format!("{} in {}", unknown.words, unknown.chain);
            wire.unknown.push(aside(message, Some(Places(there).of(unknown.span))));
        }
        Why::OverBudget => {
            let machine = format!("host/{host}");
            let at = At { host, machine, hook: None, output: Some(program) };
            wire.undecided.extend(Some(at).filter(|at| !wire.undecided.contains(at)));
        }
        Why::Missing(what) => wire.not_compared.push(aside(format!("{what} is not there"), None)),
        Why::Pairs(what) => wire.not_compared.push(aside(format!("{what} looks at both ends of a way"), None)),
        Why::Marks => wire.not_compared.push(aside("rules leave different marks on packets".to_owned(), None)),
        Why::More { count, .. } => wire.not_compared.push(aside(format!("{count} more that are not told"), None)),
    }
}
