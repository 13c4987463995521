//! One edit at a time: what it is called, where it is, how far it reaches.

use std::fmt::Write;

use crate::diagnostic::SourceMap;
use crate::diff::report::{Cause, HostReport};
use crate::policy::Fleet;
use crate::spec::{self, Spec};

use super::{Side, compare};

const SPEC: &str = r#"version: 1
datacenter:
  aliases: { office: 203.0.113.0/24, local_network: 10.0.0.0/24 }
  ipsets: { management: [office], staff: [office, 192.0.2.7] }
  rules:
    - { id: ssh, in: accept, macro: SSH, source: +management }
  guests:
    rules: [ { id: base, group: base } ]
groups:
  base: [ { in: accept, macro: Ping }, { in: drop, proto: tcp, dport: 23 }, { in: accept, proto: tcp, dport: 25 } ]
  web: [ { in: accept, proto: tcp, dport: [80, 443] }, { in: accept, proto: tcp, dport: 8080, source: zone/proxy } ]
  unused: [ { in: accept, proto: tcp, dport: 1 } ]
zones:
  node: { kind: host, options: { tcpflags: true }, sysctl: { set: { vm.swappiness: 10 } } }
  web: { kind: guest, rules: [ { group: web } ] }
  proxy: { kind: guest }
hosts:
  pm1: { inherits: node, addresses: [10.0.0.11/24] }
  pm2: { inherits: node, addresses: [10.0.0.12/24] }
vms:
  100: { host: pm1, inherits: web, nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: 10.0.1.100/24 } } }
  101: { host: pm2, inherits: web, nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:65", ip: 10.0.1.101/24 } } }
  102: { host: pm2, inherits: proxy, nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:66", ip: 10.0.1.102/24 } } }
"#;

pub(super) struct Built {
    sources: SourceMap,
    spec: Spec,
    fleet: Fleet,
}

pub(super) fn built(text: &str) -> Built {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", text);
    let (spec, found) = spec::load(&sources);
    assert!(!found.has_errors(), "{found:?}");
    let spec = spec.unwrap();
    let (fleet, found) = crate::resolve::resolve(&spec);
    let fleet = fleet.unwrap_or_else(|| panic!("{found:?}"));
    Built { sources, spec, fleet }
}

pub(super) fn compared(old: &Built, new: &Built) -> (Vec<HostReport>, Vec<Cause>) {
    compare(
        Side { spec: &old.spec, fleet: &old.fleet, sources: &old.sources },
        Side { spec: &new.spec, fleet: &new.fleet, sources: &new.sources },
    )
}

/// Each edit with what it is told as.
fn all(edits: &[&[(&str, &str)]]) -> String {
    let mut text = String::new();
    for edit in edits {
        for (from, to) in *edit {
            writeln!(text, "- {}\n+ {}", from.trim_end(), to.trim_end()).unwrap();
        }
        writeln!(text, "{}", told(edit)).unwrap();
    }
    text
}

/// What an edit of the spec is told as: a line for each cause, one for each change under it.
fn told(edit: &[(&str, &str)]) -> String {
    let mut text = SPEC.to_owned();
    for (from, to) in edit {
        assert_eq!(text.matches(from).count(), 1, "`{from}` is not there once");
        text = text.replace(from, to);
    }
    let (_, causes) = compared(&built(SPEC), &built(&text));
    let mut told = String::new();
    for cause in &causes {
        let line = cause.place.as_ref().or(cause.old_place.as_ref()).map_or(0, |place| place.line);
        let word = cause.status.word();
        writeln!(told, "{} {word}, line {line}: {} on {}", cause.path, cause.machines, cause.hosts).unwrap();
        for change in &cause.changes {
            let hooks: std::collections::BTreeSet<&str> =
                change.at.iter().filter_map(|at| at.hook.as_deref()).collect();
            let text = [&change.old, &change.new].into_iter().flatten().cloned().collect::<Vec<_>>().join(" => ");
            write!(told, "  {:?} {:?} {}: {text}", change.kind, change.subject, change.name).unwrap();
            if let Some(detail) = &change.detail {
                write!(told, " ({detail})").unwrap();
            }
            if let Some(zone) = &change.zone {
                write!(told, " [{zone}]").unwrap();
            }
            let hooks = hooks.into_iter().collect::<Vec<_>>().join(" ");
            writeln!(told, " @{} {hooks}", change.at.len()).unwrap();
        }
    }
    told
}

#[test]
fn the_same_spec_differs_in_nothing() {
    assert_eq!(told(&[]), "");
    let reordered = SPEC.replace("version: 1\n", "version: 1\n# a comment, and all lines lower\n\n");
    let (hosts, causes) = compared(&built(SPEC), &built(&reordered));
    assert!(causes.is_empty(), "{causes:?}");
    assert!(hosts.iter().all(|host| host.machines.is_empty()), "{hosts:?}");
}

#[test]
fn rules_of_a_group() {
    let told = all(&[
        &[("dport: [80, 443] }", "dport: [80, 443] }, { in: accept, proto: udp, dport: 443 }")],
        &[("{ in: drop, proto: tcp, dport: 23 }, ", "")],
        &[("dport: [80, 443]", "dport: [80, 8443]")],
        &[(
            "{ in: accept, macro: Ping }, { in: drop, proto: tcp, dport: 23 }",
            "{ in: drop, proto: tcp, dport: 23 }, { in: accept, macro: Ping }",
        )],
        &[("dport: 8080, source", "dport: 8080, log: info, comment: who, source")],
        &[("dport: 1 }", "dport: 2 }")],
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn names_that_stand_for_something_else() {
    let told = all(&[
        &[("203.0.113.0/24", "203.0.113.0/25")],
        &[("management: [office]", "management: [office, 198.51.100.1]")],
        &[("staff: [office, 192.0.2.7]", "staff: [office]")],
        &[("10.0.1.102/24", "10.0.1.103/24")],
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn machines_come_go_and_move() {
    let told = all(&[
        &[(
            "  102: {",
            "  103: { host: pm1, inherits: proxy, nics: { net0: { bridge: vmbr0, mac: \"BC:24:11:00:00:67\", ip: 10.0.1.104/24 } } }\n  102: {",
        )],
        &[("101: { host: pm2", "101: { host: pm1")],
        &[("  pm2: {", "  pm3: { addresses: [10.0.0.13/24] }\n  pm2: {")],
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn inheritance() {
    let told = all(&[
        &[("102: { host: pm2, inherits: proxy", "102: { host: pm2, inherits: [proxy, web]")],
        &[("100: { host: pm1, inherits: web, ", "100: { host: pm1, inherits: web, without: [base], ")],
        &[("proxy: { kind: guest }", "proxy: { kind: guest, inherits: web }")],
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn options_and_kernel_settings() {
    let told = all(&[
        &[("tcpflags: true", "tcpflags: false, nf_conntrack_max: 524288")],
        &[("vm.swappiness: 10", "vm.swappiness: 20, net.core.somaxconn: 4096")],
        &[("datacenter:\n", "datacenter:\n  options: { policy_in: reject, ebtables: false }\n")],
        &[("  guests:\n", "  guests:\n    options: { ipfilter: true }\n")],
        &[("pm1: { inherits: node", "pm1: { inherits: node, targets: [nft]")],
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn a_lock_on_options_is_told_though_no_value_changes() {
    let lock = (
        "guest, rules: [ { group: web } ] }",
        "guest, guardrails: { options: { dhcp: true } }, rules: [ { group: web } ] }",
    );
    let told = told(&[lock]);
    assert_eq!(
        told,
        "zones.web added, line 15: 0 on 0\n".replace("added", "changed") + "  Added Option guardrail dhcp: true @0 \n",
        "{told}"
    );
}

#[test]
fn the_comment_of_an_entry_is_told() {
    let told = told(&[("staff: [office, 192.0.2.7]", "staff: [office, { value: 192.0.2.7, comment: a laptop }]")]);
    assert!(told.contains("Altered Definition +staff:  (192.0.2.7: comment `a laptop`)"), "{told}");
    assert_eq!(told.lines().count(), 2, "{told}");
}
