//! The hooks that rules are judged at.
//!
//! In: a fleet. Out: every hook that packets pass, with rules or with a policy that lets them come in, on every machine: one for each interface where a guest's
//! rules or filters tell these apart. Each knows what it may cost: the sum grows with the size of the fleet alone, not with
//! how its packets are split, and who gets how much depends on nothing else.

use crate::analysis::sets::Budget;
use crate::diagnostic::Span;
use crate::policy::{
    Addresses, Applied, Direction, Fleet, GuestPolicy, Hook, HostPolicy, Nic, Origin, Rule, RuleInterface, Stage,
    Verdict, VnetPolicy, ZoneRef,
};

/// A hook on a machine.
#[derive(Debug, Clone)]
pub(super) struct Site<'a> {
    /// The host that it is on.
    pub host: &'a HostPolicy,
    /// Whose hook it is.
    pub machine: ZoneRef,
    /// Where that is defined.
    pub span: Span,
    /// The hook.
    pub hook: &'a Hook,
    /// The NIC that a guest's hook speaks of.
    pub nic: Option<&'a Nic>,
    /// The option that sets the hook's policy; none for a default.
    pub policy: Option<&'a Origin>,
    /// What it may take to be judged.
    pub budget: Budget,
}

/// Edges that one hook may take at most, see [`Budget`]. Ten thousand ordinary rules take half of them.
/// Tests run out of it sooner.
pub(super) const MOST: Budget = Budget(if cfg!(test) { 300_000 } else { 10_000_000 });
/// Edges that every hook may take.
const LEAST: usize = 100_000;
/// Edges that a hook may take beyond that for each rule and each range of addresses in it.
const EACH: usize = 400;
/// Edges that all hooks share besides: ten seconds of one processor.
const POOL: usize = 200_000_000;

impl<'a> Site<'a> {
    /// The rules that hold there, in order.
    pub(super) fn applied(&self) -> impl Iterator<Item = Applied<'a>> + use<'a> {
        let (direction, nic) = (self.hook.name.direction(), self.nic);
        self.hook.stages.iter().filter_map(Stage::rules).flat_map(move |list| list.applied(direction, nic))
    }

    /// How many rules there are, and ranges of addresses in them.
    fn weight(&self) -> usize {
        let ranges = |addresses: &Addresses| addresses.set.v4().as_slice().len() + addresses.set.v6().as_slice().len();
        let of_rule = |applied: Applied<'_>| {
            let rule: &Rule = applied.rule;
            1 + rule.source.iter().chain(&rule.dest).map(ranges).sum::<usize>()
        };
        self.applied().map(of_rule).sum()
    }

    /// The option that lets in what no rule speaks of; none where it is stopped, or goes elsewhere. No default does.
    pub(super) fn open_policy(&self) -> Option<&'a Origin> {
        let accepts = |stage: &Stage| matches!(stage, Stage::Policy { verdict: Verdict::Accept, .. });
        self.policy.filter(|_| self.hook.name.direction() == Direction::In && self.hook.stages.iter().any(accepts))
    }

    /// Whether it is a host's own hook, and not a guest's or a vnet's.
    pub(super) const fn is_host(&self) -> bool {
        matches!(self.machine, ZoneRef::Host(_))
    }
}

/// A site as messages call it: `guest-in of vm/100`.
impl std::fmt::Display for Site<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.hook.name.name(), self.machine)
    }
}

/// Every site of a fleet that has rules or lets everything in, host by host. A machine that does not filter has none.
pub(super) fn sites(fleet: &Fleet) -> Vec<Site<'_>> {
    let mut found = Vec::new();
    let mut vnets: Vec<&VnetPolicy> = Vec::new();
    for host in fleet.hosts.iter().filter(|host| host.enabled) {
        of_host(host, &mut found);
        for guest in &host.guests {
            of_guest(host, guest, &mut found);
        }
        for vnet in host.vnets.iter().filter(|vnet| vnet.enabled) {
            // On most hosts it means the same.
            if !vnets.iter().any(|known| **known == **vnet) {
                vnets.push(vnet);
                let machine = ZoneRef::Vnet(vnet.name.clone());
                let policy = vnet.options.policy_forward.origin.as_ref();
                found.push(Site { host, machine, span: vnet.span, hook: &vnet.hook, nic: None, policy, budget: MOST });
            }
        }
    }
    found.retain(|site| site.applied().next().is_some() || site.open_policy().is_some());
    let weights: Vec<usize> = found.iter().map(Site::weight).collect();
    let total = weights.iter().sum::<usize>().max(1);
    for (site, weight) in found.iter_mut().zip(weights) {
        let share = POOL / total * weight;
        site.budget = Budget(LEAST + EACH * weight + share).min(MOST);
    }
    found
}

fn of_host<'a>(host: &'a HostPolicy, found: &mut Vec<Site<'a>>) {
    let options = &host.options;
    let hooks = [
        (&host.hook_in, &options.policy_in),
        (&host.hook_out, &options.policy_out),
        (&host.hook_forward, &options.policy_forward),
    ];
    for (hook, policy) in hooks {
        let machine = ZoneRef::Host(host.name.clone());
        let policy = policy.origin.as_ref();
        found.push(Site { host, machine, span: host.span, hook, nic: None, policy, budget: MOST });
    }
}

fn of_guest<'a>(host: &'a HostPolicy, guest: &'a GuestPolicy, found: &mut Vec<Site<'a>>) {
    let site = |hook: &'a Hook, policy: &'a Option<Origin>, nic: &'a Nic| Site {
        host,
        machine: guest.zone(),
        span: guest.span,
        hook,
        nic: Some(nic),
        policy: policy.as_ref(),
        budget: MOST,
    };
    let of_one_nic = guest.rules.entries().any(|(entry, _)| matches!(entry.interface(), RuleInterface::Nic(_)));
    for (number, nic) in guest.filtered_nics().enumerate() {
        // Towards a guest only rules of one NIC tell NICs apart.
        if number == 0 || of_one_nic {
            found.push(site(&guest.hook_in, &guest.options.policy_in.origin, nic));
        }
        found.push(site(&guest.hook_out, &guest.options.policy_out.origin, nic));
    }
}
