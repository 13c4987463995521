//! What one program makes of a tree: its files in their order, and the line that has the last word on each key.
//!
//! In: a [`Tree`] and a [`Program`]. Out: a [`Model`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::diagnostic::{FileId, Span};
use crate::net::sysctl_twin;
use crate::state::Unread;

use super::read::{Line, read};
use super::tree::{FOLDERS, Resolved, SYSCTL_CONF, Tree};
use super::{glob, normal};

/// Who loads the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Program {
    /// `sysctl --system` of procps, as people run it.
    Procps,
    /// `systemd-sysctl`, which runs at boot, after `systemd-modules-load`.
    Systemd,
}

impl Program {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Procps, Self::Systemd];

    /// As people know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Procps => "sysctl --system",
            Self::Systemd => "systemd-sysctl",
        }
    }

    /// Its paths in the order in which it reads them, and those hidden by a path of the same name before them.
    fn paths(self, tree: &Tree<'_>) -> (Vec<String>, Vec<Masked>) {
        let mut by_name: BTreeMap<&str, String> = BTreeMap::new();
        let mut masked = Vec::new();
        for folder in FOLDERS {
            for name in tree.names(folder) {
                if self == Self::Systemd && name.starts_with('.') {
                    continue;
                }
                let path = format!("{folder}/{name}");
                match by_name.get(name) {
                    Some(by) => masked.push(Masked { path, by: by.clone() }),
                    None => {
                        by_name.insert(name, path);
                    }
                }
            }
        }
        let mut paths: Vec<String> = by_name.into_values().collect();
        let is_file = matches!(tree.resolve(SYSCTL_CONF), Some(Resolved::Text(..) | Resolved::Unreadable(_)));
        if self == Self::Procps && is_file {
            paths.push(SYSCTL_CONF.to_owned());
        }
        (paths, masked)
    }
}

/// A file that is not read, because one of the same name stands in a folder of higher priority.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Masked {
    /// Its path.
    pub path: String,
    /// The other's.
    pub by: String,
}

/// A path that a program reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFile {
    /// Below the root.
    pub path: String,
    /// What it leads to, where that is another path; `/dev/null` and links to nowhere lead to nothing.
    pub leads_to: Option<String>,
    /// Why it cannot be read, if so; what it says is then missing here.
    pub unreadable: Option<String>,
    /// How many lines set or exclude a key.
    pub lines: usize,
    /// Lines that the programs do not take.
    pub unread: Vec<Unread>,
}

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The path under which it was read, below the root: `etc/sysctl.d/99-sysctl.conf`.
    pub path: String,
    /// The path that this leads to, if it is a link.
    pub leads_to: Option<String>,
    /// The line's number, from 1.
    pub line: u32,
    /// The file of the text.
    pub file: FileId,
    /// The line.
    pub span: Span,
}

impl fmt::Display for Place {
    /// `/etc/sysctl.d/99-sysctl.conf:3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}:{}", self.path, self.line)
    }
}

/// A line as its program comes to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The key in its one spelling; may be a pattern.
    pub key: String,
    /// Whether it is one.
    pub is_pattern: bool,
    /// None: the key is excluded.
    pub value: Option<String>,
    /// Whether a failure to set it is passed over in silence.
    pub ignore_failure: bool,
    /// As of the [`Line`].
    pub odd_spelling: Option<String>,
    /// Where.
    pub place: Place,
}

/// What becomes of one key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome<'m> {
    /// The line with the last word. Without a value it excludes the key, which is then not set. None where the program
    /// takes no line about the key, and no pattern sets it.
    pub winner: Option<&'m Assignment>,
    /// All other lines about the key or its twin, patterns included, in the order in which they are read.
    pub losers: Vec<&'m Assignment>,
}

impl<'m> Outcome<'m> {
    /// The value that is set; none where nothing is.
    #[must_use]
    pub fn value(&self) -> Option<&'m str> {
        self.winner.and_then(|line| line.value.as_deref())
    }
}

/// All that one program reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Whose view it is.
    pub program: Program,
    /// In the order of reading; a file comes twice where two paths lead to it.
    pub files: Vec<ReadFile>,
    /// What is not read, by path.
    pub masked: Vec<Masked>,
    assignments: Vec<Assignment>,
    /// By key, twins apart.
    explicit: BTreeMap<String, Vec<usize>>,
    patterns: BTreeMap<String, Vec<usize>>,
}

/// A line with the last word on a name, and when it is written.
#[derive(Debug, Clone, Copy)]
struct Last {
    written: usize,
    line: usize,
}

impl Model {
    /// What `program` makes of `tree`.
    #[must_use]
    pub fn of(tree: &Tree<'_>, program: Program) -> Self {
        let (paths, mut masked) = program.paths(tree);
        masked.sort();
        let (explicit, patterns) = (BTreeMap::new(), BTreeMap::new());
        let (files, assignments) = (Vec::new(), Vec::new());
        let mut model = Self { program, files, masked, assignments, explicit, patterns };
        for path in paths {
            model.read(tree, path);
        }
        for (index, line) in model.assignments.iter().enumerate() {
            let table = if line.is_pattern { &mut model.patterns } else { &mut model.explicit };
            table.entry(line.key.clone()).or_default().push(index);
        }
        model
    }

    fn read(&mut self, tree: &Tree<'_>, path: String) {
        let mut file = ReadFile { path, leads_to: None, unreadable: None, lines: 0, unread: Vec::new() };
        match tree.resolve(&file.path) {
            Some(Resolved::Text(target, id, text)) => {
                file.leads_to = (target != file.path).then(|| target.to_owned());
                let found = read(id, text);
                file.unread = found.unread;
                let taken = found.lines.into_iter().filter(|line| self.takes(line));
                let lines = taken.map(|line| assignment(line, &file.path, file.leads_to.as_ref(), id));
                let before = self.assignments.len();
                self.assignments.extend(lines.collect::<Vec<_>>());
                file.lines = self.assignments.len() - before;
            }
            Some(Resolved::Unreadable(reason)) => file.unreadable = Some(reason.to_owned()),
            Some(Resolved::Nothing) | None => {}
        }
        self.files.push(file);
    }

    fn takes(&self, line: &Line<'_>) -> bool {
        match self.program {
            Program::Procps => line.procps_takes_it,
            Program::Systemd => true,
        }
    }

    /// Every line that is taken, in the order of reading.
    pub fn assignments(&self) -> impl Iterator<Item = &Assignment> {
        self.assignments.iter()
    }

    /// Every line about a key, in its one spelling, in the order of reading; neither its twin's nor patterns.
    pub fn lines_about(&self, key: &str) -> impl DoubleEndedIterator<Item = &Assignment> {
        let lines = self.explicit.get(key).map(Vec::as_slice).unwrap_or_default();
        lines.iter().filter_map(|line| self.line(*line))
    }

    /// Keys that some line sets, sorted; neither patterns nor exclusions.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let set =
            |lines: &Vec<usize>| lines.iter().any(|line| self.line(*line).is_some_and(|line| line.value.is_some()));
        self.explicit.iter().filter(move |(_, lines)| set(lines)).map(|(key, _)| key.as_str())
    }

    /// Patterns that some line sets, sorted.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.patterns.keys().map(String::as_str)
    }

    /// What becomes of a key, given in its one spelling. A line about its twin counts: both are one variable.
    #[must_use]
    pub fn outcome(&self, key: &str) -> Outcome<'_> {
        let names: BTreeSet<&str> = std::iter::once(key).chain(sysctl_twin(key)).collect();
        let last = names.iter().filter_map(|name| self.last(name)).max_by_key(|last| last.written);
        let winner = match last {
            Some(last) => Some(last.line),
            None => names.iter().filter_map(|name| self.explicit.get(*name)?.last().copied()).max(),
        };
        let mut all: Vec<usize> = names.iter().filter_map(|name| self.explicit.get(*name)).flatten().copied().collect();
        let covers = |pattern: &str| names.iter().any(|name| glob::matches(pattern, name));
        all.extend(self.patterns.iter().filter(|(pattern, _)| covers(pattern)).flat_map(|(_, lines)| lines));
        all.sort_unstable();
        let losers = all.into_iter().filter(|index| Some(*index) != winner);
        Outcome {
            winner: winner.and_then(|index| self.line(index)),
            losers: losers.filter_map(|index| self.line(index)).collect(),
        }
    }

    fn line(&self, index: usize) -> Option<&Assignment> {
        self.assignments.get(index)
    }

    /// The line that sets a name, twins apart; none where none does.
    fn last(&self, name: &str) -> Option<Last> {
        let explicit = self.explicit.get(name).map(Vec::as_slice);
        let patterns = self.patterns.iter().filter(|(pattern, _)| glob::matches(pattern, name)).map(|(_, lines)| lines);
        match self.program {
            // Every line is written, in its turn; a pattern only where no line, not even an exclusion, is spelled as
            // the key that it comes upon.
            Program::Procps => {
                let explicit = explicit.unwrap_or_default();
                let is_kept_away = |line: &Assignment| {
                    explicit.iter().filter_map(|key| self.line(*key)).any(|key| key.odd_spelling == line.odd_spelling)
                };
                let patterns =
                    patterns.flatten().filter(|line| self.line(**line).is_some_and(|line| !is_kept_away(line)));
                let set = |line: &&usize| self.line(**line).is_some_and(|line| line.value.is_some());
                let last = explicit.iter().chain(patterns).filter(set).max();
                last.map(|line| Last { written: *line, line: *line })
            }
            // An exclusion keeps patterns from the key, wherever it stands.
            Program::Systemd => match explicit {
                Some(lines) => self.entry(lines),
                None => patterns.filter_map(|lines| self.entry(lines)).max_by_key(|last| last.written),
            },
        }
    }

    /// The entry of a key or pattern in systemd's table: a line with another value moves it to the table's end, one with
    /// the same value leaves it where it is, and an exclusion is an entry without value.
    fn entry(&self, lines: &[usize]) -> Option<Last> {
        let mut entry: Option<(Last, Option<&str>)> = None;
        for index in lines {
            let value = self.line(*index).and_then(|line| line.value.as_deref());
            entry = match entry {
                Some((last, known)) if known == value => Some((Last { line: *index, ..last }, known)),
                Some(_) | None => Some((Last { written: *index, line: *index }, value)),
            };
        }
        entry.and_then(|(last, value)| value.map(|_| last))
    }
}

fn assignment(line: Line<'_>, path: &str, leads_to: Option<&String>, file: FileId) -> Assignment {
    let place = Place { path: path.to_owned(), leads_to: leads_to.cloned(), line: line.number, file, span: line.span };
    Assignment {
        key: line.key,
        is_pattern: line.is_pattern,
        value: line.value.map(|value| value.value.to_owned()),
        ignore_failure: line.ignore_failure,
        odd_spelling: line.odd_spelling,
        place,
    }
}

impl Assignment {
    /// Whether it sets the same value as another, blanks and tabs aside.
    #[must_use]
    pub fn sets_the_same(&self, other: &Self) -> bool {
        self.value.as_deref().map(normal) == other.value.as_deref().map(normal)
    }
}
