//! Rules that others write: understood, or told as opaque; never a panic.

use std::fs;
use std::path::Path;

use crate::diagnostic::FileId;
use crate::state::ruleset::{Program, Ruleset};

use super::super::nft::Words;
use super::samples::Random;
use super::*;

const FILES: [(&str, Program); 3] =
    [("iptables.rules", Program::Iptables), ("ip6tables.rules", Program::Ip6tables), ("script.nft", Program::Nft)];

fn text(file: &str) -> String {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/corpus");
    fs::read_to_string(corpus.join(file)).expect("a file of the corpus")
}

fn read(program: Program, text: &str) -> Ruleset {
    match program {
        Program::Nft => crate::state::nft::read(FileId(0), text),
        Program::Iptables | Program::Ip6tables | Program::Ebtables => {
            crate::state::iptables::read(FileId(0), text, program)
        }
    }
}

/// Asks for all of a ruleset; gives how many rules there are, and how many are opaque.
fn all(program: Program, ruleset: &Ruleset) -> (usize, usize) {
    let (mut count, mut not) = (0, 0);
    each(ruleset, |family, table, rule| {
        let asked = asked(program, family, table, rule);
        if program == Program::Nft {
            let _ = Words::new(family, table).cases(rule);
        }
        (count, not) = (count + 1, not + usize::from(!opaque(&asked).is_empty()));
    });
    (count, not)
}

/// How many rules there are of those that the readers are tried with, and how many of them are not understood.
#[test]
fn most_rules_of_the_corpus_are_understood() {
    let found = FILES.map(|(file, program)| all(program, &read(program, &text(file))));
    assert_eq!(found, [(96, 28), (15, 1), (126, 37)]);
}

/// Words in other orders and words left out make no rule that panics, and a word that is not known stays opaque.
#[test]
fn no_rule_panics() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for (file, program) in FILES {
        let text = text(file);
        let lines: Vec<&str> = text.lines().collect();
        for _ in 0..100 {
            let mangled: Vec<String> = lines
                .iter()
                .map(|line| {
                    let mut words: Vec<&str> = line.split(' ').collect();
                    if words.len() > 3 && random.below(3) == 0 {
                        let (one, other) = (1 + random.below(words.len() - 1), 1 + random.below(words.len() - 1));
                        match random.below(3) {
                            0 => words.swap(one, other),
                            1 => drop(words.remove(one)),
                            _ => words.insert(one, words[other]),
                        }
                    }
                    words.join(" ")
                })
                .collect();
            all(program, &read(program, &mangled.join("\n")));
        }
    }
}
