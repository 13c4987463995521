//! Rules and group references of one list, from text to values.
//!
//! A rule that cannot hold, or that a target would widen, is an error where it is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, did_you_mean};
use crate::policy::{
    Direction, Entry, Group, GroupCall, Log, LogLevel, Origin, Rule, RuleInterface, SkipReason, Skipped, Verdict,
    ZoneRef,
};
use crate::spec::model::{self, RuleHead, Text};
use crate::spec::options;

use super::address::{Unresolved, addresses};
use super::family::Families;
use super::identity::Identities;
use super::names::{LocalNetwork, Scope};
use super::service::{ServiceWords, services};

/// What kind of list a rule stands in; it decides directions and interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListKind {
    /// A host's, a host zone's or the datacenter's.
    Host,
    /// The datacenter's guardrails: for hosts and guests alike.
    Everybody,
    /// A guest's, a guest zone's or a `guests` block's.
    Guest,
    /// A NIC's own: restricted to it.
    Nic(u8),
    /// A security group's.
    Group,
    /// A vnet's.
    Vnet,
}

/// A group as one host has it.
#[derive(Debug, Clone)]
pub(super) struct ReadGroup {
    /// None where the group's own rules have errors.
    pub group: Option<Arc<Group>>,
    /// What of it is without effect on this host.
    pub skipped: Vec<Skipped>,
}

/// Groups by name.
pub(super) type Groups = BTreeMap<String, ReadGroup>;

/// Resolves rules of one zone.
pub(super) struct RuleReader<'a> {
    /// Where it is written.
    pub zone: ZoneRef,
    /// What kind of list it is.
    pub kind: ListKind,
    /// Where names are looked up.
    pub scope: &'a Scope<'a>,
    /// The groups that may be called; none inside a group.
    pub groups: Option<&'a Groups>,
    /// The zone's identities so far.
    pub identities: &'a mut Identities,
}

/// The entries of a list, and what is without effect on this host.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// In order.
    pub entries: Vec<Entry>,
    /// Left out here alone.
    pub skipped: Vec<Skipped>,
}

impl RuleReader<'_> {
    /// Every rule of a list, in order.
    pub(super) fn read(&mut self, rules: &[model::Rule], into: &mut Entries, out: &mut Diagnostics) {
        for rule in rules {
            let identity = self.identities.of(rule, out);
            let origin = Origin { zone: self.zone.clone(), identity, span: rule.span };
            let before = out.len();
            let used_before = self.scope.used_local_network.replace(false);
            let entry = match &rule.head {
                RuleHead::Group(name) => self.group(rule, name, origin.clone(), into, out).map(Entry::Group),
                RuleHead::In(verdict) => self.rule(rule, Direction::In, verdict, origin.clone(), out).map(Entry::Rule),
                RuleHead::Out(verdict) => {
                    self.rule(rule, Direction::Out, verdict, origin.clone(), out).map(Entry::Rule)
                }
                RuleHead::Forward(verdict) => {
                    self.rule(rule, Direction::Forward, verdict, origin.clone(), out).map(Entry::Rule)
                }
            };
            match entry {
                Ok(entry) => into.entries.push(entry),
                // Only what depends on the host may vanish without an error, and it is remembered.
                Err(Unresolved) if out.len() == before && self.is_host_dependent() => {
                    into.skipped.push(Skipped { origin, reason: SkipReason::NoAddress });
                }
                Err(Unresolved) => {}
            }
            let used = self.scope.used_local_network.get();
            self.scope.used_local_network.set(used_before || used);
        }
    }

    fn is_host_dependent(&self) -> bool {
        self.scope.used_local_network.get() && matches!(self.scope.local_network, LocalNetwork::Of(_))
    }

    fn group(
        &self,
        rule: &model::Rule,
        name: &Text,
        origin: Origin,
        into: &mut Entries,
        out: &mut Diagnostics,
    ) -> Result<Arc<GroupCall>, Unresolved> {
        let interface = self.interface(rule.iface.as_ref(), out);
        let enabled = enabled(rule.enable.as_ref(), out);
        let Some(groups) = self.groups else {
            out.push(
                Diagnostic::error(Code::NestedGroup, name.span, "a security group cannot call another one")
                    .help("write the other group's rules here, or call both groups where this one is called"),
            );
            return Err(Unresolved);
        };
        let Some(group) = groups.get(&name.value) else {
            let help = did_you_mean(&name.value, "groups", groups.keys().map(String::as_str));
            let message = format!("unknown security group `{}`", name.value);
            out.push(Diagnostic::error(Code::UnknownGroup, name.span, message).help(help));
            return Err(Unresolved);
        };
        // A group with errors of its own has reported them.
        into.skipped.extend(group.skipped.iter().cloned());
        let group = Arc::clone(group.group.as_ref().ok_or(Unresolved)?);
        let comment = comment(rule);
        Ok(Arc::new(GroupCall { group, interface: interface?, enabled: enabled?, comment, origin }))
    }

    fn rule(
        &self,
        rule: &model::Rule,
        direction: Direction,
        verdict: &Text,
        origin: Origin,
        out: &mut Diagnostics,
    ) -> Result<Arc<Rule>, Unresolved> {
        let direction_allowed = self.direction(direction, verdict.span, out);
        let verdict = self::verdict(verdict, out);
        let log = log(rule.log.as_ref(), out);
        let enabled = enabled(rule.enable.as_ref(), out);
        let interface = self.interface(rule.iface.as_ref(), out);
        let source = rule.source.as_ref().map(|list| addresses(list, self.scope, out)).transpose();
        let dest = rule.dest.as_ref().map(|list| addresses(list, self.scope, out)).transpose();
        let services = services(ServiceWords::from(rule), out);
        direction_allowed?;
        let (services, macro_name) = services?;
        let resolved = Rule {
            direction,
            verdict: verdict?,
            log: log?,
            enabled: enabled?,
            interface: interface?,
            source: source?,
            dest: dest?,
            services,
            macro_name,
            comment: comment(rule),
            origin,
        };
        self.can_hold(rule, &resolved, out)?;
        Ok(Arc::new(resolved))
    }

    /// Refuses what no packet can match: the families of its parts exclude each other.
    fn can_hold(&self, written: &model::Rule, rule: &Rule, out: &mut Diagnostics) -> Result<(), Unresolved> {
        let families = Families {
            span: written.span,
            source: written.source.as_ref().zip(rule.source.as_ref()),
            dest: written.dest.as_ref().zip(rule.dest.as_ref()),
            service: ServiceWords::from(written).span(),
            services: &rule.services,
        };
        if families.can_hold() {
            return Ok(());
        }
        if self.scope.used_local_network.get() {
            // With the sample nothing is decided: another host's network may be of the other family.
            return if self.is_host_dependent() { Err(Unresolved) } else { Ok(()) };
        }
        out.push(families.never_holds("rule"));
        Err(Unresolved)
    }

    fn direction(&self, direction: Direction, span: Span, out: &mut Diagnostics) -> Result<(), Unresolved> {
        let (message, help) = match (self.kind, direction) {
            (ListKind::Host | ListKind::Everybody | ListKind::Group, _)
            | (ListKind::Guest | ListKind::Nic(_), Direction::In | Direction::Out)
            | (ListKind::Vnet, Direction::Forward) => return Ok(()),
            (ListKind::Guest | ListKind::Nic(_), Direction::Forward) => {
                ("a guest forwards nothing", "write the rule for a host or a vnet, or use `in` or `out`")
            }
            (ListKind::Vnet, Direction::In | Direction::Out) => {
                ("a vnet has `forward` rules only", "write `forward`, or put the rule into the guests' zone")
            }
        };
        out.push(Diagnostic::error(Code::WrongDirection, span, message).help(help));
        Err(Unresolved)
    }

    fn interface(&self, iface: Option<&Text>, out: &mut Diagnostics) -> Result<RuleInterface, Unresolved> {
        let Some(text) = iface else {
            return Ok(match self.kind {
                ListKind::Nic(index) => RuleInterface::Nic(index),
                ListKind::Host | ListKind::Everybody | ListKind::Guest | ListKind::Group | ListKind::Vnet => {
                    RuleInterface::Any
                }
            });
        };
        let (message, help) = match self.kind {
            ListKind::Host | ListKind::Everybody => return Ok(RuleInterface::Host(text.value.clone())),
            ListKind::Guest => match nic_index(&text.value) {
                Some(index) => return Ok(RuleInterface::Nic(index)),
                None => (format!("`{}` is not a guest's NIC", text.value), "write `net0` to `net31`"),
            },
            ListKind::Nic(_) => ("a NIC's rules hold for that NIC alone".to_owned(), "drop `iface`"),
            ListKind::Group => (
                "`iface` is not allowed inside a security group".to_owned(),
                "put `iface` on the reference to the group",
            ),
            ListKind::Vnet => ("`iface` is not allowed in a vnet's rules".to_owned(), "drop `iface`"),
        };
        out.push(Diagnostic::error(Code::BadInterface, text.span, message).help(help));
        Err(Unresolved)
    }
}

/// N of `netN`, 0 to 31.
pub(super) fn nic_index(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("net")?;
    let plain = !digits.is_empty() && (digits == "0" || !digits.starts_with('0'));
    digits.parse::<u8>().ok().filter(|index| plain && *index < 32 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn comment(rule: &model::Rule) -> Option<String> {
    rule.comment.as_ref().map(|text| text.value.clone())
}

/// `accept`, `drop` or `reject`. (The reader refuses `reject` where packets are forwarded.)
pub(super) fn verdict(text: &Text, out: &mut Diagnostics) -> Result<Verdict, Unresolved> {
    match options::parse_choice(options::VERDICTS, text) {
        Ok("accept") => Ok(Verdict::Accept),
        Ok("reject") => Ok(Verdict::Reject),
        Ok(_) => Ok(Verdict::Drop),
        Err(diagnostic) => {
            out.push(diagnostic);
            Err(Unresolved)
        }
    }
}

/// The value of `log`; none written means no log line.
fn log(text: Option<&Text>, out: &mut Diagnostics) -> Result<Log, Unresolved> {
    text.map_or(Ok(Log::None), |text| log_level(text, out))
}

/// A log level.
pub(super) fn log_level(text: &Text, out: &mut Diagnostics) -> Result<Log, Unresolved> {
    match options::parse_log_level(text) {
        Ok(name) => Ok(LogLevel::ALL.into_iter().find(|level| level.name() == name).map_or(Log::None, Log::At)),
        Err(diagnostic) => {
            out.push(diagnostic);
            Err(Unresolved)
        }
    }
}

fn enabled(text: Option<&Text>, out: &mut Diagnostics) -> Result<bool, Unresolved> {
    let Some(text) = text else { return Ok(true) };
    options::parse_bool(text).map_err(|diagnostic| {
        out.push(diagnostic);
        Unresolved
    })
}
