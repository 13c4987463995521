//! The proof that every build makes: nothing is doubted that is right, and nothing passes that is wrong.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod aim;
mod alike;
mod mutations;
mod mutator;
mod pairs;
mod plain;
#[path = "../judge/random.rs"]
#[expect(dead_code, reason = "the judge takes the rest")]
mod random;
#[path = "../judge/specs/mod.rs"]
#[expect(clippy::allow_attributes, reason = "an `expect` of dead code is not kept within a module")]
#[allow(dead_code, unused_imports, reason = "the judge takes the rest")]
mod specs;
mod ways;
mod words;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use fwc::diagnostic::SourceMap;
use fwc::policy::{Fleet, HostPolicy};
use fwc::target::{self, OutputFile, Rules, Selection, Templates};

/// A spec, and what it is compiled to.
fn compiled(text: &str) -> (Fleet, Vec<OutputFile>) {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", text);
    let (spec, found) = fwc::spec::load(&sources);
    assert!(!found.has_errors(), "{found:?}");
    let (fleet, found) = fwc::resolve::resolve(&spec.unwrap());
    assert!(!found.has_errors(), "{found:?}");
    let fleet = fleet.unwrap();
    let templates = Templates::new(std::collections::BTreeMap::new()).unwrap();
    let mut files = Vec::new();
    for target in target::ALL {
        files.extend(target.compile(&fleet, &Selection::default(), &templates).unwrap().files);
    }
    (fleet, files)
}

/// The files of a host.
fn own_files<'f>(host: &HostPolicy, files: &'f [OutputFile]) -> Vec<&'f OutputFile> {
    files.iter().filter(|file| file.host.as_deref() == Some(host.name.as_str())).collect()
}

/// The doubts of every host.
fn doubts(fleet: &Fleet, files: &[OutputFile]) -> Vec<target::Doubt> {
    let mut found = Vec::new();
    for host in &fleet.hosts {
        let own = own_files(host, files);
        let own = own.iter().map(|file| (file.path.rsplit('/').next().unwrap(), file.content.as_str()));
        found.extend(target::prove(host, &Rules::read(own.collect::<Vec<_>>())));
    }
    found
}

/// Does something for each number, on all processors.
fn on_all(numbers: Range<u64>, work: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(numbers.start);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= numbers.end {
                        return;
                    }
                    work(number);
                }
            });
        }
    });
}

#[test]
fn every_random_spec_is_proved() {
    on_all(0..300, |seed| {
        let spec = specs::random_spec(seed);
        let (fleet, files) = compiled(&spec);
        assert_eq!(target::prove_files_in(&fleet, &files, 3), [], "seed {seed}");
        let found = doubts(&fleet, &files);
        let told: Vec<String> =
            found.iter().map(|one| format!("{} {:?}\n     {:?}", one.program, one.way, one.why)).collect();
        assert!(found.is_empty(), "seed {seed}:\n{}", told.join("\n"));
    });
}

/// A host whose rules have ranges in every field.
fn ranges(rules: usize) -> String {
    let mut random = random::Random::new(3);
    let mut text = "version: 1\nhosts:\n  h1:\n    platform: linux\n    targets: [nft]\n    rules:\n".to_owned();
    let mut span = |greatest: usize| {
        let (a, b) = (random.below(greatest), random.below(greatest));
        (a.min(b), a.max(b))
    };
    for number in 0..rules {
        let mut ports = || {
            let (first, last) = span(65_535);
            format!("{}-{}", first + 1, last + 1)
        };
        let (dport, sport) = (ports(), ports());
        let mut addresses = || {
            let (first, last) = span(0x4000_0000);
            let address = |number: usize| std::net::Ipv4Addr::from(u32::try_from(number + 0x0b00_0000).unwrap());
            format!("{}-{}", address(first), address(last))
        };
        let (source, dest) = (addresses(), addresses());
        let verdict = ["accept", "drop"][number % 2];
        let rule = format!("in: {verdict}, proto: tcp, source: {source}, dest: {dest}, sport: {sport}, dport: {dport}");
        text.push_str(&format!("      - {{ {rule} }}\n"));
    }
    text
}

#[test]
fn rules_made_to_blow_up_end_with_a_clear_statement() {
    let in_time = |fleet: &Fleet, files: &[OutputFile]| {
        let start = std::time::Instant::now();
        let found = doubts(fleet, files);
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "{:?}", start.elapsed());
        found.into_iter().map(|doubt| doubt.why).collect::<Vec<_>>()
    };
    let (fleet, files) = compiled(&ranges(20));
    assert_eq!(in_time(&fleet, &files), []);
    // Rule by rule the same, which need not be put together.
    let (fleet, mut files) = compiled(&ranges(10_000));
    assert_eq!(in_time(&fleet, &files), []);
    // One rule is another, and what that does to all packets nobody can tell.
    let nft = files.iter_mut().find(|file| file.path.ends_with(".nft")).expect("nft's rules");
    let rule = nft.content.lines().filter(|line| line.contains("sport")).nth(5_000).expect("rules").to_owned();
    let other =
        if rule.contains(" accept") { rule.replace(" accept", " drop") } else { rule.replace(" drop", " accept") };
    nft.content = nft.content.replacen(&rule, &other, 1);
    assert_eq!(in_time(&fleet, &files), [target::Why::OverBudget]);
}

#[test]
fn a_mark_that_is_left_on_packets_is_found() {
    let (fleet, mut files) = compiled(&specs::random_spec(8));
    assert_eq!(doubts(&fleet, &files), []);
    let clear = "-A FWC-from-guests -j MARK --set-xmark 0x0/0x80000000\n";
    let rules = files.iter_mut().find(|file| file.path == "hosts/pm1/iptables.rules").expect("iptables' rules");
    let (before, after) = rules.content.rsplit_once(clear).expect("a rule that takes the mark away");
    // What a guest's own chain accepted would pass the host's too.
    rules.content = format!("{before}{after}");
    assert!(!doubts(&fleet, &files).is_empty());
}

/// A mark that frames of no IP leave a chain with is asked for by a later one.
#[test]
fn a_mark_of_other_frames_is_found() {
    let spec = "version: 1\nhosts: { pm1: { addresses: 10.0.0.11/24, targets: nft } }\n\
        vms: { 100: { host: pm1, nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:64' } } } }\n";
    let (fleet, files) = compiled(spec);
    assert_eq!(doubts(&fleet, &files), []);
    // What bears a service tag, which is looked at for itself, gets no mark and shows nothing.
    let marked = |hook: &str, frames: &str, verdict: &str| {
        let mut files = files.clone();
        let nft = files.iter_mut().find(|file| file.path == "hosts/pm1/fwc.nft").expect("nft's rules");
        let (host, bridge) = nft.content.rsplit_once("table bridge fwc {").expect("the table of frames");
        let mut bridge = bridge.to_owned();
        for (chain, rule) in [
            (hook, format!("ether type 0x88a8 accept\n{frames} meta mark set meta mark | 0x1")),
            ("hook-postrouting", format!("meta mark & 0x1 == 0x1 {verdict}")),
        ] {
            let (head, priority) = (format!("chain {chain} {{\n"), "policy accept;\n");
            let at = bridge.find(&head).expect("the base chain");
            let at = at + bridge[at..].find(priority).expect("its first line") + priority.len();
            bridge.insert_str(at, &format!("\t\t{rule}\n"));
        }
        nft.content = format!("{host}table bridge fwc {{{bridge}");
        doubts(&fleet, &files)
    };
    for hook in ["hook-forward", "hook-forward-again"] {
        for frames in ["meta protocol arp", "meta protocol 0x88cc", "meta protocol ip", ""] {
            assert!(!marked(hook, frames, "drop").is_empty(), "{hook} {frames}");
        }
    }
    // Whoever is let by there comes to the second chain of the hook.
    assert_eq!(marked("hook-forward", "", "accept"), []);
}

/// A rule for packets above a limit leads no others to where they are judged.
#[test]
fn a_limit_that_leads_away_is_found() {
    let spec = "version: 1\nhosts: { pm1: { addresses: 10.0.0.11/24, targets: iptables } }\n\
        vms: { 100: { host: pm1, nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:64', ip: 10.0.0.5/24 } } } }\n";
    let (fleet, mut files) = compiled(spec);
    assert_eq!(doubts(&fleet, &files), []);
    let rules = files.iter_mut().find(|file| file.path == "hosts/pm1/iptables.rules").expect("iptables' rules");
    let (declared, judging) = rules.content.split_once(":INPUT DROP").expect("the host's chain");
    let judging = judging.replace("-A INPUT ", "-A judged ");
    let (declarations, judging) = judging.split_once("-A judged ").expect("its rules");
    let limit = "hashlimit --hashlimit-above 200/second --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name f";
    let led = |limit: &str| {
        let led = format!("-A INPUT {limit} -g judged\n-A INPUT -j ACCEPT\n");
        format!("{declared}:judged - [0:0]\n:INPUT DROP{declarations}{led}-A judged {judging}")
    };
    let (all, some) = (led(""), led(&format!("-m {limit}")));
    let found = |files: &mut [OutputFile], content: &str| {
        files.iter_mut().filter(|file| file.path == "hosts/pm1/iptables.rules").for_each(|file| {
            content.clone_into(&mut file.content);
        });
        doubts(&fleet, files)
    };
    assert_eq!(found(&mut files, &all), []);
    assert!(found(&mut files, &some).iter().any(|doubt| doubt.why.differs()));
}

/// nft's rules have a guard that no packet meets once all sets are filled, in both tables. It is understood as that, and not
/// by its name.
#[test]
fn a_guard_that_stops_packets_is_found() {
    let spec = "version: 1\nhosts: { pm1: { addresses: 10.0.0.11/24, targets: nft, options: { nosmurfs: false }, \
        rules: [ { in: drop, source: +bad }, { in: accept } ] } }\n\
        datacenter: { ipsets: { bad: [10.9.0.0/16, 10.7.0.0/16] } }\n\
        vms: { 100: { host: pm1, nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:64' } }, \
        rules: [ { in: drop, source: +bad }, { in: accept } ] } }\n";
    let (fleet, files) = compiled(spec);
    assert_eq!(doubts(&fleet, &files), []);
    let after = |from: &str, to: &str| {
        let mut files = files.clone();
        let nft = files.iter_mut().find(|file| file.path == "hosts/pm1/fwc.nft").expect("nft's rules");
        assert!(nft.content.contains(from), "{}", nft.content);
        nft.content = nft.content.replace(from, to);
        doubts(&fleet, &files)
    };
    let shows = |found: Vec<target::Doubt>| {
        found.iter().any(|doubt| matches!(&doubt.why, target::Why::Differs { found, .. } if found.starts_with("drop")))
    };
    // Narrower, it leaves out IPv4, IPv6, or what a bridge alone sees.
    assert!(shows(after("0x0000-0xffff", "0x0801-0xffff")));
    assert!(shows(after("0x0000-0xffff", "0x0000-0x86dc")));
    assert!(shows(after("0x0000-0xffff", "0x0000-0x0005")));
    assert!(shows(after("meta protocol != @filled", "meta protocol @filled")));
    // Another name is as good, and so is no guard, once all is loaded. One that accepts never does.
    assert_eq!(after("filled", "other"), []);
    assert_eq!(after("meta protocol != @filled drop", "meta protocol != @filled accept"), []);
    let both = after("0x0000-0xffff", "0x0801-0xffff").len();
    assert!(both > 1, "{both} doubts");
}

#[test]
fn a_rule_that_logs_and_returns_decides_nothing() {
    let (fleet, mut files) = compiled(&specs::random_spec(8));
    let rules = files.iter_mut().find(|file| file.path == "hosts/pm1/fwc.nft").expect("nft's rules");
    let (head, chain) = ("chain input {\n", "chain extra {\n\t\ttcp dport 4444 log level info return\n\t}\n\n\t");
    let (before, after) = rules.content.split_once(head).expect("the host's chain");
    let (hook, after) = after.split_once('\n').expect("its hook");
    rules.content = format!("{before}{chain}{head}{hook}\n\t\tjump extra\n{after}");
    let doubts = target::prove_files_in(&fleet, &files, 1);
    assert!(!doubts.is_empty());
    for doubt in doubts {
        let target::Why::Differs { meant, found, .. } = doubt.why else { continue };
        let verdict = |words: &str| words.split(',').next().map(str::to_owned);
        assert_eq!(verdict(&found), verdict(&meant), "{found}");
        assert!(found.contains("logged at info"), "{found}");
    }
}
