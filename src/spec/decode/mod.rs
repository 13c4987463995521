//! A tree whose shape was checked to the typed [`Spec`].
//!
//! In: a [`Node`] that the shape check let through. Out: the spec. Promises: every text that the check let
//! through ends up in the spec with its place; text is moved, not copied. What the check would refuse is left
//! out here, so the result of a tree with errors is worth nothing, and `load` returns none.

mod rule;
mod zone;

pub(super) use zone::option_value;

use super::model::{List, Map, Spec, Text};
use super::yaml::{Key, Node, Value};
use crate::diagnostic::Located;

/// The whole spec.
pub(super) fn spec(root: Node<'_>) -> Spec {
    let mut spec = Spec::default();
    for (key, value) in entries(root) {
        match &*key.text {
            "version" => {}
            "datacenter" => spec.datacenter = zone::datacenter(value),
            "groups" => spec.groups = sorted(named(value, rule::group)),
            "zones" => spec.zones = sorted(named(value, zone::zone).into_iter().filter_map(present).collect()),
            "hosts" => spec.hosts = sorted(named(value, zone::host)),
            "vms" => spec.vms = by_number(named(value, zone::guest)),
            "containers" => spec.containers = by_number(named(value, zone::guest)),
            "vnets" => spec.vnets = sorted(named(value, zone::vnet)),
            "tests" => spec.tests = items(value).into_iter().filter_map(rule::test).collect(),
            other => unread("the spec", other),
        }
    }
    spec
}

/// A key that the table of shapes has and the reader has not; a test walks the whole table to see that there is none.
fn unread(place: &str, key: &str) {
    debug_assert!(false, "`{key}` of {place} is in the table of shapes, but nothing reads it");
}

fn present<T>((name, thing): (Text, Option<T>)) -> Option<(Text, T)> {
    thing.map(|thing| (name, thing))
}

fn sorted<T>(mut map: Map<T>) -> Map<T> {
    map.sort_by(|(a, _), (b, _)| a.value.cmp(&b.value));
    map
}

/// Sorted by number: plain decimals without leading zeros sort by length, then as text.
fn by_number<T>(mut map: Map<T>) -> Map<T> {
    map.sort_by(|(a, _), (b, _)| a.value.len().cmp(&b.value.len()).then_with(|| a.value.cmp(&b.value)));
    map
}

/// The entries of a map; none where it is absent.
fn entries(node: Node<'_>) -> Vec<(Key<'_>, Node<'_>)> {
    match node.value {
        Value::Map(entries) => entries,
        Value::Nothing | Value::Scalar { .. } | Value::Seq(_) => Vec::new(),
    }
}

/// The values of a list, or the single value in its place.
fn items(node: Node<'_>) -> Vec<Node<'_>> {
    match node.value {
        Value::Seq(items) => items,
        Value::Nothing => Vec::new(),
        Value::Scalar { .. } | Value::Map(_) => vec![node],
    }
}

fn key_text(key: Key<'_>) -> Text {
    Located::new(key.text.into_owned(), key.span)
}

fn named<'a, T>(node: Node<'a>, read: impl Fn(Node<'a>) -> T) -> Map<T> {
    entries(node).into_iter().map(|(key, value)| (key_text(key), read(value))).collect()
}

/// Texts by name.
fn pairs(node: Node<'_>) -> Map<Text> {
    sorted(named(node, text).into_iter().filter_map(present).collect())
}

fn text(node: Node<'_>) -> Option<Text> {
    match node.value {
        Value::Scalar { text, .. } => Some(Located::new(text.into_owned(), node.span)),
        Value::Nothing | Value::Seq(_) | Value::Map(_) => None,
    }
}

fn texts(node: Node<'_>) -> Vec<Text> {
    items(node).into_iter().filter_map(text).collect()
}

fn list(node: Node<'_>) -> List {
    let span = node.span;
    Located::new(texts(node), span)
}
