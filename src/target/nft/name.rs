//! Names that nft takes: sets, maps and chains.
//!
//! In: words of the spec. Out: identifiers of letters, digits, `-`, `_` and `.` that begin with one of
//! our own prefixes, so that no keyword and no other syntax can come of a name.

use sha2::{Digest, Sha256};

/// Longer names are shortened with a hash (the kernel takes 255 bytes).
const LONGEST: usize = 120;

/// The first `digits` (at most 64) hexadecimal digits of a text's SHA-256.
pub(super) fn hash(text: &str, digits: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(digits);
    hex
}

/// `words`, joined by dashes; what nft does not take becomes a dash, and a hash then keeps names apart.
pub(super) fn name(words: &[&str]) -> String {
    let joined = words.join("-");
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let text: String = joined.chars().map(|c| if safe(c) { c } else { '-' }).collect();
    // A slash is our own (`host/pm1/guests`), and turns into a dash without loss.
    let changed = joined.chars().any(|c| !safe(c) && c != '/');
    if !changed && text.len() <= LONGEST {
        return text;
    }
    let short: String = text.chars().take(LONGEST - 9).collect();
    format!("{short}-{}", hash(&joined, 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_and_stay_apart() {
        assert_eq!(name(&["group", "web", "in"]), "group-web-in");
        assert_eq!(name(&["zone/web-tier", "in"]), "zone-web-tier-in");
        let bad = name(&["group", "a\" } drop", "in"]);
        assert!(bad.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{bad}");
        assert_ne!(name(&["group", "a b"]), name(&["group", "a;b"]));
        let long = "x".repeat(300);
        assert!(name(&[&long]).len() <= LONGEST);
        assert_ne!(name(&[&long]), name(&[&format!("{long}y")]));
    }
}
