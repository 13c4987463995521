//! Log lines, and the chains that write them.
//!
//! In: what a rule logs. Out: one chain for each kind of line, which logs and then decides. Guests share
//! their chains of rules, so the line's chain finds the guest's number by the interface: a map leads to a
//! small chain of the guest's own that writes the line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::policy::{HookName, LogLevel, LogRateLimit, Platform, Verdict};

use super::name;
use super::table::{Action, Chain, LogLine, Rule, Side, VerdictMap};

/// Whose packets a line is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Subject {
    /// The host's.
    Host(HookName),
    /// A guest's.
    Guest(HookName),
    /// A vnet's.
    Vnet(String),
}

impl Subject {
    fn name(&self) -> &str {
        match self {
            Self::Host(hook) | Self::Guest(hook) => hook.name(),
            Self::Vnet(name) => name,
        }
    }
}

/// A kind of line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Message {
    /// Whose packets.
    pub(super) subject: Subject,
    /// The level.
    pub(super) level: LogLevel,
    /// Whether the policy decides.
    pub(super) policy: bool,
    /// The verdict as written.
    pub(super) verdict: Verdict,
}

const fn verdict_words(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Accept => ("accept", "ACCEPT"),
        Verdict::Drop => ("drop", "DROP"),
        Verdict::Reject => ("reject", "REJECT"),
        Verdict::Skip => ("skip", "SKIP"),
    }
}

impl Message {
    /// The chain that writes it and decides.
    pub(super) fn chain(&self) -> String {
        let (verdict, _) = verdict_words(self.verdict);
        let vnet = if matches!(self.subject, Subject::Vnet(_)) { "log-vnet" } else { "log" };
        let words = [vnet, self.subject.name(), self.level.name(), "policy", verdict];
        let words: Vec<&str> = words.into_iter().filter(|word| self.policy || *word != "policy").collect();
        name::name(&words)
    }

    fn text(&self) -> String {
        let (_, verdict) = verdict_words(self.verdict);
        if self.policy { format!("policy {verdict}") } else { verdict.to_owned() }
    }
}

/// How lines are written on a host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Proxmox VE reads netlink group 0; others the kernel log.
    pub(super) platform: Platform,
    /// The datacenter's limit.
    pub(super) limit: LogRateLimit,
}

impl Style {
    fn line(&self, number: u32, message: &Message) -> Rule {
        let (level, chain) = (message.level.number(), message.subject.name());
        // The kernel's own limit is 127 bytes; a vnet's name is an interface's, and so short.
        let prefix: String = format!(":{number}:{level}:{chain}: {}: ", message.text()).chars().take(127).collect();
        let (prefix, level) = match self.platform {
            Platform::Proxmox => (prefix, None),
            Platform::Linux => (format!("fwc {prefix}"), Some(level_name(message.level))),
        };
        let limit = self.limit.enable.then_some((self.limit.rate, self.limit.unit, self.limit.burst));
        Rule::new(Vec::new(), Action::Log(LogLine { prefix, level, limit }))
    }
}

/// The chains that write a table's lines.
#[derive(Debug, Default)]
pub(super) struct LogChains {
    /// The guests' own.
    pub(super) stubs: Vec<Chain>,
    /// From interfaces to those.
    pub(super) maps: Vec<VerdictMap>,
    /// Those that rules go to.
    pub(super) chains: Vec<Chain>,
}

/// Interfaces whose packets may reach a message's chain, with their guest's number.
pub(super) type Users = BTreeMap<Message, BTreeSet<(u32, String)>>;

/// All chains; `last` is the rule that decides.
pub(super) fn chains(style: Style, users: &Users, last: impl Fn(&Message) -> Action) -> LogChains {
    let mut all = LogChains::default();
    for (message, interfaces) in users {
        let chain: Arc<str> = message.chain().into();
        let rule = match &message.subject {
            Subject::Host(_) | Subject::Vnet(_) => style.line(0, message),
            Subject::Guest(hook) => {
                let mut elements = Vec::with_capacity(interfaces.len());
                let mut stub: Option<(u32, Arc<str>)> = None;
                for (number, interface) in interfaces {
                    let known = stub.take().filter(|(of, _)| of == number);
                    let (_, name) = stub.insert(known.unwrap_or_else(|| {
                        let name: Arc<str> = format!("{chain}-{number}").into();
                        let rules = vec![style.line(*number, message)];
                        all.stubs.push(Chain { name: Arc::clone(&name), base: None, rules });
                        (*number, name)
                    }));
                    elements.push((interface.clone(), Arc::clone(name)));
                }
                elements.sort();
                all.maps.push(VerdictMap { name: Arc::clone(&chain), jump: true, elements });
                let side = if *hook == HookName::GuestOut { Side::Source } else { Side::Dest };
                Rule::new(Vec::new(), Action::Dispatch(side, Arc::clone(&chain)))
            }
        };
        all.chains.push(Chain { name: chain, base: None, rules: vec![rule, Rule::new(Vec::new(), last(message))] });
    }
    all
}

/// A level as nft spells it: one of them is not syslog's name.
const fn level_name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Warning => "warn",
        LogLevel::Emerg
        | LogLevel::Alert
        | LogLevel::Crit
        | LogLevel::Err
        | LogLevel::Notice
        | LogLevel::Info
        | LogLevel::Debug => level.name(),
    }
}
