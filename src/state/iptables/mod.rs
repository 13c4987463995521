//! What `iptables-save`, `ip6tables-save` and `ebtables-save` list (either variant of each), and what their `-restore` reads.
//!
//! In: the text; also `iptables -S`, which lists one table without its name: it is taken for `filter`. Out: the tables as
//! data, in one spelling (see [`super::ruleset`]). Promise: no text makes the reader fail, and no line is passed over in
//! silence but comments of the file. A text that ends too early says so: tables of iptables end with `COMMIT`, lines
//! with a newline.

mod draft;
mod known;
mod lower;
mod meter;
mod options;
mod rate;
mod target;
mod value;
mod words;

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::diagnostic::{FileId, Span};

use super::ruleset::{Base, Chain, Program, Rule, Ruleset, Table, TableName, Verdict};
use super::{Slice, Unread};

use draft::{Draft, shown};
use lower::Lowering;

pub(super) use value::{c_number, mac, port, protocol};
pub(super) use words::{Word, split as split_words};

/// Reads a text that `program` lists or takes.
#[must_use]
pub fn read(file: FileId, text: &str, program: Program) -> Ruleset {
    let mut reader = Reader::new(program);
    let whole = Slice::new(file, text);
    for line in whole.lines() {
        reader.line(line.trim(), text);
    }
    reader.end(whole)
}

/// The words of a statement of a rule in its one spelling; none where it was kept as written and a quote is not closed.
pub(crate) fn statement_words(statement: &str) -> Option<Vec<Word<'_>>> {
    let mut found = Vec::new();
    words::split(statement, true, &mut found).ok().map(|()| found)
}

/// The one spelling of a rate of `hashlimit`, which counts in microseconds between packets: `700000/second` is
/// `1000000/second`.
pub(crate) fn hashlimit_rate(text: &str) -> Option<String> {
    rate::spell(text, rate::HASHLIMIT).map(|(rate, _)| rate)
}

/// The tables of iptables where chains begin that no rule leads to.
const BUILT_IN: &[&str] = &["INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING", "BROUTING"];

/// Words of a line. iptables takes 255, and what is done for each must not add up.
const WORDS: usize = 1024;

/// Rules that one line may stand for, by lists of networks.
const RULES: usize = 1024;

/// A table that is being read.
#[derive(Debug)]
struct Open {
    name: Arc<str>,
    /// The line that begins it.
    span: Span,
    /// Whether a line names it.
    named: bool,
    chains: Vec<Entry>,
    /// Places in `chains`.
    index: HashMap<Arc<str>, usize>,
    /// The chain of the last rule: the next one is mostly of the same.
    last: usize,
    /// The rules of that chain which are not in it yet: it takes them all at once.
    pending: Vec<Rule>,
    /// The chain that the last rule leads to, which is asked for more than once.
    target: Cell<usize>,
}

#[derive(Debug)]
struct Entry {
    name: Arc<str>,
    chain: Chain,
    /// Whether a line declares it.
    declared: bool,
    /// Whether a line deletes it.
    deleted: bool,
}

impl Open {
    fn new(name: &str, span: Span, named: bool) -> Self {
        Self {
            name: Arc::from(name),
            span,
            named,
            chains: Vec::new(),
            index: HashMap::new(),
            last: 0,
            pending: Vec::new(),
            target: Cell::new(0),
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        if self.chains.get(self.last).is_some_and(|entry| &*entry.name == name) {
            return Some(self.last);
        }
        self.index.get(name).copied()
    }

    /// The place of a chain that a rule leads to.
    fn find_target(&self, name: &str) -> Option<usize> {
        if self.chains.get(self.target.get()).is_some_and(|entry| &*entry.name == name) {
            return Some(self.target.get());
        }
        let place = self.index.get(name).copied()?;
        self.target.set(place);
        Some(place)
    }

    /// The place of a chain, which is made where there is none.
    fn place(&mut self, name: &str, span: Span) -> usize {
        if let Some(place) = self.find(name) {
            return place;
        }
        let name: Arc<str> = Arc::from(name);
        let place = self.chains.len();
        self.index.insert(Arc::clone(&name), place);
        let chain = Chain { base: None, rules: Vec::new(), span };
        self.chains.push(Entry { name, chain, declared: false, deleted: false });
        place
    }

    /// Puts the rules that are pending into their chain.
    fn settle(&mut self) {
        let Some(entry) = self.chains.get_mut(self.last) else { return };
        if entry.chain.rules.is_empty() {
            entry.chain.rules.reserve_exact(self.pending.len());
        }
        entry.chain.rules.append(&mut self.pending);
    }

    /// A chain's name, shared with the chain.
    fn shared(&self, name: &str) -> Arc<str> {
        let entry = self.find_target(name).and_then(|place| self.chains.get(place));
        entry.map_or_else(|| Arc::from(name), |entry| Arc::clone(&entry.name))
    }
}

#[derive(Debug)]
struct Reader<'t> {
    program: Program,
    lowering: Lowering,
    draft: Draft<'t>,
    found: Ruleset,
    open: Option<Open>,
    /// Whether any table has begun.
    begun: bool,
    /// The line `# Generated by` without its `# Completed on`.
    generated: Option<Span>,
}

impl<'t> Reader<'t> {
    fn new(program: Program) -> Self {
        Self {
            program,
            lowering: Lowering::new(program),
            draft: Draft::new(program),
            found: Ruleset::new(program),
            open: None,
            begun: false,
            generated: None,
        }
    }

    fn unread(&mut self, span: Span, reason: impl Into<String>) {
        self.found.unread.push(Unread { span, reason: reason.into() });
    }

    fn line(&mut self, line: Slice<'t>, whole: &'t str) {
        let text = line.text;
        let Some(first) = text.bytes().next() else { return };
        let rest = || text.get(1..).unwrap_or_default();
        if first == b'#' {
            self.remark(line);
        } else if text == "COMMIT" {
            self.commit(line);
        } else if !whole.as_bytes().ends_with(b"\n") && line.start + text.len() >= whole.trim_end().len() {
            self.unread(line.span(), "the text ends within this line");
        } else if first == b'*' {
            self.table(line, rest().trim());
        } else if first == b':' {
            self.declare(line, rest());
        } else {
            self.command(line);
        }
    }

    fn remark(&mut self, line: Slice<'t>) {
        let text = line.text.trim_start_matches(['#', ' ']);
        if text.starts_with("Generated by") {
            // The older ebtables-save writes no last line.
            self.generated = (!text.contains("ebtables-save") || text.contains("nf_tables")).then(|| line.span());
        } else if text.starts_with("Completed on") {
            self.generated = None;
        } else if text.starts_with("Table `") && text.contains("incompatible") {
            self.unread(line.span(), "the table has rules that only nft can list");
        }
    }

    fn table(&mut self, line: Slice<'t>, name: &str) {
        self.close(line.span());
        if name.is_empty() {
            self.unread(line.span(), "a table without a name");
        }
        self.open = Some(Open::new(name, line.span(), true));
        self.begun = true;
    }

    fn commit(&mut self, line: Slice<'t>) {
        match self.open.take() {
            Some(open) => {
                if !open.named {
                    self.unread(line.span(), "no line before this one begins a table");
                }
                self.keep(open);
            }
            None => self.unread(line.span(), "no line before this one begins a table"),
        }
    }

    /// Ends the table that is open without a `COMMIT`.
    fn close(&mut self, at: Span) {
        let Some(open) = self.open.take() else { return };
        if open.named && self.program != Program::Ebtables {
            let reason = format!("the table `{}`, which begins here, ends without `COMMIT`", shown(&open.name));
            self.unread(Span { len: open.span.len, ..if open.named { open.span } else { at } }, reason);
        }
        self.keep(open);
    }

    fn keep(&mut self, mut open: Open) {
        open.settle();
        let kept = open.chains.into_iter().filter(|entry| !entry.deleted).inspect(|entry| {
            if !entry.declared && !BUILT_IN.contains(&&*entry.name) {
                let reason = format!("no line declares the chain `{}`", shown(&entry.name));
                self.found.unread.push(Unread { span: entry.chain.span, reason });
            }
        });
        // At once, which is faster than one by one.
        let table = Table { chains: kept.map(|entry| (entry.name, entry.chain)).collect(), ..Table::default() };
        let name = TableName { family: Arc::from(""), name: open.name };
        let reason = format!("the table `{}` stands here a second time, and replaces the first", shown(&name.name));
        if self.found.tables.insert(name, table).is_some() {
            self.unread(open.span, reason);
        }
    }

    /// The open table. A text that begins without one is of `iptables -S`.
    fn opened(&mut self, line: Slice<'t>) -> Option<&mut Open> {
        if self.open.is_none() && !self.begun {
            self.begun = true;
            self.open = Some(Open::new("filter", line.span(), false));
        }
        if self.open.is_none() {
            self.unread(line.span(), "stands in no table");
        }
        self.open.as_mut()
    }

    /// `NAME POLICY [COUNTERS]`.
    fn declare(&mut self, line: Slice<'t>, text: &'t str) {
        let mut words = text.split_ascii_whitespace();
        let (name, policy, counters) = (words.next(), words.next(), words.next());
        let (Some(name), Some(policy)) = (name, policy) else {
            return self.unread(line.span(), "a chain without a name or a policy");
        };
        let counted = counters.is_none_or(is_counters);
        if !counted || words.next().is_some() {
            return self.unread(line.span(), "a chain has a name, a policy and counters");
        }
        self.chain(line, name, policy);
    }

    fn chain(&mut self, line: Slice<'t>, name: &str, policy: &str) {
        let base = match verdict_of(policy) {
            Some(policy) => Some(Base { hook: String::new(), policy }),
            None if policy == "-" => None,
            None => return self.unread(line.span(), format!("`{}` is not a policy", shown(policy))),
        };
        let Some(open) = self.opened(line) else { return };
        open.settle();
        let place = open.place(name, line.span());
        let Some(entry) = open.chains.get_mut(place) else { return };
        let again = entry.declared && !BUILT_IN.contains(&name);
        if again {
            // As the programs do.
            entry.chain.rules.clear();
        }
        (entry.declared, entry.deleted) = (true, false);
        (entry.chain.base, entry.chain.span) = (base, line.span());
        if again {
            let reason = format!("the chain `{}` is declared a second time, which empties it", shown(name));
            self.unread(line.span(), reason);
        }
    }

    /// A line of `iptables`' own options.
    fn command(&mut self, line: Slice<'t>) {
        if let Err(reason) = words::split(line.text, true, &mut self.draft.words) {
            return self.unread(line.span(), reason);
        }
        if self.draft.words.len() > WORDS {
            return self.unread(line.span(), format!("more than {WORDS} words, which no program takes"));
        }
        let first = usize::from(self.draft.word(0).starts_with('[') && is_counters(self.draft.word(0)));
        let command = self.draft.word(first);
        let count = self.draft.words.len() - first;
        match command {
            "-A" | "--append" if count > 1 => self.rule(line, first + 1, None),
            "-I" | "--insert" if count > 1 => {
                let number = self.draft.word(first + 2).parse().ok().filter(|number| *number > 0);
                self.rule(line, first + 1, Some(number));
            }
            "-P" | "--policy" if count == 3 || count == 6 => {
                let (name, policy) = (self.draft.word(first + 1).to_owned(), self.draft.word(first + 2).to_owned());
                self.chain(line, &name, &policy);
            }
            "-N" | "--new-chain" | "--new" if count == 2 => {
                let name = self.draft.word(first + 1).to_owned();
                self.chain(line, &name, if self.program == Program::Ebtables { "ACCEPT" } else { "-" });
            }
            "-F" | "--flush" | "-X" | "--delete-chain" if count == 2 => {
                let name = self.draft.word(first + 1).to_owned();
                let delete = matches!(command, "-X" | "--delete-chain");
                self.clear(line, &name, delete);
            }
            _ => {
                let reason = format!("`{}` begins no line of a list of rules", shown(command));
                self.unread(line.span(), reason);
            }
        }
    }

    fn clear(&mut self, line: Slice<'t>, name: &str, delete: bool) {
        let Some(open) = self.opened(line) else { return };
        open.settle();
        let place = open.find(name);
        let Some(entry) = place.and_then(|place| open.chains.get_mut(place)) else {
            return self.unread(line.span(), format!("there is no chain `{}` here", shown(name)));
        };
        entry.chain.rules.clear();
        entry.deleted = delete;
    }

    /// A rule, whose chain is the word at `name`: the last one of its chain, or inserted before the one of a number.
    fn rule(&mut self, line: Slice<'t>, name: usize, insert: Option<Option<usize>>) {
        let span = line.span();
        let begin = name + 1 + usize::from(insert.flatten().is_some());
        if self.opened(line).is_none() {
            return;
        }
        let Some(open) = &mut self.open else { return };
        let program = self.program;
        let extension = |target: &str| target::is_extension(program, target, |name| open.find_target(name).is_some());
        if let Err(reason) = self.draft.read(begin, extension) {
            return self.unread(span, reason);
        }
        let other = match program {
            Program::Iptables => self.draft.family == Some('6'),
            Program::Ip6tables => self.draft.family == Some('4'),
            Program::Ebtables | Program::Nft => self.draft.family.is_some(),
        };
        if other {
            return self.unread(span, "the rule is for another family, and the program passes over it");
        }
        if Lowering::count(&self.draft) > RULES {
            return self.unread(span, format!("lists of networks that stand for more than {RULES} rules"));
        }
        let place = open.place(self.draft.word(name), span);
        if place != open.last || insert.is_some() {
            open.settle();
            open.last = place;
        }
        let mut pending = std::mem::take(&mut open.pending);
        self.lowering.rules(&self.draft, span, |name| open.shared(name), &mut pending);
        if let Some(number) = insert
            && let Some(entry) = open.chains.get_mut(place)
        {
            // Before the rule of a number, from 1; without one, before the first.
            let rules = &mut entry.chain.rules;
            let at = number.map_or(0, |number| number - 1).min(rules.len());
            rules.splice(at..at, pending.drain(..));
        }
        open.pending = pending;
    }

    fn end(mut self, whole: Slice<'t>) -> Ruleset {
        let end = whole.part(whole.text.trim_end()).text.len();
        let span = Span { start: u32::try_from(whole.start + end).unwrap_or(u32::MAX), len: 0, file: whole.file };
        self.close(span);
        if let Some(generated) = self.generated {
            self.unread(generated, "the list that begins here has no last line, `# Completed on`");
        }
        self.found.unread.sort_by_key(|unread| unread.span);
        self.found
    }
}

/// `[12:3456]`.
fn is_counters(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    inner.and_then(|inner| inner.split_once(':')).is_some_and(|(packets, bytes)| digits(packets) && digits(bytes))
}

/// What a policy says.
fn verdict_of(policy: &str) -> Option<Verdict> {
    match policy {
        "ACCEPT" => Some(Verdict::Accept),
        "DROP" => Some(Verdict::Drop),
        "RETURN" => Some(Verdict::Return),
        _ => None,
    }
}
