//! Inherited rules that a guest leaves out, by their `id`s.
//!
//! In: a guest's `without` and a zone's rules. Out: which of these it does not take, and an error for each `id` that is
//! not exactly one inherited rule's.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, did_you_mean};
use crate::policy::{Entry, GuestPolicy, HostPolicy, Inherited, Origin, Section, SectionKind, SkipReason};
use crate::spec::model::Text;

use super::machines::GuestPlan;
use super::section::{World, body};

/// The places of a section's entries that a guest leaves out: by an `id` that was written. What stands for a rule without
/// one changes with every word of the rule.
pub(super) fn leave_out(world: &World<'_>, plan: &GuestPlan<'_>, section: &Section) -> BTreeSet<usize> {
    let without = &plan.spec.without;
    if without.is_empty() {
        return BTreeSet::new();
    }
    let listed = |entry: &Entry| {
        let identity = &entry.origin().identity;
        without.iter().any(|id| id.value == *identity) && has_id(world, entry)
    };
    let entries = section.entries.iter().enumerate();
    entries.filter(|(_, entry)| listed(entry)).map(|(at, _)| at).collect()
}

/// Whether an inherited entry is called by an `id` of its own.
fn has_id(world: &World<'_>, entry: &Entry) -> bool {
    let Origin { zone, identity, .. } = entry.origin();
    let Some((body, _)) = body(world.spec, zone) else { return false };
    let rules = body.rules.iter().chain(&body.guardrail_rules);
    rules.filter_map(|rule| rule.id.as_ref()).any(|id| id.value == *identity)
}

/// Says what of guests' `without` no host has to leave out, and what is not one rule.
pub(super) fn check_without(world: &World<'_>, plans: &[GuestPlan<'_>], hosts: &[HostPolicy], out: &mut Diagnostics) {
    for plan in plans.iter().filter(|plan| !plan.spec.without.is_empty()) {
        let policies: Vec<&GuestPolicy> =
            hosts.iter().filter_map(|host| host.guests.iter().find(|guest| guest.id == plan.id)).collect();
        for id in &plan.spec.without {
            let left_out = |policy: &&GuestPolicy| -> Vec<Origin> {
                let skipped = policy.rules.sections.iter().flat_map(|inherited| &inherited.skipped);
                let skipped = skipped.filter(|skipped| skipped.reason == SkipReason::Without);
                skipped.map(|skipped| skipped.origin.clone()).filter(|origin| origin.identity == id.value).collect()
            };
            let left_out: Vec<Vec<Origin>> = policies.iter().map(left_out).collect();
            if let Some([first, second, ..]) = left_out.iter().map(Vec::as_slice).find(|origins| origins.len() > 1) {
                out.push(ambiguous(plan, id, first, second));
            } else if left_out.iter().all(Vec::is_empty) {
                let sections: Vec<&Inherited> = policies.iter().flat_map(|policy| &policy.rules.sections).collect();
                out.push(nothing_to_leave_out(world, plan, id, &sections));
            }
        }
    }
}

/// Which of them was meant nobody can tell, and leaving out both may open more than was meant.
fn ambiguous(plan: &GuestPlan<'_>, id: &Text, first: &Origin, second: &Origin) -> Diagnostic {
    let message = format!("`{}` inherits two rules with the id `{}`", plan.zone, id.value);
    Diagnostic::error(Code::AmbiguousRule, id.span, message)
        .because("`without` leaves out one rule")
        .label(first.span, format!("one of `{}`", first.zone))
        .label(second.span, format!("one of `{}`", second.zone))
        .help("give one of the rules another `id`")
}

fn nothing_to_leave_out(world: &World<'_>, plan: &GuestPlan<'_>, id: &Text, sections: &[&Inherited]) -> Diagnostic {
    let of = |kind, own| {
        let sections = sections.iter().filter(move |one| one.section.kind == kind && own == (one.path.len() == 1));
        sections.flat_map(|inherited| &inherited.section.entries)
    };
    let called = |entry: &&Entry| entry.origin().identity == id.value;
    if let Some(guardrail) = of(SectionKind::Guardrails, false).find(|entry| called(entry) && has_id(world, entry)) {
        let message = format!("`{}` is a guardrail and cannot be left out", id.value);
        return Diagnostic::error(Code::GuardrailLocked, id.span, message)
            .label(guardrail.origin().span, "the guardrail")
            .help("drop it from `without`, or move the rule from the guardrails to `rules`");
    }
    let message = format!("`{}` inherits no rule with the id `{}`", plan.zone, id.value);
    let error = Diagnostic::error(Code::UnknownRule, id.span, message);
    if let Some(own) = of(SectionKind::Rules, true).find(called) {
        return error
            .label(own.origin().span, format!("a rule of `{}` itself", own.origin().zone))
            .help("`without` speaks of inherited rules: delete the rule here, or set `enable: false`");
    }
    if let Some(nameless) = of(SectionKind::Rules, false).find(called) {
        return error.label(nameless.origin().span, "this rule has no `id`").help("give the rule an `id`");
    }
    let known = of(SectionKind::Rules, false).filter(|entry| has_id(world, entry));
    let known = known.map(|entry| entry.origin().identity.as_str());
    error.help(did_you_mean(&id.value, "inherited rules", known))
}
