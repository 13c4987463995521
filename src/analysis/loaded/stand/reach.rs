//! Which chains lead where, and which rules packets may meet besides those of guests.

use crate::analysis::sets::{Field, Memo};

use super::super::closed::Policy;
use super::super::lead::Index;
use super::super::ready::{Chain, Ready};
use super::super::{Condition, Port};
use super::own::Own;
use super::view::By;

/// Where the chains of a table lead: asked more often than all rules should be looked at.
pub(super) struct Graph<'c, 't> {
    pub(super) all: &'c [Chain<'t>],
    /// What chains choose by whose rules ask nothing else.
    by: Vec<Option<By>>,
    /// Where the next ones of each chain begin, and behind all where they end.
    starts: Vec<usize>,
    next: Vec<usize>,
}

impl<'c, 't> Graph<'c, 't> {
    pub(super) fn new(all: &'c [Chain<'t>], numbers: &Memo<&str, usize>) -> Self {
        let by = all.iter().map(chooses_by).collect();
        let mut graph = Self { all, by, starts: Vec::with_capacity(all.len() + 1), next: Vec::new() };
        for chain in all {
            let start = graph.next.len();
            graph.starts.push(start);
            for rule in &chain.rules {
                rule.ahead(numbers, |next| {
                    if graph.next.get(start..).and_then(<[usize]>::last) != Some(&next) {
                        graph.next.push(next);
                    }
                });
            }
        }
        graph.starts.push(graph.next.len());
        graph
    }

    /// The rules of a chain.
    pub(super) fn rules(&self, number: usize) -> &'c [Ready<'t>] {
        self.all.get(number).map(|chain| &*chain.rules).unwrap_or_default()
    }

    /// What a chain chooses by, if its rules ask nothing else.
    pub(super) fn by(&self, number: usize) -> Option<By> {
        self.by.get(number).copied().flatten()
    }

    /// Where a chain leads.
    pub(super) fn next(&self, number: usize) -> &[usize] {
        let (start, end) = (self.starts.get(number), self.starts.get(number + 1));
        start.zip(end).and_then(|(start, end)| self.next.get(*start..*end)).unwrap_or_default()
    }

    /// The rules in front of a guest's, and those behind them.
    fn around(&self, number: usize, own: &Own) -> [&'c [Ready<'t>]; 2] {
        let front = self.rules(own.opened.unwrap_or(number)).get(..own.before);
        let behind = own.behind.iter().copied().min().unwrap_or_default().min(own.end);
        [front.unwrap_or_default(), self.rules(number).get(behind..).unwrap_or_default()]
    }

    /// The same of all chains that come to some first ones.
    fn reached(&self, first: Vec<usize>, next: impl Fn(usize, &mut Vec<usize>)) -> Vec<bool> {
        let (mut found, mut ahead) = (vec![false; self.all.len()], first);
        while let Some(number) = ahead.pop() {
            if let Some(known) = found.get_mut(number).filter(|known| !**known) {
                *known = true;
                next(number, &mut ahead);
            }
        }
        found
    }
}

/// What a chain chooses by, where all its rules ask that and nothing else. Interfaces are no port of a NIC's: many share one.
fn chooses_by(chain: &Chain<'_>) -> Option<By> {
    let is_port =
        |one: &Condition, wanted| matches!(one, Condition::Port { port, negated: false, .. } if *port == wanted);
    let asks_only = |rule: &Ready<'_>, by: By| {
        let fields = match by {
            By::Port(_) => rule.boxes.is_none(),
            By::Dest => rule.boxes.iter().flatten().flat_map(|one| &one.0).all(|(field, _)| *field == Field::Dest),
        };
        // Where packets go to is known with the interface that they leave by.
        let port = if let By::Port(port) = by { port } else { Port::Out };
        let plain = rule.effects.is_empty() && rule.cases.is_none() && rule.unknown.is_none();
        plain && fields && rule.others.iter().all(|one| is_port(one, port))
    };
    let by = match chain.index.as_ref()? {
        Index::Port { port: port @ (Port::BridgeIn | Port::BridgeOut), .. } => By::Port(*port),
        Index::Port { port: Port::In | Port::Out | Port::Bridge, .. } => return None,
        Index::Dest(_) => By::Dest,
    };
    chain.rules.iter().all(|rule| asks_only(rule, by)).then_some(by)
}

/// Takes out what packets come to in front of the rules of other guests, or behind them: it is nobody's own.
pub(super) fn of_nobody(graph: &Graph<'_, '_>, own: &mut Memo<usize, Own>) {
    let rules = own.iter().flat_map(|(number, own)| graph.around(*number, own)).flatten();
    let first = rules.filter_map(|rule| rule.leads).collect();
    let reached = graph.reached(first, |number, ahead| ahead.extend(graph.next(number)));
    own.retain(|number, _| reached.get(*number) != Some(&true));
}

/// What packets may meet without a guest's own rule that leads them there.
pub(super) struct Besides<'g, 'c, 't> {
    pub(super) graph: &'g Graph<'c, 't>,
    own: &'g Memo<usize, Own>,
    is_met: Vec<bool>,
}

impl<'g, 'c, 't> Besides<'g, 'c, 't> {
    pub(super) fn new(graph: &'g Graph<'c, 't>, own: &'g Memo<usize, Own>) -> Self {
        let mut is_first = vec![true; graph.all.len()];
        for next in &graph.next {
            is_first.get_mut(*next).into_iter().for_each(|known| *known = false);
        }
        // Packets come to a base chain, whatever leads there.
        let of_kernel = |number: &usize| graph.all.get(*number).is_some_and(|chain| chain.policy != Policy::Back);
        let first = (0..graph.all.len()).filter(|number| is_first.get(*number) == Some(&true) || of_kernel(number));
        let next = |number: usize, ahead: &mut Vec<usize>| match own.get(&number) {
            None => ahead.extend(graph.next(number)),
            Some(own) => ahead.extend(graph.around(number, own).into_iter().flatten().filter_map(|rule| rule.leads)),
        };
        let is_met = graph.reached(first.collect(), next);
        Self { graph, own, is_met }
    }

    /// The numbers of the chains.
    pub(super) fn chains(&self) -> impl Iterator<Item = usize> {
        (0..).zip(&self.is_met).filter(|(_, is_met)| **is_met).map(|(number, _)| number)
    }

    /// The rules of such a chain: where it has rules of a guest those in front of these and those behind.
    pub(super) fn rules(&self, number: usize) -> impl Iterator<Item = &'c Ready<'t>> + use<'c, 't> {
        let parts = match self.own.get(&number) {
            None => [self.graph.rules(number), &[]],
            Some(own) => self.graph.around(number, own),
        };
        parts.into_iter().flatten()
    }
}
