//! From a rule's words to the model: tests, statements, verdict.
//!
//! The kernel asks what belongs to the rule itself first, then the modules in their order. The order of tests that look
//! at the packet alone means nothing; what stands behind a test that counts is only asked when that one says yes, so it
//! stays there, as a statement.

use std::borrow::Cow;
use std::sync::Arc;

use crate::diagnostic::Span;

use super::super::ruleset::{Program, Rule, Test, Unlisted, Value, Verdict};
use super::draft::{Draft, Loaded, Owner, Written};
use super::meter;
use super::options::{self, Kind, Module};
use super::target;
use super::value::{join, protocol_name, spell};

/// Makes rules of the model.
#[derive(Debug)]
pub(super) struct Lowering {
    program: Program,
    /// The one name of each option of the table, shared by all rules.
    keys: Vec<Arc<str>>,
    module: Arc<str>,
    set_source: Arc<str>,
    set_dest: Arc<str>,
}

/// A rule in the making.
#[derive(Debug, Default)]
struct Parts {
    tests: Vec<Test>,
    statements: Vec<String>,
    comment: Option<Arc<str>>,
    /// Whether a test stood before that counts.
    counted: bool,
}

impl Parts {
    fn test(&mut self, test: Test) {
        if self.counted { self.statements.push(test.to_string()) } else { self.tests.push(test) }
    }

    fn meter(&mut self, text: String) {
        self.statements.push(text);
        self.counted = true;
    }
}

impl Lowering {
    /// For the rules of a program.
    pub(super) fn new(program: Program) -> Self {
        Self {
            program,
            keys: options::table(program).iter().map(|known| Arc::from(known.key)).collect(),
            module: Arc::from("-m"),
            set_source: Arc::from("--match-set src"),
            set_dest: Arc::from("--match-set dst"),
        }
    }

    /// How many rules a line stands for.
    pub(super) fn count(draft: &Draft<'_>) -> usize {
        let networks = |option: &Written| match draft.values(option) {
            [list] => list.split(',').count(),
            _ => 1,
        };
        draft.of(Owner::Rule).filter(|option| option.listed).map(networks).fold(1, usize::saturating_mul)
    }

    /// Adds the rules that a line stands for: more than one where it lists networks. `chain` gives a chain's shared name.
    pub(super) fn rules(&self, draft: &Draft<'_>, span: Span, chain: impl Fn(&str) -> Arc<str>, found: &mut Vec<Rule>) {
        let asks = |option: &&Written| draft.known(option).is_none_or(|known| known.module != Module::Comment);
        let tests = Vec::with_capacity(draft.options.iter().filter(asks).count());
        let mut parts = Parts { tests, ..Parts::default() };
        let mut lists = Vec::new();
        for option in draft.of(Owner::Rule) {
            if option.listed {
                lists.push(option);
            } else {
                self.plain(draft, option, &mut parts);
            }
        }
        for (number, loaded) in draft.loaded.iter().enumerate() {
            self.module(draft, number, *loaded, &mut parts);
        }
        for (number, loaded) in draft.loaded.iter().enumerate() {
            if loaded.module == Module::Watcher {
                parts.statements.extend(meter::watchers(draft, Owner::Loaded(number)));
            }
        }
        let (statement, verdict) = target::read(draft, self.program, chain);
        if let Some(statement) = statement {
            parts.statements.push(statement);
        }
        if lists.is_empty() {
            return found.push(finish(parts, verdict, span));
        }
        // Sources first, whatever was written first.
        lists.sort_by_key(|option| draft.known(option).is_none_or(|known| known.key != "-s"));
        let mut made = vec![parts];
        for option in lists {
            made = self.listed(draft, option, &made);
        }
        found.extend(made.into_iter().map(|parts| finish(parts, verdict.clone(), span)));
    }

    /// One rule for each network of a list, as the programs make them.
    fn listed(&self, draft: &Draft<'_>, option: &Written, made: &[Parts]) -> Vec<Parts> {
        let text = draft.values(option).first().map_or("", AsRef::as_ref);
        let mut found = Vec::new();
        for parts in made {
            for network in text.split(',') {
                let value = spell(Kind::Network, &[network.into()]);
                let mut tests = parts.tests.clone();
                tests.extend(self.made(option, value, Value::One(network.to_owned())));
                let (statements, comment) = (parts.statements.clone(), parts.comment.clone());
                found.push(Parts { tests, statements, comment, counted: parts.counted });
            }
        }
        found
    }

    /// A test of a known option; none where every packet passes. `written` is what it is, should none pass.
    fn made(&self, option: &Written, value: Option<Value>, written: Value) -> Option<Test> {
        let key = Arc::clone(option.known.and_then(|at| self.keys.get(at))?);
        let value = match value {
            Some(value) => value,
            None if option.negated => written,
            None => return None,
        };
        Some(Test { key, negated: option.negated, value })
    }

    /// An option that is asked for itself; whether it asks anything.
    fn plain(&self, draft: &Draft<'_>, option: &Written, parts: &mut Parts) -> bool {
        let values = draft.values(option);
        let Some(known) = draft.known(option) else { return false };
        let test = match (known.kind, values) {
            (Kind::Set, [name, sides]) => {
                let key = match sides.as_ref() {
                    "src" => Arc::clone(&self.set_source),
                    "dst" => Arc::clone(&self.set_dest),
                    other => Arc::from(format!("--match-set {other}")),
                };
                Some(Test { key, negated: option.negated, value: Value::Set(Arc::from(name.as_ref())) })
            }
            (kind, values) => {
                let written = || Value::One(join(values.iter().map(AsRef::as_ref)));
                let value = spell(kind, values);
                let written = if value.is_none() { written() } else { Value::One(String::new()) };
                self.made(option, value, written)
            }
        };
        let asks = test.is_some();
        if let Some(test) = test {
            parts.test(test);
        }
        asks
    }

    fn module(&self, draft: &Draft<'_>, number: usize, loaded: Loaded, parts: &mut Parts) {
        let owner = Owner::Loaded(number);
        let name = loaded.name.map(|name| draft.word(name));
        match loaded.module {
            Module::Comment if !loaded.odd => comment(draft, owner, parts),
            Module::Limit | Module::Hashlimit => parts.meter(meter::read(draft, owner, loaded, self.program)),
            Module::Watcher | Module::Rule | Module::Target => {}
            Module::Unknown => parts.meter(grouped(draft, owner, name)),
            Module::Pure => self.group(draft, owner, name.unwrap_or_default(), parts),
            Module::Comment
            | Module::Transport
            | Module::Icmp
            | Module::Multiport
            | Module::Conntrack
            | Module::Mark
            | Module::Connmark
            | Module::Mac
            | Module::Range
            | Module::Physdev
            | Module::Addrtype
            | Module::Set
            | Module::Pkttype
            | Module::Frame
                if loaded.odd =>
            {
                self.group(draft, owner, name.unwrap_or_default(), parts);
            }
            Module::Comment
            | Module::Transport
            | Module::Icmp
            | Module::Multiport
            | Module::Conntrack
            | Module::Mark
            | Module::Connmark
            | Module::Mac
            | Module::Range
            | Module::Physdev
            | Module::Addrtype
            | Module::Set
            | Module::Pkttype
            | Module::Frame => self.each(draft, owner, loaded, parts),
        }
    }

    /// A module whose options are asked each for itself. Its name says nothing that they do not, unless they say nothing,
    /// or it is for another protocol than the rule's.
    fn each(&self, draft: &Draft<'_>, owner: Owner, loaded: Loaded, parts: &mut Parts) {
        let mut asks = false;
        for option in draft.of(owner) {
            asks |= self.plain(draft, option, parts);
        }
        if loaded.module == Module::Frame {
            return;
        }
        let own = || {
            let option = draft.of(Owner::Rule).find(|one| draft.known(one).is_some_and(|known| known.key == "-p"));
            let value = option.filter(|one| !one.negated).and_then(|one| draft.values(one).first());
            value.map_or(Cow::Borrowed(""), |word| protocol_name(word))
        };
        let name = loaded.name.map(|name| draft.word(name));
        let fits = match (loaded.module, name) {
            (Module::Transport, Some(name)) => own() == name,
            (Module::Icmp, Some("icmp6" | "icmpv6")) => own() == "icmpv6",
            (Module::Icmp, Some(name)) => own() == name,
            (_, _) => true,
        };
        if !asks || !fits {
            let name = name.map_or_else(|| own().into_owned(), str::to_owned);
            parts.test(Test { key: Arc::clone(&self.module), negated: false, value: Value::One(name) });
        }
    }

    /// A module whose options belong together, as one test.
    fn group(&self, draft: &Draft<'_>, owner: Owner, name: &str, parts: &mut Parts) {
        let options = grouped(draft, owner, None);
        let test = if options.is_empty() {
            Test { key: Arc::clone(&self.module), negated: false, value: Value::One(name.to_owned()) }
        } else {
            Test { key: format!("-m {name}").trim_end().into(), negated: false, value: Value::One(options) }
        };
        parts.test(test);
    }
}

/// All options of a module as written, behind its name.
pub(super) fn grouped(draft: &Draft<'_>, owner: Owner, name: Option<&str>) -> String {
    let module = name.map(|name| ["-m", name]).into_iter().flatten();
    let options = draft.of(owner).flat_map(|option| {
        let negation = option.negated.then_some("!");
        let values = draft.values(option).iter().map(AsRef::as_ref);
        negation.into_iter().chain([draft.word(option.name)]).chain(values)
    });
    join(module.chain(options))
}

/// Comments of one rule are one text.
fn comment(draft: &Draft<'_>, owner: Owner, parts: &mut Parts) {
    for option in draft.of(owner) {
        for word in draft.values(option) {
            match &mut parts.comment {
                Some(text) => *text = format!("{text} {word}").into(),
                empty @ None => *empty = Some(Arc::from(word.as_ref())),
            }
        }
    }
}

fn finish(parts: Parts, verdict: Verdict, span: Span) -> Rule {
    let Parts { mut tests, statements, comment, .. } = parts;
    // Programs list them in this order.
    if !tests.is_sorted_by(|one, next| one < next) {
        tests.sort_unstable();
        tests.dedup();
    }
    Rule { tests, statements, verdict, unlisted: Unlisted::default(), comment, span }
}
