//! Changes of a file that fwc wrote: a few lines of one chain, broken on purpose.
//!
//! In: the files of a host, an edit. Out: the files with it. Promise: an edit that finds nothing to change is an error,
//! so that no mutation is ever tried that changes nothing.

use std::collections::BTreeMap;

/// Files, by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// `iptables.rules`.
    V4,
    /// `ip6tables.rules`.
    V6,
    /// Both of them, each of which must change.
    Both,
    /// `ebtables.rules`.
    Frames,
    /// `fwc.nft`.
    Nft,
}

impl File {
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::V4 => &["iptables.rules"],
            Self::V6 => &["ip6tables.rules"],
            Self::Both => &["iptables.rules", "ip6tables.rules"],
            Self::Frames => &["ebtables.rules"],
            Self::Nft => &["fwc.nft"],
        }
    }
}

/// What happens to the lines that hold `line`, within one chain.
#[derive(Debug, Clone, Copy)]
pub struct Edit {
    file: File,
    /// `INPUT`; in `fwc.nft` with its table, `inet input`; sets and maps are named alike.
    chain: &'static str,
    line: &'static str,
    change: Change,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Without,
    Instead(&'static str, &'static str),
    Before(&'static str),
    Also(&'static str),
}

/// Leaves the lines out.
pub const fn without(file: File, chain: &'static str, line: &'static str) -> Edit {
    Edit { file, chain, line, change: Change::Without }
}

/// Puts one text in the place of another.
pub const fn instead(
    file: File,
    chain: &'static str,
    line: &'static str,
    old: &'static str,
    new: &'static str,
) -> Edit {
    Edit { file, chain, line, change: Change::Instead(old, new) }
}

/// Moves the lines up, before the first that holds `first`.
pub const fn before(file: File, chain: &'static str, line: &'static str, first: &'static str) -> Edit {
    Edit { file, chain, line, change: Change::Before(first) }
}

/// Adds a line before the first that fits.
pub const fn also(file: File, chain: &'static str, line: &'static str, new: &'static str) -> Edit {
    Edit { file, chain, line, change: Change::Also(new) }
}

impl Edit {
    /// Makes the change.
    pub fn apply(&self, files: &mut BTreeMap<String, String>) -> Result<(), String> {
        for name in self.file.names() {
            let text = files.get_mut(*name).ok_or_else(|| format!("fwc wrote no {name}"))?;
            let changed = self.changed(text);
            if changed == *text {
                return Err(format!("nothing to change in {name}: {self:?}"));
            }
            *text = changed;
        }
        Ok(())
    }

    fn changed(&self, text: &str) -> String {
        let mut lines: Vec<(String, &str)> = chains(text);
        let fits = |(chain, line): &(String, &str), wanted: &str| chain == self.chain && line.contains(wanted);
        let text = |lines: Vec<(String, &str)>| lines.into_iter().map(|(_, line)| format!("{line}\n")).collect();
        match self.change {
            Change::Without => {
                lines.retain(|line| !fits(line, self.line));
                text(lines)
            }
            Change::Instead(old, new) => lines
                .iter()
                .map(|line| {
                    let new = if fits(line, self.line) { line.1.replace(old, new) } else { line.1.to_owned() };
                    format!("{new}\n")
                })
                .collect(),
            Change::Before(first) => {
                let (moved, mut rest): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| fits(line, self.line));
                if let Some(at) = rest.iter().position(|line| fits(line, first)) {
                    rest.splice(at..at, moved);
                }
                text(rest)
            }
            Change::Also(new) => {
                if let Some(at) = lines.iter().position(|line| fits(line, self.line)) {
                    lines.insert(at, (String::new(), new));
                }
                text(lines)
            }
        }
    }
}

/// Every line with the chain that it stands in.
fn chains(text: &str) -> Vec<(String, &str)> {
    let (mut table, mut chain) = (String::new(), String::new());
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("-A ") {
            chain = rest.split(' ').next().unwrap_or_default().to_owned();
        } else if let Some(rest) = line.strip_prefix("table ") {
            table = rest.split(' ').next().unwrap_or_default().to_owned();
        } else if let Some(name) = line.strip_prefix('\t').and_then(|line| line.strip_suffix(" {"))
            && !name.starts_with('\t')
        {
            chain = format!("{table} {}", name.split(' ').nth(1).unwrap_or_default());
        } else if line == "\t}" {
            chain.clear();
        }
        found.push((chain.clone(), line));
    }
    found
}
