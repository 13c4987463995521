//! Of nft's JSON listing nothing is passed over: whatever is altered in it reads as something else. And what other
//! programs loaded does not stand in its way.

use fwc::diagnostic::FileId;
use fwc::state::nft;
use fwc::state::ruleset::{Chain, Ruleset, Table, TableName};
use serde_json::{Value, json};

use super::{common, namespace, script};

/// What an object reads as, and how much of it is unread.
fn read(object: &Value) -> (script::Objects, usize) {
    let found = nft::read_json(FileId(0), &json!({ "nftables": [object] }).to_string());
    (script::objects(&found), found.unread.len())
}

/// Ways to alter a value, one place at a time: other values, other names of fields, parts of lists left out.
fn altered(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Bool(yes) => vec![json!(!yes)],
        Value::Number(number) => vec![json!(number.as_i64().expect("a whole number") + 1)],
        Value::String(text) => vec![json!(format!("{text}y"))],
        Value::Array(values) => {
            let mut found = Vec::new();
            for (index, value) in values.iter().enumerate() {
                let with = |other: Option<Value>| {
                    let mut values = values.clone();
                    values.splice(index..=index, other);
                    Value::Array(values)
                };
                found.extend(altered(value).into_iter().map(|other| with(Some(other))));
                found.push(with(None));
            }
            found
        }
        Value::Object(fields) => {
            let mut found = Vec::new();
            for (key, value) in fields {
                let with = |name: &str, value: &Value| {
                    let field = |(old, kept): (&String, &Value)| {
                        if old == key { (name.to_owned(), value.clone()) } else { (old.clone(), kept.clone()) }
                    };
                    Value::Object(fields.iter().map(field).collect())
                };
                found.extend(altered(value).iter().map(|other| with(key, other)));
                found.push(with(&format!("{key}y"), value));
            }
            found
        }
    }
}

/// An object without what nft counts, numbers or says to people, and without what another part of it means.
fn essence(value: &Value, within: &str) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        Value::Array(values) => {
            let counts = |value: &Value| {
                let implied = |left: Value| value["match"]["left"] == left && value["match"]["op"] == "==";
                value.get("counter").is_some_and(|counter| !counter.is_string())
                    || value.get("continue").is_some()
                    // Beside a reset, and beside a field of a tag.
                    || implied(json!({ "meta": { "key": "l4proto" } })) && value["match"]["right"] == "tcp"
                    || implied(json!({ "payload": { "protocol": "ether", "field": "type" } }))
                        && value["match"]["right"] == "8021q"
            };
            values.iter().filter(|value| !counts(value)).map(|value| essence(value, "")).collect()
        }
        Value::Object(fields) => {
            let mut kept = serde_json::Map::new();
            for (key, value) in fields {
                let value = match (within, key.trim_end_matches('y')) {
                    (_, "handle") | ("elem", "expires" | "comment" | "counter") | ("counter", "packets" | "bytes") => {
                        continue;
                    }
                    // How much room the kernel makes, and flags that other fields mean.
                    ("set", "size" | "stmt") | ("quota", "used") | ("ct helper", "l3proto") => continue,
                    ("set", "flags") => {
                        let flags = value.as_array().cloned().unwrap_or_default();
                        let means =
                            |flag: &Value| flag != "interval" && (flag != "timeout" || fields.get("timeout").is_none());
                        flags.into_iter().filter(means).collect()
                    }
                    (_, _) => essence(value, key),
                };
                kept.insert(key.clone(), value);
            }
            Value::Object(kept)
        }
    }
}

#[test]
fn every_change_of_a_listing_is_seen() {
    let folder = common::root().join("tests/kernel/corpus");
    let listing = namespace::run(&folder, "nft -f script.nft; nft -j list ruleset");
    let listing: Value = serde_json::from_str(&listing).expect("JSON");
    let objects = listing["nftables"].as_array().expect("objects");
    let (mut tried, mut unseen) = (0, Vec::new());
    for object in objects.iter().filter(|object| object.get("metainfo").is_none()) {
        let meant = read(object);
        assert_eq!(meant.1, 0, "{object}");
        for other in altered(object) {
            if essence(&other, "") != essence(object, "") {
                tried += 1;
                if read(&other) == meant {
                    unseen.push(format!("{object}\n{other}"));
                }
            }
        }
    }
    assert!(tried > 2000, "only {tried} changes were tried");
    assert!(unseen.is_empty(), "{} changes pass:\n{}", unseen.len(), unseen.join("\n\n"));
}

/// Tables that other programs made, with what nft itself cannot say, are read all the same in both forms.
#[test]
fn tables_of_others_are_read() {
    let folder = common::root().join("tests/kernel/corpus");
    let load = "iptables-nft-restore < iptables.rules; ip6tables-nft-restore < ip6tables.rules; \
                ebtables-nft-restore < ebtables.rules; nft -f script.nft; ";
    let text = namespace::run(&folder, &format!("{load} nft -a list ruleset 2>&1"));
    let listing = namespace::run(&folder, &format!("{load} nft -j list ruleset 2>/dev/null"));
    let (text, listing) = (nft::read(FileId(0), &text), nft::read_json(FileId(0), &listing));
    assert_eq!((text.unread.as_slice(), listing.unread.as_slice()), (&[][..], &[][..]));
    assert!(text.tables.len() >= 5, "{:?}", text.tables.keys());
    let count = |ruleset: &Ruleset| -> Vec<String> {
        let table = |(name, table): (&TableName, &Table)| {
            let chain = |(chain, found): (&_, &Chain)| format!("{name} {chain} {:?} {}", found.base, found.rules.len());
            table.chains.iter().map(chain).collect::<Vec<_>>()
        };
        ruleset.tables.iter().flat_map(table).collect()
    };
    assert_eq!(count(&text), count(&listing));
    // What is beside it changes nothing of a table.
    let alone = nft::read(FileId(0), &namespace::run(&folder, "nft -f script.nft; nft list ruleset"));
    let objects = script::objects(&text);
    for (name, lines) in script::objects(&alone) {
        assert_eq!(objects.get(&name), Some(&lines), "{name}");
    }
}
