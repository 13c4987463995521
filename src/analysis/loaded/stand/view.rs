//! How rules see a port, or a destination, besides the rules of its guest.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::analysis::sets::{Field, stand};
use crate::net::{AddressSet, Ranges};
use crate::state::ruleset::{Program, Verdict};

use super::super::fit::{own_macs, own_sources};
use super::super::nft::Cases;
use super::super::reads::reads;
use super::super::ready::{Chains, Ready};
use super::super::{Condition, Context, Effect, Fields, Pattern, Port};
use super::Stand;
use super::own::{Accepts, DEPTH};
use super::reach::Besides;

/// What of a context is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// One of its ports.
    Port(Port),
    /// Where packets go to.
    Dest,
}

/// A port or a destination, and where it is led to.
#[derive(Debug)]
pub struct Looked<'t> {
    /// Which of these it is, in the context.
    pub by: By,
    /// By which rules see it.
    pub context: Context,
    /// By each question that is asked of it.
    led: Vec<Led<'t>>,
}

/// Where a question leads to, and the verdict that does so, where it is looked up.
#[derive(Debug, Clone, Copy, Default)]
struct Led<'t> {
    verdict: Option<&'t Verdict>,
    chain: Option<usize>,
}

/// What rules ask of a port.
#[derive(Debug)]
pub(super) enum Question<'t> {
    /// Whether it has one of these names.
    Named(Arc<[Pattern]>),
    /// Which fields belong to it.
    Keyed(Arc<BTreeMap<Arc<str>, Vec<Fields>>>),
    /// Where it is led to by a map.
    Map(&'t BTreeMap<String, Verdict>),
    /// Where it is led to from a chain that only leads elsewhere.
    Root(usize),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Answer<'c> {
    Named(bool),
    Keyed(Cow<'c, [Fields]>),
    Led(Option<Does<'c>>),
}

/// What becomes of packets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Does<'c> {
    Jump(Shape<'c>),
    Goto(Shape<'c>),
    Other(&'c Verdict),
}

/// A chain, as far as it may be like others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Shape<'c> {
    /// This very chain.
    Is(usize),
    /// Any rules.
    Own(Arc<Around<'c>>),
    /// Rules that may lead to such a one.
    Rules(Vec<Seen<'c>>),
}

/// What stands around any rules: some in front, some behind, and those of a very chain from one of them on.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Around<'c> {
    before: Vec<Seen<'c>>,
    behind: Vec<Seen<'c>>,
    last: Option<(usize, usize)>,
    accepts: Accepts,
}

/// A rule, with what stands for the addresses of a NIC.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Seen<'c> {
    boxes: Option<Cow<'c, [Fields]>>,
    others: &'c [Condition],
    effects: &'c [Effect],
    does: Does<'c>,
}

/// How rules see a port or a destination, but for the rules of its guest: two with equal views are the same to all others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct View<'c>(Vec<Answer<'c>>);

/// What rules ask of ports at most; more is not asked for each of them.
const MOST: usize = 64;

/// What rules ask of ports and destinations, but for the own rules of guests; none where that is too much to ask for each.
pub(super) fn questions<'t>(besides: &Besides<'_, '_, 't>) -> Option<Vec<(By, Question<'t>)>> {
    let mut found: Vec<(By, Question<'t>)> = Vec::new();
    let mut seen: HashSet<(Port, *const ())> = HashSet::new();
    // Of those that lead to each other by the same the first ones are asked.
    let graph = besides.graph;
    let mut is_inner = vec![true; graph.all.len()];
    let mut is_led_to = vec![false; graph.all.len()];
    for number in besides.chains() {
        for next in besides.rules(number).filter_map(|rule| rule.leads) {
            let by = graph.by(number).filter(|by| graph.by(next) == Some(*by));
            is_inner.get_mut(next).into_iter().for_each(|inner| *inner &= by.is_some());
            is_led_to.get_mut(next).into_iter().for_each(|known| *known = true);
        }
    }
    for number in besides.chains() {
        if found.len() > MOST {
            return None;
        }
        if let Some(by) = graph.by(number) {
            if is_inner.get(number) != Some(&true) || is_led_to.get(number) != Some(&true) {
                found.push((by, Question::Root(number)));
            }
            continue;
        }
        for rule in besides.rules(number) {
            for condition in &rule.others {
                match condition {
                    Condition::Port { port, names, .. } if seen.insert((*port, names.as_ptr().cast())) => {
                        found.push((By::Port(*port), Question::Named(Arc::clone(names))));
                    }
                    Condition::Keyed { port, entries, .. } if seen.insert((*port, Arc::as_ptr(entries).cast())) => {
                        found.push((By::Port(*port), Question::Keyed(Arc::clone(entries))));
                    }
                    Condition::Port { .. }
                    | Condition::Keyed { .. }
                    | Condition::Packet(_)
                    | Condition::Outer(_)
                    | Condition::Mark { .. }
                    | Condition::FromBridge(_)
                    | Condition::ToBridge(_)
                    | Condition::Bridged(_)
                    | Condition::Above(_)
                    | Condition::Opaque(_) => {}
                }
            }
            if let Some(Cases::Port { port, entries }) = &rule.cases
                && seen.insert((*port, std::ptr::from_ref(*entries).cast()))
            {
                found.push((By::Port(*port), Question::Map(entries)));
            }
        }
    }
    Some(found).filter(|found| found.len() <= MOST)
}

/// Whether rules besides those that only lead elsewhere look at where packets go to.
pub(super) fn asks_dest(besides: &Besides<'_, '_, '_>) -> bool {
    let others = besides.chains().filter(|number| besides.graph.by(*number) != Some(By::Dest));
    let mut rules = others.flat_map(|number| besides.rules(number));
    let own = |rule: &Ready<'_>| reads(rule.boxes.as_deref(), &rule.others, rule.verdict, rule.cases.as_ref());
    rules.any(|rule| rule.reads.has_towards() && own(rule).has_towards())
}

impl<'t> Chains<'t> {
    /// Whether rules ask for hardware addresses that belong to no port.
    #[must_use]
    pub const fn asks_mac(&self) -> bool {
        self.stands.asks_mac
    }

    /// Where rules lead a context; none where that cannot be told.
    #[must_use]
    pub fn look(&self, by: By, context: Context) -> Option<Looked<'t>> {
        let mut led = Vec::new();
        for (_, question) in self.asked(by)? {
            led.push(match question {
                Question::Root(root) => Led { verdict: None, chain: self.led_to(*root, &context) },
                Question::Map(entries) => {
                    let By::Port(port) = by else { return None };
                    let verdict = entries.get(&**context.port(port).name()?);
                    Led { verdict, chain: verdict.and_then(|verdict| self.ahead(verdict)) }
                }
                Question::Named(_) | Question::Keyed(_) => Led::default(),
            });
        }
        Some(Looked { by, context, led })
    }

    /// The one chain with rules of a guest that a context is led to; none where it is led to none, or to several.
    #[must_use]
    pub fn own_chain(&self, looked: &Looked<'_>) -> Option<usize> {
        let mut found = None;
        for chain in looked.led.iter().filter_map(|led| led.chain) {
            if let Some(own) = self.own_below(chain)
                && found.replace(own).is_some_and(|other| other != own)
            {
                return None;
            }
        }
        found
    }

    fn asked(&self, by: By) -> Option<impl Iterator<Item = &(By, Question<'t>)>> {
        let is_told = by != By::Dest || !self.stands.asks_dest;
        Some(self.stands.questions.as_ref().filter(|_| is_told)?.iter().filter(move |(of, _)| *of == by))
    }

    /// The chains on the way from what a context leads to, to the one with rules of its guest.
    pub(super) fn ways_to(&self, looked: &Looked<'_>, stand: Stand) -> Vec<usize> {
        let mut found = Vec::new();
        // What a map leads to is led to by it alone.
        let roots = looked.led.iter().filter(|led| led.verdict.is_none());
        let mut ahead: Vec<usize> = roots.filter_map(|led| led.chain).collect();
        while let Some(chain) = ahead.pop() {
            if chain != stand.chain && !found.contains(&chain) && self.own_below(chain) == Some(stand.chain) {
                found.push(chain);
                ahead.extend(self.rules(chain).iter().filter_map(|rule| rule.leads));
            }
        }
        found
    }

    /// The chain with rules of a guest that another one is, or leads to.
    pub(super) fn own_below(&self, chain: usize) -> Option<usize> {
        self.stands.below.get(&chain).copied()
    }

    /// How rules see contexts, with any rules in place of a guest's; nothing where that cannot be told.
    #[must_use]
    pub fn views(&self, all: &[Looked<'t>], stand: Stand) -> Option<Vec<View<'_>>> {
        let own = self.own_shape(stand)?;
        all.iter().map(|looked| self.view(looked, Of { context: &looked.context, stand, own: &own })).collect()
    }

    fn view<'c>(&'c self, looked: &Looked<'t>, of: Of<'_, 'c>) -> Option<View<'c>> {
        let Looked { by, context, led } = looked;
        let mut view = Vec::with_capacity(led.len());
        for ((_, question), Led { verdict, chain }) in self.asked(*by)?.zip(led) {
            view.push(match (question, by) {
                (Question::Named(names), By::Port(port)) => Answer::Named(context.port(*port).fits_any(names)),
                (Question::Keyed(entries), By::Port(port)) => {
                    let entry = entries.get(context.port(*port).name()?);
                    let mut fields = Cow::Borrowed(entry.map_or(&[][..], Vec::as_slice));
                    own_macs(&mut fields, context, true);
                    own_sources(&mut fields, context);
                    Answer::Keyed(fields)
                }
                (Question::Map(_), By::Port(_)) => Answer::Led(match verdict {
                    Some(verdict) => Some(self.does(verdict, *chain, of, DEPTH)?),
                    None => None,
                }),
                (Question::Root(_), _) => Answer::Led(match *chain {
                    // Which of its rules is met is not told then.
                    Some(led) if self.index(led).is_some() => return None,
                    Some(led) => Some(Does::Goto(self.shape(led, of, DEPTH)?)),
                    None => None,
                }),
                (Question::Named(_) | Question::Keyed(_) | Question::Map(_), By::Dest) => return None,
            });
        }
        Some(View(view))
    }

    fn does<'c>(
        &'c self,
        verdict: &'c Verdict,
        leads: Option<usize>,
        of: Of<'_, 'c>,
        depth: usize,
    ) -> Option<Does<'c>> {
        Some(match (verdict, leads) {
            (Verdict::Jump(_), Some(chain)) => Does::Jump(self.shape(chain, of, depth)?),
            (Verdict::Goto(_), Some(chain)) => Does::Goto(self.shape(chain, of, depth)?),
            (other, _) => Does::Other(other),
        })
    }

    /// Any rules, and what stands around them.
    fn own_shape(&self, stand: Stand) -> Option<Shape<'_>> {
        let own = self.stands.own.get(&stand.chain)?;
        let [before, behind, _] = self.around(stand)?;
        let before = before.iter().map(as_it_is).collect::<Option<_>>()?;
        let behind = behind.iter().map(as_it_is).collect::<Option<_>>()?;
        let last = own.last.map(|last| (last, stand.behind.saturating_sub(own.end)));
        Some(Shape::Own(Arc::new(Around { before, behind, last, accepts: own.accepts })))
    }

    fn shape<'c>(&'c self, chain: usize, of: Of<'_, 'c>, depth: usize) -> Option<Shape<'c>> {
        if chain == of.stand.chain {
            return Some(of.own.clone());
        }
        if depth == 0 || self.own_below(chain) != Some(of.stand.chain) {
            return Some(Shape::Is(chain));
        }
        let seen = |(rule, mut boxes): (&'c Ready<'t>, Option<Cow<'c, [Fields]>>)| {
            boxes.iter_mut().for_each(|boxes| own_macs(boxes, of.context, true));
            seen(rule, boxes, self.does(rule.verdict, rule.leads, of, depth - 1)?)
        };
        self.stand_ins(chain, of.context).into_iter().map(seen).collect::<Option<_>>().map(Shape::Rules)
    }

    /// The rules of a chain that leads to a guest's, with what stands for the sources of its NIC.
    pub(super) fn with_stand_ins(&self, chain: usize, context: &Context) -> Vec<Ready<'t>> {
        let with = |(rule, boxes): (&Ready<'t>, Option<Cow<'_, [Fields]>>)| Ready {
            boxes: boxes.map(Cow::into_owned),
            ..rule.clone()
        };
        self.stand_ins(chain, context).into_iter().map(with).collect()
    }

    /// The same with the values that each asks for: several that do the same for some sources in a row are one.
    fn stand_ins(&self, chain: usize, context: &Context) -> Vec<(&Ready<'t>, Option<Cow<'_, [Fields]>>)> {
        let mut made: Vec<(&Ready<'t>, Option<Cow<'_, [Fields]>>)> = Vec::new();
        // From where it jumps to, packets come back and meet the next one too.
        let ends =
            |verdict: &Verdict| matches!(verdict, Verdict::Goto(_) | Verdict::Accept | Verdict::Drop | Verdict::Return);
        let bare = |rule: &Ready<'_>| {
            ends(rule.verdict) && rule.others.is_empty() && rule.effects.is_empty() && rule.unknown.is_none()
        };
        for rule in self.rules(chain) {
            let boxes = rule.boxes.as_deref();
            let same = made.last_mut().filter(|(last, _)| last.verdict == rule.verdict && bare(last) && bare(rule));
            match (same, sources(boxes)) {
                (Some((_, known)), Some(more)) if sources(known.as_deref()).is_some() => {
                    let all = sources(known.as_deref()).map(|all| all.union(more)).unwrap_or_default();
                    *known = Some(Cow::Owned(vec![Fields(vec![(Field::Source, all)])]));
                }
                (_, _) => made.push((rule, boxes.map(Cow::Borrowed))),
            }
        }
        let Some(own) = context.own_sources.as_deref() else { return made };
        for (_, boxes) in &mut made {
            if sources(boxes.as_deref()).is_some_and(|known| self.is_own(known, own)) {
                *boxes = Some(Cow::Owned(vec![Fields(stand::own_sources())]));
            }
        }
        made
    }

    /// Whether some sources are all that a NIC has in the family of these rules.
    fn is_own(&self, known: &Ranges<u128>, own: &AddressSet) -> bool {
        !known.is_empty()
            && match self.program {
                Program::Iptables => known.iter().eq(own.v4().iter().map(|(first, last)| (first.into(), last.into()))),
                Program::Ip6tables => known == own.v6(),
                Program::Nft | Program::Ebtables => false,
            }
    }
}

/// What is looked at: for what, and what any rules of its guest are like.
#[derive(Clone, Copy)]
struct Of<'v, 'c> {
    context: &'v Context,
    stand: Stand,
    own: &'v Shape<'c>,
}

/// A rule that leads to a very chain, if it can be told.
fn as_it_is<'c>(rule: &'c Ready<'_>) -> Option<Seen<'c>> {
    let does = match (rule.verdict, rule.leads) {
        (Verdict::Jump(_), Some(chain)) => Does::Jump(Shape::Is(chain)),
        (Verdict::Goto(_), Some(chain)) => Does::Goto(Shape::Is(chain)),
        (other, _) => Does::Other(other),
    };
    seen(rule, rule.boxes.as_deref().map(Cow::Borrowed), does)
}

/// A rule, if it can be told.
fn seen<'c>(rule: &'c Ready<'_>, boxes: Option<Cow<'c, [Fields]>>, does: Does<'c>) -> Option<Seen<'c>> {
    let of_mark = |one: &Condition| matches!(one, Condition::Mark { .. });
    let is_told = rule.cases.is_none() && rule.unknown.is_none() && rule.others.iter().all(of_mark);
    is_told.then_some(Seen { boxes, others: &rule.others, effects: &rule.effects, does })
}

/// The sources that a rule asks for, and nothing else.
fn sources(boxes: Option<&[Fields]>) -> Option<&Ranges<u128>> {
    let [Fields(fields)] = boxes? else { return None };
    let [(Field::Source, values)] = fields.as_slice() else { return None };
    Some(values)
}
