//! Patterns of keys, as glob(7) has them: `*`, `?` and `[…]` within one part of the path.
//!
//! Both programs look patterns up below `/proc/sys`, so none of these stands for a separator.

/// Whether a key is a pattern.
pub(super) fn is_pattern(key: &str) -> bool {
    key.contains(['*', '?', '['])
}

/// Whether a pattern stands for a key; both in dotted form.
pub(super) fn matches(pattern: &str, key: &str) -> bool {
    let (mut pattern, mut key) = (pattern.split('.'), key.split('.'));
    loop {
        match (pattern.next(), key.next()) {
            (None, None) => return true,
            (Some(pattern), Some(key)) if part(pattern, key) => {}
            (Some(_) | None, Some(_) | None) => return false,
        }
    }
}

/// One part. Goes back to the last `*` only, which is enough: an earlier one can take nothing that the last cannot.
fn part(pattern: &str, text: &str) -> bool {
    let (mut rest, mut left) = (pattern, text);
    let mut again: Option<(&str, &str)> = None;
    loop {
        if let Some(after) = rest.strip_prefix('*') {
            rest = after;
            again = Some((after, left));
            continue;
        }
        let step = match left.chars().next() {
            None if rest.is_empty() => return true,
            None => return false,
            Some(next) => one(rest, next).map(|after| (after, left.split_at(next.len_utf8()).1)),
        };
        if let Some((after, behind)) = step {
            (rest, left) = (after, behind);
            continue;
        }
        let Some((after, from)) = again else { return false };
        let mut characters = from.chars();
        if characters.next().is_none() {
            return false;
        }
        (rest, left) = (after, characters.as_str());
        again = Some((after, left));
    }
}

/// What follows the pattern's first element, if that stands for the character.
fn one(pattern: &str, character: char) -> Option<&str> {
    let mut rest = pattern.chars();
    match rest.next()? {
        '?' => Some(rest.as_str()),
        '[' => match bracket(rest.as_str()) {
            Some((negated, listed, after)) => (among(listed, character) != negated).then_some(after),
            None => (character == '[').then_some(rest.as_str()),
        },
        '\\' => {
            let literal = rest.next()?;
            (literal == character).then_some(rest.as_str())
        }
        literal => (literal == character).then_some(rest.as_str()),
    }
}

/// Behind a `[`: whether it negates, what it lists, what follows the `]`; none where it is not closed. A `]` that comes
/// first is listed.
fn bracket(text: &str) -> Option<(bool, &str, &str)> {
    let (negated, text) = match text.strip_prefix(['!', '^']) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let first = text.chars().next()?.len_utf8();
    let end = text.char_indices().find(|(at, c)| *at >= first && *c == ']').map(|(at, _)| at)?;
    let (listed, rest) = text.split_at(end);
    Some((negated, listed, rest.split_at(1).1))
}

fn among(listed: &str, character: char) -> bool {
    let mut left = listed.chars();
    while let Some(first) = left.next() {
        let mut ahead = left.clone();
        if let (Some('-'), Some(last)) = (ahead.next(), ahead.next()) {
            left = ahead;
            if (first..=last).contains(&character) {
                return true;
            }
        } else if first == character {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stay_within_a_part() {
        for (pattern, key, expected) in [
            ("net.ipv4.conf.*.rp_filter", "net.ipv4.conf.eth0.rp_filter", true),
            ("net.ipv4.conf.*.rp_filter", "net.ipv4.conf.eth0/1.rp_filter", true),
            ("net.ipv4.*.rp_filter", "net.ipv4.conf.eth0.rp_filter", false),
            ("net.ipv4.conf.*", "net.ipv4.conf.eth0.rp_filter", false),
            ("net.ipv4.conf.tap*i?.rp_filter", "net.ipv4.conf.tap100i0.rp_filter", true),
            ("net.ipv4.conf.tap*i?.rp_filter", "net.ipv4.conf.tap100i10.rp_filter", false),
            ("net.ipv4.conf.[!l]*.x", "net.ipv4.conf.lo.x", false),
            ("net.ipv4.conf.[a-e]th[0-1].x", "net.ipv4.conf.eth1.x", true),
            ("net.ipv4.conf.[]x]o.x", "net.ipv4.conf.]o.x", true),
            ("a.b[c", "a.b[c", true),
            ("a.*x*x*x", "a.xyxyx", true),
            ("a.*", "a.", true),
            ("a.?", "a.", false),
            ("a.ö?", "a.öß", true),
            ("a.\\", "a.x", false),
        ] {
            assert_eq!(matches(pattern, key), expected, "{pattern} {key}");
        }
    }
}
