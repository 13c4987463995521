//! What is shown of a trace: finished words, in the order in which they are shown.
//!
//! In: an answer, or the steps of a trace. Out: views, which text and JSON print alike.

use serde::Serialize;

use crate::analysis::{Answer, Body, Note, Packet, Payload, Place, Rejection, Step};
use crate::diagnostic::Span;
use crate::diagnostic::{Place as SpecPlace, Places};
use crate::net::{IcmpType, TcpFlags};
use crate::policy::words;
use crate::policy::{Applied, Fleet, HostPolicy, Log, SectionKind, Skipped, Verdict, ZoneRef};

use super::setting;

/// Hosts with the same verdict that are named before the rest is only counted.
const HOSTS: usize = 8;

/// The answer to a question.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct AnswerView {
    pub verdict: &'static str,
    pub from: EndView,
    pub to: EndView,
    pub via: Option<String>,
    pub packet: PacketView,
    pub hooks: Vec<StepView>,
    pub unreached: Vec<StepView>,
    pub notes: Vec<NoteView>,
}

/// An end of the way.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct EndView {
    /// `outside`, `host/pm1`, `vm/100:net0`.
    pub end: String,
    /// Where a guest is taken to run.
    pub host: Option<String>,
    /// A guest's name.
    pub name: Option<String>,
}

/// A packet; what it has not is left out.
#[derive(Debug, Clone, Default, Serialize)]
pub(in crate::cli) struct PacketView {
    /// `IPv4`, `IPv6`, `ARP`, `stacked`, or the number of another ethertype.
    pub frame: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sport: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dport: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_flags: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// The Ethernet source, where it is not the sending NIC's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// The host's interface, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iface: Option<String>,
}

/// A hook and what it decides.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct StepView {
    pub hook: &'static str,
    pub verdict: &'static str,
    /// The rule that decides; none where a stage decides that is not made of rules.
    pub rule: Option<RuleView>,
    /// The level of the log line, if there is one.
    pub log: Option<&'static str>,
    pub host: String,
    pub machine: String,
    pub nic: Option<String>,
    pub stage: Option<&'static str>,
    /// What the stage does, in a few words.
    pub does: String,
    /// The option or ipset that makes the stage act so.
    pub setting: Option<SettingView>,
    /// What a reject tells the sender.
    pub answer: Option<&'static str>,
}

/// A rule and the way it came.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct RuleView {
    pub zone: String,
    pub id: String,
    #[serde(flatten)]
    pub place: SpecPlace,
    pub text: String,
    pub comment: Option<String>,
    pub guardrail: bool,
    /// From the machine to the zone that wrote it, and to the group it is in.
    pub path: Vec<String>,
    /// The reference that brought a group's rule.
    pub reference: Option<ReferenceView>,
}

/// Where a group is referenced.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct ReferenceView {
    pub zone: String,
    pub id: String,
    #[serde(flatten)]
    pub place: SpecPlace,
}

/// An option (or ipset) in force.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct SettingView {
    pub name: String,
    pub value: String,
    /// Who set it; none for a default.
    pub zone: Option<String>,
    #[serde(flatten)]
    pub place: Option<SpecPlace>,
}

/// A remark.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct NoteView {
    pub text: String,
    #[serde(flatten)]
    pub place: Option<SpecPlace>,
}

/// Puts traces into words.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Viewer<'a> {
    pub fleet: &'a Fleet,
    pub places: Places<'a>,
}

impl Viewer<'_> {
    /// An answer.
    pub(in crate::cli) fn answer(&self, answer: &Answer<'_>) -> AnswerView {
        AnswerView {
            verdict: words::verdict(answer.trace.verdict),
            from: end(answer.from),
            to: end(answer.to),
            via: answer.via.map(|host| format!("host/{}", host.name)),
            packet: packet(&answer.packet),
            hooks: self.steps(&answer.trace.hooks),
            unreached: self.steps(&answer.trace.unreached),
            notes: answer.notes.iter().map(|note| self.note(note)).collect(),
        }
    }

    /// Hooks of a trace.
    pub(in crate::cli) fn steps(&self, steps: &[Step<'_>]) -> Vec<StepView> {
        steps.iter().map(|step| self.step(step)).collect()
    }

    /// A hook of a trace.
    pub(in crate::cli) fn step(&self, step: &Step<'_>) -> StepView {
        let decision = &step.decision;
        let rejected = decision.verdict == Verdict::Reject;
        let answer = rejected.then(|| rejection(step.packet.rejection(&step.crossing.host.broadcast)));
        StepView {
            hook: step.crossing.hook.name.name(),
            verdict: words::verdict(decision.verdict),
            rule: decision.rule.map(|applied| self.rule(&applied)),
            log: match decision.log {
                Log::None => None,
                Log::At(level) => Some(level.name()),
            },
            host: step.crossing.host.name.clone(),
            machine: step.crossing.machine.to_string(),
            nic: step.crossing.nic.map(|nic| format!("net{}", nic.index)),
            stage: decision.stage.map(|stage| stage.name()),
            does: decision.stage.map(words::stage).unwrap_or_default(),
            setting: setting::cause(self.fleet, step).map(|cause| self.setting(cause)),
            answer,
        }
    }

    fn rule(&self, applied: &Applied<'_>) -> RuleView {
        let rule = applied.rule;
        let mut path: Vec<String> = applied.inherited.path.iter().map(ToString::to_string).collect();
        path.extend(applied.call.map(|call| format!("group/{}", call.group.name)));
        let reference = applied.call.map(|call| ReferenceView {
            zone: call.origin.zone.to_string(),
            id: call.origin.identity.clone(),
            place: self.places.of(call.origin.span),
        });
        RuleView {
            zone: rule.origin.zone.to_string(),
            id: rule.origin.identity.clone(),
            place: self.places.of(rule.origin.span),
            text: format!("{} {}", words::verdict(rule.verdict), words::matches(rule)),
            comment: rule.comment.clone(),
            guardrail: applied.inherited.section.kind == SectionKind::Guardrails,
            path,
            reference,
        }
    }

    fn setting(&self, cause: setting::Cause) -> SettingView {
        SettingView {
            name: cause.name,
            value: cause.value,
            zone: cause.origin.as_ref().map(|(zone, _)| zone.to_string()),
            place: cause.origin.map(|(_, span)| self.places.of(span)),
        }
    }

    fn note(&self, note: &Note<'_>) -> NoteView {
        let (text, span): (String, Option<Span>) = match note {
            Note::Ping => ("no protocol was named, so the packet is a ping; see `--proto`".to_owned(), None),
            Note::Unseen => {
                ("nobody looks behind more than one VLAN tag: addresses and ports do not count".into(), None)
            }
            Note::NoEffect(option) => (format!("`{option}` has no effect: no hook on the way looks at it"), None),
            Note::Router(host) => {
                let text = format!("the packet leaves {} for a router, and comes back; see `--via`", host.name);
                (text, None)
            }
            Note::Off { machine: machine @ ZoneRef::Host(_), span } => {
                (format!("the firewall of {machine} is off: nothing is judged there"), *span)
            }
            Note::Off { machine, span } => {
                (format!("the firewall of {machine} is off: it has no hook on the way"), *span)
            }
            Note::Elsewhere { guest, others } => {
                (format!("{guest} may run on other hosts too: {}; see `--on`", elsewhere(others)), None)
            }
            Note::Interface { applied, machine, interface } => {
                let verdict = words::verdict(applied.rule.verdict);
                let text = format!("a rule of {machine} would {verdict} it by `{interface}`; see `--iface`");
                (text, Some(applied.rule.origin.span))
            }
            Note::Skipped { machine, skipped: Skipped { origin, reason } } => {
                let reason = words::skipped(*reason);
                let text = format!("`{}` of {} is left out on {machine}: {reason}", origin.identity, origin.zone);
                (text, Some(origin.span))
            }
        };
        NoteView { text, place: span.map(|span| self.places.of(span)) }
    }
}

/// `drop on pm2, pm3; accept on pm4`; of many hosts the first.
fn elsewhere(others: &[(&HostPolicy, Verdict)]) -> String {
    let part = |verdict: Verdict| {
        let hosts: Vec<&str> =
            others.iter().filter(|(_, there)| *there == verdict).map(|(host, _)| host.name.as_str()).collect();
        let more = hosts.len().saturating_sub(HOSTS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named: Vec<&str> = hosts.iter().take(HOSTS).copied().collect();
        (!hosts.is_empty()).then(|| format!("{} on {}{more}", words::verdict(verdict), named.join(", ")))
    };
    let parts: Vec<String> = [Verdict::Drop, Verdict::Reject, Verdict::Accept].into_iter().filter_map(part).collect();
    parts.join("; ")
}

/// What a rejected sender hears.
const fn rejection(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::Silent => "nothing",
        Rejection::TcpReset => "a TCP reset",
        Rejection::PortUnreachable => "port-unreachable",
        Rejection::Prohibited => "administratively prohibited",
    }
}

fn end(place: Place<'_>) -> EndView {
    match place {
        Place::Outside => EndView { end: "outside".to_owned(), host: None, name: None },
        Place::Host(host) => EndView { end: format!("host/{}", host.name), host: Some(host.name.clone()), name: None },
        Place::Guest(host, guest, nic) => EndView {
            end: format!("{}:net{}", guest.zone(), nic.index),
            host: Some(host.name.clone()),
            name: guest.name.clone(),
        },
    }
}

/// A packet.
pub(in crate::cli) fn packet(packet: &Packet) -> PacketView {
    let mac = packet.source_mac.map(|mac| mac.to_string());
    let iface = packet.in_interface.clone().or_else(|| packet.out_interface.clone());
    let plain = |frame: String| PacketView { frame, mac: mac.clone(), iface: iface.clone(), ..PacketView::default() };
    match &packet.body {
        Body::Stacked => plain("stacked".to_owned()),
        Body::Other(number) => plain(format!("{number:#06x}")),
        Body::Arp(arp) => PacketView {
            source: Some(arp.sender.to_string()),
            dest: Some(arp.target.to_string()),
            ..plain("ARP".to_owned())
        },
        Body::Ip(ip) => {
            let ports = ip.payload.ports();
            let (flags, icmp) = match ip.payload {
                Payload::Tcp { flags, .. } => (Some(TcpFlags::names(flags).collect()), None),
                Payload::Icmp { kind, code } => (None, Some(icmp_type(IcmpType::new(ip.family(), kind), code))),
                Payload::Ports { .. } | Payload::Other => (None, None),
            };
            PacketView {
                protocol: Some(ip.protocol.to_string()),
                source: Some(ip.source.to_string()),
                sport: ports.map(|(source, _)| source),
                dest: Some(ip.dest.to_string()),
                dport: ports.map(|(_, dest)| dest),
                icmp_type: icmp,
                tcp_flags: flags,
                state: Some(ip.state.name()),
                ..plain(ip.family().name().to_owned())
            }
        }
    }
}

/// The name of the type with its code, or without, or else the numbers.
fn icmp_type(kind: IcmpType, code: u8) -> String {
    let exact = IcmpType { code: Some(code), ..kind };
    let name = exact.name().or_else(|| kind.name().filter(|_| code == 0));
    name.map_or_else(|| format!("{}/{code}", kind.kind), str::to_owned)
}
