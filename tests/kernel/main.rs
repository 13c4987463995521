//! The kernel as judge: every file of every example loads, twice, and reads back as it was meant.
//!
//! Needs root and the programs that `scripts/test` installs; where one is missing the tests fail.
//! Loads happen in network namespaces of their own. The bridge table of nftables, for which the running kernel may lack
//! statements, is loaded whole on a stock kernel, in the one boot that the target `judge` makes.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "every test target takes its own part")]
mod common;
mod drift;
#[path = "../../benches/support/gaps.rs"]
mod gaps;
mod hosts;
mod json;
mod loads;
mod namespace;
mod node;
mod script;
mod settings;
mod tables;
mod verify;

use std::fs;

/// Every kind of match and target, spelled differently from how the programs list it.
#[test]
fn a_corpus_reads_back() {
    let folder = common::root().join("tests/kernel/corpus");
    let tables = [
        ("iptables.rules", "iptables-legacy"),
        ("iptables.rules", "iptables-nft"),
        ("ip6tables.rules", "ip6tables-legacy"),
        ("ip6tables.rules", "ip6tables-nft"),
        ("ebtables.rules", "ebtables-nft"),
    ];
    for (file, program) in tables {
        let meant = tables::parse(&fs::read_to_string(folder.join(file)).expect("the corpus"), program);
        let listing = namespace::run(&folder, &format!("{program}-restore < {file}; {program}-save"));
        let found = tables::differences(&meant, &tables::parse(&listing, program));
        assert!(found.is_empty(), "{program}: {}", found.join("\n"));
    }
    let sets = fs::read_to_string(folder.join("ipset.rules")).expect("the corpus");
    let listing = namespace::run(&folder, "ipset restore < ipset.rules; ipset save");
    assert_eq!(tables::parse_sets(&sets), tables::parse_sets(&listing), "ipset");
    let meant = script::parse(&fs::read_to_string(folder.join("script.nft")).expect("the corpus"));
    // As text with more and less in it, and as JSON.
    for form in ["-s -y -p", "-a", "-n", "-j"] {
        let listing = namespace::run(&folder, &format!("nft -f script.nft; nft {form} list ruleset"));
        let found = script::differences(&meant, &script::parse(&listing));
        assert!(found.is_empty(), "nft {form}: {}", found.join("\n"));
    }
}

/// With counters or without, by the program that saves or by the one that lists a table.
#[test]
fn every_way_to_list_is_one() {
    let folder = common::root().join("tests/kernel/corpus");
    for program in ["iptables-legacy", "iptables-nft", "ip6tables-legacy", "ip6tables-nft"] {
        let file = format!("{}.rules", program.split('-').next().expect("a name"));
        let list = |list: &str| {
            let text = namespace::run(&folder, &format!("{program}-restore < {file}; {program}{list}"));
            let mut found = tables::parse(&text, program);
            found.tables.retain(|table, _| &*table.name == "filter");
            assert!(found.rule_count() > 4, "{program}{list} lists nothing");
            found
        };
        let saved = list("-save");
        for other in ["-save -c", "-save -t filter", " -S", " -vS"] {
            let found = tables::differences(&saved, &list(other));
            assert!(found.is_empty(), "{program}{other}: {}", found.join("\n"));
        }
    }
    let frames = |list: &str| {
        let text = namespace::run(&folder, &format!("ebtables-nft-restore < ebtables.rules; {list}"));
        tables::parse(&text, "ebtables")
    };
    for other in ["ebtables-nft-save -c", "EBTABLES_SAVE_COUNTER=yes ebtables-nft-save"] {
        let found = tables::differences(&frames("ebtables-nft-save"), &frames(other));
        assert!(found.is_empty(), "{other}: {}", found.join("\n"));
    }
}
