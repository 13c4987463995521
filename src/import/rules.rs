//! Lists of rules: every line, in order.

use std::collections::BTreeSet;

use crate::state::fw::{Action, RuleLine, Verdict};

use super::draft::Rule;
use super::names::Problem;
use super::review::{Review, line_id};
use super::rule::Context;

/// The rules of a list. What cannot be said and stops packets today stays as it is written, so that the spec is an error
/// at that place and not a firewall with a hole.
pub(super) fn carry(context: &Context<'_>, lines: &[RuleLine<'_>], review: &mut Review) -> Vec<Rule> {
    let mut rules = Vec::with_capacity(lines.len());
    let mut ids: BTreeSet<String> = BTreeSet::new();
    for line in lines {
        let before = rules.len();
        match context.carry(line) {
            Ok(carried) => {
                if let Some(reason) = carried.changed {
                    review.changed(line.span, reason);
                }
                rules.extend(carried.rules);
            }
            Err(Problem::Broken(reason)) => review.ignored(line.span, reason),
            Err(Problem::NoWord(reason)) if stops(line) && line.enabled => {
                review.left_open(line.span, reason);
                rules.push(as_written(line));
            }
            Err(Problem::NoWord(reason)) => review.not_carried(line.span, reason),
        }
        if review.traced {
            let made = rules.iter_mut().skip(before).enumerate();
            made.for_each(|(count, rule)| rule.id = Some(line_id(line.span, count)));
        }
    }
    for rule in &mut rules {
        rule.id = rule.id.take().filter(|id| ids.insert(id.clone()));
    }
    rules
}

const fn stops(line: &RuleLine<'_>) -> bool {
    match line.action {
        Action::Verdict { verdict, .. } => matches!(verdict, Verdict::Drop | Verdict::Reject),
        Action::Group(_) => false,
    }
}

/// A rule that does not compile: it names what the spec does not know.
fn as_written(line: &RuleLine<'_>) -> Rule {
    let text = |text: Option<crate::diagnostic::Located<&str>>| text.map(|text| text.value.to_owned());
    let side = |side: Option<crate::diagnostic::Located<&str>>| text(side).into_iter().collect();
    let ports = |ports: Option<crate::diagnostic::Located<&str>>| {
        let words = ports.map(|text| text.value.split(',').map(|part| part.replace(':', "-")).collect());
        words.unwrap_or_default()
    };
    let (head, value, macro_name) = match line.action {
        Action::Verdict { direction, verdict, macro_name } => (direction.word(), verdict.word(), macro_name),
        Action::Group(name) => ("group", name.value, None),
    };
    let known = macro_name.and_then(|name| crate::net::MACROS.iter().find(|known| known.name == name.value));
    Rule {
        head,
        value: value.to_owned(),
        macro_name: known.map(|known| known.name),
        source: side(line.source),
        dest: side(line.dest),
        proto: text(line.protocol),
        dport: ports(line.dest_ports),
        sport: ports(line.source_ports),
        icmp_type: text(line.icmp_type),
        iface: text(line.interface),
        log: text(line.log).filter(|level| level != "nolog"),
        comment: line.comment.and_then(super::rule::plain),
        ..Rule::default()
    }
}
