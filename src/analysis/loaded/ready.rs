//! A table's rules, translated once, and what they depend on besides the fields of packets.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::analysis::sets::{Field, Memo};
use crate::diagnostic::Span;
use crate::net::{Family, Ranges};
use crate::state::ruleset::{Program, Rule, Table, TableName, Verdict};

use super::nft::Cases;
use super::outcome::State;
use super::run::Part;
use super::words::Words;
use super::{Asked, Condition, Context, Effect, Fields, Pattern, Port, PortValue, Tagging};

/// What a rule, or all that it leads to, looks at besides the packet's fields: bits of [`Reads`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Reads(u16);

impl Reads {
    const FACTS: Self = Self(1 << 5);
    const TAG: Self = Self(1 << 6);
    const MAC: Self = Self(1 << 7);
    const TOWARDS: Self = Self(1 << 8);
    const MARK: Self = Self(1 << 9);

    const fn port(port: Port) -> Self {
        Self(match port {
            Port::In => 1,
            Port::Out => 2,
            Port::BridgeIn => 4,
            Port::BridgeOut => 8,
            Port::Bridge => 16,
        })
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a context decides something of it, whose part is `decided`.
    pub(super) const fn is_decided(self, decided: Self) -> bool {
        self.0 & decided.0 != 0
    }

    /// What a context decides.
    pub(super) fn decided(context: &Context) -> Self {
        let mut decided = Self::FACTS;
        for port in [Port::In, Port::Out, Port::BridgeIn, Port::BridgeOut, Port::Bridge] {
            if *context.port(port) != PortValue::Any {
                decided = decided.and(Self::port(port));
            }
        }
        let mut add = |when: bool, what: Self| decided = if when { decided.and(what) } else { decided };
        add(context.tagging != Tagging::Plain, Self::TAG);
        add(context.own_mac.is_some(), Self::MAC);
        add(context.towards.is_some(), Self::TOWARDS);
        decided
    }

    /// Whether no context can decide anything of it.
    pub(super) const fn is_free(self) -> bool {
        self.0 & !Self::MARK.0 == 0
    }

    /// The same, but wherever packets go.
    pub(super) const fn everywhere(self) -> Self {
        Self(self.0 & !Self::TOWARDS.0)
    }

    /// Whether it looks at a port.
    pub(super) const fn has_port(self, port: Port) -> bool {
        self.is_decided(Self::port(port))
    }

    /// Whether it looks at what a bridge does with packets.
    pub(super) const fn has_facts(self) -> bool {
        self.is_decided(Self::FACTS)
    }

    /// Whether it looks at hardware addresses.
    pub(super) const fn has_mac(self) -> bool {
        self.is_decided(Self::MAC)
    }

    /// Whether it looks at what tags may hide.
    pub(super) const fn has_tag(self) -> bool {
        self.is_decided(Self::TAG)
    }

    /// Whether it looks at marks, or changes them.
    pub(super) const fn has_mark(self) -> bool {
        self.0 & Self::MARK.0 != 0
    }

    /// Whether it leads elsewhere by destination.
    pub(super) const fn has_towards(self) -> bool {
        self.is_decided(Self::TOWARDS)
    }

    /// Whether it looks at the port that packets come in by.
    pub(super) const fn has_source(self, program: Program) -> bool {
        let port = match program {
            Program::Nft => Port::In,
            Program::Iptables | Program::Ip6tables | Program::Ebtables => Port::BridgeIn,
        };
        self.0 & (Self::port(port).0 | Self::MAC.0) != 0
    }

    /// Whether it looks at the port that they leave by.
    pub(super) const fn has_dest(self, program: Program) -> bool {
        let port = match program {
            Program::Nft => Port::Out,
            Program::Iptables | Program::Ip6tables | Program::Ebtables => Port::BridgeOut,
        };
        self.0 & Self::port(port).0 != 0
    }
}

/// A rule, translated.
#[derive(Debug)]
pub(super) struct Ready<'t> {
    /// The fields' values: any of these. None for every packet.
    pub(super) boxes: Option<Vec<Fields>>,
    /// All else that it asks.
    pub(super) others: Vec<Condition>,
    /// What it does besides its verdict.
    pub(super) effects: Vec<Effect>,
    /// Its verdict.
    pub(super) verdict: &'t Verdict,
    /// Where a verdict depends on what is looked up in a map.
    pub(super) cases: Option<Cases<'t>>,
    /// What is not understood of it.
    pub(super) unknown: Option<u32>,
    /// What it looks at itself.
    reads: Reads,
    /// What it and all that it leads to looks at.
    whole: OnceCell<Reads>,
    /// What it does in a first state, where no context matters; and whether packets leave their chain by it.
    pub(super) done: OnceCell<(State, Part, bool)>,
}

/// A chain, translated when it is first come to.
#[derive(Debug)]
struct Chain<'t> {
    name: &'t Arc<str>,
    rules: &'t [Rule],
    ready: Option<Rc<[Ready<'t>]>>,
    /// Of itself and all it leads to; none before it was asked for.
    reads: Option<Reads>,
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

/// The chains of a table.
#[derive(Debug)]
pub(super) struct Chains<'t> {
    pub(super) program: Program,
    /// Of the addresses in fields without a frame.
    pub(super) family: Family,
    words: Words<'t>,
    all: Vec<Chain<'t>>,
    numbers: Memo<&'t str, usize>,
    pub(super) unknown: Vec<Unknown>,
}

impl<'t> Chains<'t> {
    pub(super) fn new(program: Program, name: &'t TableName, table: &'t Table) -> Self {
        let chains = table.chains.iter();
        let all = chains.map(|(name, chain)| Chain { name, rules: &chain.rules, ready: None, reads: None }).collect();
        let numbers = table.chains.keys().zip(0..).map(|(name, number)| (&**name, number)).collect();
        let family = if program == Program::Ip6tables { Family::V6 } else { Family::V4 };
        Self { program, family, words: Words::new(program, &name.family, table), all, numbers, unknown: Vec::new() }
    }

    /// The number of a chain.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The rules of a chain.
    pub(super) fn rules(&mut self, number: usize) -> Rc<[Ready<'t>]> {
        let Some(chain) = self.all.get(number) else { return Rc::new([]) };
        if let Some(ready) = &chain.ready {
            return Rc::clone(ready);
        }
        let (name, rules) = (Arc::clone(chain.name), chain.rules);
        let ready: Rc<[Ready<'t>]> = rules.iter().map(|rule| self.ready(&name, rule)).collect();
        if let Some(chain) = self.all.get_mut(number) {
            chain.ready = Some(Rc::clone(&ready));
        }
        ready
    }

    fn ready(&mut self, chain: &Arc<str>, rule: &'t Rule) -> Ready<'t> {
        let Asked { conditions, effects } = self.words.asked(rule);
        let cases = self.words.cases(rule);
        let mut boxes: Option<Vec<Fields>> = None;
        let mut others = Vec::new();
        for condition in conditions {
            match condition {
                Condition::Packet(any) => {
                    boxes = Some(match &boxes {
                        None => any,
                        Some(known) => product(known, &any),
                    });
                }
                Condition::Outer(_)
                | Condition::Port { .. }
                | Condition::Keyed { .. }
                | Condition::Mark { .. }
                | Condition::FromBridge(_)
                | Condition::ToBridge(_)
                | Condition::Bridged(_)
                | Condition::Above(_)
                | Condition::Opaque(_) => others.push(condition),
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
        let mut reads = reads(boxes.as_deref(), &others, &rule.verdict, cases.as_ref());
        if effects.iter().any(|effect| matches!(effect, Effect::Mark { .. })) {
            reads = reads.and(Reads::MARK);
        }
        Ready {
            boxes,
            others,
            effects,
            verdict: &rule.verdict,
            cases,
            unknown,
            reads,
            whole: OnceCell::new(),
            done: OnceCell::new(),
        }
    }

    /// Something that cannot be followed, as if it were a rule.
    pub(super) fn lost(&mut self, chain: usize, words: String) -> u32 {
        let Some(chain) = self.all.get(chain) else { return 0 };
        let Some(span) = chain.rules.first().map(|rule| rule.span) else { return 0 };
        let found = Unknown { chain: Arc::clone(chain.name), span, words };
        let place = self.unknown.iter().position(|known| *known == found).unwrap_or_else(|| {
            self.unknown.push(found);
            self.unknown.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// What a chain and all that it leads to looks at.
    pub(super) fn reads(&mut self, number: usize) -> Reads {
        let Some(chain) = self.all.get_mut(number) else { return Reads::default() };
        if let Some(known) = chain.reads {
            return known;
        }
        // A chain that leads to itself adds nothing there.
        chain.reads = Some(Reads::default());
        let rules = self.rules(number);
        let whole = rules.iter().fold(Reads::default(), |all, rule| all.and(self.rule_reads(rule)));
        if let Some(chain) = self.all.get_mut(number) {
            chain.reads = Some(whole);
        }
        whole
    }

    /// What a rule and all that it leads to looks at.
    pub(super) fn rule_reads(&mut self, rule: &Ready<'t>) -> Reads {
        if let Some(known) = rule.whole.get() {
            return *known;
        }
        let mut all = rule.reads;
        let mut lead = |verdict: &Verdict| {
            if let Verdict::Jump(name) | Verdict::Goto(name) = verdict
                && let Some(number) = self.number(name)
            {
                all = all.and(self.reads(number));
            }
        };
        match &rule.cases {
            Some(Cases::Port { entries, .. }) => entries.values().for_each(&mut lead),
            Some(Cases::Packet(cases)) => cases.iter().for_each(|(_, verdict)| lead(verdict)),
            Some(Cases::Opaque) | None => lead(rule.verdict),
        }
        *rule.whole.get_or_init(|| all)
    }
}

impl<'t> Chains<'t> {
    /// The first rule's target of a chain that looks at both ends of a packet's way.
    pub(super) fn of_both_ends(&mut self, chain: &str) -> Option<String> {
        let number = self.number(chain)?;
        let rules = self.rules(number);
        let program = self.program;
        let both = rules.iter().find(|rule| {
            let reads = self.rule_reads(rule);
            reads.has_source(program) && reads.has_dest(program)
        });
        both.map(|rule| rule.verdict.to_string())
    }

    /// The names of interfaces that rules ask for where packets leave, and the beginnings of names.
    pub(super) fn out_interfaces(&mut self) -> BTreeSet<Pattern> {
        let mut found = BTreeSet::new();
        for number in 0..self.all.len() {
            for rule in self.rules(number).iter() {
                for condition in &rule.others {
                    if let Condition::Port { port: Port::Out, names, .. } = condition {
                        found.extend(names.iter().cloned());
                    }
                }
            }
        }
        found
    }

    /// The names of bridges' ports that rules ask for besides the known ones, and the beginnings of names.
    pub(super) fn bridge_ports(&mut self, known: &HashSet<&str>) -> (BTreeSet<Arc<str>>, BTreeSet<Arc<str>>) {
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
        for number in 0..self.all.len() {
            for rule in self.rules(number).iter() {
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

fn reads(boxes: Option<&[Fields]>, others: &[Condition], verdict: &Verdict, cases: Option<&Cases<'_>>) -> Reads {
    let mut all = Reads::default();
    let has = |wanted: Field| {
        boxes.is_some_and(|boxes| boxes.iter().any(|one| one.0.iter().any(|(field, _)| *field == wanted)))
    };
    let leads = matches!(verdict, Verdict::Jump(_) | Verdict::Goto(_));
    if has(Field::SourceMac) || has(Field::ArpMac) {
        all = all.and(Reads::MAC);
    }
    if leads && has(Field::Dest) {
        all = all.and(Reads::TOWARDS);
    }
    for condition in others {
        all = all.and(match condition {
            Condition::Outer(_) => Reads::TAG,
            Condition::Port { port: Port::Out, .. } if leads => Reads::port(Port::Out).and(Reads::TOWARDS),
            Condition::Port { port, .. } => Reads::port(*port),
            Condition::Keyed { port, .. } => Reads::port(*port).and(Reads::MAC),
            Condition::FromBridge(_) | Condition::ToBridge(_) | Condition::Bridged(_) => Reads::FACTS,
            Condition::Mark { .. } => Reads::MARK,
            Condition::Packet(_) | Condition::Above(_) | Condition::Opaque(_) => Reads::default(),
        });
    }
    if let Some(Cases::Port { port, .. }) = cases {
        all = all.and(Reads::port(*port));
    }
    all
}

/// Boxes that are in one of each.
fn product(a: &[Fields], b: &[Fields]) -> Vec<Fields> {
    a.iter().flat_map(|a| b.iter().map(move |b| both(a, b))).collect()
}

/// The values of both.
pub(super) fn both(a: &Fields, b: &Fields) -> Fields {
    let mut fields: Vec<(Field, Ranges<u128>)> = a.0.clone();
    for (field, values) in &b.0 {
        match fields.iter_mut().find(|(known, _)| known == field) {
            Some((_, known)) => *known = known.intersection(values),
            None => fields.push((*field, values.clone())),
        }
    }
    Fields(fields)
}
