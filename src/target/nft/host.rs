//! The host's own table, `inet fwc`.
//!
//! In: a host's hooks. Out: chains `input`, `output` and `forward` with the stages in their order, each at its hook
//! ([`super::again`]), and before them, where the options ask for it, the limit on bare SYNs and conntrack's helpers.

use crate::net::{Family, TcpFlags};
use crate::policy::{ConntrackHelper, HelperService, Hook, HostPolicy, Stage, Synflood};

use super::bridge::rules_of;
use super::builder::{Body, Builder, Scope, meter};
use super::log::Subject;
use super::table::{Action, Condition, Helper, Operand, Side};
use super::vnet::Vnets;

/// Before conntrack, which stands at -200.
const RAW: i32 = -300;
/// After conntrack, before filters: where an unconfirmed connection takes a helper.
pub(super) const HELPERS: i32 = -150;
/// The bit of the packet's mark that frames carry between the bridge's forward hook and its postrouting.
pub(super) const BRIDGED: u32 = 0x4000_0000;

/// The bit of the packet's mark that tells routed packets from the host's own where they meet a bridge. It may
/// stay on what leaves elsewhere, so it is set on hosts alone that need it: where guests are on a vnet, or
/// where invalid packets are routed, which then look like answers of the host's own `reject`.
pub(super) const ROUTED: u32 = 0x2000_0000;

/// Whether routed packets get their bit.
pub(super) fn marks_routed(host: &HostPolicy, vnets: &Vnets<'_>) -> bool {
    let routes_invalid = !host.hook_forward.stages.contains(&Stage::Conntrack { drop_invalid: true })
        && host.guests.iter().any(|guest| guest.filtered_nics().next().is_some());
    routes_invalid || !vnets.has_no_ports()
}

/// Fills the table; `vnets`: those of the bridge's table, if one stands beside it.
pub(super) fn table<'a>(builder: &mut Builder<'a>, host: &'a HostPolicy, vnets: Option<&Vnets<'a>>) {
    if let Some(limit) = host.options.synflood() {
        let mut body = Body::default();
        let not_loopback = Condition::Interface(Side::Source, "lo".to_owned(), true);
        synflood(builder, limit, &[not_loopback], &mut body);
        body.push(Vec::new(), Action::Accept);
        builder.base("raw", "prerouting", RAW, body);
    }
    helpers(builder, &host.options.nf_conntrack_helpers.value);
    if let Some(vnets) = vnets {
        vnets.host(builder);
    }
    let input = stages(builder, &host.hook_in, Body::default());
    builder.judge("input", "input", 0, (input, 0));
    let routed = vnets.filter(|vnets| marks_routed(host, vnets));
    let mut output = Body::default();
    if routed.is_some() {
        // A tunnel's packets inherit the mark of what they carry; they are the host's own.
        output.push(vec![Condition::Mark(ROUTED, ROUTED)], Action::Mark { clear: ROUTED, set: 0 });
    }
    let output = stages(builder, &host.hook_out, output);
    builder.judge("output", "output", 0, (output, 0));
    let mut forward = Body::default();
    if vnets.is_some() {
        // With bridge-nf-call-iptables on, bridged frames come by here too; they are not routed.
        forward.push(vec![Condition::Mark(BRIDGED, BRIDGED)], Action::Accept);
    }
    if let Some(vnets) = routed {
        forward.push(Vec::new(), Action::Mark { clear: vnets.mask(), set: ROUTED });
    }
    let body = stages(builder, &host.hook_forward, forward);
    builder.judge("forward", "forward", 0, (body, 0));
}

fn stages<'a>(builder: &mut Builder<'a>, hook: &'a Hook, mut body: Body) -> Body {
    let scope = Scope { hook: hook.name, subject: Subject::Host(hook.name), nic: None, sources: None };
    for stage in &hook.stages {
        match rules_of(stage) {
            Some(list) => builder.list(&scope, list, |_| true, &mut body),
            None => builder.stage(&scope, stage, &mut body),
        }
    }
    body
}

/// Drops bare SYNs above the limit, by source: an IPv4 address, or an IPv6 network of 64 bits.
pub(super) fn synflood(builder: &mut Builder<'_>, limit: Synflood, before: &[Condition], body: &mut Body) {
    let bare = TcpFlags { mask: TcpFlags::FIN | TcpFlags::SYN | TcpFlags::RST | TcpFlags::ACK, set: TcpFlags::SYN };
    for (family, name) in [(Family::V4, "synflood-v4"), (Family::V6, "synflood-v6")] {
        let set = meter(&mut builder.pool, name, family, limit.seconds());
        let mut conditions = before.to_vec();
        conditions.push(Condition::Family(family));
        conditions.push(Condition::TcpFlags(bare, false));
        conditions.push(Condition::Above(family, set, limit.rate, limit.burst));
        body.push(conditions, Action::Drop);
    }
}

/// Conntrack's helpers, for connections that come by the table's prerouting hook.
pub(super) fn helpers(builder: &mut Builder<'_>, wanted: &[ConntrackHelper]) {
    if wanted.is_empty() {
        return;
    }
    let mut body = Body::default();
    for one in wanted {
        let (kind, HelperService { protocol, port, only_v4 }) = (one.name(), one.service());
        let name = format!("helper-{kind}");
        let mut conditions: Vec<Condition> = Vec::new();
        if only_v4 {
            conditions.push(Condition::Family(Family::V4));
        }
        conditions.push(Condition::Port(protocol, Side::Dest, Operand::Range(port, port)));
        body.push(conditions, Action::Helper(name.clone()));
        builder.helper(Helper { name, kind, protocol, only_v4 });
    }
    body.push(Vec::new(), Action::Accept);
    builder.base("helpers", "prerouting", HELPERS, body);
}
