//! Both programs side by side, and the lines of one file, fwc's own, against all others.
//!
//! In: a tree in which fwc's file stands at its place, and that path. Out: for each key what either program sets, and
//! the keys of that file that lose.

use std::collections::BTreeSet;

use super::model::{Assignment, Model, Outcome, Program};
use super::normal;
use super::tree::Tree;

/// Both models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// As `sysctl --system` does it.
    pub procps: Model,
    /// As `systemd-sysctl` does it.
    pub systemd: Model,
    own: Option<String>,
}

/// One key, in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing<'m> {
    /// In its one spelling.
    pub key: String,
    /// The last line of fwc's own file about it.
    pub own: Option<&'m Assignment>,
    /// What `sysctl --system` sets.
    pub procps: Outcome<'m>,
    /// What `systemd-sysctl` sets.
    pub systemd: Outcome<'m>,
}

/// A value of fwc's that another line takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss<'m> {
    /// In its one spelling.
    pub key: String,
    /// fwc's line.
    pub own: &'m Assignment,
    /// Under which program.
    pub program: Program,
    /// The line that wins; without a value it keeps the key from being set.
    pub winner: &'m Assignment,
}

impl Survey {
    /// Both programs' views of a tree; `own` is the path of fwc's file in it, such as `etc/sysctl.d/zz-fwc.conf`.
    #[must_use]
    pub fn of(tree: &Tree<'_>, own: Option<&str>) -> Self {
        Self {
            procps: Model::of(tree, Program::Procps),
            systemd: Model::of(tree, Program::Systemd),
            own: own.map(str::to_owned),
        }
    }

    /// One program's view.
    #[must_use]
    pub const fn model(&self, program: Program) -> &Model {
        match program {
            Program::Procps => &self.procps,
            Program::Systemd => &self.systemd,
        }
    }

    /// One key, in its one spelling.
    #[must_use]
    pub fn standing(&self, key: &str) -> Standing<'_> {
        let is_own = |line: &&Assignment| self.own.as_deref() == Some(line.place.path.as_str());
        let own = self.procps.lines_about(key).rfind(is_own);
        Standing { own, procps: self.procps.outcome(key), systemd: self.systemd.outcome(key), key: key.to_owned() }
    }

    /// Every key that any file sets by name, sorted.
    pub fn standings(&self) -> impl Iterator<Item = Standing<'_>> {
        let keys: BTreeSet<&str> = self.procps.keys().chain(self.systemd.keys()).collect();
        keys.into_iter().map(|key| self.standing(key))
    }

    /// fwc's values that lose, by key, under each program.
    pub fn losses(&self) -> impl Iterator<Item = Loss<'_>> {
        self.standings().flat_map(|standing| Program::ALL.into_iter().filter_map(move |program| standing.loss(program)))
    }
}

impl<'m> Standing<'m> {
    /// What a program sets.
    #[must_use]
    pub const fn outcome(&self, program: Program) -> &Outcome<'m> {
        match program {
            Program::Procps => &self.procps,
            Program::Systemd => &self.systemd,
        }
    }

    /// Who takes fwc's value away under a program, if anybody does. The same value from elsewhere is no loss.
    #[must_use]
    pub fn loss(&self, program: Program) -> Option<Loss<'m>> {
        let own = self.own?;
        let winner = self.outcome(program).winner?;
        (!winner.sets_the_same(own)).then(|| Loss { key: self.key.clone(), own, program, winner })
    }

    /// Whether the value depends on the program.
    #[must_use]
    pub fn programs_differ(&self) -> bool {
        self.procps.value().map(normal) != self.systemd.value().map(normal)
    }
}
