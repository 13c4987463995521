//! Rules: which keys a place allows, and which exclude each other.

use super::check::{Checker, merge_key, missing};
use super::{RULE_HEADS, RulePlace, table};
use crate::diagnostic::{Code, Diagnostic, Span, did_you_mean};
use crate::spec::yaml::{Key, Node, Value};

/// The keys of a group reference.
pub(super) const REFERENCE_KEYS: [&str; 5] = ["group", "iface", "enable", "id", "comment"];

/// What a macro brings along itself.
pub(super) const MACRO_EXCLUDES: [&str; 5] = ["proto", "sport", "dport", "icmp_type", "tcp_flags"];

/// Other programs' words for the keys of a rule.
const OTHER_WORDS: [(&str, &str); 10] = [
    ("src", "source"),
    ("from", "source"),
    ("dst", "dest"),
    ("destination", "dest"),
    ("to", "dest"),
    ("port", "dport"),
    ("ports", "dport"),
    ("protocol", "proto"),
    ("interface", "iface"),
    ("icmp-type", "icmp_type"),
];

impl Checker<'_> {
    /// Rules, or a single one.
    pub(super) fn rules(&mut self, place: &RulePlace, node: &Node<'_>, name: &str) {
        match &node.value {
            Value::Nothing => {}
            Value::Map(_) => self.rule(place, node),
            Value::Seq(rules) => {
                for rule in rules {
                    match &rule.value {
                        Value::Map(_) => self.rule(place, rule),
                        Value::Nothing | Value::Scalar { .. } | Value::Seq(_) => self.no_rule(rule),
                    }
                }
            }
            Value::Scalar { .. } => {
                let message = format!("`{name}` takes a list of rules, found {}", node.describe());
                let error = Diagnostic::error(Code::WrongShape, node.span, message);
                self.say(error.help("write a list of maps, such as `- { in: accept, macro: SSH }`"));
            }
        }
    }

    /// A test has the matches of a rule, between two ends.
    pub(super) fn test(&mut self, node: &Node<'_>, at: Span) {
        self.map(&table::A_TEST, node, at);
        if let Value::Map(entries) = &node.value {
            let macro_key = entries.iter().map(|(key, _)| key).find(|key| key.text == "macro");
            self.with_macro(macro_key, entries);
            self.says(node, entries, at);
        }
    }

    /// A test claims one thing. Who sends may be left open where the claim itself names addresses.
    fn says(&mut self, node: &Node<'_>, entries: &[(Key<'_>, Node<'_>)], at: Span) {
        let key = |name: &str| entries.iter().map(|(key, _)| key).find(|key| key.text == name);
        match (key("only"), key("expect")) {
            (Some(only), Some(expect)) => {
                let error = Diagnostic::error(Code::RuleHead, expect.span, "`expect` cannot stand beside `only`");
                self.say(
                    error.label(only.span, "claims that from all other addresses nothing passes").help(
                        "drop `expect`; that packets from these addresses pass is a test of its own, with `source`",
                    ),
                );
            }
            (Some(_), None) => {}
            (None, _) if !self.whole => {}
            (None, _) => {
                let absent = ["from", "expect"].into_iter().filter(|name| node.get(name).is_none());
                for field in absent.filter_map(|name| table::A_TEST.find(name)) {
                    self.say(missing(&table::A_TEST, field, at));
                }
            }
        }
    }

    fn no_rule(&mut self, node: &Node<'_>) {
        let message = format!("expected a rule, found {}", node.describe());
        let help = match node.text() {
            Some(text) if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                format!("a rule is a map: `{{ in: accept, macro: {text} }}`, or `{{ group: {text} }}`")
            }
            Some(_) | None => "a rule is a map, such as `{ in: accept, macro: SSH }`".to_owned(),
        };
        self.say(Diagnostic::error(Code::WrongShape, node.span, message).help(help));
    }

    fn rule(&mut self, place: &RulePlace, node: &Node<'_>) {
        let Value::Map(entries) = &node.value else { return };
        let (mut head, mut macro_key): (Option<&Key<'_>>, Option<&Key<'_>>) = (None, None);
        let mut foreign = false;
        for (key, value) in entries {
            let Some(field) = table::RULE.find(&key.text) else {
                self.unknown_in_rule(place, key);
                foreign = true;
                continue;
            };
            self.shape(&field.shape, value, field.name, key.span);
            if RULE_HEADS.contains(&field.name) {
                self.head(head, key);
                head = head.or(Some(key));
            }
            if field.name == "macro" {
                macro_key = Some(key);
            }
        }
        match head {
            Some(head) if head.text == "group" => self.reference(head, entries),
            Some(_) => self.with_macro(macro_key, entries),
            // An unknown key may well be the head, misspelt.
            None if foreign => {}
            None => self.no_head(place, node.span),
        }
    }

    fn no_head(&mut self, place: &RulePlace, span: Span) {
        let heads: Vec<String> = place.heads.iter().map(|head| format!("`{head}`")).collect();
        let error = Diagnostic::error(Code::RuleHead, span, "a rule that says neither what it does nor to what");
        self.say(error.help(format!("add one of {}, such as `{}`", heads.join(", "), example(place))));
    }

    fn head(&mut self, first: Option<&Key<'_>>, key: &Key<'_>) {
        if let Some(first) = first {
            let message = format!("`{}` and `{}` in one rule", first.text, key.text);
            let error = Diagnostic::error(Code::RuleHead, key.span, message).label(first.span, "the other one");
            self.say(error.help("a rule has exactly one of `in`, `out`, `forward` and `group`; write two rules"));
        }
    }

    /// A group reference has no matches of its own.
    fn reference(&mut self, head: &Key<'_>, entries: &[(Key<'_>, Node<'_>)]) {
        let known = |key: &Key<'_>| table::RULE.find(&key.text).is_some() && !RULE_HEADS.contains(&&*key.text);
        for (key, _) in entries.iter().filter(|(key, _)| known(key) && !REFERENCE_KEYS.contains(&&*key.text)) {
            let message = format!("`{}` cannot stand beside `group`", key.text);
            let error = Diagnostic::error(Code::RuleHead, key.span, message).label(head.span, "a group reference");
            self.say(error.help(
                "a group reference takes `iface`, `enable`, `id` and `comment`; put what it matches into the group's rules",
            ));
        }
    }

    fn with_macro(&mut self, macro_key: Option<&Key<'_>>, entries: &[(Key<'_>, Node<'_>)]) {
        let Some(macro_key) = macro_key else { return };
        for (key, _) in entries.iter().filter(|(key, _)| MACRO_EXCLUDES.contains(&&*key.text)) {
            let message = format!("`{}` cannot stand beside `macro`", key.text);
            let error = Diagnostic::error(Code::RuleHead, key.span, message).label(macro_key.span, "the macro");
            self.say(error.help("a macro brings its protocols, ports and ICMP types along; use one or the other"));
        }
    }

    fn unknown_in_rule(&mut self, place: &RulePlace, key: &Key<'_>) {
        if key.text == "<<" {
            self.say(merge_key(key.span));
            return;
        }
        let other = OTHER_WORDS.iter().find(|(word, _)| *word == key.text);
        let help = match (&*key.text, other) {
            (_, Some((_, ours))) => format!("did you mean `{ours}`?"),
            ("action" | "verdict" | "policy" | "direction" | "type", None) => {
                format!("the direction is the key and the verdict its value, as in `{}`", example(place))
            }
            (word, None) => did_you_mean(word, "keys", table::RULE.fields.iter().map(|field| field.name)),
        };
        let message = format!("unknown key `{}` in a rule", key.text);
        self.say(Diagnostic::error(Code::UnknownKey, key.span, message).help(help));
    }
}

fn example(place: &RulePlace) -> &'static str {
    if place.heads.contains(&"in") { "in: accept" } else { "forward: accept" }
}
