//! A draft as YAML, laid out as the examples are: rules one a line, in the order of their keys.
//!
//! In: a draft. Out: one text, or one for each part of a folder. Promise: the same draft gives the same text, and the
//! text reads back as the draft, whatever characters are in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::state::guest_conf::Machine;

use super::draft::{Body, Commented, Draft, Group, Guest, Host, Ipset, Nic, Rule, Value};

/// Columns up to which a list stays on one line.
const WIDTH: usize = 110;

/// The whole spec in one text.
#[must_use]
pub fn file(draft: &Draft) -> String {
    let mut page = Page::default();
    page.datacenter(draft);
    page.groups(&draft.groups);
    page.zones(&draft.zones);
    page.hosts(draft.hosts.iter());
    page.guests(draft.guests.iter());
    page.vnets(&draft.vnets);
    page.text
}

/// The spec as a folder: path below it, and text. What is of one host only is in that host's file.
#[must_use]
pub fn folder(draft: &Draft) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut add = |path: String, page: Page| {
        if page.text != Page::default().text {
            files.insert(path, page.text);
        }
    };
    let mut page = Page::default();
    page.datacenter(draft);
    page.zones(&draft.zones);
    // Always there, so that a folder is never without a spec.
    let first = page.text;
    let mut page = Page::default();
    page.groups(&draft.groups);
    add("groups.yaml".to_owned(), page);
    let mut page = Page::default();
    page.vnets(&draft.vnets);
    add("vnets.yaml".to_owned(), page);
    let on = |guest: &Guest, host: &str| matches!(guest.hosts.as_slice(), [only] if only == host);
    for (name, host) in &draft.hosts {
        let mut page = Page::default();
        page.hosts(std::iter::once((name, host)));
        page.guests(draft.guests.iter().filter(|(_, guest)| on(guest, name)));
        add(format!("hosts/{name}.yaml"), page);
    }
    let mut page = Page::default();
    let placed = |guest: &Guest| matches!(guest.hosts.as_slice(), [only] if draft.hosts.contains_key(only));
    page.guests(draft.guests.iter().filter(|(_, guest)| !placed(guest)));
    add("guests.yaml".to_owned(), page);
    files.insert("datacenter.yaml".to_owned(), first);
    files
}

struct Page {
    text: String,
}

impl Default for Page {
    fn default() -> Self {
        Self { text: "version: 1\n".to_owned() }
    }
}

impl Page {
    fn line(&mut self, indent: usize, text: &str) {
        for _ in 0..indent {
            self.text.push_str("  ");
        }
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A heading, after an empty line.
    fn top(&mut self, name: &str) {
        self.text.push('\n');
        self.line(0, &format!("{name}:"));
    }

    fn datacenter(&mut self, draft: &Draft) {
        if draft.datacenter.is_empty()
            && draft.guests_block.is_empty()
            && draft.name.is_none()
            && draft.targets.is_empty()
        {
            return;
        }
        self.top("datacenter");
        if let Some(name) = &draft.name {
            self.line(1, &format!("name: {}", scalar(name)));
        }
        if !draft.targets.is_empty() {
            self.line(1, &format!("targets: {}", list(&draft.targets)));
        }
        self.body(1, &draft.datacenter);
        self.guests_block(1, &draft.guests_block);
    }

    fn guests_block(&mut self, indent: usize, block: &Body) {
        if !block.is_empty() {
            self.line(indent, "guests:");
            self.body(indent + 1, block);
        }
    }

    fn groups(&mut self, groups: &BTreeMap<String, Group>) {
        if groups.is_empty() {
            return;
        }
        self.top("groups");
        for (name, group) in groups {
            match &group.comment {
                None if group.rules.is_empty() => self.line(1, &format!("{}: []", scalar(name))),
                None => {
                    self.line(1, &format!("{}:", scalar(name)));
                    self.rules(2, &group.rules);
                }
                Some(comment) => {
                    self.line(1, &format!("{}:", scalar(name)));
                    self.line(2, &format!("comment: {}", scalar(comment)));
                    if group.rules.is_empty() {
                        self.line(2, "rules: []");
                    } else {
                        self.line(2, "rules:");
                        self.rules(3, &group.rules);
                    }
                }
            }
        }
    }

    fn zones(&mut self, zones: &BTreeMap<String, Body>) {
        if zones.is_empty() {
            return;
        }
        self.top("zones");
        for (name, body) in zones {
            self.line(1, &format!("{}:", scalar(name)));
            self.line(2, "kind: guest");
            self.body(2, body);
        }
    }

    fn hosts<'d>(&mut self, hosts: impl ExactSizeIterator<Item = (&'d String, &'d Host)>) {
        if hosts.len() == 0 {
            return;
        }
        self.top("hosts");
        for (name, host) in hosts {
            if *host == Host::default() {
                self.line(1, &format!("{}: {{}}", scalar(name)));
                continue;
            }
            self.line(1, &format!("{}:", scalar(name)));
            for (key, addresses) in [("addresses", &host.addresses), ("corosync", &host.corosync)] {
                if !addresses.is_empty() {
                    self.line(2, &format!("{key}: {}", list(addresses)));
                }
            }
            self.body(2, &host.body);
            self.guests_block(2, &host.guests_block);
        }
    }

    fn guests<'d>(&mut self, guests: impl Iterator<Item = (&'d u32, &'d Guest)>) {
        let (vms, containers): (Vec<_>, Vec<_>) = guests.partition(|(_, guest)| guest.machine == Machine::Vm);
        for (key, guests) in [("vms", vms), ("containers", containers)] {
            if !guests.is_empty() {
                self.top(key);
            }
            for (id, guest) in guests {
                self.guest(*id, guest);
            }
        }
    }

    fn guest(&mut self, id: u32, guest: &Guest) {
        let empty = guest.name.is_none()
            && guest.hosts.is_empty()
            && guest.inherits.is_empty()
            && guest.body.is_empty()
            && guest.nics.is_empty();
        if empty {
            return self.line(1, &format!("{id}: {{}}"));
        }
        self.line(1, &format!("{id}:"));
        if let Some(name) = &guest.name {
            self.line(2, &format!("name: {}", scalar(name)));
        }
        for (key, words) in [("host", &guest.hosts), ("inherits", &guest.inherits)] {
            if !words.is_empty() {
                self.line(2, &format!("{key}: {}", list(words)));
            }
        }
        if !guest.nics.is_empty() {
            self.line(2, "nics:");
            for (index, nic) in &guest.nics {
                self.line(3, &format!("net{index}: {}", nic_map(nic)));
            }
        }
        self.body(2, &guest.body);
    }

    fn vnets(&mut self, vnets: &BTreeMap<String, Body>) {
        if vnets.is_empty() {
            return;
        }
        self.top("vnets");
        for (name, body) in vnets {
            if body.is_empty() {
                self.line(1, &format!("{}: {{}}", scalar(name)));
            } else {
                self.line(1, &format!("{}:", scalar(name)));
                self.body(2, body);
            }
        }
    }

    fn body(&mut self, indent: usize, body: &Body) {
        if let Some(comment) = &body.comment {
            self.line(indent, &format!("comment: {}", scalar(comment)));
        }
        self.options(indent, &body.options);
        if !body.aliases.is_empty() {
            self.line(indent, "aliases:");
            for (name, alias) in &body.aliases {
                self.line(indent + 1, &format!("{}: {}", scalar(name), commented(alias)));
            }
        }
        if !body.ipsets.is_empty() {
            self.line(indent, "ipsets:");
            for (name, ipset) in &body.ipsets {
                self.ipset(indent + 1, name, ipset);
            }
        }
        if !body.rules.is_empty() {
            self.line(indent, "rules:");
            self.rules(indent + 1, &body.rules);
        }
    }

    fn options(&mut self, indent: usize, options: &[(&'static str, Value)]) {
        if options.is_empty() {
            return;
        }
        let parts: Vec<String> = options.iter().map(|(name, value)| format!("{name}: {}", option(value))).collect();
        let line = format!("options: {{ {} }}", parts.join(", "));
        if line.len() + indent * 2 <= WIDTH {
            return self.line(indent, &line);
        }
        self.line(indent, "options:");
        for part in parts {
            self.line(indent + 1, &part);
        }
    }

    fn ipset(&mut self, indent: usize, name: &str, ipset: &Ipset) {
        let name = scalar(name);
        let entries: Vec<String> = ipset.entries.iter().map(commented).collect();
        let short = format!("{name}: [{}]", entries.join(", "));
        let plain = ipset.comment.is_none() && ipset.entries.iter().all(|entry| entry.comment.is_none());
        if plain && short.len() + indent * 2 <= WIDTH {
            return self.line(indent, &short);
        }
        self.line(indent, &format!("{name}:"));
        let inner = match &ipset.comment {
            Some(comment) => {
                self.line(indent + 1, &format!("comment: {}", scalar(comment)));
                self.line(indent + 1, "entries:");
                indent + 2
            }
            None => indent + 1,
        };
        for entry in entries {
            self.line(inner, &format!("- {entry}"));
        }
    }

    fn rules(&mut self, indent: usize, rules: &[Rule]) {
        for rule in rules {
            for _ in 0..indent {
                self.text.push_str("  ");
            }
            self.text.push_str("- ");
            rule_map(&mut self.text, rule);
            self.text.push('\n');
        }
    }
}

fn rule_map(out: &mut String, rule: &Rule) {
    let mut separator = "{ ";
    let mut add = |key: &str, value: &str| {
        out.push_str(separator);
        out.push_str(key);
        out.push_str(": ");
        out.push_str(value);
        separator = ", ";
    };
    if let Some(id) = &rule.id {
        add("id", &scalar(id));
    }
    add(rule.head, &scalar(&rule.value));
    if let Some(name) = rule.macro_name {
        add("macro", &scalar(name));
    }
    if let Some(iface) = &rule.iface {
        add("iface", &scalar(iface));
    }
    if let Some(proto) = &rule.proto {
        add("proto", &scalar(proto));
    }
    if let Some(icmp_type) = &rule.icmp_type {
        add("icmp_type", &scalar(icmp_type));
    }
    for (key, words) in [("dport", &rule.dport), ("sport", &rule.sport), ("source", &rule.source), ("dest", &rule.dest)]
    {
        if !words.is_empty() {
            add(key, &list(words));
        }
    }
    if let Some(log) = &rule.log {
        add("log", &scalar(log));
    }
    if rule.disabled {
        add("enable", "false");
    }
    if let Some(comment) = &rule.comment {
        add("comment", &scalar(comment));
    }
    out.push_str(" }");
}

fn nic_map(nic: &Nic) -> String {
    let mut parts = Vec::new();
    if let Some(bridge) = &nic.bridge {
        parts.push(format!("bridge: {}", scalar(bridge)));
    }
    if let Some(tag) = nic.tag {
        parts.push(format!("tag: {tag}"));
    }
    if let Some(mac) = &nic.mac {
        parts.push(format!("mac: \"{mac}\""));
    }
    if !nic.ip.is_empty() {
        parts.push(format!("ip: {}", list(&nic.ip)));
    }
    if nic.unfiltered {
        parts.push("firewall: false".to_owned());
    }
    if parts.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", parts.join(", ")) }
}

fn option(value: &Value) -> String {
    match value {
        // A switch or a number, which the reader wants without quotes, or a word.
        Value::Text(text) if is_plain_value(text) => text.clone(),
        Value::Text(text) => scalar(text),
        Value::List(words) => list(words),
        Value::Map(entries) => {
            let mut out = String::from("{ ");
            for (at, (key, value)) in entries.iter().enumerate() {
                let comma = if at == 0 { "" } else { ", " };
                let value = if is_plain_value(value) { value.clone() } else { scalar(value) };
                let _ = write!(out, "{comma}{key}: {value}");
            }
            out + " }"
        }
    }
}

fn is_plain_value(text: &str) -> bool {
    matches!(text, "true" | "false") || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn commented(value: &Commented) -> String {
    match &value.comment {
        None => scalar(&value.value),
        Some(comment) => format!("{{ value: {}, comment: {} }}", scalar(&value.value), scalar(comment)),
    }
}

/// One value as itself, several between brackets.
fn list(words: &[String]) -> String {
    match words {
        [only] => scalar(only),
        several => format!("[{}]", several.iter().map(|word| scalar(word)).collect::<Vec<_>>().join(", ")),
    }
}

/// A text as a scalar of YAML: plain where nothing in it could be read as anything else, between quotes otherwise.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{85}') => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Words of letters, digits and a few signs between single blanks, the first a letter, a digit, `+` or `/`.
fn is_plain(text: &str) -> bool {
    let word =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'+' | b'(' | b')');
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'+');
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    first
        && !reserved.iter().any(|word| word.eq_ignore_ascii_case(text))
        && text.split(' ').all(|part| !part.is_empty() && part.bytes().all(word))
}
