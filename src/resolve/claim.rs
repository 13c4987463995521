//! The spec's `tests`, from text to values.
//!
//! In: tests whose shape is right, and the machines. Out: a [`Claim`] for each; or an error for each name that does
//! not exist, each match that could not stand in a rule either, and each end that stands for no machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::net::{AddressSet, Ranges};
use crate::policy::{Claim, ClaimEnd, Endpoint, Expectation, GuestKind, Only, Selector, State, ZoneRef};
use crate::spec::model::{List, Says, Test, Text};
use crate::spec::options;

use super::address::{Unresolved, addresses, machine_like};
use super::family::Families;
use super::graph::NodeId;
use super::machines::{GuestPlan, HostPlan};
use super::names::{LocalNetwork, Scope};
use super::rule::nic_index;
use super::section::World;
use super::service::{ServiceWords, services};

/// Resolves tests.
#[derive(Debug)]
pub(super) struct ClaimReader<'a> {
    world: &'a World<'a>,
    hosts: &'a [HostPlan<'a>],
    guests: &'a [GuestPlan<'a>],
    scope: Scope<'a>,
    /// What was selected before: claims by the thousand write the same few ends.
    known: BTreeMap<Selector, Arc<[Endpoint]>>,
}

impl<'a> ClaimReader<'a> {
    /// A reader that looks names up as the datacenter does; but a claim is about all hosts at once.
    pub(super) fn new(world: &'a World<'a>, hosts: &'a [HostPlan<'a>], guests: &'a [GuestPlan<'a>]) -> Self {
        let datacenter = world.graph.node(&ZoneRef::Datacenter);
        let names = world.names(None, datacenter.as_slice());
        let scope = Scope::new(names, world.machines, LocalNetwork::OfNoHost(Code::LocalNetworkInTest));
        Self { world, hosts, guests, scope, known: BTreeMap::new() }
    }

    /// Every test without errors, in order.
    pub(super) fn read(mut self, out: &mut Diagnostics) -> Vec<Claim> {
        self.world.spec.tests.iter().filter_map(|test| self.claim(test, out).ok()).collect()
    }

    fn claim(&mut self, test: &Test, out: &mut Diagnostics) -> Result<Claim, Unresolved> {
        let from = match &test.from {
            Some(list) => self.ends(list, out),
            None => Ok(self.everyone(test)),
        };
        let to = self.ends(&test.to, out);
        let source = test.source.as_ref().map(|list| addresses(list, &self.scope, out)).transpose();
        let dest = test.dest.as_ref().map(|list| addresses(list, &self.scope, out)).transpose();
        let services = services(ServiceWords::from(test), out);
        let state = test.state.as_ref().map_or(Ok(State::New), |text| state(text, out));
        let said = self.says(test, out);
        let (from, to) = (from?, to?);
        let interface = test.iface.as_ref().map(|text| interface(text, &from, &to, out)).transpose();
        let (services, macro_name) = services?;
        let (expect, only, expect_span) = said?;
        let claim = Claim {
            name: test.name.as_ref().map(|text| text.value.clone()),
            from,
            to,
            source: source?,
            dest: dest?,
            services,
            macro_name,
            interface: interface?,
            state: state?,
            expect,
            only,
            expect_span,
            span: test.span,
        };
        let families = Families {
            span: test.span,
            source: test.source.as_ref().zip(claim.source.as_ref()),
            dest: test.dest.as_ref().zip(claim.dest.as_ref()),
            service: ServiceWords::from(test).span(),
            services: &claim.services,
        };
        if !families.can_hold() {
            out.push(families.never_holds("test"));
            return Err(Unresolved);
        }
        if let Some(only) = &claim.only
            && claim.source.as_ref().map_or(&*only.others, |source| &source.set).intersection(&only.others).is_empty()
        {
            let message = "this test is about no packet: `only` names every source that it could be about";
            let mut error = Diagnostic::error(Code::NeverHolds, expect_span, message);
            if let Some(source) = &test.source {
                error = error.label(source.span, "the sources that it is about");
            }
            let help = "a test with `only` is about packets from all other addresses: name fewer there";
            out.push(error.help(help));
            return Err(Unresolved);
        }
        Ok(claim)
    }

    /// What is claimed, and where that stands.
    fn says(&self, test: &Test, out: &mut Diagnostics) -> Result<(Expectation, Option<Only>, Span), Unresolved> {
        match &test.says {
            Says::Expect(text) => Ok((expectation(text, out)?, None, text.span)),
            Says::Only(list) => {
                let addresses = addresses(list, &self.scope, out)?;
                let all = AddressSet::new(Ranges::all(), Ranges::all());
                let others = Arc::new(all.difference(&addresses.set));
                let only = Only { addresses, others, everyone: test.from.is_none() };
                Ok((Expectation::Never, Some(only), list.span))
            }
        }
    }

    /// Outside, and every machine that can send.
    fn everyone(&mut self, test: &Test) -> Vec<ClaimEnd> {
        let mut found = Vec::new();
        let kinds = [GuestKind::Vm, GuestKind::Container];
        let guests = kinds.map(|kind| (Selector::EveryGuest(kind), self.guests(|guest| guest.kind == kind)));
        let others = [(Selector::Outside, vec![Endpoint::Outside]), (Selector::EveryHost, self.hosts(|_| true))];
        for (selector, endpoints) in others.into_iter().chain(guests).filter(|(_, endpoints)| !endpoints.is_empty()) {
            let endpoints = Arc::clone(self.known.entry(selector.clone()).or_insert_with(|| endpoints.into()));
            found.push(ClaimEnd { selector, endpoints, span: test.span });
        }
        found
    }

    fn ends(&mut self, list: &List, out: &mut Diagnostics) -> Result<Vec<ClaimEnd>, Unresolved> {
        let ends: Vec<Result<ClaimEnd, Unresolved>> = list.value.iter().map(|text| self.end(text, out)).collect();
        ends.into_iter().collect()
    }

    fn end(&mut self, text: &Text, out: &mut Diagnostics) -> Result<ClaimEnd, Unresolved> {
        let Some(selector) = Selector::parse(&text.value) else {
            // The reader refuses other forms; a number beyond 32 bits is none of them.
            let message = format!("`{}` is not an endpoint", text.value);
            out.push(Diagnostic::error(Code::WrongValue, text.span, message).help("write `outside`, or a machine"));
            return Err(Unresolved);
        };
        if let Some(endpoints) = self.known.get(&selector) {
            return Ok(ClaimEnd { selector, endpoints: Arc::clone(endpoints), span: text.span });
        }
        let endpoints: Arc<[Endpoint]> = self.select(&selector, text, out)?.into();
        if endpoints.is_empty() {
            let message = format!("`{selector}` stands for no machine");
            let help = "a guest needs a NIC and a host to run on; define such a machine, or remove the test";
            out.push(Diagnostic::error(Code::EmptyMatch, text.span, message).help(help));
            return Err(Unresolved);
        }
        self.known.insert(selector.clone(), Arc::clone(&endpoints));
        Ok(ClaimEnd { selector, endpoints, span: text.span })
    }

    fn select(&self, selector: &Selector, text: &Text, out: &mut Diagnostics) -> Result<Vec<Endpoint>, Unresolved> {
        let machines = self.world.machines;
        match selector {
            Selector::Outside => Ok(vec![Endpoint::Outside]),
            Selector::Host(name) if machines.hosts.contains_key(name) => Ok(vec![Endpoint::Host(name.clone())]),
            Selector::Host(name) => Err(self.unknown("host", name, text, out)),
            Selector::EveryHost => Ok(self.hosts(|_| true)),
            Selector::Guest(kind, id, nic) => self.guest(*kind, *id, *nic, text, out),
            Selector::EveryGuest(kind) => Ok(self.guests(|guest| guest.kind == *kind)),
            Selector::Zone(name) => match self.world.graph.node(&ZoneRef::Zone(name.clone())) {
                Some(zone) => Ok(self.members(zone)),
                None => Err(self.unknown("zone", name, text, out)),
            },
        }
    }

    fn guest(
        &self,
        kind: GuestKind,
        id: u32,
        nic: Option<u8>,
        text: &Text,
        out: &mut Diagnostics,
    ) -> Result<Vec<Endpoint>, Unresolved> {
        let Some(guest) = self.guests.iter().find(|guest| guest.kind == kind && guest.id == id) else {
            let what = if kind == GuestKind::Vm { "vm" } else { "ct" };
            return Err(self.unknown(what, &id.to_string(), text, out));
        };
        if let Some(nic) = nic
            && !guest.nics.iter().any(|(known, _)| known.index == nic)
        {
            let message = format!("`{}` has no NIC `net{nic}`", guest.zone);
            out.push(
                Diagnostic::error(Code::UnknownNic, text.span, message)
                    .label(guest.span, "defined here")
                    .help("define the NIC, or write another one"),
            );
            return Err(Unresolved);
        }
        Ok(if can_speak(guest) { vec![Endpoint::Guest { kind, id, nic }] } else { Vec::new() })
    }

    fn unknown(&self, what: &str, name: &str, text: &Text, out: &mut Diagnostics) -> Unresolved {
        let word = if what == "zone" { "zone" } else { "machine" };
        let message = format!("unknown {word} `{}`", text.value);
        let help = machine_like(what, name, self.world.machines)
            .unwrap_or_else(|| "define the guest, or write another one".to_owned());
        out.push(Diagnostic::error(Code::UnknownName, text.span, message).help(help));
        Unresolved
    }

    fn hosts(&self, which: impl Fn(&HostPlan<'_>) -> bool) -> Vec<Endpoint> {
        let hosts = self.hosts.iter().filter(|host| which(host));
        hosts.map(|host| Endpoint::Host(host.name.value.clone())).collect()
    }

    fn guests(&self, which: impl Fn(&GuestPlan<'_>) -> bool) -> Vec<Endpoint> {
        let guests = self.guests.iter().filter(|guest| can_speak(guest) && which(guest));
        guests.map(|guest| Endpoint::Guest { kind: guest.kind, id: guest.id, nic: None }).collect()
    }

    /// Who inherits a zone; of guests, on any of their hosts.
    fn members(&self, zone: NodeId) -> Vec<Endpoint> {
        let mut members = self.hosts(|host| self.world.graph.linear(host.node).contains(&zone));
        members
            .extend(self.guests(|guest| guest.placements.iter().any(|placement| placement.ancestors.contains(&zone))));
        members
    }
}

/// Whether there can be a packet from or to a guest.
fn can_speak(guest: &GuestPlan<'_>) -> bool {
    !guest.nics.is_empty() && !guest.placements.is_empty()
}

fn expectation(text: &Text, out: &mut Diagnostics) -> Result<Expectation, Unresolved> {
    match options::parse_choice(options::EXPECTATIONS, text) {
        Ok("accept") => Ok(Expectation::Accept),
        Ok("reject") => Ok(Expectation::Reject),
        Ok("never") => Ok(Expectation::Never),
        Ok(_) => Ok(Expectation::Drop),
        Err(diagnostic) => {
            out.push(diagnostic);
            Err(Unresolved)
        }
    }
}

fn state(text: &Text, out: &mut Diagnostics) -> Result<State, Unresolved> {
    State::ALL.into_iter().find(|state| state.name() == text.value).ok_or_else(|| {
        // The reader refuses other words.
        let message = format!("`{}` is not a state", text.value);
        out.push(Diagnostic::error(Code::WrongValue, text.span, message).help("write `new` or `established`"));
        Unresolved
    })
}

/// A host's interface, where a host's hooks can be on the way.
fn interface(text: &Text, from: &[ClaimEnd], to: &[ClaimEnd], out: &mut Diagnostics) -> Result<String, Unresolved> {
    let is_guest = |endpoint: &Endpoint| match endpoint {
        Endpoint::Guest { .. } => true,
        Endpoint::Outside | Endpoint::Host(_) => false,
    };
    let ends = || from.iter().chain(to).flat_map(|end| end.endpoints.iter());
    let (message, help) = if nic_index(&text.value).is_some() && ends().any(is_guest) {
        ("`iface` of a test is an interface of the host", "a guest's NIC is part of the endpoint, as in `vm/100:net1`")
    } else if ends().all(is_guest) {
        ("no interface of a host is on the way from guest to guest", "drop `iface`")
    } else {
        return Ok(text.value.clone());
    };
    out.push(Diagnostic::error(Code::BadInterface, text.span, message).help(help));
    Err(Unresolved)
}
