//! `guardrails.options`: locks on options of all zones below. One that goes or comes may change no value today, and a
//! reviewer wants to know all the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Span;
use crate::diff::collect::Draft;
use crate::diff::report::{Kind, Subject};
use crate::policy::ZoneRef;
use crate::spec::Spec;

use super::machine::Machines;
use super::written::{body, value_words};

/// Compares the locks of every zone. What changed a value in force was told with that already.
pub(super) fn compare(machines: &mut Machines<'_>) {
    let origins = machines.origins;
    for zone in origins.zones() {
        let (old, new) = (locks(origins.old.spec, &zone), locks(origins.new.spec, &zone));
        for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let (was, is) = (old.get(name), new.get(name));
            let cause = origins.zone(&zone);
            let same = was.map(|(value, _)| value) == is.map(|(value, _)| value);
            if same || machines.collector.has_option(&cause.path, name) {
                continue;
            }
            let draft = Draft {
                kind: match (was, is) {
                    (None, _) => Kind::Added,
                    (_, None) => Kind::Removed,
                    (_, _) => Kind::Altered,
                },
                subject: Subject::Option,
                name: format!("guardrail {name}"),
                zone: None,
                old: was.map(|(value, _)| value.clone()),
                new: is.map(|(value, _)| value.clone()),
                detail: None,
                spans: (was.map(|(_, span)| *span), is.map(|(_, span)| *span)),
            };
            machines.collector.add(&cause, draft, None);
        }
    }
}

/// Options that a zone locks: value and place.
fn locks(spec: &Spec, zone: &ZoneRef) -> BTreeMap<String, (String, Span)> {
    let options = body(spec, zone).into_iter().flat_map(|body| &body.guardrail_options);
    options.map(|(name, value)| (name.value.clone(), (value_words(value), name.span))).collect()
}
