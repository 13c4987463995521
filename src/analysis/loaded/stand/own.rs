//! Chains with rules of one guest: which of their rules are its own, and which stand around these.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::analysis::sets::{Field, Memo};
use crate::state::ruleset::{Program, Verdict};

use super::super::closed::Policy;
use super::super::nft::Cases;
use super::super::ready::Ready;
use super::super::values::ip_frames;
use super::super::{Condition, Fields, Port};
use super::reach::Graph;
use super::view::By;

/// The rules of a chain that are a guest's own, with those of another one that it jumps to first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    /// The chain that it jumps to first, where that one begins with what stands in front of the rules.
    pub(super) opened: Option<usize>,
    /// How many rules stand in front: in the opened chain, or in itself.
    pub(super) before: usize,
    /// The chain that it goes to at its end, where that one's rules may belong to the guest's.
    pub(super) last: Option<usize>,
    /// Where its rules end, or where it goes to the last one: those of that one are counted from here.
    pub(super) end: usize,
    /// Where the rules behind them may begin: the likelier first.
    pub(super) behind: Vec<usize>,
    /// How rules accept packets that go no further here.
    pub(super) accepts: Accepts,
}

/// What becomes of packets that rules accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Accepts {
    /// They leave the kernel's hook.
    Accept,
    /// They go back to where the chain was called.
    Return,
}

/// The ends of a way by which packets are led to a chain.
#[derive(Debug, Default, Clone, Copy)]
struct Ends {
    source: bool,
    dest: bool,
}

/// Chains that are led to by what is asked of a port, or of destinations, alone.
#[derive(Debug, Default)]
pub(super) struct Ways {
    is_way: Vec<bool>,
}

/// Chains within each other between a port's name and the rules of its guest.
pub(super) const DEPTH: usize = 3;

impl Ways {
    pub(super) fn of(program: Program, graph: &Graph<'_, '_>, numbers: &Memo<&str, usize>) -> Self {
        match program {
            Program::Nft => Self::by_maps(graph, numbers),
            Program::Iptables | Program::Ip6tables | Program::Ebtables => Self::by_indexes(graph),
        }
    }

    /// Those that maps of ports lead to, and nothing else.
    fn by_maps(graph: &Graph<'_, '_>, numbers: &Memo<&str, usize>) -> Self {
        let mut is_way = vec![false; graph.all.len()];
        let mut otherwise: Vec<usize> = Vec::new();
        for rule in graph.all.iter().flat_map(|chain| &chain.rules) {
            match &rule.cases {
                // What stands for the rules of a NIC's guest must stand for no other's on the same way.
                Some(Cases::Port { port: Port::In | Port::Out, entries }) => {
                    let chains = entries.values().filter_map(Verdict::chain);
                    let chains = chains.filter_map(|name| numbers.get(&**name));
                    chains.for_each(|next| is_way.get_mut(*next).into_iter().for_each(|known| *known = true));
                    otherwise.extend(rule.leads);
                }
                Some(_) | None => rule.ahead(numbers, |next| otherwise.push(next)),
            }
        }
        for other in otherwise {
            is_way.get_mut(other).into_iter().for_each(|known| *known = false);
        }
        for (known, chain) in is_way.iter_mut().zip(graph.all) {
            *known &= chain.policy == Policy::Back && chain.index.is_none();
        }
        Self { is_way }
    }

    /// Those that only chains lead to which choose by a port or a destination, and those that such ones lead to: all by where
    /// packets come from, or all by where they go to.
    fn by_indexes(graph: &Graph<'_, '_>) -> Self {
        let count = graph.all.len();
        let mut others = vec![0_usize; count];
        for next in (0..count).flat_map(|number| graph.next(number)) {
            others.get_mut(*next).into_iter().for_each(|known| *known += 1);
        }
        let (mut is_way, mut ends) = (vec![false; count], vec![Ends::default(); count]);
        let mut leaders = Vec::new();
        for number in 0..count {
            if let (Some(by), Some(ends)) = (graph.by(number), ends.get_mut(number)) {
                *ends = Ends { source: by == By::Port(Port::BridgeIn), dest: by != By::Port(Port::BridgeIn) };
                leaders.push(number);
            }
        }
        for _ in 0..DEPTH {
            let mut next = BTreeSet::new();
            for leader in &leaders {
                let of_leader = ends.get(*leader).copied().unwrap_or_default();
                for number in graph.next(*leader) {
                    others.get_mut(*number).into_iter().for_each(|known| *known = known.saturating_sub(1));
                    // A chain of this kind has its own end.
                    if let Some(ends) = ends.get_mut(*number).filter(|_| graph.by(*number).is_none()) {
                        *ends = Ends { source: ends.source || of_leader.source, dest: ends.dest || of_leader.dest };
                    }
                    next.insert(*number);
                }
            }
            let is_new = |number: &usize| {
                let chain = graph.all.get(*number);
                let fits = chain.is_some_and(|chain| chain.policy == Policy::Back && chain.index.is_none());
                let is_one = ends.get(*number).is_some_and(|ends| ends.source != ends.dest);
                fits && is_one && others.get(*number) == Some(&0) && is_way.get(*number) == Some(&false)
            };
            leaders = next.into_iter().filter(is_new).collect();
            leaders.iter().for_each(|new| is_way.get_mut(*new).into_iter().for_each(|known| *known = true));
        }
        Self { is_way }
    }

    pub(super) fn has(&self, chain: usize) -> bool {
        self.is_way.get(chain) == Some(&true)
    }

    /// The chain with rules of a guest that another one is, or leads to.
    pub(super) fn own_below(&self, graph: &Graph<'_, '_>, own: &Memo<usize, Own>, number: usize) -> Option<usize> {
        self.below(graph, own, number, DEPTH)
    }

    fn below(&self, graph: &Graph<'_, '_>, own: &Memo<usize, Own>, number: usize, depth: usize) -> Option<usize> {
        if own.contains_key(&number) {
            return Some(number);
        }
        if depth == 0 || !self.has(number) {
            return None;
        }
        graph.next(number).iter().find_map(|next| self.below(graph, own, *next, depth - 1))
    }
}

/// Finds the rules of guests.
pub(super) struct Finder<'g, 'c, 't> {
    pub(super) program: Program,
    pub(super) graph: &'g Graph<'c, 't>,
    /// What is known of chains that rules jump to.
    pub(super) chains: Memo<usize, Option<Option<Accepts>>>,
}

impl<'c, 't> Finder<'_, 'c, 't> {
    /// The first chains with rules of guests behind what chooses by ports and destinations.
    pub(super) fn all_own(&mut self, ways: &Ways) -> Memo<usize, Own> {
        let graph = self.graph;
        let count = graph.all.len();
        let first: Vec<usize> = match self.program {
            Program::Nft => (0..count).collect(),
            Program::Iptables | Program::Ip6tables | Program::Ebtables => {
                let indexes = (0..count).filter(|number| graph.by(*number).is_some());
                indexes.flat_map(|number| graph.next(number)).copied().collect()
            }
        };
        let (mut own, mut is_seen) = (Memo::default(), vec![false; count]);
        let mut ahead = first;
        while let Some(number) = ahead.pop() {
            let Some(is_seen) = is_seen.get_mut(number).filter(|is_seen| !**is_seen && ways.has(number)) else {
                continue;
            };
            *is_seen = true;
            if let Some(found) = self.own(number) {
                own.insert(number, found);
                continue;
            }
            ahead.extend(graph.next(number));
        }
        own
    }

    /// The own rules of a chain; nothing where it has other ones among them.
    fn own(&mut self, number: usize) -> Option<Own> {
        let rules = self.graph.rules(number);
        let first = jumps(rules.first()?)?;
        let opened = self.graph.rules(first);
        let is_opened =
            opened.first().and_then(jumps).is_some() && self.program != Program::Nft && self.comes_back(first);
        let (opened, front) = if is_opened { (Some(first), opened) } else { (None, rules) };
        // Those that packets pass by which were accepted in front.
        let before = 1 + front.iter().skip(1).take_while(|rule| is_mark_return(rule)).count();
        let mut accepts = None;
        let start = if opened.is_some() { 1 } else { before };
        if opened.is_some() && before > 1 {
            // From there packets go back to this chain, and not out of it.
            return None;
        }
        if opened.is_some() && !self.are_own(front.get(before..)?, false, &mut accepts) {
            return None;
        }
        let last = rules.last().and_then(goes).filter(|_| self.program != Program::Nft);
        let last = last.filter(|last| self.comes_back(*last));
        let end = rules.len() - usize::from(last.is_some());
        let whole = Whole { rules: rules.get(..end)?, last: last.map_or(&[], |last| self.graph.rules(last)) };
        let until = self.until(&whole, start, &mut accepts);
        let least = whole.len() - whole.from(0).rev().take_while(|rule| is_behind(rule)).count();
        let behind: Vec<usize> = match self.program {
            // There packets always go elsewhere at the end.
            Program::Nft => (least < end && start < end && end - 1 <= until).then(|| end - 1).into_iter().collect(),
            Program::Iptables | Program::Ip6tables | Program::Ebtables => {
                let from_end = end..least.min(until + 1);
                (least.max(start)..=until).chain(from_end).collect()
            }
        };
        let otherwise = if self.program == Program::Nft { Accepts::Accept } else { Accepts::Return };
        let accepts = accepts.unwrap_or(otherwise);
        (!behind.is_empty()).then_some(Own { opened, before, last, end, behind, accepts })
    }

    /// Whether packets come back at the end of a chain, and it does not choose by ports or destinations.
    fn comes_back(&self, number: usize) -> bool {
        self.graph.all.get(number).is_some_and(|chain| chain.index.is_none() && chain.policy == Policy::Back)
    }

    /// How far rules may be a guest's own.
    fn until(&mut self, whole: &Whole<'_, '_>, start: usize, accepts: &mut Option<Accepts>) -> usize {
        let mut until = start;
        for rule in whole.from(start) {
            let mut by = *accepts;
            if !self.are_own(std::slice::from_ref(rule), true, &mut by) {
                break;
            }
            *accepts = by;
            until += 1;
        }
        until
    }

    /// Whether rules may be a guest's own: they are plain, and all packets that they accept go on alike.
    fn are_own(&mut self, rules: &[Ready<'_>], returns: bool, accepts: &mut Option<Accepts>) -> bool {
        rules.iter().all(|rule| {
            let goes_back = returns && *rule.verdict == Verdict::Return;
            let found = if goes_back && is_simple(rule) && rule.others.is_empty() {
                Some(Some(Accepts::Return))
            } else {
                self.plain(rule)
            };
            match found {
                Some(None) => true,
                Some(by @ Some(_)) => std::mem::replace(accepts, by).is_none_or(|known| Some(known) == by),
                None => false,
            }
        })
    }

    /// Whether a rule may be a guest's own, by itself and by what it jumps to. Inside: how it accepts, where it does.
    #[expect(
        clippy::option_option,
        reason = "none for a rule that is not plain, and none for one that accepts nothing"
    )]
    fn plain(&mut self, rule: &Ready<'_>) -> Option<Option<Accepts>> {
        match rule.plain {
            Plain::Not => None,
            Plain::Accepts => Some(Some(Accepts::Accept)),
            Plain::Drops => Some(None),
            Plain::Jumps => self.chain(rule.leads?),
        }
    }

    /// The same of all rules of a chain, from which packets come back that none of them decides.
    #[expect(clippy::option_option, reason = "as above")]
    fn chain(&mut self, number: usize) -> Option<Option<Accepts>> {
        if let Some(known) = self.chains.get(&number) {
            return *known;
        }
        // One that leads to itself is not plain.
        self.chains.insert(number, None);
        let chain = self.graph.all.get(number).filter(|chain| chain.policy == Policy::Back)?;
        let mut accepts = None;
        let found = self.are_own(&chain.rules, false, &mut accepts).then_some(accepts);
        self.chains.insert(number, found);
        found
    }
}

/// What a rule does that may be a guest's own: it accepts or drops packets of IP by their fields and their ports, or jumps to a chain
/// of such rules, and nothing that it asks depends on what packets bear or on how frames are tagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::analysis::loaded) enum Plain {
    /// Something else.
    #[default]
    Not,
    Accepts,
    Drops,
    Jumps,
}

impl Plain {
    pub(in crate::analysis::loaded) fn of(program: Program, rule: &Ready<'_>) -> Self {
        let is_nft = program == Program::Nft;
        let is_of_ip =
            |one: &Fields| one.0.iter().any(|(field, frames)| *field == Field::Frame && frames.is_subset(ip_frames()));
        let is_mac = |one: &Fields| one.0.iter().any(|(field, _)| field.is_mac());
        // Names of ports are asked for in the context that a chain is asked about, which is one of nft's alone.
        let is_port = |one: &Condition| is_nft && matches!(one, Condition::Port { .. });
        let boxes = rule.boxes.iter().flatten();
        if !is_simple(rule) || boxes.clone().any(is_mac) || !rule.others.iter().all(is_port) {
            return Self::Not;
        }
        // A program of one family sees nothing else.
        let is_fit = || !is_nft || (rule.boxes.is_some() && boxes.clone().all(is_of_ip));
        match rule.verdict {
            Verdict::Accept if is_fit() => Self::Accepts,
            Verdict::Drop if is_fit() => Self::Drops,
            Verdict::Jump(_) if rule.others.is_empty() && (rule.boxes.is_none() || !is_nft) => Self::Jumps,
            Verdict::Accept
            | Verdict::Drop
            | Verdict::Jump(_)
            | Verdict::Goto(_)
            | Verdict::Continue
            | Verdict::Return
            | Verdict::Reject(_)
            | Verdict::Map { .. }
            | Verdict::Inline { .. }
            | Verdict::Other(_) => Self::Not,
        }
    }
}

/// The rules of a chain, and those of the one that it goes to at its end.
struct Whole<'c, 't> {
    rules: &'c [Ready<'t>],
    last: &'c [Ready<'t>],
}

impl<'c, 't> Whole<'c, 't> {
    const fn len(&self) -> usize {
        self.rules.len() + self.last.len()
    }

    fn from(&self, start: usize) -> impl DoubleEndedIterator<Item = &'c Ready<'t>> {
        let (first, second) = parts((self.rules, self.last), start..self.len());
        first.iter().chain(second)
    }
}

/// Some of the rules of a chain, and of those of the one that it goes to at its end.
pub(super) fn parts<'c, 't>(
    (rules, last): (&'c [Ready<'t>], &'c [Ready<'t>]),
    of: Range<usize>,
) -> (&'c [Ready<'t>], &'c [Ready<'t>]) {
    let beyond = |at: usize| at.saturating_sub(rules.len()).min(last.len());
    let within = |at: usize| at.min(rules.len());
    let first = rules.get(within(of.start)..within(of.end));
    (first.unwrap_or_default(), last.get(beyond(of.start)..beyond(of.end)).unwrap_or_default())
}

/// The chain that a rule goes to with every packet.
fn goes(rule: &Ready<'_>) -> Option<usize> {
    let is_goto = matches!(rule.verdict, Verdict::Goto(_)) && rule.boxes.is_none() && rule.others.is_empty();
    rule.leads.filter(|_| is_goto && is_simple(rule))
}

/// The chain that a rule jumps to with every packet.
fn jumps(rule: &Ready<'_>) -> Option<usize> {
    let is_jump = matches!(rule.verdict, Verdict::Jump(_)) && rule.boxes.is_none() && rule.others.is_empty();
    rule.leads.filter(|_| is_jump && is_simple(rule))
}

/// Whether a rule does nothing besides what its verdict says.
fn is_simple(rule: &Ready<'_>) -> bool {
    rule.effects.is_empty() && rule.cases.is_none() && rule.unknown.is_none()
}

/// Whether packets of a mark go back from a chain by a rule.
fn is_mark_return(rule: &Ready<'_>) -> bool {
    let is_mark = matches!(&*rule.others, [Condition::Mark { .. }]) && rule.boxes.is_none();
    is_mark && *rule.verdict == Verdict::Return && rule.effects.is_empty() && rule.unknown.is_none()
}

/// Whether a rule is for all packets: it may stand behind the rules of a guest.
fn is_behind(rule: &Ready<'_>) -> bool {
    rule.boxes.is_none() && rule.others.is_empty() && rule.cases.is_none() && rule.unknown.is_none()
}
