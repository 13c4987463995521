//! The random specs that the judge uses: fwc takes them all, and together they say everything that can be said.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod diff;
mod edits;
#[path = "../common/side.rs"]
mod side;
#[path = "../judge/specs/mod.rs"]
mod specs;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use fwc::diagnostic::{Diagnostics, Severity, SourceMap};
use fwc::policy::{Entry, Fleet, HostPolicy, Rule};
use fwc::spec::options::{self, OptionZone};
use fwc::target::{self, Selection, Templates};

use specs::tree::{Node, word};
use specs::{random_spec, shrink};

const SEEDS: u64 = 500;

/// Everything that fwc says against a spec: of its text, and of each target.
fn errors(text: &str) -> (Option<Fleet>, Vec<String>) {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", text);
    let (spec, mut found) = fwc::spec::load(&sources);
    let mut fleet = None;
    if let Some(spec) = spec {
        let (resolved, more) = fwc::resolve::resolve(&spec);
        found.append(more);
        fleet = resolved;
    }
    if let Some(fleet) = &fleet {
        static TEMPLATES: LazyLock<Templates> =
            LazyLock::new(|| Templates::new(Default::default()).expect("the embedded templates parse"));
        for target in target::ALL {
            let compiled = target.compile(fleet, &Selection::default(), &TEMPLATES).expect("the templates render");
            found.append(compiled.diagnostics);
        }
    }
    (fleet, said(&found, text))
}

fn said(found: &Diagnostics, text: &str) -> Vec<String> {
    let errors = found.iter().filter(|finding| finding.severity == Severity::Error);
    errors
        .map(|finding| {
            let start = finding.labels.first().map_or(0, |label| label.span.start);
            let before = usize::try_from(start).ok().and_then(|start| text.get(..start));
            let line = before.and_then(|before| text.lines().nth(before.matches('\n').count())).unwrap_or_default();
            format!("{}: {}\n  {line}", finding.code.as_str(), finding.message)
        })
        .collect()
}

/// Every rule that the host or one of its guests has, with its groups' rules.
fn rules(host: &HostPolicy) -> Vec<&Rule> {
    let lists = std::iter::once(&host.rules).chain(host.guests.iter().map(|guest| &guest.rules));
    let entries = lists.flat_map(|list| &list.sections).flat_map(|inherited| &inherited.section.entries);
    entries
        .flat_map(|entry| match entry {
            Entry::Rule(rule) => vec![rule.as_ref()],
            Entry::Group(call) => call.group.rules.iter().map(AsRef::as_ref).collect(),
        })
        .collect()
}

#[test]
fn every_spec_compiles_for_every_target_and_speaks_of_both_families() {
    let mut wrong = Vec::new();
    let mut all = BTreeSet::new();
    let mut count = 0;
    for seed in 0..SEEDS {
        let text = random_spec(seed);
        let (fleet, errors) = errors(&text);
        if !errors.is_empty() || fleet.is_none() {
            wrong.push(format!("{seed}: {}", errors.join("\n     ")));
        }
        let rules: Vec<&Rule> = fleet.iter().flat_map(|fleet| &fleet.hosts).flat_map(rules).collect();
        count += rules.len();
        let found: BTreeSet<(String, String)> = rules.into_iter().map(sides).collect();
        for pair in [("4", "46"), ("46", "4"), ("6", "46"), ("46", "6"), ("46", "46"), ("4", ""), ("", "6")] {
            if !found.contains(&(pair.0.to_owned(), pair.1.to_owned())) {
                wrong.push(format!("{seed}: no rule {pair:?}"));
            }
        }
        all.extend(found);
    }
    assert!(wrong.is_empty(), "{} of {SEEDS} specs are refused:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 10_000, "{count} rules");
    assert_eq!(all.len(), 14, "{all:?}");
}

#[test]
fn the_same_seed_gives_the_same_text() {
    let texts: BTreeSet<String> = (0..SEEDS).map(random_spec).collect();
    assert_eq!(u64::try_from(texts.len()).expect("a number"), SEEDS);
    assert!((0..SEEDS).all(|seed| texts.contains(&random_spec(seed))));
}

/// Of which families both sides of a written rule speak, as `4`, `6`, `46` or nothing.
fn sides(rule: &Rule) -> (String, String) {
    let of = |addresses: &Option<fwc::policy::Addresses>| {
        let Some(addresses) = addresses else { return String::new() };
        let has = |family, text: &str| if addresses.set.has(family) { text.to_owned() } else { String::new() };
        has(fwc::net::Family::V4, "4") + &has(fwc::net::Family::V6, "6")
    };
    (of(&rule.source), of(&rule.dest))
}

/// Every path of keys in a tree, names of things left out, with each word that stands there.
fn words(node: &Node, path: &str, found: &mut BTreeSet<String>) {
    match node {
        Node::Map(entries) => {
            for (key, value) in entries {
                let named = ["aliases", "ipsets", "groups", "zones", "hosts", "vms", "containers", "vnets", "nics"];
                let is_name = named.iter().any(|named| path.ends_with(named));
                let key = if is_name { "*" } else { key };
                words(value, &format!("{path}.{key}"), found);
            }
        }
        Node::List(items) => items.iter().for_each(|item| words(item, path, found)),
        Node::Word(value) => {
            found.insert(format!("{path}={value}"));
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn together_they_say_everything() {
    let mut found = BTreeSet::new();
    for seed in 0..SEEDS {
        words(&Node::parse(&random_spec(seed)).expect("a tree"), "", &mut found);
    }
    let mut missing = Vec::new();
    let mut wanted = |text: String| {
        if !found.iter().any(|known| known.ends_with(&text)) {
            missing.push(text);
        }
    };
    for (zone, place) in [
        (OptionZone::Datacenter, ".datacenter.options"),
        (OptionZone::Host, ".hosts.*.options"),
        (OptionZone::Guest, ".vms.*.options"),
        (OptionZone::Guest, ".zones.*.options"),
        (OptionZone::Guest, ".datacenter.guests.options"),
        (OptionZone::Vnet, ".vnets.*.options"),
    ] {
        for option in options::table(zone) {
            let suffix = match option.default {
                _ if option.kind == options::OptionKind::RateLimit => ".rate",
                Some("true") => "=false",
                Some("false") => "=true",
                Some(_) | None => "",
            };
            wanted(format!("{place}.{}{suffix}", option.name));
        }
    }
    for policy in ["policy_in", "policy_out"] {
        for verdict in options::VERDICTS {
            wanted(format!(".vms.*.options.{policy}={verdict}"));
            wanted(format!(".hosts.*.options.{policy}={verdict}"));
            wanted(format!(".datacenter.options.{policy}={verdict}"));
        }
    }
    for place in ["hosts.*.rules", "vms.*.rules", "groups.*", "vnets.*.rules", "datacenter.guardrails.rules"] {
        let keys = ["macro", "proto", "dport", "sport", "icmp_type", "tcp_flags.mask", "source", "dest", "log"];
        keys.into_iter().for_each(|key| wanted(format!("{place}.{key}")));
        if !place.contains("guardrails") {
            wanted(format!("{place}.enable=false"));
        }
        wanted(format!("{place}.forward=accept").replace("vms.*.rules.forward", "vms.*.rules.out"));
    }
    for word in [
        "nics.*.firewall=false",
        "nics.*.tag",
        "nics.*.device",
        "nics.*.ip=dhcp",
        "nics.*.rules.in=reject",
        "nics.*.bridge=prod",
        "hosts.*.platform=linux",
        "iptables.mode=shared",
        "iptables.ipset=true",
        "hosts.*.corosync",
        "without=base",
        "hosts.*.rules.iface=vmbr0",
        "hosts.*.rules.group",
        "vms.*.rules.iface=net1",
        "containers.*.rules.group",
    ] {
        wanted(word.to_owned());
    }
    assert!(missing.is_empty(), "no spec says {missing:#?}");
}

#[test]
fn shrinking_leaves_what_a_failure_needs() {
    let fails = |text: &str| {
        let (fleet, errors) = errors(text);
        let drops = |rule: &&Rule| rule.verdict == fwc::policy::Verdict::Drop && rule.source.is_some();
        errors.is_empty() && fleet.is_some_and(|fleet| fleet.hosts.iter().any(|host| rules(host).iter().any(drops)))
    };
    let text = random_spec(7);
    assert!(fails(&text));
    let small = shrink(&text, fails);
    assert!(fails(&small));
    assert!(small.lines().count() <= 24, "{small}");
    assert_eq!(shrink("a: [", |_| true), "a: [");
}

#[test]
fn what_is_written_reads_back() {
    let all = |texts: &[&str]| specs::tree::words(texts);
    let rule = Node::map().with("in", word("accept")).with("source", all(&["!10.0.0.1", "2001:db8::1"]));
    let node = Node::map()
        .with("version", word(1))
        .with("datacenter", Node::map().with("rules", Node::List(vec![rule])))
        .with("groups", Node::map().with("web", Node::map().with("comment", word("a \"word\""))));
    assert_eq!(Node::parse(&node.render()), Some(node));
    assert_eq!(Node::parse("a: ["), None);
    assert_eq!(Node::parse("a: &x 1\nb: *x\n"), None);
    assert!((0..SEEDS).map(random_spec).all(|text| Node::parse(&text).is_some_and(|tree| tree.render() == text)));
}
