//! Kernel settings and guests' configurations of a host.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Span;
use crate::diff::collect::Draft;
use crate::diff::nics::{NicDifferenceKind, nic_differences};
use crate::diff::report::{Kind, Note, NoteKind, Subject};
use crate::policy::{GuestPolicy, ZoneRef};
use crate::state::guest_conf::GuestConf;
use crate::state::sysctl::{Difference, Loss, Running, RunningValue, normal};

use super::Host;

/// Where values were found, as an output.
const OUTPUT: &str = "sysctl";

impl Host<'_, '_> {
    /// The values that the kernel has now against those that the spec sets or implies: key and value.
    pub fn running(&mut self, wanted: &[(String, String)], running: &Running, place: Option<Span>) {
        let pairs = wanted.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let mut unknown: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let differences: Vec<(String, Difference)> =
            running.differences(pairs).map(|(key, difference)| (key.to_owned(), difference)).collect();
        for (key, difference) in differences {
            let wanted = wanted.iter().find(|(other, _)| *other == key).map(|(_, value)| value.clone());
            match difference {
                Difference::Value(value) => self.setting(&key, Some(value), wanted, None, place),
                Difference::Absent => {
                    let detail = "the kernel does not have it: its module is not loaded";
                    self.setting(&key, None, wanted, Some(detail.to_owned()), place);
                }
                Difference::Unknown(reason) => unknown.entry(reason).or_default().push(key),
            }
        }
        for (reason, keys) in unknown {
            let shown = keys.iter().take(3).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            let more = keys.len().saturating_sub(3);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            self.note(NoteKind::NotCompared, format!("sysctl {shown}{more}: {reason}"), None, place);
        }
        for unread in &running.unread {
            self.note(NoteKind::NotCompared, format!("sysctl: {}", unread.reason), None, Some(unread.span));
        }
    }

    /// The values that files of `sysctl.d` set against those that the spec sets or implies; `whole`: the files are fwc's own,
    /// and should set nothing else.
    pub fn settings(&mut self, wanted: &[(String, String)], found: &Running, place: Option<Span>, whole: bool) {
        let ours: BTreeMap<&str, &str> = wanted.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let theirs = found.values.keys().map(String::as_str).filter(|key| whole || ours.contains_key(key));
        let keys: BTreeSet<&str> = ours.keys().copied().chain(theirs).collect();
        for key in keys {
            let old = match found.get(key) {
                Some(RunningValue::Text(value)) => Some(value.clone()),
                Some(RunningValue::Unreadable(_)) | None => None,
            };
            let new = ours.get(key).map(|value| (*value).to_owned());
            if old.as_deref().map(normal) != new.as_deref().map(normal) {
                let detail = old.is_none().then(|| "no file that was given sets it".to_owned());
                self.setting(key, old, new, detail, place);
            }
        }
        for unread in &found.unread {
            self.note(NoteKind::NotCompared, format!("sysctl: {}", unread.reason), None, Some(unread.span));
        }
    }

    fn setting(
        &mut self,
        key: &str,
        old: Option<String>,
        new: Option<String>,
        detail: Option<String>,
        old_span: Option<Span>,
    ) {
        let host = self.host;
        let explicit = host.sysctl.iter().find(|setting| setting.key == key);
        let machine = ZoneRef::Host(host.name.clone());
        let cause = self.origins.zone(explicit.map_or(&machine, |setting| &setting.origin.zone));
        let draft = Draft {
            kind: match (&old, &new) {
                (None, _) => Kind::Added,
                (_, None) => Kind::Removed,
                (_, _) => Kind::Altered,
            },
            subject: Subject::Sysctl,
            name: key.to_owned(),
            zone: None,
            old,
            new,
            detail,
            spans: (old_span, explicit.map(|setting| setting.origin.span)),
        };
        let at = self.at(&machine, None, OUTPUT);
        self.add(cause, draft, [at]);
    }

    /// NICs whose flag in a guest's configuration is not what the spec says.
    pub fn nics(&mut self, id: u32, conf: &GuestConf<'_>) {
        let Some(guest) = self.host.guests.iter().find(|guest| guest.id == id) else { return };
        self.nic_facts(guest, conf);
        for difference in nic_differences(conf, guest) {
            let name = format!("net{}", difference.index);
            let (old, new, detail) = match difference.kind {
                NicDifferenceKind::Flag { wanted, command } => {
                    let word = |on: bool| format!("firewall={}", u8::from(on));
                    (Some(word(!wanted)), Some(word(wanted)), Some(format!("`{command}`")))
                }
                NicDifferenceKind::OnlyInSpec => {
                    (None, Some("in the spec".to_owned()), Some("the guest has no such NIC".to_owned()))
                }
                NicDifferenceKind::OnlyInConf { firewall } => (
                    Some(format!("firewall={}", u8::from(firewall))),
                    None,
                    Some("the spec does not have it".to_owned()),
                ),
            };
            let kind = match (&old, &new) {
                (None, _) => Kind::Added,
                (_, None) => Kind::Removed,
                (_, _) => Kind::Altered,
            };
            let zone = guest.zone();
            let draft = Draft {
                kind,
                subject: Subject::Property,
                name,
                zone: None,
                old,
                new,
                detail,
                spans: (difference.conf, difference.spec),
            };
            let (cause, at) = (self.origins.zone(&zone), self.at(&zone, None, "pve"));
            self.add(cause, draft, [at]);
        }
    }
}

impl Host<'_, '_> {
    /// MAC address, bridge and tag, where the spec says them: filters ask for the first, vnets for the others.
    fn nic_facts(&mut self, guest: &GuestPolicy, conf: &GuestConf<'_>) {
        for nic in &guest.nics {
            let Some(line) = conf.nics.iter().find(|line| line.index == nic.index) else { continue };
            let mac = line.mac.map(|mac| mac.value.to_lowercase());
            let facts = [
                ("mac", nic.mac.map(|mac| mac.to_string()), mac),
                ("bridge", nic.bridge.clone(), line.bridge.map(|bridge| bridge.value.to_owned())),
                ("tag", nic.tag.map(|tag| tag.to_string()), line.tag.map(|tag| tag.value.to_owned())),
            ];
            for (name, ours, theirs) in facts {
                // What neither says, or only the guest's configuration, is the guest's own business.
                if ours.is_none() || ours == theirs {
                    continue;
                }
                let zone = guest.zone();
                let draft = Draft {
                    kind: if theirs.is_none() { Kind::Added } else { Kind::Altered },
                    subject: Subject::Property,
                    name: format!("net{} {name}", nic.index),
                    zone: None,
                    old: theirs,
                    new: ours,
                    detail: None,
                    spans: (Some(line.span), Some(nic.span)),
                };
                let (cause, at) = (self.origins.zone(&zone), self.at(&zone, None, "pve"));
                self.add(cause, draft, [at]);
            }
        }
    }
}

/// Values of fwc's own file that another file takes away at the next boot.
pub fn losses<'l>(host: &str, losses: impl IntoIterator<Item = Loss<'l>>) -> Vec<Note> {
    // Both programs mostly lose to the same line: one note names both.
    let mut told: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for loss in losses {
        let winner = loss.winner.value.as_deref().map_or("keeps it unset".to_owned(), |value| format!("sets {value}"));
        let own = loss.own.value.as_deref().unwrap_or_default();
        let what = format!(
            "sysctl `{}`: `{}` is read after fwc's file, which sets {own}, and {winner}",
            loss.key, loss.winner.place
        );
        told.entry(what).or_default().push(loss.program.name());
    }
    let help = "take the line out there, or let fwc's file be read last: `sysctl: {file: NAME}` in the spec";
    let note = |(what, programs): (String, Vec<&'static str>)| Note {
        kind: NoteKind::Attention,
        host: Some(host.to_owned()),
        message: format!("{what} ({})", programs.join(", ")),
        help: Some(help.to_owned()),
        place: None,
    };
    told.into_iter().map(note).collect()
}
