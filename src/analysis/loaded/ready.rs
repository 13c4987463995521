//! A table's rules, translated once, and what they depend on besides the fields of packets.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::analysis::sets::{Memo, Valued};
use crate::diagnostic::Span;
use crate::net::Family;
use crate::state::ruleset::{self as state, Program, Rule, Table, TableName, Verdict};
use rayon::prelude::*;

use super::closed::Policy;
use super::lead::Index;
use super::nft::Cases;
use super::reads::{Reads, reads};
use super::stand::{Plain, STANDING, Stands};
use super::words::Words;
use super::{Asked, Condition, Effect, Fields, Pattern, Port};

/// A rule, translated.
#[derive(Debug, Clone)]
pub(super) struct Ready<'t> {
    /// Its place among all rules of the table.
    pub(super) number: usize,
    /// The fields' values: any of these. None for every packet.
    pub(super) boxes: Option<Vec<Fields>>,
    /// All else that it asks.
    pub(super) others: Vec<Condition>,
    /// What it does besides its verdict.
    pub(super) effects: Vec<Effect>,
    /// Its verdict.
    pub(super) verdict: &'t Verdict,
    /// The chain that it leads to, where that is there.
    pub(super) leads: Option<usize>,
    /// Where a verdict depends on what is looked up in a map.
    pub(super) cases: Option<Cases<'t>>,
    /// What is not understood of it.
    pub(super) unknown: Option<u32>,
    /// What it and all that it leads to looks at.
    pub(super) reads: Reads,
    /// Whether it may be a guest's own.
    pub(super) plain: Plain,
}

/// A chain, translated.
#[derive(Debug)]
pub(super) struct Chain<'t> {
    pub(super) name: &'t Arc<str>,
    pub(super) rules: Vec<Ready<'t>>,
    /// What it and all that it leads to looks at.
    pub(super) reads: Reads,
    /// Where each of its rules asks for a port or a destination, by which.
    pub(super) index: Option<Index>,
    /// What becomes of packets at its end.
    pub(super) policy: Policy,
}

/// A rule, or what is no rule, that is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The chain it stands in.
    pub chain: Arc<str>,
    /// Its text.
    pub span: Span,
    /// What of it.
    pub words: String,
}

/// The chains of a table, translated: any number of threads may ask them.
#[derive(Debug)]
pub struct Chains<'t> {
    pub(super) program: Program,
    /// Of the addresses in fields without a frame.
    pub(super) family: Family,
    table: &'t Table,
    all: Vec<Chain<'t>>,
    numbers: Memo<&'t str, usize>,
    /// What is not understood.
    pub(super) unknown: Vec<Unknown>,
    /// How many rules there are.
    pub(super) rules: usize,
    /// The chains with rules of guests.
    pub(super) stands: Stands<'t>,
}

/// Chains while they are translated: some of a table's.
struct Maker<'m, 't> {
    program: Program,
    words: Words<'t>,
    numbers: &'m Memo<&'t str, usize>,
    unknown: Vec<Unknown>,
    rules: usize,
}

/// Rules that one processor translates at once, about; so few in tests that theirs are shared out.
const AT_ONCE: usize = if cfg!(test) { 3 } else { 8192 };

impl<'t> Chains<'t> {
    /// Translates all rules of a table.
    #[must_use]
    pub fn new(program: Program, name: &'t TableName, table: &'t Table) -> Self {
        let numbers = table.chains.keys().zip(0..).map(|(name, number)| (&**name, number)).collect();
        let (mut all, mut unknown, mut rules) = (Vec::with_capacity(table.chains.len()), Vec::new(), 0);
        let make = |(first, chains): Group<'t>| {
            let words = Words::new(program, &name.family, table);
            let mut maker = Maker { program, words, numbers: &numbers, unknown: Vec::new(), rules: first };
            let chains: Vec<Chain<'t>> = chains.into_iter().map(|(name, chain)| maker.chain(name, chain)).collect();
            (chains, maker)
        };
        let made: Vec<_> = in_groups(table).into_par_iter().with_max_len(1).map(make).collect();
        for (mut chains, maker) in made {
            rules = maker.rules;
            if !maker.unknown.is_empty() {
                let before = u32::try_from(unknown.len()).unwrap_or(u32::MAX);
                let of_rules = chains.iter_mut().flat_map(|chain| &mut chain.rules);
                let not_understood = of_rules.filter_map(|rule| rule.unknown.as_mut());
                not_understood.for_each(|number| *number = number.saturating_add(before));
                unknown.extend(maker.unknown);
            }
            all.append(&mut chains);
        }
        let mut known = vec![None; all.len()];
        for number in 0..all.len() {
            reads_of(&all, &numbers, &mut known, number);
        }
        let of_chain = |number: usize| known.get(number).copied().flatten().unwrap_or_default();
        for (number, chain) in all.iter_mut().enumerate() {
            chain.reads = of_chain(number);
            for rule in &mut chain.rules {
                let mut whole = rule.reads;
                rule.ahead(&numbers, |next| whole = whole.and(of_chain(next)));
                rule.reads = whole;
            }
        }
        let family = if program == Program::Ip6tables { Family::V6 } else { Family::V4 };
        let stands = Stands::of(program, &all, &numbers, rules);
        let rules = rules + STANDING;
        Self { program, family, table, all, numbers, unknown, rules, stands }
    }

    /// The table.
    #[must_use]
    pub const fn table(&self) -> &'t Table {
        self.table
    }

    /// Whose rules they are.
    #[must_use]
    pub const fn program(&self) -> Program {
        self.program
    }

    /// The number of a chain.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The rules of a chain.
    pub(super) fn rules(&self, number: usize) -> &[Ready<'t>] {
        self.all.get(number).map_or(&[], |chain| &chain.rules)
    }

    /// Has every chain looked through rule by rule.
    #[cfg(test)]
    pub(super) fn forget_indexes(&mut self) {
        self.all.iter_mut().for_each(|chain| chain.index = None);
    }

    /// By what its rules lead elsewhere, where they do nothing else.
    pub(super) fn index(&self, number: usize) -> Option<&Index> {
        self.all.get(number)?.index.as_ref()
    }

    /// What becomes of packets at the end of a chain.
    pub(super) fn policy(&self, number: usize) -> Policy {
        self.all.get(number).map_or(Policy::Back, |chain| chain.policy)
    }

    /// The number of the chain that a verdict leads to.
    pub(super) fn ahead(&self, verdict: &Verdict) -> Option<usize> {
        leads(&self.numbers, verdict)
    }

    /// What a chain and all that it leads to looks at.
    pub(super) fn reads(&self, number: usize) -> Reads {
        self.all.get(number).map(|chain| chain.reads).unwrap_or_default()
    }

    /// Something that cannot be followed, as if it were a rule.
    pub(super) fn lost(&self, chain: usize, words: String) -> Option<Unknown> {
        let chain = self.all.get(chain)?;
        let span = self.table.chains.get(chain.name)?.rules.first()?.span;
        Some(Unknown { chain: Arc::clone(chain.name), span, words })
    }
}

/// Some chains of a table, with the number of rules before them.
type Group<'t> = (usize, Vec<(&'t Arc<str>, &'t state::Chain)>);

/// The chains of a table in groups.
fn in_groups(table: &Table) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = vec![(0, Vec::new())];
    let mut rules = 0;
    for (name, chain) in &table.chains {
        match groups.last_mut() {
            Some((first, chains)) if chains.is_empty() || rules - *first < AT_ONCE => chains.push((name, chain)),
            Some(_) | None => groups.push((rules, vec![(name, chain)])),
        }
        rules += chain.rules.len();
    }
    groups
}

impl<'t> Maker<'_, 't> {
    fn chain(&mut self, name: &'t Arc<str>, chain: &'t state::Chain) -> Chain<'t> {
        let rules: Vec<Ready<'t>> = chain.rules.iter().map(|rule| self.ready(name, rule)).collect();
        let index = Index::new(&rules);
        Chain { name, rules, reads: Reads::default(), index, policy: Policy::of(chain) }
    }

    fn ready(&mut self, chain: &Arc<str>, rule: &'t Rule) -> Ready<'t> {
        let Asked { conditions, effects } = self.words.asked(rule);
        let cases = self.words.cases(rule);
        let mut boxes: Option<Vec<Fields>> = None;
        let mut others = conditions;
        for condition in others.extract_if(.., |one| matches!(one, Condition::Packet(_))) {
            if let Condition::Packet(any) = condition {
                boxes = Some(match &boxes {
                    None => any,
                    Some(known) => product(known, &any),
                });
            }
        }
        let words = others
            .iter()
            .find_map(|one| if let Condition::Opaque(words) = one { Some(words.clone()) } else { None })
            .or_else(|| {
                effects.iter().find_map(|one| if let Effect::Opaque(words) = one { Some(words.clone()) } else { None })
            })
            .or_else(|| matches!(cases, Some(Cases::Opaque)).then(|| rule.verdict.to_string()))
            .or_else(|| {
                if let Verdict::Other(words) = &rule.verdict
                    && !is_queue(words)
                {
                    Some(words.clone())
                } else {
                    None
                }
            });
        let unknown = words.map(|words| {
            self.unknown.push(Unknown { chain: Arc::clone(chain), span: rule.span, words });
            u32::try_from(self.unknown.len() - 1).unwrap_or(u32::MAX)
        });
        others.retain(|one| !matches!(one, Condition::Opaque(_)));
        if others.is_empty() {
            // Most rules ask nothing else, and are kept.
            others = Vec::new();
        }
        let mut reads = reads(boxes.as_deref(), &others, &rule.verdict, cases.as_ref());
        if effects.iter().any(|effect| matches!(effect, Effect::Mark { .. })) {
            reads = reads.and(Reads::MARK);
        }
        let leads = leads(self.numbers, &rule.verdict);
        let number = self.rules;
        self.rules += 1;
        let verdict = &rule.verdict;
        let plain = Plain::default();
        let mut ready = Ready { number, boxes, others, effects, verdict, leads, cases, unknown, reads, plain };
        ready.plain = Plain::of(self.program, &ready);
        ready
    }
}

/// What a chain and all that it leads to looks at; a chain that leads to itself adds nothing there.
fn reads_of(all: &[Chain<'_>], numbers: &Memo<&str, usize>, known: &mut [Option<Reads>], number: usize) -> Reads {
    if let Some(reads) = known.get(number).copied().flatten() {
        return reads;
    }
    let Some(chain) = all.get(number) else { return Reads::default() };
    if let Some(reads) = known.get_mut(number) {
        *reads = Some(Reads::default());
    }
    let mut whole = Reads::default();
    for rule in &chain.rules {
        whole = whole.and(rule.reads);
        rule.ahead(numbers, |next| whole = whole.and(reads_of(all, numbers, known, next)));
    }
    if let Some(reads) = known.get_mut(number) {
        *reads = Some(whole);
    }
    whole
}

/// The number of the chain that a verdict leads to.
fn leads(numbers: &Memo<&str, usize>, verdict: &Verdict) -> Option<usize> {
    numbers.get(&**verdict.chain()?).copied()
}

impl Ready<'_> {
    /// Whether it is for packets above a limit alone, which is no packet's own.
    pub(super) fn is_limited(&self) -> bool {
        self.others.iter().any(|one| matches!(one, Condition::Above(_)))
    }

    /// Gives each chain that it leads to.
    pub(super) fn ahead(&self, numbers: &Memo<&str, usize>, mut each: impl FnMut(usize)) {
        let number = |verdict: &Verdict| leads(numbers, verdict);
        match &self.cases {
            Some(Cases::Port { entries, .. }) => entries.values().filter_map(number).for_each(&mut each),
            Some(Cases::Packet(cases)) => {
                cases.iter().filter_map(|(_, verdict)| number(verdict)).for_each(&mut each);
            }
            Some(Cases::Opaque) | None => {}
        }
        self.leads.into_iter().for_each(each);
    }
}

impl<'t> Chains<'t> {
    /// The first rule's target of a chain that looks at both ends of a packet's way.
    #[must_use]
    pub fn of_both_ends(&self, chain: &str) -> Option<String> {
        let rules = self.rules(self.number(chain)?);
        let both = rules.iter().find(|rule| rule.reads.has_source(self.program) && rule.reads.has_dest(self.program));
        both.map(|rule| rule.verdict.to_string())
    }

    /// Whether a chain looks at the port that packets come by, and whether at the one that they leave by.
    #[must_use]
    pub fn ends(&self, chain: &str) -> (bool, bool) {
        let reads = self.number(chain).map(|number| self.reads(number)).unwrap_or_default();
        (reads.has_source(self.program), reads.has_dest(self.program))
    }

    /// Whether a chain looks at the bridge that packets are on.
    #[must_use]
    pub fn asks_bridge(&self, chain: &str) -> bool {
        self.number(chain).is_some_and(|number| self.reads(number).has_port(Port::Bridge))
    }

    /// The names of interfaces that rules ask for where packets leave, and the beginnings of names.
    #[must_use]
    pub fn out_interfaces(&self) -> BTreeSet<Pattern> {
        let mut found = BTreeSet::new();
        for condition in self.all.iter().flat_map(|chain| &chain.rules).flat_map(|rule| &rule.others) {
            if let Condition::Port { port: Port::Out, names, .. } = condition {
                found.extend(names.iter().cloned());
            }
        }
        found
    }

    /// The names of bridges' ports that rules ask for besides the known ones, and the beginnings of names.
    #[must_use]
    pub fn bridge_ports(&self, known: &HashSet<&str>) -> (BTreeSet<Arc<str>>, BTreeSet<Arc<str>>) {
        let program = self.program;
        let wanted = |port: Port| match program {
            Program::Nft => matches!(port, Port::In | Port::Out),
            Program::Iptables | Program::Ip6tables | Program::Ebtables => {
                matches!(port, Port::BridgeIn | Port::BridgeOut)
            }
        };
        let (mut names, mut starts) = (BTreeSet::new(), BTreeSet::new());
        // Many rules may ask for the same set of ports.
        let mut seen: HashSet<*const Pattern> = HashSet::new();
        for chain in &self.all {
            for rule in &chain.rules {
                for condition in &rule.others {
                    match condition {
                        Condition::Port { port, names: patterns, .. }
                            if wanted(*port) && (patterns.len() == 1 || seen.insert(patterns.as_ptr())) =>
                        {
                            for pattern in patterns.iter() {
                                match pattern {
                                    Pattern::Is(name) if known.contains(&**name) => false,
                                    Pattern::Is(name) => names.insert(Arc::clone(name)),
                                    Pattern::BeginsWith(start) => starts.insert(Arc::clone(start)),
                                };
                            }
                        }
                        Condition::Keyed { port, entries, .. } if wanted(*port) => {
                            names.extend(entries.keys().filter(|name| !known.contains(&***name)).cloned());
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
                    && wanted(*port)
                {
                    let others = entries.keys().filter(|name| !known.contains(name.as_str()));
                    names.extend(others.map(|name| Arc::from(name.as_str())));
                }
            }
        }
        (names, starts)
    }
}

/// Whether a verdict gives packets to a program.
pub(super) fn is_queue(words: &str) -> bool {
    words.starts_with("-j NFQUEUE") || words == "queue" || words.starts_with("queue ")
}

/// Boxes that are in one of each.
fn product(a: &[Fields], b: &[Fields]) -> Vec<Fields> {
    a.iter().flat_map(|a| b.iter().map(move |b| Fields(both(&a.0, &b.0)))).collect()
}

/// The values of both.
pub(super) fn both(a: &[Valued], b: &[Valued]) -> Vec<Valued> {
    let mut fields = a.to_vec();
    for (field, values) in b {
        match fields.iter_mut().find(|(known, _)| known == field) {
            Some((_, known)) => *known = known.intersection(values),
            None => fields.push((*field, values.clone())),
        }
    }
    fields
}
