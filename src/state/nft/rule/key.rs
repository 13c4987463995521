//! What a rule looks at: `tcp dport`, `iifname . ether saddr`, `meta mark & 0x1`.

use std::sync::Arc;

use super::super::element::Part;
use super::super::kind::Kind;
use super::super::token::{Cursor, Token, join};

/// Headers that a key reads, so that what they stand for need not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Uses(u16);

impl Uses {
    /// Of a header, if it means another condition.
    #[inline]
    pub(super) fn of(header: &str) -> Self {
        Self(match header {
            "ip" => 1,
            "ip6" => 1 << 1,
            "arp" => 1 << 2,
            "vlan" => 1 << 3,
            "tcp" => 1 << 4,
            "udp" => 1 << 5,
            "icmp" => 1 << 6,
            "icmpv6" => 1 << 7,
            "igmp" => 1 << 8,
            "sctp" => 1 << 9,
            "dccp" => 1 << 10,
            "udplite" => 1 << 11,
            "esp" => 1 << 12,
            "ah" => 1 << 13,
            "comp" => 1 << 14,
            _ => 0,
        })
    }

    #[must_use]
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline]
    pub(super) fn has(self, header: &str) -> bool {
        self.0 & Self::of(header).0 != 0
    }
}

/// A field that a key looks at.
#[derive(Debug, Clone)]
struct Field {
    /// In its one spelling.
    text: Arc<str>,
    /// Of its values.
    kind: Kind,
    uses: Uses,
}

impl Field {
    fn new(text: String, header: &str) -> Self {
        Self { kind: Kind::of_key(&text), uses: Uses::of(header), text: text.into() }
    }
}

/// Fields of one word or two that were read before: most rules ask for the same, and share their names.
#[derive(Debug, Default)]
pub(in crate::state::nft) struct Keys {
    /// Each at a number made from its words, with the length of the first one; another one with the same number takes its
    /// place. Nothing before the first.
    fields: Vec<Option<(usize, Field)>>,
}

impl Keys {
    const ROOM: usize = 64;

    /// The place of a field by its words, of which the second one may be empty.
    fn place(first: &str, second: &str) -> usize {
        let begin = |word: &str| word.bytes().next().map_or(0, usize::from);
        // So that the keys of most rules have numbers of their own.
        (first.len() * 61 + begin(first) * 14 + second.len() * 28 + begin(second) * 12) % Self::ROOM
    }

    /// A field that was read before.
    fn known(&self, first: &str, second: &str) -> Option<&Field> {
        let (length, known) = self.fields.get(Self::place(first, second))?.as_ref()?;
        let behind = known.text.strip_prefix(first).filter(|_| *length == first.len())?;
        let same = if second.is_empty() { behind.is_empty() } else { behind.strip_prefix(' ') == Some(second) };
        same.then_some(known)
    }

    /// A field by its words.
    fn field(&mut self, first: &str, second: &str, header: &str) -> Field {
        if let Some(known) = self.known(first, second) {
            return known.clone();
        }
        let blank = if second.is_empty() { "" } else { " " };
        let field = Field::new([first, blank, second].concat(), header);
        self.fields.resize_with(Self::ROOM, || None);
        if let Some(place) = self.fields.get_mut(Self::place(first, second)) {
            *place = Some((first.len(), field.clone()));
        }
        field
    }
}

/// What the values of a key's parts are.
#[derive(Debug, Clone)]
enum Kinds {
    One([Kind; 1]),
    More(Vec<Kind>),
}

/// What is looked at.
#[derive(Debug, Clone)]
pub(super) struct Key<'a, 't> {
    /// In its one spelling, without the mask.
    pub text: Arc<str>,
    kinds: Kinds,
    /// The mask of a single field.
    pub mask: Option<&'a [Token<'t>]>,
    pub uses: Uses,
}

impl Key<'_, '_> {
    /// Of each part's values.
    pub(super) const fn kinds(&self) -> &[Kind] {
        match &self.kinds {
            Kinds::One(kind) => kind,
            Kinds::More(kinds) => kinds.as_slice(),
        }
    }

    /// The kind of its values, where it has one part.
    pub(super) fn kind(&self) -> Kind {
        match self.kinds() {
            [kind] => *kind,
            _ => Kind::Plain,
        }
    }

    /// With the mask.
    pub(super) fn whole(&self) -> Arc<str> {
        let kind = self.kind();
        self.mask.map_or_else(
            || Arc::clone(&self.text),
            |mask| format!("{} & {}", self.text, Part::read(kind, mask).show(kind)).into(),
        )
    }

    /// One more part.
    fn join(&mut self, field: &Field) {
        self.text = format!("{} . {}", self.text, field.text).into();
        self.uses = self.uses.and(field.uses);
        self.kinds = Kinds::More(self.kinds().iter().copied().chain([field.kind]).collect());
    }
}

/// Metadata that nft lists without `meta`.
fn is_listed_bare(word: &str) -> bool {
    matches!(word, "iif" | "oif" | "iifname" | "oifname" | "iifgroup" | "oifgroup")
}

/// Metadata that it takes without `meta`, and lists with it.
fn is_short(word: &str) -> bool {
    matches!(
        word,
        "mark"
            | "iiftype"
            | "oiftype"
            | "skuid"
            | "skgid"
            | "nftrace"
            | "rtclassid"
            | "ibrname"
            | "obrname"
            | "pkttype"
            | "cpu"
            | "cgroup"
            | "time"
            | "day"
            | "hour"
            | "random"
    )
}

/// What begins keys of two words.
fn begins_pair(word: &str) -> bool {
    matches!(
        word,
        "ip" | "ip6"
            | "tcp"
            | "udp"
            | "icmp"
            | "icmpv6"
            | "th"
            | "ether"
            | "vlan"
            | "arp"
            | "sctp"
            | "dccp"
            | "udplite"
            | "esp"
            | "ah"
            | "comp"
            | "igmp"
            | "ct"
            | "rt"
            | "socket"
            | "exthdr"
            | "frag"
            | "hbh"
            | "mh"
            | "dst"
            | "srh"
            | "meta"
    )
}

/// Fields of options of TCP and of IPv4.
const OPTION_FIELDS: &[&str] =
    &["size", "count", "left", "right", "kind", "length", "tsval", "tsecr", "type", "ptr", "addr", "value"];

/// A key, if one comes next.
pub(super) fn read<'a, 't>(cursor: &mut Cursor<'a, 't>, keys: &mut Keys) -> Option<Key<'a, 't>> {
    let mut ahead = *cursor;
    let Field { text, kind, uses } = field(&mut ahead, keys)?;
    let mut key = Key { text, kinds: Kinds::One([kind]), mask: None, uses };
    operations(&mut ahead, &mut key);
    while ahead.take(&["."]) {
        key.join(&field(&mut ahead, keys)?);
        operations(&mut ahead, &mut key);
    }
    *cursor = ahead;
    Some(key)
}

/// Masks and shifts behind a field: a single mask apart, all else as a part of the key.
fn operations<'a, 't>(cursor: &mut Cursor<'a, 't>, key: &mut Key<'a, 't>) {
    let kind = key.kinds().last().copied().unwrap_or(Kind::Plain);
    let operator = |word: &str| {
        Some(match word {
            "&" | "and" => "&",
            "|" | "or" => "|",
            "^" | "xor" => "^",
            "<<" | "lshift" => "<<",
            ">>" | "rshift" => ">>",
            _ => return None,
        })
    };
    while let Some(sign) = operator(cursor.bare(0)) {
        cursor.skip(1);
        let operand = operand(cursor);
        if let Some(mask) = key.mask.take() {
            key.text = format!("{} & {}", key.text, Part::read(kind, mask).show(kind)).into();
        }
        let more = operator(cursor.bare(0)).is_some() || cursor.bare(0) == ".";
        if sign == "&" && key.kinds().len() == 1 && !more {
            key.mask = Some(operand);
        } else {
            key.text = format!("{} {sign} {}", key.text, Part::read(kind, operand).show(kind)).into();
        }
    }
}

/// One value, or what stands between parentheses.
pub(super) fn operand<'a, 't>(cursor: &mut Cursor<'a, 't>) -> &'a [Token<'t>] {
    if cursor.take(&["("]) {
        let inside = cursor.until(|token| token.is(")"));
        cursor.skip(1);
        return inside;
    }
    let rest = cursor.rest();
    cursor.skip(1);
    rest.get(..1).unwrap_or_default()
}

/// One field.
fn field(cursor: &mut Cursor<'_, '_>, keys: &mut Keys) -> Option<Field> {
    let first = cursor.bare(0);
    if is_listed_bare(first) {
        cursor.skip(1);
        return Some(keys.field(first, "", ""));
    }
    let second = cursor.bare(1);
    // Of two words, as most are.
    if !second.is_empty()
        && let Some(known) = keys.known(first, second)
    {
        cursor.skip(2);
        return Some(known.clone());
    }
    if is_short(first) {
        cursor.skip(1);
        return Some(keys.field("meta", first, ""));
    }
    let (text, header) = match (first, second) {
        _ if first.starts_with('@') => (raw(cursor)?, ""),
        _ if !second.starts_with(|c: char| c.is_ascii_alphanumeric()) => return None,
        ("meta", name) if is_listed_bare(name) => {
            cursor.skip(2);
            return Some(keys.field(name, "", ""));
        }
        ("tcp" | "ip", "option") | ("sctp", "chunk") => {
            let count = if OPTION_FIELDS.contains(&cursor.bare(3)) { 4 } else { 3 };
            (words(cursor, count), first)
        }
        ("arp", "saddr" | "daddr") => (words(cursor, 3), first),
        ("ct", "original" | "reply") if ["ip", "ip6"].contains(&cursor.bare(2)) => (words(cursor, 4), ""),
        ("ct", "original" | "reply") => (words(cursor, 3), ""),
        ("ct" | "rt", "ip" | "ip6") => (words(cursor, 3), ""),
        ("osf", "ttl") => (words(cursor, 4), ""),
        ("osf", _) => (words(cursor, 2), ""),
        ("socket", "cgroupv2") => (words(cursor, 4), ""),
        ("fib", _) => (up_to(cursor, &["type", "oif", "oifname"])?, ""),
        ("numgen" | "jhash" | "symhash", _) => {
            let mut text = up_to(cursor, &["mod"])?;
            text.extend([" ", cursor.text()?]);
            for option in ["seed", "offset"] {
                if cursor.take(&[option]) {
                    let number = cursor.text()?;
                    if number != "0" {
                        text.extend([" ", option, " ", number]);
                    }
                }
            }
            (text, "")
        }
        (header, name) if begins_pair(header) => {
            cursor.skip(2);
            return Some(keys.field(header, name, header));
        }
        (_, _) => return None,
    };
    Some(Field::new(text, header))
}

/// Some words, with a blank between.
fn words(cursor: &mut Cursor<'_, '_>, count: usize) -> String {
    let text = join(cursor.rest().get(..count).unwrap_or(cursor.rest()));
    cursor.skip(count);
    text
}

/// How many words such a key has at most.
const FAR: usize = 32;

/// Words up to one of these, which belongs to them.
fn up_to(cursor: &mut Cursor<'_, '_>, last: &[&str]) -> Option<String> {
    let at = cursor.rest().iter().take(FAR).position(|token| last.iter().any(|word| token.is(word)))?;
    Some(words(cursor, at + 1))
}

/// `@th,16,16`.
fn raw(cursor: &mut Cursor<'_, '_>) -> Option<String> {
    let (base, offset, length) = (cursor.bare(0), cursor.bare(2), cursor.bare(4));
    let is_raw = cursor.bare(1) == "," && cursor.bare(3) == "," && !length.is_empty();
    is_raw.then(|| {
        cursor.skip(5);
        format!("{base},{offset},{length}")
    })
}
