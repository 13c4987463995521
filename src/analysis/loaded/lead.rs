//! Chains that only lead elsewhere: by the name of a port, or by destinations.
//!
//! A host with a thousand guests has trees of them. Which rule of such a chain a packet meets first is looked up, and the chains
//! on the way to the one that decides are not put together.

use std::sync::Arc;

use crate::analysis::sets::{Field, Memo};
use crate::state::ruleset::Verdict;

use super::ready::{Chains, Ready};
use super::{Condition, Context, Pattern, Port, PortValue};

/// By what all rules of a chain choose packets, besides whatever else they ask.
#[derive(Debug)]
pub(super) enum Index {
    /// By one name of a port each, or one beginning of names: the place of the first rule for it.
    Port { port: Port, names: Memo<Arc<str>, usize>, starts: Starts },
    /// By destinations, of which none is in two rules; ascending, each with the place of its rule.
    Dest(Vec<(u128, u128, usize)>),
}

/// Beginnings of names, each with the place of its first rule.
#[derive(Debug, Default)]
pub(super) struct Starts {
    all: Memo<Arc<str>, usize>,
    /// Which lengths they have, in bytes: few, and so not each of them is looked at.
    lengths: Vec<usize>,
}

impl Starts {
    fn add(&mut self, start: &Arc<str>, at: usize) {
        self.all.entry(Arc::clone(start)).or_insert(at);
        if !self.lengths.contains(&start.len()) {
            self.lengths.push(start.len());
        }
    }

    /// The places of the rules for those that a name begins with.
    fn of(&self, name: &str) -> impl Iterator<Item = usize> {
        self.lengths.iter().filter_map(|length| self.all.get(name.get(..*length)?).copied())
    }
}

/// The first rule of a chain that may be for packets.
enum First {
    At(usize),
    None,
    /// That is not known here.
    Unknown,
}

/// Chains that lead to each other without an end are found elsewhere.
const STEPS: usize = 64;

impl Index {
    /// Of a chain's rules, where all of them choose by the same.
    pub(super) fn new(rules: &[Ready<'_>]) -> Option<Self> {
        let first = rules.first().filter(|_| rules.len() > 1)?;
        // By which interface packets leave is asked beside where they go to.
        Self::by_dest(rules).or_else(|| Self::by_port(rules, asks(first)?.0))
    }

    fn by_port(rules: &[Ready<'_>], wanted: Port) -> Option<Self> {
        let (mut names, mut starts) = (Memo::default(), Starts::default());
        for (rule, at) in rules.iter().zip(0..) {
            let (_, pattern) = asks(rule).filter(|(port, _)| *port == wanted)?;
            match pattern {
                Pattern::Is(name) => {
                    names.entry(Arc::clone(name)).or_insert(at);
                }
                Pattern::BeginsWith(start) => starts.add(start, at),
            }
        }
        Some(Self::Port { port: wanted, names, starts })
    }

    fn by_dest(rules: &[Ready<'_>]) -> Option<Self> {
        let mut ranges = Vec::with_capacity(rules.len());
        for (rule, at) in rules.iter().zip(0..) {
            let [one] = rule.boxes.as_deref().filter(|_| rule.verdict.chain().is_some())? else { return None };
            let (_, values) = one.0.iter().find(|(field, _)| *field == Field::Dest)?;
            ranges.extend(values.iter().map(|(first, last)| (first, last, at)));
        }
        ranges.sort_unstable();
        let apart = ranges.iter().zip(ranges.iter().skip(1)).all(|((_, last, _), (first, ..))| last < first);
        apart.then_some(Self::Dest(ranges))
    }

    fn first(&self, context: &Context) -> First {
        match self {
            Self::Port { port, names, starts } => {
                let value = context.port(*port);
                if *value == PortValue::Any {
                    return First::Unknown;
                }
                let named = value.name().and_then(|name| names.get(name)).copied();
                let begins = value.beginning().into_iter().flat_map(|name| starts.of(name));
                named.into_iter().chain(begins).min().map_or(First::None, First::At)
            }
            Self::Dest(ranges) => {
                let Some(to) = &context.towards else { return First::Unknown };
                let [(first, last)] = *to.dest.as_slice() else { return First::Unknown };
                let beyond = ranges.partition_point(|(_, end, _)| *end < first);
                let mut met = ranges.get(beyond..).unwrap_or_default().iter().take_while(|(start, ..)| *start <= last);
                match (met.next(), met.next()) {
                    (None, _) => First::None,
                    (Some((_, _, at)), None) => First::At(*at),
                    (Some(_), Some(_)) => First::Unknown,
                }
            }
        }
    }
}

/// The port that a rule chooses by, and its one name.
fn asks<'r>(rule: &'r Ready<'_>) -> Option<(Port, &'r Pattern)> {
    rule.others.iter().find_map(|condition| {
        let Condition::Port { port, names, negated: false } = condition else { return None };
        if let [name] = &**names { Some((*port, name)) } else { None }
    })
}

/// The chain that all packets of a context go to by a rule, never to come back.
fn goes(rule: &Ready<'_>, context: &Context) -> Option<usize> {
    let Verdict::Goto(_) = rule.verdict else { return None };
    let is_plain = rule.effects.is_empty() && rule.cases.is_none() && rule.unknown.is_none();
    let next = rule.leads.filter(|_| is_plain)?;
    let holds = |condition: &Condition| {
        let Condition::Port { port, names, negated: false } = condition else { return false };
        let value = match (port, &context.towards) {
            (Port::Out, Some(to)) if to.out_interface != PortValue::Any => &to.out_interface,
            (_, _) => context.port(*port),
        };
        *value != PortValue::Any && value.fits_any(names)
    };
    let fits = match (rule.boxes.as_deref(), &context.towards) {
        (None, _) => true,
        (Some([one]), Some(to)) => {
            one.0.iter().all(|(field, values)| *field == Field::Dest && to.dest.is_subset(values))
        }
        (Some(_), _) => false,
    };
    (fits && rule.others.iter().all(holds)).then_some(next)
}

impl Chains<'_> {
    /// The chain to which packets of a context are led that come to a chain, by nothing but the context; none where they are led
    /// nowhere and come back as they went.
    pub(super) fn led_to(&self, mut chain: usize, context: &Context) -> Option<usize> {
        for _ in 0..STEPS {
            let Some(index) = self.index(chain) else { break };
            let at = match index.first(context) {
                First::Unknown => break,
                First::None => return None,
                First::At(at) => at,
            };
            match self.rules(chain).get(at).and_then(|rule| goes(rule, context)) {
                Some(next) => chain = next,
                None => break,
            }
        }
        Some(chain)
    }
}
