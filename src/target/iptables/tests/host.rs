//! The host's own hooks.

use super::fixture::*;
use crate::policy::*;

fn rules() -> Vec<Rule> {
    let all: Vec<(u16, u16)> = (0..20).map(|n| (1000 + n * 2, 1000 + n * 2)).collect();
    vec![
        Rule { services: vec![tcp(&[(22, 22)])], source: addresses("203.0.113.0/24"), ..rule("office") },
        Rule { services: vec![tcp(&all)], ..rule("many-ports") },
        Rule {
            services: vec![tcp(&[(443, 443)])],
            source: addresses("192.0.2.1 192.0.2.3 192.0.2.5 192.0.2.7-192.0.2.9 2001:db8::1"),
            log: Log::At(LogLevel::Info),
            ..rule("set")
        },
        Rule {
            verdict: Verdict::Reject,
            services: vec![tcp(&[(25, 25)])],
            interface: RuleInterface::Host("eth0".into()),
            ..rule("mail")
        },
        Rule { direction: Direction::Out, verdict: Verdict::Drop, services: vec![tcp(&[(25, 25)])], ..rule("out") },
        Rule { direction: Direction::Forward, services: vec![tcp(&[(80, 80)])], ..rule("web") },
    ]
}

#[test]
fn host_hooks_load() {
    let one = host(list(vec![section(ZoneRef::Host("pm1".into()), entries(rules()))]));
    let (files, diagnostics) = compile(&fleet(vec![one]));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    if std::env::var_os("SHOW").is_some() {
        for text in files.values() {
            println!("{text}");
        }
    }
    loads(&files);
}
