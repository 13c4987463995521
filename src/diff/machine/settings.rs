//! Kernel settings and guests' configurations of a host.

use crate::diagnostic::Span;
use crate::diff::collect::Draft;
use crate::diff::nics::{NicDifferenceKind, nic_differences};
use crate::diff::report::{Kind, Note, NoteKind, Subject};
use crate::policy::ZoneRef;
use crate::state::guest_conf::GuestConf;
use crate::state::sysctl::{Difference, Loss, Running};

use super::Host;

/// Where values were found, as an output.
const OUTPUT: &str = "sysctl";

impl Host<'_, '_> {
    /// The values that the kernel has now against those that the spec sets or implies: key and value.
    pub fn running(&mut self, wanted: &[(String, String)], running: &Running, place: Option<Span>) {
        let pairs = wanted.iter().map(|(key, value)| (key.as_str(), value.as_str()));
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
                Difference::Unknown(reason) => {
                    self.note(NoteKind::NotCompared, format!("sysctl `{key}`: {reason}"), None, place);
                }
            }
        }
        for unread in &running.unread {
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
            kind: if old.is_none() { Kind::Added } else { Kind::Altered },
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

/// Values of fwc's own file that another file takes away at the next boot.
pub fn losses<'l>(host: &str, losses: impl IntoIterator<Item = Loss<'l>>) -> Vec<Note> {
    let note = |loss: Loss<'_>| {
        let winner = loss.winner.value.as_deref().map_or("keeps it unset".to_owned(), |value| format!("sets {value}"));
        let message = format!(
            "sysctl `{}`: fwc's `{}` loses under {}: `{}` is read later and {winner}",
            loss.key,
            loss.own.value.as_deref().unwrap_or_default(),
            loss.program.name(),
            loss.winner.place
        );
        let help = "take the line out there, or let fwc's file be read last: `sysctl: {file: NAME}` in the spec";
        Note {
            kind: NoteKind::Attention,
            host: Some(host.to_owned()),
            message,
            help: Some(help.to_owned()),
            place: None,
        }
    };
    losses.into_iter().map(note).collect()
}
