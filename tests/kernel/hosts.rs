//! Every host of every example, compiled, and what a loaded `fwc.nft` is held against.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::common::{Example, built, examples};
use super::script;
use fwc::analysis::loaded::nft::asked;
use fwc::state::ruleset::Ruleset;

/// A host's folder in the output of an example.
pub struct Host {
    /// The example's name and the host's.
    pub name: String,
    /// Where its files are.
    pub folder: PathBuf,
}

impl Host {
    /// Whether fwc wrote that file for it.
    pub fn has(&self, file: &str) -> bool {
        self.folder.join(file).is_file()
    }

    /// What is in a file of its.
    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap_or_else(|error| panic!("{}: {file}: {error}", self.name))
    }
}

/// Every host of every example, compiled once for all tests.
pub fn hosts() -> &'static [Host] {
    static HOSTS: OnceLock<(Vec<tempfile::TempDir>, Vec<Host>)> = OnceLock::new();
    let (_, hosts) = HOSTS.get_or_init(|| {
        let mut folders = Vec::new();
        let mut hosts = Vec::new();
        for example in examples() {
            let (folder, _) = built(&example);
            hosts.extend(hosts_of(&example, folder.path()));
            folders.push(folder);
        }
        (folders, hosts)
    });
    hosts
}

fn hosts_of(example: &Example, out: &Path) -> Vec<Host> {
    let folder = out.join("hosts");
    let mut found: Vec<Host> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("the example {} has no hosts: {error}", example.name))
        .map(|entry| entry.expect("an entry").path())
        .map(|folder| {
            let host = folder.file_name().expect("a name").to_string_lossy();
            Host { name: format!("{}-{host}", example.name), folder: folder.clone() }
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Hosts that have a file; there must be some, or the test would judge nothing.
pub fn with(file: &str) -> Vec<&'static Host> {
    let found: Vec<&Host> = hosts().iter().filter(|host| host.has(file)).collect();
    assert!(!found.is_empty(), "no example has a {file}");
    found
}

/// Loads twice; leaves what was sent to the kernel the second time, and what the kernel lists.
pub const LOAD: &str =
    "set -e\nnft -f fwc.nft\nnft --debug=netlink -f fwc.nft >sent\nnft --debug=netlink -s -y -p list ruleset >listed\n";
/// What stands between the two.
pub const SEPARATOR: &str = "@@ listing";

/// What a script means, what was sent to the kernel and what the kernel holds, against one another.
pub fn compare(script: &str, output: &str) -> Vec<String> {
    let (sent, listing) = output.split_once(SEPARATOR).expect("what was sent, then the listing");
    let (sent, kept) = (script::bytecode(sent), script::bytecode(listing));
    assert!(sent.values().flatten().count() > 10, "nothing was sent");
    // The kernel's own form of the rules stands before the words.
    let words = listing.find("\ntable ").map_or("", |at| &listing[at + 1..]);
    let mut found = script::differences(&sent, &kept);
    found.extend(script::differences(&script::parse(script), &script::parse(words)));
    // What `fwc diff --live` asks.
    let read = |text: &str| fwc::state::nft::read(fwc::diagnostic::FileId(0), text);
    let drift = fwc::diff::ruleset::compare(&read(script), &read(words));
    let (instructions, words) = fwc::state::nft::bytecode::split(listing);
    let completed = fwc::state::nft::bytecode::read_completed(fwc::diagnostic::FileId(0), instructions, words);
    // What `fwc verify --live` asks.
    found.extend(asked_otherwise(&read(script), &completed));
    if !drift.is_equal() {
        found.push(format!("fwc diff sees a difference: {drift:?}"));
    }
    found
}

/// Rules that ask something else of packets in the script than in the kernel's listing with its instructions.
fn asked_otherwise(script: &Ruleset, listed: &Ruleset) -> Vec<String> {
    let mut found = Vec::new();
    for (name, table) in &script.tables {
        for (chain, meant) in &table.chains {
            let listed = listed.tables.get(name);
            let rules = listed.and_then(|table| table.chains.get(chain)).map_or(&[][..], |chain| &chain.rules[..]);
            let Some(listed) = listed.filter(|_| rules.len() == meant.rules.len()) else {
                found.push(format!("chain {chain} of table {name} is not listed as it is"));
                continue;
            };
            for (meant, rule) in meant.rules.iter().zip(rules) {
                let (a, b) = (asked(&name.family, table, meant), asked(&name.family, listed, rule));
                if a != b {
                    found.push(format!("chain {chain} of table {name}, fwc verify sees a difference: {a:?} {b:?}"));
                }
            }
        }
    }
    found
}
