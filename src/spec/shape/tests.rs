//! The check of shapes: what it says, and that the schema and the decoder agree with it.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::lexis::{CHAIN_PREFIX, CONF_FILE, ENDPOINT, GUEST, HOST, IDENTITY, INTERFACE, LABEL, NIC, SYSCTL, VNET};
use super::*;
use crate::diagnostic::{Diagnostics, FileId, SourceMap};
use crate::spec::options::OptionKind;
use crate::spec::tests::{complaints, good};
use crate::spec::yaml::{self, Value};
use crate::spec::{load, options};

const PATTERNS: [&Pattern; 11] =
    [&HOST, &LABEL, &GUEST, &VNET, &INTERFACE, &NIC, &IDENTITY, &SYSCTL, &CONF_FILE, &CHAIN_PREFIX, &ENDPOINT];

/// A tree as another YAML reader would see it (YAML 1.2, core schema).
fn json_of(node: &Node<'_>) -> Json {
    match &node.value {
        Value::Nothing => Json::Null,
        Value::Scalar { text, plain: true } => match &**text {
            "true" => json!(true),
            "false" => json!(false),
            text if !text.starts_with('+') && text.parse::<i64>().is_ok() => json!(text.parse::<i64>().unwrap()),
            text if text.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok() => {
                json!(text.parse::<f64>().unwrap())
            }
            text => json!(text),
        },
        Value::Scalar { text, plain: false } => json!(text),
        Value::Seq(items) => items.iter().map(json_of).collect(),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.text.to_string(), json_of(value))).collect())
        }
    }
}

fn tree(text: &str) -> Node<'_> {
    let mut found = Diagnostics::new();
    let (tree, whole) = yaml::parse(FileId(0), text, &mut found);
    assert!(whole, "{found:?}");
    tree
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

#[test]
fn the_schema_is_checked_in() {
    let path = "schema/fwc.schema.json";
    let now = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("FWC_BLESS").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == now, "{path} is not what `fwc schema` prints; run this test with FWC_BLESS=1");
}

#[test]
fn the_schema_is_a_schema() {
    assert!(jsonschema::draft202012::meta::is_valid(&schema()));
}

#[test]
fn examples_of_one_file_fit_the_schema() {
    let validator = validator();
    let mut seen = 0;
    for entry in std::fs::read_dir("examples").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&json_of(&tree(&text))).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{}", path.display());
        seen += 1;
    }
    assert!(seen > 2);
}

/// What is wrong: the spec (after `version: 1`), what is underlined, the message, a part of the help.
const WRONG: &[(&str, &str, &str, &str)] = &[
    ("datacentre: {}", "datacentre", "unknown key `datacentre` in a spec", "did you mean `datacenter`?"),
    ("datacenter: [1]", "[1]", "expected a map for the datacenter, found a list", "key: value"),
    ("datacenter: yes", "yes", "expected a map for the datacenter, found `yes`", "key: value"),
    ("hosts: [pm1]", "[pm1]", "expected a map for `hosts`, found a list", "key: value"),
    ("hosts: { pm1: [a] }", "[a]", "expected a map for a host, found a list", "key: value"),
    (
        "hosts: { pm1: { adresses: 10.0.0.1 } }",
        "adresses",
        "unknown key `adresses` in a host",
        "did you mean `addresses`?",
    ),
    ("hosts: { pm1: { policy_in: drop } }", "policy_in", "unknown key `policy_in` in a host", "put it under `options`"),
    ("hosts: { pm_1: {} }", "pm_1", "`pm_1` is not the name of a host", "DNS names"),
    ("hosts: { any: {} }", "any", "`any` is not the name of a host", "not `any`"),
    ("hosts: { \"../x\": {} }", "\"../x\"", "`../x` is not the name of a host", "DNS names"),
    ("hosts: { pm1: { addresses: } }", "addresses", "`addresses` has no value", "remove the key"),
    ("hosts: { pm1: { addresses: null } }", "null", "`addresses` has no value", "quote `null`"),
    ("hosts: { pm1: { addresses: [~] } }", "~", "an empty entry in a list", "remove the entry"),
    ("hosts: { pm1: { addresses: [[a]] } }", "[a]", "`addresses` takes a single value, found a list", "one line"),
    (
        "hosts: { pm1: { addresses: { a: b } } }",
        "{ a: b }",
        "`addresses` takes a value or a list of values, found a map",
        "one line",
    ),
    (
        "hosts: { pm1: { comment: \"a\\nb\" } }",
        "\"a\\nb\"",
        "a text of more than one line, or with control characters",
        "one line",
    ),
    ("hosts: { pm1: { comment: \"\" } }", "\"\"", "an empty text", "remove the key"),
    ("hosts: { pm1: { platform: debian } }", "debian", "expected one of `proxmox`, `linux`, found `debian`", ""),
    (
        "hosts: { pm1: { targets: [pve, nftables] } }",
        "nftables",
        "expected one of `pve`, `iptables`, `nft`, `sysctl`, found `nftables`",
        "",
    ),
    (
        "hosts: { pm1: { iptables: { mode: share } } }",
        "share",
        "expected one of `exclusive`, `shared`, found `share`",
        "did you mean `shared`?",
    ),
    ("hosts: { pm1: { iptables: { prefix: \"-x\" } } }", "\"-x\"", "`-x` is not a prefix for chains", "12"),
    (
        "hosts: { pm1: { iptables: { ipset: \"true\" } } }",
        "\"true\"",
        "expected `true` or `false`, found text in quotes",
        "remove the quotes",
    ),
    ("hosts: { pm1: { iptables: { ipset: yes } } }", "yes", "expected `true` or `false`, found `yes`", "write `true`"),
    (
        "hosts: { pm1: { sysctl: { file: ../x.conf } } }",
        "../x.conf",
        "`../x.conf` is not the name of a file that sysctl reads",
        "without a folder",
    ),
    ("hosts: { pm1: { sysctl: { file: x } } }", "x", "`x` is not the name of a file that sysctl reads", ".conf"),
    ("hosts: { pm1: { sysctl: { set: { \"a b\": 1 } } } }", "\"a b\"", "`a b` is not a sysctl key", "net.ipv4"),
    (
        "hosts: { pm1: { sysctl: { set: { net.core.somaxconn: [1] } } } }",
        "[1]",
        "`net.core.somaxconn` takes a single value, found a list",
        "",
    ),
    (
        "hosts: { pm1: { options: { macfilter: true } } }",
        "macfilter",
        "`macfilter` is not an option of a host",
        "is an option of a guest",
    ),
    (
        "hosts: { pm1: { options: { nosmurf: true } } }",
        "nosmurf",
        "`nosmurf` is not an option of a host",
        "did you mean `nosmurfs`?",
    ),
    ("hosts: { pm1: { options: { nosmurfs: 1 } } }", "1", "expected `true` or `false`, found `1`", "write `true`"),
    (
        "hosts: { pm1: { options: { nosmurfs: \"true\" } } }",
        "\"true\"",
        "expected `true` or `false`, found text in quotes",
        "quotes",
    ),
    (
        "hosts: { pm1: { options: { nosmurfs: [true] } } }",
        "[true]",
        "`nosmurfs` takes `true` or `false`, not a list",
        "",
    ),
    ("hosts: { pm1: { options: { nosmurfs: } } }", "nosmurfs", "`nosmurfs` has no value", ""),
    ("hosts: { pm1: { options: { nf_conntrack_max: 4096 } } }", "4096", "`4096` is out of range", "from 32768"),
    (
        "hosts: { pm1: { options: { nf_conntrack_max: \"65536\" } } }",
        "\"65536\"",
        "expected a number, found text in quotes",
        "quotes",
    ),
    (
        "hosts: { pm1: { options: { policy_forward: reject } } }",
        "reject",
        "expected one of `accept`, `drop`, found `reject`",
        "",
    ),
    (
        "hosts: { pm1: { options: { nf_conntrack_helpers: [ftp, ftp] } } }",
        "ftp",
        "`ftp` stands in the list twice",
        "remove",
    ),
    (
        "hosts: { pm1: { options: { nf_conntrack_helpers: [[ftp]] } } }",
        "[ftp]",
        "`nf_conntrack_helpers` takes a list of",
        "",
    ),
    ("hosts: { pm1: { options: { log_level_in: warn } } }", "warn", "expected one of", ""),
    ("hosts: { pm1: { options: [] } }", "[]", "expected a map for `options`, found a list", ""),
    (
        "datacenter: { options: { log_ratelimit: 1/second } }",
        "1/second",
        "expected a map, found `1/second`",
        "as a map",
    ),
    ("datacenter: { options: { log_ratelimit: { rate: often } } }", "often", "`often` is not a rate", "1/second"),
    (
        "datacenter: { options: { log_ratelimit: { brust: 5 } } }",
        "brust",
        "unknown key `brust` in a rate limit",
        "`burst`",
    ),
    (
        "datacenter: { options: { log_ratelimit: { rate: [1] } } }",
        "[1]",
        "`rate` takes a single value, found a list",
        "",
    ),
    ("datacenter: { options: { log_ratelimit: { burst: 0 } } }", "0", "`0` is out of range", "from 1"),
    (
        "datacenter: { options: { nosmurfs: true } }",
        "nosmurfs",
        "`nosmurfs` is not an option of the datacenter",
        "zone of kind `host`",
    ),
    (
        "datacenter: { guests: { options: { nosmurfs: true } } }",
        "nosmurfs",
        "`nosmurfs` is not an option of a guest",
        "of a host",
    ),
    (
        "datacenter: { guests: { aliases: { aa: 10.0.0.1 } } }",
        "aliases",
        "unknown key `aliases` in `guests`",
        "known keys",
    ),
    ("datacenter: { aliases: { a: 10.0.0.1 } }", "a", "`a` is not a name", "2 to 64"),
    ("datacenter: { aliases: { 1a: 10.0.0.1 } }", "1a", "`1a` is not a name", "begin with a letter"),
    (
        "datacenter: { aliases: { office: [10.0.0.1] } }",
        "[10.0.0.1]",
        "`office` takes a single value, found a list",
        "",
    ),
    ("datacenter: { aliases: { office: { comment: x } } }", "office", "an alias without `value`", "add `value`"),
    ("datacenter: { ipsets: { management: } }", "management", "`management` has no value", ""),
    (
        "datacenter: { ipsets: { management: { comment: x } } }",
        "management",
        "an ipset without `entries`",
        "add `entries`",
    ),
    (
        "datacenter: { ipsets: { management: [ { comment: x } ] } }",
        "{ comment: x }",
        "an entry of an ipset without `value`",
        "",
    ),
    ("datacenter: { ipsets: { management: [ [a] ] } }", "[a]", "`management` takes a single value, found a list", ""),
    ("datacenter: { rules: accept }", "accept", "`rules` takes a list of rules, found `accept`", "- { in: accept"),
    ("datacenter: { rules: [ SSH ] }", "SSH", "expected a rule, found `SSH`", "{ in: accept, macro: SSH }"),
    (
        "datacenter: { rules: [ { macro: SSH } ] }",
        "{ macro: SSH }",
        "a rule that says neither what it does nor to what",
        "`in`, `out`, `forward`, `group`",
    ),
    ("datacenter: { rules: [ { in: accept, out: drop } ] }", "out", "`in` and `out` in one rule", "two rules"),
    (
        "datacenter: { rules: [ { in: ACCEPT } ] }",
        "ACCEPT",
        "expected one of `accept`, `drop`, `reject`, found `ACCEPT`",
        "`accept`",
    ),
    (
        "datacenter: { rules: [ { forward: reject } ] }",
        "reject",
        "expected one of `accept`, `drop`, found `reject`",
        "",
    ),
    (
        "datacenter: { rules: [ { group: base, proto: tcp } ] }",
        "proto",
        "`proto` cannot stand beside `group`",
        "the group's rules",
    ),
    ("datacenter: { rules: [ { group: base, log: info } ] }", "log", "`log` cannot stand beside `group`", ""),
    (
        "datacenter: { rules: [ { in: accept, macro: SSH, dport: 22 } ] }",
        "dport",
        "`dport` cannot stand beside `macro`",
        "one or the other",
    ),
    (
        "datacenter: { rules: [ { in: accept, dst: office } ] }",
        "dst",
        "unknown key `dst` in a rule",
        "did you mean `dest`?",
    ),
    (
        "datacenter: { rules: [ { in: accept, sorce: office } ] }",
        "sorce",
        "unknown key `sorce` in a rule",
        "did you mean `source`?",
    ),
    (
        "datacenter: { rules: [ { action: accept } ] }",
        "action",
        "unknown key `action` in a rule",
        "the direction is the key",
    ),
    ("datacenter: { rules: [ { in: accept, log: loud } ] }", "loud", "`loud` is not a log level", "`info`"),
    ("datacenter: { rules: [ { in: accept, id: Base } ] }", "Base", "`Base` is not an id", "lower-case"),
    (
        "datacenter: { rules: [ { in: accept, iface: \"eth+\" } ] }",
        "\"eth+\"",
        "`eth+` is not the name of an interface",
        "no wildcard",
    ),
    (
        "datacenter: { rules: [ { in: accept, tcp_flags: { mask: [SYN] } } ] }",
        "tcp_flags",
        "`tcp_flags` without `set`",
        "",
    ),
    ("groups: { base: { comment: x } }", "base", "a group without `rules`", "add `rules`"),
    ("groups: { b: [] }", "b", "`b` is not a name", ""),
    ("zones: { web: {} }", "web", "a zone of kind `host` without `kind`", "`kind: host` or `kind: guest`"),
    ("zones: { web: { kind: vm } }", "vm", "expected one of `host`, `guest`, found `vm`", ""),
    ("zones: { web: { kind: guest, guests: {} } }", "guests", "unknown key `guests` in a zone of kind `guest`", ""),
    ("zones: { web: { kind: guest, nics: {} } }", "nics", "unknown key `nics` in a zone of kind `guest`", ""),
    (
        "zones: { web: { kind: host, options: { ipfilter: true } } }",
        "ipfilter",
        "`ipfilter` is not an option of a host",
        "",
    ),
    ("vms: { web1: {} }", "web1", "`web1` is not the number of a guest", "key `name`"),
    ("vms: { 99: {} }", "99", "`99` is not the number of a guest", "100"),
    ("vms: { 0100: {} }", "0100", "`0100` is not the number of a guest", ""),
    ("vms: { 1000000000: {} }", "1000000000", "`1000000000` is not the number of a guest", ""),
    ("vms: { 100: { guardrails: {} } }", "guardrails", "unknown key `guardrails` in a guest", ""),
    ("vms: { 100: { host: [] } }", "[]", "`host` is an empty list", ""),
    ("vms: { 100: { without: Mon } }", "Mon", "`Mon` is not an id", ""),
    ("vms: { 100: { nics: { net32: {} } } }", "net32", "`net32` is not the name of a NIC", "net31"),
    ("vms: { 100: { nics: { net00: {} } } }", "net00", "`net00` is not the name of a NIC", ""),
    ("vms: { 100: { nics: { net0: { tag: 4095 } } } }", "4095", "`4095` is out of range", "4094"),
    (
        "vms: { 100: { nics: { net0: { bridge: \"vmbr0; x\" } } } }",
        "\"vmbr0; x\"",
        "`vmbr0; x` is not the name of an interface",
        "",
    ),
    ("vms: { 100: { nics: { net0: { firewall: 1 } } } }", "1", "expected `true` or `false`, found `1`", ""),
    (
        "vnets: { a-very-long-name-for-a-bridge: {} }",
        "a-very-long-name-for-a-bridge",
        "`a-very-long-name-for-a-bridge` is not the name of a vnet",
        "15",
    ),
    ("vnets: { prod: { options: { policy_in: drop } } }", "policy_in", "`policy_in` is not an option of a vnet", ""),
    ("tests: [ { from: outside, to: vm/100 } ]", "{ from: outside, to: vm/100 }", "a test without `expect`", ""),
    ("tests: [ { from: vm/1, to: vm/100, expect: drop } ]", "vm/1", "`vm/1` is not an endpoint", "outside"),
    ("tests: [ { from: [], to: vm/100, expect: drop } ]", "[]", "`from` is an empty list", ""),
    (
        "tests: [ { from: outside, to: vm/100, expect: allow } ]",
        "allow",
        "expected one of `accept`, `drop`, `reject`, found `allow`",
        "",
    ),
    ("tests: [ { from: outside, to: vm/100, expect: drop, state: old } ]", "old", "expected one of `new`", ""),
    ("tests: outside", "outside", "expected a map for a test, found `outside`", ""),
];

#[test]
fn what_is_wrong_is_said_where_it_is_with_its_fix() {
    for (spec, at, message, help) in WRONG {
        let found = complaints(&format!("version: 1\n{spec}\n"));
        let said: Vec<_> = found.iter().map(|(message, at, help)| format!("{message} @ {at} % {help}")).collect();
        let expected =
            found.iter().any(|(said, place, fix)| said.starts_with(message) && place == at && fix.contains(help));
        assert!(expected, "{spec}\nexpected {message} @ {at}\nfound    {}", said.join("\n         "));
        assert_eq!(found.len(), 1, "{spec}\n{}", said.join("\n"));
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let validator = validator();
    for (spec, ..) in WRONG {
        let text = format!("version: 1\n{spec}\n");
        assert!(!validator.is_valid(&json_of(&tree(&text))), "the schema takes {spec}");
    }
    for spec in WRONG_TO_RESOLVE {
        let text = format!("version: 1\n{spec}\n");
        good(&text);
        assert!(!validator.is_valid(&json_of(&tree(&text))), "the schema takes {spec}");
    }
    for text in ["", "datacenter: {}", "version: 2", "version: \"1\"", "version: one", "version:", "[]", "x"] {
        assert!(!validator.is_valid(&json_of(&tree(text))), "the schema takes {text}");
        assert_ne!(complaints(text), [], "the reader takes {text}");
    }
}

/// What the schema refuses here and `resolve` refuses later.
const WRONG_TO_RESOLVE: &[&str] = &[
    "datacenter: { rules: [ { in: accept, source: [] } ] }",
    "datacenter: { rules: [ { in: accept, tcp_flags: { mask: [] , set: [] } } ] }",
    "groups: { base: [ { group: other } ] }",
    "groups: { base: { in: accept, iface: net0 } }",
    "vms: { 100: { rules: [ { forward: drop } ] } }",
    "vnets: { prod: { rules: [ { in: accept } ] } }",
];

/// Specs that are right, in forms that are easily taken for wrong.
const RIGHT: &[&str] = &[
    "datacenter:\nhosts:\nvms:\ngroups:\nzones:\nvnets:",
    "datacenter: { options: , rules: , aliases: , ipsets: , sysctl: , guests: { rules: } }",
    "groups: { base: { in: accept, macro: Ping } }",
    "groups: { base: { rules: { in: accept, macro: Ping } } }",
    "groups: { base: [], other: { comment: none yet, rules: } }",
    "datacenter: { ipsets: { aa: 10.0.0.1, bb: { value: 10.0.0.1, comment: one }, cc: { entries: 10.0.0.1 }, dd: [] } }",
    "datacenter: { ipsets: { aa: { comment: x, entries: [ 10.0.0.1, { value: \"!10.0.0.2\", comment: y } ] } } }",
    "datacenter: { aliases: { aa: 10.0.0.1, bb: { value: 10.0.0.1 }, no: 10.0.0.3 } }",
    "datacenter: { guardrails: { options: { enable: true, nosmurfs: true, macfilter: true } } }",
    "datacenter: { options: { log_ratelimit: { enable: true, rate: 5/minute, burst: 10 } } }",
    "hosts: { 10: { addresses: [], comment: 5 }, a.b.example: { inherits: x, targets: [] } }",
    "hosts: { pm1: { options: { nf_conntrack_helpers: ftp }, sysctl: { set: { net.ipv4.conf.eth0/100.rp_filter: 2 } } } }",
    "vms: { 100: { name: 5, host: any, nics: { net31: { tag: 4094, ip: dhcp, rules: { out: drop } } } } }",
    "vms: { 100: { without: [1a], options: { layer2_protocols: [ARP, \"0x88cc\"], ips_queues: 0:3 } } }",
    "containers: { 999999999: { options: { ips_queues: 3, layer2_protocols: IPv4 } } }",
    "vnets: { prod: { rules: [ { forward: drop, proto: [tcp, 47] }, { group: base } ] } }",
    "tests: { from: [host/*, vm/100:net1, zone/web], to: ct/*, expect: reject, dport: [80, 8000-8099] }",
    "datacenter: { rules: [ { in: accept, tcp_flags: { mask: [SYN, ACK], set: [] }, proto: tcp } ] }",
];

#[test]
fn the_schema_and_the_reader_take_what_is_right() {
    let validator = validator();
    for spec in RIGHT {
        let text = format!("version: 1\n{spec}\n");
        good(&text);
        let errors: Vec<String> =
            validator.iter_errors(&json_of(&tree(&text))).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{spec}");
    }
}

#[test]
fn all_errors_are_said_at_once() {
    let text = "hosts:\n  pm_1: { adresses: 10.0.0.1 }\nvms:\n  99:\n    rules:\n      - { in: acept }\n      - in\n";
    let messages: Vec<String> = complaints(text).into_iter().map(|(message, ..)| message).collect();
    assert_eq!(
        messages,
        [
            "a spec without `version`",
            "`pm_1` is not the name of a host",
            "unknown key `adresses` in a host",
            "`99` is not the number of a guest",
            "expected one of `accept`, `drop`, `reject`, found `acept`",
            "expected a rule, found `in`",
        ]
    );
}

#[test]
fn guests_share_one_number_space() {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", "version: 1\nvms: { 100: {}, 101: {} }\ncontainers: { 101: {}, 102: {} }\n");
    let (_, found) = load(&sources);
    let found: Vec<_> = found.iter().collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "`101` is both a VM and a container");
    let places: Vec<_> = found[0].labels.iter().map(|label| sources.line_column(label.span)).collect();
    assert_eq!(places, [(3, 15), (2, 17)]);
}

#[test]
fn merge_keys_are_no_keys() {
    for text in [
        "version: 1\nhosts: { pm1: { <<: x } }\n",
        "version: 1\nhosts: { <<: x }\n",
        "version: 1\nhosts: { pm1: { rules: [ { in: drop, <<: x } ], options: { enable: true } } }\n",
        "version: 1\nhosts: { pm1: { options: { <<: x } } }\n",
    ] {
        let found = complaints(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].1, "<<");
        assert!(found[0].2.contains("`inherits`"));
    }
}

fn next_number() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// A value that a shape takes, as YAML in brackets, with every key that there is.
fn sample(shape: &Shape) -> String {
    match shape {
        Shape::Text(lexis) | Shape::List { of: lexis, .. } => match lexis {
            Lexis::Line => "some text".to_owned(),
            Lexis::Bool => "true".to_owned(),
            Lexis::Integer { min, .. } => min.to_string(),
            Lexis::Words(words) => words[0].to_owned(),
            Lexis::LogLevel => "info".to_owned(),
            Lexis::Name(pattern) => name(pattern).to_owned(),
        },
        Shape::Rules(place) => {
            let rule = |head: &&str| {
                let fits = |key: &str| {
                    (!RULE_HEADS.contains(&key) || key == *head)
                        && (place.iface || key != "iface")
                        && (*head != "group" || rule::REFERENCE_KEYS.contains(&key))
                        && key != "macro"
                        && key != "id"
                };
                map_of(&table::RULE, fits)
            };
            let rules: Vec<String> = place.heads.iter().map(rule).collect();
            format!("[{}, {{ {}: accept, macro: SSH, id: x{} }}]", rules.join(", "), place.heads[0], next_number())
        }
        Shape::Options(zones) => {
            let mut options: Vec<_> = zones.iter().flat_map(|zone| options::table(*zone)).collect();
            options.sort_by_key(|option| option.name);
            options.dedup_by_key(|option| option.name);
            let options: Vec<String> = options
                .into_iter()
                .map(|option| {
                    let value = match option.kind {
                        OptionKind::Bool => "false".to_owned(),
                        OptionKind::Integer { max, .. } => max.to_string(),
                        OptionKind::Choice(words) => words[0].to_owned(),
                        OptionKind::Choices(words) => format!("[{}]", words.join(", ")),
                        OptionKind::RateLimit => "{ enable: true, rate: 1/second, burst: 5 }".to_owned(),
                        OptionKind::EtherTypes => "[ARP]".to_owned(),
                        OptionKind::Queues => "1".to_owned(),
                    };
                    format!("{}: {value}", option.name)
                })
                .collect();
            format!("{{ {} }}", options.join(", "))
        }
        Shape::Map(fields) => map_of(fields, |_| true),
        Shape::Named(pattern, of) => format!("{{ {}: {} }}", name(pattern), sample(of)),
        Shape::Items(of) => format!("[{}]", sample(of)),
        Shape::Either { long, .. } => map_of(long, |_| true),
        Shape::Zone { host, guest: _ } => map_of(host, |_| true),
    }
}

fn map_of(fields: &Fields, fits: impl Fn(&str) -> bool) -> String {
    let pairs = fields.fields.iter().filter(|field| fits(field.name));
    let pairs: Vec<String> = pairs.map(|field| format!("{}: {}", field.name, sample(&field.shape))).collect();
    format!("{{ {} }}", pairs.join(", "))
}

fn name(pattern: &Pattern) -> &'static str {
    let names = ["pm1.example", "base", "100", "net0", "zz-fwc.conf", "net.ipv4.tcp_sack", "vm/100:net0", "FWC"];
    names.into_iter().find(|name| (pattern.fits)(name)).unwrap()
}

#[test]
fn every_key_of_the_table_is_read() {
    // The numbers of VMs and containers must differ.
    let text = sample(&Shape::Map(&table::SPEC)).replacen("containers: { 100:", "containers: { 200:", 1);
    // `decode` asserts that it knows every key it is given.
    let spec = good(&text);
    assert_eq!(spec.zones.len(), 1);
    assert_eq!(spec.datacenter.body.guardrail_options.len(), {
        let mut names: Vec<_> =
            DATACENTER_GUARDRAILS.iter().flat_map(|zone| options::table(*zone)).map(|o| o.name).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    });
    let Shape::Zone { guest, .. } = table::SPEC.find("zones").map(|field| field.shape).map(inner).unwrap() else {
        panic!()
    };
    let guest_zone = map_of(guest, |_| true).replace("kind: host", "kind: guest");
    let spec = good(&format!("{{ version: 1, zones: {{ web: {guest_zone} }} }}"));
    assert_eq!(spec.zones[0].1.body.rules.len(), 4);
    assert!(validator().is_valid(&json_of(&tree(&text))));
}

fn inner(shape: Shape) -> Shape {
    let Shape::Named(_, of) = shape else { return shape };
    *of
}

#[test]
fn docs_are_sentences() {
    fn walk(shape: &Shape) {
        let fields: &[&Fields] = match shape {
            Shape::Map(fields) | Shape::Either { long: fields, .. } => &[fields],
            Shape::Zone { host, guest } => &[host, guest],
            Shape::Named(_, of) | Shape::Items(of) => return walk(of),
            Shape::Text(_) | Shape::List { .. } | Shape::Rules(_) | Shape::Options(_) => &[],
        };
        for field in fields.iter().flat_map(|fields| fields.fields) {
            assert!(field.doc.ends_with('.') && !field.doc.starts_with(char::is_lowercase), "{}", field.name);
            walk(&field.shape);
        }
    }
    walk(&Shape::Map(&table::SPEC));
    walk(&Shape::Map(&table::RULE));
}

fn schema_of(pattern: &Pattern) -> jsonschema::Validator {
    let schema = json!({ "type": "string", "pattern": pattern.regex, "maxLength": pattern.longest });
    jsonschema::draft202012::new(&schema).unwrap()
}

#[test]
fn no_name_can_break_out() {
    for pattern in PATTERNS {
        let seed = name(pattern);
        for bad in ["", "..", ".", "/", "\n", " ", ";", "\"", "'", "`", "$", "\0", "\u{e9}", "\\", "{", "#"] {
            for text in [bad.to_owned(), format!("{bad}{seed}"), format!("{seed}{bad}"), format!("{seed}{bad}{seed}")] {
                let slash =
                    matches!(bad, "/" | ".") && (std::ptr::eq(pattern, &SYSCTL) || pattern.longest == SYSCTL.longest);
                let dotted = bad == "." || (bad == ".." && pattern.regex.contains("_.-"));
                if slash || dotted || bad.is_empty() && !text.is_empty() {
                    continue;
                }
                assert!(!(pattern.fits)(&text), "{text:?} is {}", pattern.what);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// The two forms of every pattern, the function and the expression, say the same.
    #[test]
    fn patterns_and_functions_agree(text in "[a-zA-Z0-9_.:/*+@-]{0,20}|[a-z.]{60,70}|(vm|ct|host|zone)/[a-z0-9:*]{1,9}|net[0-9]{0,3}|any|outside") {
        thread_local! {
            static SCHEMAS: Vec<jsonschema::Validator> = PATTERNS.iter().map(|pattern| schema_of(pattern)).collect();
        }
        SCHEMAS.with(|schemas| {
            for (pattern, schema) in PATTERNS.iter().zip(schemas) {
                let fits = text.len() <= pattern.longest && (pattern.fits)(&text);
                prop_assert_eq!(fits, schema.is_valid(&json!(text)), "{} {}", pattern.what, text);
            }
            Ok(())
        })?;
    }
}
