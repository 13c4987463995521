//! Chains of guests with any rules in place of the guests' own.
//!
//! Most guests of a host differ in their own rules alone. A chain that a port is led to by a map, and that begins with a
//! jump and ends with going elsewhere, has a second form here, in which all rules between these two say what
//! [`stand`] says: whatever holds for this form holds for the chain with any rules between that decide the same, one
//! after the other. Chains that have nothing else of their own share one form. Besides such rules only tests of ports tell
//! one guest from another; what these say of a port is its [`View`]. There the hardware address and the addresses that belong to
//! a port are told as what stands for any, where they are those of its NIC.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use crate::analysis::sets::{Field, Memo, OverBudget, stand};
use crate::state::ruleset::Verdict;

use super::closed::Policy;
use super::fit::{own_macs, own_sources};
use super::nft::Cases;
use super::outcome::State;
use super::reads::Reads;
use super::ready::{Chain, Chains, Ready};
use super::run::{Ground, Loaded};
use super::said::Said;
use super::values::ip_frames;
use super::{Condition, Context, Fields, Pattern, Port};

/// The second forms of chains, and what tells ports apart.
#[derive(Debug, Default)]
pub(super) struct Stands<'t> {
    /// For the number of a chain, that of its second form, and which rules are replaced there.
    of: Memo<usize, (usize, Range<usize>)>,
    /// Everything that rules besides those ask of a port; none where that is too much to ask for each of them.
    questions: Option<Vec<(Port, Question<'t>)>>,
    /// Whether rules ask for hardware addresses that belong to no port.
    asks_mac: bool,
}

/// What rules ask of a port.
#[derive(Debug)]
enum Question<'t> {
    /// Whether it has one of these names.
    Named(Arc<[Pattern]>),
    /// Which fields belong to it.
    Keyed(Arc<BTreeMap<Arc<str>, Vec<Fields>>>),
    /// Where it is led to.
    Led(&'t BTreeMap<String, Verdict>),
}

/// An answer. Where a chain has a second form, it is that one's number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Answer {
    Named(bool),
    Keyed(Vec<Fields>),
    Led(Option<Led>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Led {
    Jump(usize),
    Goto(usize),
    Other(Verdict),
}

/// How rules see a port, but for the rules of its own chain: two ports with equal views are the same to all others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct View(Vec<Answer>);

/// What rules ask of ports at most; more is not asked for each of them.
const MOST: usize = 64;

static ACCEPT: Verdict = Verdict::Accept;
static DROP: Verdict = Verdict::Drop;

impl<'t> Stands<'t> {
    /// Of the chains of a table; puts the second forms behind them. `rules`: how many there are.
    pub(super) fn of(all: &mut Vec<Chain<'t>>, rules: &mut usize) -> Self {
        let mut found = Self::default();
        let mut forms: Memo<(usize, usize), usize> = Memo::default();
        let mut led: HashSet<usize> = all.iter().flat_map(|chain| &chain.rules).filter_map(|rule| rule.leads).collect();
        // What stands for the rules of a NIC's guest must stand for no other's on the same way.
        let by_port = |port: &Port| matches!(port, Port::In | Port::Out);
        led.extend(looked_up(all, |port| !by_port(port)));
        let mut plain = vec![None; all.len()];
        for number in looked_up(all, by_port).into_iter().filter(|number| !led.contains(number)) {
            let Some((before, behind)) = ends(all, number) else { continue };
            let count = all.get(number).map_or(0, |chain| chain.rules.len());
            let between = 1..count.saturating_sub(1);
            let own = |number: usize| all.get(number).and_then(|chain| chain.rules.get(between.clone()));
            if !own(number).is_some_and(|rules| rules.iter().all(|rule| is_plain(rule, all, &mut plain))) {
                continue;
            }
            let form = match forms.get(&(before, behind)) {
                Some(known) => *known,
                None => {
                    let Some(made) = form(all, number, rules) else { continue };
                    all.push(made);
                    forms.insert((before, behind), all.len() - 1);
                    all.len() - 1
                }
            };
            found.of.insert(number, (form, between));
        }
        found.questions = questions(all, &found.of);
        let of_mac =
            |rule: &Ready<'_>| rule.boxes.iter().flatten().any(|one| one.0.iter().any(|(field, _)| field.is_mac()));
        found.asks_mac = all.iter().flat_map(|chain| &chain.rules).any(of_mac);
        found
    }

    /// The number of a chain's second form.
    pub(super) fn form(&self, chain: usize) -> Option<usize> {
        self.of.get(&chain).map(|(form, _)| *form)
    }
}

/// The chains that maps lead to by such ports, ascending.
fn looked_up(all: &[Chain<'_>], by: impl Fn(&Port) -> bool) -> Vec<usize> {
    let numbers: Memo<&str, usize> = all.iter().zip(0..).map(|(chain, number)| (&**chain.name, number)).collect();
    let mut found = Vec::new();
    for rule in all.iter().flat_map(|chain| &chain.rules) {
        if let Some(Cases::Port { port, entries }) = &rule.cases
            && by(port)
        {
            let chains = entries.values().filter_map(Verdict::chain);
            found.extend(chains.filter_map(|name| numbers.get(&**name)).copied());
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The chains that a chain jumps to first and goes to last, with every packet.
fn ends(all: &[Chain<'_>], number: usize) -> Option<(usize, usize)> {
    let chain = all.get(number).filter(|chain| chain.policy == Policy::Back)?;
    let [first, .., last] = &*chain.rules else { return None };
    let goes = |rule: &Ready<'_>| rule.leads.filter(|_| is_bare(rule));
    match (first.verdict, last.verdict) {
        (Verdict::Jump(_), Verdict::Goto(_)) => goes(first).zip(goes(last)),
        (_, _) => None,
    }
}

/// Whether a rule asks nothing, and does nothing but what its verdict says.
const fn is_bare(rule: &Ready<'_>) -> bool {
    rule.boxes.is_none()
        && rule.others.is_empty()
        && rule.effects.is_empty()
        && rule.cases.is_none()
        && rule.unknown.is_none()
}

/// Whether a rule accepts or drops packets of IP by their fields and their ports, or jumps to a chain of such rules; nothing it
/// asks depends on what packets bear or on how frames are tagged.
fn is_plain(rule: &Ready<'_>, all: &[Chain<'_>], known: &mut [Option<bool>]) -> bool {
    let is_bare = is_bare(rule);
    match rule.verdict {
        Verdict::Jump(_) if is_bare => rule.leads.is_some_and(|next| has_plain_rules(next, all, known)),
        Verdict::Accept | Verdict::Drop => {
            let is_simple = rule.effects.is_empty() && rule.cases.is_none() && rule.unknown.is_none();
            let is_of_ip = |one: &Fields| {
                let mut frames = one.0.iter().filter(|(field, _)| *field == Field::Frame);
                frames.any(|(_, frames)| frames.is_subset(ip_frames()))
                    && !one.0.iter().any(|(field, _)| field.is_mac())
            };
            let is_port = |one: &Condition| matches!(one, Condition::Port { .. });
            let boxes = rule.boxes.as_ref().is_some_and(|boxes| boxes.iter().all(is_of_ip));
            is_simple && boxes && rule.others.iter().all(is_port)
        }
        Verdict::Continue
        | Verdict::Return
        | Verdict::Reject(_)
        | Verdict::Jump(_)
        | Verdict::Goto(_)
        | Verdict::Map { .. }
        | Verdict::Inline { .. }
        | Verdict::Other(_) => false,
    }
}

fn has_plain_rules(number: usize, all: &[Chain<'_>], known: &mut [Option<bool>]) -> bool {
    match known.get(number) {
        Some(Some(is_plain)) => *is_plain,
        Some(None) => {
            // One that leads to itself is not plain.
            if let Some(known) = known.get_mut(number) {
                *known = Some(false);
            }
            let found = all.get(number).is_some_and(|chain| {
                chain.policy == Policy::Back && chain.rules.iter().all(|rule| is_plain(rule, all, known))
            });
            if let Some(known) = known.get_mut(number) {
                *known = Some(found);
            }
            found
        }
        None => false,
    }
}

/// The second form of a chain: its first rule, those that stand for any, and its last.
fn form<'t>(all: &[Chain<'t>], number: usize, rules: &mut usize) -> Option<Chain<'t>> {
    let chain = all.get(number)?;
    let [first, .., last] = &*chain.rules else { return None };
    let mut next = || {
        *rules += 1;
        *rules - 1
    };
    let mut copy = |rule: &Ready<'t>| Ready {
        number: next(),
        boxes: None,
        others: Vec::new(),
        effects: Vec::new(),
        verdict: rule.verdict,
        leads: rule.leads,
        cases: None,
        unknown: None,
        reads: rule.reads,
    };
    let (first, last) = (copy(first), copy(last));
    let mut any = |verdict: &'static Verdict, packets| Ready {
        number: next(),
        boxes: Some(vec![Fields(packets)]),
        others: Vec::new(),
        effects: Vec::new(),
        verdict,
        leads: None,
        cases: None,
        unknown: None,
        reads: Reads::FRAME,
    };
    let (accept, drop) = (any(&ACCEPT, stand::accepted()), any(&DROP, stand::dropped()));
    let reads = first.reads.and(Reads::FRAME).and(last.reads);
    let rules = vec![first, accept, drop, last];
    Some(Chain { name: chain.name, rules, reads, index: None, policy: Policy::Back })
}

/// What rules ask of ports, but for those that are replaced.
fn questions<'t>(
    all: &[Chain<'t>],
    replaced: &Memo<usize, (usize, Range<usize>)>,
) -> Option<Vec<(Port, Question<'t>)>> {
    let mut found: Vec<(Port, Question<'t>)> = Vec::new();
    let mut seen: HashSet<(Port, *const ())> = HashSet::new();
    let rules = all.iter().zip(0..).filter(|(_, number)| !replaced.contains_key(number));
    for rule in rules.flat_map(|(chain, _)| &chain.rules) {
        for condition in &rule.others {
            match condition {
                Condition::Port { port, names, .. } if seen.insert((*port, names.as_ptr().cast())) => {
                    found.push((*port, Question::Named(Arc::clone(names))));
                }
                Condition::Keyed { port, entries, .. } if seen.insert((*port, Arc::as_ptr(entries).cast())) => {
                    found.push((*port, Question::Keyed(Arc::clone(entries))));
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
            found.push((*port, Question::Led(entries)));
        }
        if found.len() > MOST {
            return None;
        }
    }
    Some(found)
}

impl Chains<'_> {
    /// Whether rules ask for hardware addresses that belong to no port.
    #[must_use]
    pub const fn asks_mac(&self) -> bool {
        self.stands.asks_mac
    }

    /// How rules see a context's port, and the one chain with a second form that it is led to; nothing where it is led to none,
    /// or to several.
    #[must_use]
    pub fn view(&self, wanted: Port, context: &Context) -> Option<(View, usize)> {
        let value = context.port(wanted);
        let name = value.name()?;
        let questions = self.stands.questions.as_ref()?.iter().filter(|(port, _)| *port == wanted);
        let (mut view, mut own) = (Vec::new(), None);
        for (_, question) in questions {
            view.push(match question {
                Question::Named(names) => Answer::Named(value.fits_any(names)),
                Question::Keyed(entries) => {
                    let mut fields = Cow::Borrowed(entries.get(name).map_or(&[][..], Vec::as_slice));
                    own_macs(&mut fields, context, true);
                    own_sources(&mut fields, context);
                    Answer::Keyed(fields.into_owned())
                }
                Question::Led(entries) => Answer::Led(match entries.get(&**name) {
                    None => None,
                    Some(verdict) => Some(match (verdict, self.ahead(verdict)) {
                        (Verdict::Jump(_) | Verdict::Goto(_), Some(chain)) => {
                            let form = self.stands.form(chain);
                            if form.is_some() && own.replace(chain).is_some_and(|other| other != chain) {
                                return None;
                            }
                            let chain = form.unwrap_or(chain);
                            if matches!(verdict, Verdict::Jump(_)) { Led::Jump(chain) } else { Led::Goto(chain) }
                        }
                        (other, _) => Led::Other(other.clone()),
                    }),
                }),
            });
        }
        own.map(|own| (View(view), own))
    }
}

impl Loaded<'_> {
    /// This table with the second forms of all chains that have one.
    #[must_use]
    pub const fn of_any_rules(mut self) -> Self {
        self.stands = true;
        self
    }

    /// What those rules of a chain say together that its second form replaces, of packets without a mark.
    ///
    /// # Errors
    /// Over budget.
    pub fn own_rules(
        &mut self,
        ground: &mut Ground,
        chain: usize,
        context: &Context,
    ) -> Result<Option<Said>, OverBudget> {
        let Some((_, between)) = self.chains.stands.of.get(&chain) else { return Ok(None) };
        let Some(rules) = self.chains.rules(chain).get(between.clone()) else { return Ok(None) };
        self.here = self.ports.of(context);
        self.decided = Reads::decided(context);
        self.list(ground, rules, Vec::new(), &State::default(), context).map(Some)
    }
}
