//! How chains of others lead packets to fwc's, in tables that they share.
//!
//! In: the tables as found and as meant. Out: the changes where one of the kernel's chains does not lead to the own one
//! that stands for it, and where others lead to own chains that are not meant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::change::{Kind, LedLate, RuleText};
use super::flat::{Known, Side, Source};
use super::list::Raw;
use super::own::{self, Ownership};
use super::table::Driver;
use super::{Comparison, words};
use crate::diagnostic::Span;
use crate::state::ruleset::{Chain, Table, Verdict};

impl Driver<'_, '_> {
    /// Whether the kernel's chain leads to the own one that stands for it.
    pub(super) fn led(&mut self, own: &Arc<str>, built_in: &'static str, comparison: &mut Comparison) {
        // A file of fwc's has none of the kernel's chains; every listing of a machine has.
        let listing = self.sides.found.chains.keys().any(|name| own::BUILT_IN.contains(&&**name));
        let empty = |chain: &Chain| chain.rules.is_empty();
        if !listing || self.sides.meant.chains.get(own).is_none_or(empty) {
            return;
        }
        let span = self.sides.meant.chains.get(own).map_or_else(Span::default, |chain| chain.span);
        let text = |word: &str, span| vec![RuleText { text: format!("{word} {own}"), comment: None, span }];
        let raw = match lead(self.sides.found, own, built_in) {
            Lead::Call(0) => return,
            Lead::Call(before) => {
                let late = LedLate { table: self.sides.name.clone(), chain: built_in.into(), before };
                return comparison.led_late.push(late);
            }
            // The rules of others behind it are passed over.
            Lead::Goto(there) => Raw::new(Kind::PlaceAltered, text("goto", there), text("jump", span), Vec::new()),
            Lead::Not => Raw::new(Kind::NotLed, Vec::new(), text("jump", span), Vec::new()),
        };
        let place = self.place(&built_in.into());
        self.gather.add(raw, place, built_in);
    }

    /// Own chains that are not meant at all, and that chains of others lead packets to.
    pub(super) fn entered(&mut self, ownership: &Ownership) {
        let found = self.sides.found;
        for (name, by) in entered(found, ownership) {
            if self.sides.meant.chains.contains_key(&name) || self.nested.touched(Side::Found).contains(&name) {
                continue;
            }
            let leading = by.iter().map(|name| &**name).collect::<Vec<_>>().join(" and ");
            let text = self.added_chain(&name, &format!("reached from {leading}"));
            for chain in &by {
                let raw = Raw::new(Kind::Chain, text.clone(), Vec::new(), Vec::new());
                let place = self.place(chain);
                self.gather.add(raw, place, &name);
            }
        }
    }

    /// A chain that is there and not meant, and its rules. `how` packets come there.
    pub(super) fn added_chain(&mut self, name: &Arc<str>, how: &str) -> Vec<RuleText> {
        let Some(chain) = self.sides.found.chains.get(name) else { return Vec::new() };
        let count = chain.rules.len();
        let plural = if count == 1 { "" } else { "s" };
        let text = format!("chain {name}: {how}, {count} rule{plural}");
        let mut all = vec![RuleText { text, comment: None, span: chain.span }];
        let source = Source::Chain(Arc::clone(name));
        let (list, _) = self.nested.list(Side::Found, &source, &Known::default(), chain.span);
        all.extend(list.lines.iter().map(|placed| words::rule(&self.nested, placed)));
        all
    }
}

/// How one of the kernel's chains leads to the own one that stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lead {
    /// All packets come there, behind so many rules.
    Call(usize),
    /// All packets come there, and none comes back: this rule is a goto.
    Goto(Span),
    /// It does not, or not for all packets.
    Not,
}

/// How `built_in` leads to `own`.
fn lead(found: &Table, own: &Arc<str>, built_in: &str) -> Lead {
    let rules = found.chains.get(built_in).map(|chain| chain.rules.as_slice()).unwrap_or_default();
    let all = rules.iter().enumerate().filter(|(_, rule)| rule.tests.is_empty() && rule.statements.is_empty());
    for (before, rule) in all {
        match &rule.verdict {
            Verdict::Jump(to) if to == own => return Lead::Call(before),
            Verdict::Goto(to) if to == own => return Lead::Goto(rule.span),
            Verdict::Jump(_)
            | Verdict::Goto(_)
            | Verdict::Continue
            | Verdict::Accept
            | Verdict::Drop
            | Verdict::Return
            | Verdict::Reject(_)
            | Verdict::Map { .. }
            | Verdict::Inline { .. }
            | Verdict::Other(_) => {}
        }
    }
    Lead::Not
}

/// The own chains with rules that chains of others lead to, each with those.
fn entered(found: &Table, ownership: &Ownership) -> BTreeMap<Arc<str>, BTreeSet<Arc<str>>> {
    let mut entered: BTreeMap<Arc<str>, BTreeSet<Arc<str>>> = BTreeMap::new();
    for (name, chain) in found.chains.iter().filter(|(name, _)| !ownership.owns(name)) {
        for rule in &chain.rules {
            let (Verdict::Jump(to) | Verdict::Goto(to)) = &rule.verdict else { continue };
            if ownership.owns(to) && found.chains.get(to).is_some_and(|chain| !chain.rules.is_empty()) {
                entered.entry(Arc::clone(to)).or_default().insert(Arc::clone(name));
            }
        }
    }
    entered
}
