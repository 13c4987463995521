//! What a spec has besides what machines enforce: what lints look at.

use std::sync::Arc;

use crate::diagnostic::{Code, Span};

use super::{Section, ZoneRef};

/// What was written, whether a machine enforces it or not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// Findings that are not to be told, in the order of the spec.
    pub allows: Vec<Allow>,
    /// The rules of every zone, inherited by a machine or not; without those of guests, vnets and groups.
    pub sections: Vec<Arc<Section>>,
    /// The named zones, by name.
    pub zones: Vec<NamedZone>,
    /// Definitions that hide others.
    pub hidden: Vec<Hidden>,
}

/// A lint that is not to be told about something, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// Which lint.
    pub lint: Code,
    /// One line.
    pub reason: String,
    /// About what.
    pub place: AllowPlace,
    /// The key that says so.
    pub span: Span,
}

/// What an [`Allow`] is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowPlace {
    /// One rule, known by its place in the source.
    Rule(Span),
    /// All that is written in a zone: NICs and the `guests` block are part of it.
    Zone(ZoneRef),
}

/// A named zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedZone {
    /// Its name.
    pub name: String,
    /// Where it is defined.
    pub span: Span,
    /// Whether a host, a guest or a `guests` block that guests may come to inherits it, by whatever way.
    pub is_inherited: bool,
}

/// A definition that hides another one of the same name and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// `alias` or `ipset`.
    pub kind: &'static str,
    /// The name of both.
    pub name: String,
    /// The zone that hides.
    pub zone: ZoneRef,
    /// Its definition.
    pub span: Span,
    /// The zone whose definition is hidden.
    pub hidden_zone: ZoneRef,
    /// That definition.
    pub hidden_span: Span,
}
