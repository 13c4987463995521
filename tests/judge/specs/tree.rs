//! A spec as a tree of maps, lists and words: made piece by piece, written as a person would, read back.

use saphyr_parser::{Event, Parser};

/// A piece of YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Keys in the order in which they are written.
    Map(Vec<(String, Node)>),
    /// A list.
    List(Vec<Node>),
    /// A single value.
    Word(String),
}

/// A single value.
pub fn word(value: impl ToString) -> Node {
    Node::Word(value.to_string())
}

/// A list of single values; of one value, that value alone.
pub fn words<T: ToString>(values: &[T]) -> Node {
    match values {
        [only] => word(only.to_string()),
        several => Node::List(several.iter().map(|value| word(value.to_string())).collect()),
    }
}

impl Node {
    /// A map without keys.
    pub fn map() -> Self {
        Self::Map(Vec::new())
    }

    /// This map with one more key; without it where the value is an empty list or map.
    #[must_use]
    pub fn with(mut self, key: &str, value: Self) -> Self {
        self.set(key, value);
        self
    }

    /// Adds a key, unless the value is an empty list or map.
    pub fn set(&mut self, key: &str, value: Self) {
        let Self::Map(entries) = self else { panic!("only maps have keys") };
        if !value.is_empty() {
            entries.push((key.to_owned(), value));
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Map(entries) => entries.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Word(_) => false,
        }
    }

    /// The levels of lists and maps below this one that hold something.
    fn depth(&self) -> usize {
        match self {
            Self::Map(entries) => 1 + entries.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Word(_) => 0,
        }
    }

    /// The spec's text: short things in one line, the rest a line each.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let Self::Map(entries) = self else { panic!("a spec is a map") };
        for (at, (key, value)) in entries.iter().enumerate() {
            if at > 1 {
                text.push('\n');
            }
            entry(key, value, 0, &mut text);
        }
        text
    }

    fn flow(&self) -> String {
        match self {
            Self::Word(value) => quoted(value),
            Self::List(items) => format!("[{}]", items.iter().map(Self::flow).collect::<Vec<_>>().join(", ")),
            Self::Map(entries) if entries.is_empty() => "{}".to_owned(),
            Self::Map(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|(key, value)| format!("{key}: {}", value.flow())).collect();
                format!("{{ {} }}", entries.join(", "))
            }
        }
    }

    fn fits(&self, indent: usize) -> bool {
        self.depth() <= 2 && (self.depth() == 0 || indent + self.flow().len() <= 130)
    }

    /// Reads a text that [`Node::render`], or a person, wrote. None where it is no YAML of maps, lists and words.
    pub fn parse(text: &str) -> Option<Self> {
        let mut open: Vec<(Self, Option<String>)> = Vec::new();
        for event in Parser::new_from_str(text) {
            let done = match event.ok()?.0 {
                Event::Scalar(value, ..) => {
                    let expects_key = matches!(open.last(), Some((Self::Map(_), None)));
                    if expects_key {
                        open.last_mut()?.1 = Some(value.into_owned());
                        continue;
                    }
                    Self::Word(value.into_owned())
                }
                Event::SequenceStart(..) => {
                    open.push((Self::List(Vec::new()), None));
                    continue;
                }
                Event::MappingStart(..) => {
                    open.push((Self::map(), None));
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => open.pop()?.0,
                Event::Alias(_) => return None,
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd => {
                    continue;
                }
            };
            match open.last_mut() {
                None => return Some(done),
                Some((Self::List(items), _)) => items.push(done),
                Some((Self::Map(entries), key)) => entries.push((key.take()?, done)),
                Some((Self::Word(_), _)) => return None,
            }
        }
        None
    }
}

fn entry(key: &str, value: &Node, indent: usize, text: &mut String) {
    let space = " ".repeat(indent);
    if value.fits(indent + key.len() + 2) && (indent > 0 || value.depth() < 2) {
        text.push_str(&format!("{space}{key}: {}\n", value.flow()));
        return;
    }
    text.push_str(&format!("{space}{key}:\n"));
    block(value, indent + 2, text);
}

fn block(value: &Node, indent: usize, text: &mut String) {
    match value {
        Node::Map(entries) => entries.iter().for_each(|(key, value)| entry(key, value, indent, text)),
        Node::List(items) => {
            items.iter().for_each(|item| text.push_str(&format!("{}- {}\n", " ".repeat(indent), item.flow())))
        }
        Node::Word(value) => text.push_str(&format!("{}{}\n", " ".repeat(indent), quoted(value))),
    }
}

/// Without quotes where YAML takes the word for nothing else.
fn quoted(value: &str) -> String {
    let plain = value.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '+')
        && !value.ends_with(' ')
        && value.chars().all(|c| c.is_ascii_alphanumeric() || " ._/+-*".contains(c));
    if plain { value.to_owned() } else { format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")) }
}
