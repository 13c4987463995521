//! The proof of an import: the spec is compiled for Proxmox VE, and what comes out is compared with what went in.
//!
//! In: the copy, and the spec's text as it was written. Out: every place where the two say something else. The text goes
//! the whole way (loaded, resolved, compiled, read back), so that nothing that an import made stands for itself.
//!
//! Rules are compared by what they match: macros, names and lists are taken apart on both sides. Neighbours that do the
//! same may change places, since no packet can tell. What an import leaves out with a word in its list (lines that Proxmox
//! VE ignores, or a spec cannot say) is left out on this side too; all else must be there, and nothing besides.

mod compare;
mod meaning;

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostics, SourceMap, Span};
use crate::net::AddressSet;
use crate::policy::Fleet;
use crate::resolve::resolve;
use crate::spec;
use crate::target::Pve;
use crate::target::{OutputFile, Selection, Target, Templates};

use super::Input;

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where the copy says it; the file's beginning where it says nothing of the kind.
    pub place: Span,
    /// What, in a sentence.
    pub message: String,
    /// What Proxmox VE has today.
    pub before: String,
    /// What it would have.
    pub after: String,
}

/// The result of a comparison.
#[derive(Debug)]
pub enum Verified {
    /// Both were compared: what differs.
    Compared(Vec<Difference>),
    /// The spec does not compile for Proxmox VE: its text, and why.
    DoesNotCompile(SourceMap, Diagnostics),
}

/// Compares a copy with the spec made of it. `texts` are the spec's files.
#[must_use]
pub fn verify(sources: &SourceMap, inputs: &[Input], texts: &[(String, String)]) -> Verified {
    let mut made = SourceMap::default();
    for (path, text) in texts {
        made.add(path, text.as_str());
    }
    let (loaded, mut found) = spec::load(&made);
    let fleet = loaded.filter(|_| !found.has_errors()).and_then(|spec| {
        let (fleet, more) = resolve(&spec);
        found.append(more);
        fleet
    });
    let Some(fleet) = fleet.filter(|_| !found.has_errors()) else { return Verified::DoesNotCompile(made, found) };
    let files =
        match Templates::new(BTreeMap::new()).map(|templates| Pve.compile(&fleet, &Selection::default(), &templates)) {
            Ok(Ok(compiled)) => {
                found.append(compiled.diagnostics);
                compiled.files
            }
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
    if found.has_errors() {
        return Verified::DoesNotCompile(made, found);
    }
    let mut rendered = SourceMap::default();
    let after: Vec<Input> = files
        .iter()
        .filter_map(|OutputFile { path, content, .. }| {
            let role = super::role(path.strip_prefix("pve/")?)?;
            Some(Input { role, file: rendered.add(path, content.as_str()) })
        })
        .collect();
    let networks = local_networks(&fleet);
    let before = meaning::Meaning::read(sources, inputs, &networks);
    let after = meaning::Meaning::read(&rendered, &after, &networks);
    Verified::Compared(compare::compare(&before, &after))
}

/// What `local_network` is on each host, where nothing defines it.
fn local_networks(fleet: &Fleet) -> BTreeMap<String, AddressSet> {
    let known = |host: &crate::policy::HostPolicy| Some((host.name.clone(), (**host.local_network.as_ref()?).clone()));
    fleet.hosts.iter().filter_map(known).collect()
}
