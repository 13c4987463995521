//! Rules, groups and tests.

use super::{entries, items, list, pairs, text, unread};
use crate::diagnostic::Located;
use crate::spec::model::{Group, Rule, RuleHead, Says, TcpFlags, Test};
use crate::spec::yaml::{Node, Value};

/// A list of rules, or a single one.
pub(super) fn rules(node: Node<'_>) -> Vec<Rule> {
    let items = items(node);
    let mut rules = Vec::with_capacity(items.len());
    rules.extend(items.into_iter().filter_map(rule));
    rules
}

/// `groups.NAME`: rules, or a map that holds them.
pub(super) fn group(node: Node<'_>) -> Group {
    if !matches!(node.value, Value::Map(_)) || is_rule(&node) {
        return Group { rules: rules(node), ..Group::default() };
    }
    let mut group = Group::default();
    for (key, value) in entries(node) {
        match &*key.text {
            "comment" => group.comment = text(value),
            "allow" => group.allow = pairs(value),
            "rules" => group.rules = rules(value),
            other => unread("a group", other),
        }
    }
    group
}

/// Whether a map is a rule, and not the long form of a group.
fn is_rule(node: &Node<'_>) -> bool {
    crate::spec::shape::RULE_HEADS.iter().any(|head| node.get(head).is_some())
}

fn rule(node: Node<'_>) -> Option<Rule> {
    let span = node.span;
    let mut head = None;
    let (mut macro_name, mut iface, mut log, mut enable, mut id, mut comment) = (None, None, None, None, None, None);
    let (mut proto, mut source, mut dest, mut sport, mut dport, mut icmp_type) = (None, None, None, None, None, None);
    let (mut flags, mut allow) = (None, Vec::new());
    for (key, value) in entries(node) {
        match &*key.text {
            "in" => head = text(value).map(RuleHead::In),
            "out" => head = text(value).map(RuleHead::Out),
            "forward" => head = text(value).map(RuleHead::Forward),
            "group" => head = text(value).map(RuleHead::Group),
            "macro" => macro_name = text(value),
            "proto" => proto = Some(list(value)),
            "source" => source = Some(list(value)),
            "dest" => dest = Some(list(value)),
            "sport" => sport = Some(list(value)),
            "dport" => dport = Some(list(value)),
            "icmp_type" => icmp_type = Some(list(value)),
            "iface" => iface = text(value),
            "tcp_flags" => flags = Some(tcp_flags(value)),
            "log" => log = text(value),
            "enable" => enable = text(value),
            "id" => id = text(value),
            "comment" => comment = text(value),
            "allow" => allow = pairs(value),
            other => unread("a rule", other),
        }
    }
    Some(Rule {
        span,
        head: head?,
        macro_name,
        proto,
        source,
        dest,
        sport,
        dport,
        icmp_type,
        iface,
        tcp_flags: flags,
        log,
        enable,
        id,
        comment,
        allow,
    })
}

fn tcp_flags(node: Node<'_>) -> TcpFlags {
    let span = node.span;
    let empty = || Located::new(Vec::new(), span);
    let mut flags = TcpFlags { span, mask: empty(), set: empty() };
    for (key, value) in entries(node) {
        match &*key.text {
            "mask" => flags.mask = list(value),
            "set" => flags.set = list(value),
            other => unread("`tcp_flags`", other),
        }
    }
    flags
}

/// An entry of `tests`.
pub(super) fn test(node: Node<'_>) -> Option<Test> {
    let span = node.span;
    let (mut name, mut from, mut to, mut state, mut expect) = (None, None, None, None, None);
    let (mut macro_name, mut iface, mut flags, mut only) = (None, None, None, None);
    let (mut proto, mut source, mut dest, mut sport, mut dport, mut icmp_type) = (None, None, None, None, None, None);
    for (key, value) in entries(node) {
        match &*key.text {
            "name" => name = text(value),
            "from" => from = Some(list(value)),
            "to" => to = Some(list(value)),
            "macro" => macro_name = text(value),
            "proto" => proto = Some(list(value)),
            "source" => source = Some(list(value)),
            "dest" => dest = Some(list(value)),
            "sport" => sport = Some(list(value)),
            "dport" => dport = Some(list(value)),
            "icmp_type" => icmp_type = Some(list(value)),
            "iface" => iface = text(value),
            "tcp_flags" => flags = Some(tcp_flags(value)),
            "state" => state = text(value),
            "expect" => expect = text(value),
            "only" => only = Some(list(value)),
            other => unread("a test", other),
        }
    }
    Some(Test {
        span,
        name,
        from,
        to: to?,
        macro_name,
        proto,
        source,
        dest,
        sport,
        dport,
        icmp_type,
        iface,
        tcp_flags: flags,
        state,
        says: expect.map(Says::Expect).or(only.map(Says::Only))?,
    })
}
