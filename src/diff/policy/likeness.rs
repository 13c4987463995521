//! How alike two entries of a list of rules are, where their identities do not say.

use crate::diff::pairing;
use crate::policy::{Entry, Rule};

impl pairing::Element for Entry {
    fn identity(&self) -> Option<&str> {
        Some(&self.origin().identity)
    }

    fn likeness(&self, other: &Self) -> u32 {
        match (self, other) {
            (Entry::Rule(old), Entry::Rule(new)) => of_rules(old, new),
            (Entry::Group(old), Entry::Group(new)) => u32::from(old.group.name == new.group.name),
            (Entry::Rule(_), Entry::Group(_)) | (Entry::Group(_), Entry::Rule(_)) => 0,
        }
    }
}

/// How alike two rules are.
fn of_rules(old: &Rule, new: &Rule) -> u32 {
    if old.direction != new.direction {
        return 0;
    }
    let terms = |rule: &Rule, dest: bool| {
        let addresses = if dest { &rule.dest } else { &rule.source };
        addresses.as_ref().map(|a| a.terms.iter().map(|term| term.reference.clone()).collect::<Vec<_>>())
    };
    let protocols = |rule: &Rule| rule.services.iter().map(|service| service.protocol).collect::<Vec<_>>();
    let verdict = old.verdict == new.verdict;
    let service = old.services == new.services && old.macro_name == new.macro_name;
    let protocol = protocols(old) == protocols(new);
    let (source, dest) = (terms(old, false) == terms(new, false), terms(old, true) == terms(new, true));
    let named = (source && old.source.is_some()) || (dest && old.dest.is_some());
    let same = service && (verdict || source || dest) || verdict && protocol && (source || dest) || verdict && named;
    if !same {
        return 0;
    }
    let worth = |holds: bool, points: u32| if holds { points } else { 0 };
    1 + worth(service, 8)
        + worth(protocol, 2)
        + worth(verdict, 3)
        + worth(source, 3)
        + worth(dest, 3)
        + worth(named, 4)
        + worth(old.interface == new.interface, 1)
        + worth(old.comment.is_some() && old.comment == new.comment, 4)
}
