//! Chains of guests with any rules in place of the guests' own.
//!
//! Most guests of a host differ in their own rules and their addresses alone. Where a chain has rules of one guest, any may
//! stand for them ([`own`]): these decide what [`stand`](crate::analysis::sets::stand) says, and whatever holds with them holds
//! with all that decide the same, one after the other. Besides such rules only tests of ports and destinations tell one guest from
//! another; what these say of one is its [`View`](view::View). There the hardware address and the addresses of a NIC are told as
//! what stands for any.

mod by_values;
mod held;
mod own;
mod reach;
mod view;

use std::collections::HashSet;
use std::sync::Arc;

use crate::analysis::sets::{Field, Memo, RuleAt, stand};
use crate::net::Ranges;
use crate::state::ruleset::{Program, Verdict};

use super::reads::Reads;
use super::ready::{Chain, Chains, Ready};
use super::run::Loaded;
use super::{Context, Fields};

use by_values::Decided;
pub use held::Meant;
pub(super) use own::Plain;
use own::{Accepts, Finder, Own, Ways, parts};
use reach::{Besides, Graph};
use view::Question;
pub use view::{By, Looked, View};

/// The chains with rules of guests, and what tells ports apart.
#[derive(Debug, Default)]
pub(super) struct Stands<'t> {
    own: Memo<usize, Own>,
    /// Chains that are led to by ports and destinations alone, each with the one with rules of a guest that it is, or leads to.
    below: Memo<usize, usize>,
    /// These, and all others that only packets of one port should come to.
    of_guests: HashSet<usize>,
    /// What rules besides those ask of ports and destinations; none where that is too much to ask for each of them.
    questions: Option<Vec<(By, Question<'t>)>>,
    /// Whether rules ask for hardware addresses that belong to no port.
    asks_mac: bool,
    /// Whether rules look at where packets go to besides those that only lead elsewhere.
    asks_dest: bool,
    /// The number behind those of all rules.
    next: usize,
}

/// A chain with rules of a guest, and where those behind them begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stand {
    pub(super) chain: usize,
    behind: usize,
}

/// Where any rules stand for guests' in a table that is asked.
#[derive(Debug, Default)]
pub(super) struct Standing<'t> {
    /// Whether they may: see [`Loaded::of_any_rules`].
    pub(super) is_on: bool,
    /// The rules of chains, with those that stand for some.
    rules: Memo<usize, Arc<[Ready<'t>]>>,
    /// The chains on the ways to the rules of the guest that is asked about.
    now: Vec<usize>,
    /// Whether one of these is what is looked at.
    pub(super) within: bool,
    /// Whether packets came to the rules of a guest elsewhere than views look.
    is_elsewhere: bool,
    /// Chains that guests' rules jump to, and whether they decide the same as some of the policy's, whatever the context.
    jumped: Memo<usize, Vec<Jumped>>,
    /// What chains decide by the values of fields alone.
    decided: Decided,
}

/// Rules of the policy, and whether a chain decides the same.
type Jumped = (Box<[RuleAt]>, bool);

/// Rules that stand for others: so many numbers.
pub(super) const STANDING: usize = 3;

static ACCEPT: Verdict = Verdict::Accept;
static DROP: Verdict = Verdict::Drop;
static RETURN: Verdict = Verdict::Return;

impl<'t> Stands<'t> {
    /// Of the chains of a table; `next`: the number behind those of all rules.
    pub(super) fn of(program: Program, all: &[Chain<'t>], numbers: &Memo<&str, usize>, next: usize) -> Self {
        let graph = Graph::new(all, numbers);
        let ways = Ways::of(program, &graph, numbers);
        let mut own = Finder { program, graph: &graph, chains: Memo::default() }.all_own(&ways);
        reach::of_nobody(&graph, &mut own);
        let below: Memo<usize, usize> =
            (0..all.len()).filter_map(|number| Some((number, ways.own_below(&graph, &own, number)?))).collect();
        let besides = Besides::new(&graph, &own);
        let questions = view::questions(&besides);
        let asks_dest = view::asks_dest(&besides);
        let has_mac = |one: &Fields| one.0.iter().any(|(field, _)| field.is_mac());
        let of_mac = |rule: &Ready<'_>| rule.reads.has_mac() && rule.boxes.iter().flatten().any(has_mac);
        // Where a NIC's own address is asked for on the way to its guest's rules, the view looks; no other NIC's packets come there.
        let asks_mac = besides.chains().filter(|number| besides.rules(*number).any(of_mac));
        let (of_ports, others): (Vec<usize>, Vec<usize>) =
            asks_mac.partition(|number| ways.has(*number) && !own.contains_key(number));
        let of_guests = below.keys().copied().chain(of_ports).collect();
        Self { own, below, of_guests, questions, asks_mac: !others.is_empty(), asks_dest, next }
    }
}

impl<'t> Chains<'t> {
    /// Where the rules of a guest in a chain may end: one of these is the place.
    pub fn stands(&self, chain: usize) -> impl Iterator<Item = Stand> {
        let behind = self.stands.own.get(&chain).map_or(&[][..], |own| &own.behind);
        behind.iter().map(move |behind| Stand { chain, behind: *behind })
    }

    /// The rules in front of a guest's, and those behind them.
    fn around(&self, stand: Stand) -> Option<[&[Ready<'t>]; 3]> {
        let own = self.stands.own.get(&stand.chain)?;
        let front = self.rules(own.opened.unwrap_or(stand.chain)).get(..own.before)?;
        let (first, second) = parts(self.whole(stand.chain)?, stand.behind..usize::MAX);
        Some([front, first, second])
    }

    /// The rules of a guest: those of another chain, and then those of its own.
    fn between(&self, stand: Stand) -> Option<[&[Ready<'t>]; 3]> {
        let own = self.stands.own.get(&stand.chain)?;
        let whole = self.whole(stand.chain)?;
        let (opened, start) = match own.opened {
            Some(opened) => (self.rules(opened).get(own.before..)?, 1),
            None => (&[][..], own.before),
        };
        let (first, second) = parts(whole, start..stand.behind);
        Some([opened, first, second])
    }

    /// Whether what the rules of a guest do depends on a context.
    #[must_use]
    pub fn asks_context(&self, stand: Stand, context: &Context) -> bool {
        let decided = Reads::decided(context);
        self.between(stand).is_none_or(|parts| parts.into_iter().flatten().any(|rule| rule.reads.is_decided(decided)))
    }

    /// The rules of a chain, and of the one that it goes to at its end.
    fn whole(&self, chain: usize) -> Option<(&[Ready<'t>], &[Ready<'t>])> {
        let own = self.stands.own.get(&chain)?;
        Some((self.rules(chain).get(..own.end)?, own.last.map_or(&[], |last| self.rules(last))))
    }

    /// The rules of a chain with any in place of a guest's.
    fn with_any(&self, stand: Stand) -> Option<Vec<Ready<'t>>> {
        let accepts = self.stands.own.get(&stand.chain)?.accepts;
        let [before, first, second] = self.around(stand)?;
        let (verdict, number) = match accepts {
            Accepts::Accept => (&ACCEPT, self.stands.next),
            Accepts::Return => (&RETURN, self.stands.next + 1),
        };
        let of_family = |packets: Vec<_>| match self.program {
            Program::Nft => packets,
            Program::Iptables | Program::Ip6tables | Program::Ebtables => {
                packets.into_iter().filter(|(field, _)| *field != Field::Frame).collect()
            }
        };
        let any = |verdict, number, packets: Vec<(Field, Ranges<u128>)>| Ready {
            number,
            boxes: Some(vec![Fields(of_family(packets))]),
            others: Vec::new(),
            effects: Vec::new(),
            verdict,
            leads: None,
            cases: None,
            unknown: None,
            reads: Reads::FRAME,
            plain: Plain::Not,
        };
        let mut rules = before.to_vec();
        rules.push(any(verdict, number, stand::accepted()));
        rules.push(any(&DROP, self.stands.next + 2, stand::dropped()));
        rules.extend(first.iter().chain(second).cloned());
        Some(rules)
    }
}

impl<'t> Loaded<'t> {
    /// This table with any rules in place of guests', as far as they stand in it ([`Loaded::stand`]), and with what stands for any
    /// addresses.
    #[must_use]
    pub const fn of_any_rules(mut self) -> Self {
        self.standing.is_on = true;
        self
    }

    /// From here on any rules stand for the guest's that contexts lead to, and any addresses for its NIC's sources. Not where
    /// something else stands for them already.
    #[must_use]
    pub fn stand(&mut self, looked: &[Looked<'_>], stand: Stand) -> bool {
        let Some(rules) = self.chains.with_any(stand) else { return false };
        let mut all = vec![(stand.chain, rules)];
        for one in looked {
            let ways = self.chains.ways_to(one, stand).into_iter();
            all.extend(ways.map(|chain| (chain, self.chains.with_stand_ins(chain, &one.context))));
        }
        let keys = |rules: &[Ready<'_>]| rules.iter().map(|rule| (rule.number, rule.boxes.clone())).collect::<Vec<_>>();
        let is_other = |(chain, new): &(usize, Vec<Ready<'_>>)| {
            self.standing.rules.get(chain).is_some_and(|known| keys(known) != keys(new))
        };
        if all.iter().any(is_other) {
            return false;
        }
        self.standing.now = all.iter().map(|(chain, _)| *chain).collect();
        self.standing.rules.extend(all.into_iter().map(|(chain, rules)| (chain, rules.into())));
        !self.standing.is_elsewhere
    }

    /// Whether any rules stood for guests' only where the views of all that was asked about look.
    #[must_use]
    pub const fn stood_in_view(&self) -> bool {
        !self.standing.is_elsewhere
    }

    /// Packets come to a chain; `is_chosen`: all that are looked at, by what a port's name or a destination leads to.
    pub(super) fn comes_to(&mut self, chain: usize, is_chosen: bool) {
        if !self.standing.is_on || !self.chains.stands.of_guests.contains(&chain) {
            return;
        }
        let is_in_view = is_chosen || self.standing.within || self.chains.program == Program::Nft;
        self.standing.is_elsewhere |= !is_in_view || !self.standing.now.contains(&chain);
    }

    /// The rules of a chain are looked at; what was so before.
    pub(super) fn goes_within(&mut self, chain: usize) -> bool {
        let is_within = self.standing.now.contains(&chain);
        std::mem::replace(&mut self.standing.within, is_within)
    }

    /// The rules of a chain, some of which may stand for others.
    pub(super) fn rules(&self, chain: usize) -> Rules<'t> {
        match self.standing.rules.get(&chain) {
            Some(rules) => Rules::Any(Arc::clone(rules)),
            None => Rules::Own(self.chains.rules(chain)),
        }
    }
}

/// Rules of a chain.
pub(super) enum Rules<'t> {
    Own(&'t [Ready<'t>]),
    Any(Arc<[Ready<'t>]>),
}

impl<'t> std::ops::Deref for Rules<'t> {
    type Target = [Ready<'t>];

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Own(rules) => rules,
            Self::Any(rules) => rules,
        }
    }
}
