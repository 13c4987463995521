//! The language in one table: every place, its keys, and the shape of their values.
//!
//! In: a tree. Out: everything that is wrong with its shape, or the JSON Schema of the language. Both come
//! from the table in [`table`], so the reader and the schema cannot disagree. (A schema derived from the
//! structs of the model would know neither the patterns of names nor the keys that exclude each other, and a
//! reader derived from them stops at its first error.) The third reader of the tree, `decode`, is held
//! against the table by a test that gives every key to it.

mod check;
mod lexis;
mod options;
mod rule;
mod schema;
mod table;

use super::options::OptionZone;
use super::yaml::Node;
use crate::diagnostic::Diagnostics;
use lexis::{Lexis, Pattern};

pub(super) use schema::schema;

/// The keys of which a rule has exactly one.
pub(super) const RULE_HEADS: [&str; 4] = ["in", "out", "forward", "group"];

/// What a value can be.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// A single text.
    Text(Lexis),
    /// Texts, or a single one.
    List {
        /// What each is.
        of: Lexis,
        /// Whether there may be none.
        empty: Empty,
    },
    /// Rules, or a single one.
    Rules(&'static RulePlace),
    /// Options of these kinds of zones.
    Options(&'static [OptionZone]),
    /// A map of fixed keys.
    Map(&'static Fields),
    /// A test.
    Test,
    /// A map of named things.
    Named(&'static Pattern, &'static Shape),
    /// A list of things, or a single one.
    Items(&'static Shape),
    /// A short form, or a map of fixed keys. Maps are the short form if they have one of its keys.
    Either { short: &'static Shape, keys_of_short: &'static [&'static str], long: &'static Fields },
    /// A zone: its keys hang on its `kind`.
    Zone { host: &'static Fields, guest: &'static Fields },
}

/// What is to be said of a list without anything in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Empty {
    /// Nothing.
    Fine,
    /// An error; but `resolve`, which also knows of empty sets, says it.
    Resolve,
    /// An error.
    Error,
}

/// A map of fixed keys.
#[derive(Debug)]
struct Fields {
    /// `a host`, `the datacenter`…
    what: &'static str,
    /// Its keys, in the order of the documentation.
    fields: &'static [Field],
}

/// A key.
#[derive(Debug, Clone, Copy)]
struct Field {
    name: &'static str,
    required: bool,
    shape: Shape,
    /// A sentence or two.
    doc: &'static str,
}

/// A kind of place that holds rules. That `heads` and `iface` are kept to is for `resolve` to say, which goes
/// on to say what else is wrong; the schema knows it too.
#[derive(Debug)]
struct RulePlace {
    /// `a host's rules`…
    what: &'static str,
    /// Its name among the schema's definitions.
    definition: &'static str,
    /// Which of [`RULE_HEADS`] may stand there.
    heads: &'static [&'static str],
    /// Whether `iface` may.
    iface: bool,
}

impl Fields {
    fn find(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// The kinds of zones whose options `guardrails.options` of a zone may lock: the datacenter's guardrails
/// hold for hosts and guests alike.
pub(super) const fn guardrail_zones(zones: &[OptionZone]) -> &[OptionZone] {
    match zones {
        [OptionZone::Datacenter, ..] => DATACENTER_GUARDRAILS,
        _ => zones,
    }
}

const DATACENTER_GUARDRAILS: &[OptionZone] = &[OptionZone::Datacenter, OptionZone::Host, OptionZone::Guest];

/// Says everything that is wrong with the shape of a spec. Where not `whole`, a part of the spec could not
/// be read, so nothing is said of keys that are missing.
pub(super) fn check(root: &Node<'_>, whole: bool, found: &mut Diagnostics) {
    check::Checker { found, whole }.map(&table::SPEC, root, root.span);
}

#[cfg(test)]
mod tests;
