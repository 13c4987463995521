//! What words of a rule can become.

use std::net::IpAddr;

/// The words of a line; what stands between quotes is one.
pub fn words(line: &str) -> Vec<&str> {
    let mut quoted = false;
    line.split(|character| {
        quoted ^= character == '"';
        character == ' ' && !quoted
    })
    .collect()
}

/// The line with one word replaced, in all ways.
pub fn each(words: &[&str], others: impl Fn(usize) -> Vec<String>) -> Vec<String> {
    let mut found = Vec::new();
    for at in 0..words.len() {
        for other in others(at) {
            let mut words: Vec<&str> = words.to_vec();
            words[at] = &other;
            found.push(words.join(" "));
        }
    }
    found
}

/// Another verdict, of the last word.
pub fn verdict(words: &[&str], at: usize) -> Vec<String> {
    let others: &[&str] = match words[at].trim() {
        "DROP" => &["ACCEPT", "RETURN"],
        "ACCEPT" => &["DROP", "RETURN"],
        "RETURN" => &["DROP", "ACCEPT"],
        "drop" => &["accept", "return"],
        "accept" => &["drop", "return"],
        "return" => &["accept", "drop"],
        _ => &[],
    };
    let word = words[at];
    others.iter().filter(|_| at + 1 == words.len()).map(|other| word.replace(word.trim(), other)).collect()
}

/// One thing asked of another field, protocol or state.
pub fn fields(line: &str) -> Vec<String> {
    let pairs = [
        (" saddr ", " daddr "),
        (" -s ", " -d "),
        (" --dport ", " --sport "),
        (" --dports ", " --sports "),
        (" --src-range ", " --dst-range "),
        (" src ", " dst "),
        (" dport ", " sport "),
        ("tcp dport", "udp dport"),
        ("tcp sport", "udp sport"),
        ("-p tcp -m tcp --dport", "-p udp -m udp --dport"),
        ("-p tcp -m multiport", "-p udp -m multiport"),
        ("INVALID", "NEW"),
        ("invalid", "new"),
        ("established,related", "established"),
        ("ESTABLISHED,RELATED", "ESTABLISHED"),
        ("NEW,INVALID", "INVALID"),
        ("new,invalid", "new"),
        (" ! ", " "),
        (" != ", " "),
        ("nfproto ipv4", "nfproto ipv6"),
        ("protocol ip6 ", "protocol ip "),
        ("l4proto 6 ", "l4proto 17 "),
    ];
    let mut found = Vec::new();
    for (one, two) in pairs {
        let both = [(one, two), (two, one)];
        // A word that the other holds too is changed one way alone.
        for (from, to) in both.into_iter().filter(|(from, _)| from.trim().len() > 1 || *from == " ! ") {
            if line.contains(from) && !(to.contains(from) && line.contains(to)) {
                found.push(line.replacen(from, to, 1));
            }
        }
    }
    found.retain(|other| other != line);
    found
}

/// Another number, address or end of a range.
pub fn other_value(word: &str) -> Vec<String> {
    let network = |text: &str| -> Option<String> {
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let length: Option<u32> = length.and_then(|length| length.parse().ok());
        Some(
            match address.parse::<IpAddr>().ok()? {
                IpAddr::V4(address) => {
                    let bit = 1_u32.checked_shl(32 - length.unwrap_or(32)).unwrap_or(0);
                    std::net::Ipv4Addr::from(u32::from(address) ^ bit).to_string()
                }
                IpAddr::V6(address) => {
                    let bit = 1_u128.checked_shl(128 - length.unwrap_or(128)).unwrap_or(0);
                    std::net::Ipv6Addr::from(u128::from(address) ^ bit).to_string()
                }
            } + &length.map(|length| format!("/{length}")).unwrap_or_default(),
        )
    };
    if let Some(other) = network(word) {
        return vec![other];
    }
    if word.len() == 17 && word.matches(':').count() == 5 {
        let last = if word.ends_with('7') { "8" } else { "7" };
        return vec![format!("{}{last}", &word[..16])];
    }
    if word.contains(',') {
        let mut parts: Vec<&str> = word.split(',').collect();
        if parts.iter().all(|part| part.starts_with(|c: char| c.is_ascii_digit())) {
            parts.pop();
            return vec![parts.join(",")];
        }
        return Vec::new();
    }
    if let Some(hex) = word.strip_prefix("0x").and_then(|hex| u32::from_str_radix(hex, 16).ok()) {
        return vec![format!("{:#06x}", hex ^ 1)];
    }
    if let Ok(number) = word.parse::<u16>() {
        return vec![(number ^ 1).to_string()];
    }
    [wider_range(word, true), wider_range(word, false)].into_iter().flatten().collect()
}

/// `100-200` with another end.
pub fn wider_range(word: &str, more: bool) -> Option<String> {
    let sign = if word.contains('-') { '-' } else { ':' };
    let (first, last) = word.split_once(sign)?;
    if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
        let last = if more { last.checked_add(1)? } else { last.checked_sub(1)? };
        return (first < last).then(|| format!("{first}{sign}{last}"));
    }
    let (IpAddr::V4(first), IpAddr::V4(last)) = (first.parse().ok()?, last.parse().ok()?) else { return None };
    let last = if more { u32::from(last).checked_add(1)? } else { u32::from(last).checked_sub(1)? };
    (u32::from(first) < last).then(|| format!("{first}-{}", std::net::Ipv4Addr::from(last)))
}

/// A network or range that is greater or smaller.
pub fn resized(word: &str, more: bool) -> Vec<String> {
    let bare = word.trim_end_matches(',');
    let Some((address, length)) = bare.split_once('/') else { return wider_range(bare, more).into_iter().collect() };
    let (Ok(address), Ok(length)) = (address.parse::<IpAddr>(), length.parse::<u32>()) else { return Vec::new() };
    let width = if address.is_ipv4() { 32 } else { 128 };
    let length = if more { length.checked_sub(1) } else { Some(length + 1).filter(|length| *length <= width) };
    let Some(length) = length else { return Vec::new() };
    let mask = u128::MAX.checked_shl(width - length).unwrap_or(0);
    let address = match address {
        IpAddr::V4(address) => IpAddr::V4((u32::from(address) & mask as u32).into()),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & mask).into()),
    };
    vec![format!("{address}/{length}")]
}

/// Where the conditions of a rule stand.
pub fn conditions(words: &[&str], is_nft: bool) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for at in 0..words.len() {
        let word = words[at].trim();
        let next = words.get(at + 1).copied().unwrap_or_default();
        let asked = if is_nft {
            let value = |of: usize| if words.get(at + of) == Some(&"!=") { of + 2 } else { of + 1 };
            match (word, next) {
                ("ip" | "ip6", "saddr" | "daddr") if at == 0 || words[at - 1] != "." => Some(value(2)),
                ("tcp" | "udp", "dport" | "sport") | ("ct", "state") | ("icmp" | "icmpv6", "type" | "code") => {
                    Some(value(2))
                }
                ("meta", "nfproto" | "l4proto" | "protocol") => Some(value(2)),
                ("iifname" | "oifname", value) if value.starts_with('"') => Some(2),
                ("iifname", ".") => Some(if word == "iifname" && words.get(at + 4) == Some(&"!=") { 6 } else { 5 }),
                ("tcp", "flags") => Some(6),
                _ => None,
            }
        } else {
            let pair =
                ["-s", "-d", "-i", "-o", "--dport", "--sport", "--dports", "--sports", "--physdev-in", "--physdev-out"];
            match (word, next) {
                (word, _) if pair.contains(&word) => Some(2),
                ("-m", "conntrack" | "iprange" | "mac" | "mark" | "set" | "physdev") => {
                    let end = words[at..].iter().position(|word| ["-j", "-g"].contains(word));
                    let next = words[at + 1..].iter().position(|word| ["-m", "-p", "-j", "-g"].contains(word));
                    end.and(next).map(|next| next + 1)
                }
                _ => None,
            }
        };
        let start = if !is_nft && at > 0 && words[at - 1] == "!" { at - 1 } else { at };
        found.extend(asked.map(|count| (start, at + count)).filter(|(_, end)| *end < words.len()));
    }
    found
}

/// Another chain for one that is called.
pub fn other_chain(words: &[&str], at: usize, chains: &[&str]) -> Vec<String> {
    let called = at > 0 && ["-j", "-g", "goto", "jump"].contains(&words[at - 1].trim());
    let word = words[at].trim_end_matches(',');
    let tail = &words[at][word.len()..];
    let others = chains.iter().filter(|name| **name != word);
    if called && chains.contains(&word) { others.map(|name| format!("{name}{tail}")).collect() } else { Vec::new() }
}

/// Going to a chain for calling it, and the other way round.
pub fn other_call(words: &[&str], at: usize, chains: &[&str]) -> Vec<String> {
    let leads = words.get(at + 1).is_some_and(|name| chains.contains(name));
    let other = match words[at].trim() {
        "-j" if leads => "-g",
        "-g" if leads => "-j",
        "goto" if leads => "jump",
        "jump" if leads => "goto",
        _ => return Vec::new(),
    };
    vec![words[at].replace(words[at].trim(), other)]
}

/// No line in the log, or one of another level.
pub fn logs(line: &str) -> Vec<String> {
    if ![" log prefix", "-j NFLOG", "-j LOG"].iter().any(|words| line.contains(words)) {
        return Vec::new();
    }
    let levels = [
        (":6:", ":5:"),
        (":4:", ":6:"),
        (":5:", ":6:"),
        (":7:", ":3:"),
        ("level 6", "level 5"),
        ("level info", "level warn"),
    ];
    let mut found = vec![String::new()];
    found.extend(
        levels.into_iter().filter(|(from, _)| line.contains(from)).map(|(from, to)| line.replacen(from, to, 1)),
    );
    found
}

/// Another bit, of a mark.
pub fn bits(words: &[&str], at: usize) -> Vec<String> {
    let near = &words[at.saturating_sub(6)..at];
    let marks = near.iter().any(|word| word.trim() == "mark" || word.ends_with("mark"));
    if !marks || !words[at].starts_with("0x") {
        return Vec::new();
    }
    let (value, mask) = words[at].split_once('/').map_or((words[at], ""), |(value, mask)| (value, mask));
    let Ok(number) = u32::from_str_radix(&value[2..], 16) else { return Vec::new() };
    let tail = if mask.is_empty() { String::new() } else { format!("/{mask}") };
    [0x8000_0000, 0x4000_0000, 0x2000_0000, 0x1000_0000]
        .iter()
        .map(|bit| format!("{:#x}{tail}", number ^ bit))
        .collect()
}
