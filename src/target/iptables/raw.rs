//! The raw table: what is decided before connections are tracked.
//!
//! In: a host. Out: its raw table of one family: SYN flood protection and conntrack helpers.

use crate::diagnostic::{Code, Diagnostic};
use crate::net::{Family, Protocol, TcpFlags};
use crate::policy::{ConntrackHelper, HelperService, HostPolicy, LogRateLimit, Setting};

use super::host::{exclusive, prefix};
use super::ruleset::{Chain, Chains, Jump, Rule, Side, Test};

/// The raw table.
pub(super) fn raw(host: &HostPolicy, family: Family) -> Vec<Chain> {
    let mut rules = Vec::new();
    if host.enabled {
        rules.extend(synflood(host));
        rules.extend(host.options.nf_conntrack_helpers.value.iter().filter_map(|one| helper(*one, family)));
    }
    let mut chains = Chains::new(prefix(host));
    if exclusive(host) {
        chains.define("PREROUTING".into(), "ACCEPT", rules);
        chains.define("OUTPUT".into(), "ACCEPT", Vec::new());
    } else {
        let name = chains.name("PREROUTING");
        chains.define(name, "-", rules);
    }
    chains.finish()
}

/// Bare SYNs above the limit, by source; a host's own programs may talk as fast as they like.
fn synflood(host: &HostPolicy) -> Option<Rule> {
    let limit = host.options.synflood()?;
    let bare = TcpFlags { mask: TcpFlags::FIN | TcpFlags::SYN | TcpFlags::RST | TcpFlags::ACK, set: TcpFlags::SYN };
    let tests = vec![
        Test::NotLoopback,
        Test::Protocol(Protocol::TCP.0),
        Test::Flags { flags: bare, negated: false },
        Test::Flood(limit),
    ];
    Some(Rule::new(tests, Jump::Drop))
}

/// What the limit test can hold: per second, lines, and the seconds until the burst is full again.
const LIMIT_MAX: (u64, u32, u64) = (10_000, 10_000, 86_400);

/// An error where iptables cannot count the log lines of a host.
pub(super) fn log_limit_error(host: &HostPolicy, log: &Setting<LogRateLimit>) -> Option<Diagnostic> {
    let LogRateLimit { enable, rate, unit, burst } = log.value;
    let seconds = match unit {
        "second" => 1_u64,
        "minute" => 60,
        "hour" => 3_600,
        _ => 86_400,
    };
    let (fastest, most, longest) = LIMIT_MAX;
    let fits = rate > 0
        && u64::from(rate) <= fastest * seconds
        && (1..=most).contains(&burst)
        && seconds * u64::from(burst) <= longest * u64::from(rate);
    let span = log.origin.as_ref().map_or(host.span, |origin| origin.span);
    let message = format!("iptables cannot count {rate} log lines a {unit} with a burst of {burst}");
    let help = format!("at most {fastest} a second, a burst of {most}, and one day until the burst is full again");
    (enable && !fits).then(|| Diagnostic::error(Code::IptablesRate, span, message).help(help))
}

fn helper(helper: ConntrackHelper, family: Family) -> Option<Rule> {
    let HelperService { protocol, port, only_v4 } = helper.service();
    if only_v4 && family == Family::V6 {
        return None;
    }
    let native = Some(if protocol == Protocol::TCP { "tcp" } else { "udp" });
    let ports = Test::Ports { side: Side::Dest, ports: vec![(port, port)], native };
    Some(Rule::new(vec![Test::Protocol(protocol.0), ports], Jump::Helper(helper.name())))
}
