//! One change of one line of a file of rules, as a wrong compiler or a careless hand would make it.

use std::collections::BTreeSet;

use fwc::target::OutputFile;

use crate::random::Random;
use crate::words::{
    bits, conditions, each, fields, logs, other_call, other_chain, other_value, resized, verdict, words,
};

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A rule is not there.
    Drop,
    /// A rule stands behind the next one.
    Swap,
    /// Another verdict.
    Verdict,
    /// Source for destination, one protocol or state for another.
    Field,
    /// A condition is not there, or holds for more.
    Widen,
    /// One more condition, or one that holds for less.
    Narrow,
    /// Another number, address or answer.
    Value,
    /// An element of a set is not there.
    ElementGone,
    /// An element of a set is another one.
    Element,
    /// An entry of a verdict map is not there.
    CaseGone,
    /// An entry of a verdict map is for another port, or leads elsewhere.
    Case,
    /// Another chain is called.
    Target,
    /// A chain is gone to and not called, or the other way round.
    Goto,
    /// No line in the log, or one of another level.
    Log,
    /// Another bit of the mark.
    Mark,
    /// Another port or interface.
    Port,
    /// The other policy of a chain.
    Policy,
    /// Another rate or burst of a limit for floods. (Those of lines in the log are not compared.)
    Limit,
}

pub const KINDS: [Kind; 18] = [
    Kind::Drop,
    Kind::Swap,
    Kind::Verdict,
    Kind::Field,
    Kind::Widen,
    Kind::Narrow,
    Kind::Value,
    Kind::ElementGone,
    Kind::Element,
    Kind::CaseGone,
    Kind::Case,
    Kind::Target,
    Kind::Goto,
    Kind::Log,
    Kind::Mark,
    Kind::Port,
    Kind::Policy,
    Kind::Limit,
];

/// A changed file.
#[derive(Debug, Clone)]
pub struct Mutation {
    /// Which file.
    pub path: String,
    /// What was done.
    pub what: String,
    /// The text.
    pub text: String,
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Rule,
    Policy,
    Element,
    Case,
    Other,
}

/// A file's lines, and the names that stand in it.
struct File<'f> {
    lines: Vec<&'f str>,
    /// What each line is, and the table it stands in.
    places: Vec<(Place, usize)>,
    /// The chains of each table.
    chains: Vec<Vec<&'f str>>,
    devices: Vec<String>,
    is_nft: bool,
    is_v6: bool,
}

const DEVICES: [&str; 8] = ["-i", "-o", "--physdev-in", "--physdev-out", "iifname", "oifname", "ibrname", "obrname"];

impl<'f> File<'f> {
    fn read(path: &str, text: &'f str) -> Self {
        let is_nft = path.ends_with(".nft");
        let mut file = Self {
            lines: text.lines().collect(),
            places: Vec::new(),
            chains: Vec::new(),
            devices: vec!["tap999i9".to_owned(), "lo".to_owned()],
            is_nft,
            is_v6: path.ends_with("ip6tables.rules"),
        };
        let mut block = "";
        for line in file.lines.clone() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if line.starts_with('*') || words.first() == Some(&"table") && line.ends_with('{') {
                file.chains.push(Vec::new());
            }
            if let [kind @ ("chain" | "set" | "map" | "ct"), .., "{"] = words.as_slice() {
                block = kind;
            }
            let chain = match words.as_slice() {
                ["chain", name, "{"] => Some(*name),
                [name, _, _] if name.starts_with(':') => Some(&name[1..]),
                _ => None,
            };
            if let (Some(chain), Some(chains)) = (chain, file.chains.last_mut()) {
                chains.push(chain);
            }
            let place = match (is_nft, block) {
                (false, _) if line.starts_with("-A ") => Place::Rule,
                (false, _) if line.starts_with(':') && words[1] != "-" => Place::Policy,
                (false, _) if line.starts_with("add ") => Place::Element,
                (false, _) => Place::Other,
                (true, "chain") if words.first() == Some(&"type") => Place::Policy,
                (true, "chain") if line.starts_with("\t\t") => Place::Rule,
                (true, "set") if line.starts_with("\t\t\t") => Place::Element,
                (true, "map") if line.starts_with("\t\t\t") => Place::Case,
                (true, _) => Place::Other,
            };
            file.places.push((place, file.chains.len()));
            for (at, word) in words.iter().enumerate() {
                let name = word.trim_matches(['"', ',']);
                let asked = at > 0 && DEVICES.contains(&words[at - 1]) && !["", "vmap", ".", "!="].contains(&name);
                let is_key = is_nft && place != Place::Rule && word.starts_with('"');
                if asked && !name.starts_with('@') || is_key {
                    file.devices.push(name.trim_end_matches(['+', '*']).to_owned());
                }
            }
        }
        file.devices.sort();
        file.devices.dedup();
        file
    }

    /// What a line can become.
    fn changed(&self, at: usize, kind: Kind) -> Vec<String> {
        let line = self.lines[at];
        let (place, table) = self.places[at];
        // Whatever stands behind is a comment.
        let (line, comment) = line.find(" comment \"").map_or((line, ""), |at| line.split_at(at));
        let empty: &[&str] = &[];
        let chains = table.checked_sub(1).and_then(|table| self.chains.get(table)).map_or(empty, Vec::as_slice);
        let words = words(line);
        let found = match (kind, place) {
            (Kind::Drop, Place::Rule) | (Kind::CaseGone, Place::Case) | (Kind::ElementGone, Place::Element) => {
                return vec![String::new()];
            }
            (Kind::Element, Place::Element) | (Kind::Value, Place::Rule) => each(&words, |at| self.value(&words, at)),
            (Kind::Case, Place::Case) => {
                each(&words, |at| if at == 0 { self.device(words[0]) } else { other_chain(&words, at, chains) })
            }
            (Kind::Verdict, Place::Rule) => each(&words, |at| verdict(&words, at)),
            (Kind::Field, Place::Rule) => fields(line),
            (Kind::Widen, Place::Rule) => self.wider(&words),
            (Kind::Narrow, Place::Rule) => self.narrower(line, &words),
            (Kind::Target, Place::Rule) => each(&words, |at| other_chain(&words, at, chains)),
            (Kind::Goto, Place::Rule) => each(&words, |at| other_call(&words, at, chains)),
            (Kind::Log, Place::Rule) => logs(line),
            (Kind::Mark, Place::Rule) => each(&words, |at| bits(&words, at)),
            (Kind::Port, Place::Rule) => each(&words, |at| {
                let asked = at > 0
                    && DEVICES.contains(&words[at - 1])
                    && !words[at].starts_with(['@', '.', '!'])
                    && words[at] != "vmap";
                if asked { self.device(words[at]) } else { Vec::new() }
            }),
            (Kind::Policy, Place::Policy) => each(&words, |at| match words[at] {
                "ACCEPT" => vec!["DROP".to_owned()],
                "DROP" => vec!["ACCEPT".to_owned()],
                "accept;" => vec!["drop;".to_owned()],
                "drop;" => vec!["accept;".to_owned()],
                _ => Vec::new(),
            }),
            (Kind::Limit, Place::Rule) if line.contains("hashlimit") || line.contains("limit rate over") => {
                each(&words, |at| match words[at].split_once('/') {
                    Some((rate, unit)) if rate.parse::<u32>().is_ok() => vec![format!("1{rate}/{unit}")],
                    _ if at > 0 && ["burst", "--hashlimit-burst"].contains(&words[at - 1]) => {
                        vec![format!("1{}", words[at])]
                    }
                    _ => Vec::new(),
                })
            }
            (_, _) => Vec::new(),
        };
        found.into_iter().map(|line| line + comment).collect()
    }

    fn device(&self, word: &str) -> Vec<String> {
        let old = word.trim().trim_matches('"');
        let others = self.devices.iter().filter(|name| *name != old);
        others.map(|name| word.replace(old, name)).collect()
    }

    /// Another number or address.
    fn value(&self, words: &[&str], at: usize) -> Vec<String> {
        let before = if at > 0 { words[at - 1] } else { "" };
        let unjudged = ["rate", "burst", "group", "priority", "--limit", "--limit-burst", "--nflog-group", "add"];
        let line_of_log = words.contains(&"log") || words.contains(&"NFLOG") || words.contains(&"LOG");
        let marks = words.contains(&"mark") || before.ends_with("mark");
        if unjudged.contains(&before) || line_of_log || marks || before.contains("hashlimit") {
            return Vec::new();
        }
        let word = words[at].trim_end_matches(',');
        let tail = &words[at][word.len()..];
        let mut found = other_value(word);
        if let ["reject", "with", ..] = words.get(words.len().saturating_sub(4)..).unwrap_or_default()
            && word == "port-unreachable"
        {
            found.push("host-unreachable".to_owned());
        }
        if before == "--reject-with" {
            let answers = if self.is_v6 {
                ["tcp-reset", "icmp6-port-unreachable"]
            } else {
                ["tcp-reset", "icmp-port-unreachable"]
            };
            found.extend(answers.into_iter().filter(|answer| *answer != word).map(str::to_owned));
        }
        found.into_iter().map(|word| word + tail).collect()
    }

    /// A condition less, or one that holds for more.
    fn wider(&self, words: &[&str]) -> Vec<String> {
        let mut found = each(words, |at| resized(words[at], true));
        let line = words.join(" ");
        for (start, end) in conditions(words, self.is_nft) {
            let kept = words[..start].iter().chain(&words[end..]);
            found.push(kept.copied().collect::<Vec<_>>().join(" "));
        }
        found.retain(|other| *other != line);
        found
    }

    /// A condition more, or one that holds for less.
    fn narrower(&self, line: &str, words: &[&str]) -> Vec<String> {
        let mut found = each(words, |at| resized(words[at], false));
        let more: &[&str] = match (self.is_nft, self.is_v6) {
            (true, _) => &[
                "ip saddr 10.0.0.0/8",
                "ct state new",
                "tcp sport 1-1023",
                "meta nfproto ipv4",
                "ip6 daddr 2001:db8::/32",
            ],
            (false, false) => &["-s 10.0.0.0/8", "-d 10.0.0.0/8", "-m conntrack --ctstate NEW", "! -i lo"],
            (false, true) => &["-s 2001:db8::/32", "-d 2001:db8::/32", "-m conntrack --ctstate NEW", "! -i lo"],
        };
        for condition in more {
            found.extend(if self.is_nft {
                let rule = line.trim_start();
                Some(format!("\t\t{condition} {rule}"))
                    .filter(|_| !(condition.contains("nfproto") && rule.contains("ether")))
            } else {
                let (chain, rest) = line[3..].split_once(' ').unwrap();
                Some(format!("-A {chain} {condition} {rest}"))
            });
        }
        found
    }
}

/// A change of one file, of a kind; none where there is nothing of that kind.
pub fn mutate(files: &[&OutputFile], kind: Kind, random: &mut Random) -> Option<Mutation> {
    let file = *random.pick(files);
    let read = File::read(&file.path, &file.content);
    let mut lines: Vec<String> = read.lines.iter().map(|line| (*line).to_owned()).collect();
    let places: Vec<usize> = (0..lines.len()).filter(|at| can(&read, *at, kind)).collect();
    if places.is_empty() {
        return None;
    }
    let at = *random.pick(&places);
    let old = lines[at].clone();
    let what = if kind == Kind::Swap {
        lines.swap(at, at + 1);
        format!("line {}: {old}\n    behind {}", at + 1, lines[at])
    } else {
        let new = random.pick(&read.changed(at, kind)).clone();
        let what = format!("line {}: {old}\n    to {new}", at + 1);
        lines[at] = new;
        what
    };
    lines.retain(|line| !line.is_empty());
    Some(Mutation { path: file.path.clone(), what, text: lines.join("\n") + "\n" })
}

fn can(file: &File<'_>, at: usize, kind: Kind) -> bool {
    if kind != Kind::Swap {
        return !file.changed(at, kind).is_empty();
    }
    let rule = |at: usize| file.places.get(at).is_some_and(|(place, _)| *place == Place::Rule);
    let chain = |at: usize| if file.is_nft { "" } else { file.lines[at].split(' ').nth(1).unwrap_or_default() };
    rule(at) && rule(at + 1) && chain(at) == chain(at + 1) && file.lines[at] != file.lines[at + 1]
}

/// The names of files that hold rules, of which one may be changed.
pub fn is_judged(path: &str) -> bool {
    let names: BTreeSet<&str> = ["iptables.rules", "ip6tables.rules", "fwc.nft", "ipset.rules"].into_iter().collect();
    path.rsplit('/').next().is_some_and(|name| names.contains(name))
}
