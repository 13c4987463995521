//! What is known of a packet before its fields are looked at.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::analysis::sets::Memo;
use crate::net::{AddressSet, Mac, Ranges};

use super::reads::Reads;
use super::{Pattern, Port};

/// What a rule sees where it asks for a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum PortValue {
    /// There is none here.
    #[default]
    None,
    /// This one.
    Is(Arc<str>),
    /// One that no rule names, with a name that begins so (empty: as no rule has it).
    Other(Arc<str>),
    /// Any: which one is a field of the packet.
    Any,
}

/// How a frame is tagged, as far as rules see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Tagging {
    /// With one tag of 802.1Q at most, which is looked through.
    #[default]
    Plain,
    /// With a service tag (802.1ad): `ether type` sees it, all else what is behind it.
    Service,
    /// With a second tag, which is all that rules see.
    Double,
}

impl Tagging {
    /// The ethertype that rules see of every frame, where it is one.
    #[must_use]
    pub const fn frame(self) -> Option<u128> {
        match self {
            Self::Plain | Self::Service => None,
            Self::Double => Some(TAG),
        }
    }
}

/// The ethertype of a tag (IEEE 802.1Q).
pub(super) const TAG: u128 = 0x8100;

/// Where packets go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Towards {
    /// Their destinations.
    pub dest: Ranges<u128>,
    /// The interface they leave by.
    pub out_interface: PortValue,
}

/// The way on which a packet meets the rules, as far as they ask.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// The interface it comes in by.
    pub in_interface: PortValue,
    /// The interface it leaves by.
    pub out_interface: PortValue,
    /// The bridge's port it comes in by.
    pub bridge_in: PortValue,
    /// The bridge's port it leaves by.
    pub bridge_out: PortValue,
    /// The bridge.
    pub bridge: PortValue,
    /// Whether it goes from port to port of a bridge.
    pub bridged: bool,
    /// The hardware address of the NIC that it comes from.
    pub own_mac: Option<Mac>,
    /// The addresses of that NIC, for which any may stand: see [`Loaded::of_any_rules`](super::Loaded::of_any_rules).
    pub own_sources: Option<Arc<AddressSet>>,
    /// Where it goes to, for rules that lead elsewhere by that: these are followed for such packets alone, while all
    /// other rules are told for every packet.
    pub towards: Option<Arc<Towards>>,
    /// How it is tagged.
    pub tagging: Tagging,
}

impl Context {
    /// What a rule sees of a port.
    #[must_use]
    pub const fn port(&self, port: Port) -> &PortValue {
        match port {
            Port::In => &self.in_interface,
            Port::Out => &self.out_interface,
            Port::BridgeIn => &self.bridge_in,
            Port::BridgeOut => &self.bridge_out,
            Port::Bridge => &self.bridge,
        }
    }
}

impl PortValue {
    /// Whether it is the very same name, which is asked faster than whether it is equal.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Is(name), Self::Is(other)) | (Self::Other(name), Self::Other(other)) => Arc::ptr_eq(name, other),
            (Self::None, Self::None) | (Self::Any, Self::Any) => true,
            (Self::None | Self::Is(_) | Self::Other(_) | Self::Any, _) => false,
        }
    }

    /// Whether a pattern fits; nothing where that depends on the packet.
    #[must_use]
    pub fn fits(&self, pattern: &Pattern) -> Option<bool> {
        match (self, pattern) {
            (Self::Any, _) => None,
            (Self::None, _) | (Self::Other(_), Pattern::Is(_)) => Some(false),
            (Self::Is(name), Pattern::Is(wanted)) => Some(name == wanted),
            (Self::Is(name) | Self::Other(name), Pattern::BeginsWith(start)) => Some(name.starts_with(&**start)),
        }
    }

    /// Whether one of some patterns fits, which are sorted; not where that depends on the packet.
    #[must_use]
    pub fn fits_any(&self, patterns: &[Pattern]) -> bool {
        // Those that are names come first.
        let names = patterns.partition_point(|pattern| matches!(pattern, Pattern::Is(_)));
        let (names, starts) = patterns.split_at_checked(names).unwrap_or((patterns, &[]));
        let is_named = match self {
            Self::Is(name) => names.binary_search_by(|pattern| pattern.text().cmp(name)).is_ok(),
            Self::None | Self::Other(_) | Self::Any => false,
        };
        is_named || starts.iter().any(|start| self.fits(start) == Some(true))
    }

    /// What its name begins with, as far as that is known.
    pub(super) fn beginning(&self) -> Option<&str> {
        match self {
            Self::Is(name) | Self::Other(name) => Some(name),
            Self::None | Self::Any => None,
        }
    }

    /// The name, where there is one that rules know.
    #[must_use]
    pub const fn name(&self) -> Option<&Arc<str>> {
        match self {
            Self::Is(name) => Some(name),
            Self::None | Self::Other(_) | Self::Any => None,
        }
    }
}

/// Every port that rules may ask for.
const PORTS: [Port; 5] = [Port::In, Port::Out, Port::BridgeIn, Port::BridgeOut, Port::Bridge];

/// The numbers of values of ports.
#[derive(Debug, Default)]
pub(super) struct Ports {
    numbers: Memo<PortValue, u32>,
    /// The last value of each port and its number: one context is much like the next.
    last: [(PortValue, u32); 5],
}

impl Ports {
    /// Those of a context's, in the order of [`PORTS`].
    pub(super) fn of(&mut self, context: &Context) -> [u32; 5] {
        let Self { numbers, last } = self;
        let mut found = [0; 5];
        for ((port, last), found) in PORTS.into_iter().zip(last).zip(&mut found) {
            let value = context.port(port);
            *found = match value {
                PortValue::None => 1,
                PortValue::Any => 2,
                PortValue::Is(_) | PortValue::Other(_) => {
                    if !value.is_same(&last.0) {
                        *last = (value.clone(), number(numbers, value));
                    }
                    last.1
                }
            };
        }
        found
    }
}

fn number(numbers: &mut Memo<PortValue, u32>, value: &PortValue) -> u32 {
    let next = u32::try_from(numbers.len() + 3).unwrap_or(u32::MAX);
    if let Some(known) = numbers.get(value) { *known } else { *numbers.entry(value.clone()).or_insert(next) }
}

/// What rules that look at some of a context see of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    /// The numbers of ports; 0 for one that is not looked at.
    ports: [u32; 5],
    facts: Option<[bool; 3]>,
    mac: Option<Mac>,
    towards: Option<Same>,
    tagging: Tagging,
}

impl Seen {
    /// What of a context is looked at.
    pub(super) fn new(reads: Reads, context: &Context, mut ports: [u32; 5]) -> Self {
        for (port, number) in PORTS.into_iter().zip(&mut ports) {
            *number = if reads.has_port(port) { *number } else { 0 };
        }
        let facts = [context.bridge_in != PortValue::None, context.bridge_out != PortValue::None, context.bridged];
        Self {
            ports,
            facts: reads.has_facts().then_some(facts),
            mac: context.own_mac.filter(|_| reads.has_mac()),
            towards: context.towards.as_ref().filter(|_| reads.has_towards()).map(|one| Same(Arc::clone(one))),
            tagging: if reads.has_tag() { context.tagging } else { Tagging::Plain },
        }
    }
}

/// These very destinations: of others nobody asks whether they are equal.
#[derive(Debug, Clone)]
struct Same(Arc<Towards>);

impl PartialEq for Same {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Same {}

impl Hash for Same {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}
