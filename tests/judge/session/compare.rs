//! What was seen against what the model expects.

use std::fmt::Write as _;

use fwc::analysis::Rejection;

use super::Sent;
use super::seen::Seens;
use crate::census::Census;
use crate::judge::{Place, Probe};
use crate::topology::Network;

/// What a run found.
#[derive(Debug, Default)]
pub struct Report {
    /// Probes sent.
    pub sent: usize,
    /// Places at which an arrival was expected or excluded.
    pub compared: usize,
    /// Arrivals among them.
    pub arrived: usize,
    /// Rejections that reached their sender.
    pub told: usize,
    /// Log lines.
    pub logged: usize,
    /// What was sent.
    pub census: Census,
    /// One text for each disagreement.
    pub wrong: Vec<String>,
    /// The probes that they speak of.
    pub blamed: Vec<Probe>,
}

/// Compares one probe's arrivals, answers and log lines.
pub fn compare(network: &Network<'_>, number: u32, sent: &Sent<'_>, seen: &Seens, report: &mut Report) {
    let mut arrived: Vec<Place> = seen.arrived.get(&number).into_iter().flatten().map(|(place, _)| *place).collect();
    arrived.sort();
    let mut expected: Vec<Place> = Vec::new();
    for arrival in &sent.expectation.arrivals {
        report.compared += 1;
        if arrival.arrives {
            expected.push(arrival.place);
        }
    }
    expected.sort();
    report.arrived += arrived.len();
    let mut found = Vec::new();
    if arrived != expected {
        found.push(format!("expected at {}, arrived at {}", places(network, &expected), places(network, &arrived)));
    }
    for (place, bytes) in seen.arrived.get(&number).into_iter().flatten() {
        let segment = |place: Place| match place {
            Place::Host => None,
            Place::Port(port) => Some(network.ports[port].segment).filter(|at| network.segments[*at].bridge.is_some()),
        };
        let bridged = segment(*place).is_some() && segment(*place) == segment(sent.probe.from);
        if bridged
            && sent.probe.frame.dest != network.segments[segment(*place).unwrap_or(0)].mac
            && *bytes != sent.bytes
        {
            found.push(format!("changed on its way to {}", places(network, &[*place])));
        }
    }
    if let Some(wanted) = sent.expectation.told {
        let told = seen.told.get(&number).map(Vec::as_slice).unwrap_or_default();
        let good = match wanted {
            Rejection::Silent => told.is_empty(),
            Rejection::TcpReset | Rejection::PortUnreachable | Rejection::Prohibited => {
                told == [(sent.probe.from, wanted)]
            }
        };
        report.told += usize::from(good && wanted != Rejection::Silent);
        if !good {
            found.push(format!("the sender should be told {wanted:?}, and was {told:?}"));
        }
    }
    found.extend(compare_log(number, sent, seen, report));
    if !found.is_empty() {
        report.wrong.push(describe(network, number, sent, &found));
        report.blamed.push(sent.probe.clone());
    }
}

/// The log lines of a probe that has one way: a line for each hook that logs.
fn compare_log(number: u32, sent: &Sent<'_>, seen: &Seens, report: &mut Report) -> Option<String> {
    let [arrival] = sent.expectation.arrivals.as_slice() else { return None };
    let lines = seen.logged.get(&number).map(Vec::as_slice).unwrap_or_default();
    report.logged += lines.len();
    let good = lines.len() == arrival.lines.len() && lines.iter().zip(&arrival.lines).all(|(got, line)| line.fits(got));
    (!good).then(|| format!("expected log lines {:?}, got {lines:?}", arrival.lines))
}

fn places(network: &Network<'_>, places: &[Place]) -> String {
    let names: Vec<&str> = places
        .iter()
        .map(|place| match place {
            Place::Host => "host",
            Place::Port(port) => network.ports[*port].tap.device.as_str(),
        })
        .collect();
    if names.is_empty() { "nowhere".to_owned() } else { names.join(", ") }
}

/// The packet and the model's reasons.
fn describe(network: &Network<'_>, number: u32, sent: &Sent<'_>, found: &[String]) -> String {
    let mut text = format!("probe {number} from {}: {}\n", places(network, &[sent.probe.from]), found.join("; "));
    let _ = writeln!(text, "  frame  {:?}", sent.probe.frame);
    let _ = writeln!(text, "  packet {:?}", sent.expectation.packet);
    for arrival in &sent.expectation.arrivals {
        let _ = writeln!(
            text,
            "  to {}: {}",
            places(network, &[arrival.place]),
            if arrival.arrives { "arrives" } else { "does not" }
        );
        for (crossing, decision) in &arrival.decisions {
            let rule = decision.rule.map(|rule| format!(" {:?}", rule.rule.origin)).unwrap_or_default();
            let stage = decision.stage.map_or("none", |stage| stage.name());
            let _ = writeln!(
                text,
                "    {} {}: {:?} by {stage}{rule}",
                crossing.machine,
                crossing.hook.name.name(),
                decision.verdict
            );
        }
    }
    text
}
