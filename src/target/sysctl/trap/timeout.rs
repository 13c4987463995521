//! Idle connections that are forgotten before their first keepalive.
//!
//! Conntrack forgets a TCP connection after `nf_conntrack_tcp_timeout_established` seconds of silence, and its further
//! packets are then of no connection: only rules that accept them by themselves still do. TCP's keepalives prevent that only if the first is sent sooner, after
//! `net.ipv4.tcp_keepalive_time` seconds of silence, 7200 unless set (tcp(7)). Example:
//! `net.netfilter.nf_conntrack_tcp_timeout_established: 3600` cuts off every ssh session that is left alone for an hour.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};

use super::Ground;

const ESTABLISHED: &str = "net.netfilter.nf_conntrack_tcp_timeout_established";
const KEEPALIVE: &str = "net.ipv4.tcp_keepalive_time";
/// TCP_KEEPALIVE_TIME of the kernel, in seconds.
const DEFAULT_KEEPALIVE: u64 = 7200;

pub(super) fn check(ground: Ground<'_>, out: &mut Diagnostics) {
    let Some(established) = ground.number(ESTABLISHED) else { return };
    let keepalive = ground.number(KEEPALIVE).unwrap_or(DEFAULT_KEEPALIVE);
    if established >= keepalive {
        return;
    }
    let option = &ground.host.options.nf_conntrack_tcp_timeout_established;
    let timeout: Option<Span> =
        ground.set(ESTABLISHED).map(|set| &set.origin).or(option.origin.as_ref()).map(|origin| origin.span);
    let first = ground.set(KEEPALIVE).map(|set| set.origin.span);
    let Some(span) = timeout.or(first) else { return };
    let message = format!(
        "idle connections are forgotten after {established} s, their first keepalive comes after {keepalive} s"
    );
    let finding = Diagnostic::warning(Code::TimeoutBeforeKeepalive, span, message);
    let finding = match (timeout, first) {
        (Some(_), Some(first)) => finding.because("the timeout").label(first, "the first keepalive"),
        (Some(_), None) => finding.because(format!("`{KEEPALIVE}` is {keepalive} by default")),
        (None, _) => finding.because(format!("the option `nf_conntrack_tcp_timeout_established` is {established}")),
    };
    out.push(
        finding.help(format!(
            "make the timeout longer than `{KEEPALIVE}`: what comes after it is of no connection any more"
        )),
    );
}
