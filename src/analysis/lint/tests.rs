//! What has no line of its own in `tests/diagnostics/`: machines together, sessions, budgets, documentation.

use super::{Session, check, documentation, documented};
use crate::analysis::tests::fleet;
use crate::diagnostic::{Code, Diagnostics};

/// The findings: a lint's name, and the text that it is about.
fn told(yaml: &str) -> Vec<String> {
    shown(yaml, &check(&fleet(yaml), None))
}

fn shown(yaml: &str, found: &Diagnostics) -> Vec<String> {
    let one = |finding: &crate::diagnostic::Diagnostic| {
        let span = finding.span();
        let text = yaml.get(span.start as usize..(span.start + span.len) as usize).unwrap();
        format!("{}: {text}", finding.code.lint_name().unwrap())
    };
    found.iter().map(one).collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_rule_is_told_where_it_does_nothing_for_any_machine() {
    let spec = |second: &str| {
        format!(
            "
version: 1
groups:
  web: [ {{ in: accept, proto: tcp, dport: 80 }} ]
hosts:
  a: {{ addresses: 10.0.0.1/24, guests: {{ rules: [ {{ in: accept, proto: tcp, dport: 25 }}, {{ group: web }} ] }} }}
vms:
  100:
    nics: {{ net0: {{ bridge: vmbr0, mac: 'BC:24:11:00:00:64', ip: 10.0.1.1/24 }} }}
    rules: [ {{ in: drop, proto: tcp }} ]
  101:
    nics: {{ net0: {{ bridge: vmbr0, mac: 'BC:24:11:00:00:65', ip: 10.0.1.2/24 }} }}
    rules: [ {{ in: drop, proto: tcp, dport: {second} }} ]
"
        )
    };
    assert_eq!(
        told(&spec("20-90")),
        ["shadowed: { in: accept, proto: tcp, dport: 80 }", "shadowed: { in: accept, proto: tcp, dport: 25 }"]
    );
    assert_eq!(told(&spec("80")), ["shadowed: { in: accept, proto: tcp, dport: 80 }"]);
    assert_eq!(told(&spec("1")), ["redundant: { in: drop, proto: tcp, dport: 1 }"]);
}

#[test]
fn of_two_that_can_stand_for_each_other_one_stays() {
    // The same twice: the second gets no packet, and the first is needed once that is gone.
    let one = "{ in: accept, proto: tcp, dport: 80 }";
    let spec = |rules: &str| format!("version: 1\nhosts: {{ a: {{ addresses: 10.0.0.1/24, rules: [ {rules} ] }} }}\n");
    assert_eq!(told(&spec(&format!("{one}, {one}"))), [format!("shadowed: {one}")]);
    // 80 is accepted by either of the first two, but not by the rest once both are gone.
    let some = "{ in: accept, proto: tcp, dport: 80-90 }, { in: accept, proto: tcp, dport: 81-90 }";
    let found = told(&spec(&format!("{one}, {some}, {{ in: drop, proto: tcp, dport: 80, log: info }}")));
    assert_eq!(
        found,
        [
            "redundant: { in: accept, proto: tcp, dport: 80 }",
            "shadowed: { in: accept, proto: tcp, dport: 81-90 }",
            "shadowed: { in: drop, proto: tcp, dport: 80, log: info }"
        ]
    );
}

#[test]
fn a_group_that_is_called_twice_does_not_stand_in_for_itself() {
    let yaml = "
version: 1
groups:
  web: [ { in: accept, proto: tcp, dport: 80 } ]
hosts:
  a: { addresses: 10.0.0.1/24, rules: [ { group: web }, { group: web } ] }
";
    assert_eq!(told(yaml), NOTHING);
}

#[test]
fn machines_that_do_not_filter_say_nothing() {
    let yaml = "
version: 1
hosts:
  a: { addresses: 10.0.0.1/24, options: { enable: false }, rules: [ { in: drop }, { in: accept, macro: SSH } ] }
  b: { addresses: 10.0.0.2/24, rules: [ { in: accept, macro: SSH, enable: false, allow: { open-administration: soon } } ] }
";
    assert_eq!(told(yaml), NOTHING);
}

#[test]
fn a_session_must_be_able_to_come_back() {
    let yaml = "
version: 1
datacenter: { ipsets: { management: [192.0.2.0/24] } }
hosts:
  a:
    addresses: 10.0.0.1/24
    rules: [ { in: accept, proto: tcp, dport: 22, source: 198.51.100.0/24 }, { in: accept, proto: tcp, dport: 2222 } ]
";
    let fleet = fleet(yaml);
    let told = |host: &str, client: &str, port: u16| {
        let (client, server) = (client.parse().unwrap(), "10.0.0.1".parse().unwrap());
        let session = Session { host: host.to_owned(), client, server, port };
        shown(yaml, &check(&fleet, Some(&session)))
    };
    for (client, port) in [("192.0.2.7", 22), ("198.51.100.9", 22), ("203.0.113.1", 2222), ("127.0.0.1", 22)] {
        assert_eq!(told("a", client, port), NOTHING, "{client} {port}");
    }
    assert_eq!(told("a", "203.0.113.1", 22), ["lock-out: a"]);
    assert_eq!(told("a", "::ffff:203.0.113.1", 22), ["lock-out: a"]);
    assert_eq!(told("a", "192.0.2.7", 2223), ["lock-out: a"]);
    assert_eq!(told("b", "203.0.113.1", 22), NOTHING);
}

/// Every field of every rule splits the packets otherwise.
fn explosive(rules: usize) -> String {
    let mut text = "version: 1\nhosts:\n  a:\n    addresses: 10.0.0.1/24\n    rules:\n".to_owned();
    for number in 0..rules {
        let (from, to) = (number * 37 % 200, 10 + number * 53 % 180);
        text += &format!(
            "      - {{ in: accept, proto: tcp, dport: {}-{}, sport: {}-{}, source: 10.{from}.0.0-10.{}.0.0, dest: 10.{to}.0.0-10.{}.0.0 }}\n",
            1000 + from * 7,
            3000 + from * 11,
            1000 + to * 5,
            4000 + to * 13,
            from + 40,
            to + 60,
        );
    }
    text
}

#[test]
fn what_is_over_budget_is_named_and_not_guessed() {
    let text = explosive(60) + "      - { in: drop }\n      - { in: accept, macro: Web }\n";
    let found = told(&text);
    // The rules, and the management.
    assert_eq!(found, ["over-budget: a", "over-budget: a"]);
    // The same within the budget.
    let text = explosive(3) + "      - { in: drop }\n      - { in: accept, macro: Web }\n";
    assert!(told(&text).contains(&"shadowed: { in: accept, macro: Web }".to_owned()), "{:?}", told(&text));
}

#[test]
fn without_hosts_nobody_says_what_is_used() {
    let yaml = "version: 1\ndatacenter: { aliases: { one: 192.0.2.1 } }\nzones: { web: { kind: guest } }\nvms: { 100: { inherits: web, rules: [ { in: accept, source: one } ] } }\n";
    assert_eq!(told(yaml), NOTHING);
}

#[test]
fn every_lint_is_documented_and_can_be_allowed() {
    let codes: Vec<Code> = Code::ALL.iter().copied().filter(|code| code.lint_name().is_some()).collect();
    assert_eq!(documented().collect::<Vec<_>>(), codes);
    for code in codes {
        let text = documentation(code).unwrap();
        let paragraphs: Vec<&str> = text.split("\n\n").collect();
        assert!(paragraphs.len() >= 3, "{}: {text}", code.as_str());
        assert!(paragraphs[0].ends_with('.') && !paragraphs[0].contains('\n'), "{}", paragraphs[0]);
        assert!(text.contains("```yaml") || code == Code::OverBudget, "{} has no example", code.as_str());
        // What is left of it is the language's own to refuse.
        let name = code.lint_name().unwrap();
        let mut sources = crate::diagnostic::SourceMap::default();
        sources.add("fwc.yaml", format!("version: 1\ndatacenter: {{ allow: {{ {name}: because }} }}\n"));
        let (_, found) = crate::spec::load(&sources);
        assert_eq!(found.has_errors(), code == Code::UnusedAllow, "{name}");
    }
}
