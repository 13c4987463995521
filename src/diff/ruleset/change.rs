//! What differs, in words that reports can use.

use std::sync::Arc;

use crate::diagnostic::Span;
use crate::state::ruleset::TableName;

use super::place::Place;

/// A rule, as people read it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleText {
    /// Tests, statements and verdict in the program's words, sets and chains replaced by what is in them, long ones cut.
    pub text: String,
    /// Its comment.
    pub comment: Option<Arc<str>>,
    /// Its place in the text of its ruleset: the found one for old rules, the meant one for new ones.
    pub span: Span,
}

/// What kind of change it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Rules that are meant and not there.
    Added,
    /// Rules that are there and not meant.
    Removed,
    /// Rules that are there at another place of their list.
    Moved,
    /// Rules of which some part is another one.
    Altered,
    /// Rules that do the same, with another comment.
    CommentOnly,
    /// What is in a named set (elements, attributes) that rules ask for.
    Set,
    /// All rules for one interface or address: meant and not there.
    PlaceAdded,
    /// All rules for one interface or address: there and not meant.
    PlaceRemoved,
    /// An interface or address that leads to rules which are there, but for another one.
    PlaceAltered,
    /// What becomes of packets at the end of a chain that the kernel calls, or where the kernel calls it.
    Chain,
    /// Another thing of the table: a helper, a quota.
    Object,
    /// Tables are shared, and nothing leads packets to a chain of fwc's.
    NotLed,
    /// The lists mean different things, and no single rule shows it.
    Unexplained,
}

/// What part of a rule is another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// A test; none on a side that does not ask for it.
    Test {
        /// As found.
        old: Option<String>,
        /// As meant.
        new: Option<String>,
    },
    /// What it does besides.
    Statements {
        /// As found.
        old: Vec<String>,
        /// As meant.
        new: Vec<String>,
    },
    /// What becomes of the packet.
    Verdict {
        /// As found.
        old: String,
        /// As meant.
        new: String,
    },
    /// Elements of a set, or values that a test asks for.
    Elements {
        /// The set, or the test's key.
        of: String,
        /// There and not meant.
        removed: Vec<String>,
        /// Meant and not there.
        added: Vec<String>,
    },
    /// It stands elsewhere in its list too.
    Moved,
    /// Packets that it sends back go on at another rule.
    ReturnsElsewhere,
}

/// One change, and everywhere that it takes place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What kind.
    pub kind: Kind,
    /// The rules as found; one that stands for several (many addresses, a log line) is several rules.
    pub old: Vec<RuleText>,
    /// The rules as meant.
    pub new: Vec<RuleText>,
    /// What exactly, of altered ones.
    pub details: Vec<Detail>,
    /// Where, in order, each once.
    pub places: Vec<Place>,
    /// How many rules come or go, for whole places.
    pub rules: usize,
}

impl Change {
    /// The comment of its rules: what they are called in the spec.
    #[must_use]
    pub fn comment(&self) -> Option<&Arc<str>> {
        self.new.iter().chain(&self.old).find_map(|rule| rule.comment.as_ref())
    }

    /// Whether some packet may be treated differently.
    #[must_use]
    pub fn differs_in_meaning(&self) -> bool {
        self.kind != Kind::CommentOnly
    }
}

/// A rule of fwc's that leads packets to an own chain stands behind other rules. That is allowed: what comes before it
/// decides first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedLate {
    /// The table.
    pub table: TableName,
    /// The chain that the kernel calls.
    pub chain: Arc<str>,
    /// How many rules stand before it.
    pub before: usize,
}
