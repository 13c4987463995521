//! The proof that rules of iptables and ip6tables mean what a host's policy says.
//!
//! In: a host, and the rules of one family. Out: what is not proved. Which built-in chain judges for which hooks is said
//! at [`super::host`]; this module asks for each way what the rules do, without a look at how they were made.
//!
//! The ways of a host with N ports would be N² between ports alone. Each port is tried as the source of packets to a port that
//! nothing names, and as the destination of packets from such a one; that no rule looks at both, and that what one hook
//! accepts for good the other one accepts anyway, makes the pairs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::analysis::Judge;
use crate::analysis::loaded::{
    Base, Context, Loaded, Pattern, PortValue, Sides, Towards, for_good, iptables::above, is_alike, pass,
    passes_established,
};
use crate::analysis::sets::{Diagram, Field, OverBudget, PacketSet};
use crate::net::{Family, Ranges};
use crate::policy::{Carriage, Crossing, End, GuestPolicy, HookName, HostPolicy, Match, Nic, Platform};
use crate::state::ruleset::{Program, Ruleset, Table, TableName};

use super::super::proof::{Of, Prover, Way, Why, crossed, queued};
use super::host::{exclusive, prefix};
use super::led::leads;

/// What is not proved of the rules of one family.
pub(in crate::target) fn prove(prover: &mut Prover<'_>, family: Family, rules: &Ruleset) {
    let program = match family {
        Family::V4 => "iptables",
        Family::V6 => "ip6tables",
    };
    let whole = || Way::of("anywhere", "anywhere");
    let wanted = |name: &str| rules.tables.iter().find(|(table, _)| &*table.name == name);
    for name in ["filter", "raw"] {
        let Some((name, table)) = wanted(name) else {
            if prover.host.enabled {
                prover.doubt(program, whole(), Why::Missing(format!("table `{name}`")));
            }
            continue;
        };
        for lead in leads(prover.host, &name.name, table).into_iter().filter(|lead| lead.before.is_none()) {
            let what = format!("the rule that leads all packets of {} to {}", lead.built_in, lead.own);
            prover.doubt(program, whole(), Why::Missing(what));
        }
        let mut proof = Proof::new(prover, family, program, (name, table));
        let done = if &*name.name == "filter" { proof.filter() } else { proof.raw() };
        if done.is_err() {
            prover.doubt(program, whole(), Why::OverBudget);
        }
    }
}

/// The chains of the kernel's in which rules of others come before fwc's, with the number of these.
pub(in crate::target) fn led_late(host: &HostPolicy, rules: &Ruleset) -> Vec<(String, usize)> {
    let of_table = |(name, table): (&TableName, &Table)| {
        let late = leads(host, &name.name, table).into_iter().filter_map(|lead| {
            let before = lead.before.filter(|before| *before > 0)?;
            Some((format!("{} {}", name.name, lead.built_in), before))
        });
        late.collect::<Vec<_>>()
    };
    rules.tables.iter().flat_map(of_table).collect()
}

/// The proof of one table.
struct Proof<'p, 'a, 't> {
    prover: &'p mut Prover<'a>,
    family: Family,
    program: &'static str,
    loaded: Loaded<'t>,
    table: &'t Table,
    prefix: String,
    nics: Vec<(&'a GuestPolicy, &'a Nic)>,
    /// Guests whose packets a program judges last.
    queued: Vec<&'a GuestPolicy>,
    /// Whether some hook accepts known connections for good.
    for_good: bool,
    /// A hook that does not let them pass.
    stops_known: Option<String>,
}

/// Where packets go to, and the NIC that it is, if it is one.
type Destination<'a> = (Arc<Towards>, Option<(&'a GuestPolicy, &'a Nic)>);

/// A way through a built-in chain, and what it should come to.
struct Case<'a> {
    chain: &'static str,
    context: Context,
    hooks: Vec<Crossing<'a>>,
    way: Way,
    among: Vec<(Field, Ranges<u128>)>,
}

impl<'p, 'a, 't> Proof<'p, 'a, 't> {
    fn new(
        prover: &'p mut Prover<'a>,
        family: Family,
        program: &'static str,
        (name, table): (&'t TableName, &'t Table),
    ) -> Self {
        let host = prover.host;
        let kind = match family {
            Family::V4 => Program::Iptables,
            Family::V6 => Program::Ip6tables,
        };
        let silent = prover.silent();
        let nics = host.guests.iter().flat_map(|guest| guest.nics.iter().map(move |nic| (guest, nic))).collect();
        Self {
            loaded: Loaded::new(kind, name, table, silent),
            prover,
            family,
            program,
            table,
            prefix: prefix(host),
            nics,
            queued: host.guests.iter().filter(|guest| guest.options.ips.value).collect(),
            for_good: false,
            stops_known: None,
        }
    }

    /// The chain that packets come to first.
    fn chain(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn raw(&mut self) -> Result<(), OverBudget> {
        let of = Of::Family(self.family);
        let mut meant = self.prover.flood(of, true, above)?;
        meant.extend(self.prover.helpers(of)?);
        let ways = [
            ("PREROUTING", Way::of("anywhere", "the connection table")),
            ("OUTPUT", Way::of("the host", "the connection table")),
        ];
        for (chain, way) in ways {
            let context = Context { in_interface: PortValue::Any, ..Context::default() };
            let meant = if chain == "PREROUTING" { meant.as_slice() } else { &[] };
            let name = self.chain(chain);
            let base = Base { chain: &name, splits: false, sees: PacketSet::ALL, counts: PacketSet::ALL };
            let passage = self.loaded.base(&mut self.prover.ground, base, 0, &context)?;
            let sides = (way, PacketSet::ALL, Some(self.family));
            self.prover.compare((self.program, &self.loaded), &passage.parts, meant, sides)?;
        }
        Ok(())
    }

    fn filter(&mut self) -> Result<(), OverBudget> {
        for name in ["INPUT", "OUTPUT", "FORWARD"] {
            let name = self.chain(name);
            if !self.table.chains.contains_key(name.as_str()) {
                let way = Way::of("anywhere", "anywhere");
                self.prover.doubt(self.program, way, Why::Missing(format!("chain `{name}`")));
            }
        }
        let whole = self.chain("FORWARD");
        if let Some(chain) = self.loaded.of_both_ends(&whole) {
            self.prover.doubt(self.program, Way::of("a guest", "another one"), Why::Pairs(chain));
        }
        let mut cases = Vec::new();
        self.input(&mut cases);
        self.output(&mut cases);
        if self.has_bridges() {
            self.bridged(&mut cases);
        }
        self.routed(&mut cases);
        for case in cases {
            self.case(case)?;
        }
        if let (true, Some(hook)) = (self.for_good, self.stops_known.take()) {
            self.prover.doubt(self.program, Way::of("a guest", "another one"), Why::Pairs(hook));
        }
        Ok(())
    }

    fn case(&mut self, case: Case<'a>) -> Result<(), OverBudget> {
        let name = self.chain(case.chain);
        let base = Base { chain: &name, splits: true, sees: PacketSet::ALL, counts: PacketSet::ALL };
        let passage = self.loaded.base(&mut self.prover.ground, base, 0, &case.context)?;
        let mut parts = passage.parts.clone();
        let mut meant = Vec::with_capacity(case.hooks.len());
        for crossing in &case.hooks {
            meant.push((self.hook(crossing)?, crossed(crossing)));
        }
        self.note_pairs(&passage.of_sender, &case.hooks, &meant)?;
        // Of the last one nothing stands behind that could be passed by.
        if let Some(last) = parts.last_mut() {
            *last = for_good(&mut self.prover.ground, *last)?.0;
            if *last == Diagram::all(pass()) {
                parts.pop();
            }
        }
        let among = if case.among.is_empty() {
            PacketSet::ALL
        } else {
            // Most are the same whatever the destination, and need not be asked for.
            let hooks: Vec<Diagram> = meant.iter().map(|(hook, _)| *hook).collect();
            let sides = Sides { found: &parts, meant: &hooks, among: PacketSet::ALL };
            if is_alike(&mut self.prover.ground, sides)? {
                return Ok(());
            }
            self.prover.packets(self.family, &case.among)?
        };
        let sides = (case.way, among, Some(self.family));
        self.prover.compare((self.program, &self.loaded), &parts, &meant, sides)
    }

    /// Keeps what the pairs of ports depend on: whether known connections are accepted for good at a first hook, and whether
    /// one that may come behind it would have stopped them.
    fn note_pairs(
        &mut self,
        of_sender: &[Diagram],
        hooks: &[Crossing<'a>],
        meant: &[(Diagram, String)],
    ) -> Result<(), OverBudget> {
        let ground = &mut self.prover.ground;
        for part in of_sender {
            self.for_good = self.for_good || !for_good(ground, *part)?.1.is_empty();
        }
        for (crossing, (hook, words)) in hooks.iter().zip(meant) {
            let may_follow = match crossing.hook.name {
                HookName::GuestOut | HookName::HostOut => false,
                HookName::GuestIn | HookName::HostIn | HookName::HostForward | HookName::VnetForward => true,
            };
            if may_follow && self.stops_known.is_none() && !passes_established(&mut ground.sets, *hook, PacketSet::ALL)?
            {
                self.stops_known = Some(words.clone());
            }
        }
        Ok(())
    }

    /// What a hook says of packets of the family.
    fn hook(&mut self, crossing: &Crossing<'a>) -> Result<Diagram, OverBudget> {
        let whole = self.prover.hook(crossing)?;
        let ethertype = match self.family {
            Family::V4 => 0x0800,
            Family::V6 => 0x86dd,
        };
        let hook = self.prover.ground.sets.of_frame(whole, ethertype);
        let judged =
            |guest: &&&GuestPolicy| guest.zone() == crossing.machine && crossing.hook.name == HookName::GuestIn;
        match self.queued.iter().find(judged) {
            Some(guest) => queued(&mut self.prover.ground, hook, &queue(guest.options.ips_queues.value)),
            None => Ok(hook),
        }
    }

    /// To the host.
    fn input(&mut self, cases: &mut Vec<Case<'a>>) {
        let host = self.prover.host;
        let mut case = |from: End<'a>, bridge_in: PortValue, words: String, mac| {
            let context = Context { in_interface: PortValue::Any, bridge_in, own_mac: mac, ..Context::default() };
            let hooks = host.way(from, End::Host, Carriage::Bridged);
            cases.push(Case { chain: "INPUT", context, hooks, way: Way::of(&words, "the host"), among: Vec::new() });
        };
        case(End::Unknown(None), PortValue::None, "another interface".to_owned(), None);
        for (guest, nic) in &self.nics {
            case(End::Guest(guest, nic), PortValue::Is(nic.device.as_str().into()), named(guest, nic), nic.mac);
        }
        for other in self.others() {
            case(End::Unknown(None), other, "another port of a bridge".to_owned(), None);
        }
    }

    /// Whether the host may have bridges: a server without guests that has its tables for itself has none.
    fn has_bridges(&self) -> bool {
        let host = self.prover.host;
        host.platform == Platform::Proxmox || !exclusive(host) || !host.guests.is_empty() || !host.vnets.is_empty()
    }

    /// Ports that no NIC has, as far as rules tell them apart.
    fn others(&mut self) -> Vec<PortValue> {
        if !self.has_bridges() {
            return Vec::new();
        }
        let (names, prefixes) = self.loaded.bridge_ports();
        let known: BTreeSet<&str> = self.nics.iter().map(|(_, nic)| nic.device.as_str()).collect();
        let names = names.into_iter().filter(|name| !known.contains(&**name)).map(PortValue::Is);
        let prefixes = prefixes.into_iter().map(PortValue::Other);
        std::iter::once(PortValue::Other("".into())).chain(names).chain(prefixes).collect()
    }

    /// The ways that lead to guests where only the destination tells which one, and the one that leads to none.
    fn destinations(&mut self) -> Vec<Destination<'a>> {
        let host = self.prover.host;
        let mut by_address: BTreeMap<(u128, Option<&str>), usize> = BTreeMap::new();
        let mut of_nics = Vec::new();
        for (guest, nic) in &self.nics {
            let out = if nic.tag.is_none() { nic.bridge.as_deref() } else { None };
            let local = nic.mac.filter(|_| nic.bridge.is_some()).map(|mac| IpAddr::V6(mac.link_local()));
            let known = nic.addresses.iter().map(|address| address.address()).chain(local);
            let known: BTreeSet<u128> = known.filter(|one| Family::of(*one) == self.family).map(number).collect();
            let judged = !host.way(End::Unknown(None), End::Guest(guest, nic), Carriage::Routed).is_empty();
            if judged {
                for address in &known {
                    *by_address.entry((*address, out)).or_default() += 1;
                }
                of_nics.push((*guest, *nic, out, known));
            }
        }
        // An address that several NICs have belongs to whichever answers.
        let alone = |address: &u128, out: Option<&str>| {
            let count = |out| by_address.get(&(*address, out)).copied().unwrap_or_default();
            let by_any = if out.is_some() {
                count(None)
            } else {
                by_address
                    .range((*address, None)..)
                    .take_while(|((one, _), _)| one == address)
                    .map(|(_, count)| *count)
                    .sum()
            };
            if out.is_some() { count(out) + by_any == 1 } else { by_any == 1 }
        };
        let mut found = Vec::new();
        let ranges = |addresses: &BTreeSet<u128>| Ranges::from_ranges(addresses.iter().map(|one| (*one, *one)));
        for (guest, nic, out, known) in &of_nics {
            let dest: BTreeSet<u128> = known.iter().filter(|address| alone(address, *out)).copied().collect();
            if !dest.is_empty() {
                let out_interface = out.map_or(PortValue::Any, |out| PortValue::Is(out.into()));
                found.push((Arc::new(Towards { dest: ranges(&dest), out_interface }), Some((*guest, *nic))));
            }
        }
        // By each interface that anything names, and by one that nothing does, all other destinations.
        let mut outs = self.outs();
        outs.extend(of_nics.iter().filter_map(|(_, _, out, _)| *out).map(|out| PortValue::Is(out.into())));
        for out_interface in outs {
            let by = out_interface.name();
            let is_taken = |out: &Option<&str>| out.is_none_or(|out| by.is_some_and(|by| **by == *out));
            let taken = of_nics.iter().filter(|(_, _, out, _)| is_taken(out));
            let taken: BTreeSet<u128> = taken.flat_map(|(_, _, _, known)| known.iter().copied()).collect();
            found.push((Arc::new(Towards { dest: ranges(&taken).complement(), out_interface }), None));
        }
        found
    }

    /// The interfaces that packets leave by, as far as the rules or the host's policy tell them apart.
    fn outs(&mut self) -> BTreeSet<PortValue> {
        let host = self.prover.host;
        let mut outs: BTreeSet<PortValue> = [PortValue::Other("".into()), PortValue::Is("lo".into())].into();
        outs.extend(self.loaded.out_interfaces().into_iter().map(|name| match name {
            Pattern::Is(name) => PortValue::Is(name),
            Pattern::BeginsWith(start) => PortValue::Other(start),
        }));
        for hook in [&host.hook_out, &host.hook_forward] {
            let judge = Judge::new(hook, None);
            for condition in judge.clauses().flat_map(|(_, clause, _)| &clause.matches) {
                if let Match::OutInterface(name) = condition {
                    outs.insert(PortValue::Is(name.as_str().into()));
                }
            }
        }
        outs
    }

    fn towards(&mut self, towards: &Towards) -> Vec<(Field, Ranges<u128>)> {
        let out = match &towards.out_interface {
            PortValue::Is(name) => {
                let number = self.prover.ground.sets.interface(name);
                Some(Ranges::single(number))
            }
            PortValue::Other(_) => Some(Ranges::single(0)),
            PortValue::None | PortValue::Any => None,
        };
        let dest = (Field::Dest, towards.dest.clone());
        out.map(|out| (Field::OutInterface, out)).into_iter().chain([dest]).collect()
    }

    /// From the host.
    fn output(&mut self, cases: &mut Vec<Case<'a>>) {
        let host = self.prover.host;
        for (towards, nic) in self.destinations() {
            let (to, words) = match nic {
                Some((guest, nic)) => (End::Guest(guest, nic), named(guest, nic)),
                None => (End::Unknown(None), "another interface".to_owned()),
            };
            let among = self.towards(&towards);
            let context = Context { out_interface: PortValue::Any, towards: Some(towards), ..Context::default() };
            let hooks = host.way(End::Host, to, Carriage::Bridged);
            cases.push(Case { chain: "OUTPUT", context, hooks, way: Way::of("the host", &words), among });
        }
    }

    /// From port to port of a bridge.
    fn bridged(&mut self, cases: &mut Vec<Case<'a>>) {
        let host = self.prover.host;
        let other = || PortValue::Other("".into());
        let mut case = |(from, bridge_in, mac): (End<'a>, PortValue, _),
                        (to, bridge_out): (End<'a>, PortValue),
                        bridge: &str,
                        way| {
            let name = PortValue::Is(bridge.into());
            let context = Context {
                in_interface: name.clone(),
                out_interface: name,
                bridge_in,
                bridge_out,
                bridged: true,
                own_mac: mac,
                ..Context::default()
            };
            let hooks = host.way(from, to, Carriage::Bridged);
            cases.push(Case { chain: "FORWARD", context, hooks, way, among: Vec::new() });
        };
        let mut bridges: BTreeSet<&str> = host.vnets.iter().map(|vnet| vnet.name.as_str()).collect();
        for (guest, nic) in &self.nics {
            let Some(bridge) = nic.bridge.as_deref() else { continue };
            bridges.insert(bridge);
            let (end, port) = (End::Guest(guest, nic), PortValue::Is(nic.device.as_str().into()));
            let unknown = End::Unknown(Some(bridge));
            let elsewhere = format!("another port of {bridge}");
            for name in host.bridges(bridge) {
                let name = name.as_str();
                let (out, back) = (Way::of(&named(guest, nic), &elsewhere), Way::of(&elsewhere, &named(guest, nic)));
                case((end, port.clone(), nic.mac), (unknown, other()), name, out);
                case((unknown, other(), None), (end, port.clone()), name, back);
            }
        }
        let others = self.others();
        for bridge in bridges.iter().copied().map(Some).chain([None]) {
            let unknown = End::Unknown(bridge);
            let names = bridge.map_or_else(|| vec!["another bridge".to_owned()], |bridge| host.bridges(bridge));
            for name in names {
                let words = format!("another port of {name}");
                for port in &others {
                    case((unknown, port.clone(), None), (unknown, other()), &name, Way::of(&words, &words));
                    case((unknown, other(), None), (unknown, port.clone()), &name, Way::of(&words, &words));
                }
            }
        }
    }

    /// From interface to interface.
    fn routed(&mut self, cases: &mut Vec<Case<'a>>) {
        let host = self.prover.host;
        let elsewhere = "another interface";
        let mut destinations = self.destinations();
        for (towards, nic) in destinations.clone() {
            let (to, words) = match nic {
                Some((guest, nic)) => (End::Guest(guest, nic), named(guest, nic)),
                None => (End::Unknown(None), elsewhere.to_owned()),
            };
            let among = self.towards(&towards);
            let context = Context {
                in_interface: PortValue::Any,
                out_interface: PortValue::Any,
                towards: Some(towards),
                ..Context::default()
            };
            let hooks = host.way(End::Unknown(None), to, Carriage::Routed);
            let way = Way { routed: true, ..Way::of(elsewhere, &words) };
            cases.push(Case { chain: "FORWARD", context, hooks, way, among });
        }
        let Some((towards, None)) = destinations.pop() else { return };
        let among = self.towards(&towards);
        let nics: Vec<_> = self.nics.iter().map(|(guest, nic)| Some((*guest, *nic))).collect();
        let others = self.others().into_iter().map(|port| (None, port));
        let ports = nics
            .into_iter()
            .flatten()
            .map(|(guest, nic)| (Some((guest, nic)), PortValue::Is(nic.device.as_str().into())));
        for (nic, bridge_in) in ports.chain(others) {
            let (from, words, own_mac) = match nic {
                Some((guest, nic)) => (End::Guest(guest, nic), named(guest, nic), nic.mac),
                None => (End::Unknown(None), "another port of a bridge".to_owned(), None),
            };
            let context = Context {
                in_interface: PortValue::Any,
                out_interface: PortValue::Any,
                bridge_in,
                own_mac,
                towards: Some(towards.clone()),
                ..Context::default()
            };
            let hooks = host.way(from, End::Unknown(None), Carriage::Routed);
            let way = Way { routed: true, ..Way::of(&words, elsewhere) };
            cases.push(Case { chain: "FORWARD", context, hooks, way, among: among.clone() });
        }
    }
}

/// How the reader spells the target that gives packets to programs.
fn queue(queues: Option<(u16, u16)>) -> String {
    match queues {
        None => "-j NFQUEUE --queue-bypass --queue-num 0".to_owned(),
        Some((first, last)) if first == last => format!("-j NFQUEUE --queue-bypass --queue-num {first}"),
        Some((first, last)) => format!("-j NFQUEUE --queue-balance {first}:{last} --queue-bypass"),
    }
}

/// `vm/100:net0`.
fn named(guest: &GuestPolicy, nic: &Nic) -> String {
    format!("{}:net{}", guest.zone(), nic.index)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}
