//! Every file that fwc writes: read without a rest, and different as soon as a word is another one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Every file that fwc writes for `iptables-restore` and its kin.
fn files() -> Vec<(String, String, Program)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(&root.join("golden"), &mut paths);
    let programs = [
        ("iptables.rules", Program::Iptables),
        ("ip6tables.rules", Program::Ip6tables),
        ("ebtables.rules", Program::Ebtables),
    ];
    let file = |path: &PathBuf| {
        let (_, program) = programs.into_iter().find(|(name, _)| path.ends_with(name))?;
        Some((path.display().to_string(), fs::read_to_string(path).unwrap(), program))
    };
    let found: Vec<_> = paths.iter().filter_map(file).collect();
    assert!(found.len() > 20, "the examples have more files");
    found
}

#[test]
fn every_file_is_read_without_a_rest() {
    for (name, text, program) in files() {
        let found = read(FileId(0), &text, program);
        assert_eq!(found.unread, [], "{name}");
        assert_eq!(found.rule_count(), text.lines().filter(|line| line.starts_with("-A")).count(), "{name}");
    }
}

/// What each line of rules says, by the place where it begins: table, chain and rule.
fn by_line(text: &str, program: Program) -> BTreeMap<usize, (String, String, Rule)> {
    let mut starts = BTreeMap::new();
    let mut at = 0;
    for (number, line) in text.split('\n').enumerate() {
        starts.insert(at, number);
        at += line.len() + 1;
    }
    let mut found = BTreeMap::new();
    for (table, content) in read(FileId(0), text, program).tables {
        for (chain, content) in content.chains {
            for mut rule in content.rules {
                let number = starts[&(std::mem::take(&mut rule.span).start as usize)];
                found.insert(number, (table.to_string(), chain.to_string(), rule));
            }
        }
    }
    found
}

/// Another number, where there is one.
fn other_number(word: &str) -> Option<String> {
    let at = word.rfind(|c: char| c.is_ascii_digit())?;
    let digit = u32::from(word.as_bytes()[at] - b'0');
    Some(format!("{}{}{}", &word[..at], (digit + 1) % 10, &word[at + 1..]))
}

/// A longer word; what is in quotes stays there.
fn longer(word: &str) -> Option<String> {
    match word.strip_suffix('"').filter(|head| !head.is_empty()) {
        Some(head) => Some(format!("{head}x\"")),
        None => Some(format!("{word}x")),
    }
}

/// Nothing is swallowed: a word that is another one, or is missing, makes another rule, or one that cannot be read.
#[test]
fn every_word_of_every_rule_counts() {
    type Mutation = fn(&str) -> Option<String>;
    let mutations: [(&str, Mutation); 3] =
        [("another number", other_number), ("longer", longer), ("missing", |_| Some(String::new()))];
    for (name, text, program) in files() {
        let meant = by_line(&text, program);
        for (what, mutation) in mutations {
            for position in 0.. {
                let mut touched = Vec::new();
                let mut changed = String::new();
                for (number, line) in text.lines().enumerate() {
                    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
                    let word = words.get_mut(position).filter(|_| line.starts_with("-A"));
                    if let Some((word, other)) = word.and_then(|word| Some((mutation(word)?, word))) {
                        *other = word;
                        touched.push(number);
                    }
                    changed += &words.join(" ");
                    changed.push('\n');
                }
                if touched.is_empty() && text.lines().all(|line| line.split(' ').count() <= position) {
                    break;
                }
                let found = by_line(&changed, program);
                for number in touched {
                    let line = changed.lines().nth(number).unwrap();
                    assert_ne!(found.get(&number), meant.get(&number), "{name}: {what}, word {position} of `{line}`");
                }
            }
        }
    }
}

/// Tables, chains and the ends of tables.
#[test]
fn every_other_line_counts() {
    for (name, text, program) in files() {
        // One rule of each chain will do.
        let chain = |line: &str| line.starts_with("-A").then(|| line.split(' ').nth(1).map(str::to_owned));
        let mut lines: Vec<&str> = text.lines().collect();
        lines.dedup_by(|second, first| chain(first).is_some() && chain(first) == chain(second));
        let meant = ruleset(&(lines.join("\n") + "\n"), program);
        for (number, line) in lines.iter().enumerate() {
            if line.starts_with("-A") || line.starts_with('#') {
                continue;
            }
            let words: Vec<&str> = line.split(' ').collect();
            for (position, word) in words.iter().enumerate().filter(|(_, word)| !word.starts_with('[')) {
                let mut words = words.clone();
                let longer = format!("{word}x");
                words[position] = &longer;
                let mut lines = lines.clone();
                let changed = words.join(" ");
                lines[number] = &changed;
                assert_ne!(ruleset(&(lines.join("\n") + "\n"), program), meant, "{name}: {changed}");
            }
            if program == Program::Ebtables && *line == "COMMIT" {
                // Its programs write none.
                continue;
            }
            let mut lines = lines.clone();
            lines.remove(number);
            assert_ne!(ruleset(&(lines.join("\n") + "\n"), program), meant, "{name}: without {line}");
        }
    }
}

/// The parts of a rule that may stand in any order: options, and modules with theirs.
fn groups(rule: &str) -> Vec<Vec<&str>> {
    let mut found: Vec<Vec<&str>> = Vec::new();
    let mut module = false;
    let mut quoted = false;
    for word in rule.split(' ') {
        let begins = !quoted && (word == "-m" || word.starts_with('-') && !word.starts_with("--"));
        let negation = word == "!" && !module;
        let continues = found.last().is_some_and(|last| last.last() == Some(&"!"));
        if (begins || negation || found.is_empty()) && !continues {
            found.push(Vec::new());
            module = word == "-m";
        }
        found.last_mut().unwrap().push(word);
        quoted ^= word.matches('"').count() % 2 == 1;
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_tests_means_nothing(seed in any::<u64>()) {
        let mut state = seed | 1;
        let mut random = move || { state ^= state << 13; state ^= state >> 7; state ^= state << 17; state };
        for (name, text, program) in files() {
            if program == Program::Ebtables {
                continue;
            }
            let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("-A")).collect();
            for _ in 0..8 {
                let line = lines[usize::try_from(random() % lines.len() as u64).unwrap()];
                let (chain, rest) = line[3..].split_once(' ').unwrap();
                let mut parts = groups(rest);
                // Those that count stay where they are: behind the others.
                let counted = |part: &Vec<&str>| part.get(1).is_some_and(|name| name.ends_with("limit"));
                let meters: Vec<Vec<&str>> = parts.iter().filter(|part| counted(part)).cloned().collect();
                parts.retain(|part| !counted(part));
                for at in (1..parts.len()).rev() {
                    parts.swap(at, usize::try_from(random() % (at as u64 + 1)).unwrap());
                }
                let shuffled: Vec<String> = parts.iter().chain(&meters).map(|part| part.join(" ")).collect();
                let shuffled = shuffled.join(" ");
                let read = |rule: &str| ruleset(&format!("*t\n:{chain} -\n-A {chain} {rule}\nCOMMIT\n"), program);
                prop_assert_eq!(read(rest), read(&shuffled), "{}: {}", name, shuffled);
            }
        }
    }

    #[test]
    fn no_text_is_too_odd(text in any::<String>(), parts in proptest::collection::vec(part(), 0..40)) {
        for text in [text, parts.join(" "), format!("*filter\n-A c {}", parts.join(" ")), parts.concat()] {
            for program in [Program::Iptables, Program::Ip6tables, Program::Ebtables] {
                let found = read(FileId(0), &text, program);
                for unread in found.unread {
                    let (start, len) = (unread.span.start as usize, unread.span.len as usize);
                    prop_assert!(text.get(start..start + len).is_some());
                }
            }
        }
    }
}

/// Words and signs that the reader looks for.
fn part() -> impl Strategy<Value = String> {
    let known: Vec<String> = options::table(Program::Iptables)
        .iter()
        .chain(options::table(Program::Ebtables))
        .map(|known| known.name)
        .chain([
            "\n",
            "*filter\n",
            ":c -\n",
            "COMMIT\n",
            "-A",
            "c",
            "!",
            "-m",
            "-j",
            "-g",
            "\"",
            "\\",
            "[1:2]",
            "-c",
            "limit",
            "set",
            "tcp",
            "-p",
            "10.0.0.0/8",
            "::/0",
            "0x",
            "0/0",
            "1:2",
            "ffff",
            "10/min",
            "0/sec",
            "LOG",
            "MARK",
            "REJECT",
            "-I",
            "-P",
            "-N",
            "-X",
            "-F",
            "recent",
            "hashlimit",
            "ü",
            "99999999999999999999",
            "a-b",
            ",",
            "-",
            "--",
            "-4",
            "-6",
            "/",
        ])
        .map(str::to_owned)
        .collect();
    prop_oneof![proptest::sample::select(known), any::<String>()]
}
