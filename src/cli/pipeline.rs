//! The phases in their order: read, load, resolve, compile.
//!
//! Each phase reports all that it finds; one with errors is the last.

use std::path::Path;

use rayon::prelude::*;

use crate::diagnostic::{Diagnostics, SourceMap};
use crate::policy::Fleet;
use crate::spec::Spec;
use crate::target::{self, OutputFile, Selection, Templates};
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
        Ok(self.compile_and(selection, templates, |_| ())?.0)
    }

    /// The same, and does something with the files of each target as soon as they are there.
    ///
    /// # Errors
    /// As [`Pipeline::compile`].
    pub fn compile_and<T: Send>(
        &mut self,
        selection: &Selection,
        templates: &Templates,
        also: impl Fn(&[OutputFile]) -> T + Sync,
    ) -> Result<(Vec<OutputFile>, Vec<T>), Failure> {
        let Some(fleet) = &self.fleet else { return Ok((Vec::new(), Vec::new())) };
        let compile = |target: &&dyn target::Target| {
            let compiled = target.compile(fleet, selection, templates)?;
            let done = also(&compiled.files);
            Ok((compiled, done))
        };
        // Where there are two processors, each begins with one that takes long.
        let [pve, iptables, nft, sysctl] = target::ALL;
        let targets = [iptables, pve, nft, sysctl];
        let compiled: Vec<Result<_, target::TemplateError>> = targets.par_iter().map(compile).collect();
        let (mut files, mut all_done) = (Vec::new(), Vec::new());
        for compiled in compiled {
            let (compiled, done) = compiled.map_err(|error| Failure::new(error.to_string()))?;
            self.diagnostics.append(compiled.diagnostics);
            files.extend(compiled.files);
            all_done.push(done);
        }
        if self.diagnostics.has_errors() {
            files.clear();
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok((files, all_done))
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
