//! Options: their names and values, from the table of options.

use super::check::Checker;
use super::lexis::Lexis;
use crate::diagnostic::{Code, Diagnostic};
use crate::spec::decode::option_value;
use crate::spec::model::Text;
use crate::spec::options::{self, OptionKind, OptionSpec, OptionZone};
use crate::spec::yaml::{Node, Value};

impl Checker<'_> {
    pub(super) fn options(&mut self, zones: &[OptionZone], node: &Node<'_>) {
        for (key, value) in self.entries(node, "`options`") {
            if key.text == "<<" {
                self.say(super::check::merge_key(key.span));
                continue;
            }
            match zones.iter().find_map(|zone| options::find(*zone, &key.text)) {
                Some(option) => self.option(option, value),
                None => {
                    let name = Text::new(key.text.clone().into_owned(), key.span);
                    self.say(options::unknown(zones, &name));
                }
            }
        }
    }

    fn option(&mut self, option: &OptionSpec, node: &Node<'_>) {
        match (option.kind, &node.value) {
            (_, Value::Nothing) => self.no_value(node, option.name),
            (OptionKind::Bool, Value::Scalar { .. }) => self.text(Lexis::Bool, node, option.name),
            (OptionKind::Integer { min, max, unit }, Value::Scalar { .. }) => {
                self.text(Lexis::Integer { min, max, unit }, node, option.name);
            }
            (OptionKind::RateLimit, Value::Map(entries)) => {
                for (key, value) in entries {
                    match &*key.text {
                        "enable" => self.text(Lexis::Bool, value, "enable"),
                        "burst" => {
                            let burst = Lexis::Integer { min: 1, max: options::LOG_RATE_MAX, unit: "lines" };
                            self.text(burst, value, "burst");
                        }
                        _ if matches!(value.value, Value::Scalar { .. }) => self.value(option, one(key, value)),
                        other => self.text(Lexis::Line, value, other),
                    }
                }
            }
            (_, Value::Seq(items)) => {
                let nested = |item: &&Node<'_>| !matches!(item.value, Value::Scalar { .. });
                match items.iter().find(nested) {
                    Some(item) => {
                        let message =
                            format!("`{}` takes {}, found {} in it", option.name, option.kind.takes(), item.describe());
                        self.say(Diagnostic::error(Code::WrongShape, item.span, message).help(option.doc));
                    }
                    None => self.value(option, node.clone()),
                }
            }
            (_, Value::Scalar { .. } | Value::Map(_)) => self.value(option, node.clone()),
        }
    }

    fn value(&mut self, option: &OptionSpec, node: Node<'_>) {
        if let Some(value) = option_value(option.kind, node) {
            options::check(option, &value, self.found);
        }
    }
}

/// A map with one of its entries alone.
fn one<'a>(key: &crate::spec::yaml::Key<'a>, value: &Node<'a>) -> Node<'a> {
    Node { span: value.span, value: Value::Map(vec![(key.clone(), value.clone())]) }
}
