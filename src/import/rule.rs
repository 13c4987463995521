//! A rule of Proxmox VE's in the words of the spec.
//!
//! In: a line, whose it is, and the names in reach. Out: the rule (or several, where a macro must be spelled out), or why
//! there is none. Promise: what is written matches the packets that the line matches, no more; a line that Proxmox VE
//! passes over gives nothing.

use crate::net::Family;
use crate::state::fw::{Action, Direction, Kind, RuleLine, Verdict};

use super::draft;
use super::names::{Meaning, Problem, Scope};
use super::service::{self, Service};

/// What is to be known around a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'c> {
    /// Whose file it is.
    pub(super) kind: Kind,
    /// Whether it stands in a group.
    pub(super) in_group: bool,
    /// The names in reach.
    pub(super) scope: Scope<'c>,
    /// The NICs of a guest; none where they are not known.
    pub(super) nics: Option<&'c [u8]>,
    /// Whether the implementation for nftables is the one that reads it.
    pub(super) nftables: bool,
    /// Whether comments begin with the identity that fwc writes.
    pub(super) compiled: bool,
}

/// A line's rules, and what the reader of the spec should know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Carried {
    /// The rules, in order; none where the line is without effect.
    pub(super) rules: Vec<draft::Rule>,
    /// Why they are worded or enforced otherwise than the line.
    pub(super) changed: Option<String>,
}

fn broken<T>(reason: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Broken(reason.into()))
}

impl Context<'_> {
    /// Reads a line.
    pub(super) fn carry(&self, line: &RuleLine<'_>) -> Result<Carried, Problem> {
        let (id, comment) = self.comment(line.comment);
        let base = draft::Rule {
            id,
            iface: self.interface(line)?,
            disabled: !line.enabled,
            comment,
            ..draft::Rule::default()
        };
        match line.action {
            Action::Group(name) => self.group(name.value, base),
            Action::Verdict { direction, verdict, macro_name } => {
                self.rule(line, direction, verdict, macro_name.map(|name| name.value), base)
            }
        }
    }

    fn group(&self, name: &str, base: draft::Rule) -> Result<Carried, Problem> {
        if self.in_group {
            return broken("a group cannot call another one");
        }
        if self.kind == Kind::Vnet {
            return broken("a vnet's rules call no groups");
        }
        if let Some(cluster) = self.scope.cluster
            && !cluster.groups.contains(name)
        {
            let lower = name.to_ascii_lowercase();
            return broken(if cluster.groups.contains(&lower) {
                format!("there is no group `{name}`: where they are defined, names become lower case")
            } else {
                format!("there is no group `{name}`")
            });
        }
        let rule = draft::Rule { head: "group", value: name.to_owned(), ..base };
        Ok(Carried { rules: vec![rule], changed: None })
    }

    fn rule(
        &self,
        line: &RuleLine<'_>,
        direction: Direction,
        verdict: Verdict,
        macro_name: Option<&str>,
        base: draft::Rule,
    ) -> Result<Carried, Problem> {
        self.direction(direction, verdict)?;
        let spoken = service::spoken(line, macro_name, self.nftables)?;
        let side = |text: Option<crate::diagnostic::Located<&str>>| text.map(|text| self.scope.addresses(text.value));
        let source = side(line.source).transpose()?;
        let dest = side(line.dest).transpose()?;
        let mut carried = Carried::default();
        for service in &spoken.services {
            carried.changed = carried.changed.or_else(|| service.note.map(str::to_owned));
            if !can_match(service, source.as_ref(), dest.as_ref()) {
                continue;
            }
            let terms = |side: Option<&Meaning>| side.map(|side| side.terms.clone()).unwrap_or_default();
            carried.rules.push(draft::Rule {
                head: direction.word(),
                value: verdict.word().to_owned(),
                macro_name: service.macro_name,
                source: terms(source.as_ref()),
                dest: terms(dest.as_ref()),
                proto: service.proto.clone(),
                sport: service.sport.clone(),
                dport: service.dport.clone(),
                icmp_type: service.icmp_type.clone(),
                log: line.log.map(|level| level.value.to_owned()).filter(|level| level != "nolog"),
                ..base.clone()
            });
        }
        if carried.rules.is_empty() {
            return broken(nothing(source.as_ref(), dest.as_ref()));
        }
        if let Some(name) = spoken.spelled_out {
            carried.changed = Some(format!("the macro `{name}` is spelled out, since a spec adds nothing to a macro"));
            // An identity stands once in a zone.
            carried.rules.iter_mut().skip(1).for_each(|rule| rule.id = None);
        }
        if direction == Direction::Forward && !self.nftables && self.kind != Kind::Vnet {
            carried.rules.iter_mut().for_each(|rule| rule.disabled = true);
            let reason = "pve-firewall ignores forward rules: the spec has it with `enable: false`";
            carried.changed = Some(reason.to_owned());
        }
        Ok(carried)
    }

    fn direction(&self, direction: Direction, verdict: Verdict) -> Result<(), Problem> {
        match (self.kind, direction) {
            (Kind::Guest, Direction::Forward) => broken("a guest has no forward rules"),
            (Kind::Vnet, Direction::In | Direction::Out) => broken("a vnet has forward rules only"),
            (_, Direction::Forward) if verdict == Verdict::Reject => broken("forward rules have no `REJECT`"),
            (Kind::Cluster | Kind::Host, _)
            | (Kind::Guest, Direction::In | Direction::Out)
            | (Kind::Vnet, Direction::Forward) => Ok(()),
        }
    }

    fn interface(&self, line: &RuleLine<'_>) -> Result<Option<String>, Problem> {
        let Some(interface) = line.interface else { return Ok(None) };
        let name = interface.value;
        if self.in_group {
            return broken("`-i` has no place in a group");
        }
        match self.kind {
            Kind::Vnet => return broken("`-i` has no place in a vnet's rules"),
            Kind::Guest => {
                let digits = name.strip_prefix("net").unwrap_or_default();
                let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
                let index = digits.parse::<u8>().ok().filter(|index| plain && *index < 32);
                let Some(index) = index else { return broken(format!("`{name}` is no NIC of a guest")) };
                if self.nics.is_some_and(|nics| !nics.contains(&index)) {
                    return broken(format!("the guest has no NIC `net{index}`"));
                }
                return Ok(Some(format!("net{index}")));
            }
            Kind::Cluster | Kind::Host => {}
        }
        let (stem, number) = match name.find(['.', ':']) {
            Some(at) => name.split_at_checked(at).unwrap_or((name, "")),
            None => (name, ""),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let numbered = number.is_empty() || number.get(1..).is_some_and(digits);
        let letter = stem.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        let word = stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !(letter && word && numbered && (2..=21).contains(&stem.len())) {
            return broken(format!("`{name}` is not the name of an interface"));
        }
        // The kernel's names have up to 15 characters; `eth0:1` names an address, and no packet comes in there.
        if name.len() > 15 || name.contains(':') {
            return broken(format!("no interface can be called `{name}`, so that it matches nothing"));
        }
        Ok(Some(name.to_owned()))
    }

    /// An `id`, and the author's words.
    fn comment(&self, text: Option<&str>) -> (Option<String>, Option<String>) {
        let words = |text: &str| plain(text).filter(|text| !text.is_empty());
        let Some(text) = text else { return (None, None) };
        if self.compiled
            && let Some((identity, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        {
            // Eight digits, or these and a count: fwc's own name for a rule that has none.
            let hash = identity.split('-').next().unwrap_or(identity);
            let own = hash.len() == 8 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            let id = (!own && is_id(identity)).then(|| identity.to_owned());
            return (id, words(rest));
        }
        (None, words(text))
    }
}

fn is_id(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    text.len() <= 64 && text.bytes().all(good) && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
}

/// A comment as a spec holds it: one line, without characters that hide or reorder others.
pub(super) fn plain(text: &str) -> Option<String> {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{61c}' | '\u{200e}' | '\u{200f}')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let text: String = text.chars().map(|c| if hides(c) { ' ' } else { c }).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Whether there is a family that all of a rule's parts speak of.
fn can_match(service: &Service, source: Option<&Meaning>, dest: Option<&Meaning>) -> bool {
    Family::BOTH.into_iter().any(|family| {
        let has = |side: Option<&Meaning>| side.is_none_or(|side| side.has(family));
        service.family.is_none_or(|only| only == family) && has(source) && has(dest)
    })
}

fn nothing(source: Option<&Meaning>, dest: Option<&Meaning>) -> &'static str {
    let empty = |side: Option<&Meaning>| side.and_then(|side| side.set.as_ref()).is_some_and(|set| set.is_empty());
    if empty(source) || empty(dest) {
        "the ipset is empty: it matches nothing"
    } else {
        "its parts speak of different families: it matches nothing"
    }
}
