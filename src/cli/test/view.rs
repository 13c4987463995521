//! What is shown of tests: finished words, which people, programs and CI servers read alike.
//!
//! In: the outcomes of claims. Out: a [`Report`].

use serde::Serialize;

use crate::analysis::claims::{Failure, Outcome};
use crate::analysis::{Answer, Place as Spot, Step};
use crate::cli::trace::setting;
use crate::cli::trace::view::{AnswerView, Viewer};
use crate::diagnostic::Place;
use crate::diagnostic::Span;
use crate::policy::{Endpoint, Expectation, Selector, Stage, Verdict};

/// All tests.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) tests: Vec<TestView>,
}

/// One test.
#[derive(Debug, Serialize)]
pub(super) struct TestView {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) place: Place,
    pub(super) expect: &'static str,
    pub(super) result: &'static str,
    /// How many packets were tried one by one; 0 where all were decided at once.
    pub(super) packets: u64,
    /// How many were not, because they are too many; 0 where the answer is that for every packet.
    pub(super) left_out: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<FailureView>,
}

/// Why a test failed.
#[derive(Debug, Serialize)]
pub(super) struct FailureView {
    /// `verdict`, `nothing-left`, `no-packet` or `undecided`.
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) from: String,
    pub(super) to: String,
    /// The packet's way, as `fwc trace` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<AnswerView>,
    /// The deciding line, and what it does.
    #[serde(skip)]
    pub(super) decided: Option<(Span, String)>,
    /// The value of `expect`, and what is to be said of it.
    #[serde(skip)]
    pub(super) expected: (Span, String),
}

impl Report {
    pub(super) fn new(viewer: Viewer<'_>, outcomes: &[Outcome<'_>]) -> Self {
        let tests: Vec<TestView> = outcomes.iter().map(|outcome| test(viewer, outcome)).collect();
        let failed = tests.iter().filter(|test| test.failure.is_some()).count();
        Self { passed: tests.len() - failed, failed, tests }
    }
}

fn test(viewer: Viewer<'_>, outcome: &Outcome<'_>) -> TestView {
    let claim = outcome.claim;
    TestView {
        name: claim.title(),
        place: viewer.places.of(claim.span),
        expect: claim.says(),
        result: if outcome.failure.is_some() { "failed" } else { "passed" },
        packets: outcome.packets,
        left_out: outcome.left_out,
        failure: outcome.failure.as_ref().map(|failure| failure_view(viewer, outcome, failure)),
    }
}

fn failure_view(viewer: Viewer<'_>, outcome: &Outcome<'_>, failure: &Failure<'_>) -> FailureView {
    let claim = outcome.claim;
    let expect = claim.says();
    let view = |reason, example: &Answer<'_>, message: String, help: Option<String>| FailureView {
        reason,
        message,
        help,
        from: spot(example.from),
        to: spot(example.to),
        decided: deciding(example).and_then(|step| setting::decided(viewer.fleet, step)),
        trace: Some(viewer.answer(example)),
        expected: (claim.expect_span, expected(outcome, example)),
    };
    match failure {
        Failure::Counterexample(example) => {
            let becomes = past(example.trace.verdict);
            let message = format!("{} is {becomes}", between(example));
            view("verdict", example, message, advice(outcome, example))
        }
        Failure::NothingLeft(example) => {
            let message =
                format!("every packet from {} to {} is stopped before the rules", spot(example.from), spot(example.to));
            let help =
                "one that a protective stage stops does not count, but some packet must be left that the rules accept"
                    .to_owned();
            view("nothing-left", example, message, Some(help))
        }
        Failure::NoPacket(from, to) => FailureView {
            reason: "no-packet",
            message: format!("no packet from {} to {} fits", endpoint(from), endpoint(to)),
            help: Some("both ends need addresses of one family, and two different NICs".to_owned()),
            from: endpoint(from),
            to: endpoint(to),
            trace: None,
            decided: None,
            expected: (claim.expect_span, format!("{expect} of nothing")),
        },
        Failure::Undecided(from, to) => FailureView {
            reason: "undecided",
            message: format!("packets from {} to {} are split in too many ways", endpoint(from), endpoint(to)),
            help: Some(
                "nothing is known of them, so the test does not hold: narrow it down (`source`, `dest`, ports), or run it \
                 alone with `--filter`"
                    .to_owned(),
            ),
            from: endpoint(from),
            to: endpoint(to),
            trace: None,
            decided: None,
            expected: (claim.expect_span, "not decided".to_owned()),
        },
    }
}

/// What was expected of a packet.
fn expected(outcome: &Outcome<'_>, example: &Answer<'_>) -> String {
    match example.packet.ip().filter(|_| outcome.claim.only.is_some()) {
        Some(ip) => format!("{} is none of these", ip.source),
        None => format!("{} is expected", outcome.claim.expect.name()),
    }
}

/// What may be done about a packet that contradicts, where that is not plain from the rule.
fn advice(outcome: &Outcome<'_>, example: &Answer<'_>) -> Option<String> {
    let stage = deciding(example).and_then(|step| step.decision.stage);
    if example.trace.verdict == Verdict::Reject && outcome.claim.expect == Expectation::Drop {
        return Some("a reject tells the sender: write `expect: reject` or `expect: never` if it may".to_owned());
    }
    if example.trace.hooks.is_empty() {
        return Some("no hook is on its way: nothing filters it".to_owned());
    }
    if let Spot::Guest(_, guest, nic) = example.from
        && let Some(ip) = example.packet.ip()
        && outcome.claim.source.is_none()
        && !nic.dhcp
        && !nic.addresses.is_empty()
        && !nic.addresses.iter().any(|own| own.address() == ip.source)
        && outcome.claim.expect != Expectation::Accept
    {
        let zone = guest.zone();
        return Some(format!("`{zone}` may send from any address: `ipfilter: true` would hold it to its own"));
    }
    let housekeeping =
        matches!(stage, Some(Stage::NeighbourDiscovery(_) | Stage::Dhcp | Stage::Igmp | Stage::Noise { .. }));
    let unasked = housekeeping && outcome.claim.services.is_empty() && example.trace.verdict == Verdict::Accept;
    unasked.then(|| "a test without `proto` is about every protocol: name those that it is about".to_owned())
}

/// The hook that decides: the one that stops the packet. Where all accept it, the last at which a rule does, else the
/// last.
fn deciding<'e, 'a>(example: &'e Answer<'a>) -> Option<&'e Step<'a>> {
    let hooks = &example.trace.hooks;
    if example.trace.verdict == Verdict::Accept
        && let Some(step) = hooks.iter().rev().find(|step| step.decision.rule.is_some())
    {
        return Some(step);
    }
    hooks.last()
}

fn between(example: &Answer<'_>) -> String {
    format!("a packet from {} to {}", spot(example.from), spot(example.to))
}

fn spot(spot: Spot<'_>) -> String {
    match spot {
        Spot::Outside => "outside".to_owned(),
        Spot::Host(host) => format!("host/{}", host.name),
        Spot::Guest(_, guest, nic) => format!("{}:net{}", guest.zone(), nic.index),
    }
}

fn endpoint(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Outside => Selector::Outside,
        Endpoint::Host(name) => Selector::Host(name.clone()),
        Endpoint::Guest { kind, id, nic } => Selector::Guest(*kind, *id, *nic),
    }
    .to_string()
}

const fn past(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accept => "accepted",
        Verdict::Drop => "dropped",
        Verdict::Reject => "rejected",
        Verdict::Skip => "skipped",
    }
}
