//! Changes as they are found, put under their causes; the same change at many places is one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::diagnostic::{Place, Places, SourceMap, Span};
use crate::diff::report::{At, Cause, Change, HostReport, Kind, MachineReport, Status, Subject};
use crate::policy::{HookName, ZoneRef};

/// A host and a machine on it.
type Reached = (String, String);

/// What was edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CauseRef {
    /// As a path of the spec.
    pub(crate) path: String,
    pub(crate) status: Status,
    pub(crate) old: Option<Span>,
    pub(crate) new: Option<Span>,
}

/// A change without the places where it takes effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Draft {
    pub(crate) kind: Kind,
    pub(crate) subject: Subject,
    pub(crate) name: String,
    pub(crate) zone: Option<String>,
    pub(crate) old: Option<String>,
    pub(crate) new: Option<String>,
    pub(crate) detail: Option<String>,
    /// Where it was written, and where it is.
    pub(crate) spans: (Option<Span>, Option<Span>),
}

#[derive(Debug)]
struct CauseDraft {
    status: Status,
    old: Option<Span>,
    new: Option<Span>,
    /// In the order in which they were found.
    changes: Vec<(Draft, BTreeSet<At>)>,
    index: HashMap<Draft, usize>,
}

/// Collects.
#[derive(Debug)]
pub(crate) struct Collector<'a> {
    old: Places<'a>,
    new: Places<'a>,
    causes: BTreeMap<String, CauseDraft>,
    /// By host, then by machine.
    machines: BTreeMap<String, BTreeMap<String, Status>>,
}

impl<'a> Collector<'a> {
    pub(crate) const fn new(old: &'a SourceMap, new: &'a SourceMap) -> Self {
        Self { old: Places(old), new: Places(new), causes: BTreeMap::new(), machines: BTreeMap::new() }
    }

    /// A machine that was compared.
    pub(crate) fn machine(&mut self, host: &str, machine: &ZoneRef, status: Status) {
        let machines = self.machines.entry(host.to_owned()).or_default();
        let known = machines.entry(machine.to_string()).or_insert(status);
        if *known == Status::Unchanged {
            *known = status;
        }
    }

    /// A place of effect.
    pub(crate) fn at(&self, host: &str, machine: &ZoneRef, hook: Option<HookName>) -> At {
        let hook = hook.map(|hook| hook.name().to_owned());
        At { host: host.to_owned(), machine: machine.to_string(), hook, output: None }
    }

    /// A change, and one place where it takes effect (none, if only what follows from it shows it).
    pub(crate) fn add(&mut self, cause: &CauseRef, draft: Draft, at: Option<At>) {
        let known = self.causes.entry(cause.path.clone()).or_insert_with(|| CauseDraft {
            status: cause.status,
            old: cause.old,
            new: cause.new,
            changes: Vec::new(),
            index: HashMap::new(),
        });
        let index = match known.index.get(&draft) {
            Some(index) => *index,
            None => {
                known.index.insert(draft.clone(), known.changes.len());
                known.changes.push((draft, BTreeSet::new()));
                known.changes.len() - 1
            }
        };
        if let Some((_, places)) = known.changes.get_mut(index) {
            places.extend(at);
        }
    }

    /// Whether a change of this option was told under a cause.
    pub(crate) fn has_option(&self, path: &str, name: &str) -> bool {
        let changes = self.causes.get(path).into_iter().flat_map(|cause| &cause.changes);
        changes.into_iter().any(|(draft, _)| draft.subject == Subject::Option && draft.name == name)
    }

    /// The hosts by name; the causes, those that reach most machines first.
    pub(crate) fn finish(self) -> (Vec<HostReport>, Vec<Cause>) {
        let Self { old, new, causes, mut machines } = self;
        let mut drafts: Vec<(String, CauseDraft, BTreeSet<Reached>)> = causes
            .into_iter()
            .map(|(path, draft)| {
                let reach = draft.changes.iter().flat_map(|(_, at)| at);
                let reach = reach.map(|at| (at.host.clone(), at.machine.clone())).collect();
                (path, draft, reach)
            })
            .collect();
        drafts.sort_by(|a, b| b.2.len().cmp(&a.2.len()).then_with(|| a.0.cmp(&b.0)));
        let mut why: BTreeMap<Reached, Vec<usize>> = BTreeMap::new();
        for (index, (_, _, reach)) in drafts.iter().enumerate() {
            for place in reach {
                why.entry(place.clone()).or_default().push(index);
            }
        }
        for (host, machine) in why.keys() {
            let known = machines.entry(host.clone()).or_default().entry(machine.clone()).or_insert(Status::Changed);
            if *known == Status::Unchanged {
                *known = Status::Changed;
            }
        }
        let hosts = machines.into_iter().map(|(host, machines)| report(host, machines, &why)).collect();
        let causes = drafts.into_iter().map(|(path, draft, reach)| cause(path, draft, &reach, old, new)).collect();
        (hosts, causes)
    }
}

fn report(host: String, machines: BTreeMap<String, Status>, why: &BTreeMap<Reached, Vec<usize>>) -> HostReport {
    let itself = machines.get(&format!("host/{host}")).copied().unwrap_or(Status::Unchanged);
    let unchanged = machines.values().filter(|status| **status == Status::Unchanged).count();
    let status = match itself {
        Status::Added | Status::Removed => itself,
        Status::Changed | Status::Unchanged if unchanged == machines.len() => Status::Unchanged,
        Status::Changed | Status::Unchanged => Status::Changed,
    };
    let mut differing: Vec<MachineReport> = machines
        .into_iter()
        .filter(|(_, status)| *status != Status::Unchanged)
        .map(|(machine, status)| {
            let causes = why.get(&(host.clone(), machine.clone())).cloned().unwrap_or_default();
            MachineReport { machine, status, causes }
        })
        .collect();
    differing.sort_by_cached_key(|machine| by_number(&machine.machine));
    HostReport { host, status, machines: differing, unchanged }
}

/// The host first, then guests by number, then vnets.
pub(crate) fn by_number(machine: &str) -> (u8, u32, String) {
    match machine.split_once('/') {
        Some(("host", _)) => (0, 0, machine.to_owned()),
        Some(("vm" | "ct", id)) => (1, id.parse().unwrap_or(u32::MAX), machine.to_owned()),
        Some(_) | None => (2, 0, machine.to_owned()),
    }
}

fn cause(path: String, draft: CauseDraft, reach: &BTreeSet<Reached>, old: Places<'_>, new: Places<'_>) -> Cause {
    let place = |places: Places<'_>, span: Option<Span>| -> Option<Place> { span.map(|span| places.of(span)) };
    let changes: Vec<Change> = draft
        .changes
        .into_iter()
        .map(|(draft, at)| Change {
            kind: draft.kind,
            subject: draft.subject,
            name: draft.name,
            zone: draft.zone,
            old: draft.old,
            new: draft.new,
            detail: draft.detail,
            place: place(new, draft.spans.1),
            old_place: place(old, draft.spans.0),
            at: at.into_iter().collect(),
        })
        .collect();
    let hosts: BTreeSet<&str> = reach.iter().map(|(host, _)| host.as_str()).collect();
    let machines: BTreeSet<&str> = reach.iter().map(|(_, machine)| machine.as_str()).collect();
    Cause {
        path,
        status: draft.status,
        place: place(new, draft.new),
        old_place: place(old, draft.old),
        machines: machines.len(),
        hosts: hosts.len(),
        changes,
    }
}
