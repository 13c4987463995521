//! The target `pve`: Proxmox VE's `.fw` files, laid out as `/etc/pve` is.
//!
//! In: a fleet. Out: `firewall/cluster.fw`, a `host.fw` for each node, a `<VMID>.fw` for each guest of a node, a file for
//! each vnet. Promise: both of Proxmox VE's implementations read every line, and enforce what the policy says as far
//! as they can; what they cannot is an error at its place, and what one of them ignores or judges otherwise a warning.
//!
//! Where things go:
//!
//! | in the spec | in the files |
//! |---|---|
//! | the datacenter's rules | `cluster.fw`; where they do not mean the same on every node, each `host.fw`, last |
//! | guardrails, a host's rules, its zones' rules | `host.fw`, in that order |
//! | a policy of one host | final rules of `host.fw`, with the stages before the policy repeated (see `tail`) |
//! | guest options and rules, inherited ones included | `<VMID>.fw`, flattened |
//! | aliases and ipsets of the datacenter and of guests | where they are |
//! | aliases and ipsets of hosts and zones, machine references, lists | hoisted (see `names`) |
//! | rules that one line cannot say | split or refused (see `rule`) |
//! | `management`, `blacklist`, `local_network` below the datacenter | refused: Proxmox VE knows them once |
//! | a NIC's sources | `[IPSET ipfilter-net<N>]`, link-local addresses included |
//!
//! A comment on a rule is `[identity] words`: the rule's `id` (or the hash that stands for it), then the author's words.
//! Comment lines before rules name the zone that wrote them.

mod build;
#[cfg(test)]
mod check;
mod differ;
mod file;
mod guest;
mod host;
mod ipset;
mod loaded;
mod names;
mod options;
mod rule;
mod tail;
#[cfg(test)]
mod tests;
mod warn;

use rayon::prelude::*;

use crate::policy::{Fleet, TargetName};

use build::Draft;

pub use loaded::is_of_proxmox;

use super::{Compiled, OutputFile, OutputName, Selection, Target, TemplateError, Templates};

/// Name (as below `templates/`) and text of this target's templates.
pub(super) const TEMPLATES: &[(&str, &str)] = &[
    ("pve/cluster.fw.j2", include_str!("../../../templates/pve/cluster.fw.j2")),
    ("pve/guest.fw.j2", include_str!("../../../templates/pve/guest.fw.j2")),
    ("pve/host.fw.j2", include_str!("../../../templates/pve/host.fw.j2")),
    ("pve/vnet.fw.j2", include_str!("../../../templates/pve/vnet.fw.j2")),
];

/// The target.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pve;

impl Target for Pve {
    fn name(&self) -> TargetName {
        TargetName::Pve
    }

    fn compile(&self, fleet: &Fleet, selection: &Selection, templates: &Templates) -> Result<Compiled, TemplateError> {
        if !fleet.hosts.iter().any(|host| selection.wants(host, OutputName::Pve)) {
            return Ok(Compiled::default());
        }
        // Whatever is selected, all is built: what `cluster.fw` holds depends on every machine.
        let (drafts, mut diagnostics) = build::all(fleet);
        diagnostics.sort();
        if diagnostics.has_errors() {
            return Ok(Compiled { files: Vec::new(), diagnostics });
        }
        let wanted =
            |draft: &Draft<'_>| draft.hosts.is_empty() || draft.hosts.iter().any(|host| selection.wants_host(host));
        let render = |draft: Draft<'_>| {
            let host = match draft.hosts.as_slice() {
                [host] => Some((*host).to_owned()),
                _ => None,
            };
            let content = templates.render(draft.template, &draft.page)?;
            Ok(OutputFile { path: draft.path, host, output: OutputName::Pve, content })
        };
        let mut files: Vec<OutputFile> =
            drafts.into_par_iter().filter(wanted).map(render).collect::<Result<_, TemplateError>>()?;
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(Compiled { files, diagnostics })
    }
}
