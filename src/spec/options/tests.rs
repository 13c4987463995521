use super::*;
use crate::diagnostic::{FileId, Located, Span};

fn text(value: &str) -> Text {
    Located::new(value.to_owned(), Span { file: FileId(0), start: 7, len: u32::try_from(value.len()).unwrap() })
}

fn errors(zone: OptionZone, name: &str, value: &OptionValue) -> Vec<Diagnostic> {
    let mut found = Diagnostics::new();
    check(find(zone, name).unwrap(), value, &mut found);
    found.iter().cloned().collect()
}

fn scalar(zone: OptionZone, name: &str, value: &str) -> Vec<Diagnostic> {
    errors(zone, name, &OptionValue::Scalar(text(value)))
}

#[test]
fn names_are_unique_and_defaults_fit_their_own_kind() {
    for zone in OptionZone::ALL {
        for (at, option) in table(zone).iter().enumerate() {
            assert!(!table(zone).iter().take(at).any(|other| other.name == option.name), "{}", option.name);
            assert!(option.doc.ends_with('.'), "{}", option.name);
            if let Some(default) = option.default {
                assert_eq!(scalar(zone, option.name, default), [], "{}", option.name);
            }
        }
    }
}

#[test]
fn the_ends_of_every_range_are_in_it_and_their_neighbours_are_not() {
    for zone in OptionZone::ALL {
        for option in table(zone) {
            if let OptionKind::Integer { min, max, .. } = option.kind {
                for (number, good) in [(min, true), (max, true), (min - 1, false), (max + 1, false)] {
                    assert_eq!(scalar(zone, option.name, &number.to_string()).is_empty(), good, "{}", option.name);
                }
            }
        }
    }
}

#[test]
fn numbers_are_plain_decimals() {
    for bad in ["", "0x8000", "1e5", "262_144", "+262144", "-1", "0262144", "18446744073709551616", "262144.0", "２"] {
        let found = scalar(OptionZone::Host, "nf_conntrack_max", bad);
        assert_eq!(found.len(), 1, "{bad}");
        assert_eq!(found[0].span().start, 7);
    }
    let found = scalar(OptionZone::Host, "nf_conntrack_max", "32767");
    assert_eq!(found[0].message, "`32767` is out of range");
    assert_eq!(found[0].help.as_deref(), Some("this takes a whole number of connections from 32768 to 2147475456"));
}

#[test]
fn only_true_and_false_are_booleans() {
    assert_eq!(parse_bool(&text("true")), Ok(true));
    assert_eq!(parse_bool(&text("false")), Ok(false));
    for (bad, help) in [("yes", "write `true`"), ("0", "write `false`"), ("True", "write `true`")] {
        let error = parse_bool(&text(bad)).unwrap_err();
        assert_eq!(error.message, format!("expected `true` or `false`, found `{bad}`"));
        assert_eq!(error.help.as_deref(), Some(help));
    }
}

#[test]
fn choices_suggest_the_nearest_word() {
    let found = scalar(OptionZone::Guest, "policy_in", "acept");
    assert_eq!(found[0].message, "expected one of `accept`, `drop`, `reject`, found `acept`");
    assert_eq!(found[0].help.as_deref(), Some("did you mean `accept`?"));
    assert_eq!(scalar(OptionZone::Vnet, "policy_forward", "reject").len(), 1);
    for (word, ours) in [("allow", "accept"), ("DENY", "drop"), ("refuse", "reject")] {
        let found = scalar(OptionZone::Guest, "policy_in", word);
        assert_eq!(found[0].help, Some(format!("did you mean `{ours}`?")));
    }
    let warn = parse_log_level(&text("warn")).unwrap_err();
    assert_eq!(warn.help.as_deref(), Some("did you mean `warning`?"));
}

#[test]
fn an_option_of_another_kind_of_zone_is_named_with_its_place() {
    let error = unknown(&[OptionZone::Host], &text("macfilter"));
    assert_eq!(error.message, "`macfilter` is not an option of a host");
    assert_eq!(
        error.help.as_deref(),
        Some(
            "`macfilter` is an option of a guest; \
             put it into the `options` of a guest, of a `guests` block or of a zone of kind `guest`"
        )
    );
    let error = unknown(&[OptionZone::Host], &text("nosmurf"));
    assert_eq!(error.help.as_deref(), Some("did you mean `nosmurfs`?"));
}

#[test]
fn rates_queues_and_ethertypes() {
    assert_eq!(parse_rate(&text("3/minute")), Ok((3, "minute")));
    for bad in ["3", "3/min", "0/second", "x/second", "10001/second", "3 / minute", "", "/", "+1/second"] {
        assert!(parse_rate(&text(bad)).is_err(), "{bad}");
    }
    assert_eq!(parse_queues(&text("3")), Ok((3, 3)));
    assert_eq!(parse_queues(&text("0:3")), Ok((0, 3)));
    for bad in ["3:0", "65536", "", ":", "1:", "0-3", "+1"] {
        assert!(parse_queues(&text(bad)).is_err(), "{bad}");
    }
    for good in ["ARP", "IPv4", "802_1Q", "0x88cc"] {
        assert!(parse_ethertype(&text(good)).is_ok(), "{good}");
    }
    for bad in ["", "0x", "8100", "33024", "0x12345", "0xzz", "a b", "ARP;", "\u{e9}"] {
        assert!(parse_ethertype(&text(bad)).is_err(), "{bad}");
    }
}

#[test]
fn lists_and_maps_only_where_the_option_takes_them() {
    let list = OptionValue::List(Located::new(vec![text("ftp"), text("tftp"), text("ftp")], Span::default()));
    let found = errors(OptionZone::Host, "nf_conntrack_helpers", &list);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "`ftp` stands in the list twice");
    assert_eq!(found[0].labels.len(), 2);
    let found = errors(OptionZone::Host, "nosmurfs", &list);
    assert_eq!(found[0].message, "`nosmurfs` takes `true` or `false`, not a list");
    let found = scalar(OptionZone::Datacenter, "log_ratelimit", "1/second");
    assert_eq!(found[0].message, "expected a map, found `1/second`");
}
