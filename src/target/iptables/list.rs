//! Stages and lists of rules as rules of iptables, with one chain for what is shared.
//!
//! In: a hook's stages. Out: the rules of a chain. A security group has one chain for each direction, a
//! zone's list one for all machines that inherit it whole; both mean what [`Stage::clauses`] says.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::net::{Family, Protocol};
use crate::policy::{
    Clause, Direction, Entry, GroupCall, HookName, Inherited, Nic, RuleInterface, RuleList, Stage, States, Verdict,
    ZoneRef,
};

use super::lower::{Accept, Lowering, Site, Source};
use super::ruleset::{Jump, Name, Rule, Side, Test};
use super::shape;

/// What a shared chain of rules depends on: the list's place in memory, the way the hook looks, what
/// accepting means, and the NIC where the list speaks of one.
pub(super) type Key = (usize, Direction, Accept, Option<u8>);

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
    /// The rules of consecutive stages. `share` makes chains of built-in stages that many machines have.
    pub(super) fn stages<'s>(
        &mut self,
        stages: impl IntoIterator<Item = &'s Stage>,
        hook: HookName,
        owner: Owner<'_>,
        site: &Site,
        share: bool,
    ) -> Vec<Rule> {
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
            body.extend(write(self, site));
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
            let own = inherited.section.zone == *owner.zone;
            if own || count(inherited, site.direction) <= SHORT {
                let site = if own { site.clone() } else { Site { number: 0, ..site.clone() } };
                self.entries(body, &inherited.section.entries, owner, &site);
            } else if let Some(name) = self.section(inherited, owner, site) {
                body.push(Rule::new(Vec::new(), Jump::Call(Name::clone(&name))));
                self.after_call(body, site, &name);
            }
        }
    }

    /// The chain of a list that machines share; none where it is empty for this family.
    fn section(&mut self, inherited: &Inherited, owner: Owner<'_>, site: &Site) -> Option<Name> {
        let per_nic = inherited.section.entries.iter().any(|entry| matches!(entry.interface(), RuleInterface::Nic(_)));
        let nic = owner.nic.filter(|_| per_nic).map(|nic| nic.index);
        let key = (Arc::as_ptr(&inherited.section) as usize, site.direction, site.accept, nic);
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
        self.entries(&mut rules, &inherited.section.entries, owner, &site.in_called(&hint));
        let name = (!rules.is_empty()).then(|| self.chains.share(&hint, rules));
        self.made.insert(key, name.clone());
        name
    }

    fn entries(&mut self, body: &mut Vec<Rule>, entries: &[Entry], owner: Owner<'_>, site: &Site) {
        for entry in entries {
            match entry {
                Entry::Rule(rule) => {
                    if rule.direction == site.direction && applies(&rule.interface, owner.nic) {
                        self.rule(body, rule, site);
                    }
                }
                Entry::Group(call) => {
                    if call.enabled && applies(&call.interface, owner.nic) {
                        self.call(body, call, site);
                    }
                }
            }
        }
    }

    fn rule(&mut self, body: &mut Vec<Rule>, rule: &crate::policy::Rule, site: &Site) {
        let source = Source { comment: comment(&rule.origin.identity), span: rule.origin.span, policy: false };
        for clause in rule.clauses() {
            self.clause(body, &clause, site, &source);
        }
    }

    fn call(&mut self, body: &mut Vec<Rule>, call: &GroupCall, site: &Site) {
        let Some(name) = self.group(call, site) else { return };
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
        body.push(Rule::commented(tests, comment(&call.origin.identity), Jump::Call(Name::clone(&name))));
        self.after_call(body, site, &name);
    }

    /// The chain of a group for one direction; none where it has no rules of it for this family.
    fn group(&mut self, call: &GroupCall, site: &Site) -> Option<Name> {
        let key = (Arc::as_ptr(&call.group) as usize, site.direction, site.accept, None);
        if let Some(made) = self.made.get(&key) {
            return made.clone();
        }
        let ips = if matches!(site.accept, Accept::Queue(_)) { "-ips" } else { "" };
        let hint = format!("group-{}-{}{ips}", call.group.name, site.direction.name());
        let inside = site.in_called(&hint);
        let mut rules = Vec::new();
        for rule in call.group.rules.iter().filter(|rule| rule.direction == site.direction) {
            self.rule(&mut rules, rule, &inside);
        }
        let name = (!rules.is_empty()).then(|| self.chains.share(&hint, rules));
        self.made.insert(key, name.clone());
        name
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

/// How many lines a list has at most, groups as one.
fn count(inherited: &Inherited, direction: Direction) -> usize {
    let lines = |entry: &Entry| match entry {
        Entry::Rule(rule) if rule.enabled && rule.direction == direction => rule.services.len().max(1),
        Entry::Group(call) if call.enabled => 1,
        Entry::Rule(_) | Entry::Group(_) => 0,
    };
    inherited.section.entries.iter().map(lines).sum()
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
