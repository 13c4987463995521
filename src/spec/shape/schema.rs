//! The table as a JSON Schema (draft 2020-12), for editors.

use serde_json::{Map, Value, json};

use super::lexis::{Lexis, Pattern};
use super::rule::{MACRO_EXCLUDES, REFERENCE_KEYS};
use super::{Empty, Field, Fields, RulePlace, Shape, table};
use crate::spec::options::{self, LOG_LEVELS, LOG_RATE_MAX, OptionKind, OptionSpec, OptionZone, RATE_UNITS};

/// The schema of a file of a spec.
#[must_use]
pub fn schema() -> Value {
    let mut schema = object(&[
        ("$schema", json!("https://json-schema.org/draft/2020-12/schema")),
        ("title", json!("fwc spec")),
        ("description", json!("The firewall of a datacenter, for fwc.")),
    ]);
    extend(&mut schema, fields(&table::SPEC, false));
    if let Value::Object(schema) = &mut schema {
        // A spec may be a folder. Its files say the version once, and an editor sees one of them at a time.
        schema.remove("required");
    }
    let mut definitions = Map::new();
    definitions.insert("line".to_owned(), line());
    definitions.insert("logLevel".to_owned(), json!({ "enum": LOG_LEVELS }));
    definitions.insert("allow".to_owned(), fields(&table::ALLOW_MAP, true));
    for place in table::RULE_PLACES {
        definitions.insert(place.definition.to_owned(), rule(place));
    }
    for zones in OPTIONS {
        definitions.insert(options_name(zones), options(zones));
    }
    extend(&mut schema, json!({ "$defs": definitions }));
    schema
}

/// The combinations of kinds of zones whose options stand together somewhere.
const OPTIONS: [&[OptionZone]; 5] = [
    &[OptionZone::Datacenter],
    super::DATACENTER_GUARDRAILS,
    &[OptionZone::Host],
    &[OptionZone::Guest],
    &[OptionZone::Vnet],
];

fn options_name(zones: &[OptionZone]) -> String {
    let name = match zones {
        [OptionZone::Datacenter] => "datacenterOptions",
        [OptionZone::Host] => "hostOptions",
        [OptionZone::Guest] => "guestOptions",
        [OptionZone::Vnet] => "vnetOptions",
        _ => "guardrailOptions",
    };
    name.to_owned()
}

fn object(pairs: &[(&str, Value)]) -> Value {
    Value::Object(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

/// Adds the keys of `more`.
fn extend(schema: &mut Value, more: Value) {
    if let (Value::Object(schema), Value::Object(more)) = (schema, more) {
        schema.extend(more);
    }
}

/// The same as `lexis::line` (ECMA 262).
const LINE: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]+$";

fn line() -> Value {
    json!({
        "description": "One line of text.",
        "type": ["string", "number", "boolean"],
        "pattern": LINE,
    })
}

fn pattern(pattern: &Pattern) -> Value {
    json!({ "pattern": pattern.regex, "maxLength": pattern.longest })
}

fn lexis(lexis: Lexis) -> Value {
    match lexis {
        Lexis::Line => json!({ "$ref": "#/$defs/line" }),
        Lexis::Sysctl => json!({ "type": ["string", "number"], "pattern": LINE }),
        Lexis::Bool => json!({ "type": "boolean" }),
        Lexis::Integer { min, max, .. } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Lexis::Words(words) => json!({ "enum": words }),
        Lexis::Version => json!({ "const": 1 }),
        Lexis::LogLevel => json!({ "$ref": "#/$defs/logLevel" }),
        Lexis::Name(form) => {
            let mut schema = match form.number {
                Some(number) => object(&[("type", json!(["string", number])), ("minimum", json!(0))]),
                None => object(&[("type", json!("string"))]),
            };
            extend(&mut schema, pattern(form));
            schema
        }
    }
}

/// A thing or a list of them.
fn one_or_list(item: &Value, least: usize) -> Vec<Value> {
    let mut list = object(&[("type", json!("array")), ("items", item.clone())]);
    if least > 0 {
        extend(&mut list, json!({ "minItems": least }));
    }
    vec![item.clone(), list]
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Text(form) => lexis(*form),
        Shape::List { of, empty } => {
            json!({ "anyOf": one_or_list(&lexis(*of), usize::from(*empty != Empty::Fine)) })
        }
        Shape::Rules(place) => {
            let item = json!({ "$ref": format!("#/$defs/{}", place.definition) });
            let mut forms = one_or_list(&item, 0);
            forms.push(json!({ "type": "null" }));
            json!({ "anyOf": forms })
        }
        Shape::Options(zones) => json!({ "$ref": format!("#/$defs/{}", options_name(zones)) }),
        Shape::Map(of) if of.what == table::ALLOW_MAP.what => json!({ "$ref": "#/$defs/allow" }),
        Shape::Map(of) => fields(of, true),
        Shape::Test => {
            let mut test = fields(&table::A_TEST, false);
            extend(
                &mut test,
                json!({
                    "dependentSchemas": { "macro": excluded_by_macro() },
                    "if": { "required": ["only"] },
                    "then": { "not": { "required": ["expect"] } },
                    "else": { "required": ["from", "expect"] },
                }),
            );
            test
        }
        Shape::Named(name, of) => json!({
            "type": ["object", "null"],
            "propertyNames": pattern(name),
            "additionalProperties": self::shape(of),
        }),
        Shape::Items(of) => json!({ "anyOf": one_or_list(&self::shape(of), 0) }),
        Shape::Either { short, long, .. } => {
            let mut long = fields(long, false);
            // Where the short form can be a map too, the long one is told by the absence of its keys.
            extend(&mut long, json!({ "type": "object" }));
            json!({ "anyOf": [self::shape(short), long] })
        }
        Shape::Zone { host, guest } => json!({
            "type": "object",
            "properties": { "kind": { "enum": ["host", "guest"] } },
            "required": ["kind"],
            "if": { "properties": { "kind": { "const": "guest" } } },
            "then": fields(guest, false),
            "else": fields(host, false),
        }),
    }
}

fn property(field: &Field) -> (String, Value) {
    let mut schema = object(&[("description", json!(field.doc))]);
    extend(&mut schema, shape(&field.shape));
    (field.name.to_owned(), schema)
}

/// A map of fixed keys. It may be absent where no key is required.
fn fields(of: &Fields, nullable: bool) -> Value {
    let required: Vec<&str> = of.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let kind = if nullable && required.is_empty() { json!(["object", "null"]) } else { json!("object") };
    let mut schema = object(&[("type", kind), ("additionalProperties", json!(false))]);
    if !required.is_empty() {
        extend(&mut schema, json!({ "required": required }));
    }
    let properties: Map<String, Value> = of.fields.iter().map(property).collect();
    extend(&mut schema, json!({ "properties": properties }));
    schema
}

fn excluded_by_macro() -> Value {
    let excluded: Vec<Value> = MACRO_EXCLUDES.iter().map(|key| json!({ "required": [key] })).collect();
    json!({ "not": { "anyOf": excluded } })
}

fn rule(place: &RulePlace) -> Value {
    let allowed = |field: &&Field| {
        let other_head = super::RULE_HEADS.contains(&field.name) && !place.heads.contains(&field.name);
        !other_head && (place.iface || field.name != "iface")
    };
    let properties: Map<String, Value> = table::RULE.fields.iter().filter(allowed).map(property).collect();
    let heads: Vec<Value> = place.heads.iter().map(|head| json!({ "required": [head] })).collect();
    let reference: Vec<&str> = REFERENCE_KEYS.into_iter().filter(|key| place.iface || *key != "iface").collect();
    let mut schema = json!({
        "description": format!("A rule among {}.", place.what),
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "oneOf": heads,
        "dependentSchemas": { "macro": excluded_by_macro() },
    });
    if place.heads.contains(&"group")
        && let Some(Value::Object(dependent)) = schema.get_mut("dependentSchemas")
    {
        dependent.insert("group".to_owned(), json!({ "propertyNames": { "enum": reference } }));
    }
    schema
}

fn options(zones: &[OptionZone]) -> Value {
    let mut properties = Map::new();
    for option in zones.iter().flat_map(|zone| options::table(*zone)) {
        properties.entry(option.name).or_insert_with(|| option_schema(option));
    }
    json!({ "type": ["object", "null"], "additionalProperties": false, "properties": properties })
}

fn option_schema(option: &OptionSpec) -> Value {
    let mut schema = object(&[("description", json!(option.doc))]);
    extend(
        &mut schema,
        match option.kind {
            OptionKind::Bool => lexis(Lexis::Bool),
            OptionKind::Integer { min, max, unit } => lexis(Lexis::Integer { min, max, unit }),
            OptionKind::Choice(words) => json!({ "enum": words }),
            OptionKind::Choices(words) => {
                json!({ "anyOf": [{ "enum": words }, { "type": "array", "items": { "enum": words }, "uniqueItems": true }] })
            }
            OptionKind::RateLimit => rate_limit(),
            OptionKind::EtherTypes => {
                // Without quotes a hexadecimal number is a number, and shows no more that it was one.
                let item = json!({
                    "anyOf": [
                        { "type": "integer", "minimum": 0, "maximum": 65535 },
                        {
                            "type": "string",
                            "pattern": "^(0x[0-9A-Fa-f]{1,4}|(?![0-9]+$|0x)[A-Za-z0-9][A-Za-z0-9_.-]{0,31})$",
                        },
                    ],
                });
                json!({ "anyOf": one_or_list(&item, 0) })
            }
            OptionKind::Queues => json!({
                "anyOf": [
                    { "type": "integer", "minimum": 0, "maximum": 65535 },
                    { "type": "string", "pattern": "^[0-9]{1,5}(:[0-9]{1,5})?$" },
                ],
            }),
        },
    );
    if let Some(default) = option.default {
        let default = match option.kind {
            OptionKind::Bool | OptionKind::Integer { .. } => serde_json::from_str(default).unwrap_or(Value::Null),
            OptionKind::Choice(_)
            | OptionKind::Choices(_)
            | OptionKind::RateLimit
            | OptionKind::EtherTypes
            | OptionKind::Queues => json!(default),
        };
        extend(&mut schema, json!({ "default": default }));
    }
    schema
}

fn rate_limit() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "enable": { "description": "False: every line is written.", "type": "boolean", "default": true },
            "rate": {
                "description": "Lines for each unit of time.",
                "type": "string",
                "pattern": format!("^[1-9][0-9]{{0,4}}/({})$", RATE_UNITS.join("|")),
                "default": "1/second",
            },
            "burst": {
                "description": "Lines before the limit starts.",
                "type": "integer",
                "minimum": 1,
                "maximum": LOG_RATE_MAX,
                "default": 5,
            },
        },
    })
}
