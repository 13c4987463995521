//! What rules are called in diffs and in outputs' comments.

use std::collections::BTreeMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::spec::model::{List, Rule, RuleHead, Text};

/// The identities of one zone: its `id`s, each once, and hashes with a count for repeats.
#[derive(Debug, Default)]
pub(super) struct Identities {
    written: BTreeMap<String, Span>,
    counted: BTreeMap<String, u32>,
    /// Hashes with their counts.
    given: BTreeMap<String, Span>,
}

impl Identities {
    /// A rule's identity. An `id` that the zone has already is an error.
    pub(super) fn of(&mut self, rule: &Rule, out: &mut Diagnostics) -> String {
        if let Some(id) = &rule.id {
            if let Some(first) = self.written.get(&id.value) {
                let message = format!("id `{}` is given twice in this zone", id.value);
                out.push(
                    Diagnostic::error(Code::DuplicateId, id.span, message)
                        .label(*first, "first here")
                        .help("give each rule of a zone its own id"),
                );
            }
            if let Some(nameless) = self.given.get(&id.value) {
                out.push(taken(id.span, *nameless));
            }
            self.written.insert(id.value.clone(), id.span);
            return id.value.clone();
        }
        let hash = content_hash(rule);
        let count = self.counted.entry(hash.clone()).or_insert(0);
        *count += 1;
        let identity = if *count == 1 { hash } else { format!("{hash}-{count}") };
        if let Some(id) = self.written.get(&identity) {
            out.push(taken(*id, rule.span));
        }
        self.given.insert(identity.clone(), rule.span);
        identity
    }
}

/// An `id` that stands for another rule already.
fn taken(id: Span, nameless: Span) -> Diagnostic {
    Diagnostic::error(Code::DuplicateId, id, "this id is what another rule of this zone is called by its content")
        .label(nameless, "the other rule")
        .help("take another id, or give the other rule one too")
}

/// Eight hexadecimal digits over what the rule matches and does; not over its comment, its log level and
/// whether it is enabled, so that touching those alters a rule and does not replace it.
fn content_hash(rule: &Rule) -> String {
    let mut hasher = Sha256::new();
    let (key, value) = match &rule.head {
        RuleHead::In(verdict) => ("in", verdict),
        RuleHead::Out(verdict) => ("out", verdict),
        RuleHead::Forward(verdict) => ("forward", verdict),
        RuleHead::Group(name) => ("group", name),
    };
    let mut add = |key: &str, values: &[Text]| {
        for value in values {
            hasher.update(key.as_bytes());
            // Lengths keep values from running into each other.
            hasher.update((value.value.len() as u64).to_be_bytes());
            hasher.update(value.value.as_bytes());
        }
    };
    add(key, std::slice::from_ref(value));
    add("macro", rule.macro_name.as_slice());
    add("proto", items(&rule.proto));
    add("source", items(&rule.source));
    add("dest", items(&rule.dest));
    add("sport", items(&rule.sport));
    add("dport", items(&rule.dport));
    add("icmp_type", items(&rule.icmp_type));
    add("iface", rule.iface.as_slice());
    if let Some(flags) = &rule.tcp_flags {
        add("mask", &flags.mask.value);
        add("set", &flags.set.value);
    }
    let digest = hasher.finalize();
    digest.iter().take(4).fold(String::with_capacity(8), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn items(list: &Option<List>) -> &[Text] {
    list.as_ref().map_or(&[], |list| &list.value)
}
