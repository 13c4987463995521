//! What a proof came to, as it is printed.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::cli::Exit;
use crate::cli::diff::capture::Captures;
use crate::cli::trace::view::{PacketView, packet};
use crate::diff::report::NoteKind;
use crate::import::proof::{Finding, Judged, Kind};
use crate::policy::{Log, words};
use crate::state::ruleset::{Program, Ruleset};
use crate::target::{Doubt, Why};

use super::places::{Drawn, RuleView, SpecView, Texts};

/// All that was proved, and what was not.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// Each host.
    pub(super) hosts: Vec<HostView>,
    /// Where Proxmox VE is known to do something else whatever its files say, on several hosts.
    pub(super) exceptions: Vec<String>,
    /// What else there is to say.
    pub(super) notes: Vec<String>,
    /// Whether something could not be read or asked.
    #[serde(skip)]
    pub(super) partial: bool,
}

/// One host.
#[derive(Debug, Serialize)]
pub(super) struct HostView {
    /// Its name.
    pub(super) host: String,
    /// Whose rules were looked at: `iptables`, `ip6tables`, `nft`, `pve`.
    pub(super) programs: Vec<&'static str>,
    /// Whether all of them are proved.
    pub(super) proved: bool,
    /// What is not.
    pub(super) doubts: Vec<DoubtView>,
    /// Where a program is known to do something else whatever its rules say.
    pub(super) exceptions: Vec<String>,
    /// What is loaded besides, and was not looked at.
    pub(super) others: Vec<String>,
}

/// Something that is not proved.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct DoubtView {
    /// Whose rules.
    pub(super) program: &'static str,
    /// Where packets come from, and where they go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) way: Option<WayView>,
    /// Why, in words.
    pub(super) message: String,
    /// A packet that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) witness: Option<WitnessView>,
    /// Where what decides about the packet is written.
    #[serde(skip)]
    pub(super) drawn: Drawn,
    /// Whether packets are known to be treated otherwise; else it is not known.
    pub(super) differs: bool,
    /// Where it stands for all further ones of its program, how many these are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) more: Option<usize>,
}

/// A way of packets.
#[derive(Debug, Serialize)]
pub(super) struct WayView {
    /// Its beginning.
    pub(super) from: String,
    /// Its end.
    pub(super) to: String,
    /// Whether the host routes them.
    pub(super) routed: bool,
    /// Whether they are frames with a second VLAN tag.
    pub(super) tagged: bool,
}

/// A packet, and what becomes of it.
#[derive(Debug, Serialize)]
pub(super) struct WitnessView {
    /// The packet.
    pub(super) packet: PacketView,
    /// What the spec says.
    pub(super) meant: String,
    /// What the rules do.
    pub(super) found: String,
    /// The hook that decides in the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hook: Option<String>,
    /// What decides there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<SpecView>,
    /// The rules that decide, in the order in which the packet comes to them; none where it comes to the end of a chain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rules: Vec<RuleView>,
}

/// A program's name.
pub(super) const fn word(program: Program) -> &'static str {
    match program {
        Program::Iptables => "iptables",
        Program::Ip6tables => "ip6tables",
        Program::Ebtables => "ebtables",
        Program::Nft => "nft",
    }
}

impl Report {
    /// Takes over what was not to be had.
    pub(super) fn notes(&mut self, captures: &Captures) {
        for note in &captures.notes {
            self.partial |= note.kind == NoteKind::NotCompared;
            let place = note.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
            self.notes.push(format!("{place}{}", note.message));
        }
    }

    /// Takes over what is so on several hosts.
    pub(super) fn exceptions(&mut self, findings: &[Finding]) {
        let common = findings.iter().filter(|finding| finding.kind == Kind::Exception && finding.host.is_none());
        self.exceptions.extend(common.map(|finding| format!("{}{}", finding.message, at(finding))));
    }

    /// 0 proved, 1 something differs, 2 something is not known.
    pub(super) fn exit(&self) -> Exit {
        let differs = self.hosts.iter().any(|host| host.doubts.iter().any(|doubt| doubt.differs));
        let proved = !self.partial && self.hosts.iter().all(|host| host.proved);
        match (differs, proved) {
            (true, _) => Exit::No,
            (false, true) => Exit::Fine,
            (false, false) => Exit::Failed,
        }
    }
}

impl HostView {
    /// `texts`: the spec, and those that the rules were read from.
    pub(super) fn new(host: &str, programs: &[Program], doubts: &[Doubt], texts: Option<Texts<'_>>) -> Self {
        Self {
            host: host.to_owned(),
            programs: programs.iter().map(|program| word(*program)).collect(),
            proved: doubts.is_empty(),
            doubts: doubts.iter().map(|one| doubt(one, texts)).collect(),
            exceptions: Vec::new(),
            others: Vec::new(),
        }
    }

    /// A host on which none of the programs has rules of fwc's; `unknown`: those that could not be asked. `is_all`: whether
    /// nothing else may filter.
    pub(super) fn nothing(host: &str, programs: &[Program], unknown: &BTreeSet<Program>, is_all: bool) -> Self {
        let mut view = Self::new(host, programs, &[], None);
        let silent: Vec<Program> = programs.iter().copied().filter(|program| unknown.contains(program)).collect();
        if silent.len() < programs.len() {
            let is_sure = silent.is_empty() && is_all;
            let message = match is_sure {
                true => "nothing is loaded that filters packets",
                false => "the programs that could be asked have nothing loaded that filters packets",
            };
            view.doubt("", is_sure, message.to_owned());
        }
        silent.into_iter().for_each(|program| view.not_had(program));
        view
    }

    fn doubt(&mut self, program: &'static str, differs: bool, message: String) {
        self.proved = false;
        self.doubts.push(DoubtView {
            program,
            way: None,
            message,
            witness: None,
            drawn: Drawn::default(),
            differs,
            more: None,
        });
    }

    /// A program of which there are no rules.
    pub(super) fn missing(&mut self, program: Program) {
        self.doubt(word(program), true, "its rules are not there".to_owned());
    }

    /// A program whose rules are or may be there.
    pub(super) fn not_had(&mut self, program: Program) {
        self.doubt(word(program), false, "what rules it has is not known".to_owned());
    }

    /// Files of Proxmox VE that are or may be there.
    pub(super) fn files_not_had(&mut self) {
        self.programs.push("pve");
        self.doubt("pve", false, "what its files say is not known".to_owned());
    }

    /// What its text says that cannot be read.
    pub(super) fn unread(&mut self, program: Program, rules: &Ruleset) {
        for unread in &rules.unread {
            self.doubt(word(program), false, format!("a line cannot be read: {}", unread.reason));
        }
    }

    /// What else is loaded.
    pub(super) fn others(&mut self, others: Vec<String>) {
        self.others = others;
    }

    /// What is not proved of Proxmox VE's files.
    pub(super) fn files(&mut self, findings: &[Finding]) {
        self.programs.push("pve");
        for finding in findings {
            if finding.host.as_ref().is_some_and(|host| *host != self.host) {
                continue;
            }
            let machine = finding.machine.as_ref().map(|machine| format!("{machine}: ")).unwrap_or_default();
            let message = format!("{machine}{}{}", finding.message, at(finding));
            let differs = match finding.kind {
                Kind::Exception if finding.host.is_none() => continue,
                Kind::Exception => {
                    self.exceptions.push(message);
                    continue;
                }
                Kind::Differs => true,
                Kind::NotCompared => false,
            };
            self.proved = false;
            let witness = finding.witness.as_ref().map(|witness| WitnessView {
                packet: packet(&witness.packet),
                meant: judged(&witness.meant),
                found: judged(&witness.found),
                hook: finding.hook.map(|hook| hook.name().to_owned()),
                by: None,
                rules: Vec::new(),
            });
            let drawn = Drawn::default();
            self.doubts.push(DoubtView { program: "pve", way: None, message, witness, drawn, differs, more: None });
        }
    }
}

/// The line of the files that it is about.
fn at(finding: &Finding) -> String {
    finding.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default()
}

/// `drop, logged at info, by tcp 443`.
fn judged(judged: &Judged) -> String {
    let log = match judged.log {
        Log::None => String::new(),
        Log::At(level) => format!(", logged at {}", level.name()),
    };
    format!("{}{log}, by {}", words::verdict(judged.verdict), judged.by)
}

/// One doubt.
pub(super) fn doubt(doubt: &Doubt, texts: Option<Texts<'_>>) -> DoubtView {
    let decided = texts.map(|texts| texts.decided(doubt)).unwrap_or_default();
    let (message, witness) = match &doubt.why {
        Why::Differs { packet: shown, meant, found, hook, by: _ } => {
            let witness = WitnessView {
                packet: packet(shown),
                meant: meant.clone(),
                found: found.clone(),
                hook: hook.as_ref().map(ToString::to_string),
                by: decided.spec,
                rules: decided.rules,
            };
            ("packets are treated otherwise".to_owned(), Some(witness))
        }
        Why::Unknown(unknown) => {
            let place = texts.and_then(|texts| texts.place(doubt, unknown.span));
            let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
            let words = &unknown.words;
            let message =
                format!("packets come to a rule that is not understood, in {}: {words}{place}", unknown.chain);
            (message, None)
        }
        Why::OverBudget => ("the packets are split in too many ways".to_owned(), None),
        Why::Missing(what) => (format!("{what} is not there"), None),
        Why::Pairs(what) => {
            (format!("{what} looks at both ends of a way, and not every pair of ports was tried"), None)
        }
        Why::Marks => ("rules leave different marks on packets, and later ones may ask for them".to_owned(), None),
        Why::More { count, .. } => (format!("and {count} more"), None),
    };
    let more = if let Why::More { count, .. } = doubt.why { Some(count) } else { None };
    let way = || WayView {
        from: doubt.way.from.clone(),
        to: doubt.way.to.clone(),
        routed: doubt.way.routed,
        tagged: doubt.way.tagged,
    };
    let way = more.is_none().then(way);
    let differs = doubt.why.differs();
    DoubtView { program: doubt.program, way, message, witness, drawn: decided.drawn, differs, more }
}

/// For programs.
pub(super) fn json(report: &Report) -> serde_json::Value {
    serde_json::to_value(report).unwrap_or_default()
}
