//! What every rule of a fleet is good for.
//!
//! In: all sites. Out: for each rule, as it is written once, what it does on all machines together that have it, and who
//! does it in its stead. Promised: the rules that do nothing can all go at once, and no packet fares otherwise on any
//! machine. A rule at a hook that was over budget counts as needed.

use std::borrow::Borrow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::analysis::sets::{Diagram, Numbered, OverBudget, label_of};
use crate::diagnostic::Span;
use crate::policy::{Applied, Log, SectionKind, Verdict};

use super::list::{Decision, List, Table, Who};
use super::open_administration::{self, Open};
use super::site::Site;

/// Sites that share a table: neighbours have most of their rules in common.
const SHARING: usize = 64;

/// So often the last of several rules that can stand for each other is kept, and all others may go. After that all stay.
const ROUNDS: usize = 4;

/// What a rule is good for, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// No packet matches.
    Unmatched,
    /// It decides about no packet.
    Dead,
    /// It decides, and without it everything would be decided the same.
    Spare,
    /// It makes a difference.
    Needed,
}

/// A rule's fate on all machines together.
#[derive(Debug)]
pub(super) struct RuleFate<'a> {
    /// The rule at one of its hooks.
    pub applied: Applied<'a>,
    /// Its fate.
    pub fate: Fate,
    /// Of a dead rule, who decides about its packets; of a spare one, who would.
    pub by: BTreeSet<(Who, Decision)>,
    /// Whether it stands at hooks of hosts alone.
    pub hosts_only: bool,
    /// The first hook where it is spare.
    pub site: Option<usize>,
}

/// What was found out.
#[derive(Debug)]
pub(super) struct Fates<'a> {
    /// Every rule at a hook, by its place.
    pub rules: BTreeMap<Span, RuleFate<'a>>,
    /// The hooks that were over budget, by their number.
    pub unjudged: BTreeSet<usize>,
    /// Rules and policies that open administrative ports to everybody, by their place.
    pub open: BTreeMap<Span, Open<'a>>,
}

/// Who decides about some packets, and how.
type Deciders = Vec<(Who, Decision)>;

/// What one site says of its rules.
struct Verdicts<'a> {
    rules: Vec<(Applied<'a>, Fate, Deciders)>,
    open: Vec<Open<'a>>,
}

/// A site, and its rules that are to be explained.
struct Explained<'s, 'a>(&'s Site<'a>, Vec<Span>);

impl<'a> Borrow<Site<'a>> for Explained<'_, 'a> {
    fn borrow(&self) -> &Site<'a> {
        self.0
    }
}

/// Judges every rule at every site.
pub(super) fn judge<'a>(sites: &[Site<'a>]) -> Fates<'a> {
    let judged: Vec<Option<Verdicts<'a>>> = each(sites, |table, site| first_look(table, site));
    let mut fates = Fates { rules: BTreeMap::new(), unjudged: BTreeSet::new(), open: BTreeMap::new() };
    for (number, (site, verdicts)) in sites.iter().zip(judged).enumerate() {
        match verdicts {
            Some(verdicts) => fates.add(number, site, verdicts),
            None => {
                fates.unjudged.insert(number);
                for applied in site.applied() {
                    fates.rule(applied, site, Fate::Needed);
                }
            }
        }
    }
    let mut concerned = fates.spare();
    for round in 1.. {
        concerned = fates.withdraw(sites, &concerned, round <= ROUNDS);
        if concerned.is_empty() {
            break;
        }
    }
    fates.explain(sites);
    fates
}

/// Calls back for each site with a table; none where it is over budget.
fn each<'s, 'a: 's, S: Borrow<Site<'a>> + Sync, T: Send>(
    sites: &'s [S],
    look: impl Fn(&mut Table, &'s S) -> Result<T, OverBudget> + Sync,
) -> Vec<Option<T>> {
    let of_some = |sites: &'s [S]| -> Vec<Option<T>> {
        let mut table = Table::new();
        let one = |site: &'s S| {
            table.begin(site.borrow());
            look(&mut table, site).ok()
        };
        sites.iter().map(one).collect()
    };
    sites.par_chunks(SHARING).flat_map_iter(of_some).collect()
}

fn first_look<'a>(table: &mut Table, site: &Site<'a>) -> Result<Verdicts<'a>, OverBudget> {
    let list = table.list(site)?;
    let whole = table.whole(&list, |_| true)?;
    let mut fates: BTreeMap<Who, Fate> = BTreeMap::new();
    for label in table.sets.labels(whole) {
        let Some((who, numbered)) = table.decider(label) else { continue };
        let fate = fates.entry(who).or_insert(Fate::Spare);
        if numbered.behind.unwrap_or((Verdict::Drop, Log::None)) != numbered.decision {
            *fate = Fate::Needed;
        }
    }
    let mut rules = Vec::new();
    for element in &list.elements {
        let Some(applied) = element.rule else { continue };
        if let Some(fate) = fates.get(&element.who) {
            rules.push((applied, *fate, Vec::new()));
            continue;
        }
        let matched = table.decided(element.diagram, |_| true)?;
        let (fate, by) = match matched.is_empty() {
            true => (Fate::Unmatched, Vec::new()),
            false => (Fate::Dead, table.deciders(matched, whole)?),
        };
        rules.push((applied, fate, by));
    }
    let open = open_administration::look(table, site, &list, whole)?;
    Ok(Verdicts { rules, open })
}

/// What becomes of packets, whoever decides it.
fn decisions(table: &mut Table, diagram: Diagram) -> Result<Diagram, OverBudget> {
    let drop = label_of(Verdict::Drop, Log::None);
    table.sets.relabel(diagram, |label| {
        Numbered::of(label).map_or(drop, |numbered| label_of(numbered.decision.0, numbered.decision.1))
    })
}

impl<'a> Fates<'a> {
    fn add(&mut self, number: usize, site: &Site<'a>, verdicts: Verdicts<'a>) {
        for (applied, fate, by) in verdicts.rules {
            let is_guard = applied.inherited.section.kind == SectionKind::Guardrails;
            // A guardrail is there for rules to come.
            let fate = if is_guard && fate == Fate::Spare { Fate::Needed } else { fate };
            let known = self.rule(applied, site, fate);
            known.by.extend(by);
            if fate == Fate::Spare {
                known.site.get_or_insert(number);
            }
        }
        for open in verdicts.open {
            match self.open.entry(open.span()) {
                Entry::Vacant(place) => {
                    place.insert(open);
                }
                Entry::Occupied(mut known) => known.get_mut().join(&open),
            }
        }
    }

    fn rule(&mut self, applied: Applied<'a>, site: &Site<'a>, fate: Fate) -> &mut RuleFate<'a> {
        let new = || RuleFate { applied, fate, by: BTreeSet::new(), hosts_only: true, site: None };
        let known = self.rules.entry(applied.rule.origin.span).or_insert_with(new);
        known.fate = known.fate.max(fate);
        known.hosts_only &= site.is_host();
        known
    }

    fn fate(&self, who: Who) -> Option<Fate> {
        match who {
            Who::Rule(span) => self.rules.get(&span).map(|rule| rule.fate),
            Who::Stage(_) => None,
        }
    }

    /// Whether somebody stays where all go that do nothing.
    fn stays(&self, who: Who) -> bool {
        self.fate(who).is_none_or(|fate| fate == Fate::Needed)
    }

    /// The rules that are spare.
    fn spare(&self) -> BTreeSet<Span> {
        let spare = self.rules.iter().filter(|(_, rule)| rule.fate == Fate::Spare);
        spare.map(|(span, _)| *span).collect()
    }

    /// Without any one of two rules nothing may change, and much without both. Finds out where that is so among the hooks of
    /// some rules, and keeps those that decide, or the last of them at each hook; gives those.
    fn withdraw(&mut self, sites: &[Site<'a>], rules: &BTreeSet<Span>, only_last: bool) -> BTreeSet<Span> {
        let has_one = |applied: Applied<'_>| rules.contains(&applied.rule.origin.span);
        let concerned: Vec<&Site<'a>> = sites.iter().filter(|site| site.applied().any(has_one)).collect();
        let found = each(&concerned, |table, site| {
            let list = table.list(site)?;
            let missed = self.missed(table, &list)?;
            let last = list.elements.iter().rev().find_map(|element| missed.get(&element.who).copied());
            Ok(if only_last { last.into_iter().collect() } else { missed.into_values().collect::<Vec<Span>>() })
        });
        let mut withdrawn: BTreeSet<Span> = BTreeSet::new();
        for (site, missed) in concerned.iter().zip(found) {
            match missed {
                Some(missed) => withdrawn.extend(missed),
                None => withdrawn.extend(site.applied().map(|applied| applied.rule.origin.span)),
            }
        }
        withdrawn.retain(|span| {
            let rule = self.rules.get_mut(span).filter(|rule| rule.fate == Fate::Spare);
            rule.map(|rule| rule.fate = Fate::Needed).is_some()
        });
        withdrawn
    }

    /// The spare rules whose packets fare otherwise where all go that do nothing.
    fn missed(&self, table: &mut Table, list: &List<'_>) -> Result<BTreeMap<Who, Span>, OverBudget> {
        let whole = table.whole(list, |_| true)?;
        let left = table.whole(list, |who| self.stays(who))?;
        let (before, after) = (decisions(table, whole)?, decisions(table, left)?);
        let otherwise = table.sets.differing(before, after)?;
        let deciders = table.deciders(otherwise, whole)?;
        let spare = deciders.into_iter().filter(|(who, _)| self.fate(*who) == Some(Fate::Spare));
        let rules = spare.filter_map(|(who, _)| match who {
            Who::Rule(span) => Some((who, span)),
            Who::Stage(_) => None,
        });
        Ok(rules.collect())
    }

    /// Who decides in the stead of spare rules.
    fn explain(&mut self, sites: &[Site<'a>]) {
        let mut spare: BTreeMap<usize, Vec<Span>> = BTreeMap::new();
        for (span, rule) in self.rules.iter().filter(|(_, rule)| rule.fate == Fate::Spare) {
            spare.entry(rule.site.unwrap_or(usize::MAX)).or_default().push(*span);
        }
        let wanted: Vec<Explained<'_, 'a>> =
            spare.into_iter().filter_map(|(number, spans)| Some(Explained(sites.get(number)?, spans))).collect();
        let explained = each(&wanted, |table, Explained(site, spans)| self.instead(table, site, spans));
        for (span, by) in explained.into_iter().flatten().flatten() {
            if let Some(rule) = self.rules.get_mut(&span) {
                rule.by = by.into_iter().collect();
            }
        }
    }

    fn instead(&self, table: &mut Table, site: &Site<'_>, spans: &[Span]) -> Result<Vec<(Span, Deciders)>, OverBudget> {
        let list = table.list(site)?;
        let whole = table.whole(&list, |_| true)?;
        let left = table.whole(&list, |who| self.stays(who))?;
        let mut found: BTreeMap<Span, Deciders> = spans.iter().map(|span| (*span, Vec::new())).collect();
        // A group that is called twice has a rule at two places.
        for element in &list.elements {
            let Who::Rule(span) = element.who else { continue };
            if let Some(by) = found.get_mut(&span) {
                let decided = table.own(element.diagram, element.who, whole)?;
                by.extend(table.deciders(decided, left)?);
            }
        }
        Ok(found.into_iter().collect())
    }
}
