//! The answer as data, which JSON writes as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use crate::diagnostic::{Place, Places, SourceMap};
use crate::policy::{HostPolicy, TargetName};
use crate::state::sysctl::{Assignment, Outcome, Program, Standing, Survey, normal};

/// Directories of keys that are there once a module is loaded.
const OF_MODULES: [&str; 3] = ["net.bridge.", "net.netfilter.", "net.nf_conntrack_max"];

/// What an answer is made from.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) host: &'a HostPolicy,
    pub(super) root: &'a Path,
    pub(super) installed: Option<Installed>,
    pub(super) missing: Vec<String>,
    pub(super) survey: &'a Survey,
    pub(super) sources: &'a SourceMap,
}

/// What stands where fwc's file belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Installed {
    /// The same settings.
    Same,
    /// Something else.
    Differs,
    /// Nothing.
    Missing,
}

#[derive(Debug, Serialize)]
pub(super) struct Report {
    version: u8,
    pub(super) host: String,
    pub(super) root: String,
    /// fwc's file, which counts as the spec would build it; none where the host does not want one.
    pub(super) own: Option<OwnView>,
    /// Whether the host wants one.
    #[serde(skip)]
    pub(super) is_wanted: bool,
    /// How many of fwc's keys lose.
    pub(super) losing: usize,
    pub(super) keys: Vec<KeyView>,
    /// Lines that set all keys that a pattern stands for.
    pub(super) patterns: Vec<LineView>,
    /// Paths in the order in which each program reads them.
    pub(super) order: BTreeMap<&'static str, Vec<FileView>>,
    /// Files hidden by one of the same name.
    pub(super) hidden: Vec<HiddenView>,
    /// Lines that neither program takes.
    pub(super) unread: Vec<UnreadView>,
    /// Modules of keys of fwc's that nothing loads at boot.
    pub(super) missing_modules: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct OwnView {
    pub(super) file: String,
    pub(super) installed: Installed,
}

#[derive(Debug, Serialize)]
pub(super) struct KeyView {
    pub(super) key: String,
    /// fwc's own line.
    pub(super) own: Option<LineView>,
    /// Where the spec sets it; none where the firewall implies it.
    pub(super) spec: Option<Place>,
    /// Under which programs another line takes fwc's value away.
    pub(super) loses: Vec<&'static str>,
    pub(super) programs: BTreeMap<&'static str, OutcomeView>,
    /// Whether the key is there only once a module is loaded.
    pub(super) needs_module: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct OutcomeView {
    /// What is set; none where nothing is.
    pub(super) value: Option<String>,
    /// The line with the last word.
    pub(super) winner: Option<LineView>,
    /// All other lines about the key, in the order in which they are read.
    pub(super) losers: Vec<LineView>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct LineView {
    /// As it stands there: a pattern, the other name of the same setting, or the key.
    pub(super) key: String,
    /// None: the line keeps the key from being set.
    pub(super) value: Option<String>,
    pub(super) file: String,
    pub(super) line: u32,
    /// What the file leads to, if it is a link.
    pub(super) leads_to: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct FileView {
    pub(super) file: String,
    pub(super) leads_to: Option<String>,
    /// Lines that set or exclude a key.
    pub(super) lines: usize,
    pub(super) unreadable: Option<String>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct HiddenView {
    pub(super) file: String,
    pub(super) by: String,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct UnreadView {
    #[serde(flatten)]
    pub(super) place: Place,
    pub(super) text: String,
    pub(super) reason: String,
}

impl Report {
    pub(super) fn new(asked: &Asked<'_>) -> Self {
        let survey = asked.survey;
        let keys: Vec<KeyView> = survey.standings().map(|standing| key(asked, &standing)).collect();
        let models = || Program::ALL.into_iter().map(|program| survey.model(program));
        let patterns: BTreeSet<LineView> = models()
            .flat_map(|model| model.assignments())
            .filter(|line| line.is_pattern && line.value.is_some())
            .map(line)
            .collect();
        let hidden: BTreeSet<HiddenView> = models()
            .flat_map(|model| &model.masked)
            .map(|masked| HiddenView { file: absolute(&masked.path), by: absolute(&masked.by) })
            .collect();
        let places = Places(asked.sources);
        let unread: BTreeSet<UnreadView> = models()
            .flat_map(|model| model.files.iter().flat_map(|file| &file.unread))
            .map(|unread| UnreadView {
                place: places.of(unread.span),
                text: asked.sources.slice(unread.span).to_owned(),
                reason: unread.reason.clone(),
            })
            .collect();
        let own = asked
            .installed
            .map(|installed| OwnView { file: format!("/etc/sysctl.d/{}", asked.host.sysctl_file.value), installed });
        Self {
            version: 1,
            host: asked.host.name.clone(),
            root: asked.root.display().to_string(),
            own,
            is_wanted: asked.host.targets.contains(&TargetName::Sysctl),
            losing: keys.iter().filter(|key| !key.loses.is_empty()).count(),
            keys,
            patterns: patterns.into_iter().collect(),
            order: models().map(|model| (model.program.name(), model.files.iter().map(file).collect())).collect(),
            hidden: hidden.into_iter().collect(),
            unread: unread.into_iter().collect(),
            missing_modules: asked.missing.clone(),
        }
    }

    /// fwc's keys, and those of other files.
    pub(super) fn parted(&self) -> (Vec<&KeyView>, Vec<&KeyView>) {
        self.keys.iter().partition(|key| key.own.is_some())
    }
}

impl KeyView {
    /// Whether both programs set the same value.
    pub(super) fn programs_agree(&self) -> bool {
        let mut values = self.programs.values().map(|outcome| outcome.value.as_deref().map(normal));
        values.next() == values.next()
    }
}

fn key(asked: &Asked<'_>, standing: &Standing<'_>) -> KeyView {
    let spec = asked.host.sysctl.iter().find(|setting| setting.key == standing.key);
    let loses = Program::ALL.into_iter().filter(|program| standing.loss(*program).is_some());
    KeyView {
        key: standing.key.clone(),
        own: standing.own.map(line),
        spec: spec.map(|setting| Places(asked.sources).of(setting.origin.span)),
        loses: loses.map(Program::name).collect(),
        programs: Program::ALL
            .into_iter()
            .map(|program| (program.name(), outcome(standing.outcome(program))))
            .collect(),
        needs_module: OF_MODULES.iter().any(|prefix| standing.key.starts_with(prefix)),
    }
}

fn outcome(outcome: &Outcome<'_>) -> OutcomeView {
    OutcomeView {
        value: outcome.value().map(str::to_owned),
        winner: outcome.winner.map(line),
        losers: outcome.losers.iter().map(|loser| line(loser)).collect(),
    }
}

fn line(line: &Assignment) -> LineView {
    LineView {
        key: line.key.clone(),
        value: line.value.clone(),
        file: absolute(&line.place.path),
        line: line.place.line,
        leads_to: line.place.leads_to.as_deref().map(absolute),
    }
}

fn file(file: &crate::state::sysctl::ReadFile) -> FileView {
    FileView {
        file: absolute(&file.path),
        leads_to: file.leads_to.as_deref().map(absolute),
        lines: file.lines,
        unreadable: file.unreadable.clone(),
    }
}

fn absolute(path: &str) -> String {
    format!("/{path}")
}
