//! The trees of several files to one.
//!
//! In: the tree of every file, each a map. Out: one tree, and an error for everything that is given twice. Maps are
//! merged at any depth; a list or a single value given twice is an error that shows both places. Two
//! exceptions at the top: the lists of `tests` are joined, and every file may say the same `version`.

use std::collections::HashMap;

use super::yaml::{Key, Node, Value};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, FileId};

/// Merges trees in the order of their files; an empty map where there are none.
pub(super) fn merge<'a>(mut trees: Vec<Node<'a>>, found: &mut Diagnostics) -> Node<'a> {
    if trees.len() <= 1 {
        return trees.pop().unwrap_or_else(|| Node::empty(FileId::default()));
    }
    let mut merger = Merger { found, path: Vec::new() };
    merger.maps(trees)
}

struct Merger<'d> {
    found: &'d mut Diagnostics,
    path: Vec<String>,
}

impl Merger<'_> {
    /// Merges nodes that are all maps (or nothing).
    fn maps<'a>(&mut self, nodes: Vec<Node<'a>>) -> Node<'a> {
        let span = nodes.first().map_or(crate::diagnostic::Span::default(), |node| node.span);
        let mut order: Vec<(Key<'a>, Vec<(Key<'a>, Node<'a>)>)> = Vec::new();
        let mut index: HashMap<String, usize> = HashMap::new();
        for node in nodes {
            let Value::Map(entries) = node.value else { continue };
            for (key, value) in entries {
                let at = *index.entry(key.text.clone().into_owned()).or_insert(order.len());
                match order.get_mut(at) {
                    Some((_, group)) => group.push((key, value)),
                    None => order.push((key.clone(), vec![(key, value)])),
                }
            }
        }
        let entries = order.into_iter().map(|(key, group)| {
            let value = self.group(group);
            (key, value)
        });
        let entries = entries.collect();
        Node { span, value: Value::Map(entries) }
    }

    /// Merges what several files say of one key.
    fn group<'a>(&mut self, mut group: Vec<(Key<'a>, Node<'a>)>) -> Node<'a> {
        let mut rest = group.split_off(group.len().min(1));
        let Some((key, first)) = group.pop() else { return Node::empty(FileId::default()) };
        if rest.is_empty() {
            return first;
        }
        let mergeable = |node: &Node<'_>| matches!(node.value, Value::Map(_) | Value::Nothing);
        if mergeable(&first) && rest.iter().all(|(_, node)| mergeable(node)) {
            self.path.push(key.text.clone().into_owned());
            let merged = self.maps(std::iter::once(first).chain(rest.drain(..).map(|(_, node)| node)).collect());
            self.path.pop();
            return merged;
        }
        match (self.path.is_empty(), &*key.text) {
            (true, "tests") => joined(first, rest),
            (true, "version") => {
                for (_, other) in &rest {
                    if other.text() != first.text() {
                        let message = format!("the files disagree on `version`: {} here", other.describe());
                        let label = format!("{} here", first.describe());
                        let error = Diagnostic::error(Code::DuplicateKey, other.span, message);
                        self.found.push(error.label(first.span, label).help("all files of a spec have one version"));
                    }
                }
                first
            }
            (_, name) => {
                let path = self.path.iter().map(|part| format!("{part}.")).collect::<String>();
                for (other, _) in &rest {
                    let message = format!("`{path}{name}` is given twice");
                    let error =
                        Diagnostic::error(Code::DuplicateKey, other.span, message).label(key.span, "first here");
                    self.found.push(error.help("only maps are merged across files; remove one of them"));
                }
                first
            }
        }
    }
}

/// Lists (or single values) one after the other.
fn joined<'a>(first: Node<'a>, rest: Vec<(Key<'a>, Node<'a>)>) -> Node<'a> {
    let span = first.span;
    let items = |node: Node<'a>| match node.value {
        Value::Seq(items) => items,
        Value::Nothing => Vec::new(),
        Value::Scalar { .. } | Value::Map(_) => vec![node],
    };
    let all = std::iter::once(first).chain(rest.into_iter().map(|(_, node)| node)).flat_map(items).collect();
    Node { span, value: Value::Seq(all) }
}
