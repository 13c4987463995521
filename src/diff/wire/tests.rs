//! One edit at a time: which packets it lets pass, and which no longer.

use std::fmt::Write;

use crate::analysis::Judge;
use crate::analysis::sets::{Budget, Interfaces, Label, Sets, decision};
use crate::diagnostic::SourceMap;
use crate::diff::policy::{self, Side};
use crate::diff::report::WireRow;
use crate::policy::Fleet;
use crate::spec::{self, Spec};

use super::compared::Compared;

const SPEC: &str = r#"version: 1
datacenter:
  options: { policy_out: drop }
  aliases: { office: 203.0.113.0/24, local_network: 10.0.0.0/24 }
  ipsets: { management: [office], blacklist: [198.51.100.0/24], staff: [office, "2001:db8:1::/48"] }
  guardrails: { rules: [ { id: telnet, in: drop, proto: tcp, dport: 23 } ] }
groups:
  web:
    - { id: early, in: accept, proto: tcp, dport: 8443, source: office }
    - { id: http, in: accept, proto: tcp, dport: [80, 443] }
zones:
  web: { kind: guest, rules: [ { id: web, group: web } ] }
  proxy: { kind: guest }
hosts:
  pm1: { addresses: [10.0.0.11/24] }
vms:
  100: { host: pm1, inherits: web, nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: [10.0.1.100/24, "2001:db8:2::100/64"] } } }
  101: { host: pm1, inherits: web, nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:65", ip: 10.0.1.101/24 } } }
  102: { host: pm1, inherits: proxy, nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:66", ip: 10.0.1.102/24 } } }
"#;

struct Built {
    sources: SourceMap,
    spec: Spec,
    fleet: Fleet,
}

fn built(text: &str) -> Built {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", text);
    let (spec, found) = spec::load(&sources);
    assert!(!found.has_errors(), "{found:?}");
    let spec = spec.unwrap();
    let (fleet, found) = crate::resolve::resolve(&spec);
    let fleet = fleet.unwrap_or_else(|| panic!("{found:?}"));
    Built { sources, spec, fleet }
}

/// What goes, and what comes.
type Edit<'e> = &'e [(&'e str, &'e str)];

/// What an edit is told as, and the edit.
fn told(edit: Edit<'_>) -> String {
    let mut told = String::new();
    let mut text = SPEC.to_owned();
    for (from, to) in edit {
        assert_eq!(text.matches(from).count(), 1, "`{from}` is not there once");
        text = text.replace(from, to);
        writeln!(told, "- {from}\n+ {to}").unwrap();
    }
    let (old, new) = (built(SPEC), built(&text));
    let before = Side { spec: &old.spec, fleet: &old.fleet, sources: &old.sources };
    let after = Side { spec: &new.spec, fleet: &new.fleet, sources: &new.sources };
    let (hosts, _) = policy::compare(before, after);
    let wire = super::compare(before, after, &hosts);
    assert!(wire.undecided.is_empty());
    let mut list = |sign: &str, rows: &[WireRow]| {
        for row in rows {
            let line = row.place.as_ref().map_or(0, |place| place.line);
            let at: Vec<String> =
                row.at.iter().map(|at| format!("{} {}", at.machine, at.hook.clone().unwrap_or_default())).collect();
            let (families, others) = (row.families.join("+"), row.instead_of.join(", "));
            let service = row.macro_name.map_or(row.service.clone(), |name| format!("{name} ({})", row.service));
            writeln!(told, "  {sign} {} → {}, {service}, {families} @ {}", row.from, row.to, at.join(", ")).unwrap();
            let packet = row.packet.clone().unwrap_or_default();
            writeln!(told, "      {} (line {line}), other side {others}; such as {packet}", row.rule).unwrap();
        }
    };
    list("+", &wire.accepted);
    list("-", &wire.refused);
    list("~", &wire.otherwise);
    if wire.is_same() {
        writeln!(told, "  no packet").unwrap();
    }
    told
}

#[test]
fn rows_say_what_a_reviewer_wants_to_know() {
    let edits: &[&[(&str, &str)]] = &[
        &[("dport: [80, 443]", "dport: [80, 443, 8080]")],
        &[("    - { id: http, in: accept, proto: tcp, dport: [80, 443] }\n", "")],
        &[("dport: 8443, source: office", "dport: 8443, source: [+staff, zone/proxy]")],
        &[("office: 203.0.113.0/24", "office: 203.0.113.0/25")],
        &[("id: http, in: accept", "id: http, in: reject")],
        &[("dport: 23 }", "dport: [23, 80] }")],
        &[("policy_out: drop", "policy_out: reject")],
        &[("inherits: proxy", "inherits: [proxy, web]")],
        &[("id: http, in: accept, proto: tcp, dport: [80, 443] }", "id: http, in: accept, macro: HTTPS }")],
        &[("web: { kind: guest, rules", "web: { kind: guest, options: { policy_out: accept }, rules")],
        &[("dport: [80, 443] }", "dport: [80, 443] }\n    - { in: accept, macro: DNS, source: office }")],
        &[(
            "dport: [80, 443] }",
            "dport: [80, 443] }\n    - { in: accept, macro: Ping }\n    - { in: accept, proto: tcp, dport: 37 }\n    - { in: accept, macro: Rdate, source: office }",
        )],
        &[("dport: [80, 443] }", "dport: [80, 443, 9100] }\n    - { in: accept, macro: Jetdirect, source: office }")],
    ];
    let all: Vec<String> = edits.iter().map(|edit| told(edit)).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_refactoring_changes_no_packet() {
    let unfolded = told(&[(
        "rules: [ { id: web, group: web } ]",
        "rules: [ { in: accept, proto: tcp, dport: 443 }, { in: accept, proto: tcp, dport: 80 }, { in: accept, proto: tcp, dport: 8443, source: 203.0.113.0/24 } ]",
    )]);
    assert!(unfolded.ends_with("  no packet\n"), "{unfolded}");
    let swapped = told(&[
        ("    - { id: early, in: accept, proto: tcp, dport: 8443, source: office }\n", ""),
        (
            "dport: [80, 443] }\n",
            "dport: [80, 443] }\n    - { id: early, in: accept, proto: tcp, dport: 8443, source: office, comment: moved }\n",
        ),
    ]);
    assert!(swapped.ends_with("  no packet\n"), "{swapped}");
}

#[test]
fn packets_told_are_those_of_another_verdict() {
    let filtered = ("  aliases: {", "  guests: { options: { ipfilter: true } }\n  aliases: {");
    let sides: &[(Edit<'_>, Edit<'_>)] = &[
        (&[], &[("policy_out: drop", "policy_out: drop, policy_in: reject")]),
        (&[], &[("proxy: { kind: guest }", "proxy: { kind: guest, options: { policy_in: accept } }")]),
        (&[], &[("dport: 8443, source: office", "dport: 8443")]),
        (&[], &[("dport: 23 }", "dport: [23, 80] }")]),
        (&[], &[("dport: [80, 443] }", "dport: [80, 443] }\n    - { in: reject, proto: tcp, dport: 81 }")]),
        (&[], &[filtered]),
        (&[filtered], &[filtered, ("ip: 10.0.1.101/24", "ip: [10.0.1.101/24, 10.0.1.103/24]")]),
        (&[filtered], &[filtered, ("policy_out: drop", "policy_out: accept")]),
    ];
    let edited = |edit: Edit<'_>| {
        built(&edit.iter().fold(SPEC.to_owned(), |text, (from, to)| {
            assert_eq!(text.matches(from).count(), 1, "`{from}` is not there once");
            text.replace(from, to)
        }))
    };
    for (old, new_edit) in sides {
        let (old, new) = (edited(old), edited(new_edit));
        let before = Side { spec: &old.spec, fleet: &old.fleet, sources: &old.sources };
        let after = Side { spec: &new.spec, fleet: &new.fleet, sources: &new.sources };
        let (hosts, _) = policy::compare(before, after);
        let mut changed = 0;
        for pair in super::pairs(before, after, &hosts) {
            let mut sets = Sets::new(Interfaces::default(), Budget::default());
            let compared =
                Compared::of(&mut sets, &pair, [&super::of_spec(&old.sources), &super::of_spec(&new.sources)]).unwrap();
            let told = compared.packets(&mut sets).unwrap();
            let [was, is] = [pair.old, pair.new].map(|(hook, nic)| sets.hook(&Judge::new(hook, nic)).unwrap());
            let verdict = |label| decision(label).unwrap().0;
            let other = |was, is| Label::new(u32::from(verdict(was) != verdict(is)));
            let meant = sets.joined(was, is, other).unwrap();
            assert_eq!(told.diagram(), meant, "{}", pair.at.machine);
            changed += usize::from(!told.is_empty());
        }
        assert!(changed > 0, "{new_edit:?}");
    }
}
