//! The proof that rules mean what a spec says, for every packet.
//!
//! In: a host's policy, and the rules of a program as `state/` read them: those that fwc just wrote, those of a folder, those
//! that a machine has loaded. Out: every [`Doubt`]: a way of packets on which the rules decide otherwise than the policy,
//! with a packet that shows it; rules that are not understood, with the ways on which packets come to them; ways that are
//! over budget. Promise: without a doubt, what becomes of every packet on every way that [`HostPolicy::way`] knows, and
//! whether it leaves a line in the log, is what the policy says.
//!
//! Which chains of a program judge for which hooks is a fact of that program, and stands in its folder. What is common stands
//! here. Two things are excepted. How many packets a limit lets through, and how many lines a log takes, is no packet's
//! property: that the limit is there, with its rate, is compared. And packets are as the kernel makes them: without a mark
//! that other software set.

mod alike;
mod change;
mod course;
mod made;
mod share;
mod side;
#[cfg(test)]
pub(super) mod tests;
mod told;
mod translated;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::analysis::Packet;
use crate::analysis::loaded::{self, Exit, Fields, Ground, Loaded, Met, Outcome, Said, Unknown};
use crate::analysis::sets::{
    Budget, Diagram, Field, Hooks, Interfaces, MachineRules, Memo, OverBudget, PacketSet, RuleAt, Run, Sets, Wish,
};
use crate::diagnostic::{FileId, Span};
use crate::net::{Family, Ranges};
use rayon::prelude::*;

use crate::policy::{Crossing, HostPolicy, IptablesMode};
use crate::state::ruleset::{Program, Ruleset, Set};
use crate::state::{ipset, iptables, nft};

use alike::{Hooked, Judged, place};
pub(super) use alike::{Kind, Kinds, Side};
pub use change::{Change, Changes, Fate, Turn, changes};
pub(super) use course::{By, Course, Meant, Place};
pub use made::{Proving, ReadBack, prove_files_in};
pub(super) use share::{Pairs, Share};
pub(super) use side::Of;
pub use told::Decider;
pub(super) use told::Told;
pub(super) use translated::Translated;

/// What is not proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// On which host.
    pub host: String,
    /// Which rules: `iptables`, `ip6tables`, `nft`.
    pub program: &'static str,
    /// On which way.
    pub way: Way,
    /// Why.
    pub why: Why,
}

/// A way of packets, in the words of a spec.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// Where they come from: `vm/100:net0`, `host/pm1`, `another port of vmbr0`, `another interface`.
    pub from: String,
    /// Where they go to.
    pub to: String,
    /// Whether the host routes them.
    pub routed: bool,
    /// Frames with a second tag, which nothing looks into.
    pub tagged: bool,
}

/// Why something is not proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The rules do something else.
    Differs {
        /// With this packet, among others.
        packet: Box<Packet>,
        /// What the policy says.
        meant: String,
        /// What the rules do.
        found: String,
        /// What decides it in the policy, where one hook or option does.
        hook: Option<Decider>,
        /// The rules that decide it, in the order in which the packet comes to them; none where it goes by the end of a chain.
        by: Vec<Met>,
    },
    /// Packets come to a rule that is not understood.
    Unknown(Unknown),
    /// The packets are split in too many ways.
    OverBudget,
    /// A chain that is needed is not there.
    Missing(String),
    /// Rules look at where packets come from and at where they go to at once; every pair of ports would have to be tried.
    Pairs(String),
    /// What the rules leave on packets differs, and later rules might ask for it.
    Marks,
    /// There are more than are told of this host and program. The last one of them.
    More {
        /// So many more, one at least.
        count: usize,
        /// Whether packets are treated otherwise in some of them.
        differ: bool,
    },
}

/// The rules of a host, as its programs or its files have them.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// By program: [`Program::Iptables`], [`Program::Ip6tables`] or [`Program::Nft`], with the ipsets that they name.
    pub of: BTreeMap<Program, Ruleset>,
}

impl Rules {
    /// Reads what fwc writes for a host: the files below `hosts/NAME`, by their names.
    #[must_use]
    pub fn read<'f>(files: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        Self::of(&Texts::of(files))
    }

    fn of(texts: &Texts<'_>) -> Self {
        let read = |program: &Program| Some((*program, texts.read(*program)?));
        Self { of: PROGRAMS.par_iter().filter_map(read).collect() }
    }
}

/// Those whose rules are proved, the one that takes longest first: nobody should wait for it alone.
const PROGRAMS: [Program; 3] = [Program::Nft, Program::Ip6tables, Program::Iptables];

/// A host's files that hold rules.
#[derive(Default)]
struct Texts<'f> {
    of: BTreeMap<Program, &'f str>,
    sets: BTreeMap<Arc<str>, Set>,
}

impl<'f> Texts<'f> {
    fn of(files: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        let mut found = Self::default();
        for (name, text) in files {
            let program = match name {
                "iptables.rules" => Program::Iptables,
                "ip6tables.rules" => Program::Ip6tables,
                "fwc.nft" => Program::Nft,
                "ipset.rules" => {
                    found.sets = ipset::read(FileId(0), text).0;
                    continue;
                }
                _ => continue,
            };
            found.of.insert(program, text);
        }
        found
    }

    fn read(&self, program: Program) -> Option<Ruleset> {
        let text = self.of.get(&program)?;
        let mut rules = match program {
            Program::Nft => return Some(nft::read(FileId(0), text)),
            Program::Iptables | Program::Ip6tables | Program::Ebtables => iptables::read(FileId(0), text, program),
        };
        for table in rules.tables.values_mut() {
            table.sets.extend(self.sets.iter().map(|(name, set)| (Arc::clone(name), set.clone())));
        }
        Some(rules)
    }
}

/// Whether a program's rules filter packets for a host at all: fwc's, or others in the tables that are fwc's there.
#[must_use]
pub fn is_enforced(host: &HostPolicy, rules: &Ruleset) -> bool {
    rules.tables.iter().any(|(name, table)| match rules.program {
        Program::Nft => &*name.name == "fwc",
        Program::Iptables | Program::Ip6tables | Program::Ebtables => {
            let own = |chain: &str| match &host.iptables.mode {
                IptablesMode::Exclusive => true,
                IptablesMode::Shared { prefix } => chain.starts_with(&format!("{prefix}-")),
            };
            &*name.name == "filter" && table.chains.iter().any(|(name, chain)| own(name) && !chain.rules.is_empty())
        }
    })
}

/// The tables and chains of a program in which rules of others come before fwc's, with the number of these: `filter INPUT`.
#[must_use]
pub fn led_late(host: &HostPolicy, rules: &Ruleset) -> Vec<(String, usize)> {
    match rules.program {
        Program::Iptables | Program::Ip6tables => super::iptables::proof::led_late(host, rules),
        Program::Nft | Program::Ebtables => Vec::new(),
    }
}

/// What is not proved of a host's rules.
#[must_use]
pub fn prove(host: &HostPolicy, rules: &Rules) -> Vec<Doubt> {
    let of = |rules: &Ruleset| prove_program(host, &Translated::new(host, rules));
    // What the hooks mean is found for each program anew, which takes less time than to wait for another one.
    let all: Vec<&Ruleset> = rules.of.values().collect();
    all.into_par_iter().map(of).collect::<Vec<_>>().into_iter().flatten().collect()
}

fn prove_program(host: &HostPolicy, rules: &Translated<'_>) -> Vec<Doubt> {
    let mut prover = Prover::new(host, family(rules.program), share::nics(host));
    prover.rules(rules, Share::WHOLE);
    // Large tables take a while to free; nobody has to wait for that.
    let Prover { doubts, ground, .. } = prover;
    rayon::spawn(move || drop(ground));
    doubts
}

/// The family of all packets of a program; none where it sees frames.
const fn family(program: Program) -> Option<Family> {
    match program {
        Program::Iptables => Some(Family::V4),
        Program::Ip6tables => Some(Family::V6),
        Program::Nft | Program::Ebtables => None,
    }
}

/// What hooks mean, and all sets that it takes.
#[derive(Debug)]
pub(super) struct Prover<'a> {
    pub(super) host: &'a HostPolicy,
    pub(super) ground: Ground,
    hooks: Memo<(usize, usize), Said>,
    /// What several hooks have in common.
    runs: Memo<Run, Said>,
    /// The rules of machines.
    of_machines: MachineRules<'a>,
    /// Those of the machines of hooks.
    of_hooks: Memo<(usize, usize), Arc<[RuleAt]>>,
    /// The hooks on the ways of NICs.
    hooked: Memo<(Side, usize), Hooked<'a>>,
    /// Whether chains have the rules of guests.
    judged: Memo<Judged, bool>,
    /// The family that hooks are told of; none where they are told of frames.
    family: Option<Family>,
    /// The interfaces that are a bridge of the spec, see [`HostPolicy::bridges`].
    bridges: BTreeMap<&'a str, Arc<[Arc<str>]>>,
    maker: Hooks<'a>,
    pub(super) doubts: Vec<Doubt>,
    /// The rules that are not understood, as far as they came up.
    pub(super) unknown: BTreeSet<(Span, String)>,
    /// What pairs of ports depend on, of a share of them.
    pub(super) pairs: Vec<(Program, Pairs)>,
    /// Where all that differs is wanted, and not only whether something does.
    changes: Option<Changes>,
}

/// The edges that the proof of one program's rules may take: several times what 10,000 ordinary rules do, and a few seconds.
const BUDGET: usize = 10_000_000;
/// And those for each NIC: several times what fifty rules of its own do.
const NIC_BUDGET: usize = 10_000;
/// Doubts of one host and program that are told, before the rest is counted; a single wrong rule can stand on many ways.
const MOST: usize = 20;

impl<'a> Prover<'a> {
    /// For the ways of so many NICs.
    pub(super) fn new(host: &'a HostPolicy, family: Option<Family>, nics: usize) -> Self {
        let sets = Sets::new(Interfaces::default(), Budget(BUDGET.saturating_add(NIC_BUDGET.saturating_mul(nics))));
        Self {
            host,
            ground: Ground::with_room(sets, nics),
            hooks: Memo::default(),
            runs: Memo::default(),
            of_machines: MachineRules::default(),
            of_hooks: Memo::default(),
            hooked: Memo::default(),
            judged: Memo::default(),
            family,
            bridges: BTreeMap::new(),
            maker: Hooks::new(family),
            doubts: Vec::new(),
            unknown: BTreeSet::new(),
            pairs: Vec::new(),
            changes: None,
        }
    }

    /// The rules of a program, for a share of the ways.
    fn rules(&mut self, rules: &Translated<'_>, share: Share) {
        match rules.program {
            Program::Iptables => super::iptables::proof::prove(self, Family::V4, rules, share),
            Program::Ip6tables => super::iptables::proof::prove(self, Family::V6, rules, share),
            Program::Nft => super::nft::proof::prove(self, rules, share),
            Program::Ebtables => {}
        }
    }

    /// The interfaces that are a bridge of the spec, itself first.
    pub(super) fn bridges(&mut self, bridge: &'a str) -> Arc<[Arc<str>]> {
        let host = self.host;
        let all = || host.bridges(bridge).into_iter().map(Arc::from).collect();
        Arc::clone(self.bridges.entry(bridge).or_insert_with(all))
    }

    /// What a hook says of packets of a family.
    pub(super) fn hook_of(&mut self, family: Family, crossing: &Crossing<'a>) -> Result<Said, OverBudget> {
        let said = self.hook(crossing)?;
        Ok(self.frames_of(family, said))
    }

    /// What is said of packets of a family.
    pub(super) fn frames_of(&mut self, family: Family, said: Said) -> Said {
        match self.family {
            Some(_) => said,
            None => of_family(&mut self.ground, family, said),
        }
    }

    /// What a hook says of every packet; where all are of one family, of these.
    pub(super) fn hook(&mut self, crossing: &Crossing<'a>) -> Result<Said, OverBudget> {
        let key = place(crossing);
        if let Some(known) = self.hooks.get(&key) {
            return Ok(*known);
        }
        let runs = self.maker.runs(&mut self.ground.sets, crossing.hook, crossing.nic)?;
        let made = self.listed(runs);
        self.hooks.insert(key, made);
        Ok(made)
    }

    fn listed(&mut self, runs: Vec<Run>) -> Said {
        let mut lists = Vec::with_capacity(runs.len());
        for run in runs {
            if let Some(known) = self.runs.get(&run) {
                lists.push(*known);
                continue;
            }
            let made = self.ground.of_clauses(self.maker.told(&run).iter().copied());
            lists.push(made);
            if run.is_shared {
                self.runs.insert(run, made);
            }
        }
        self.ground.of_lists(lists)
    }

    /// What rejections drop in silence.
    pub(super) fn silent(&self) -> Vec<(Family, Fields)> {
        silent(self.host)
    }

    /// The packets with these values.
    pub(super) fn packets(
        &mut self,
        family: Family,
        fields: &[(Field, Ranges<u128>)],
    ) -> Result<PacketSet, OverBudget> {
        self.ground.sets.having(family, fields)
    }

    /// Holds what the rules do on a way against what its hooks say.
    ///
    /// `among` are the packets that matter; `family`: the one that rules of a program without frames are about. Out: the packets
    /// of which is told that they are treated otherwise.
    pub(super) fn compare(
        &mut self,
        (program, loaded): (&'static str, &Loaded<'_>),
        found: &[Said],
        meant: &[Meant<'_>],
        (way, among, family): (&Course<'_>, PacketSet, Option<Family>),
    ) -> Result<Vec<Told>, OverBudget> {
        let hooks: Vec<Said> = meant.iter().map(|meant| meant.said).collect();
        let sides = loaded::Sides { found, meant: &hooks, among };
        let Some(difference) = loaded::difference(&mut self.ground, loaded, sides)? else { return Ok(Vec::new()) };
        for label in self.ground.sets.labels(difference.found) {
            let Some(Outcome { exit: Exit::Unknown(number), .. }) = self.ground.outcomes.outcome(label) else {
                continue;
            };
            let here = self.ground.sets.select(difference.found, |other| other == label)?;
            let here = self.ground.sets.intersection(here, among)?;
            if let Some(unknown) = loaded.unknown(number).filter(|_| !here.is_empty()) {
                self.doubt(program, way.way(), Why::Unknown(unknown.clone()));
            }
        }
        if self.changes.is_some() {
            let (found, hooks) = (self.wholes(found)?, self.wholes(&hooks)?);
            let meant: Vec<_> = hooks.into_iter().zip(meant.iter().map(|meant| meant.by.to_string())).collect();
            return self.turns(program, &difference, (&found, &meant), (&way.way(), family));
        }
        let Some(packet) = self.witness(difference.packets, family)? else { return Ok(Vec::new()) };
        let (found, hooks) = (self.wholes(found)?, self.wholes(&hooks)?);
        let meant: Vec<_> = hooks.into_iter().zip(meant).collect();
        Ok(self.differs((program, way), &difference, (&found, &meant), packet).into_iter().collect())
    }

    /// The same as diagrams.
    fn wholes(&mut self, all: &[Said]) -> Result<Vec<Diagram>, OverBudget> {
        all.iter().map(|said| self.ground.whole(*said)).collect()
    }

    /// One packet of a set.
    fn witness(&mut self, set: PacketSet, family: Option<Family>) -> Result<Option<Packet>, OverBudget> {
        let Some(family) = family else { return Ok(self.ground.sets.witness(set, &Wish::default())) };
        let frame = match family {
            Family::V4 => 0x0800,
            Family::V6 => 0x86dd,
        };
        let frames = self.packets(family, &[(Field::Frame, Ranges::single(frame))])?;
        let set = self.ground.sets.intersection(frames, set)?;
        Ok(self.ground.sets.witness(set, &Wish::default()))
    }

    /// Tells of something that is not proved; the same rule once. Behind the first ones the others are counted. Says whether it
    /// is told.
    pub(super) fn doubt(&mut self, program: &'static str, way: Way, why: Why) -> bool {
        let same = |known: &&Doubt| known.program == program;
        if let Why::Unknown(unknown) = &why
            && !self.unknown.insert((unknown.span, unknown.words.clone()))
        {
            return false;
        }
        let is_told = self.doubts.iter().filter(same).count() < MOST;
        if is_told {
            self.doubts.push(Doubt { host: self.host.name.clone(), program, way, why });
        } else if let Some(Doubt { why: Why::More { count, differ }, .. }) = self.doubts.last_mut() {
            *count += 1;
            *differ |= why.differs();
        } else {
            let why = Why::More { count: 1, differ: why.differs() };
            self.doubts.push(Doubt { host: self.host.name.clone(), program, way, why });
        }
        is_told
    }
}

impl Why {
    /// Whether packets are treated otherwise, for all that is known.
    #[must_use]
    pub const fn differs(&self) -> bool {
        match self {
            Self::Differs { .. } | Self::Missing(_) => true,
            Self::Unknown(_) | Self::OverBudget | Self::Pairs(_) | Self::Marks => false,
            Self::More { differ, .. } => *differ,
        }
    }
}

/// What is said of frames of a family.
pub(super) fn of_family(ground: &mut Ground, family: Family, said: Said) -> Said {
    match family {
        Family::V4 => ground.of_frame(said, 0x0800),
        Family::V6 => ground.of_frame(said, 0x86dd),
    }
}

fn silent(host: &HostPolicy) -> Vec<(Family, Fields)> {
    let mut found = Vec::new();
    for (family, frame, icmp) in [(Family::V4, 0x0800, 1), (Family::V6, 0x86dd, 58)] {
        let (dest, multicast) = match family {
            Family::V4 => {
                let dest = host.broadcast.v4().iter().map(|(first, last)| (first.into(), last.into()));
                (Ranges::from_ranges(dest), (0xe000_0000, 0xefff_ffff))
            }
            Family::V6 => (host.broadcast.v6().clone(), (0xff00 << 112, u128::MAX)),
        };
        let multicast = Ranges::from_ranges([multicast]);
        for one in [(Field::Dest, dest), (Field::Source, multicast), (Field::Protocol, Ranges::single(icmp))] {
            found.push((family, Fields(vec![(Field::Frame, Ranges::single(frame)), one])));
        }
    }
    found
}

/// What hooks say, where a rejection is a drop.
pub(super) fn without_rejection(ground: &mut Ground, hook: Said) -> Result<Said, OverBudget> {
    turned(ground, hook, |exit| (exit == Exit::Reject).then_some(Exit::Drop))
}

/// What hooks say, where a program judges what they accept.
pub(super) fn queued(ground: &mut Ground, hook: Said, words: &str) -> Result<Said, OverBudget> {
    turned(ground, hook, |exit| (exit == Exit::Accept).then(|| Exit::Queue(words.into())))
}

/// What hooks say, with other exits where there are any.
fn turned(ground: &mut Ground, hook: Said, other: impl Fn(Exit) -> Option<Exit>) -> Result<Said, OverBudget> {
    let mut becomes = Vec::new();
    for label in ground.labels(hook).iter() {
        let Some(Outcome { exit, state }) = ground.outcomes.outcome(*label) else { continue };
        if let Some(exit) = other(exit) {
            becomes.push((*label, ground.outcomes.label(Outcome { exit, state })));
        }
    }
    ground.renamed(hook, &loaded::by(&becomes))
}
