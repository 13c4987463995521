//! What rules say, in their order, before it is put together.
//!
//! A list of rules comes to a list of [`Step`]s, of which for each packet the first counts that says something. Equal lists
//! are one, by a number. Most that is asked of lists is answered step by step: other labels, which labels there are, whether a
//! hook of a policy says the same ([`alike`](super::alike)). Only where that is not enough the steps are put together to one diagram, which
//! takes far longer than all else.

use std::sync::Arc;

use crate::analysis::sets::{Diagram, FirstMatch, Label, Memo, OverBudget, PacketSet};

use super::run::Ground;
use super::walk::pass;

/// What a list of rules says, or a hook of a policy. Meaningful in the [`Ground`] that made it, where equal lists are one; two that
/// differ may still mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Said(u32);

/// One of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Of these packets, this.
    One(PacketSet, Label),
    /// Several labels; nothing of packets that have none.
    Some(Diagram),
    /// Of these packets, what another list says; where that says nothing, this list does neither.
    Lead(PacketSet, Said),
    /// What another list says; packets of which it says nothing go on.
    Sub(Said),
}

/// A list, and what is known of it.
#[derive(Debug, Clone)]
struct Known {
    steps: Arc<[Step]>,
    /// Every label that a packet has, and maybe some that none has; without [`Label::NONE`].
    labels: Arc<[Label]>,
    /// It says something of every packet, as far as that is seen without a look at sets.
    is_total: bool,
    /// Packets that it leads elsewhere may come back without an answer.
    comes_back: bool,
}

/// All lists.
#[derive(Debug, Default)]
pub(super) struct Lists {
    all: Vec<Known>,
    numbers: Memo<Arc<[Step]>, Said>,
    wholes: Memo<u32, Diagram>,
    members: Memo<u32, PacketSet>,
    frames: Memo<(Said, u32), Said>,
    renamed: Memo<(Said, Vec<(Label, Label)>), Said>,
}

impl Lists {
    /// Makes room for more.
    pub(super) fn reserve(&mut self, lists: usize) {
        self.all.reserve(lists);
        self.numbers.reserve(lists);
    }
}

/// Packets that leave a list without an answer, while it is put together.
const HIDDEN: Label = Label::new(Label::NONE.number() - 2);

impl Ground {
    /// The list of these steps.
    pub(super) fn said(&mut self, steps: impl IntoIterator<Item = Step>) -> Said {
        let steps = steps.into_iter();
        let mut kept: Vec<Step> = Vec::with_capacity(steps.size_hint().0);
        for step in steps {
            let mut is_last = false;
            let step = match step {
                Step::One(set, label) if set.is_empty() || label == Label::NONE => continue,
                Step::Lead(set, _) if set.is_empty() => continue,
                Step::Lead(PacketSet::ALL, said) => {
                    is_last = true;
                    Step::Sub(said)
                }
                Step::Lead(set, said) => match self.label(said) {
                    Some(label) if label != Label::NONE => Step::One(set, label),
                    Some(_) | None => step,
                },
                Step::Some(diagram) => match diagram.label() {
                    Some(Label::NONE) => continue,
                    Some(label) => Step::One(PacketSet::ALL, label),
                    None => step,
                },
                Step::One(..) | Step::Sub(_) => step,
            };
            let step = match step {
                Step::Sub(said) => match *self.steps(said) {
                    [] if is_last => break,
                    [] => continue,
                    [only @ (Step::One(..) | Step::Some(_) | Step::Sub(_))] => only,
                    [only @ Step::Lead(_, inside)] if self.is_total(inside) => only,
                    [..] => step,
                },
                Step::One(..) | Step::Lead(..) | Step::Some(_) => step,
            };
            kept.push(step);
            if is_last || self.says_all(step) {
                break;
            }
        }
        if let [Step::Sub(said)] = *kept {
            return said;
        }
        if let Some(known) = self.lists.numbers.get(kept.as_slice()) {
            return *known;
        }
        self.new_list(kept.into())
    }

    fn new_list(&mut self, steps: Arc<[Step]>) -> Said {
        let mut labels: Vec<Label> = Vec::with_capacity(8);
        let mut add = |label: Label| {
            if let Err(place) = labels.binary_search(&label) {
                labels.insert(place, label);
            }
        };
        for step in steps.iter() {
            match *step {
                Step::One(_, label) => add(label),
                Step::Some(diagram) => self.sets.labels(diagram).into_iter().for_each(&mut add),
                Step::Lead(_, said) | Step::Sub(said) => self.labels(said).iter().copied().for_each(&mut add),
            }
        }
        let is_total = steps.last().is_some_and(|last| self.says_all(*last));
        let back = |step: &Step| match step {
            Step::Lead(_, said) => !self.is_total(*said),
            Step::One(..) | Step::Some(_) | Step::Sub(_) => false,
        };
        let comes_back = steps.iter().any(back);
        let number = Said(u32::try_from(self.lists.all.len()).unwrap_or(u32::MAX));
        let known =
            Known { steps: Arc::clone(&steps), labels: labels.into(), is_total: is_total && !comes_back, comes_back };
        self.lists.all.push(known);
        self.lists.numbers.insert(steps, number);
        number
    }

    /// Whether a step leaves nothing to those behind it.
    pub(super) fn says_all(&self, step: Step) -> bool {
        match step {
            Step::One(set, _) => set == PacketSet::ALL,
            Step::Sub(said) => self.is_total(said),
            Step::Some(_) | Step::Lead(..) => false,
        }
    }

    /// A label for all packets.
    pub(super) fn all(&mut self, label: Label) -> Said {
        self.said([Step::One(PacketSet::ALL, label)])
    }

    /// The list of a hook's clauses.
    pub fn of_clauses(&mut self, clauses: impl IntoIterator<Item = (PacketSet, Label)>) -> Said {
        self.said(clauses.into_iter().map(|(set, label)| Step::One(set, label)))
    }

    /// Lists one after the other.
    pub fn of_lists(&mut self, lists: impl IntoIterator<Item = Said>) -> Said {
        self.said(lists.into_iter().map(Step::Sub))
    }

    /// What is said of frames of one ethertype alone, which is then not looked at any more.
    pub fn of_frame(&mut self, said: Said, ethertype: u16) -> Said {
        if let Some(known) = self.lists.frames.get(&(said, ethertype.into())) {
            return *known;
        }
        let steps = self.steps(said);
        let mut made = Vec::with_capacity(steps.len());
        for step in steps.iter() {
            made.push(match *step {
                Step::One(set, label) => match self.sets.frames_of(set, ethertype) {
                    PacketSet::ALL => {
                        made.push(Step::One(PacketSet::ALL, label));
                        break;
                    }
                    set => Step::One(set, label),
                },
                Step::Some(diagram) => Step::Some(self.sets.of_frame(diagram, ethertype)),
                Step::Lead(set, said) => {
                    Step::Lead(self.sets.frames_of(set, ethertype), self.of_frame(said, ethertype))
                }
                Step::Sub(said) => Step::Sub(self.of_frame(said, ethertype)),
            });
        }
        let made = self.said(made);
        self.lists.frames.insert((said, ethertype.into()), made);
        made
    }

    /// A diagram as a list.
    pub(super) fn of_diagram(&mut self, diagram: Diagram) -> Said {
        self.said([Step::Some(diagram)])
    }

    fn known(&self, said: Said) -> Option<&Known> {
        self.lists.all.get(said.place())
    }

    pub(super) fn steps(&self, said: Said) -> Arc<[Step]> {
        self.known(said).map_or_else(|| Arc::new([]) as Arc<[Step]>, |known| Arc::clone(&known.steps))
    }

    /// Every label that it gives, and maybe some that no packet has.
    #[must_use]
    pub fn labels(&self, said: Said) -> Arc<[Label]> {
        self.known(said).map_or_else(|| Arc::new([]) as Arc<[Label]>, |known| Arc::clone(&known.labels))
    }

    /// Whether it is known to say something of every packet.
    pub(super) fn is_total(&self, said: Said) -> bool {
        self.known(said).is_some_and(|known| known.is_total)
    }

    pub(super) fn comes_back(&self, said: Said) -> bool {
        self.known(said).is_some_and(|known| known.comes_back)
    }

    /// The label, where it is the same for every packet; [`Label::NONE`] where nothing is said.
    pub(super) fn label(&self, said: Said) -> Option<Label> {
        match *self.known(said)?.steps {
            [] => Some(Label::NONE),
            [Step::One(PacketSet::ALL, label)] => Some(label),
            [..] => None,
        }
    }

    /// Whether packets come back from it in another state.
    pub(super) fn changes(&self, said: Said) -> bool {
        self.known(said).is_some_and(|known| known.labels.iter().any(|label| self.outcomes.is_return(*label)))
    }

    /// Whether it gives every packet this label.
    #[must_use]
    pub fn is_all(&self, said: Said, label: Label) -> bool {
        self.known(said).is_some_and(|known| known.is_total && *known.labels == [label])
    }

    /// Whether it accepts every packet in silence, be it for good.
    #[must_use]
    pub fn accepts_all(&self, said: Said) -> bool {
        let passes = |label: &Label| self.plain(*label) == pass();
        self.known(said).is_some_and(|known| known.is_total && known.labels.iter().all(passes))
    }

    /// All steps in one.
    ///
    /// # Errors
    /// Over budget.
    pub fn whole(&mut self, said: Said) -> Result<Diagram, OverBudget> {
        if let Some(known) = self.lists.wholes.get(&said.0) {
            return Ok(*known);
        }
        let mut list = FirstMatch::default();
        let mut hides = false;
        for step in self.steps(said).iter() {
            list.push(match *step {
                Step::One(set, label) => self.sets.within(set, Diagram::all(label))?,
                Step::Some(diagram) => diagram,
                Step::Sub(said) => self.whole(said)?,
                Step::Lead(set, said) => {
                    let inside = self.whole(said)?;
                    let inside = if self.is_total(said) {
                        inside
                    } else {
                        hides = true;
                        self.sets.over(inside, Diagram::all(HIDDEN))?
                    };
                    self.sets.within(set, inside)?
                }
            });
        }
        let mut made = list.diagram(&mut self.sets)?;
        if hides {
            made = self.sets.relabel(made, |label| if label == HIDDEN { Label::NONE } else { label })?;
        }
        self.lists.wholes.insert(said.0, made);
        Ok(made)
    }

    /// The packets of which it says something.
    pub(super) fn members(&mut self, said: Said) -> Result<PacketSet, OverBudget> {
        if let Some(known) = self.lists.members.get(&said.0) {
            return Ok(*known);
        }
        let mut all = PacketSet::EMPTY;
        for step in self.steps(said).iter() {
            let set = match *step {
                Step::One(set, _) => set,
                Step::Sub(said) if !self.comes_back(said) => self.members(said)?,
                Step::Some(_) | Step::Lead(..) | Step::Sub(_) => {
                    let whole = self.whole(said)?;
                    all = self.sets.select(whole, |label| label != Label::NONE)?;
                    break;
                }
            };
            all = self.sets.union(all, set)?;
        }
        self.lists.members.insert(said.0, all);
        Ok(all)
    }

    /// What it says of these packets alone.
    pub(super) fn within(&mut self, set: PacketSet, said: Said) -> Result<Said, OverBudget> {
        if set == PacketSet::ALL || self.steps(said).is_empty() {
            return Ok(said);
        }
        if let [only] = *self.labels(said) {
            let members = self.members(said)?;
            let members = self.sets.intersection(set, members)?;
            return Ok(self.said([Step::One(members, only)]));
        }
        if self.is_total(said) {
            return Ok(self.said([Step::Lead(set, said)]));
        }
        let whole = self.whole(said)?;
        let whole = self.sets.within(set, whole)?;
        Ok(self.of_diagram(whole))
    }

    /// Other labels for the same packets, those without one among them ([`Label::NONE`]).
    ///
    /// # Errors
    /// Over budget.
    pub fn renamed(&mut self, said: Said, name: &dyn Fn(Label) -> Label) -> Result<Said, OverBudget> {
        let labels = self.labels(said);
        let none = if self.is_total(said) { None } else { Some(Label::NONE) };
        let pairs = labels.iter().copied().chain(none).map(|label| (label, name(label)));
        let becomes: Vec<(Label, Label)> = pairs.filter(|(old, new)| old != new).collect();
        if becomes.is_empty() {
            return Ok(said);
        }
        let key = (said, becomes);
        if let Some(known) = self.lists.renamed.get(&key) {
            return Ok(*known);
        }
        let steps = self.steps(said);
        let mut made = Vec::with_capacity(steps.len() + 1);
        self.rename(&steps, name, &mut made)?;
        made.push(Step::One(PacketSet::ALL, name(Label::NONE)));
        let made = self.said(made);
        self.lists.renamed.insert(key, made);
        Ok(made)
    }

    /// Steps with other labels. Packets whose label becomes none leave the list without an answer.
    fn rename(
        &mut self,
        steps: &[Step],
        name: &dyn Fn(Label) -> Label,
        made: &mut Vec<Step>,
    ) -> Result<(), OverBudget> {
        let goes_on = |label: Label| if label == Label::NONE { label } else { name(label) };
        let nothing = self.said([]);
        for (at, step) in steps.iter().enumerate() {
            match *step {
                Step::One(set, label) => made.push(match name(label) {
                    Label::NONE => Step::Lead(set, nothing),
                    label => Step::One(set, label),
                }),
                Step::Some(diagram) => {
                    let hidden = |label: Label| label != Label::NONE && name(label) == Label::NONE;
                    if self.sets.labels(diagram).into_iter().any(hidden) {
                        made.push(Step::Lead(self.sets.select(diagram, hidden)?, nothing));
                    }
                    made.push(Step::Some(self.sets.relabel(diagram, goes_on)?));
                }
                Step::Lead(set, said) => made.push(Step::Lead(set, self.renamed(said, name)?)),
                Step::Sub(said) if at + 1 == steps.len() => {
                    // Nobody behind it is asked.
                    made.push(Step::Lead(PacketSet::ALL, self.renamed(said, name)?));
                }
                Step::Sub(said) if !self.labels(said).iter().any(|label| name(*label) == Label::NONE) => {
                    made.push(Step::Sub(self.renamed(said, &goes_on)?));
                }
                Step::Sub(said) => {
                    let inner = if self.comes_back(said) {
                        Arc::from([Step::Some(self.whole(said)?)])
                    } else {
                        self.steps(said)
                    };
                    // None of them stands at the end of the list.
                    let inner: Vec<Step> = inner.iter().copied().chain([Step::Sub(nothing)]).collect();
                    self.rename(&inner, &goes_on, made)?;
                    made.pop();
                }
            }
        }
        Ok(())
    }
}

impl Said {
    const fn place(self) -> usize {
        self.0 as usize
    }

    /// A number that no other list of the same [`Ground`] has.
    pub(super) const fn number(self) -> u32 {
        self.0
    }
}
