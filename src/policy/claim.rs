//! Claims about packets: the spec's `tests` with their names resolved.
//!
//! A claim says what becomes of every packet that fits it. Lists mean every combination: each machine of `from` to
//! each of `to`, by each service. Whoever checks claims decides which packets stand in for "every".

use std::fmt;
use std::sync::Arc;

use crate::diagnostic::Span;
use crate::net::AddressSet;

use super::{Addresses, GuestKind, Service, State, ZoneRef, words};

/// An end of a packet's way as a user writes it. Displays as it was written: `vm/100:net1`, `host/*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selector {
    /// `outside`: whatever is neither a host nor a guest of the spec.
    Outside,
    /// `host/NAME`.
    Host(String),
    /// `host/*`.
    EveryHost,
    /// `vm/ID` or `ct/ID`, with `:netN` for one of its NICs.
    Guest(GuestKind, u32, Option<u8>),
    /// `vm/*` or `ct/*`.
    EveryGuest(GuestKind),
    /// `zone/NAME`: all that inherit it.
    Zone(String),
}

impl Selector {
    /// Reads an end; none where the text has no such form. Names are not looked up.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Some((what, name)) = text.split_once('/') else {
            return (text == "outside").then_some(Self::Outside);
        };
        let kind = match what {
            "host" if name == "*" => return Some(Self::EveryHost),
            "host" if !name.is_empty() => return Some(Self::Host(name.to_owned())),
            "zone" if !name.is_empty() => return Some(Self::Zone(name.to_owned())),
            "vm" => GuestKind::Vm,
            "ct" => GuestKind::Container,
            _ => return None,
        };
        if name == "*" {
            return Some(Self::EveryGuest(kind));
        }
        let (id, nic) = match name.split_once(':') {
            Some((id, nic)) => (id, Some(number::<u8>(nic.strip_prefix("net")?).filter(|index| *index < 32)?)),
            None => (name, None),
        };
        Some(Self::Guest(kind, number(id)?, nic))
    }
}

/// A plain decimal: no sign, no leading zero.
fn number<T: std::str::FromStr>(digits: &str) -> Option<T> {
    let plain = digits == "0" || !digits.starts_with(['0', '+']);
    plain.then(|| digits.parse().ok()).flatten()
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside => f.write_str("outside"),
            Self::Host(name) => write!(f, "host/{name}"),
            Self::EveryHost => f.write_str("host/*"),
            Self::Guest(kind, id, None) => write!(f, "{}", kind.zone(*id)),
            Self::Guest(kind, id, Some(nic)) => write!(f, "{}:net{nic}", kind.zone(*id)),
            Self::EveryGuest(GuestKind::Vm) => f.write_str("vm/*"),
            Self::EveryGuest(GuestKind::Container) => f.write_str("ct/*"),
            Self::Zone(name) => write!(f, "zone/{name}"),
        }
    }
}

/// One end of a packet's way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// Neither a host nor a guest of the spec.
    Outside,
    /// A host of the fleet.
    Host(String),
    /// A guest that runs on at least one host of the fleet and has at least one NIC.
    Guest {
        /// VM or container.
        kind: GuestKind,
        /// Its number.
        id: u32,
        /// The NIC that was written, if one was; the guest has it.
        nic: Option<u8>,
    },
}

/// One entry of `from` or `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimEnd {
    /// As it was written.
    pub selector: Selector,
    /// What it stands for, in order, each once; never empty. Shared by all claims that write the same.
    pub endpoints: Arc<[Endpoint]>,
    /// Where it was written.
    pub span: Span,
}

/// What a claim says of its packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expectation {
    /// They pass.
    Accept,
    /// They vanish without a word.
    Drop,
    /// They are rejected.
    Reject,
    /// None of them passes, whatever else becomes of it.
    Never,
}

impl Expectation {
    /// As the spec writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
            Self::Reject => "reject",
            Self::Never => "never",
        }
    }
}

/// The addresses from which packets may pass, where no others may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Only {
    /// These.
    pub addresses: Addresses,
    /// All others: the sources that the claim is about; not empty.
    pub others: Arc<AddressSet>,
    /// Whether `from` was left out: then it is everyone but the one at the other end.
    pub everyone: bool,
}

/// One entry of `tests`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// `name`, if it has one.
    pub name: Option<String>,
    /// Where the packets come from: each of these; never empty.
    pub from: Vec<ClaimEnd>,
    /// Where they go to: each of these; never empty.
    pub to: Vec<ClaimEnd>,
    /// The source addresses it speaks of; none: any that the endpoint can have.
    pub source: Option<Addresses>,
    /// The destination addresses it speaks of; none: any that the endpoint can have.
    pub dest: Option<Addresses>,
    /// The services it speaks of; empty: every protocol.
    pub services: Vec<Service>,
    /// The macro that the services come from, if any.
    pub macro_name: Option<&'static str>,
    /// The host's interface by which packets come in from outside or leave to it; none: any.
    pub interface: Option<String>,
    /// The connection's state.
    pub state: State,
    /// What becomes of the packets; [`Expectation::Never`] beside [`Claim::only`].
    pub expect: Expectation,
    /// From which addresses alone packets may pass: the claim is then about those from all others.
    pub only: Option<Only>,
    /// The value of `expect` or `only` in the source.
    pub expect_span: Span,
    /// The whole test in the source.
    pub span: Span,
}

impl Only {
    /// Its addresses in the spec's words.
    fn words(&self) -> String {
        let terms: Vec<String> = self.addresses.terms.iter().map(|term| words::reference(&term.reference)).collect();
        terms.join(", ")
    }
}

impl Claim {
    /// Its name, or what it says: `vm/100 to outside`, `only +staff to host/*`.
    #[must_use]
    pub fn title(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let list = |ends: &[ClaimEnd]| {
            let texts: Vec<String> = ends.iter().map(|end| end.selector.to_string()).collect();
            texts.join(", ")
        };
        let (from, to) = (list(&self.from), list(&self.to));
        match &self.only {
            None => format!("{from} to {to}"),
            Some(only) if only.everyone => format!("only {} to {to}", only.words()),
            Some(only) => format!("only {} from {from} to {to}", only.words()),
        }
    }

    /// What it says of its packets, as the spec writes it: the word of `expect`, or `only`.
    #[must_use]
    pub const fn says(&self) -> &'static str {
        if self.only.is_some() { "only" } else { self.expect.name() }
    }
}

impl GuestKind {
    /// The place in the spec of a guest of this kind.
    #[must_use]
    pub const fn zone(self, id: u32) -> ZoneRef {
        match self {
            Self::Vm => ZoneRef::Vm(id),
            Self::Container => ZoneRef::Container(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Selector;

    #[test]
    fn an_end_is_read_and_displayed_as_written() {
        for text in
            ["outside", "host/pm1", "host/*", "vm/100", "ct/200:net1", "vm/100:net0", "vm/*", "ct/*", "zone/web"]
        {
            assert_eq!(Selector::parse(text).expect(text).to_string(), text);
        }
        for text in [
            "inside",
            "host/",
            "zone/",
            "vm/",
            "vm/x",
            "vm/0100",
            "vm/+100",
            "vm/100:eth0",
            "vm/100:net32",
            "ct/1:net01",
            "any/1",
        ] {
            assert_eq!(Selector::parse(text), None, "{text}");
        }
    }
}
