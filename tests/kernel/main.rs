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
#[path = "../../benches/support/gaps.rs"]
mod gaps;
mod hosts;
mod json;
mod loads;
mod namespace;
mod script;
mod settings;
mod tables;

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
    let meant = script::parse(&fs::read_to_string(folder.join("script.nft")).expect("the corpus"));
    // As text with more and less in it, and as JSON.
    for form in ["-s -y -p", "-a", "-n", "-j"] {
        let listing = namespace::run(&folder, &format!("nft -f script.nft; nft {form} list ruleset"));
        let found = script::differences(&meant, &script::parse(&listing));
        assert!(found.is_empty(), "nft {form}: {}", found.join("\n"));
    }
}
