//! What a person should look at before the spec is trusted.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::state::Unread;

use super::option::Options;

/// The list, as it grows.
#[derive(Debug, Clone, Default)]
pub(super) struct Review {
    pub(super) found: Diagnostics,
    /// Whether each rule's `id` is to be the place of its line, see [`line_id`].
    pub(super) traced: bool,
}

/// An `id` that is the place of a line; `count` tells several rules of one line apart.
pub(super) fn line_id(line: Span, count: usize) -> String {
    format!("line-{}-{}-{count}", line.file.0, line.start)
}

/// The place of the line that an `id` is of; of no length.
pub(super) fn line_of(id: &str) -> Option<Span> {
    let mut parts = id.strip_prefix("line-")?.split('-');
    let (file, start) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(Span { file: crate::diagnostic::FileId(file), start, len: 0 })
}

impl Review {
    fn push(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// Proxmox VE passes over it, and so does the spec.
    pub(super) fn ignored(&mut self, span: Span, reason: impl Into<String>) {
        let message = "Proxmox VE ignores this, and the spec does not have it";
        self.push(Diagnostic::warning(Code::ImportIgnored, span, message).because(reason));
    }

    /// Lines that say nothing to Proxmox VE.
    pub(super) fn unread(&mut self, unread: &[Unread]) {
        for line in unread {
            self.ignored(line.span, line.reason.clone());
        }
    }

    /// The spec has it, but worded or enforced otherwise.
    pub(super) fn changed(&mut self, span: Span, reason: impl Into<String>) {
        let message = "this is not in the spec as it stands here";
        self.push(Diagnostic::warning(Code::ImportChanged, span, message).because(reason));
    }

    /// Proxmox VE enforces it, and the spec cannot say it.
    pub(super) fn not_carried(&mut self, span: Span, reason: impl Into<String>) {
        let message = "Proxmox VE enforces this, and the spec does not have it";
        let diagnostic = Diagnostic::warning(Code::ImportNotCarried, span, message).because(reason);
        self.push(diagnostic.help("write by hand what it should mean"));
    }

    /// What the spec has in its place does not compile, so that nobody overlooks it.
    pub(super) fn left_open(&mut self, span: Span, reason: impl Into<String>) {
        let message = "Proxmox VE enforces this, and the spec cannot say it";
        let diagnostic = Diagnostic::warning(Code::ImportNotCarried, span, message).because(reason);
        let help = "the spec has it as it stands here, which is an error until you write what it should mean: \
                    without it more would pass than today";
        self.push(diagnostic.help(help));
    }

    /// The same network twice in an ipset.
    pub(super) fn twice(&mut self, span: Span, first: Span, network: &str) {
        let message = format!("`{network}` is in the ipset twice, and the spec has it once");
        let diagnostic = Diagnostic::warning(Code::ImportIgnored, span, message)
            .because("with this entry pve-firewall cannot load its sets, and applies no change at all")
            .label(first, "the first one");
        self.push(diagnostic);
    }

    /// Something that the files do not say and the spec needs.
    pub(super) fn unknown(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.push(Diagnostic::warning(Code::ImportUnknown, span, message).help(help));
    }

    /// The same, with another place that matters.
    pub(super) fn unknown_beside(
        &mut self,
        span: Span,
        (first, text): (Span, &str),
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Diagnostic::warning(Code::ImportUnknown, span, message).label(first, text).help(help));
    }

    /// Options that are without effect, or mean something else.
    pub(super) fn options(&mut self, options: &Options) {
        for (span, reason) in &options.ignored {
            self.ignored(*span, reason.clone());
        }
        for (span, reason) in &options.changed {
            self.changed(*span, reason.clone());
        }
    }
}
