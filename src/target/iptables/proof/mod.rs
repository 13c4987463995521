//! The proof that rules of iptables and ip6tables mean what a host's policy says.
//!
//! In: a host, and the rules of one family. Out: what is not proved. Which built-in chain judges for which hooks is said
//! at [`host`](super::host); this module asks for each way what the rules do, without a look at how they were made.
//!
//! The ways of a host with N ports would be N² between ports alone. Each port is tried as the source of packets to a port that
//! nothing names, and as the destination of packets from such a one; that no rule looks at both, that none which looks at one
//! sees a mark of the other, and that what one hook accepts for good the other one accepts anyway, makes the
//! pairs.

mod alike;
mod towards;
mod ways;

use std::sync::Arc;

use crate::analysis::loaded::{
    Base, Context, Loaded, PortValue, Said, Sides, accepts_for_good, iptables::above, is_seen_alike, passes_established,
};
use crate::analysis::sets::{Field, OverBudget, PacketSet};
use crate::net::{Family, Ranges};
use crate::policy::{Crossing, GuestPolicy, HookName, HostPolicy, Nic};
use crate::state::ruleset::{Ruleset, Table, TableName};

use super::host::prefix;
use super::led::leads;
use crate::target::proof::{By, Course, Kinds, Meant, Of, Pairs, Prover, Share, Side, Told, Translated, Why, queued};
pub(in crate::target) use towards::Destinations;

/// What is not proved of the rules of one family.
pub(in crate::target) fn prove(prover: &mut Prover<'_>, family: Family, rules: &Translated<'_>, share: Share) {
    let program = match family {
        Family::V4 => "iptables",
        Family::V6 => "ip6tables",
    };
    let whole = || Course::of("anywhere", "anywhere").way();
    for name in TABLES {
        let Some((name, chains)) = rules.table(|table| &*table.name == name) else {
            if prover.host.enabled {
                prover.doubt(program, whole(), Why::Missing(format!("table `{name}`")));
            }
            continue;
        };
        for lead in leads(prover.host, &name.name, chains.table()).into_iter().filter(|lead| lead.before.is_none()) {
            let what = format!("the rule that leads all packets of {} to {}", lead.built_in, lead.own);
            prover.doubt(program, whole(), Why::Missing(what));
        }
        let silent = prover.silent();
        let loaded = Loaded::new(chains, silent.clone());
        let done = match &*name.name {
            "filter" => {
                let standing = || Loaded::new(chains, silent).of_several_hooks().of_any_rules();
                let standing = (!share.is_whole()).then(standing);
                let proof =
                    Proof::new(prover, (family, program), (loaded.of_several_hooks(), &rules.destinations), share);
                Proof { standing, ..proof }.filter()
            }
            _ if share.is_first() => Proof::new(prover, (family, program), (loaded, &rules.destinations), share).raw(),
            _ => Ok(()),
        };
        if done.is_err() {
            prover.doubt(program, whole(), Why::OverBudget);
        }
    }
}

/// The chains of the kernel's that are looked at.
const BUILT_IN: [&str; 4] = ["INPUT", "OUTPUT", "FORWARD", "PREROUTING"];

/// The tables that are looked at.
const TABLES: [&str; 2] = ["filter", "raw"];

/// Whether a table is looked at.
pub(in crate::target) fn is_asked(name: &TableName) -> bool {
    TABLES.contains(&&*name.name)
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
    /// The same with any rules in place of the guests'; none where all is to be told.
    standing: Option<Loaded<'t>>,
    /// Whether these are asked.
    stands: bool,
    kinds: Kinds<'t>,
    /// Whether what these say was seen to hold wherever packets go.
    is_for_all: bool,
    /// The built-in chains, and what fwc's rules of each stand in.
    chains: [(&'static str, Arc<str>); 4],
    /// All NICs of the host.
    nics: Vec<(&'a GuestPolicy, &'a Nic)>,
    /// The ways that are looked at.
    share: Share,
    destinations: &'t Destinations,
    /// Ports of bridges that are no NIC's, as far as rules tell them apart.
    others: Vec<PortValue>,
    /// Guests whose packets a program judges last.
    queued: Vec<&'a GuestPolicy>,
    pairs: Pairs,
}

/// A way through a built-in chain, and what it should come to.
struct Case<'a> {
    chain: &'static str,
    context: Context,
    hooks: Vec<Crossing<'a>>,
    way: Course<'a>,
    among: Vec<(Field, Ranges<u128>)>,
}

impl<'p, 'a, 't> Proof<'p, 'a, 't> {
    fn new(
        prover: &'p mut Prover<'a>,
        (family, program): (Family, &'static str),
        (loaded, destinations): (Loaded<'t>, &'t Destinations),
        share: Share,
    ) -> Self {
        let host = prover.host;
        let nics = host.guests.iter().flat_map(|guest| guest.nics.iter().map(move |nic| (guest, nic))).collect();
        Self {
            loaded,
            standing: None,
            stands: false,
            kinds: Kinds::default(),
            is_for_all: true,
            prover,
            family,
            program,
            chains: BUILT_IN.map(|name| (name, format!("{}{name}", prefix(host)).into())),
            nics,
            share,
            destinations,
            others: Vec::new(),
            queued: host.guests.iter().filter(|guest| guest.options.ips.value).collect(),
            pairs: Pairs::default(),
        }
    }

    /// The chain that packets come to first.
    fn chain(&self, name: &str) -> Arc<str> {
        let known = self.chains.iter().find(|(built_in, _)| *built_in == name);
        known.map_or_else(|| name.into(), |(_, chain)| Arc::clone(chain))
    }

    fn raw(&mut self) -> Result<(), OverBudget> {
        let of = Of::Family(self.family);
        let mut meant = self.prover.flood(of, true, above)?;
        meant.extend(self.prover.helpers(of)?);
        let ways = [
            ("PREROUTING", Course::of("anywhere", "the connection table")),
            ("OUTPUT", Course::of("the host", "the connection table")),
        ];
        for (chain, way) in ways {
            let context = Context { in_interface: PortValue::Any, ..Context::default() };
            let meant = if chain == "PREROUTING" { meant.as_slice() } else { &[] };
            let name = self.chain(chain);
            let base = Base { chain: &name, sees: PacketSet::ALL, counts: PacketSet::ALL };
            let passage = self.loaded.base(&mut self.prover.ground, base, 0, &context)?;
            let sides = (&way, PacketSet::ALL, Some(self.family));
            for told in self.prover.compare((self.program, &self.loaded), &passage.parts, meant, sides)? {
                self.goes_by(&told, base, &context)?;
            }
        }
        Ok(())
    }

    fn filter(&mut self) -> Result<(), OverBudget> {
        for name in ["INPUT", "OUTPUT", "FORWARD"] {
            let name = self.chain(name);
            if !self.loaded.chains().table().chains.contains_key(&*name) {
                let way = Course::of("anywhere", "anywhere").way();
                self.prover.doubt(self.program, way, Why::Missing(format!("chain `{name}`")));
            }
        }
        let whole = self.chain("FORWARD");
        if let Some(chain) = self.loaded.chains().of_both_ends(&whole) {
            self.prover.doubt(self.program, Course::of("a guest", "another one").way(), Why::Pairs(chain));
        }
        let destinations = self.destinations;
        let others = destinations.others();
        if self.share.is_first() {
            let mut cases = Vec::new();
            self.input(&mut cases);
            self.output(others, &mut cases);
            if self.has_bridges() {
                self.bridged(&mut cases);
            }
            self.routed(others, &mut cases);
            self.each(cases)?;
        }
        let own = self.share.range(self.nics.len());
        for (place, (guest, nic)) in own.clone().zip(self.nics.get(own).unwrap_or_default().to_vec()) {
            let own = destinations.of(place);
            if !self.is_alike(Side::From, (guest, nic), own, others.last())? {
                let cases = self.ways_from((guest, nic), others.last());
                self.each(cases)?;
            }
            if !self.is_alike(Side::To, (guest, nic), own, others.last())? {
                let cases = self.ways_to((guest, nic), own);
                self.each(cases)?;
            }
        }
        let pairs = std::mem::take(&mut self.pairs);
        if !self.share.is_whole() {
            self.prover.pairs.push((self.loaded.chains().program(), pairs));
        } else if let Pairs { for_good: true, stops_known: Some(hook) } = pairs {
            self.prover.doubt(self.program, Course::of("a guest", "another one").way(), Why::Pairs(hook));
        }
        Ok(())
    }

    fn each(&mut self, cases: Vec<Case<'a>>) -> Result<(), OverBudget> {
        cases.into_iter().try_for_each(|case| self.case(case))
    }

    /// The rules that are asked, and who asks them.
    fn loaded(&mut self) -> (&mut Prover<'a>, &mut Loaded<'t>) {
        match &mut self.standing {
            Some(standing) if self.stands => (self.prover, standing),
            Some(_) | None => (self.prover, &mut self.loaded),
        }
    }

    fn case(&mut self, case: Case<'a>) -> Result<(), OverBudget> {
        let name = self.chain(case.chain);
        let base = Base { chain: &name, sees: PacketSet::ALL, counts: PacketSet::ALL };
        let (prover, loaded) = self.loaded();
        let passage = loaded.base(&mut prover.ground, base, 0, &case.context)?;
        // Each end of a way is asked about as if no rule named the other one: as if that one left no mark.
        if case.chain == "FORWARD" && passage.is_marked {
            self.prover.doubt(self.program, case.way.way(), Why::Marks);
            return Ok(());
        }
        let mut parts = passage.parts.clone();
        let mut meant = Vec::with_capacity(case.hooks.len());
        for crossing in &case.hooks {
            meant.push(Meant { said: self.hook(crossing)?, by: By::Hook(crossing.clone()) });
        }
        self.note_pairs(&passage.of_sender, &case.hooks, &meant)?;
        // Of the last one nothing stands behind that could be passed by.
        if parts.last().is_some_and(|last| self.prover.ground.accepts_all(*last)) {
            parts.pop();
        }
        let among = if case.among.is_empty() {
            PacketSet::ALL
        } else {
            // Most are the same whatever the destination, and need not be asked for.
            let hooks: Vec<Said> = meant.iter().map(|meant| meant.said).collect();
            let sides = Sides { found: &parts, meant: &hooks, among: PacketSet::ALL };
            if is_seen_alike(&mut self.prover.ground, sides)? {
                return Ok(());
            }
            // For one destination alone it says nothing about those of others.
            self.is_for_all &= !self.stands;
            self.prover.packets(self.family, &case.among)?
        };
        let sides = (&case.way, among, Some(self.family));
        let program = self.program;
        let (prover, loaded) = self.loaded();
        for told in prover.compare((program, loaded), &parts, &meant, sides)? {
            self.goes_by(&told, base, &case.context)?;
        }
        Ok(())
    }

    /// Tells by which rules of a chain a packet goes.
    fn goes_by(&mut self, told: &Told, base: Base<'_>, context: &Context) -> Result<(), OverBudget> {
        // What is found with any rules for the guests' is told of nobody.
        if self.stands {
            return Ok(());
        }
        let mut alone = self.loaded.alone(&told.packet);
        let passage = alone.base(&mut self.prover.ground, base, 0, context)?;
        self.prover.goes_by(told, &[(&alone, passage.parts.clone())])
    }

    /// Keeps what the pairs of ports depend on: whether known connections are accepted for good at a first hook, and whether
    /// one that may come behind it would have stopped them.
    fn note_pairs(
        &mut self,
        of_sender: &[Said],
        hooks: &[Crossing<'a>],
        meant: &[Meant<'_>],
    ) -> Result<(), OverBudget> {
        let ground = &mut self.prover.ground;
        for part in of_sender {
            self.pairs.for_good = self.pairs.for_good || accepts_for_good(ground, *part)?;
        }
        for (crossing, Meant { said, by }) in hooks.iter().zip(meant) {
            let may_follow = match crossing.hook.name {
                HookName::GuestOut | HookName::HostOut => false,
                HookName::GuestIn | HookName::HostIn | HookName::HostForward | HookName::VnetForward => true,
            };
            if may_follow && self.pairs.stops_known.is_none() && !passes_established(ground, *said, PacketSet::ALL)? {
                self.pairs.stops_known = Some(by.to_string());
            }
        }
        Ok(())
    }

    /// What a hook says of packets of the family.
    fn hook(&mut self, crossing: &Crossing<'a>) -> Result<Said, OverBudget> {
        let is_guests = matches!(crossing.hook.name, HookName::GuestIn | HookName::GuestOut);
        let standing = if self.stands && is_guests { self.prover.standing(crossing)? } else { None };
        let hook = match standing {
            Some(standing) => self.prover.frames_of(self.family, standing),
            None => self.prover.hook_of(self.family, crossing)?,
        };
        let judged =
            |guest: &&&GuestPolicy| guest.zone() == crossing.machine && crossing.hook.name == HookName::GuestIn;
        match self.queued.iter().find(judged) {
            Some(guest) => queued(&mut self.prover.ground, hook, &queue(guest.options.ips_queues.value)),
            None => Ok(hook),
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
