//! `fwc schema diff` says what `fwc diff --format json` prints: all of it, and nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::repository::Repository;

fn schema() -> Value {
    let (status, text, _) = Repository::new().said(&["schema", "diff"]);
    assert_eq!(status, 0);
    serde_json::from_str(&text).expect("JSON")
}

/// The schema without its allowance for fields that a later version may add.
fn strict(mut schema: Value) -> Value {
    fn close(value: &mut Value) {
        match value {
            Value::Object(map) => {
                if map.contains_key("properties") {
                    map.insert("additionalProperties".into(), false.into());
                }
                map.values_mut().for_each(close);
            }
            Value::Array(list) => list.iter_mut().for_each(close),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    close(&mut schema);
    schema
}

/// The names of all fields in a document.
fn fields(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                found.insert(key.clone());
                fields(value, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| fields(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Reports that between them have every field.
fn reports() -> Vec<Value> {
    let fleet = crate::base::fleet();
    fleet.edit("fwc/guests/web.yaml", "vms:", "# a comment\nvms:");
    let moved = Repository::new();
    let spec = "version: 1\nhosts:\n  pm1: { addresses: 10.0.0.1/24, rules: [ { in: accept, macro: SSH } ] }\n";
    moved.put("old.yaml", spec);
    moved.commit("a spec");
    moved.git(&["mv", "old.yaml", "new.yaml"]);
    let broken = Repository::new();
    broken.put("fwc.yaml", spec);
    broken.commit("a spec");
    broken.edit("fwc.yaml", "SSH", "SHH");
    let outputs = [
        fleet.said(&["diff", "--base", "HEAD", "--format", "json"]),
        fleet.said(&["diff", "--base", "HEAD", "--format", "json", "--text"]),
        moved.said(&["diff", "new.yaml", "--base", "HEAD", "--format", "json"]),
        broken.said(&["diff", "--base", "HEAD", "--format", "json"]),
        // What a machine has loaded, which is compared in its own words.
        captured(),
        Repository::new().told(&crate::drift::of_docker("json")),
    ];
    outputs.into_iter().map(|(_, text, _)| serde_json::from_str(&text).expect("JSON")).collect()
}

/// The repository's own example against a captured listing.
fn captured() -> (i32, String, String) {
    let arguments =
        ["diff", "examples/quickstart.yaml", "--state", "tests/cli/drift.in/pve1.rules", "--format", "json"];
    let repository = Repository::new();
    repository.told(&crate::common::fwc().args(arguments).output().expect("fwc runs"))
}

#[test]
fn every_report_is_what_the_schema_says() {
    let schema = strict(schema());
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let mut seen = BTreeSet::new();
    for report in reports() {
        let errors: Vec<String> =
            validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        fields(&report, &mut seen);
    }
    // What the schema describes is printed somewhere.
    let mut described = BTreeSet::new();
    properties(&schema, &mut described);
    let missing: Vec<&String> = described.difference(&seen).collect();
    assert!(missing.is_empty(), "described, and never printed: {missing:?}");
    // And the test can see a field that nobody described.
    let mut other = reports().remove(0);
    other["hosts"][0]["surprise"] = 1.into();
    assert!(!validator.is_valid(&other));
}

fn properties(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(named)) = map.get("properties") {
                found.extend(named.keys().cloned());
                let described = |value: &Value| value.get("description").is_some() || value.get("$ref").is_some();
                assert!(named.values().all(described), "every field has a description: {named:?}");
            }
            map.values().for_each(|value| properties(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| properties(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_plain_command_prints_the_language() {
    let repository = Repository::new();
    let (plain, named) = (repository.said(&["schema"]), repository.said(&["schema", "spec"]));
    assert_eq!(plain, named);
    let schema: Value = serde_json::from_str(&plain.1).expect("JSON");
    assert!(schema["properties"]["hosts"].is_object());
}
