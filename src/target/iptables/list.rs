//! Stages and lists of rules as rules of iptables, with one chain for what is shared.
//!
//! In: a hook's stages. Out: the rules of a chain. A security group has one chain for each direction, a
//! zone's list one for all machines that inherit it whole; both mean what [`Stage::clauses`] says.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::net::{Family, Protocol};
use crate::policy::{
    Clause, Direction, Entry, Group, GroupCall, HookName, Inherited, Log, Nic, RuleInterface, RuleList, Stage, States,
    Verdict, ZoneRef,
};

use super::lower::{Accept, Lowering, Site, Source};
use super::ruleset::{Jump, Name, Rule, Side, Test};
use super::shape;

/// What a shared chain of rules depends on: the list's place in memory and its length, the way the hook
/// looks, and what accepting means.
pub(super) type Key = (usize, usize, Direction, Accept);

/// What of a chain's rules is not the same for every guest, or every NIC of one.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Behind this rule nothing is the guest's own.
    pub(super) end: usize,
    /// The rules for one NIC alone; an empty range where they are for another one.
    pub(super) nic: Vec<Range<usize>>,
}

/// Built-in stages that were lowered once, and the chain they became; none where they are short.
pub(super) struct Run {
    hook: HookName,
    accept: Accept,
    stages: Vec<Stage>,
    chain: Option<Name>,
}

/// Lists of at most this many rules are written out where they stand.
const SHORT: usize = 2;

/// Who a hook's rules are for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    /// The NIC, for the hooks of guests.
    pub(super) nic: Option<&'a Nic>,
    /// The machine; rules of its own are written out in its chain.
    pub(super) zone: &'a ZoneRef,
    /// For errors about what no rule says.
    pub(super) span: Span,
}

impl Lowering<'_> {
    /// The rules of consecutive stages, for a chain of their own (or a built-in one, where nothing follows). `share`
    /// makes chains of built-in stages that many machines have.
    pub(super) fn stages<'s>(
        &mut self,
        stages: impl IntoIterator<Item = &'s Stage>,
        hook: HookName,
        owner: Owner<'_>,
        site: &Site,
        share: bool,
    ) -> Vec<Rule> {
        self.own = Own::default();
        let mut body = Vec::new();
        let mut run: Vec<&Stage> = Vec::new();
        for stage in stages {
            match stage {
                Stage::Rules(list) => {
                    self.built_in(&mut body, &mut run, hook, owner, site, share);
                    self.list(&mut body, list, owner, site);
                }
                Stage::Noise { .. } | Stage::MacFilter | Stage::IpFilter | Stage::Policy { .. } => {
                    self.built_in(&mut body, &mut run, hook, owner, site, share);
                    run.push(stage);
                    let shared = share && matches!(stage, Stage::Noise { .. });
                    self.built_in(&mut body, &mut run, hook, owner, site, shared);
                }
                Stage::OtherFrames
                | Stage::StackedVlan
                | Stage::Loopback
                | Stage::Layer2(_)
                | Stage::Arp
                | Stage::Conntrack { .. }
                | Stage::Blacklist { .. }
                | Stage::Smurfs { .. }
                | Stage::TcpFlags { .. }
                | Stage::Igmp
                | Stage::Dhcp
                | Stage::RouterAdvertisements
                | Stage::NeighbourDiscovery(_)
                | Stage::Management { .. }
                | Stage::Corosync(_) => run.push(stage),
            }
        }
        self.built_in(&mut body, &mut run, hook, owner, site, share);
        cut_unreachable(&mut body);
        // The end of a chain returns by itself.
        if site.accept == Accept::Pass && body.last().is_some_and(|rule| *rule == Rule::new(Vec::new(), Jump::Return)) {
            body.pop();
        }
        body
    }

    /// Built-in stages, written out or as a shared chain.
    fn built_in(
        &mut self,
        body: &mut Vec<Rule>,
        run: &mut Vec<&Stage>,
        hook: HookName,
        owner: Owner<'_>,
        site: &Site,
        share: bool,
    ) {
        let stages = std::mem::take(run);
        let source = Source { comment: None, span: owner.span, policy: false };
        let write = |lowering: &mut Self, site: &Site| {
            let mut rules = Vec::new();
            for stage in &stages {
                let source = Source { policy: matches!(stage, Stage::Policy { .. }), ..source.clone() };
                for clause in stage.clauses(hook, owner.nic) {
                    if lowering.leaves(stage, &clause, site) {
                        let tests = vec![Test::State(States::ESTABLISHED_RELATED)];
                        rules.push(Rule::new(tests, Jump::Accept));
                    } else {
                        lowering.clause(&mut rules, &clause, site, &source);
                    }
                }
            }
            cut_unreachable(&mut rules);
            rules
        };
        if !share {
            let rules = write(self, site);
            let numbered =
                site.number != 0 && rules.iter().any(|rule| matches!(rule.jump, Jump::Nflog(_) | Jump::Log { .. }));
            body.extend(rules);
            if numbered {
                self.own.end = body.len();
            }
            return;
        }
        let known =
            |run: &&Run| run.hook == hook && run.accept == site.accept && run.stages.iter().eq(stages.iter().copied());
        let chain = match self.runs.iter().find(known) {
            Some(run) => run.chain.clone(),
            None => {
                let what = if matches!(stages.as_slice(), [Stage::Noise { .. }]) { "noise" } else { "base" };
                let hint = format!("{what}-{}", site.direction.name());
                let rules = write(self, &site.in_called(&hint));
                let chain = (rules.len() > SHORT).then(|| self.chains.share(&hint, rules));
                let stages = stages.iter().copied().cloned().collect();
                self.runs.push(Run { hook, accept: site.accept, stages, chain: chain.clone() });
                chain
            }
        };
        match chain {
            Some(name) => {
                body.push(Rule::new(Vec::new(), Jump::Call(Name::clone(&name))));
                self.after_call(body, site, &name);
            }
            None => body.extend(write(self, site)),
        }
    }

    /// Whether established connections leave the table here, as every hook that follows lets them pass.
    fn leaves(&self, stage: &Stage, clause: &Clause, site: &Site) -> bool {
        self.established_leaves
            && site.accept == Accept::Pass
            && matches!(stage, Stage::Conntrack { .. })
            && clause.verdict == Verdict::Accept
    }

    /// Guardrails and rules.
    fn list(&mut self, body: &mut Vec<Rule>, list: &RuleList, owner: Owner<'_>, site: &Site) {
        for inherited in &list.sections {
            let entries = inherited.section.entries.as_slice();
            if is_own(&inherited.section.zone, owner.zone) || self.is_short(entries, site.direction) {
                let own = is_own(&inherited.section.zone, owner.zone)
                    || entries.iter().any(|entry| stands_apart(entry, site));
                self.entries(body, entries, owner, site);
                if own {
                    self.own.end = body.len();
                }
                continue;
            }
            // What is logged is written for each guest, as only then the line has its number.
            for run in entries.chunk_by(|a, b| stands_apart(a, site) == stands_apart(b, site)) {
                if run.first().is_some_and(|entry| stands_apart(entry, site)) {
                    self.entries(body, run, owner, site);
                    self.own.end = body.len();
                } else if run.len() < entries.len() && self.is_short(run, site.direction) {
                    self.entries(body, run, owner, site);
                } else if let Some(name) = self.section(inherited, run, owner, site) {
                    body.push(Rule::new(Vec::new(), Jump::Call(Name::clone(&name))));
                    self.after_call(body, site, &name);
                }
            }
        }
    }

    /// The chain of a list that machines share; none where it is empty for this family.
    fn section(&mut self, inherited: &Inherited, entries: &[Entry], owner: Owner<'_>, site: &Site) -> Option<Name> {
        let key = (entries.as_ptr() as usize, entries.len(), site.direction, site.accept);
        if let Some(made) = self.made.get(&key) {
            return made.clone();
        }
        let zone = inherited.section.zone.to_string().replace('/', "-");
        let kind = match inherited.section.kind {
            crate::policy::SectionKind::Guardrails => "-guardrails",
            crate::policy::SectionKind::Rules => "",
        };
        let hint = format!("{zone}{kind}-{}", site.direction.name());
        let mut rules = Vec::new();
        self.entries(&mut rules, entries, owner, &site.in_called(&hint));
        let name = (!rules.is_empty()).then(|| self.chains.share(&hint, rules));
        self.made.insert(key, name.clone());
        name
    }

    fn entries(&mut self, body: &mut Vec<Rule>, entries: &[Entry], owner: Owner<'_>, site: &Site) {
        for entry in entries {
            let start = body.len();
            if applies(entry.interface(), owner.nic) {
                match entry {
                    Entry::Rule(rule) if rule.enabled && rule.direction == site.direction => {
                        self.rule(body, rule, site);
                    }
                    Entry::Group(call) if call.enabled => self.call(body, call, site),
                    Entry::Rule(_) | Entry::Group(_) => {}
                }
            }
            if !site.called && matches!(entry.interface(), RuleInterface::Nic(_)) {
                self.own.nic.push(start..body.len());
            }
        }
    }

    fn rule(&mut self, body: &mut Vec<Rule>, rule: &crate::policy::Rule, site: &Site) {
        let source = Source { comment: comment(&rule.origin.identity), span: rule.origin.span, policy: false };
        for clause in Clause::merged(rule.clauses()) {
            self.clause(body, &clause, site, &source);
        }
    }

    fn call(&mut self, body: &mut Vec<Rule>, call: &GroupCall, site: &Site) {
        let tests = match &call.interface {
            RuleInterface::Host(interface) => match shape::interface(interface, call.origin.span) {
                Ok(interface) => vec![match site.direction {
                    Direction::In | Direction::Forward => Test::In(interface),
                    Direction::Out => Test::Out(interface),
                }],
                Err(error) => return self.complain(error),
            },
            RuleInterface::Any | RuleInterface::Nic(_) => Vec::new(),
        };
        let all = call.group.rules.as_slice();
        let apart = |rule: &Arc<crate::policy::Rule>| logs(rule, site);
        for run in all.chunk_by(|a, b| apart(a) == apart(b)) {
            let few = || run.iter().map(|rule| self.lines(rule, site.direction)).sum::<usize>() <= SHORT;
            if run.first().is_some_and(apart) || run.len() < all.len() && tests.is_empty() && few() {
                run.iter().filter(|rule| rule.direction == site.direction).for_each(|rule| self.rule(body, rule, site));
            } else if let Some(name) = self.group(&call.group, run, site) {
                let call =
                    Rule::commented(tests.clone(), comment(&call.origin.identity), Jump::Call(Name::clone(&name)));
                body.push(call);
                self.after_call(body, site, &name);
            }
        }
    }

    /// The chain of a group's rules for one direction; none where it has no rules of it for this family.
    fn group(&mut self, group: &Group, rules: &[Arc<crate::policy::Rule>], site: &Site) -> Option<Name> {
        let key = (rules.as_ptr() as usize, rules.len(), site.direction, site.accept);
        if let Some(made) = self.made.get(&key) {
            return made.clone();
        }
        let ips = if matches!(site.accept, Accept::Queue(_)) { "-ips" } else { "" };
        let hint = format!("group-{}-{}{ips}", group.name, site.direction.name());
        let inside = site.in_called(&hint);
        let mut body = Vec::new();
        for rule in rules.iter().filter(|rule| rule.direction == site.direction) {
            self.rule(&mut body, rule, &inside);
        }
        let name = (!body.is_empty()).then(|| self.chains.share(&hint, body));
        self.made.insert(key, name.clone());
        name
    }

    /// Whether entries come to so few rules that a chain for them would be none the shorter.
    fn is_short(&self, entries: &[Entry], direction: Direction) -> bool {
        let lines = |entry: &Entry| match entry {
            Entry::Rule(rule) => self.lines(rule, direction),
            Entry::Group(call) => usize::from(call.enabled),
        };
        entries.iter().map(lines).sum::<usize>() <= SHORT
    }

    /// How many rules a rule comes to; large sets of addresses are a chain.
    fn lines(&self, rule: &crate::policy::Rule, direction: Direction) -> usize {
        match rule.services.len() {
            _ if !rule.enabled || rule.direction != direction => 0,
            0 | 1 => 1,
            _ => Clause::merged(rule.clauses()).iter().filter(|clause| clause.speaks_of(self.family)).count(),
        }
    }

    /// The chain that rejects: silently where an answer would do harm.
    pub(super) fn reject_chain(&mut self) -> Name {
        let (multicast, icmp, port, other): (_, _, _, &'static str) = match self.family {
            Family::V4 => ("224.0.0.0/4", Protocol::ICMP, "icmp-port-unreachable", "icmp-host-prohibited"),
            Family::V6 => ("ff00::/8", Protocol::ICMPV6, "icmp6-port-unreachable", "icmp6-adm-prohibited"),
        };
        let mut silent: Vec<Test> = self
            .host
            .broadcast
            .networks(self.family)
            .into_iter()
            .map(|network| Test::Network { side: Side::Dest, network, negated: false })
            .collect();
        if let Ok(network) = multicast.parse() {
            silent.push(Test::Network { side: Side::Source, network, negated: false });
        }
        silent.push(Test::Protocol(icmp.0));
        let mut rules: Vec<Rule> = silent.into_iter().map(|test| Rule::new(vec![test], Jump::Drop)).collect();
        rules.push(Rule::new(vec![Test::Protocol(Protocol::TCP.0)], Jump::Reject("tcp-reset")));
        rules.push(Rule::new(vec![Test::Protocol(Protocol::UDP.0)], Jump::Reject(port)));
        rules.push(Rule::new(Vec::new(), Jump::Reject(other)));
        self.chains.share("reject", rules)
    }

    /// An error where an interface's name cannot be matched.
    pub(super) fn interface(&mut self, name: &str, span: Span) -> Option<Name> {
        shape::interface(name, span).map_err(|error: Diagnostic| self.complain(error)).ok()
    }

    /// A warning about a NIC, once for both families.
    pub(super) fn warn(&mut self, code: Code, span: Span, message: String, help: &str) {
        self.complain(Diagnostic::warning(code, span, message).help(help));
    }
}

/// Leaves out what stands behind a rule that every packet obeys.
pub(super) fn cut_unreachable(rules: &mut Vec<Rule>) {
    if let Some(end) = rules.iter().position(Rule::is_last) {
        rules.truncate(end + 1);
    }
}

/// Whether a list is the machine's own, or that of one of its NICs.
fn is_own(zone: &ZoneRef, machine: &ZoneRef) -> bool {
    match zone {
        ZoneRef::Nic(guest, _) => **guest == *machine,
        ZoneRef::Datacenter
        | ZoneRef::Guests(_)
        | ZoneRef::Zone(_)
        | ZoneRef::Host(_)
        | ZoneRef::Vm(_)
        | ZoneRef::Container(_)
        | ZoneRef::Group(_)
        | ZoneRef::Vnet(_) => zone == machine,
    }
}

/// Whether a rule leaves log lines with a guest's number here.
fn logs(rule: &crate::policy::Rule, site: &Site) -> bool {
    site.number != 0 && rule.log != Log::None && rule.enabled && rule.direction == site.direction
}

/// Whether an inherited entry cannot stand in a chain that guests share.
fn stands_apart(entry: &Entry, site: &Site) -> bool {
    matches!(entry.interface(), RuleInterface::Nic(_)) || entry.rules(site.direction).any(|(rule, _)| logs(rule, site))
}

fn applies(interface: &RuleInterface, nic: Option<&Nic>) -> bool {
    match interface {
        RuleInterface::Any | RuleInterface::Host(_) => true,
        RuleInterface::Nic(only) => nic.is_some_and(|nic| nic.index == *only),
    }
}

/// A rule's identity, in characters that need no quotes.
fn comment(identity: &str) -> Option<Name> {
    let safe =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '#' | '~' | ':') { c } else { '_' };
    let text: String = identity.chars().take(200).map(safe).collect();
    (!text.is_empty()).then(|| text.into())
}
