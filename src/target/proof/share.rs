//! The proof of files that were just made, in shares that run side by side.
//!
//! A host's ways are shared out by its NICs: each share looks at some of them for all programs, and what a hook means is found
//! once for these. That is enough to see that all is right. Where something is not, the host is looked at once more,
//! program by program, so that what is told does not depend on how many processors there are.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use crate::policy::{Fleet, HostPolicy};
use crate::state::ruleset::{Program, Ruleset};
use crate::target::OutputFile;

use super::{Doubt, PROGRAMS, Prover, Texts, Translated, family, prove_program};

/// Some of a host's ways: those of every NIC of a range. The first share has those that are of no NIC, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::target) struct Share {
    at: usize,
    of: usize,
}

impl Share {
    /// All of them.
    pub(super) const WHOLE: Self = Self { at: 0, of: 1 };

    /// The one at a place of so many.
    pub(in crate::target) const fn new(at: usize, of: usize) -> Self {
        Self { at, of }
    }

    /// Whether it is all of them.
    pub(in crate::target) const fn is_whole(self) -> bool {
        self.of == 1
    }

    /// Whether it has the ways that are of no NIC.
    pub(in crate::target) const fn is_first(self) -> bool {
        self.at == 0
    }

    /// Of so many NICs, which.
    pub(in crate::target) const fn range(self, nics: usize) -> Range<usize> {
        nics * self.at / self.of..nics * (self.at + 1) / self.of
    }
}

/// What every pair of ports of a program depends on.
#[derive(Debug, Clone, Default)]
pub(in crate::target) struct Pairs {
    /// Whether some hook accepts known connections for good.
    pub(in crate::target) for_good: bool,
    /// A hook that does not let them pass.
    pub(in crate::target) stops_known: Option<String>,
}

/// NICs that a share has at least: with fewer, programs are looked at side by side.
const FEW: usize = 8;

/// The rules of hosts, read back from files that were just made.
#[derive(Debug, Default)]
pub struct ReadBack {
    of: Vec<(String, Ruleset)>,
}

/// Reads the rules that are among some files; those of one host with the ipsets that are among them.
#[must_use]
pub fn read_back(files: &[OutputFile]) -> ReadBack {
    let mut of_hosts: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for file in files {
        if let (Some(host), Some(name)) = (&file.host, file.path.rsplit('/').next()) {
            of_hosts.entry(host).or_default().push((name, &file.content));
        }
    }
    let texts: Vec<_> = of_hosts.into_iter().map(|(host, files)| (host, Texts::of(files))).collect();
    let of_programs = texts.iter().flat_map(|(host, texts)| PROGRAMS.map(|program| (*host, texts, program))).collect();
    let read = |(host, texts, program): (&str, &Texts<'_>, _)| Some((host.to_owned(), texts.read(program)?));
    ReadBack { of: side_by_side(of_programs, read).into_iter().flatten().collect() }
}

/// What is not proved of the rules of hosts.
#[must_use]
pub fn prove_read(fleet: &Fleet, read: Vec<ReadBack>) -> Vec<Doubt> {
    // Small shares have small tables, and nobody waits long for the last one.
    let shares = rayon::current_num_threads() * 2;
    proved(fleet, read, &|nics| shares.min(nics / FEW))
}

/// The same of files that were just made, with the NICs of a host in so many shares, or as many as there are NICs; what is
/// told is the same for any number.
#[must_use]
pub fn prove_files_in(fleet: &Fleet, files: &[OutputFile], shares: usize) -> Vec<Doubt> {
    proved(fleet, vec![read_back(files)], &|nics| shares.min(nics))
}

fn proved(fleet: &Fleet, read: Vec<ReadBack>, shares: &dyn Fn(usize) -> usize) -> Vec<Doubt> {
    let mut by_host: BTreeMap<(String, Program), Ruleset> =
        read.into_iter().flat_map(|read| read.of).map(|(host, rules)| ((host, rules.program), rules)).collect();
    let of_host = |host: &'_ HostPolicy| PROGRAMS.map(|program| by_host.remove(&(host.name.clone(), program)));
    let of_hosts: Vec<_> = fleet.hosts.iter().map(of_host).collect();
    let rules =
        fleet.hosts.iter().zip(of_hosts).flat_map(|(host, of)| of.into_iter().flatten().map(move |one| (host, one)));
    let rules: Vec<(&HostPolicy, Ruleset)> = rules.collect();
    let doubts = {
        let translate = |(host, rules)| Rules { host, rules: Translated::new(rules) };
        let rules = side_by_side(rules.iter().map(|(host, rules)| (*host, rules)).collect(), translate);
        let doubts = doubts_of(&rules, shares);
        side_by_side(rules, drop);
        doubts
    };
    // Large tables take a while to free; nobody has to wait for that.
    let spent: Vec<Ruleset> = rules.into_iter().map(|(_, rules)| rules).collect();
    rayon::spawn(move || drop(spent));
    doubts
}

fn doubts_of(rules: &[Rules<'_>], shares: &dyn Fn(usize) -> usize) -> Vec<Doubt> {
    let hosts: Vec<&[Rules<'_>]> = rules.chunk_by(|one, other| std::ptr::eq(one.host, other.host)).collect();
    let mut jobs = Vec::new();
    for (place, rules) in hosts.iter().enumerate() {
        let shares = rules.first().map_or(0, |rules| shares(nics(rules.host)));
        jobs.extend(Job::of(rules, shares).map(|job| (place, job)));
    }
    let seen = side_by_side(jobs, |(place, job)| (place, job.look()));
    let prove = |(rules, place): (&[Rules<'_>], usize)| {
        let seen = seen.iter().filter(|(of, _)| *of == place).map(|(_, seen)| seen);
        if is_proved(seen) { Vec::new() } else { prove_all(rules) }
    };
    side_by_side(hosts.into_iter().zip(0..).collect(), prove).into_iter().flatten().collect()
}

/// One by one, on as many processors as there are.
fn side_by_side<T: Send, R: Send>(jobs: Vec<T>, job: impl Fn(T) -> R + Sync + Send) -> Vec<R> {
    jobs.into_par_iter().with_max_len(1).map(job).collect()
}

/// A host's rules of one program.
struct Rules<'t> {
    host: &'t HostPolicy,
    rules: Translated<'t>,
}

/// What one processor looks at.
enum Job<'t> {
    /// A share of the NICs, for all programs.
    Share(&'t [Rules<'t>], Share),
    /// All ways of one program.
    Program(&'t Rules<'t>),
}

/// What was seen of a share, or of a program.
struct Seen {
    is_right: bool,
    pairs: Vec<(Program, Pairs)>,
}

impl<'t> Job<'t> {
    /// The jobs of a host, with its NICs in so many shares.
    fn of(rules: &'t [Rules<'t>], of: usize) -> impl Iterator<Item = Self> {
        let shares = (0..of).filter(move |_| of > 1).map(move |at| Self::Share(rules, Share::new(at, of)));
        shares.chain(rules.iter().filter(move |_| of <= 1).map(Self::Program))
    }

    fn look(self) -> Seen {
        let (rules, share) = match self {
            Self::Share(rules, share) => (rules, share),
            Self::Program(rules) => (std::slice::from_ref(rules), Share::WHOLE),
        };
        let Some(host) = rules.first().map(|rules| rules.host) else {
            return Seen { is_right: true, pairs: Vec::new() };
        };
        let family = if let [only] = rules { family(only.rules.program) } else { None };
        let mut prover = Prover::new(host, family, rules.len() * share.range(nics(host)).len());
        for rules in rules {
            prover.rules(&rules.rules, share);
        }
        let Prover { doubts, pairs, ground, .. } = prover;
        // Large tables take a while to free; nobody has to wait for that.
        rayon::spawn(move || drop(ground));
        Seen { is_right: doubts.is_empty(), pairs }
    }
}

/// Whether nothing was found in any share, nor in two of them together.
fn is_proved<'s>(seen: impl Iterator<Item = &'s Seen>) -> bool {
    let mut pairs: BTreeMap<Program, (bool, bool)> = BTreeMap::new();
    for Seen { is_right, pairs: more } in seen {
        if !is_right {
            return false;
        }
        for (program, more) in more {
            let (for_good, stops_known) = pairs.entry(*program).or_default();
            *for_good |= more.for_good;
            *stops_known |= more.stops_known.is_some();
        }
    }
    !pairs.values().any(|(for_good, stops_known)| *for_good && *stops_known)
}

/// What is not proved of a host, of all that is told.
fn prove_all(rules: &[Rules<'_>]) -> Vec<Doubt> {
    let doubts = side_by_side(rules.iter().collect(), |rules| prove_program(rules.host, &rules.rules));
    doubts.into_iter().rev().flatten().collect()
}

/// How many NICs a host has.
pub(super) fn nics(host: &HostPolicy) -> usize {
    host.guests.iter().map(|guest| guest.nics.len()).sum()
}
