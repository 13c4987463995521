//! `.fw` files: what they say, not how they say it.
//!
//! Options, aliases, entries of ipsets and rules are compared in one spelling: words in any case, values of lists in any
//! order, an address with its whole prefix or without. Comments count for nothing but to find the spec's rule.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::diagnostic::Span;
use crate::diff::collect::{CauseRef, Draft};
use crate::diff::pairing;
use crate::diff::policy::path;
use crate::diff::report::{At, Kind, Subject};
use crate::net::{PortSet, parse_ports};
use crate::policy::{HookName, ZoneRef};
use crate::spec::options::{OptionZone, table};
use crate::state::fw::{Action, FwText, RuleLine};

use super::Host;
use super::origin::Origins;

/// The output that these files are.
const OUTPUT: &str = "pve";

/// A file of both sides.
#[derive(Debug, Clone, Copy)]
pub struct FwFile<'f, 't> {
    /// Whose it is; the datacenter for `cluster.fw`.
    pub zone: &'f ZoneRef,
    /// Its path, as fwc would write it: `pve/firewall/100.fw`.
    pub path: &'f str,
    /// What fwc wrote; none where it wrote no such file.
    pub meant: Option<&'f FwText<'t>>,
    /// What is there; none where nothing is.
    pub found: Option<&'f FwText<'t>>,
}

/// A rule in its one spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    text: String,
    /// What fwc calls it, where it wrote it.
    identity: Option<String>,
    /// `IN`, `OUT`, `FORWARD` or `GROUP`.
    head: &'static str,
    span: Span,
}

impl Host<'_, '_> {
    /// Compares one `.fw` file. Says whether anything differs but words.
    pub fn fw(&mut self, file: FwFile<'_, '_>) -> bool {
        let before = self.machines.said;
        match (file.meant, file.found) {
            (Some(meant), Some(found)) => self.both(file, meant, found),
            (Some(_), None) => self.whole(file, Kind::Added),
            (None, Some(_)) => self.whole(file, Kind::Removed),
            (None, None) => {}
        }
        self.machines.said > before
    }

    fn whole(&mut self, file: FwFile<'_, '_>, kind: Kind) {
        let name = file.path.trim_start_matches("pve/").to_owned();
        let (cause, old, new, detail) = match kind {
            Kind::Added | Kind::Altered | Kind::Moved => {
                (self.origins.zone(file.zone), None, Some("the file".to_owned()), "it is not there")
            }
            Kind::Removed => (Origins::outside(), Some("the file".to_owned()), None, "the spec has no such machine"),
        };
        let subject = Subject::Property;
        let spans = (None, cause.new);
        let draft = Draft { kind, subject, name, zone: None, old, new, detail: Some(detail.to_owned()), spans };
        let at = self.fw_at(file.zone, None);
        self.add(cause, draft, [at]);
    }

    fn fw_at(&self, zone: &ZoneRef, hook: Option<HookName>) -> At {
        let machine = self.owner(zone);
        self.at(&machine, hook.map(HookName::name), OUTPUT)
    }

    /// The machine that a file is of; the cluster's holds for the host.
    fn owner(&self, zone: &ZoneRef) -> ZoneRef {
        if *zone == ZoneRef::Datacenter { ZoneRef::Host(self.host.name.clone()) } else { zone.clone() }
    }

    fn both(&mut self, file: FwFile<'_, '_>, meant: &FwText<'_>, found: &FwText<'_>) {
        let options = |text: &FwText<'_>| -> BTreeMap<String, (String, Span)> {
            let pair = |option: &crate::state::fw::OptionLine<'_>| {
                (option.name.to_owned(), (option.value.value.to_lowercase(), option.span))
            };
            text.options.iter().map(pair).collect()
        };
        let (mut ours, mut theirs) = (options(meant), options(found));
        // What one side spells out and the other leaves to the default is no difference.
        let is_default = |name: &str, value: &str| default(file.zone, name).as_deref() == Some(value);
        let written: BTreeSet<String> = ours.keys().filter(|name| theirs.contains_key(*name)).cloned().collect();
        ours.retain(|name, (value, _)| written.contains(name) || !is_default(name, value));
        theirs.retain(|name, (value, _)| written.contains(name) || !is_default(name, value));
        self.values(file.zone, Subject::Option, "", &theirs, &ours);
        let aliases = |text: &FwText<'_>| -> BTreeMap<String, (String, Span)> {
            let pair = |alias: &crate::state::fw::AliasLine<'_>| {
                (alias.name.value.to_lowercase(), (network(alias.value.value), alias.span))
            };
            text.aliases.iter().map(pair).collect()
        };
        self.values(file.zone, Subject::Definition, "", &aliases(found), &aliases(meant));
        self.ipsets(file.zone, meant, found);
        self.lists(file.zone, "", &lines(&meant.rules), &lines(&found.rules));
        let groups = |text: &FwText<'_>| -> BTreeMap<String, Vec<Line>> {
            text.groups.iter().map(|group| (group.name.clone(), lines(&group.rules))).collect()
        };
        let (ours, theirs) = (groups(meant), groups(found));
        for name in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
            let list = |groups: &BTreeMap<String, Vec<Line>>| groups.get(name).cloned().unwrap_or_default();
            self.lists(file.zone, name, &list(&ours), &list(&theirs));
        }
        for unread in &found.unread {
            self.unread_line(file, unread);
        }
    }

    /// A line that pve-firewall passes over and fwc never wrote.
    fn unread_line(&mut self, file: FwFile<'_, '_>, unread: &crate::state::Unread) {
        let fatal = if self.host.options.nftables.value {
            ", and proxmox-firewall then loads nothing on this node"
        } else {
            ""
        };
        let draft = Draft {
            kind: Kind::Removed,
            subject: Subject::Property,
            name: file.path.trim_start_matches("pve/").to_owned(),
            zone: None,
            old: Some("a line that cannot be read".to_owned()),
            new: None,
            detail: Some(format!("{}; pve-firewall passes over it{fatal}", unread.reason)),
            spans: (Some(unread.span), None),
        };
        let at = self.fw_at(file.zone, None);
        self.add(Origins::outside(), draft, [at]);
    }

    fn values(
        &mut self,
        zone: &ZoneRef,
        subject: Subject,
        prefix: &str,
        found: &BTreeMap<String, (String, Span)>,
        meant: &BTreeMap<String, (String, Span)>,
    ) {
        for name in found.keys().chain(meant.keys()).collect::<BTreeSet<_>>() {
            let (old, new) = (found.get(name), meant.get(name));
            if old.map(|(value, _)| value) == new.map(|(value, _)| value) {
                continue;
            }
            let cause = if new.is_none() { Origins::outside() } else { self.origins.zone(zone) };
            let draft = Draft {
                kind: kind(old.is_some(), new.is_some()),
                subject,
                name: format!("{prefix}{name}"),
                zone: None,
                old: old.map(|(value, _)| value.clone()),
                new: new.map(|(value, _)| value.clone()),
                detail: None,
                spans: (old.map(|(_, span)| *span), cause.new),
            };
            let at = self.fw_at(zone, None);
            self.add(cause, draft, [at]);
        }
    }

    fn ipsets(&mut self, zone: &ZoneRef, meant: &FwText<'_>, found: &FwText<'_>) {
        let sets = |text: &FwText<'_>| -> BTreeMap<String, (BTreeSet<String>, Span)> {
            let entry = |entry: &crate::state::fw::EntryLine<'_>| {
                format!("{}{}", if entry.excluded { "!" } else { "" }, network(entry.value.value))
            };
            let set = |set: &crate::state::fw::IpsetSection<'_>| {
                (set.name.clone(), (set.entries.iter().map(entry).collect(), set.span))
            };
            text.ipsets.iter().map(set).collect()
        };
        let (ours, theirs) = (sets(meant), sets(found));
        let empty = (BTreeSet::new(), Span::default());
        for name in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
            let (there, is_meant) = (theirs.contains_key(name), ours.contains_key(name));
            let ((old, span), (new, _)) = (theirs.get(name).unwrap_or(&empty), ours.get(name).unwrap_or(&empty));
            if old == new && there == is_meant {
                continue;
            }
            let cause = if is_meant { self.origins.zone(zone) } else { Origins::outside() };
            let draft = Draft {
                kind: kind(there, is_meant),
                subject: Subject::Definition,
                name: format!("+{name}"),
                zone: None,
                old: None,
                new: None,
                detail: Some(crate::diff::policy::come_and_gone(old, new)),
                spans: (there.then_some(*span), cause.new),
            };
            let at = self.fw_at(zone, None);
            self.add(cause, draft, [at]);
        }
    }

    fn lists(&mut self, zone: &ZoneRef, group: &str, meant: &[Line], found: &[Line]) {
        let pairs = pairing::pairs(found, meant);
        let common: Vec<(usize, usize)> = pairs.iter().filter_map(|(old, new)| Some(((*old)?, (*new)?))).collect();
        let positions: Vec<usize> = common.iter().map(|(_, new)| *new).collect();
        let moved: BTreeSet<usize> =
            pairing::moved(&positions).into_iter().filter_map(|at| common.get(at)).map(|(_, new)| *new).collect();
        for (old, new) in pairs {
            let (was, is) = (old.and_then(|at| found.get(at)), new.and_then(|at| meant.get(at)));
            let same = was.map(|line| &line.text) == is.map(|line| &line.text);
            let stays = new.is_none_or(|at| !moved.contains(&at));
            if same && stays {
                continue;
            }
            let kind = match (same, was, is) {
                (true, ..) => Kind::Moved,
                (false, was, is) => kind(was.is_some(), is.is_some()),
            };
            self.line(zone, group, kind, was, is);
        }
    }

    fn line(&mut self, zone: &ZoneRef, group: &str, kind: Kind, was: Option<&Line>, is: Option<&Line>) {
        let machine = self.owner(zone);
        let identity = is.or(was).and_then(|line| line.identity.clone()).unwrap_or_default();
        let comment = if group.is_empty() { identity.clone() } else { format!("group/{group} {identity}") };
        let known = self.origins.rule(&machine, &comment).cloned();
        let cause: CauseRef = match (&known, is) {
            (Some(known), _) => self.origins.zone(&known.zone),
            (None, Some(_)) if !group.is_empty() => self.origins.zone(&ZoneRef::Group(group.to_owned())),
            (None, Some(_)) => self.origins.zone(zone),
            (None, None) => Origins::outside(),
        };
        let prefix = if group.is_empty() || known.is_some() { String::new() } else { format!("[group {group}] ") };
        let draft = Draft {
            kind,
            subject: Subject::Rule,
            name: known.as_ref().map_or(identity, |known| known.identity.clone()),
            zone: known.as_ref().map(|known| path(&known.zone)).filter(|zone| *zone != cause.path),
            old: was.map(|line| format!("{prefix}{}", line.text)),
            new: is.map(|line| format!("{prefix}{}", line.text)),
            detail: (kind == Kind::Moved).then(|| "it stands elsewhere".to_owned()),
            spans: (was.map(|line| line.span), known.map(|known| known.span)),
        };
        // A group's rules hold for whoever calls it.
        let users = if group.is_empty() { vec![machine.clone()] } else { self.origins.callers(group) };
        let mut at: Vec<At> = users.iter().map(|user| self.fw_at(user, hook(user, is.or(was)))).collect();
        if at.is_empty() {
            // Nobody calls the group: its rules are in the file and at no hook.
            at.push(self.fw_at(&machine, None));
        }
        self.add(cause, draft, at);
    }
}

/// Proxmox VE's default of an option, as its files write it.
fn default(zone: &ZoneRef, name: &str) -> Option<String> {
    let kind = match zone {
        ZoneRef::Host(_) => OptionZone::Host,
        ZoneRef::Vm(_) | ZoneRef::Container(_) | ZoneRef::Nic(..) => OptionZone::Guest,
        ZoneRef::Vnet(_) => OptionZone::Vnet,
        ZoneRef::Datacenter | ZoneRef::Guests(_) | ZoneRef::Zone(_) | ZoneRef::Group(_) => OptionZone::Datacenter,
    };
    if name == "enable" {
        return Some(if kind == OptionZone::Host { "1" } else { "0" }.to_owned());
    }
    let default = table(kind).iter().find(|option| option.name == name)?.default?;
    Some(match default {
        "true" => "1".to_owned(),
        "false" => "0".to_owned(),
        other => other.to_owned(),
    })
}

fn hook(machine: &ZoneRef, line: Option<&Line>) -> Option<HookName> {
    match (machine, line?.head) {
        (ZoneRef::Vnet(_), _) => Some(HookName::VnetForward),
        (ZoneRef::Host(_), "IN") => Some(HookName::HostIn),
        (ZoneRef::Host(_), "OUT") => Some(HookName::HostOut),
        (ZoneRef::Host(_), "FORWARD") => Some(HookName::HostForward),
        (_, "IN") => Some(HookName::GuestIn),
        (_, "OUT") => Some(HookName::GuestOut),
        (_, _) => None,
    }
}

const fn kind(was: bool, is: bool) -> Kind {
    match (was, is) {
        (false, _) => Kind::Added,
        (true, false) => Kind::Removed,
        (true, true) => Kind::Altered,
    }
}

/// An address or a network in its one spelling; a name as it is.
fn network(text: &str) -> String {
    let parsed = text.parse::<IpNet>().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
    parsed.map_or_else(|_| text.to_lowercase(), |network| network.trunc().to_string())
}

/// The elements of a list in their one spelling and order.
fn list(text: &str) -> String {
    let parts: BTreeSet<String> = text.split(',').map(|part| network(part.trim())).collect();
    parts.into_iter().collect::<Vec<_>>().join(",")
}

/// Ports in their one spelling: numbers for names; as written, where there is another thing in the list.
fn ports(text: &str) -> String {
    let all: Option<Vec<_>> = text.split(',').map(|part| parse_ports(&part.trim().replace(':', "-")).ok()).collect();
    match all {
        Some(sets) => {
            let set = sets.iter().fold(PortSet::empty(), |all, set| all.union(set));
            crate::policy::words::ports(&set)
        }
        None => list(text),
    }
}

fn lines(rules: &[RuleLine<'_>]) -> Vec<Line> {
    rules.iter().map(line).collect()
}

fn line(rule: &RuleLine<'_>) -> Line {
    let (head, action) = match &rule.action {
        Action::Verdict { direction, verdict, macro_name } => {
            let head = match direction {
                crate::state::fw::Direction::In => "IN",
                crate::state::fw::Direction::Out => "OUT",
                crate::state::fw::Direction::Forward => "FORWARD",
            };
            let verdict = verdict.word().to_uppercase();
            (head, macro_name.map_or(verdict.clone(), |name| format!("{}({verdict})", name.value)))
        }
        Action::Group(name) => ("GROUP", name.value.to_owned()),
    };
    let mut parts = vec![head.to_owned(), action];
    let mut add = |key: &str, value: Option<String>| parts.extend(value.map(|value| format!("{key} {value}")));
    add("-i", rule.interface.map(|value| value.value.to_owned()));
    add("-source", rule.source.map(|value| list(value.value)));
    add("-dest", rule.dest.map(|value| list(value.value)));
    add("-p", rule.protocol.map(|value| value.value.to_lowercase()));
    add("-sport", rule.source_ports.map(|value| ports(value.value)));
    add("-dport", rule.dest_ports.map(|value| ports(value.value)));
    add("-icmp-type", rule.icmp_type.map(|value| value.value.to_lowercase()));
    let log = rule.log.map(|value| value.value.to_lowercase()).filter(|level| level != "nolog");
    add("-log", log);
    let off = if rule.enabled { "" } else { "|" };
    let comment = rule.comment.unwrap_or_default();
    let identity = comment.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(id, _)| id);
    Line { text: format!("{off}{}", parts.join(" ")), identity: identity.map(str::to_owned), head, span: rule.span }
}

impl pairing::Element for Line {
    fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    fn likeness(&self, other: &Self) -> u32 {
        if self.head != other.head {
            return 0;
        }
        if self.text == other.text {
            return 100;
        }
        let words = |line: &Line| -> BTreeSet<String> { line.text.split(" -").map(str::to_owned).collect() };
        let (a, b) = (words(self), words(other));
        let common = a.intersection(&b).count();
        // Alike: all but one part of the longer one.
        if common > 0 && common + 1 >= a.len().max(b.len()) { u32::try_from(common).unwrap_or(1) } else { 0 }
    }
}
