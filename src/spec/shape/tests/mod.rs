//! The check of shapes: what it says, and that the schema and the decoder agree with it.

mod corpus;
mod names;
mod samples;

use corpus::{RIGHT, WRONG, WRONG_TO_RESOLVE};

use serde_json::{Value as Json, json};

use super::*;
use crate::diagnostic::{Diagnostics, FileId, SourceMap};
use crate::spec::options::OptionKind;
use crate::spec::tests::{complaints, good};
use crate::spec::yaml::{self, Value};
use crate::spec::{load, options};

/// A tree as another YAML reader would see it (YAML 1.2, core schema).
fn json_of(node: &Node<'_>) -> Json {
    match &node.value {
        Value::Nothing => Json::Null,
        Value::Scalar { text, plain: true } if hexadecimal(text).is_some() => json!(hexadecimal(text)),
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

fn hexadecimal(text: &str) -> Option<i64> {
    text.strip_prefix("0x").and_then(|digits| i64::from_str_radix(digits, 16).ok())
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
    for text in ["version: 2", "version: \"1\"", "version: one", "version:", "[]", "x"] {
        assert!(!validator.is_valid(&json_of(&tree(text))), "the schema takes {text}");
        assert_ne!(complaints(text), [], "the reader takes {text}");
    }
}

/// Of a folder one file says the version; an editor sees the others without it.
#[test]
fn a_file_of_a_folder_fits_the_schema_without_a_version() {
    let validator = validator();
    for text in ["", "datacenter: {}"] {
        assert!(validator.is_valid(&json_of(&tree(text))), "the schema refuses {text}");
        assert_ne!(complaints(text), [], "the reader takes {text} for a whole spec");
    }
}

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

#[test]
fn docs_are_sentences() {
    fn walk(shape: &Shape) {
        let fields: &[&Fields] = match shape {
            Shape::Map(fields) | Shape::Either { long: fields, .. } => &[fields],
            Shape::Zone { host, guest } => &[host, guest],
            Shape::Test => &[&table::A_TEST],
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

#[test]
fn the_version_is_a_plain_one() {
    for (text, message) in [
        ("version: 2", "this fwc reads version 1 of the language, not `2`"),
        ("version: \"1\"", "expected a number, found text in quotes"),
        ("version: [1]", "`version` takes a single value, found a list"),
        ("version:", "`version` has no value"),
    ] {
        let found = complaints(text);
        assert_eq!(found.iter().map(|(message, ..)| &**message).collect::<Vec<_>>(), [message]);
    }
}
