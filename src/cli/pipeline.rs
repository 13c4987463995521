//! The phases in their order: read, load, resolve, compile.
//!
//! Each phase reports all that it finds; one with errors is the last.

use std::path::Path;

use rayon::prelude::*;

use crate::diagnostic::{Diagnostics, SourceMap};
use crate::policy::Fleet;
use crate::spec::Spec;
use crate::target::{self, Compiled, OutputFile, Selection, Target, TemplateError, Templates};
use crate::{resolve, spec};

use super::{Failure, Style, console, disk, report};

/// How far a spec came.
#[derive(Debug)]
pub struct Pipeline {
    /// What was read.
    pub sources: SourceMap,
    /// What was found so far.
    pub diagnostics: Diagnostics,
    /// What the spec means; none where there are errors.
    pub fleet: Option<Fleet>,
}

impl Pipeline {
    /// Reads and resolves the spec that the command line names.
    ///
    /// # Errors
    /// Where there is no spec.
    pub fn run(spec: Option<&Path>) -> Result<Self, Failure> {
        let (sources, diagnostics) = disk::read_spec(spec)?;
        let (pipeline, spec) = Self::resolve(sources, diagnostics);
        // A large spec takes a while to free; nobody has to wait for that.
        rayon::spawn(move || drop(spec));
        Ok(pipeline)
    }

    /// Resolves a spec that was read, `diagnostics` being what was found by that; the spec itself, where its shape is
    /// right, is given beside what it means.
    pub fn resolve(sources: SourceMap, mut diagnostics: Diagnostics) -> (Self, Option<Spec>) {
        let mut fleet = None;
        let mut spec = None;
        if !diagnostics.has_errors() {
            let (loaded, found) = spec::load(&sources);
            diagnostics.append(found);
            spec = loaded;
            if let Some(spec) = spec.as_ref().filter(|_| !diagnostics.has_errors()) {
                let (resolved, found) = resolve::resolve(spec);
                diagnostics.append(found);
                fleet = resolved.filter(|_| !diagnostics.has_errors());
            }
        }
        (Self { sources, diagnostics, fleet }, spec)
    }

    /// Compiles what is selected for all targets. There are no files where there are errors.
    ///
    /// # Errors
    /// Where a template does not render, or leaves out lines.
    pub fn compile(&mut self, selection: &Selection, templates: &Templates) -> Result<Vec<OutputFile>, Failure> {
        let Some(fleet) = &self.fleet else { return Ok(Vec::new()) };
        let Compiled { files, diagnostics } = compile(fleet, selection, templates, |_| ())?;
        self.diagnostics.append(diagnostics);
        Ok(if self.diagnostics.has_errors() { Vec::new() } else { files })
    }

    /// Prints what was found, if anything, to standard error. Says whether the work can go on.
    pub fn report(&mut self) -> bool {
        self.diagnostics.sort();
        if !self.diagnostics.is_empty() {
            console::say(&report::findings(&self.sources, &self.diagnostics, Style::stderr()));
        }
        !self.diagnostics.has_errors()
    }
}

/// Compiles what is selected for all targets; `also` does something with what each of them made, as soon as it is there.
/// There are no files where there are errors.
///
/// # Errors
/// Where a template does not render, or leaves out lines.
pub fn compile(
    fleet: &Fleet,
    selection: &Selection,
    templates: &Templates,
    also: impl Fn(&Result<Compiled, TemplateError>) + Sync,
) -> Result<Compiled, Failure> {
    let compile = |target: &&dyn Target| {
        let compiled = target.compile(fleet, selection, templates);
        also(&compiled);
        compiled
    };
    // Where there are two processors, one begins with the target that takes longest, and the other one with those that are at
    // their end once they are made: it proves the rules of nft, which it makes last, meanwhile.
    let [pve, iptables, nft, sysctl] = target::ALL;
    let targets = [iptables, nft, pve, sysctl];
    let of_targets: Vec<Result<Compiled, TemplateError>> = targets.par_iter().map(compile).collect();
    let mut all = Compiled::default();
    for compiled in of_targets {
        let compiled = compiled.map_err(|error| Failure::new(error.to_string()))?;
        all.diagnostics.append(compiled.diagnostics);
        all.files.extend(compiled.files);
    }
    if all.diagnostics.has_errors() {
        all.files.clear();
    }
    all.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(all)
}
