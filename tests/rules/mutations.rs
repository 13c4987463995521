//! Every wrong rule is found: something in one file is changed, and the proof must doubt it, or no packet can tell.
//!
//! Neither the one nor the other is left to the proof to say. Of a change that it does not doubt, packets aimed at what
//! differs are sent through both files, rule by rule. Of one that it doubts, so is the packet that it shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;

use fwc::diagnostic::Span;
use fwc::policy::HostPolicy;
use fwc::state::ruleset::{Program, Ruleset};
use fwc::target::{self, Doubt, OutputFile, Rules, Why};

use crate::aim::Aim;
use crate::mutator::{KINDS, Kind, Mutation, is_judged, mutate};
use crate::plain::{Exit, Plain, Seen};
use crate::random::Random;
use crate::ways::{Line, asked_ports, lines, spoken};
use crate::{compiled, on_all, own_files, specs};

/// Specs that are mutated, and how often each kind of change is tried in each.
const SPECS: u64 = 42;
const EACH: usize = 2;
/// Packets that are sent through both rulesets where no doubt was told, and where one was: these have to be told apart.
const PACKETS: usize = 2000;
const PROBES: usize = 1000;

/// What came of the changes of a kind.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    /// A packet shows that they are wrong.
    shown: usize,
    /// They are not understood, or are of a shape that the proof does not follow.
    refused: usize,
    /// No packet tells.
    without_effect: usize,
    /// Of those shown: how many the packets sent at random would have shown as well.
    probed: usize,
}

/// All that came of it.
#[derive(Debug, Default)]
struct Tally {
    counts: BTreeMap<Kind, Count>,
    unreached: usize,
    wrong: String,
}

#[test]
fn wrong_rules_are_found() {
    let tally = Mutex::new(Tally::default());
    on_all(0..SPECS, |seed| spec(seed, &tally));
    let Tally { counts, unreached, wrong } = tally.into_inner().unwrap();
    let sum = |of: fn(&Count) -> usize| counts.values().map(of).sum::<usize>();
    let (shown, refused, quiet) = (sum(|one| one.shown), sum(|one| one.refused), sum(|one| one.without_effect));
    let probed = sum(|one| one.probed);
    let mut table = String::new();
    for (kind, count) in &counts {
        writeln!(table, "{kind:?}: {count:?}").unwrap();
    }
    let total = shown + refused + quiet;
    println!(
        "{table}{total} changes: {shown} shown to be wrong by a packet ({probed} of them by random ones too), {refused} \
         refused, {quiet} without effect ({unreached} of them where no packet comes)"
    );
    assert!(wrong.is_empty(), "{wrong}");
    assert!(total >= 1000 && shown >= 200, "{total}, {shown}");
    assert!(KINDS.iter().all(|kind| counts.get(kind).is_some_and(|one| one.shown + one.refused >= 3)), "{table}");
    // Whether no packet tells is only known as well as this.
    assert!(probed * 10 > shown * 8, "{probed} of {shown}");
}

/// Changes the files of one spec.
fn spec(seed: u64, tally: &Mutex<Tally>) {
    let (fleet, files) = compiled(&specs::random_spec(seed));
    let host = &fleet.hosts[0];
    let own = own_files(host, &files);
    let before = rules(&own, None);
    let doubts = target::prove(host, &before);
    assert!(doubts.is_empty(), "seed {seed}: {doubts:?}");
    let judged: Vec<&OutputFile> = own.iter().copied().filter(|file| is_judged(&file.path)).collect();
    let mut ways = Ways { host, known: Vec::new() };
    for (number, kind) in KINDS.into_iter().flat_map(|kind| [kind; EACH]).enumerate() {
        let mut random = Random::new(seed * 1000 + number as u64);
        let Some(mutation) = mutate(&judged, kind, &mut random) else { continue };
        let mut after = rules(&own, Some(&mutation));
        after.of.retain(|program, rules| before.of.get(program) != Some(rules));
        // What no kernel takes harms nobody.
        if after.of.values().any(|rules| !Plain::new(rules).loads()) {
            continue;
        }
        let told = target::prove(host, &after);
        for shares in [1, 2, 5] {
            let in_shares = target::prove_files_in(&fleet, &changed(&files, &mutation), shares);
            assert_eq!(in_shares, told, "seed {seed} {kind:?} {} {}, {shares}", mutation.path, mutation.what);
        }
        let found = one(host, (&before, &after), &mut ways, &mut random);
        let mut tally = tally.lock().unwrap();
        let count = tally.counts.entry(kind).or_default();
        match found {
            Found::Shown { probed } => {
                count.shown += 1;
                count.probed += usize::from(probed);
            }
            Found::Refused => count.refused += 1,
            Found::WithoutEffect { reached } => {
                count.without_effect += 1;
                tally.unreached += usize::from(!reached);
            }
            Found::Wrong(why) => {
                count.shown += 1;
                writeln!(tally.wrong, "seed {seed} {kind:?} {} {}\n  {why}", mutation.path, mutation.what).unwrap();
            }
        }
    }
}

/// All files, one of them changed.
fn changed(files: &[OutputFile], mutation: &Mutation) -> Vec<OutputFile> {
    let mut files = files.to_vec();
    for file in files.iter_mut().filter(|file| file.path == mutation.path) {
        file.content.clone_from(&mutation.text);
    }
    files
}

/// The ways through a host, by the ports that rules ask for.
struct Ways<'a> {
    host: &'a HostPolicy,
    known: Vec<(Program, BTreeSet<String>, Vec<Line<'a>>)>,
}

impl<'a> Ways<'a> {
    /// Those that either ruleset tells apart.
    fn of(&mut self, sides: [&Ruleset; 2]) -> &[Line<'a>] {
        let program = sides[0].program;
        let asked: BTreeSet<String> = sides.into_iter().flat_map(|rules| asked_ports(&Plain::new(rules))).collect();
        let is_known = |known: &(Program, BTreeSet<String>, _)| known.0 == program && known.1 == asked;
        let at = self.known.iter().position(is_known).unwrap_or_else(|| {
            let made = lines(self.host, program, &asked);
            self.known.push((program, asked, made));
            self.known.len() - 1
        });
        &self.known[at].2
    }
}

/// The rules in a host's files, one of them changed.
fn rules(files: &[&OutputFile], mutation: Option<&Mutation>) -> Rules {
    let text = |file: &&OutputFile| match mutation {
        Some(mutation) if mutation.path == file.path => mutation.text.clone(),
        Some(_) | None => file.content.clone(),
    };
    let texts: Vec<(&str, String)> =
        files.iter().map(|file| (file.path.rsplit('/').next().unwrap(), text(file))).collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    Rules::read(texts)
}

/// What came of one change.
enum Found {
    Shown { probed: bool },
    Refused,
    WithoutEffect { reached: bool },
    Wrong(String),
}

fn one(host: &HostPolicy, (before, after): (&Rules, &Rules), ways: &mut Ways<'_>, random: &mut Random) -> Found {
    let doubts = target::prove(host, after);
    let (mut reached, mut told) = (false, None);
    let packets = if doubts.is_empty() { PACKETS } else { PROBES };
    for (program, rules) in &after.of {
        let sides = [&before.of[program], rules];
        let (here, difference) = told_apart(sides, ways.of(sides), packets, random);
        reached |= here;
        told = told.or(difference);
    }
    if doubts.is_empty() {
        return match told {
            Some(difference) => Found::Wrong(format!("not doubted, but {difference}")),
            None => Found::WithoutEffect { reached },
        };
    }
    let mut shown = false;
    for doubt in &doubts {
        let Why::Differs { packet, meant, found, .. } = &doubt.why else { continue };
        shown = true;
        let program = program_of(doubt);
        let sides = [&before.of[&program], &after.of[&program]];
        let seen = Seen::new((**packet).clone());
        if !is_true(host, doubt, sides, ways.of(sides), &seen) {
            let words = format!("{:?}: meant {meant}, found {found}: {packet:?}", doubt.way);
            return Found::Wrong(format!("doubted, and no way shows it: {words}"));
        }
    }
    if shown { Found::Shown { probed: told.is_some() } } else { Found::Refused }
}

fn program_of(doubt: &Doubt) -> Program {
    match doubt.program {
        "iptables" => Program::Iptables,
        "ip6tables" => Program::Ip6tables,
        _ => Program::Nft,
    }
}

/// Whether packets came to what differs, and one that two rulesets treat differently.
fn told_apart(
    [before, after]: [&Ruleset; 2],
    ways: &[Line<'_>],
    packets: usize,
    random: &mut Random,
) -> (bool, Option<String>) {
    let (mut old, mut new) = (Plain::new(before), Plain::new(after));
    let aim = Aim::new([&mut old, &mut new], random);
    let [old, new] = aim.sides;
    let mut good: Vec<&Line<'_>> = Vec::new();
    for _ in 0..packets {
        let packet = Seen::new(aim.packet(random));
        let way = if good.is_empty() || random.once_in(4) { random.pick(ways) } else { *random.pick(&good) };
        if !way.takes(old.program, &packet.packet) {
            continue;
        }
        old.reached.set(false);
        new.reached.set(false);
        let (one, two) = (old.fate(&packet, &way.route), new.fate(&packet, &way.route));
        if old.reached.get() || new.reached.get() {
            good.push(way);
        }
        if one != two {
            return (true, Some(format!("{one:?} becomes {two:?} on {way:?}\n    for {:?}", packet.packet)));
        }
    }
    (!good.is_empty(), None)
}

/// Whether a doubt's packet fares otherwise than the policy says, on a way of which the doubt is told.
fn is_true(host: &HostPolicy, doubt: &Doubt, [before, after]: [&Ruleset; 2], ways: &[Line<'_>], packet: &Seen) -> bool {
    let (old, new) = (Plain::new(before), Plain::new(after));
    let takes = |way: &&Line<'_>| way.takes(new.program, &packet.packet);
    let spoken_of = ways.iter().filter(|way| way.words.as_ref() == Some(&doubt.way)).filter(takes);
    let differs = |way: &Line<'_>| {
        let (exit, logs) = way.meant(host, new.program, &packet.packet);
        let fate = new.fate(packet, &way.route);
        (&exit, &logs) != (&spoken(&fate.exit), &fate.logs) && goes_by(doubt, &new, &exit, &fate.exit)
    };
    // Limits and helpers are told of no way of their own.
    let side = ["the connection table", "the connection table of a bridge", "another port of a bridge"];
    let is_side = ["anywhere", "the host"].contains(&doubt.way.from.as_str()) && side.contains(&doubt.way.to.as_str());
    let changes = |way: &Line<'_>| old.fate(packet, &way.route) != new.fate(packet, &way.route);
    spoken_of.into_iter().any(differs) || is_side && ways.iter().filter(takes).any(changes)
}

/// Whether the rules that a doubt names are those that its packet, which just went through all of them, has met.
fn goes_by(doubt: &Doubt, rules: &Plain<'_>, meant: &Exit, found: &Exit) -> bool {
    let Why::Differs { by, .. } = &doubt.why else { return false };
    let named: Vec<Span> = by.iter().map(|met| met.span).collect();
    let met = rules.met.borrow();
    let stops = !matches!(found, Exit::Accept);
    let decides = match (*meant == spoken(found), stops, rules.by_end.get()) {
        // Of log lines not every rule is named.
        (true, _, _) => true,
        (false, false, _) => named.is_empty() != met.iter().any(|(_, lets)| *lets),
        (false, true, true) => named.is_empty(),
        (false, true, false) => named.last() == met.last().map(|(span, _)| span),
    };
    decides && named.iter().all(|span| met.iter().any(|(known, _)| known == span))
}
