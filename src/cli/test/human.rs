//! Results of tests for people: a line for each, and for those that fail the packet, its way and both lines.

use crate::cli::report::{self, plural};
use crate::cli::{Style, trace};
use crate::diagnostic::{Label, SourceMap};

use super::view::{FailureView, Report, TestView};

/// Every test in its order, then the totals.
pub(super) fn render(sources: &SourceMap, report: &Report, style: Style) -> String {
    let mut text = String::new();
    for test in &report.tests {
        text.push_str(&line(test, style));
        if let Some(failure) = &test.failure {
            text.push('\n');
            text.push_str(&details(sources, failure, style));
            text.push('\n');
        }
    }
    if !report.tests.is_empty() {
        text.push_str(&format!("\n{}\n", totals(report, style)));
    }
    text
}

fn line(test: &TestView, style: Style) -> String {
    let word = match test.failure {
        None => style.paint("32", "ok    "),
        Some(_) => style.paint("1;31", "FAILED"),
    };
    let note = match test.left_out {
        0 => String::new(),
        left_out => style.dim(&format!("  (sampled: {} tried, {left_out} not)", plural_number(test.packets))),
    };
    format!("{word}  {}{note}\n", report::harmless(&test.name))
}

fn plural_number(packets: u64) -> String {
    usize::try_from(packets).map_or_else(|_| format!("{packets} packets"), |number| plural(number, "packet"))
}

/// The finding with its places, and below it the packet's way.
pub(super) fn details(sources: &SourceMap, failure: &FailureView, style: Style) -> String {
    let (span, text) = failure.expected.clone();
    let mut labels = vec![Label { span, text }];
    labels.extend(failure.decided.clone().map(|(span, text)| Label { span, text }));
    let message = &failure.message;
    let mut text = report::finding(sources, message, &labels, failure.help.as_deref(), style);
    if let Some(answer) = &failure.trace {
        for line in trace::text::answer(answer, style).lines() {
            text.push_str(format!("  {line}").trim_end());
            text.push('\n');
        }
    }
    text
}

/// `14 passed, 1 failed`.
fn totals(report: &Report, style: Style) -> String {
    let sampled = report.tests.iter().filter(|test| test.left_out > 0 && test.failure.is_none()).count();
    let part = if sampled == 0 { String::new() } else { format!(" ({sampled} of them sampled)") };
    let passed = format!("{} passed{part}", report.passed);
    let failed = format!("{} failed", report.failed);
    let failed = if report.failed == 0 { failed } else { style.paint("1;31", &failed) };
    format!("{passed}, {failed}")
}
