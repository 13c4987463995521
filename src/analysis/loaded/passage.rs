//! What base chains do, and what is remembered of that.

use std::sync::Arc;

use crate::analysis::sets::{Memo, PacketSet};

use super::context::{Context, PortValue, Seen};
use super::reads::Reads;
use super::run::Loaded;
use super::said::Said;

/// What a base chain does, in the order in which packets come to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Each passes on what it labels as accepted; the rest is decided. Packets on which a rule left something besides a log
    /// line have labels of their own.
    pub parts: Vec<Said>,
    /// Those that packets have for the port by which they come in.
    pub of_sender: Vec<Said>,
    /// The mark that packets have behind it; none where that differs.
    pub mark: Option<u32>,
    /// Whether packets come with a mark to rules that look at marks and at the end of their way that the context does not name.
    pub is_marked: bool,
}

impl Passage {
    /// Of packets that nothing is done with.
    #[must_use]
    pub const fn nothing(mark: u32) -> Self {
        Self { parts: Vec::new(), of_sender: Vec::new(), mark: Some(mark), is_marked: false }
    }
}

/// Passages through base chains.
#[derive(Debug, Default)]
pub(super) struct Passages {
    /// What was asked of contexts, by where a passage begins and what they decide: mostly always the same.
    asked: Memo<Start, Vec<Reads>>,
    /// By the answers.
    known: Memo<(Start, Reads, Seen), Arc<Passage>>,
}

/// A base chain, the mark that packets come with, what the context decides, and the packets of [`Base`].
pub(super) type Start = (usize, u32, Reads, (PacketSet, PacketSet));

impl Passages {
    pub(super) fn get(&self, start: Start, context: &Context, here: [u32; 5]) -> Option<&Arc<Passage>> {
        let asked = self.asked.get(&start)?;
        asked.iter().find_map(|reads| self.known.get(&(start, *reads, Seen::new(*reads, context, here))))
    }

    pub(super) fn insert(&mut self, start: Start, reads: Reads, seen: Seen, passage: Arc<Passage>) {
        let asked = self.asked.entry(start).or_default();
        if !asked.contains(&reads) {
            asked.push(reads);
        }
        self.known.insert((start, reads, seen), passage);
    }
}

impl Loaded<'_> {
    /// Whether a rule looks at where packets go to, of which the context names where they come from; else the other way round.
    pub(super) fn asks_other_end(&self, reads: Reads, context: &Context) -> bool {
        let program = self.chains.program;
        let names_sender = match &context.bridge_in {
            PortValue::Is(_) => true,
            PortValue::Other(start) => !start.is_empty(),
            PortValue::None | PortValue::Any => false,
        };
        if names_sender { reads.has_dest(program) || reads.has_towards() } else { reads.has_source(program) }
    }
}
