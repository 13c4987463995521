//! `--base REV`: the spec as it stands against the spec as it was.

use crate::cli::disk::{self, AtRevision};
use crate::cli::pipeline::Pipeline;
use crate::cli::report::plural;
use crate::cli::{Failure, Style, console, report as findings};
use crate::diagnostic::{Diagnostics, Places, Severity, SourceMap};
use crate::diff::policy::{self, Side};
use crate::diff::report::{Note, NoteKind, Report};
use crate::diff::wire;
use crate::spec::Spec;
use crate::target::{Selection, Templates};

use super::text::{self, Files};
use super::{Arguments, Outcome};

/// Builds both specs in memory and compares them.
///
/// # Errors
/// Where there is no spec, no revision, or no spec in it.
pub(super) fn compare(arguments: &Arguments, revision: &str) -> Result<Outcome, Failure> {
    let path = disk::spec_path(arguments.spec.as_deref())?;
    let (sources, diagnostics) = disk::read_spec(Some(&path))?;
    let there = disk::read_at_revision(&path, &sources, revision, arguments.base_spec.as_deref())?;
    let AtRevision { sources: old_sources, diagnostics: old_diagnostics, commit, elsewhere, here } = there;
    let was = elsewhere.clone().unwrap_or_else(|| here.clone());
    let (old, new) = rayon::join(|| resolve(old_sources, old_diagnostics), || resolve(sources, diagnostics));
    let mut report = Report {
        old: if commit.starts_with(revision) { revision.to_owned() } else { format!("{revision} ({commit})") },
        new: path.display().to_string(),
        ..Report::default()
    };
    if let Some(elsewhere) = elsewhere {
        let message = format!("the spec was `{elsewhere}` in {revision}");
        report.notes.push(Note { kind: NoteKind::Info, host: None, message, help: None, place: None });
    }
    let (mut old, mut new) = (old, new);
    // Warnings are `check`'s: both sides' would drown the answer.
    let (old_is_right, new_is_right) = (said(&old), said(&new));
    let failed = !old_is_right || !new_is_right;
    if let (Some(before), Some(after)) = (old.side(), new.side()) {
        let (hosts, causes) = policy::compare(before, after);
        report.hosts = hosts;
        report.causes = causes;
        report.wire = Some(wire::compare(before, after, &report.hosts));
        if arguments.text {
            report.files = text::compare(&outputs(&mut old.pipeline)?, &outputs(&mut new.pipeline)?);
        }
    } else {
        report
            .notes
            .extend([without_meaning(&old, &report.old), without_meaning(&new, &report.new)].into_iter().flatten());
        let start = format!("{revision}:{was}");
        report.files = text::compare(
            &spec_files(&old.pipeline, &start, &here),
            &spec_files(&new.pipeline, &path.display().to_string(), &here),
        );
    }
    // The fleets of large specs take long to take apart, and the process ends soon.
    std::mem::forget((old, new));
    Ok(Outcome { report: Some(report), failed })
}

struct Resolved {
    pipeline: Pipeline,
    spec: Option<Spec>,
}

impl Resolved {
    fn side(&self) -> Option<Side<'_>> {
        let fleet = self.pipeline.fleet.as_ref()?;
        Some(Side { spec: self.spec.as_ref()?, fleet, sources: &self.pipeline.sources })
    }
}

fn resolve(sources: SourceMap, diagnostics: Diagnostics) -> Resolved {
    let (pipeline, spec) = Pipeline::resolve(sources, diagnostics);
    Resolved { pipeline, spec }
}

/// Prints the errors of a side, if there are any. Says whether there are none.
fn said(side: &Resolved) -> bool {
    let diagnostics = &side.pipeline.diagnostics;
    if diagnostics.has_errors() {
        let mut sorted = diagnostics.clone();
        sorted.sort();
        console::say(&findings::findings(&side.pipeline.sources, &sorted, Style::stderr()));
    }
    !diagnostics.has_errors()
}

/// The note on a side with errors.
fn without_meaning(side: &Resolved, name: &str) -> Option<Note> {
    let diagnostics = &side.pipeline.diagnostics;
    let errors = || diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let first = errors().next()?;
    let number = plural(errors().count(), "error");
    Some(Note {
        kind: NoteKind::NotCompared,
        host: None,
        message: format!("the spec of `{name}` has {number} ({}): only the text is compared", first.message),
        help: Some("`fwc check` shows where, and how to mend it".to_owned()),
        place: Some(Places(&side.pipeline.sources).of(first.span())),
    })
}

/// Every output file of a spec; what it says of targets is `check`'s to say.
fn outputs(pipeline: &mut Pipeline) -> Result<Files, Failure> {
    let templates = Templates::new(Default::default()).map_err(|error| Failure::new(error.to_string()))?;
    let files = pipeline.compile(&Selection::default(), &templates)?;
    Ok(files.into_iter().map(|file| (file.path, file.content)).collect())
}

/// The files of a spec, whose paths begin with `start`, as if it were at `here` in its repository.
fn spec_files(pipeline: &Pipeline, start: &str, here: &str) -> Files {
    let name = |path: String| {
        let rest = path.strip_prefix(start).unwrap_or(&path).trim_start_matches('/');
        [here, rest].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    };
    let start_is_here = |path: &str| path == start || path == "<stdin>";
    let file = |path: String| if start_is_here(&path) { here.to_owned() } else { name(path) };
    pipeline.sources.files().map(|(_, path, text)| (file(path.display().to_string()), text.to_owned())).collect()
}
