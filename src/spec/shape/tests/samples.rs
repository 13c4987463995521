//! A spec with every key of the table, held against the decoder.

use super::names::name;
use super::*;

fn next_number() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// A value that a shape takes, as YAML in brackets, with every key that there is.
fn sample(shape: &Shape) -> String {
    match shape {
        Shape::Text(lexis) | Shape::List { of: lexis, .. } => match lexis {
            Lexis::Line | Lexis::Sysctl => "some text".to_owned(),
            Lexis::Bool => "true".to_owned(),
            Lexis::Integer { min, .. } => min.to_string(),
            Lexis::Words(words) => words[0].to_owned(),
            Lexis::Version => "1".to_owned(),
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
        // Of a list of tests: one with all that goes without a macro and `only`, and one with them.
        Shape::Test => format!(
            "{}, {{ to: outside, macro: SSH, only: x }}",
            map_of(&table::A_TEST, |key| !["macro", "only"].contains(&key))
        ),
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
