//! Rulesets of a host: what their comparison found, in the report's words.

use std::net::Ipv6Addr;

use crate::diff::collect::Draft;
use crate::diff::policy::path;
use crate::diff::report::{At, Kind, NoteKind, Subject};
use crate::diff::ruleset::{self, Change, Comparison, Detail, Obstacle, Place};
use crate::policy::{GuestPolicy, ZoneRef};
use crate::state::ruleset::Ruleset;

use super::origin::Origins;
use super::{CauseRef, Host, NOT_LOADED, Status};

/// Chains of others that are named with `--foreign`.
const CHAINS: usize = 60;
/// Chains of others that drop by policy which are named.
const CLOSED: usize = 6;
/// Elements of a set, or values of a test, that are written out.
const ELEMENTS: usize = 6;
/// Rules of a chain that is not meant which are shown, its own line among them.
const CHAIN_RULES: usize = 4;

/// How far rules that are there are known to be those of the spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// They do not differ.
    Words,
    /// They differ, in comments alone: every packet is treated as is meant.
    Meaning,
    /// They differ, and packets may be treated otherwise.
    NotKnown,
}

impl Host<'_, '_> {
    /// Compares what the spec compiles to for one program with what is there. `all` names what is not fwc's.
    pub fn rules(&mut self, output: &'static str, meant: &Ruleset, found: &Ruleset, all: bool) -> Likeness {
        let comparison = ruleset::compare(meant, found);
        for table in &comparison.missing {
            let rules = meant.tables.get(table).map_or(0, |table| table.chains.values().map(|c| c.rules.len()).sum());
            self.table(output, &table.to_string(), rules, None);
        }
        for table in &comparison.different {
            let detail = "what is there is something else altogether";
            self.table(output, &table.to_string(), 0, Some(detail));
        }
        for change in &comparison.changes {
            self.change(output, change);
        }
        self.remarks(output, &comparison, all);
        match (comparison.same_meaning() && comparison.unseen_sets.is_empty(), comparison.changes.is_empty()) {
            (false, _) => Likeness::NotKnown,
            (true, false) => Likeness::Meaning,
            (true, true) => Likeness::Words,
        }
    }

    fn table(&mut self, output: &'static str, table: &str, rules: usize, detail: Option<&str>) {
        let cause = CauseRef { path: NOT_LOADED.to_owned(), status: Status::Changed, old: None, new: None };
        let new = if rules > 0 { count(rules, "rule") } else { "its rules".to_owned() };
        let draft = Draft {
            kind: Kind::Added,
            subject: Subject::Property,
            name: format!("{output}, table {table}"),
            zone: None,
            old: None,
            new: Some(new),
            detail: Some(detail.unwrap_or("nothing of it is there").to_owned()),
            spans: (None, None),
        };
        let at = self.at(&ZoneRef::Host(self.host.name.clone()), None, output);
        self.add(cause, draft, [at]);
    }

    fn change(&mut self, output: &'static str, change: &Change) {
        let machines: Vec<(ZoneRef, Option<String>)> = change.places.iter().map(|place| self.place(place)).collect();
        let here = machines.first().map_or_else(|| ZoneRef::Host(self.host.name.clone()), |(zone, _)| zone.clone());
        let comment = change.comment().map(ToString::to_string).unwrap_or_default();
        let known = self.origins.rule(&here, &comment).filter(|_| change.kind != ruleset::Kind::Chain).cloned();
        let cause = match &known {
            Some(known) => self.origins.zone(&known.zone),
            // Nothing of the spec stands for what is there and should not be.
            None if kind(change) == Kind::Removed => Origins::outside(),
            None if machines.iter().any(|(zone, _)| *zone != here) => {
                self.origins.zone(&ZoneRef::Host(self.host.name.clone()))
            }
            None => self.origins.zone(&here),
        };
        let texts = |rules: &[ruleset::RuleText]| {
            let most = if change.kind == ruleset::Kind::Chain { CHAIN_RULES } else { 2 };
            let shown: Vec<&str> = rules.iter().take(most).map(|rule| rule.text.as_str()).collect();
            let more = rules.len().saturating_sub(shown.len());
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            (!rules.is_empty()).then(|| format!("{}{more}", shown.join("; ")))
        };
        let (subject, name) = match (&known, change.kind) {
            (_, ruleset::Kind::PlaceAdded | ruleset::Kind::PlaceRemoved | ruleset::Kind::PlaceAltered) => {
                (Subject::Property, change.places.first().map(ToString::to_string).unwrap_or_default())
            }
            (_, ruleset::Kind::Set) => (Subject::Definition, set_name(change)),
            (_, ruleset::Kind::Chain | ruleset::Kind::Object | ruleset::Kind::NotLed) => {
                (Subject::Property, change.places.first().map(ToString::to_string).unwrap_or_default())
            }
            (Some(known), _) => (Subject::Rule, known.identity.clone()),
            (None, _) => (Subject::Rule, String::new()),
        };
        let draft = Draft {
            kind: kind(change),
            subject,
            name,
            zone: known.as_ref().map(|known| path(&known.zone)).filter(|zone| *zone != cause.path),
            old: texts(&change.old),
            new: texts(&change.new),
            detail: detail(change),
            spans: (change.old.first().map(|rule| rule.span), known.map(|known| known.span)),
        };
        let at: Vec<At> = machines.iter().map(|(zone, hook)| self.at(zone, hook.as_deref(), output)).collect();
        self.add(cause, draft, at);
    }

    /// The machine and the hook that a list of rules stands for.
    fn place(&self, place: &Place) -> (ZoneRef, Option<String>) {
        let itself = || ZoneRef::Host(self.host.name.clone());
        let guest = place.interface().and_then(|(device, _)| self.origins.guest(device));
        let guest = guest.or_else(|| {
            let address = place.address()?;
            self.origins.guest_of_address(address).or_else(|| self.guest_of_link_local(address))
        });
        let hook = place.hook_name().map_or_else(|| place.to_string(), |hook| hook.name().to_owned());
        (guest.unwrap_or_else(itself), Some(hook))
    }

    /// The guest whose NIC takes an address by itself: no list of addresses has it.
    fn guest_of_link_local(&self, address: &str) -> Option<ZoneRef> {
        let address: Ipv6Addr = address.split('/').next()?.parse().ok()?;
        let owns =
            |guest: &&GuestPolicy| guest.nics.iter().filter_map(|nic| nic.mac).any(|mac| mac.link_local() == address);
        self.host.guests.iter().find(owns).map(GuestPolicy::zone)
    }

    fn remarks(&mut self, output: &'static str, comparison: &Comparison, all: bool) {
        for unread in &comparison.unread {
            let message = format!("{output}: {}", unread.reason);
            self.note(NoteKind::NotCompared, message, None, Some(unread.span));
        }
        for obstacle in &comparison.obstacles {
            let why = match obstacle.why {
                Obstacle::Missing => "is not there",
                Obstacle::Loop => "leads back to itself",
                Obstacle::TooMuch => "calls more chains than can be followed",
            };
            let message = format!("{output}: `{}` in {} {why}", obstacle.name, obstacle.table);
            self.note(NoteKind::NotCompared, message, None, (!obstacle.meant).then_some(obstacle.span));
        }
        for (table, set) in &comparison.unseen_sets {
            let message = format!("{output}: what is in the set `{set}` of {table} is not known");
            self.note(NoteKind::NotCompared, message, Some("give what `ipset save` says too"), None);
        }
        for late in &comparison.led_late {
            let before = count(late.before, "rule");
            let message =
                format!("{output}: {before} of {} {} before the one that leads to fwc's", late.table, late.chain);
            self.note(NoteKind::Info, message, None, None);
        }
        for (foreign, kind, words) in
            comparison.foreign.iter().map(|foreign| (foreign, NoteKind::Foreign, "not compared")).chain(
                comparison
                    .left_over
                    .iter()
                    .map(|left| (left, NoteKind::Info, "of an older version, reached by nothing")),
            )
        {
            let (rules, chains) = (count(foreign.rules(), "rule"), count(foreign.chains.len(), "chain"));
            let mut message = format!("{output}: {rules} in {chains} of {}, {words}", foreign.table);
            for (chain, hook) in foreign.closed.iter().take(CLOSED) {
                let hook = hook.as_ref().map(|hook| format!(" at hook {hook}")).unwrap_or_default();
                message.push_str(&format!("; `{chain}`{hook} drops by policy"));
            }
            if all {
                let names: Vec<String> =
                    foreign.chains.iter().take(CHAINS).map(|(name, rules)| format!("{name} ({rules})")).collect();
                let more = foreign.chains.len().saturating_sub(CHAINS);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                message.push_str(&format!(": {}{more}", names.join(", ")));
            }
            self.note(kind, message, None, None);
        }
    }
}

/// `1 rule`, `2 rules`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn kind(change: &Change) -> Kind {
    match change.kind {
        // A chain that the kernel calls, or that others lead to, and that the spec does not have.
        ruleset::Kind::Chain if change.new.is_empty() => Kind::Removed,
        ruleset::Kind::Chain if change.old.is_empty() => Kind::Added,
        ruleset::Kind::Added | ruleset::Kind::PlaceAdded | ruleset::Kind::NotLed => Kind::Added,
        ruleset::Kind::Removed | ruleset::Kind::PlaceRemoved => Kind::Removed,
        ruleset::Kind::Moved => Kind::Moved,
        ruleset::Kind::Altered
        | ruleset::Kind::CommentOnly
        | ruleset::Kind::Set
        | ruleset::Kind::PlaceAltered
        | ruleset::Kind::Chain
        | ruleset::Kind::Object
        | ruleset::Kind::Unexplained => Kind::Altered,
    }
}

/// The set that a change is of.
fn set_name(change: &Change) -> String {
    let name = change.details.iter().find_map(|detail| match detail {
        Detail::Elements { of, .. } => Some(of.clone()),
        Detail::Test { .. }
        | Detail::Statements { .. }
        | Detail::Verdict { .. }
        | Detail::Moved
        | Detail::ReturnsElsewhere => None,
    });
    name.unwrap_or_else(|| "a set".to_owned())
}

/// `adds 80, 443`; of many their number and the first ones.
fn elements(word: &str, all: &[String]) -> Option<String> {
    let shown = all.iter().take(ELEMENTS).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(ELEMENTS) {
        _ if all.is_empty() => None,
        0 => Some(format!("{word} {shown}")),
        more => Some(format!("{word} {} ({shown} and {more} more)", count(all.len(), "element"))),
    }
}

/// What the words of the rules do not show.
fn detail(change: &Change) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    match change.kind {
        ruleset::Kind::CommentOnly => parts.push("only its comment differs".to_owned()),
        ruleset::Kind::PlaceAdded | ruleset::Kind::PlaceRemoved => parts.push(count(change.rules, "rule")),
        ruleset::Kind::NotLed => parts.push("no rule leads packets there".to_owned()),
        ruleset::Kind::Unexplained => parts.push("the lists differ in more than single rules".to_owned()),
        ruleset::Kind::Moved => parts.push("it stands elsewhere".to_owned()),
        ruleset::Kind::Added
        | ruleset::Kind::Removed
        | ruleset::Kind::Altered
        | ruleset::Kind::Set
        | ruleset::Kind::PlaceAltered
        | ruleset::Kind::Chain
        | ruleset::Kind::Object => {}
    }
    for detail in &change.details {
        match detail {
            Detail::Elements { of, removed, added } => {
                let both: Vec<String> =
                    [elements("adds", added), elements("removes", removed)].into_iter().flatten().collect();
                let of = if change.kind == ruleset::Kind::Set { String::new() } else { format!("{of} ") };
                parts.push(format!("{of}{}", both.join(" and ")));
            }
            Detail::Moved => parts.push("it stands elsewhere too".to_owned()),
            Detail::ReturnsElsewhere => parts.push("what it sends back goes on elsewhere".to_owned()),
            Detail::Test { .. } | Detail::Statements { .. } | Detail::Verdict { .. } => {}
        }
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_that_are_not_shown_are_counted() {
        let all: Vec<String> = (1..=9).map(|number| number.to_string()).collect();
        assert_eq!(elements("adds", &[]), None);
        assert_eq!(elements("adds", &all[..6]).as_deref(), Some("adds 1, 2, 3, 4, 5, 6"));
        assert_eq!(elements("removes", &all).as_deref(), Some("removes 9 elements (1, 2, 3, 4, 5, 6 and 3 more)"));
    }
}
