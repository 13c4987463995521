//! The proof of files while others are still made.
//!
//! In: the files of each target, as soon as they are there. Out: what is not proved of them. Promise: every file that holds rules
//! was read back and looked at, as it is to be written, and what is told does not depend on how many processors there are: the
//! shares of a host's ways show no more than that all is right. Where something is not, or was not looked at, the host is
//! looked at once more, program by program.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rayon::Scope;
use rayon::prelude::*;

use crate::policy::{Fleet, HostPolicy, TargetName};
use crate::state::ruleset::{Program, Ruleset};
use crate::target::OutputFile;

use super::share::{Seen, is_proved, nics};
use super::{Doubt, PROGRAMS, Prover, Rules, Share, Texts, Translated, family, prove};

/// NICs that a share has at least: with fewer, programs are looked at side by side.
const FEW: usize = 8;

/// Of each program, in the order of [`PROGRAMS`].
type OfPrograms<T> = [OnceLock<T>; PROGRAMS.len()];

/// Room for the rules of a fleet's hosts, as they are read back.
#[derive(Debug, Default)]
pub struct ReadBack {
    of: Vec<OfPrograms<Ruleset>>,
}

impl ReadBack {
    /// For these hosts.
    #[must_use]
    pub fn new(fleet: &Fleet) -> Self {
        Self { of: fleet.hosts.iter().map(|_| OfPrograms::default()).collect() }
    }
}

/// The proof of a build's files, as far as it has come.
#[derive(Debug)]
pub struct Proving<'f> {
    hosts: BTreeMap<&'f str, Host<'f>>,
    /// Whether nobody asks any more.
    is_in_vain: AtomicBool,
}

impl<'f> Proving<'f> {
    /// Of nothing yet.
    #[must_use]
    pub fn new(fleet: &'f Fleet, room: &'f ReadBack) -> Self {
        // Small shares have small tables, and nobody waits long for the last one.
        let shares = rayon::current_num_threads() * 2;
        Self::in_shares(fleet, room, |nics| shares.min(nics / FEW))
    }

    fn in_shares(fleet: &'f Fleet, room: &'f ReadBack, shares: impl Fn(usize) -> usize) -> Self {
        // The tables of one host are not worth the time that it takes to free them, and those of many add up.
        let frees = fleet.hosts.len() > 1;
        let hosts = fleet.hosts.iter().zip(&room.of);
        let hosts = hosts.map(|(host, read)| (host.name.as_str(), Host::new(host, read, (shares(nics(host)), frees))));
        Self { hosts: hosts.collect(), is_in_vain: AtomicBool::new(false) }
    }

    /// Reads the rules that are among files of a target, those of one host with the ipsets that are among them, and has them
    /// looked at.
    pub fn take<'s>(&'s self, scope: &Scope<'s>, files: &[OutputFile]) {
        let texts: Vec<_> = self.texts(files).collect();
        let programs = texts.iter().flat_map(|(host, texts)| (0..).zip(PROGRAMS).map(move |one| (*host, texts, one)));
        let programs: Vec<_> = programs.collect();
        programs.into_par_iter().with_max_len(1).for_each(|(host, texts, (place, program))| {
            let Some(text) = texts.read(program).filter(|_| !self.is_in_vain()) else { return };
            match host.read.get(place).map(|room| room.set(text)) {
                Some(Ok(())) => scope.spawn(move |scope| host.translate(scope, self, place)),
                // Of two texts for one program, whichever it is, neither is the one that counts.
                Some(Err(_)) | None => host.is_unclear.store(true, Ordering::Relaxed),
            }
        });
    }

    /// The same for nobody: no look begins any more.
    pub fn leave(&self) {
        self.is_in_vain.store(true, Ordering::Relaxed);
    }

    fn is_in_vain(&self) -> bool {
        self.is_in_vain.load(Ordering::Relaxed)
    }

    /// What is not proved of the files that are to be written: those that were taken, and all others. To be asked once no
    /// look is under way.
    #[must_use]
    pub fn doubts(&self, files: &[OutputFile]) -> Vec<Doubt> {
        let hosts: Vec<_> = self.texts(files).collect();
        let of = |(host, texts): (&Host<'f>, Texts<'_>)| {
            if host.is_proved(&texts) { Vec::new() } else { prove(host.host, &Rules::of(&texts)) }
        };
        hosts.into_par_iter().with_max_len(1).map(of).collect::<Vec<_>>().into_iter().flatten().collect()
    }

    /// The files of each host.
    fn texts<'s, 't>(&'s self, files: &'t [OutputFile]) -> impl Iterator<Item = (&'s Host<'f>, Texts<'t>)> {
        let mut of_hosts: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for file in files {
            if let (Some(host), Some(name)) = (&file.host, file.path.rsplit('/').next()) {
                of_hosts.entry(host).or_default().push((name, &file.content));
            }
        }
        of_hosts.into_iter().filter_map(|(host, files)| Some((self.hosts.get(host)?, Texts::of(files))))
    }
}

/// What is not proved of files, with the NICs of a host in so many shares, or as many as there are NICs, and the files of each
/// target by themselves; what is told is the same for any number.
#[must_use]
pub fn prove_files_in(fleet: &Fleet, files: &[OutputFile], shares: usize) -> Vec<Doubt> {
    let room = ReadBack::new(fleet);
    let proving = Proving::in_shares(fleet, &room, |nics| shares.min(nics));
    let of_targets = files.chunk_by(|one, other| one.output.target() == other.output.target());
    rayon::scope(|scope| of_targets.for_each(|files| proving.take(scope, files)));
    proving.doubts(files)
}

/// What is known of a host's rules.
#[derive(Debug)]
struct Host<'f> {
    host: &'f HostPolicy,
    read: &'f OfPrograms<Ruleset>,
    rules: OfPrograms<Translated<'f>>,
    /// Whether something else than one text of each program came.
    is_unclear: AtomicBool,
    lookers: Vec<Looker<'f>>,
}

impl<'f> Host<'f> {
    fn new(host: &'f HostPolicy, read: &'f OfPrograms<Ruleset>, (shares, frees): (usize, bool)) -> Self {
        let whole = |program| Looker::new(host, Share::WHOLE, vec![program], frees);
        let share = |at| Looker::new(host, Share::new(at, shares), programs(host), frees);
        let lookers = if shares > 1 { (0..shares).map(share).collect() } else { PROGRAMS.map(whole).into() };
        Self { host, read, rules: OfPrograms::default(), is_unclear: AtomicBool::new(false), lookers }
    }

    fn translate<'s>(&'s self, scope: &Scope<'s>, all: &'s Proving<'f>, place: usize) {
        let Some(read) = self.read.get(place).and_then(OnceLock::get).filter(|_| !all.is_in_vain()) else { return };
        let Some(rules) = self.rules.get(place).map(|room| room.get_or_init(|| Translated::new(self.host, read)))
        else {
            return;
        };
        for looker in self.lookers.iter().filter(|looker| looker.programs.contains(&rules.program)) {
            scope.spawn(move |_| {
                if !all.is_in_vain() {
                    looker.look(&self.rules, place);
                }
            });
        }
    }

    /// Whether the rules of all programs that there are texts of were looked at, and nothing was found.
    fn is_proved(&self, texts: &Texts<'_>) -> bool {
        let programs: BTreeSet<Program> = texts.of.keys().copied().collect();
        // A host has the programs' files that its targets say; of others nobody looks at the rules.
        let is_known = self.lookers.iter().flat_map(|looker| &looker.programs).collect::<BTreeSet<_>>();
        let seen: Option<Vec<Seen>> = self.lookers.iter().map(|looker| looker.seen(&programs)).collect();
        let is_clear = !self.is_unclear.load(Ordering::Relaxed) && programs.iter().all(|one| is_known.contains(one));
        is_clear && seen.is_some_and(is_proved)
    }
}

/// The programs whose rules a host may get.
fn programs(host: &HostPolicy) -> Vec<Program> {
    let has = |target| host.targets.contains(&target);
    let wanted = |program: &Program| match program {
        Program::Nft => has(TargetName::Nft),
        Program::Iptables | Program::Ip6tables => has(TargetName::Iptables),
        Program::Ebtables => false,
    };
    PROGRAMS.into_iter().filter(wanted).collect()
}

/// Who looks at a share of a host's ways: at one program's rules at a time, so that what a hook means is found once.
#[derive(Debug)]
struct Looker<'f> {
    host: &'f HostPolicy,
    share: Share,
    /// Those whose rules may come.
    programs: Vec<Program>,
    /// Whether tables are freed once all of these are seen.
    frees: bool,
    desk: Mutex<Desk<'f>>,
}

/// What a looker has before it.
#[derive(Debug, Default)]
struct Desk<'f> {
    /// Places of programs whose rules are there.
    waiting: Vec<usize>,
    is_busy: bool,
    prover: Option<Prover<'f>>,
    done: BTreeSet<Program>,
    /// What was seen, where the tables are freed.
    seen: Option<Seen>,
}

impl<'f> Looker<'f> {
    fn new(host: &'f HostPolicy, share: Share, programs: Vec<Program>, frees: bool) -> Self {
        Self { host, share, programs, frees, desk: Mutex::default() }
    }

    fn desk(&self) -> MutexGuard<'_, Desk<'f>> {
        // Where a look did not come to its end its desk stays busy, and the host is not proved by it.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the rules of the program at a place; where a look is under way they wait for its end.
    fn look(&self, rules: &OfPrograms<Translated<'f>>, place: usize) {
        self.desk().waiting.push(place);
        while let Some((rules, prover)) = self.next(rules) {
            let mut prover = prover.unwrap_or_else(|| self.prover());
            prover.rules(rules, self.share);
            self.put_back(prover, rules.program);
        }
    }

    fn next<'t>(&self, rules: &'t OfPrograms<Translated<'f>>) -> Option<(&'t Translated<'f>, Option<Prover<'f>>)> {
        let mut desk = self.desk();
        if desk.is_busy {
            return None;
        }
        let rules = desk.waiting.pop().and_then(|place| rules.get(place)?.get())?;
        desk.is_busy = true;
        Some((rules, desk.prover.take()))
    }

    fn put_back(&self, prover: Prover<'f>, program: Program) {
        let mut desk = self.desk();
        desk.is_busy = false;
        desk.done.insert(program);
        if self.frees && self.programs.iter().all(|program| desk.done.contains(program)) {
            desk.seen = Some(Seen::of(&prover));
            drop(desk);
            drop(prover);
        } else {
            desk.prover = Some(prover);
        }
    }

    fn prover(&self) -> Prover<'f> {
        let family = if let [only] = self.programs.as_slice() { family(*only) } else { None };
        Prover::new(self.host, family, self.programs.len() * self.share.range(nics(self.host)).len())
    }

    /// What was seen of the rules of these programs; none where they were not looked at.
    fn seen(&self, of: &BTreeSet<Program>) -> Option<Seen> {
        let mut desk = self.desk();
        let wanted: BTreeSet<Program> = self.programs.iter().copied().filter(|program| of.contains(program)).collect();
        if wanted != desk.done {
            return None;
        }
        let nothing = Seen { is_right: true, pairs: Vec::new() };
        desk.seen.take().or_else(|| desk.prover.as_ref().map(Seen::of)).or(Some(nothing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::proof::tests::{files, three_alike};
    use crate::target::{Iptables, OutputName};

    /// Whether shares say that all is proved, once `act` has the files taken.
    fn is_proved_after(fleet: &Fleet, files: &[OutputFile], shares: usize, act: impl Fn(&Proving<'_>)) -> bool {
        let room = ReadBack::new(fleet);
        let proving = Proving::in_shares(fleet, &room, |_| shares);
        act(&proving);
        proving.texts(files).all(|(host, texts)| host.is_proved(&texts))
    }

    #[test]
    fn what_nobody_looked_at_is_not_proved() {
        let (fleet, files) = files(&Iptables, "iptables", &three_alike());
        let (part, rest): (Vec<OutputFile>, Vec<OutputFile>) =
            files.iter().cloned().partition(|file| file.output == OutputName::Iptables);
        assert_eq!(part.len(), 1);
        for shares in [1, 2, 3] {
            let is_proved = |act: &dyn Fn(&Proving<'_>)| is_proved_after(&fleet, &files, shares, act);
            assert!(is_proved(&|proving| rayon::scope(|scope| proving.take(scope, &files))));
            // By several, in any order.
            assert!(is_proved(&|proving| rayon::scope(|scope| {
                proving.take(scope, &rest);
                proving.take(scope, &part);
            })));
            // Not at all, not all of it, or what is no more than read.
            assert!(!is_proved(&|_| ()));
            assert!(!is_proved(&|proving| rayon::scope(|scope| proving.take(scope, &rest))));
            assert!(!is_proved(&|proving| rayon::scope(|scope| {
                proving.leave();
                proving.take(scope, &files);
            })));
            // Of two texts, neither.
            assert!(!is_proved(&|proving| rayon::scope(|scope| {
                proving.take(scope, &files);
                proving.take(scope, &part);
            })));
        }
    }

    #[test]
    fn what_shares_did_not_prove_is_proved_as_a_whole() {
        let (fleet, mut files) = files(&Iptables, "iptables", &three_alike());
        for shares in [1, 2, 3] {
            let room = ReadBack::new(&fleet);
            let proving = Proving::in_shares(&fleet, &room, |_| shares);
            assert_eq!(proving.doubts(&files), []);
        }
        let rules = files.iter_mut().find(|file| file.path.ends_with("/iptables.rules")).unwrap();
        rules.content = rules.content.replacen("-j ACCEPT", "-j DROP", 1);
        let whole = prove(&fleet.hosts[0], &Rules::of(&Texts::of([("iptables.rules", &*rules.content)])));
        assert!(!whole.is_empty());
        for shares in [1, 2, 3] {
            assert_eq!(prove_files_in(&fleet, &files, shares), whole);
        }
    }
}
