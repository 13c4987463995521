//! Clauses as rules.
//!
//! In: a clause and the [`Site`] where its rules will stand. Out: rules, and shared chains where a set
//! of addresses is large. Promise: a packet that fits gets the clause's verdict, and one that does not
//! goes on to the next rule.
//!
//! # How a hook's accept is told
//! Where no hook follows, it is ACCEPT. Where one follows ([`Accept::Pass`]), it means "next stage": a
//! chain that was entered by goto from its hook's entry just returns; a chain that was called says so by
//! a bit of the packet's mark (the chain `accepted`), and its caller returns on that bit.

use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::net::Family;
use crate::policy::{Clause, Direction, HostPolicy, Log, LogRateLimit, Platform, Verdict};

use super::ipset::Sets;
use super::ruleset::{Chains, Jump, Name, Rule, Test, digest};
use super::shape::{self, Addresses, Shape};

/// What accepting means in a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Accept {
    /// The packet leaves the table.
    Final,
    /// A program in user space has the last word.
    Queue(Option<(u16, u16)>),
    /// The next hook judges it.
    Pass,
}

/// The place where rules will stand.
#[derive(Debug, Clone)]
pub(super) struct Site {
    /// What accepting means.
    pub(super) accept: Accept,
    /// Whether the chain is called and so must tell its caller; otherwise returning ends the hook.
    pub(super) called: bool,
    /// Which way the hook looks.
    pub(super) direction: Direction,
    /// The guest's number in log lines; 0 for none, or for rules that guests share.
    pub(super) number: u32,
    /// The chain's name in log lines.
    pub(super) chain: Name,
    /// Where a packet goes on that leaves its stage undecided.
    pub(super) after: Option<Name>,
}

impl Site {
    /// The same hook, in a chain that is called and shared by all.
    pub(super) fn in_called(&self, chain: &str) -> Self {
        Self { called: true, number: 0, chain: chain.into(), after: None, ..self.clone() }
    }
}

/// Where a clause comes from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// For the comment: the rule's identity.
    pub(super) comment: Option<Name>,
    /// For errors.
    pub(super) span: Span,
    /// Whether it is the hook's policy.
    pub(super) policy: bool,
}

/// Rules of one family's filter table in the making.
pub(super) struct Lowering<'a> {
    /// The host.
    pub(super) host: &'a HostPolicy,
    /// How many log lines there may be.
    pub(super) limit: LogRateLimit,
    /// The family.
    pub(super) family: Family,
    /// The chains so far.
    pub(super) chains: Chains,
    /// The ipsets so far, if the host wants them.
    pub(super) sets: Option<Sets>,
    /// Chains of sections and groups that were made already.
    pub(super) made: HashMap<super::list::Key, Option<Name>>,
    /// Runs of built-in stages that were made already.
    pub(super) runs: Vec<super::list::Run>,
    /// Whether an established connection may leave at its first hook: every later hook would let it pass.
    pub(super) established_leaves: bool,
    /// What of the chain in the making is not the same for every guest.
    pub(super) own: super::list::Own,
    /// What there is to say.
    pub(super) diagnostics: Diagnostics,
}

/// Alternatives up to this number become rules side by side; more become a chain.
const SIDE_BY_SIDE: usize = 3;

impl Lowering<'_> {
    /// Adds the rules of a clause to `body`.
    pub(super) fn clause(&mut self, body: &mut Vec<Rule>, clause: &Clause, site: &Site, source: &Source) {
        match shape::shape(clause, self.family, site.direction, source.span) {
            Ok(None) => {}
            Ok(Some(shape)) => self.shape(body, shape, clause, site, source),
            Err(error) => self.diagnostics.push(error),
        }
    }

    fn shape(&mut self, body: &mut Vec<Rule>, mut shape: Shape, clause: &Clause, site: &Site, source: &Source) {
        self.use_sets(&mut shape);
        let mut alternatives = vec![std::mem::take(&mut shape.tests)];
        for choices in &shape.ports {
            alternatives = product(alternatives, choices);
        }
        let mut large = shape.addresses;
        large.retain(|addresses| {
            let [part] = addresses.parts.as_slice() else { return true };
            let test = part.test(addresses.side, addresses.negated);
            alternatives.iter_mut().for_each(|tests| tests.push(test.clone()));
            false
        });
        // Packets that skip a stage go on by goto, which a called chain could not do for its caller.
        let count: usize = large.iter().map(|addresses| addresses.parts.len()).product();
        let few = count <= SIDE_BY_SIDE || clause.verdict == Verdict::Skip;
        if few && large.iter().all(|addresses| !addresses.negated) {
            for addresses in large.drain(..) {
                alternatives = product(alternatives, &tests(&addresses));
            }
        }
        if large.is_empty() {
            self.direct(body, alternatives, clause, site, source);
        } else {
            self.indirect(body, alternatives, &large, clause, site, source);
        }
    }

    /// Rules side by side, each with the verdict.
    fn direct(
        &mut self,
        body: &mut Vec<Rule>,
        alternatives: Vec<Vec<Test>>,
        clause: &Clause,
        site: &Site,
        source: &Source,
    ) {
        let verdict = self.verdict(clause.verdict, site);
        let log = self.log(clause, site, source.policy);
        let jump = match (log, alternatives.len()) {
            (None, _) => verdict,
            (Some(log), 1) => {
                let mut tests = alternatives.first().cloned().unwrap_or_default();
                tests.extend(log.tests);
                body.push(Rule::new(tests, log.jump));
                verdict
            }
            (Some(log), _) => self.log_chain(log, verdict),
        };
        body.extend(alternatives.into_iter().map(|tests| Rule::commented(tests, source.comment.clone(), jump.clone())));
    }

    /// Rules that call a chain which looks at the addresses.
    fn indirect(
        &mut self,
        body: &mut Vec<Rule>,
        alternatives: Vec<Vec<Test>>,
        large: &[Addresses],
        clause: &Clause,
        site: &Site,
        source: &Source,
    ) {
        let called = Site { called: true, ..site.clone() };
        let mut jump = self.verdict(clause.verdict, &called);
        if let Some(log) = self.log(clause, site, source.policy) {
            jump = self.log_chain(log, jump);
        }
        for addresses in large.iter().rev() {
            jump = Jump::Goto(self.address_chain(addresses, jump));
        }
        let Jump::Goto(name) = jump else { return };
        for tests in alternatives {
            body.push(Rule::commented(tests, source.comment.clone(), Jump::Call(name.clone())));
        }
        if clause.verdict == Verdict::Accept {
            self.after_call(body, site, &name);
        }
    }

    /// A chain that logs and then does `jump`.
    fn log_chain(&mut self, log: Rule, jump: Jump) -> Jump {
        let hint = match &log.jump {
            Jump::Nflog(prefix) | Jump::Log { prefix, .. } => format!("log-{}", digest(prefix)),
            Jump::Accept
            | Jump::Drop
            | Jump::Return
            | Jump::Call(_)
            | Jump::Goto(_)
            | Jump::Reject(_)
            | Jump::SetMark
            | Jump::ClearMark
            | Jump::Queue(_)
            | Jump::Helper(_) => "log".to_owned(),
        };
        Jump::Goto(self.chains.share(&hint, vec![log, Rule::new(Vec::new(), jump)]))
    }

    /// A chain that does `jump` for packets with such addresses.
    fn address_chain(&mut self, addresses: &Addresses, jump: Jump) -> Name {
        let each = if addresses.negated { Jump::Return } else { jump.clone() };
        let plain = Addresses { negated: false, ..addresses.clone() };
        let mut rules: Vec<Rule> = tests(&plain).into_iter().map(|test| Rule::new(vec![test], each.clone())).collect();
        if addresses.negated {
            rules.push(Rule::new(Vec::new(), jump));
        }
        let hint = format!("set-{}", digest(&format!("{:?}{:?}", addresses.side, addresses.parts)));
        self.chains.share(&hint, rules)
    }

    /// What must stand behind a call of a chain that may have accepted the packet. The mark is asked for only
    /// where the chain can set it: other software's mark, which nobody took away there, accepts nothing.
    pub(super) fn after_call(&mut self, body: &mut Vec<Rule>, site: &Site, called: &Name) {
        if site.accept == Accept::Pass && self.chains.marks(called) {
            let marked = Rule::new(vec![Test::Accepted], Jump::Return);
            if body.last() != Some(&marked) {
                body.push(marked);
            }
        }
    }

    /// What a verdict is at a site.
    pub(super) fn verdict(&mut self, verdict: Verdict, site: &Site) -> Jump {
        match (verdict, site.accept) {
            (Verdict::Drop, _) => Jump::Drop,
            (Verdict::Reject, _) => Jump::Goto(self.reject_chain()),
            (Verdict::Skip, _) => site.after.clone().map_or(Jump::Return, Jump::Goto),
            (Verdict::Accept, Accept::Final) => Jump::Accept,
            (Verdict::Accept, Accept::Queue(queues)) => Jump::Queue(queues),
            (Verdict::Accept, Accept::Pass) if site.called => Jump::Goto(self.accepted_chain()),
            (Verdict::Accept, Accept::Pass) => Jump::Return,
        }
    }

    fn accepted_chain(&mut self) -> Name {
        self.chains.share("accepted", vec![Rule::new(Vec::new(), Jump::SetMark)])
    }

    /// The log line of a clause; its tests are those that limit it.
    fn log(&self, clause: &Clause, site: &Site, policy: bool) -> Option<Rule> {
        let Log::At(level) = clause.log else { return None };
        let verdict = match clause.verdict {
            Verdict::Accept => "ACCEPT",
            Verdict::Drop => "DROP",
            Verdict::Reject => "REJECT",
            Verdict::Skip => return None,
        };
        let (number, chain) = (site.number, &site.chain);
        let jump = match self.host.platform {
            Platform::Proxmox => {
                let policy = if policy { "policy " } else { "" };
                let start = format!(":{number}:{}:{chain}", level.number());
                Jump::Nflog(cut(&start, &format!(": {policy}{verdict}: "), 63))
            }
            Platform::Linux => {
                Jump::Log { level: level.number(), prefix: kernel_prefix(chain, number, policy, verdict) }
            }
        };
        let limit = self.limit;
        let tests = limit.enable.then_some(Test::Limit { rate: limit.rate, unit: limit.unit, burst: limit.burst });
        Some(Rule::new(tests.into_iter().collect(), jump))
    }

    /// Replaces large sets by ipsets, where the host wants them.
    fn use_sets(&mut self, shape: &mut Shape) {
        let Some(sets) = &mut self.sets else { return };
        let (tests, family) = (&mut shape.tests, self.family);
        shape.addresses.retain(|addresses| {
            let name = sets.name(addresses, family);
            tests.extend(name.iter().map(|name| Test::Set {
                side: addresses.side,
                name: name.clone(),
                negated: addresses.negated,
            }));
            name.is_none()
        });
    }

    /// Notes an error.
    pub(super) fn complain(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }
}

/// The most bytes of a prefix in the kernel log.
const KERNEL_PREFIX: usize = 29;

/// A prefix for the kernel log. Where it does not fit, words are shortened; never a guest's number, which would then be
/// another's.
fn kernel_prefix(chain: &str, number: u32, policy: bool, verdict: &str) -> String {
    let plain = if number == 0 { chain } else { chain.trim_start_matches(|c: char| c.is_ascii_alphabetic()) };
    let words: &[&str] = if policy { &["policy ", "p "] } else { &[""] };
    let fits = |start: &str, word: &&&str| start.len() + word.len() + verdict.len() + 4 <= KERNEL_PREFIX;
    for name in [chain, plain] {
        let start = format!("fwc {name}");
        if let Some(word) = words.iter().find(|word| fits(&start, word)) {
            return cut(&start, &format!(": {word}{verdict}: "), KERNEL_PREFIX);
        }
    }
    let word = words.last().copied().unwrap_or_default();
    cut(&format!("fwc {plain}"), &format!(": {word}{verdict}: "), KERNEL_PREFIX)
}

/// Text that fits into a log prefix: the end whole, of the beginning what there is room for.
fn cut(start: &str, end: &str, max: usize) -> String {
    let plain =
        start.chars().map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' ' { c } else { '_' });
    plain.take(max.saturating_sub(end.len())).chain(end.chars()).collect()
}

fn tests(addresses: &Addresses) -> Vec<Test> {
    addresses.parts.iter().map(|part| part.test(addresses.side, addresses.negated)).collect()
}

fn product(alternatives: Vec<Vec<Test>>, choices: &[Test]) -> Vec<Vec<Test>> {
    let with = |tests: &Vec<Test>, choice: &Test| tests.iter().chain([choice]).cloned().collect();
    alternatives.iter().flat_map(|tests| choices.iter().map(move |choice| with(tests, choice))).collect()
}
