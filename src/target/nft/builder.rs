//! A table in the making: stages and rules become chains.
//!
//! In: hooks. Out: a [`Table`]. Promise: equal lists of rules are one chain, whoever they belong to, and
//! every chain that a hook ends in decides by itself. Chains are looked up by their content and
//! numbered in the order they are made: hash order is never looked at.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::Arc;

use crate::diagnostic::{Diagnostics, Span};
use crate::net::{AddressSet, Family, Protocol};
use crate::policy::{
    Clause, Direction, Entry, Group, HookName, Log, Nic, Origin, Rule as PolicyRule, RuleInterface, RuleList, Section,
    SectionKind, Stage, Verdict, ZoneRef,
};

use super::again;
use super::clause::{Place, alternatives, nics, unseen_protocol};
use super::digest::Quick;
use super::filled;
use super::log::{self, LogChains, Message, Style, Subject, Users};
use super::name;
use super::set::{IpsetNames, Pool};
use super::table::{
    Action, Answer, Base, Chain, Condition, Elements, Item, Operand, Rule, Side, Table, TableFamily, VerdictMap,
};
use super::vnet::IN_HOST;

/// Rules under construction, and the log lines that packets in them may reach.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// In order.
    pub(super) rules: Vec<Rule>,
    /// Of these rules and of all chains they lead to.
    pub(super) messages: BTreeSet<Message>,
}

impl Body {
    /// Adds a rule without a comment.
    pub(super) fn push(&mut self, conditions: Vec<Condition>, action: Action) {
        self.rules.push(Rule::new(conditions, action));
    }
}

/// The hook that rules are lowered for.
#[derive(Debug, Clone)]
pub(super) struct Scope<'a> {
    /// Which.
    pub(super) hook: HookName,
    /// Whose.
    pub(super) subject: Subject,
    /// The NIC, in a guest's hooks.
    pub(super) nic: Option<&'a Nic>,
    /// The NIC's sources, where they stand in the shared sets.
    pub(super) sources: Option<&'a Arc<AddressSet>>,
}

/// What a clause's rules say beside the clause.
#[derive(Debug, Clone, Copy, Default)]
struct Said<'a> {
    comment: Option<&'a Arc<str>>,
    /// Whether the policy decides.
    policy: bool,
    /// The NICs that the clause is for, where it is not for all.
    interface: Option<&'a Condition>,
}

/// What is known of a chain beside its rules.
pub(super) type Known = (Arc<str>, Arc<BTreeSet<Message>>);

/// A table in the making.
#[derive(Debug)]
pub(super) struct Builder<'a> {
    family: TableFamily,
    style: Style,
    pub(super) pool: Pool<'a>,
    broadcast: &'a Arc<AddressSet>,
    by_hash: HashMap<u64, Vec<usize>>,
    names: HashSet<Arc<str>>,
    chains: Vec<Chain>,
    groups: HashMap<(*const Group, HookName), Option<Known>>,
    sections: HashMap<(*const Section, HookName), Option<Known>>,
    users: Users,
    rejects: bool,
    maps: Vec<VerdictMap>,
    /// Of hooks, which come after all that they lead to.
    judges: Vec<Chain>,
    bases: Vec<Chain>,
    helpers: Vec<Item>,
    /// Places where a rejection becomes a drop.
    pub(super) softened: BTreeSet<Span>,
    /// Places that ask for a protocol which nft does not see in IPv6.
    unseen: BTreeSet<(Span, Protocol)>,
}

const REJECT: &str = "reject-packet";

impl<'a> Builder<'a> {
    /// An empty table of a host.
    pub(super) fn new(
        family: TableFamily,
        style: Style,
        ipsets: &'a IpsetNames<'a>,
        broadcast: &'a Arc<AddressSet>,
    ) -> Self {
        Self {
            family,
            style,
            pool: Pool::new(ipsets),
            broadcast,
            by_hash: HashMap::new(),
            names: HashSet::from([REJECT.into(), IN_HOST.into()]),
            chains: Vec::new(),
            groups: HashMap::new(),
            sections: HashMap::new(),
            users: Users::new(),
            rejects: false,
            maps: Vec::new(),
            judges: Vec::new(),
            bases: Vec::new(),
            helpers: Vec::new(),
            softened: BTreeSet::new(),
            unseen: BTreeSet::new(),
        }
    }

    /// The table's family.
    pub(super) const fn family(&self) -> TableFamily {
        self.family
    }

    /// Whether the hook can answer the sender.
    const fn can_reject(hook: HookName) -> bool {
        match hook {
            HookName::HostIn | HookName::HostOut | HookName::HostForward | HookName::GuestOut => true,
            // The bridge has no reject in forward and postrouting.
            HookName::GuestIn | HookName::VnetForward => false,
        }
    }

    fn place<'s>(&self, scope: &Scope<'s>) -> Place<'s> {
        let loopback = if scope.hook == HookName::HostOut { Side::Dest } else { Side::Source };
        Place { family: self.family, loopback, nic: scope.nic, sources: scope.sources }
    }

    fn decide(&mut self, scope: &Scope<'_>, verdict: Verdict) -> Action {
        match verdict {
            Verdict::Accept => Action::Accept,
            Verdict::Drop => Action::Drop,
            Verdict::Reject if Self::can_reject(scope.hook) => {
                self.rejects = true;
                Action::Goto(REJECT.into())
            }
            Verdict::Reject => Action::Drop,
            Verdict::Skip => Action::Return,
        }
    }

    fn clause(&mut self, scope: &Scope<'_>, clause: &Clause, said: Said<'_>, body: &mut Body) {
        let place = self.place(scope);
        let rows = alternatives(&mut self.pool, place, clause);
        if rows.is_empty() {
            return;
        }
        let action = self.action(scope, clause, said.policy, body);
        let rule = |mut conditions: Vec<Condition>| {
            if let Some(interface) = said.interface {
                conditions.push(interface.clone());
                conditions.sort();
            }
            Rule { conditions, action: action.clone(), comment: said.comment.cloned() }
        };
        body.rules.extend(rows.into_iter().map(rule));
    }

    /// A clause's verdict and log line under conditions of the table's own.
    pub(super) fn shortcut(&mut self, scope: &Scope<'_>, clause: &Clause, conditions: Vec<Condition>, body: &mut Body) {
        let action = self.action(scope, clause, true, body);
        body.push(conditions, action);
    }

    fn action(&mut self, scope: &Scope<'_>, clause: &Clause, policy: bool, body: &mut Body) -> Action {
        let decision = self.decide(scope, clause.verdict);
        match clause.log {
            Log::None => decision,
            Log::At(level) => {
                let message = Message { subject: scope.subject.clone(), level, policy, verdict: clause.verdict };
                self.users.entry(message.clone()).or_default();
                let chain: Arc<str> = message.chain().into();
                body.messages.insert(message);
                Action::Goto(chain)
            }
        }
    }

    /// One stage's rules.
    pub(super) fn stage(&mut self, scope: &Scope<'_>, stage: &'a Stage, body: &mut Body) {
        let clauses = stage.clauses(scope.hook, scope.nic);
        let comment: Option<Arc<str>> = Some(stage.name().into());
        let policy = matches!(stage, Stage::Policy { .. });
        // Skipping leaves the stage, which then needs a chain to leave.
        if clauses.iter().any(|clause| clause.verdict == Verdict::Skip) {
            let mut own = Body::default();
            for clause in &clauses {
                self.clause(scope, clause, Said { policy, ..Said::default() }, &mut own);
            }
            let hook = scope.hook.name();
            if let Some(known) = self.chain(&[stage.name(), hook], own) {
                Self::call(known, Vec::new(), comment, body);
            }
            return;
        }
        for clause in &clauses {
            self.clause(scope, clause, Said { comment: comment.as_ref(), policy, ..Said::default() }, body);
        }
    }

    /// A jump to a chain.
    pub(super) fn call(
        (name, messages): Known,
        conditions: Vec<Condition>,
        comment: Option<Arc<str>>,
        body: &mut Body,
    ) {
        body.messages.extend(messages.iter().cloned());
        body.rules.push(Rule { conditions, action: Action::Jump(name), comment });
    }

    /// The chain of these rules: one that exists already, or a new one; none for no rules.
    pub(super) fn chain(&mut self, words: &[&str], body: Body) -> Option<Known> {
        if body.rules.is_empty() {
            return None;
        }
        let messages = Arc::new(body.messages);
        let hash = BuildHasherDefault::<Quick>::default().hash_one(&body.rules);
        let same = self.by_hash.entry(hash).or_default();
        let mut candidates = same.iter().filter_map(|at| self.chains.get(*at));
        if let Some(chain) = candidates.find(|chain| *chain.rules == *body.rules) {
            return Some((Arc::clone(&chain.name), messages));
        }
        same.push(self.chains.len());
        let wanted = name::name(words);
        let numbered = (2_u32..).map(|number| format!("{wanted}.{number}"));
        let free = std::iter::once(wanted.clone()).chain(numbered).find(|one| !self.names.contains(one.as_str()));
        let name: Arc<str> = free.unwrap_or(wanted).into();
        self.names.insert(Arc::clone(&name));
        self.chains.push(Chain { name: Arc::clone(&name), base: None, rules: body.rules });
        Some((name, messages))
    }

    /// All rules of a list, in order. The rules of `own` zones stand here; others are in chains to share.
    pub(super) fn list(
        &mut self,
        scope: &Scope<'_>,
        list: &'a RuleList,
        own: impl Fn(&ZoneRef) -> bool,
        body: &mut Body,
    ) {
        for inherited in &list.sections {
            let section = &inherited.section;
            if own(&section.zone) {
                self.entries(scope, section, body);
            } else if let Some(known) = self.section(scope, section) {
                Self::call(known, Vec::new(), None, body);
            }
        }
    }

    fn section(&mut self, scope: &Scope<'_>, section: &'a Arc<Section>) -> Option<Known> {
        let direction = scope.hook.direction();
        let key = (Arc::as_ptr(section), scope.hook);
        if let Some(known) = self.sections.get(&key) {
            return known.clone();
        }
        let mut body = Body::default();
        self.entries(scope, section, &mut body);
        let zone = section.zone.to_string();
        let known = match section.kind {
            SectionKind::Guardrails => self.chain(&[&zone, "guardrails", direction.name()], body),
            SectionKind::Rules => self.chain(&[&zone, direction.name()], body),
        };
        self.sections.insert(key, known.clone());
        known
    }

    fn entries(&mut self, scope: &Scope<'_>, section: &'a Section, body: &mut Body) {
        for entry in &section.entries {
            let interface = match entry.interface() {
                RuleInterface::Nic(_) if scope.nic.is_none() => continue,
                RuleInterface::Nic(only) => Some(Condition::InterfaceIn(nic_side(scope.hook), nics(*only).into())),
                RuleInterface::Any => None,
                RuleInterface::Host(name) => {
                    let side = if scope.hook.direction() == Direction::Out { Side::Dest } else { Side::Source };
                    Some(Condition::Interface(side, name.clone(), false))
                }
            };
            match entry {
                // A host's interface is among the clauses' own conditions.
                Entry::Rule(rule) => self.rule(scope, rule, interface.as_ref().filter(|_| scope.nic.is_some()), body),
                Entry::Group(call) if call.enabled => {
                    if let Some(known) = self.group(scope, &call.group) {
                        Self::call(known, interface.into_iter().collect(), Some(comment(&call.origin)), body);
                    }
                }
                Entry::Group(_) => {}
            }
        }
    }

    fn rule(&mut self, scope: &Scope<'_>, rule: &PolicyRule, interface: Option<&Condition>, body: &mut Body) {
        if !rule.enabled || rule.direction != scope.hook.direction() {
            return;
        }
        if rule.verdict == Verdict::Reject && !Self::can_reject(scope.hook) {
            self.softened.insert(rule.origin.span);
        }
        let comment = comment(&rule.origin);
        let said = Said { comment: Some(&comment), policy: false, interface };
        for clause in Clause::merged(rule.clauses()) {
            self.unseen.extend(unseen_protocol(&clause).map(|protocol| (rule.origin.span, protocol)));
            self.clause(scope, &clause, said, body);
        }
    }

    /// A group's chain for a hook; its verdicts are that hook's.
    fn group(&mut self, scope: &Scope<'_>, group: &'a Arc<Group>) -> Option<Known> {
        let direction = scope.hook.direction();
        let key = (Arc::as_ptr(group), scope.hook);
        if let Some(known) = self.groups.get(&key) {
            return known.clone();
        }
        let mut body = Body::default();
        for rule in &group.rules {
            self.rule(scope, rule, None, &mut body);
        }
        let known = self.chain(&["group", &group.name, direction.name()], body);
        self.groups.insert(key, known.clone());
        known
    }

    /// Says that packets of a guest's interface may reach these log lines.
    pub(super) fn use_messages<'m>(
        &mut self,
        number: u32,
        interface: &str,
        messages: impl IntoIterator<Item = &'m Message>,
    ) {
        for message in messages {
            self.users.entry(message.clone()).or_default().insert((number, interface.to_owned()));
        }
    }

    /// A map from interfaces to chains that decide.
    pub(super) fn map(&mut self, name: &str, elements: Vec<(String, Arc<str>)>) -> Arc<str> {
        let name: Arc<str> = name.into();
        self.maps.push(VerdictMap { name: Arc::clone(&name), jump: false, elements });
        name
    }

    /// A base chain; its last rule must decide.
    pub(super) fn base(&mut self, name: &str, hook: &'static str, priority: i32, body: Body) {
        self.hang(name, hook, priority, body.rules);
    }

    /// Rules that judge at a hook, also while the table is replaced; their last one must decide. What they accept goes on
    /// without these bits of the mark. See [`super::again`].
    pub(super) fn judge(&mut self, name: &str, hook: &'static str, priority: i32, (body, clear): (Body, u32)) {
        let name: Arc<str> = name.into();
        let (first, again) = again::chains(&name, clear);
        let keys = |map: &Arc<str>| {
            let map = self.maps.iter().find(|known| known.name == *map)?;
            Some(self.pool.interfaces(map.elements.iter().map(|(name, _)| name.clone()).collect()))
        };
        let judging = again::judging(body.rules, keys);
        self.hang(&format!("hook-{name}"), hook, priority, first);
        self.hang(&format!("hook-{name}-again"), hook, priority + 1, again);
        self.judges.push(Chain { name, base: None, rules: judging });
    }

    fn hang(&mut self, name: &str, hook: &'static str, priority: i32, rules: Vec<Rule>) {
        self.bases.push(Chain { name: name.into(), base: Some(Base { hook, priority }), rules });
    }

    /// A conntrack helper.
    pub(super) fn helper(&mut self, helper: super::table::Helper) {
        self.helpers.push(Item::Helper(helper));
    }

    /// The errors and warnings about this table and another of the host; what stands in both is said once.
    pub(super) fn diagnostics(&self, other: Option<&Self>) -> Diagnostics {
        let mut all = Diagnostics::new();
        let both = || std::iter::once(self).chain(other);
        for span in both().flat_map(|table| &table.softened).collect::<BTreeSet<_>>() {
            all.push(super::refuse::softened(*span));
        }
        for (span, protocol) in both().flat_map(|table| &table.unseen).collect::<BTreeSet<_>>() {
            all.push(super::refuse::unseen(*span, *protocol));
        }
        all
    }

    /// The table.
    pub(super) fn finish(mut self) -> Table {
        let log_rejects = |message: &Message| match &message.subject {
            Subject::Host(hook) | Subject::Guest(hook) => Self::can_reject(*hook),
            Subject::Vnet(_) => false,
        };
        let LogChains { stubs, maps, chains } = log::chains(self.style, &self.users, |message| match message.verdict {
            Verdict::Accept => Action::Accept,
            Verdict::Drop => Action::Drop,
            Verdict::Reject if log_rejects(message) => Action::Goto(REJECT.into()),
            Verdict::Reject => Action::Drop,
            Verdict::Skip => Action::Return,
        });
        let reject = self.rejects.then(|| self.reject());
        let mut items: Vec<Item> = self.helpers;
        items.extend(self.pool.into_sets().map(Item::Set));
        items.extend(reject.map(Item::Chain));
        items.extend(stubs.into_iter().map(Item::Chain));
        items.extend(maps.into_iter().map(Item::Map));
        items.extend(chains.into_iter().chain(self.chains).map(Item::Chain));
        items.extend(self.maps.into_iter().map(Item::Map));
        items.extend(self.judges.into_iter().chain(self.bases).map(Item::Chain));
        Table { family: self.family, items: filled::guarded(items) }
    }

    /// Answers the sender, as [`Verdict::Reject`] says.
    fn reject(&mut self) -> Chain {
        let multicast = [(Family::V4, 0xe000_0000_u128, 0xefff_ffff_u128), (Family::V6, 0xff00_u128 << 112, u128::MAX)];
        let mut rules = Vec::new();
        let mut rule = |conditions, action| rules.push(Rule::new(conditions, action));
        for family in Family::BOTH {
            for one in self.pool.addresses(family, self.broadcast).iter() {
                rule(vec![Condition::Address(family, Side::Dest, one.clone(), false)], Action::Drop);
            }
        }
        for (family, first, last) in multicast {
            let source = Condition::Address(family, Side::Source, Operand::Range(first, last), false);
            rule(vec![source], Action::Drop);
        }
        rule(vec![Condition::Family(Family::V4), Condition::Protocol(Protocol::ICMP)], Action::Drop);
        rule(vec![Condition::Family(Family::V6), Condition::Protocol(Protocol::ICMPV6)], Action::Drop);
        rule(vec![Condition::Protocol(Protocol::TCP)], Action::Reject(Answer::Reset));
        rule(vec![Condition::Protocol(Protocol::UDP)], Action::Reject(Answer::Port));
        rule(vec![Condition::Family(Family::V4)], Action::Reject(Answer::HostProhibited));
        rule(vec![Condition::Family(Family::V6)], Action::Reject(Answer::AdminProhibited));
        rule(Vec::new(), Action::Drop);
        Chain { name: REJECT.into(), base: None, rules }
    }
}

/// What a rule is called, for its comment. Guests with equal rules share a chain, so a guest's own number
/// stays out of it: it is `guest` in place of `vm/100`.
fn comment(origin: &Origin) -> Arc<str> {
    let clean = |c: char| if c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' ' { c } else { '_' };
    let zone = match &origin.zone {
        ZoneRef::Vm(_) | ZoneRef::Container(_) | ZoneRef::Nic(..) => "guest".to_owned(),
        ZoneRef::Datacenter
        | ZoneRef::Guests(_)
        | ZoneRef::Zone(_)
        | ZoneRef::Host(_)
        | ZoneRef::Group(_)
        | ZoneRef::Vnet(_) => origin.zone.to_string(),
    };
    // What is called by the identity is to be found by it.
    let room = COMMENT.saturating_sub(origin.identity.chars().count() + 1);
    let text = zone.chars().take(room).chain([' ']).chain(origin.identity.chars());
    text.map(clean).take(COMMENT).collect::<String>().into()
}

/// The longest comment that nft keeps, in bytes.
const COMMENT: usize = 128;

/// The end of a guest's packets that its NIC is at.
const fn nic_side(hook: HookName) -> Side {
    match hook {
        HookName::GuestOut | HookName::HostIn | HookName::HostForward => Side::Source,
        HookName::GuestIn | HookName::HostOut | HookName::VnetForward => Side::Dest,
    }
}

/// A set that packets fill, with a rate for each source.
pub(super) fn meter(pool: &mut Pool<'_>, name: &str, family: Family, seconds: u32) -> Arc<str> {
    pool.fixed(name, Elements::Meter(family, seconds))
}
