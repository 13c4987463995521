//! What a machine has (or a folder says it should have), held against the spec.
//!
//! In: what the spec compiles to, and what was found: rulesets, `.fw` files, kernel settings, guests' configurations. Out:
//! the same report as two specs give. Every output says a rule in its own words; by its comment it is traced back to the
//! spec, and what differs in several outputs for one rule is one change. Old is what was found, new is what the
//! spec says.

mod fw;
mod origin;
mod rules;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::diagnostic::{Place, SourceMap, Span};
use crate::policy::{Fleet, HostPolicy, ZoneRef};

use super::collect::{CauseRef, Collector, Draft};
use super::report::{At, Cause, HostReport, Kind, Note, NoteKind, Status, Subject};

use origin::Origins;

pub use fw::FwFile;
pub use rules::Likeness;
pub use settings::losses;

/// What is not in the spec at all, as a cause.
const OUTSIDE: &str = "not in the spec";
/// What the spec says and nobody loaded, as a cause.
const NOT_LOADED: &str = "not loaded";

/// Collects what differs, host by host.
#[derive(Debug)]
pub struct Machines<'a> {
    fleet: &'a Fleet,
    found: &'a SourceMap,
    collector: Collector<'a>,
    notes: Vec<Note>,
    /// Of the present host.
    drafts: Vec<Found>,
    /// How many changes were added, those that joined others among them.
    said: usize,
}

/// A change as one output shows it.
#[derive(Debug)]
struct Found {
    cause: CauseRef,
    draft: Draft,
    at: BTreeSet<At>,
}

impl<'a> Machines<'a> {
    /// Nothing compared yet. `spec` is the text of the spec, `found` of all that was found.
    #[must_use]
    pub fn new(fleet: &'a Fleet, spec: &'a SourceMap, found: &'a SourceMap) -> Self {
        Self { fleet, found, collector: Collector::new(found, spec), notes: Vec::new(), drafts: Vec::new(), said: 0 }
    }

    /// Begins with a host: it and its guests count as compared.
    pub fn host<'m>(&'m mut self, host: &'a HostPolicy) -> Host<'m, 'a> {
        self.collector.machine(&host.name, &ZoneRef::Host(host.name.clone()), Status::Unchanged);
        for guest in &host.guests {
            self.collector.machine(&host.name, &guest.zone(), Status::Unchanged);
        }
        Host { origins: Origins::new(self.fleet, host), host, machines: self }
    }

    /// A host that only one side has: `status` says which.
    pub fn lonely_host(&mut self, host: &str, status: Status) {
        let zone = ZoneRef::Host(host.to_owned());
        self.collector.machine(host, &zone, status);
        let known = self.fleet.hosts.iter().find(|known| known.name == host);
        let (kind, old, new) = match status {
            Status::Removed => (Kind::Removed, Some(zone.to_string()), None),
            Status::Added | Status::Changed | Status::Unchanged => (Kind::Added, None, Some(zone.to_string())),
        };
        let path = format!("hosts.{host}");
        let cause = CauseRef { path, status, old: None, new: known.map(|host| host.span) };
        let draft = Draft {
            kind,
            subject: Subject::Machine,
            name: zone.to_string(),
            zone: None,
            old,
            new,
            detail: None,
            spans: (None, cause.new),
        };
        let at = self.collector.at(host, &zone, None);
        self.collector.add(&cause, draft, Some(at));
    }

    /// Something to know beside the differences.
    pub fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// The hosts, the causes, and what else there is to know.
    #[must_use]
    pub fn finish(self) -> (Vec<HostReport>, Vec<Cause>, Vec<Note>) {
        let (hosts, causes) = self.collector.finish();
        (hosts, causes, self.notes)
    }
}

/// One host under comparison.
#[derive(Debug)]
pub struct Host<'m, 'a> {
    machines: &'m mut Machines<'a>,
    host: &'a HostPolicy,
    origins: Origins<'a>,
}

impl Host<'_, '_> {
    /// A note about this host.
    pub fn note(&mut self, kind: NoteKind, message: impl Into<String>, help: Option<&str>, place: Option<Span>) {
        let place: Option<Place> = place.map(|span| crate::diagnostic::Places(self.machines.found).of(span));
        self.machines.notes.push(Note {
            kind,
            host: Some(self.host.name.clone()),
            message: message.into(),
            help: help.map(str::to_owned),
            place,
        });
    }

    /// A file of fwc's that a folder does not have.
    pub fn missing_file(&mut self, output: &'static str, path: &str) {
        self.property(output, path, None, Some("the file".to_owned()), Some("it is not there"));
    }

    /// Rules of the other kind of iptables in a table of fwc's: packets pass both kinds.
    pub fn other_kind(&mut self, program: &str, table: &str, rules: usize) {
        let machine = ZoneRef::Host(self.host.name.clone());
        let old = if rules > 0 { format!("{rules} rules") } else { "a policy that drops".to_owned() };
        let draft = Draft {
            kind: Kind::Removed,
            subject: Subject::Property,
            name: format!("{program}, table {table}"),
            zone: None,
            old: Some(old),
            new: None,
            detail: Some("packets pass the tables of both kinds of iptables".to_owned()),
            spans: (None, None),
        };
        let at = self.at(&machine, None, "iptables");
        self.add(Origins::outside(), draft, [at]);
    }

    /// A file that is compared as it is.
    pub fn plain_file(&mut self, path: &str, old: Option<String>, new: Option<String>) {
        self.property("sysctl", path, old, new, None);
    }

    fn property(
        &mut self,
        output: &'static str,
        name: &str,
        old: Option<String>,
        new: Option<String>,
        detail: Option<&str>,
    ) {
        let machine = ZoneRef::Host(self.host.name.clone());
        let cause = self.origins.zone(&machine);
        let kind = match (&old, &new) {
            (None, _) => Kind::Added,
            (_, None) => Kind::Removed,
            (_, _) => Kind::Altered,
        };
        let spans = (None, cause.new);
        let draft = Draft {
            kind,
            subject: Subject::Property,
            name: name.to_owned(),
            zone: None,
            old,
            new,
            detail: detail.map(str::to_owned),
            spans,
        };
        let at = self.at(&machine, None, output);
        self.add(cause, draft, [at]);
    }

    fn at(&self, machine: &ZoneRef, hook: Option<&str>, output: &'static str) -> At {
        At {
            host: self.host.name.clone(),
            machine: machine.to_string(),
            hook: hook.map(str::to_owned),
            output: Some(output),
        }
    }

    /// Adds a change of one output; the same rule's in another one joins it.
    fn add(&mut self, cause: CauseRef, draft: Draft, at: impl IntoIterator<Item = At>) {
        self.machines.said += 1;
        let found = Found { cause, draft, at: at.into_iter().collect() };
        let same = |other: &&mut Found| {
            let (a, b) = (&other.draft, &found.draft);
            let named = !a.name.is_empty() && a.subject == Subject::Rule && a.zone == b.zone && a.name == b.name;
            let output = |found: &Found| found.at.iter().next().and_then(|at| at.output);
            other.cause.path == found.cause.path
                && a.subject == b.subject
                && (a == b || named && a.kind == b.kind && output(other) != output(&found))
        };
        match self.machines.drafts.iter_mut().find(same) {
            Some(known) => known.at.extend(found.at),
            None => self.machines.drafts.push(found),
        }
    }

    /// Ends with this host.
    pub fn done(self) {
        for Found { cause, draft, at } in std::mem::take(&mut self.machines.drafts) {
            if at.is_empty() {
                self.machines.collector.add(&cause, draft, None);
                continue;
            }
            for at in at {
                self.machines.collector.add(&cause, draft.clone(), Some(at));
            }
        }
    }
}
