//! The exception of service tags: through iptables, what stands behind a single 802.1ad tag is judged by the rules, for
//! the bridge looks through it.

use fwc::analysis::{Decision, Packet};
use fwc::policy::{Crossing, HookName, TargetName, Verdict};

use super::{Model, Place, Probe};
use crate::line::Line;
use crate::wire::Body;

impl<'a> Model<'a> {
    /// Whether a probe is one that the bridge looks through.
    pub(super) fn looks_through(&self, probe: &Probe) -> bool {
        let single = matches!(probe.frame.tags.as_slice(), [tag] if tag.ethertype == 0x88a8);
        self.backend.target() == TargetName::Iptables && single && matches!(probe.frame.body, Body::Ip(_))
    }

    /// ebtables has the first word about what guests send, and the last about what they get; in between,
    /// iptables looks through the tag. Also says whether the first word is the only one.
    pub(super) fn behind_tag(
        &mut self,
        way: Vec<Crossing<'a>>,
        probe: &Probe,
        packet: &Packet,
        place: Place,
    ) -> (Vec<(Crossing<'a>, Decision<'a>)>, Vec<Line>, bool) {
        let inner = Packet { body: self.body(&probe.frame, &[]), ..packet.clone() };
        let at = |hook: HookName, guests: HookName, end: Place| {
            hook == guests || (hook == HookName::VnetForward && self.is_guests(end))
        };
        let (first, last): (Vec<_>, Vec<_>) = (
            way.iter().filter(|one| at(one.hook.name, HookName::GuestOut, probe.from)).cloned().collect(),
            way.iter().filter(|one| at(one.hook.name, HookName::GuestIn, place)).cloned().collect(),
        );
        let (mut decisions, mut lines, words) = (Vec::new(), Vec::new(), first.len());
        for (crossings, packet, writes) in [(first, packet, false), (way, &inner, true), (last, packet, false)] {
            for crossing in crossings {
                let decision = self.decide(&crossing, packet);
                let verdict = decision.verdict;
                lines.extend(Line::of(&crossing, &decision).filter(|_| writes));
                decisions.push((crossing, decision));
                if verdict != Verdict::Accept {
                    let early = decisions.len() <= words;
                    return (decisions, lines, early);
                }
            }
        }
        (decisions, lines, false)
    }
}
