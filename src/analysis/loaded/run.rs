//! What a chain does with every packet.
//!
//! A chain's list says how packets leave it: by the label of an [`Outcome`], or [`Label::NONE`] where they come back as
//! they went in. It is made once for each state in which packets come, and for each answer that the context gives to what
//! the chain asks of it.

use crate::analysis::Packet;
use crate::analysis::sets::{Diagram, Label, Memo, OverBudget, PacketSet, Sets};
use crate::net::Family;
use crate::state::ruleset::{Program, Verdict};

use super::alike::{Flat, Met};
use super::back::{back, left};
use super::context::{Ports, Seen};
use super::fit::{Fit, Fitting, is_elsewhere};
use super::nft::Cases;
use super::outcome::{Exit, Outcome, Outcomes, State};
use super::reads::Reads;
use super::ready::{Chains, Ready, Unknown, is_queue};
use super::reject::answer;
use super::said::{Lists, Said, Step};
use super::stand::Standing;
use super::{Condition, Context, Effect, Fields, PortValue};

/// Chains within each other; more cannot be loaded anywhere.
const DEPTH: usize = 64;
/// Packets that leave a chain as they came, before its end.
pub(super) const BACK: Label = Label::new(Label::NONE.number() - 1);

/// What all tables of a machine and its policy are written in.
#[derive(Debug)]
pub struct Ground {
    /// The sets.
    pub sets: Sets,
    /// What the labels of rules mean.
    pub outcomes: Outcomes,
    /// Lists of what rules say.
    pub(super) lists: Lists,
    /// Parts, what they say where nothing stands behind them, and the packets that they accept for good.
    pub(super) for_good: Memo<Diagram, (Diagram, PacketSet)>,
    /// Whether two lists are seen to say the same of some packets.
    pub(super) same: Memo<(Said, Said, PacketSet), bool>,
    /// Packets of which two lists are seen to say the same.
    pub(super) same_for: Memo<(Said, Said), PacketSet>,
    /// Sets that were met in the list that is put into one piece.
    pub(super) met: Met,
    /// Lists in one piece, where that can be.
    pub(super) flats: Memo<Said, Option<Flat>>,
    /// What hooks accept, as far as it is seen.
    pub(super) passed: Memo<Said, Option<PacketSet>>,
    /// What lists accept for good, as far as it is seen.
    pub(super) finals: Memo<Said, Option<PacketSet>>,
    /// Whether hooks pass all known connections among some packets.
    pub(super) established: Memo<(Said, PacketSet), bool>,
    /// The packets of known connections, once they were asked for.
    pub(super) of_connections: Option<PacketSet>,
}

impl Ground {
    /// Without anything in it.
    #[must_use]
    pub fn new(sets: Sets) -> Self {
        Self {
            sets,
            outcomes: Outcomes::default(),
            lists: Lists::default(),
            for_good: Memo::default(),
            same: Memo::default(),
            same_for: Memo::default(),
            met: Met::default(),
            flats: Memo::default(),
            passed: Memo::default(),
            finals: Memo::default(),
            established: Memo::default(),
            of_connections: None,
        }
    }

    /// The same, with room for the lists of so many NICs.
    #[must_use]
    pub fn with_room(sets: Sets, nics: usize) -> Self {
        let mut ground = Self::new(sets);
        ground.lists.reserve(nics.saturating_mul(LISTS));
        ground
    }
}

/// Lists that a NIC brings for each program, about.
const LISTS: usize = 2;

/// A table that packets can be sent through.
#[derive(Debug)]
pub struct Loaded<'t> {
    pub(super) chains: &'t Chains<'t>,
    /// What cannot be followed, besides rules that are not understood.
    lost: Vec<Unknown>,
    /// Of rules of which a context decided nothing, what they do in a first state, and whether packets leave their chain by them.
    done: Vec<Done>,
    /// Where each rule's stands there, counted from 1; 0 for none yet.
    places: Vec<u32>,
    /// How the whole of a rejection looks in a state, so that it is one label.
    pub(super) rejection: Memo<State, Diagram>,
    /// What is silently dropped by a rejection, for each family.
    pub(super) silent: Vec<(Family, Fields)>,
    known: Memo<(usize, State, Vec<u32>), Said>,
    /// What chains say that rules of base chains lead to, by what they see of a context.
    called: Memo<(usize, State, Seen), Said>,
    /// Parts of base chains.
    pub(super) closed: super::closed::Known,
    /// See [`Loaded::of_several_hooks`].
    pub(super) splits: bool,
    /// See [`Loaded::of_any_rules`].
    pub(super) standing: Standing<'t>,
    depth: usize,
    /// What the context decides.
    pub(super) decided: Reads,
    /// What it was asked on this passage.
    pub(super) consulted: Reads,
    /// The numbers of its ports.
    pub(super) here: [u32; 5],
    pub(super) ports: Ports,
    /// What parts of base chains say that ask the same of a context.
    pub(super) asked: Memo<(usize, usize, State, Seen), Part>,
    /// Neighbouring rules of base chains.
    pub(super) runs: super::walk::Runs,
    /// Ways through base chains.
    pub(super) passages: super::passage::Passages,
    /// Whether rules gave packets another state since this was last reset.
    pub(super) split: bool,
    /// Whether rules let packets leave their chain before its end since then.
    pub(super) backs: bool,
    /// The one packet that is asked about, where it is only one; see [`Loaded::alone`].
    pub(super) only: Option<Packet>,
}

/// The state, what the rule does in it, and whether packets leave their chain by it.
type Done = (State, Part, bool);

/// What a rule does with packets that come to it.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// Nothing.
    Nothing,
    /// It decides these; the others go on.
    Says(Step),
    /// The same, but some come back in another state.
    Comes(Said),
    /// These are led elsewhere: what becomes of them there, where those that come back leave the list.
    Leads(PacketSet, Said),
    /// It decides all; those that come back from where it leads leave the list.
    Ends(Said),
    /// These (none: all) go on, but in another state.
    Becomes(Option<PacketSet>, State),
}

impl<'t> Loaded<'t> {
    /// A table; `silent`: what rejections drop without an answer, besides what is no IP.
    #[must_use]
    pub fn new(chains: &'t Chains<'t>, silent: Vec<(Family, Fields)>) -> Self {
        Self {
            chains,
            lost: Vec::new(),
            done: Vec::new(),
            places: vec![0; chains.rules],
            rejection: Memo::default(),
            silent,
            known: Memo::default(),
            called: Memo::default(),
            closed: Memo::default(),
            splits: false,
            standing: Standing::default(),
            depth: 0,
            decided: Reads::default(),
            consulted: Reads::default(),
            here: [0; 5],
            ports: Ports::default(),
            asked: Memo::default(),
            runs: Memo::default(),
            passages: super::passage::Passages::default(),
            split: false,
            backs: false,
            only: None,
        }
    }

    /// The same, where each chain of the kernel's judges for several hooks, and what it accepts is accepted for good
    /// (iptables). Else it is one hook's, and what it accepts comes to the next chain (nft).
    #[must_use]
    pub const fn of_several_hooks(mut self) -> Self {
        self.splits = true;
        self
    }

    /// A rule that was not understood.
    #[must_use]
    pub fn unknown(&self, number: u32) -> Option<&Unknown> {
        let number = usize::try_from(number).ok()?;
        let known = &self.chains.unknown;
        number.checked_sub(known.len()).map_or_else(|| known.get(number), |beyond| self.lost.get(beyond))
    }

    /// The number of something that cannot be followed.
    pub(super) fn lost(&mut self, chain: usize, words: String) -> u32 {
        let Some(found) = self.chains.lost(chain, words) else { return 0 };
        let place = self.lost.iter().position(|known| *known == found).unwrap_or_else(|| {
            self.lost.push(found);
            self.lost.len() - 1
        });
        u32::try_from(self.chains.unknown.len() + place).unwrap_or(u32::MAX)
    }

    /// The rules.
    #[must_use]
    pub const fn chains(&self) -> &'t Chains<'t> {
        self.chains
    }

    /// How packets that come in a state leave a chain.
    pub(super) fn chain(
        &mut self,
        ground: &mut Ground,
        chain: usize,
        state: &State,
        context: &Context,
    ) -> Result<Said, OverBudget> {
        let Some(led) = self.chains.led_to(chain, context) else { return Ok(ground.said([])) };
        self.comes_to(led, led != chain);
        let chain = led;
        // Rules of several built-in chains may lead to the same one.
        let depends = self.chains.reads(chain).is_decided(self.decided);
        let several = self.chains.program != Program::Nft && self.depth == 0;
        let key = (several && depends)
            .then(|| (chain, state.clone(), Seen::new(self.chains.reads(chain), context, self.here)));
        if let Some(known) = key.as_ref().and_then(|key| self.called.get(key)) {
            return Ok(*known);
        }
        if self.depth > DEPTH {
            let exit = Exit::Unknown(self.lost(chain, "a chain that leads to itself".to_owned()));
            let label = ground.outcomes.label(Outcome { exit, state: state.clone() });
            return Ok(ground.all(label));
        }
        self.depth += 1;
        let outside = self.goes_within(chain);
        let result = self.entered(ground, chain, state, context);
        self.standing.within = outside;
        self.depth -= 1;
        if let (Some(key), Ok(said)) = (key, result) {
            self.called.insert(key, said);
        }
        result
    }

    fn entered(
        &mut self,
        ground: &mut Ground,
        chain: usize,
        state: &State,
        context: &Context,
    ) -> Result<Said, OverBudget> {
        let rules = &*self.rules(chain);
        let depends = self.chains.reads(chain).is_decided(self.decided);
        let outer = (std::mem::take(&mut self.split), std::mem::take(&mut self.backs));
        let (parts, answers) =
            if depends { self.answers(ground, rules, state, context)? } else { (Vec::new(), Vec::new()) };
        if let Some(led) = led(&parts, rules.len()).filter(|_| !self.split && !self.backs) {
            (self.split, self.backs) = outer;
            return Ok(led.unwrap_or_else(|| ground.said([])));
        }
        let key = (chain, state.clone(), answers);
        if let Some(known) = self.known.get(&key) {
            (self.split, self.backs) = outer;
            return Ok(*known);
        }
        let whole = self.list(ground, rules, parts, state, context)?;
        let whole = self.came_back(ground, whole)?;
        let whole = self.rejected(ground, whole, state)?;
        let split = self.split;
        (self.split, self.backs) = outer;
        // After a split the context was asked in other states too.
        if !(split && depends) {
            self.known.insert(key, whole);
        }
        Ok(whole)
    }

    /// What rules do that ask the context, up to one that decides all, and the same in numbers: with the same ones, a chain
    /// does the same.
    fn answers(
        &mut self,
        ground: &mut Ground,
        rules: &[Ready<'t>],
        state: &State,
        context: &Context,
    ) -> Result<(Vec<Option<Part>>, Vec<u32>), OverBudget> {
        let mut parts = Vec::with_capacity(rules.len());
        let mut answers = Vec::new();
        for (rule, place) in rules.iter().zip(0..) {
            if !rule.reads.is_decided(self.decided) {
                parts.push(None);
                continue;
            }
            let part = self.part(ground, rule, state, context)?;
            // Which rules are asked depends on the context too.
            answers.push(place);
            match &part {
                Part::Nothing => answers.push(0),
                Part::Leads(set, said) => answers.extend([1, set.diagram().number(), said.number()]),
                Part::Says(Step::One(set, label)) => answers.extend([5, set.diagram().number(), label.number()]),
                Part::Says(step) => answers.extend([2, ground.said([*step]).number()]),
                Part::Comes(said) => answers.extend([6, said.number()]),
                Part::Ends(said) => answers.extend([3, said.number()]),
                // The state is another; that is never kept.
                Part::Becomes(set, _) => answers.extend([4, set.map_or(1, |set| set.diagram().number())]),
            }
            let ends = match part {
                Part::Ends(_) => true,
                Part::Says(step) => ground.says_all(step),
                Part::Nothing | Part::Comes(_) | Part::Leads(..) | Part::Becomes(..) => false,
            };
            parts.push(Some(part));
            if ends {
                break;
            }
        }
        Ok((parts, answers))
    }

    /// What one rule does.
    pub(super) fn part(
        &mut self,
        ground: &mut Ground,
        rule: &Ready<'t>,
        state: &State,
        context: &Context,
    ) -> Result<Part, OverBudget> {
        if rule.reads.is_decided(self.decided) {
            if is_elsewhere(rule, context) {
                return Ok(Part::Nothing);
            }
            return self.fitting(ground, rule, state, context);
        }
        let place = self.places.get(rule.number).and_then(|place| usize::try_from(*place).ok()?.checked_sub(1));
        if let Some((known, part, backs)) = place.and_then(|place| self.done.get(place))
            && known == state
        {
            self.backs |= backs;
            return Ok(part.clone());
        }
        let backs = std::mem::take(&mut self.backs);
        let part = self.fitting(ground, rule, state, context)?;
        // In a second state it is asked anew.
        if let Some(place @ 0) = self.places.get_mut(rule.number) {
            self.done.push((state.clone(), part.clone(), self.backs));
            *place = u32::try_from(self.done.len()).unwrap_or_default();
        }
        self.backs |= backs;
        Ok(part)
    }

    fn fitting(
        &mut self,
        ground: &mut Ground,
        rule: &Ready<'t>,
        state: &State,
        context: &Context,
    ) -> Result<Part, OverBudget> {
        let fit = match self.fit(ground, rule, state, context)? {
            Fitting::Never => return Ok(Part::Nothing),
            Fitting::Unknown => return self.untold(ground, &Fit::default(), state),
            Fitting::Packets(fit) => fit,
        };
        let Some(fit) = self.of_one(ground, fit)? else { return Ok(Part::Nothing) };
        if let Some(number) = rule.unknown {
            let outcome = Outcome { exit: Exit::Unknown(number), state: state.clone() };
            return self.says(ground, &fit, outcome);
        }
        let next = self.numbered(rule, after(state, rule));
        if rule.is_limited() {
            return self.verdict(ground, &fit, (&Verdict::Continue, None), state, &next, context);
        }
        match &rule.cases {
            None => self.verdict(ground, &fit, (rule.verdict, rule.leads), state, &next, context),
            Some(Cases::Port { port, entries }) => {
                let found = match context.port(*port) {
                    PortValue::Is(name) => entries.get(&**name),
                    PortValue::None | PortValue::Other(_) => None,
                    PortValue::Any => return self.untold(ground, &fit, state),
                };
                match found {
                    Some(verdict) => {
                        let leads = self.chains.ahead(verdict);
                        self.verdict(ground, &fit, (verdict, leads), state, &next, context)
                    }
                    None => self.verdict(ground, &fit, (&Verdict::Continue, None), state, &next, context),
                }
            }
            Some(Cases::Packet(_) | Cases::Opaque) => self.untold(ground, &fit, state),
        }
    }

    /// A rule whose answer cannot be told here.
    fn untold(&mut self, ground: &mut Ground, fit: &Fit<'_>, state: &State) -> Result<Part, OverBudget> {
        let number = self.lost(0, "a map that is looked up by what is not known".to_owned());
        self.says(ground, fit, Outcome { exit: Exit::Unknown(number), state: state.clone() })
    }

    fn says(&mut self, ground: &mut Ground, fit: &Fit<'_>, outcome: Outcome) -> Result<Part, OverBudget> {
        let label = ground.outcomes.label(outcome);
        self.labelled(ground, fit, label).map(Part::Says)
    }

    fn verdict(
        &mut self,
        ground: &mut Ground,
        fit: &Fit<'_>,
        (verdict, leads): (&Verdict, Option<usize>),
        state: &State,
        next: &State,
        context: &Context,
    ) -> Result<Part, OverBudget> {
        let outcome = |exit| Outcome { exit, state: next.clone() };
        match verdict {
            Verdict::Continue if state == next => Ok(Part::Nothing),
            Verdict::Continue => {
                let set = if fit.is_all() { None } else { Some(self.set(ground, fit)?) };
                Ok(Part::Becomes(set, next.clone()))
            }
            Verdict::Accept if self.splits => self.says(ground, fit, outcome(Exit::Final)),
            Verdict::Accept => self.says(ground, fit, outcome(Exit::Accept)),
            Verdict::Drop => self.says(ground, fit, outcome(Exit::Drop)),
            Verdict::Reject(words) => self.says(ground, fit, outcome(Exit::Answer(answer(words)))),
            Verdict::Return if state == next => {
                self.backs = true;
                self.labelled(ground, fit, BACK).map(Part::Says)
            }
            Verdict::Return => {
                self.backs = true;
                self.says(ground, fit, outcome(Exit::Leave))
            }
            Verdict::Other(words) if is_queue(words) => {
                self.says(ground, fit, outcome(Exit::Queue(words.as_str().into())))
            }
            Verdict::Jump(_) => {
                let Some(number) = leads else { return self.untold(ground, fit, state) };
                let called = self.chain(ground, number, next, context)?;
                let changes = next != state || ground.changes(called);
                let called = back(ground, called, next, state)?;
                let called = self.among(ground, fit, called)?;
                Ok(if changes { Part::Comes(called) } else { Part::Says(Step::Sub(called)) })
            }
            Verdict::Goto(_) => {
                let Some(number) = leads else { return self.untold(ground, fit, state) };
                let called = self.chain(ground, number, next, context)?;
                if fit.is_all() {
                    return back(ground, called, next, state).map(Part::Ends);
                }
                let called = if next != state || ground.changes(called) {
                    self.backs = true;
                    left(ground, called, next, state)?
                } else {
                    return Ok(Part::Leads(self.set(ground, fit)?, called));
                };
                Ok(Part::Says(Step::Sub(self.among(ground, fit, called)?)))
            }
            Verdict::Map { .. } | Verdict::Inline { .. } | Verdict::Other(_) => self.untold(ground, fit, state),
        }
    }
}

/// Where a chain only leads elsewhere, what is said there; within it none where it leads nowhere.
fn led(parts: &[Option<Part>], rules: usize) -> Option<Option<Said>> {
    let (last, before) = parts.split_last()?;
    let is_nothing = |part: &Option<Part>| matches!(part, Some(Part::Nothing));
    match last {
        _ if !before.iter().all(is_nothing) => None,
        Some(Part::Ends(said)) => Some(Some(*said)),
        Some(Part::Nothing) if parts.len() == rules => Some(None),
        Some(Part::Nothing | Part::Says(_) | Part::Comes(_) | Part::Leads(..) | Part::Becomes(..)) | None => None,
    }
}

/// What a rule leaves on packets.
fn after(state: &State, rule: &Ready<'_>) -> State {
    let mut next = state.clone();
    for condition in &rule.others {
        if let Condition::Above(words) = condition {
            next.event(format!("{words}: {}", rule.verdict));
        }
    }
    for effect in &rule.effects {
        match effect {
            Effect::Log(level) => next.log(*level),
            Effect::Mark { and, xor } => next.mark = next.mark & and ^ xor,
            Effect::Helper(name) => next.event(format!("helper {name}")),
            Effect::Opaque(_) => {}
        }
    }
    next
}
