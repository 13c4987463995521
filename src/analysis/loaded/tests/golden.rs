//! What fwc writes is understood without a rest.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::FileId;
use crate::state::ruleset::{Program, Ruleset, Verdict};

use super::super::nft::{Cases, Words};
use super::*;

/// The folders of all hosts of `golden/`.
fn hosts() -> Vec<PathBuf> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let examples = fs::read_dir(golden).expect("golden/").map(|entry| entry.expect("an entry").path());
    let hosts = examples.flat_map(|example| fs::read_dir(example.join("hosts")).into_iter().flatten());
    hosts.map(|host| host.expect("an entry").path()).collect()
}

/// The rules of a host that are loaded by a program; none where it has no such file.
fn read(host: &Path, program: Program) -> Option<Ruleset> {
    let file = match program {
        Program::Iptables => "iptables.rules",
        Program::Ip6tables => "ip6tables.rules",
        Program::Nft => "fwc.nft",
        Program::Ebtables => "ebtables.rules",
    };
    let text = fs::read_to_string(host.join(file)).ok()?;
    if program == Program::Nft {
        return Some(crate::state::nft::read(FileId(0), &text));
    }
    let mut ruleset = crate::state::iptables::read(FileId(0), &text, program);
    if let Ok(sets) = fs::read_to_string(host.join("ipset.rules")) {
        let (sets, unread) = crate::state::ipset::read(FileId(0), &sets);
        assert_eq!(unread, []);
        for table in ruleset.tables.values_mut() {
            table.sets.extend(sets.iter().map(|(name, set)| (Arc::clone(name), set.clone())));
        }
    }
    Some(ruleset)
}

#[test]
fn nothing_is_opaque() {
    let mut counts = [0, 0, 0];
    for host in hosts() {
        for (at, program) in [Program::Iptables, Program::Ip6tables, Program::Nft].into_iter().enumerate() {
            let Some(ruleset) = read(&host, program) else { continue };
            assert_eq!(ruleset.unread, []);
            each(&ruleset, |family, table, rule| {
                let asked = asked(program, family, table, rule);
                assert!(opaque(&asked).is_empty(), "{}: `{rule}`: {asked:?}", host.display());
                let looked_up = matches!(rule.verdict, Verdict::Map { .. } | Verdict::Inline { .. });
                if program == Program::Nft {
                    let cases = Words::new(family, table).cases(rule);
                    assert_eq!(cases.is_some(), looked_up);
                    assert_ne!(cases, Some(Cases::Opaque), "`{rule}`");
                }
                counts[at] += 1;
            });
        }
    }
    assert!(counts.iter().all(|count| *count > 500), "golden/ has lost its rules: {counts:?}");
}
