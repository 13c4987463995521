//! A rule's words, taken apart: which option belongs to which module or to the target, and what its values are.

use std::ops::Range;

use super::super::ruleset::Program;
use super::options::{self, Kind, Known, Module, Places};
use super::words::Word;

/// What an option belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The rule itself.
    Rule,
    /// The loaded module of this number.
    Loaded(usize),
    /// What becomes of the packet.
    Target,
}

/// An option as written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// Its place in the program's table; none for one that is not there.
    pub(super) known: Option<usize>,
    /// Its word.
    pub(super) name: usize,
    /// The words of its values.
    pub(super) values: Range<usize>,
    /// Whether a `!` stands before it or its values.
    pub(super) negated: bool,
    /// Whose it is.
    pub(super) owner: Owner,
    /// Whether its value lists networks, of which each makes a rule.
    pub(super) listed: bool,
}

/// A module that is asked, in the kernel's order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loaded {
    /// What it is.
    pub(super) module: Module,
    /// The word that names it; none where an option or the protocol loads it.
    pub(super) name: Option<usize>,
    /// Whether it has options that are not in the table.
    pub(super) odd: bool,
}

/// What becomes of the packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    /// The word that names it.
    pub(super) name: usize,
    /// Whether it is gone to for good (`-g`).
    pub(super) goto: bool,
}

/// A rule's words, taken apart. It is used for one rule after another, and keeps its room.
#[derive(Debug)]
pub(super) struct Draft<'t> {
    /// The program's options.
    pub(super) table: &'static [Known],
    /// Their places.
    places: Places,
    /// All words of the line.
    pub(super) words: Vec<Word<'t>>,
    /// As written.
    pub(super) options: Vec<Written>,
    /// In the kernel's order.
    pub(super) loaded: Vec<Loaded>,
    /// None for a rule that only counts.
    pub(super) target: Option<Target>,
    /// Whether the rule is for one family alone, and which: `-4` and `-6`.
    pub(super) family: Option<char>,
    /// Whether an option loads its module.
    implicit: bool,
}

impl<'t> Draft<'t> {
    /// Of no rule yet.
    pub(super) fn new(program: Program) -> Self {
        Self {
            table: options::table(program),
            places: Places::of(options::table(program)),
            words: Vec::new(),
            options: Vec::new(),
            loaded: Vec::new(),
            target: None,
            family: None,
            implicit: matches!(program, Program::Ebtables),
        }
    }

    /// The text of a word.
    #[inline]
    pub(super) fn word(&self, at: usize) -> &str {
        match self.words.get(at) {
            Some(Word::Borrowed(word)) => word,
            Some(Word::Owned(word)) => word,
            None => "",
        }
    }

    /// The words of an option's values.
    #[inline]
    pub(super) fn values(&self, option: &Written) -> &[Word<'t>] {
        self.words.get(option.values.clone()).unwrap_or(&[])
    }

    /// The entry of the table for an option.
    #[inline]
    pub(super) fn known(&self, option: &Written) -> Option<&'static Known> {
        option.known.and_then(|at| self.table.get(at))
    }

    /// The options of one owner, as written.
    pub(super) fn of(&self, owner: Owner) -> impl Iterator<Item = &Written> {
        self.options.iter().filter(move |option| option.owner == owner)
    }

    /// Takes apart the words from `at` on. `targets` says whether a name is that of an extension, and no chain's.
    ///
    /// # Errors
    /// What is wrong, in a few words.
    pub(super) fn read(&mut self, mut at: usize, extension: impl Fn(&str) -> bool) -> Result<(), String> {
        self.options.clear();
        self.loaded.clear();
        self.target = None;
        self.family = None;
        // Options that are not known belong to what was named last.
        let mut last_is_target = false;
        let mut negated = false;
        while at < self.words.len() {
            let word = self.word(at);
            match word {
                "!" => {
                    if std::mem::replace(&mut negated, true) {
                        return Err("a `!` stands after another one".into());
                    }
                    at += 1;
                    continue;
                }
                "-j" | "--jump" | "-g" | "--goto" => {
                    let goto = matches!(word, "-g" | "--goto");
                    let name = self.value_of(at)?;
                    if negated || self.target.is_some() {
                        return Err(format!("`{word}` does not belong here"));
                    }
                    last_is_target = !goto && extension(self.word(name));
                    self.target = Some(Target { name, goto });
                    at = name + 1;
                }
                "-m" | "--match" => {
                    let name = self.value_of(at)?;
                    if negated {
                        return Err(format!("`!` stands before `{word}`"));
                    }
                    let module = options::module(self.word(name));
                    self.loaded.push(Loaded { module, name: Some(name), odd: false });
                    last_is_target = false;
                    at = name + 1;
                }
                // Counters.
                "-c" | "--set-counters" => at = self.value_of(at + 1)? + 1,
                "-4" | "--ipv4" => (self.family, at) = (Some('4'), at + 1),
                "-6" | "--ipv6" => (self.family, at) = (Some('6'), at + 1),
                _ if !is_option(word) => return Err(format!("`{}` belongs to no option", shown(word))),
                _ => {
                    at = self.option(at, negated, last_is_target)?;
                    negated = false;
                }
            }
        }
        if negated { Err("a `!` stands before nothing".into()) } else { Ok(()) }
    }

    /// The place of an option's value.
    #[inline]
    fn value_of(&self, at: usize) -> Result<usize, String> {
        if at + 1 < self.words.len() { Ok(at + 1) } else { Err(format!("`{}` has no value", shown(self.word(at)))) }
    }

    /// An option with its values; gives the place behind them.
    fn option(&mut self, at: usize, mut negated: bool, last_is_target: bool) -> Result<usize, String> {
        let known = self.resolve(at);
        let mut first = at + 1;
        let kind = known.and_then(|(known, _)| self.table.get(known)).map(|known| known.kind);
        let takes = kind.map(Kind::values);
        // ebtables has the `!` behind the option.
        let behind = takes != Some(0) && self.words.get(first).is_some_and(|word| word == "!");
        let next_is_option = || self.words.get(first + 1).is_none_or(|word| is_option(word));
        if behind && (takes.is_some() && self.implicit || !next_is_option()) {
            if negated {
                return Err(format!("`{}` is negated twice", shown(self.word(at))));
            }
            negated = true;
            first += 1;
        }
        let end = takes.map_or_else(|| self.end_of_values(first), |count| first + count);
        if end > self.words.len() {
            return Err(format!("`{}` has no value", shown(self.word(at))));
        }
        let owner = match known {
            Some((_, owner)) => owner,
            None => self.owner_of_unknown(last_is_target),
        };
        let known = known.map(|(known, _)| known);
        let listed = kind == Some(Kind::Network) && self.word(first).as_bytes().contains(&b',');
        self.options.push(Written { known, name: at, values: first..end, negated, owner, listed });
        Ok(end)
    }

    /// The option of the table that a word is, and whose it is here.
    fn resolve(&mut self, at: usize) -> Option<(usize, Owner)> {
        let range = self.places.find(self.table, self.word(at));
        // Modules share names of options; the one that was loaded last takes it.
        let mut latest: Option<(usize, usize)> = None;
        for place in range.clone() {
            let module = self.table.get(place)?.module;
            if module == Module::Rule {
                return Some((place, Owner::Rule));
            }
            if module == Module::Target && self.target.is_some() {
                return Some((place, Owner::Target));
            }
            let loaded = self.loaded.iter().rposition(|loaded| loaded.module == module);
            if let Some(loaded) = loaded.filter(|loaded| latest.is_none_or(|(_, latest)| latest < *loaded)) {
                latest = Some((place, loaded));
            }
        }
        if let Some((place, loaded)) = latest {
            return Some((place, Owner::Loaded(loaded)));
        }
        let place = range.start;
        let module = self.table.get(place).filter(|_| !range.is_empty())?.module;
        let loads = self.implicit || matches!(module, Module::Transport | Module::Icmp);
        (loads && module != Module::Target).then(|| {
            self.loaded.push(Loaded { module, name: None, odd: false });
            (place, Owner::Loaded(self.loaded.len() - 1))
        })
    }

    /// An option that is not in the table belongs to what was named last.
    fn owner_of_unknown(&mut self, last_is_target: bool) -> Owner {
        if last_is_target {
            return Owner::Target;
        }
        if self.loaded.is_empty() || self.implicit {
            self.loaded.push(Loaded { module: Module::Unknown, name: None, odd: true });
        }
        if let Some(last) = self.loaded.last_mut() {
            last.odd = true;
        }
        Owner::Loaded(self.loaded.len().saturating_sub(1))
    }

    /// Where the values of an option that is not in the table end: before the next option.
    fn end_of_values(&self, first: usize) -> usize {
        let mut at = first;
        while let Some(word) = self.words.get(at) {
            let negation = word == "!" && self.words.get(at + 1).is_none_or(|next| is_option(next));
            if is_option(word) || negation {
                break;
            }
            at += 1;
        }
        at
    }
}

/// Whether a word can be an option: a dash, and no number behind it.
fn is_option(word: &str) -> bool {
    match word.as_bytes() {
        [b'-', b'4' | b'6'] => true,
        [b'-', first, ..] => !first.is_ascii_digit(),
        _ => false,
    }
}

/// The beginning of a word, for a reason.
pub(super) fn shown(word: &str) -> String {
    const MOST: usize = 40;
    let mut text: String = word.chars().take(MOST).collect();
    if text.len() < word.len() {
        text.push('…');
    }
    text
}
