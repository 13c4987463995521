//! Events to a tree, without recursion.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::bidi;
use super::place::Places;
use super::syntax::{self, QUOTE_EXCLAMATION};
use super::{ALIAS_BUDGET, DEPTH_LIMIT, Key, Node, Value};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, FileId, Span};

/// Reads the whole text.
pub(super) fn build<'a>(file: FileId, text: &'a str, found: &mut Diagnostics) -> Node<'a> {
    let places = Places::new(file, text);
    if let Some((at, c)) = control_character(text) {
        let message = format!("the control character U+{:04X}", u32::from(c));
        let span = places.span(at, at + c.len_utf8());
        found.push(Diagnostic::error(Code::YamlSyntax, span, message).help("remove it"));
        return Node::empty(file);
    }
    let before = found.len();
    for (at, c) in bidi::controls(text) {
        found.push(bidi::bidi_control(c, places.span(at, at + c.len_utf8())));
    }
    if found.len() > before {
        return Node::empty(file);
    }
    let mut builder = Builder::new(places, found);
    for event in Parser::new_from_str(text) {
        let keep_on = match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => {
                let open = builder.open_bracket();
                let diagnostic = syntax::explain(&error, &builder.places, open);
                builder.found.push(diagnostic);
                false
            }
        };
        if !keep_on {
            break;
        }
    }
    match builder.root.take() {
        None | Some(Node { value: Value::Nothing, .. }) => Node::empty(file),
        Some(root) => root,
    }
}

/// The first control character, other than blanks and line ends, and its offset.
fn control_character(text: &str) -> Option<(usize, char)> {
    // Bytes first: 0xC2 begins what lies between U+0080 and U+00BF.
    let suspect = |byte: u8| (byte < 0x20 && !b"\t\n\r".contains(&byte)) || byte == 0x7f || byte == 0xc2;
    if !text.bytes().any(suspect) {
        return None;
    }
    let control = |c: &char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    text.char_indices().find(|(_, c)| control(c))
}

/// A list or a map that is still open.
struct Open<'a> {
    start: usize,
    /// The end of its last part so far, in bytes.
    end: usize,
    anchor: usize,
    /// The levels below it.
    height: usize,
    content: Content<'a>,
}

enum Content<'a> {
    Seq(Vec<Node<'a>>),
    Map { entries: Vec<(Key<'a>, Node<'a>)>, key: Option<Option<Key<'a>>>, index: HashMap<Cow<'a, str>, usize> },
}

/// A complete node that an alias can refer to.
struct Anchored<'a> {
    node: Node<'a>,
    height: usize,
    size: usize,
}

struct Builder<'a, 'd> {
    places: Places<'a>,
    found: &'d mut Diagnostics,
    stack: Vec<Open<'a>>,
    anchors: BTreeMap<usize, Anchored<'a>>,
    copied: usize,
    documents: usize,
    root: Option<Node<'a>>,
}

/// Maps up to this size look for duplicates by comparing, larger ones by hashing.
const SMALL: usize = 16;

impl<'a, 'd> Builder<'a, 'd> {
    fn new(places: Places<'a>, found: &'d mut Diagnostics) -> Self {
        Self { places, found, stack: Vec::new(), anchors: BTreeMap::new(), copied: 0, documents: 0, root: None }
    }

    /// Takes one event; false where reading cannot go on.
    fn event(&mut self, event: Event<'a>, at: saphyr_parser::Span) -> bool {
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentEnd => true,
            Event::StreamEnd => false,
            Event::DocumentStart(_) => self.document(at),
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(text, style, anchor, tag.as_deref(), at);
                true
            }
            Event::SequenceStart(anchor, tag) => self.open(Content::Seq(Vec::new()), anchor, tag.as_deref(), at),
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map { entries: Vec::new(), key: None, index: HashMap::new() };
                self.open(content, anchor, tag.as_deref(), at)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close(at);
                true
            }
        }
    }

    fn document(&mut self, at: saphyr_parser::Span) -> bool {
        self.documents += 1;
        if self.documents == 1 {
            return true;
        }
        let span = self.places.trimmed(at);
        let error = Diagnostic::error(Code::YamlUnsupported, span, "a second document in one file");
        self.found.push(error.help("put it into a file of its own; all files of a folder make up one spec"));
        false
    }

    fn tag(&mut self, tag: Option<&Tag>, at: saphyr_parser::Span) {
        if tag.is_none() {
            return;
        }
        let span = self.places.trimmed(at);
        let text = self.places.slice(span);
        let word = text.split_whitespace().next().unwrap_or(text);
        let span = Span { len: u32::try_from(word.len()).unwrap_or(span.len), ..span };
        let message = format!("`{word}` is not text but a YAML tag");
        self.found.push(Diagnostic::error(Code::YamlUnsupported, span, message).help(QUOTE_EXCLAMATION));
    }

    fn scalar(
        &mut self,
        text: Cow<'a, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: saphyr_parser::Span,
    ) {
        self.tag(tag, at);
        let plain = style == ScalarStyle::Plain;
        let absent = plain && text.is_empty();
        let nothing = absent || (plain && matches!(&*text, "~" | "null" | "Null" | "NULL"));
        let mut span = self.places.trimmed(at);
        if absent && tag.is_none() {
            // The parser points at the next token; the key is what a person would point at.
            span = match self.stack.last().map(|open| &open.content) {
                Some(Content::Map { key: Some(Some(key)), .. }) => key.span,
                Some(Content::Map { .. } | Content::Seq(_)) | None => span,
            };
        }
        let text = self.borrowed(text, span);
        let value = match tag {
            // What was meant as text goes on as text, so that nothing else is said of it.
            Some(_) => Value::Scalar { text: self.places.slice(span).into(), plain: false },
            None if nothing => Value::Nothing,
            None => Value::Scalar { text, plain },
        };
        self.finish(Node { span, value }, anchor, 0, if absent { None } else { Some(self.places.byte(at.end)) });
    }

    /// The text as a part of the source where it stands there as it is. The parser's own strings come with
    /// some 150 bytes of room each, which is let go of here while it is still warm.
    fn borrowed(&self, text: Cow<'a, str>, span: Span) -> Cow<'a, str> {
        let raw = self.places.slice(span);
        let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or("");
        match text {
            Cow::Owned(text) if text == raw => Cow::Borrowed(raw),
            Cow::Owned(text) if text == inner => Cow::Borrowed(inner),
            Cow::Owned(mut text) => {
                text.shrink_to_fit();
                Cow::Owned(text)
            }
            Cow::Borrowed(text) => Cow::Borrowed(text),
        }
    }

    fn alias(&mut self, anchor: usize, at: saphyr_parser::Span) -> bool {
        let span = self.places.trimmed(at);
        let Some(anchored) = self.anchors.get(&anchor) else {
            if self.copied > ALIAS_BUDGET {
                return self.too_many_aliases(span);
            }
            let message = format!("`{}` refers to itself", self.places.slice(span));
            let error = Diagnostic::error(Code::YamlUnsupported, span, message);
            self.found.push(error.help("an alias can stand for what is complete before it"));
            self.finish(Node { span, value: Value::Nothing }, 0, 0, None);
            return true;
        };
        self.copied = self.copied.saturating_add(anchored.size);
        if self.copied > ALIAS_BUDGET || self.stack.len() + anchored.height > DEPTH_LIMIT {
            let message = "aliases that multiply beyond measure";
            let help =
                format!("aliases may add up to {ALIAS_BUDGET} values to a file, at most {DEPTH_LIMIT} levels deep");
            self.found.push(Diagnostic::error(Code::TooLarge, span, message).help(help));
            return false;
        }
        let (node, height) = (anchored.node.clone(), anchored.height);
        let end = self.places.byte(at.end);
        self.finish(node, 0, height, Some(end));
        true
    }

    fn too_many_aliases(&mut self, span: Span) -> bool {
        let error = Diagnostic::error(Code::TooLarge, span, "aliases that multiply beyond measure");
        let help = format!("aliases may add up to {ALIAS_BUDGET} values to a file, at most {DEPTH_LIMIT} levels deep");
        self.found.push(error.help(help));
        false
    }

    fn open(&mut self, content: Content<'a>, anchor: usize, tag: Option<&Tag>, at: saphyr_parser::Span) -> bool {
        self.tag(tag, at);
        let start = match content {
            Content::Seq(_) if at.is_empty() => self.places.dash_before(self.places.byte(at.start)),
            Content::Seq(_) | Content::Map { .. } => self.places.byte(at.start),
        };
        if self.stack.len() >= DEPTH_LIMIT {
            let error = Diagnostic::error(Code::TooLarge, self.places.trimmed(at), "lists or maps nested too deeply");
            self.found.push(error.help(format!("at most {DEPTH_LIMIT} levels are read; the language needs a dozen")));
            return false;
        }
        self.stack.push(Open { start, end: start, anchor, height: 0, content });
        true
    }

    fn close(&mut self, at: saphyr_parser::Span) {
        let Some(open) = self.stack.pop() else { return };
        // A bracket ends a list or map in brackets; others end with their last part, and then the parser
        // points at what follows, or at nothing.
        let last = self.places.byte(at.start);
        let bracket = !at.is_empty() && matches!(self.places.slice(self.places.span(last, last + 1)), "]" | "}");
        let end = if bracket { last + 1 } else { open.end };
        let value = match open.content {
            Content::Seq(items) => Value::Seq(items),
            Content::Map { entries, .. } => Value::Map(entries),
        };
        let node = Node { span: self.places.span(open.start, end), value };
        self.finish(node, open.anchor, open.height, Some(end));
    }

    /// Puts a complete node where it belongs. `end`: where it ends in the text, if it stands there.
    fn finish(&mut self, node: Node<'a>, anchor: usize, height: usize, end: Option<usize>) {
        if anchor > 0 {
            let size = size(&node);
            self.copied = self.copied.saturating_add(size);
            if self.copied <= ALIAS_BUDGET {
                self.anchors.insert(anchor, Anchored { node: node.clone(), height, size });
            }
        }
        let Some(open) = self.stack.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        open.end = open.end.max(end.unwrap_or(0));
        open.height = open.height.max(height + 1);
        match &mut open.content {
            Content::Seq(items) => items.push(node),
            Content::Map { entries, key, index } => match key.take() {
                None => *key = Some(as_key(node, self.found)),
                Some(None) => {}
                Some(Some(key)) => add_entry(entries, index, key, node, self.found),
            },
        }
    }

    /// The innermost bracket that is still open.
    fn open_bracket(&self) -> Option<Span> {
        let spans = self.stack.iter().rev().map(|open| self.places.span(open.start, open.start + 1));
        spans.into_iter().find(|span| matches!(self.places.slice(*span), "[" | "{"))
    }
}

fn add_entry<'a>(
    entries: &mut Vec<(Key<'a>, Node<'a>)>,
    index: &mut HashMap<Cow<'a, str>, usize>,
    key: Key<'a>,
    value: Node<'a>,
    found: &mut Diagnostics,
) {
    let first = if entries.len() < SMALL {
        entries.iter().position(|(other, _)| other.text == key.text)
    } else {
        if index.is_empty() {
            index.extend(entries.iter().enumerate().map(|(at, (key, _))| (key.text.clone(), at)));
        }
        let first = index.get(&key.text).copied();
        index.entry(key.text.clone()).or_insert(entries.len());
        first
    };
    match first.and_then(|first| entries.get(first)) {
        None => entries.push((key, value)),
        Some((first, _)) => {
            let error = Diagnostic::error(Code::DuplicateKey, key.span, format!("`{}` is given twice", key.text));
            found.push(error.label(first.span, "first here").help("remove one of them, or merge the two"));
        }
    }
}

/// A node as a key, if it can be one.
fn as_key<'a>(node: Node<'a>, found: &mut Diagnostics) -> Option<Key<'a>> {
    if let Value::Scalar { text, .. } = node.value {
        return Some(Key { text, span: node.span });
    }
    let message = format!("expected text as a key, found {}", node.describe());
    found.push(Diagnostic::error(Code::YamlUnsupported, node.span, message).help("keys are plain words"));
    None
}

/// How many nodes there are in a tree (at most [`DEPTH_LIMIT`] levels of it).
fn size(node: &Node<'_>) -> usize {
    match &node.value {
        Value::Nothing | Value::Scalar { .. } => 1,
        Value::Seq(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|(_, value)| 1 + size(value)).sum::<usize>(),
    }
}
