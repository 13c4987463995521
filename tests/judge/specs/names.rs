//! Words for addresses: what may stand in `source` and `dest`, and of which families it speaks.

use super::random::Random;
use super::tree::{Node, word};

/// Of which families one side of a rule speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// It says nothing.
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
    /// Both.
    Both,
}

impl Side {
    /// The families, IPv4 first, that the side lets through.
    pub const fn families(self) -> (bool, bool) {
        match self {
            Self::Any | Self::Both => (true, true),
            Self::V4 => (true, false),
            Self::V6 => (false, true),
        }
    }
}

/// Every pair of sides that some packet can match: source and destination.
pub fn pairs() -> Vec<(Side, Side)> {
    let sides = [Side::Any, Side::V4, Side::V6, Side::Both];
    let all = sides.into_iter().flat_map(|source| sides.into_iter().map(move |dest| (source, dest)));
    all.filter(|pair| !matches!(pair, (Side::V4, Side::V6) | (Side::V6, Side::V4))).collect()
}

/// Pairs that every spec has: each family on one side, on the other and on both, against one family, both and none.
pub const MANDATORY: [(Side, Side); 8] = [
    (Side::V4, Side::Both),
    (Side::Both, Side::V4),
    (Side::V6, Side::Both),
    (Side::Both, Side::V6),
    (Side::Both, Side::Both),
    (Side::V4, Side::Any),
    (Side::Any, Side::V6),
    (Side::V6, Side::V6),
];

/// A word for addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    text: String,
    v4: bool,
    v6: bool,
}

impl Term {
    /// A word, and whether it holds addresses of IPv4 and of IPv6.
    pub fn new(text: impl Into<String>, v4: bool, v6: bool) -> Self {
        Self { text: text.into(), v4, v6 }
    }

    /// A word for addresses; the family is seen from its form.
    pub fn literal(text: impl Into<String>) -> Self {
        let text = text.into();
        let v6 = text.contains(':');
        Self { text, v4: !v6, v6 }
    }
}

/// The value of `source` or `dest` of those families; nothing for [`Side::Any`]. There must be terms of each family.
pub fn side(random: &mut Random, terms: &[Term], side: Side) -> Node {
    let of = |keep: &dyn Fn(&Term) -> bool| terms.iter().filter(|term| keep(term)).cloned().collect::<Vec<_>>();
    let v4 = of(&|term| term.v4 && !term.v6);
    let v6 = of(&|term| term.v6 && !term.v4);
    let both = of(&|term| term.v4 && term.v6);
    let count = random.between(1, 2);
    let chosen = match side {
        Side::Any => return Node::List(Vec::new()),
        Side::V4 => random.some(&v4, count),
        Side::V6 => random.some(&v6, count),
        Side::Both if !both.is_empty() && random.chance(50) => random.some(&both, 1),
        Side::Both => {
            let mut chosen = random.some(&v4, count);
            chosen.extend(random.some(&v6, 1));
            chosen
        }
    };
    let mut texts: Vec<String> = chosen.into_iter().map(|term| term.text).collect();
    texts.dedup();
    super::tree::words(&texts)
}

/// Addresses outside: nobody's in particular, so that rules of several zones meet.
pub fn outside() -> Vec<Term> {
    [
        "198.51.100.0/24",
        "198.51.100.64/26",
        "198.51.100.10",
        "203.0.113.20-203.0.113.40",
        "203.0.113.0/25",
        "2001:db8:f0::/48",
        "2001:db8:f0:1::/64",
        "2001:db8:f0::10",
        "2001:db8:f1::20-2001:db8:f1::4f",
    ]
    .map(Term::literal)
    .to_vec()
}

/// The datacenter's aliases, with the term for each.
pub fn aliases(random: &mut Random) -> (Node, Vec<Term>) {
    let all = [
        ("office", "203.0.113.0/24", true),
        ("branch", "2001:db8:f0::/48", false),
        ("backup", "10.0.0.250", true),
        ("monitor", "2001:db8::fa", false),
        ("vpn", "198.51.100.128/25", true),
        ("lab", "2001:db8:f1::/64", false),
    ];
    let mut node = Node::map();
    let mut terms = Vec::new();
    for (at, (name, value, v4)) in all.into_iter().enumerate() {
        // One of each family is always there.
        if at > 1 && random.chance(40) {
            continue;
        }
        let plain = word(value);
        let said = random.chance(25);
        node.set(
            name,
            if said { Node::map().with("value", plain).with("comment", word("see the plan")) } else { plain },
        );
        terms.push(Term::new(if random.chance(20) { format!("dc/{name}") } else { name.to_owned() }, v4, !v4));
    }
    (node, terms)
}

/// Entries of an ipset by which families they hold, with exclusions.
pub fn entries(random: &mut Random, v4: bool, v6: bool, alias: bool) -> Node {
    let mut list: Vec<&str> = Vec::new();
    if v4 {
        list.push(random.pick(&["198.51.100.0/24", "198.51.100.0/25", "10.0.0.0/27"]));
        if random.chance(60) {
            // Inside the first entry, or of no effect at all.
            list.push(random.pick(&["!198.51.100.10", "!198.51.100.64/26", "!10.0.0.12"]));
        }
        if random.chance(50) {
            list.push(if alias && random.chance(50) { "office" } else { "203.0.113.30" });
        }
        if random.chance(30) {
            list.push(random.pick(&["192.0.2.1-192.0.2.9", "192.0.2.128/25", "198.51.100.66"]));
        }
    }
    if v6 {
        list.push(random.pick(&["2001:db8:f1::/48", "2001:db8:f1::/64", "2001:db8::/120"]));
        if random.chance(60) {
            list.push(random.pick(&["!2001:db8:f1::20", "!2001:db8:f1:0:8000::/65", "!2001:db8::c"]));
        }
        if random.chance(50) {
            list.push(if alias && random.chance(50) { "branch" } else { "2001:db8:f0::30" });
        }
    }
    Node::List(list.into_iter().map(word).collect())
}

/// The datacenter's ipsets, with the term for each.
pub fn ipsets(random: &mut Random) -> (Node, Vec<Term>) {
    let all = [("partners", true, true), ("mirrors", true, false), ("sensors", false, true), ("friends", true, true)];
    let mut node = Node::map();
    let mut terms = Vec::new();
    for (at, (name, v4, v6)) in all.into_iter().enumerate() {
        if at > 0 && random.chance(40) {
            continue;
        }
        let list = entries(random, v4, v6, true);
        let said = random.chance(20);
        node.set(
            name,
            if said { Node::map().with("comment", word("agreed by mail")).with("entries", list) } else { list },
        );
        terms.push(Term::new(if random.chance(20) { format!("+dc/{name}") } else { format!("+{name}") }, v4, v6));
    }
    if random.chance(40) {
        let v6 = random.chance(60);
        node.set("management", entries(random, true, v6, false));
    }
    if random.chance(40) {
        let list = ["203.0.113.99", "198.51.100.200/29", "!198.51.100.203", "2001:db8:f2::/48", "!2001:db8:f2::1"];
        let (first, count) = (random.below(2), random.between(1, 4));
        node.set("blacklist", Node::List(list.iter().skip(first).take(count).map(word).collect()));
    }
    (node, terms)
}
