//! Names: that the two forms of every pattern agree, and that nothing breaks out.

use proptest::prelude::*;
use serde_json::json;

use super::super::Pattern;
use super::super::lexis::*;

const PATTERNS: [&Pattern; 11] =
    [&HOST, &LABEL, &GUEST, &VNET, &INTERFACE, &NIC, &IDENTITY, &SYSCTL, &CONF_FILE, &CHAIN_PREFIX, &ENDPOINT];

pub(super) fn name(pattern: &Pattern) -> &'static str {
    let names = ["pm1.example", "base", "100", "net0", "zz-fwc.conf", "net.ipv4.tcp_sack", "vm/100:net0", "FWC"];
    names.into_iter().find(|name| (pattern.fits)(name)).unwrap()
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
