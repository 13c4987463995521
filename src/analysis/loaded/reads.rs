//! What rules depend on besides the fields of packets.

use crate::analysis::sets::Field;
use crate::state::ruleset::{Program, Verdict};

use super::nft::Cases;
use super::{Condition, Context, Fields, Port, PortValue, Tagging};

/// What a rule, or all that it leads to, looks at besides the packet's fields: bits of [`Reads`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Reads(u16);

impl Reads {
    const FACTS: Self = Self(1 << 5);
    const TAG: Self = Self(1 << 6);
    const MAC: Self = Self(1 << 7);
    const TOWARDS: Self = Self(1 << 8);
    pub(super) const MARK: Self = Self(1 << 9);
    pub(super) const FRAME: Self = Self(1 << 10);

    const fn port(port: Port) -> Self {
        Self(match port {
            Port::In => 1,
            Port::Out => 2,
            Port::BridgeIn => 4,
            Port::BridgeOut => 8,
            Port::Bridge => 16,
        })
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a context decides something of it, whose part is `decided`.
    pub(super) const fn is_decided(self, decided: Self) -> bool {
        self.0 & decided.0 != 0
    }

    /// What a context decides.
    pub(super) fn decided(context: &Context) -> Self {
        let mut decided = Self::FACTS;
        for port in [Port::In, Port::Out, Port::BridgeIn, Port::BridgeOut, Port::Bridge] {
            if *context.port(port) != PortValue::Any {
                decided = decided.and(Self::port(port));
            }
        }
        let mut add = |when: bool, what: Self| decided = if when { decided.and(what) } else { decided };
        add(context.tagging != Tagging::Plain, Self::TAG);
        add(context.tagging.frame().is_some(), Self::FRAME);
        add(context.own_mac.is_some(), Self::MAC);
        add(context.towards.is_some(), Self::TOWARDS);
        decided
    }

    /// The same, but wherever packets go.
    pub(super) const fn everywhere(self) -> Self {
        Self(self.0 & !Self::TOWARDS.0)
    }

    /// Whether it looks at a port.
    pub(super) const fn has_port(self, port: Port) -> bool {
        self.is_decided(Self::port(port))
    }

    /// Whether it looks at what a bridge does with packets.
    pub(super) const fn has_facts(self) -> bool {
        self.is_decided(Self::FACTS)
    }

    /// Whether it looks at hardware addresses.
    pub(super) const fn has_mac(self) -> bool {
        self.is_decided(Self::MAC)
    }

    /// Whether it looks at what tags may hide.
    pub(super) const fn has_tag(self) -> bool {
        self.is_decided(Self::TAG.and(Self::FRAME))
    }

    /// Whether it looks at marks, or changes them.
    pub(super) const fn has_mark(self) -> bool {
        self.0 & Self::MARK.0 != 0
    }

    /// Whether it leads elsewhere by destination.
    pub(super) const fn has_towards(self) -> bool {
        self.is_decided(Self::TOWARDS)
    }

    /// Whether it looks at the port that packets come in by.
    pub(super) const fn has_source(self, program: Program) -> bool {
        let port = match program {
            Program::Nft => Port::In,
            Program::Iptables | Program::Ip6tables | Program::Ebtables => Port::BridgeIn,
        };
        self.0 & (Self::port(port).0 | Self::MAC.0) != 0
    }

    /// Whether it looks at the port that they leave by.
    pub(super) const fn has_dest(self, program: Program) -> bool {
        let port = match program {
            Program::Nft => Port::Out,
            Program::Iptables | Program::Ip6tables | Program::Ebtables => Port::BridgeOut,
        };
        self.0 & Self::port(port).0 != 0
    }
}

/// What a rule looks at itself.
pub(super) fn reads(
    boxes: Option<&[Fields]>,
    others: &[Condition],
    verdict: &Verdict,
    cases: Option<&Cases<'_>>,
) -> Reads {
    let mut all = Reads::default();
    let leads = matches!(verdict, Verdict::Jump(_) | Verdict::Goto(_));
    for (field, _) in boxes.into_iter().flatten().flat_map(|one| &one.0) {
        all = all.and(match field {
            Field::Frame => Reads::FRAME,
            Field::SourceMac | Field::ArpMac => Reads::MAC,
            Field::Dest if leads => Reads::TOWARDS,
            Field::Dest
            | Field::InInterface
            | Field::OutInterface
            | Field::State
            | Field::Protocol
            | Field::DestPort
            | Field::Icmp
            | Field::Source
            | Field::SourcePort
            | Field::Flags
            | Field::Stand => Reads::default(),
        });
    }
    for condition in others {
        all = all.and(match condition {
            Condition::Outer(_) => Reads::TAG,
            Condition::Port { port: Port::Out, .. } if leads => Reads::port(Port::Out).and(Reads::TOWARDS),
            Condition::Port { port, .. } => Reads::port(*port),
            Condition::Keyed { port, .. } => Reads::port(*port).and(Reads::MAC),
            Condition::FromBridge(_) | Condition::ToBridge(_) | Condition::Bridged(_) => Reads::FACTS,
            Condition::Mark { .. } => Reads::MARK,
            Condition::Packet(_) | Condition::Above(_) | Condition::Opaque(_) => Reads::default(),
        });
    }
    if let Some(Cases::Port { port, .. }) = cases {
        all = all.and(Reads::port(*port));
    }
    all
}
