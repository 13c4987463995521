//! What a comparison found, in finished words, whatever was compared.
//!
//! In: what the comparisons below this floor's root make. Out: a [`Report`], from the overview down: hosts, causes with
//! their blast radius, changes under their hooks, files. Every format prints this and nothing else, so they
//! cannot disagree. The JSON form is the serialised report; `schema/diff.schema.json` describes it.

use serde::Serialize;

use crate::diagnostic::Place;

/// A whole comparison. `old` is what there is, `new` what the spec says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Report {
    /// What there is: `origin/main (3f2a1c9)`, `out/`, `this machine (pm1)`.
    pub old: String,
    /// What the spec is: `fwc.yaml`.
    pub new: String,
    /// Every host of either side, by name.
    pub hosts: Vec<HostReport>,
    /// What was edited (or, for a machine, what differs), widest first.
    pub causes: Vec<Cause>,
    /// What the difference does to packets; none where no specs with a meaning were compared, or no rules of a machine differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wire: Option<Wire>,
    /// What else a reader must know: what could not be compared, what is not fwc's.
    pub notes: Vec<Note>,
    /// Output files that differ, where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileReport>,
}

/// What becomes of packets, on the machines that both sides have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Wire {
    /// Packets that were refused and are accepted now; those at most machines first.
    pub accepted: Vec<WireRow>,
    /// Packets that were accepted and are refused now.
    pub refused: Vec<WireRow>,
    /// Packets that were dropped and are rejected now, or the other way round.
    pub otherwise: Vec<WireRow>,
    /// How many hooks were compared, for all packets.
    pub hooks: usize,
    /// Hooks that are too complex to be compared for all packets: nothing is said about them.
    pub undecided: Vec<At>,
    /// How many rows or boxes are not told.
    pub left_out: usize,
    /// How many rulesets of machines were compared with the spec, for all packets.
    #[serde(skip_serializing_if = "is_none")]
    pub rulesets: usize,
    /// Rules that are not understood: nothing is said about packets that come to them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Aside>,
    /// What else of rulesets is not said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<Aside>,
}

/// Something of a ruleset that rows do not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Aside {
    /// The host.
    pub host: String,
    /// The program: `iptables`, `ip6tables`, `ebtables`, `nft`; `pve`.
    pub output: &'static str,
    /// What, in words.
    pub message: String,
    /// The line.
    pub place: Option<Place>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_none(number: &usize) -> bool {
    *number == 0
}

/// Packets that one pair of rules decides differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WireRow {
    /// Whom they come from, in the spec's names.
    pub from: String,
    /// Whom they go to.
    pub to: String,
    /// Protocol and ports: `tcp 80,443`.
    pub service: String,
    /// The macro that stands for exactly these, in these families: `HTTPS`.
    #[serde(rename = "macro")]
    pub macro_name: Option<&'static str>,
    /// `IPv4`, `IPv6`, `frames`.
    pub families: Vec<&'static str>,
    /// What accepts them now (of those refused: what accepted them): `groups.web: accept tcp 443`, `policy (accept)`.
    pub rule: String,
    /// Where that is written: of packets refused now in the old spec, else in the new one.
    pub place: Option<Place>,
    /// What decides on the other side.
    pub instead_of: Vec<String>,
    /// One such packet.
    pub packet: Option<String>,
    /// Where it is so.
    pub at: Vec<At>,
}

impl Wire {
    /// Whether every packet is known to be treated as before, but for those that come to unknown rules.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.accepted.is_empty()
            && self.refused.is_empty()
            && self.otherwise.is_empty()
            && self.undecided.is_empty()
            && self.not_compared.is_empty()
            && self.left_out == 0
    }

    /// Whether nothing was compared.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.hooks == 0 && self.rulesets == 0 && self.not_compared.is_empty()
    }
}

/// How something stands between the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The same on both.
    Unchanged,
    /// On both, not the same.
    Changed,
    /// Only on the new one.
    Added,
    /// Only on the old one.
    Removed,
}

impl Status {
    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }
}

/// A host, and what is on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostReport {
    /// Its name.
    pub host: String,
    /// Of itself and all guests on it.
    pub status: Status,
    /// Itself, guests and vnets, those that differ; sorted.
    pub machines: Vec<MachineReport>,
    /// How many machines (itself included) are the same on both sides.
    pub unchanged: usize,
}

/// A host itself, a guest or a vnet, on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MachineReport {
    /// `host/pm1`, `vm/100`, `vnet/prod`.
    pub machine: String,
    /// How it stands.
    pub status: Status,
    /// Why: indices into [`Report::causes`], rising.
    pub causes: Vec<usize>,
}

/// Something that was edited, and all that follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// As a path of the spec: `groups.webserver`, `datacenter.aliases.office`; for what is no part of a spec,
    /// what it is.
    pub path: String,
    /// Whether it is new, gone or changed.
    pub status: Status,
    /// Where, in the new spec.
    pub place: Option<Place>,
    /// Where, in the old one.
    pub old_place: Option<Place>,
    /// What follows.
    pub changes: Vec<Change>,
    /// How many machines it reaches.
    pub machines: usize,
    /// How many hosts these are on.
    pub hosts: usize,
}

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is the same, and stands elsewhere.
    Moved,
    /// It is another than it was.
    Altered,
}

/// What a change is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// A machine as a whole.
    Machine,
    /// An alias, an ipset, the members of a zone: a name that rules use.
    Definition,
    /// A rule, or a reference to a group.
    Rule,
    /// A stage that no rule stands for: `management`, `blacklist`.
    Stage,
    /// An option.
    Option,
    /// A key of the kernel.
    Sysctl,
    /// Anything else that a machine has: addresses, a NIC's MAC.
    Property,
}

/// One change, once, with all places where it takes effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What became of it.
    pub kind: Kind,
    /// What it is of.
    pub subject: Subject,
    /// The option's or key's name, the rule's identity.
    pub name: String,
    /// Whose rule it is, as a path of the spec, where that is not the cause itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// How it was.
    pub old: Option<String>,
    /// How it is.
    pub new: Option<String>,
    /// What the words do not show: where it moved, what a name stands for now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Where it is written, in the new spec.
    pub place: Option<Place>,
    /// Where it was written, in the old one.
    pub old_place: Option<Place>,
    /// Where it takes effect; empty where nothing shows it but what follows from it.
    pub at: Vec<At>,
}

/// A place where a change takes effect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct At {
    /// The host.
    pub host: String,
    /// The machine on it.
    pub machine: String,
    /// `guest-in`, or of what is no hook of fwc's the kernel's own name; none for what is no rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
    /// Where a machine's own words were compared: `iptables`, `nft`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<&'static str>,
}

/// How much a note weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// Something could not be read or compared: the answer leaves it out.
    NotCompared,
    /// It asks for an act: a NIC's flag, a file that wins over fwc's.
    Attention,
    /// Somebody else's, counted.
    Foreign,
    /// To know.
    Info,
}

/// Something beside the differences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// How much it weighs.
    pub kind: NoteKind,
    /// The host it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// One line, lower case, no full stop.
    pub message: String,
    /// The command or edit that helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The line it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// An output file on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// Below the output folder.
    pub path: String,
    /// How it stands.
    pub status: Status,
    /// The unified diff.
    pub diff: String,
}

impl Report {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.causes.is_empty()
            && self.files.is_empty()
            && self.hosts.iter().all(|host| host.status == Status::Unchanged)
    }

    /// Whether something could not be compared.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.notes.iter().any(|note| note.kind == NoteKind::NotCompared)
    }
}
