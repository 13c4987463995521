//! Whether a match can hold at all: its addresses and services must share a family.

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::net::Family;
use crate::policy::{Addresses, Service};
use crate::spec::model::List;

/// The parts of a match that speak of a family, each with its place.
#[derive(Debug)]
pub(super) struct Families<'a> {
    /// The whole rule or test.
    pub span: Span,
    /// `source`, as written and as it reads.
    pub source: Option<(&'a List, &'a Addresses)>,
    /// `dest`, as written and as it reads.
    pub dest: Option<(&'a List, &'a Addresses)>,
    /// The macro or the protocols, if any.
    pub service: Option<Span>,
    /// What they stand for.
    pub services: &'a [Service],
}

impl Families<'_> {
    fn addresses_speak(&self, family: Family) -> bool {
        [self.source, self.dest].into_iter().flatten().all(|(_, addresses)| addresses.set.has(family))
    }

    fn services_speak(&self, family: Family) -> bool {
        self.services.is_empty() || self.services.iter().any(|service| service.speaks_of(family))
    }

    /// Whether a packet of some family can match.
    pub(super) fn can_hold(&self) -> bool {
        Family::BOTH.into_iter().any(|family| self.addresses_speak(family) && self.services_speak(family))
    }

    /// What is to be said where none can; `what` is `rule` or `test`.
    pub(super) fn never_holds(&self, what: &str) -> Diagnostic {
        let family_of = |addresses: &Addresses| {
            Family::BOTH.into_iter().find(|family| addresses.set.has(*family)).map_or("no", Family::name)
        };
        let mut labels: Vec<(Span, String)> = Vec::new();
        for (key, part) in [("source", self.source), ("dest", self.dest)] {
            if let Some((list, addresses)) = part {
                labels.push((list.span, format!("the {key} is {} only", family_of(addresses))));
            }
        }
        // Where the addresses alone exclude each other, the service is not to blame.
        if Family::BOTH.into_iter().any(|family| self.addresses_speak(family))
            && let Some(service) = self.service
        {
            labels.push((service, "the service is of the other family".to_owned()));
        }
        let mut labels = labels.into_iter();
        let (first, text) = labels.next().unwrap_or((self.span, String::new()));
        let message = format!("this {what} can never match: IPv4 and IPv6 exclude each other");
        let diagnostic = Diagnostic::error(Code::NeverHolds, first, message)
            .because(text)
            .help(format!("write one {what} for each family, with addresses and services of that family"));
        labels.fold(diagnostic, |diagnostic, (span, text)| diagnostic.label(span, text))
    }
}
