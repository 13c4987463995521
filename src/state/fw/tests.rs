use super::*;

fn text(kind: Kind, text: &str) -> FwText<'_> {
    read(kind, FileId(0), text)
}

/// Every line that is passed over: the part that is wrong, and why.
fn unread(kind: Kind, text: &str) -> Vec<(String, String)> {
    let found = read(kind, FileId(0), text).unread;
    let mut sources = crate::diagnostic::SourceMap::default();
    sources.add("a.fw", text);
    let slice = |span: Span| sources.slice(span).to_owned();
    found.into_iter().map(|line| (slice(line.span), line.reason)).collect()
}

fn only_reason(kind: Kind, text: &str) -> String {
    let found = unread(kind, text);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found[0].1.clone()
}

#[test]
fn sections_and_options_are_read_in_any_case() {
    let found = text(
        Kind::Cluster,
        "[options]\nENABLE: 1\n[Rules]\nin ACCEPT\n[IPSET Web] # x\n10.0.0.1 # y\n[GROUP G1]\nout DROP",
    );
    assert_eq!(found.unread, []);
    assert_eq!((found.options[0].name, found.options[0].value.value), ("enable", "1"));
    assert_eq!(found.rules.len(), 1);
    assert_eq!((found.ipsets[0].name.as_str(), found.ipsets[0].comment), ("web", Some("x")));
    assert_eq!(found.ipsets[0].entries[0].comment, Some("y"));
    assert_eq!(found.groups[0].name, "g1");
    assert!(matches!(found.groups[0].rules[0].action, Action::Verdict { direction: Direction::Out, .. }));
}

#[test]
fn line_ends_blanks_and_marks_do_not_matter() {
    let found = text(
        Kind::Host,
        "\u{feff}# a comment\r\n\t[RULES]  \r\n   IN ACCEPT -p tcp -dport 22   # why  \r\n\r\n|OUT DROP",
    );
    assert_eq!(found.unread, []);
    assert_eq!(found.header, ["a comment"]);
    let [first, second] = found.rules.as_slice() else { panic!("{:?}", found.rules) };
    assert_eq!((first.comment, first.dest_ports.map(|text| text.value)), (Some("why"), Some("22")));
    assert!(first.enabled && !second.enabled);
}

#[test]
fn long_and_short_options_are_the_same() {
    let short = "IN ACCEPT -p tcp -source 10.0.0.1 -dest 10.0.0.2 -sport 1 -dport 2 -log info";
    let long = "IN ACCEPT --proto tcp --source 10.0.0.1 --dest 10.0.0.2 --sport 1 --dport 2 --log info";
    for line in [short, long] {
        let all = format!("[RULES]\n{line}");
        let found = text(Kind::Guest, &all);
        let rule = &found.rules[0];
        let values = [rule.protocol, rule.source, rule.dest, rule.source_ports, rule.dest_ports, rule.log];
        assert_eq!(values.map(|text| text.expect("a value").value), ["tcp", "10.0.0.1", "10.0.0.2", "1", "2", "info"]);
    }
    let found = text(Kind::Guest, "[RULES]\nIN ACCEPT -proto icmp -icmp-type any\nIN ACCEPT -p icmp --icmp-type any");
    assert!(found.rules.iter().all(|rule| rule.icmp_type.is_some_and(|text| text.value == "any")));
}

#[test]
fn a_line_that_is_no_rule_says_why() {
    for (line, reason) in [
        ("IN", "a rule has a direction and an action"),
        ("AT ACCEPT", "`AT` is no direction"),
        ("IN accept", "actions are upper case: `ACCEPT`"),
        ("IN SSH(ALLOW)", "`SSH(ALLOW)` is no action: that is `ACCEPT`, `DROP` or `REJECT`"),
        ("IN SSH (ACCEPT)", "`SSH` is no action: that is `ACCEPT`, `DROP` or `REJECT`"),
        ("IN ACCEPT -p", "`-p` has no value"),
        ("IN ACCEPT -p  tcp", "its value follows `-p` after one blank"),
        ("IN ACCEPT -port 22", "there is no option `-port`"),
        ("IN ACCEPT tcp 22", "there is no option `tcp`"),
        ("IN ACCEPT -log loud", "`loud` is no log level"),
        ("GROUP web -p tcp", "a group takes no option but `-i`"),
    ] {
        assert_eq!(only_reason(Kind::Cluster, &format!("[RULES]\n{line}")), reason, "{line}");
    }
}

#[test]
fn headers_that_are_none_say_why() {
    for (header, reason) in [
        ("[RULES] # all of them", "no comment may follow this header"),
        ("[RULES", "the header has no `]`"),
        ("[RULES web]", "this section has no name"),
        ("[NONSENSE]", "there is no such section"),
        ("[ALIASES] x", "something other than a comment follows the header"),
        ("[IPSET 1x]", "`1x` is not a name"),
        ("[group a-name-of-over-eighteen]", "the name is longer than 18 characters"),
    ] {
        assert_eq!(only_reason(Kind::Cluster, header), reason, "{header}");
    }
    assert_eq!(only_reason(Kind::Host, "[ALIASES]"), "there is no such section in this file");
    assert_eq!(only_reason(Kind::Guest, "[group web]"), "there is no such section in this file");
    assert_eq!(only_reason(Kind::Guest, "IN ACCEPT"), "it stands in no section");
}

/// A header that is not read changes nothing: what follows belongs to the section before it.
#[test]
fn after_a_header_that_is_not_read_the_section_goes_on() {
    let found = text(Kind::Host, "[OPTIONS]\n[RULES] # x\nIN ACCEPT\n");
    assert!(found.rules.is_empty());
    assert_eq!(found.unread.len(), 2);
}

#[test]
fn a_later_section_replaces_the_one_of_the_same_name() {
    let all = "[IPSET a1]\n10.0.0.1\n[group g1]\nIN DROP\n[IPSET A1]\n10.0.0.2\n[group g1]\n";
    let found = text(Kind::Cluster, all);
    assert_eq!(found.ipsets.len(), 1);
    assert_eq!(found.ipsets[0].entries[0].value.value, "10.0.0.2");
    assert!(found.groups[0].rules.is_empty());
    let reasons: Vec<_> = unread(Kind::Cluster, all);
    assert_eq!(reasons.len(), 2);
    assert_eq!(reasons[0], ("[IPSET a1]".to_owned(), "a later section of the same name replaces this one".to_owned()));
}

#[test]
fn options_of_another_form_say_why() {
    for (line, reason) in [
        ("enable", "an option is `name: value`"),
        ("enable: yes", "`yes` is neither 0 nor 1"),
        ("enable: 1 # on", "no comment may follow an option"),
        ("policy_in: ALLOW", "`ALLOW` is no policy"),
        ("log_level_in: loud", "`loud` is no log level"),
        ("tcpflags: 1", "there is no option `tcpflags` here"),
        ("ips_queues: 0-3", "`0-3` is neither a queue nor a range of them"),
        ("layer2_protocols: ARP, IPv4", "`ARP, IPv4` is not one word"),
    ] {
        assert_eq!(only_reason(Kind::Guest, &format!("[OPTIONS]\n{line}")), reason, "{line}");
    }
    assert_eq!(only_reason(Kind::Host, "[OPTIONS]\nnf_conntrack_max: many"), "`many` is no number");
    assert!(unread(Kind::Host, "[OPTIONS]\nlog_level_in:\nlog_level_out: INFO").is_empty());
}

#[test]
fn aliases_and_entries_are_one_word_each() {
    let long = "a".repeat(65);
    assert_eq!(
        only_reason(Kind::Guest, &format!("[ALIASES]\n{long} 10.0.0.1")),
        "its name is longer than 64 characters"
    );
    assert!(unread(Kind::Guest, &format!("[ALIASES]\n{} 10.0.0.1", "a".repeat(64))).is_empty());
    for line in ["a1", "a1 ", "a1  10.0.0.1", "a1 10.0.0.1 10.0.0.2", "1a 10.0.0.1"] {
        assert_eq!(unread(Kind::Cluster, &format!("[ALIASES]\n{line}")).len(), 1, "{line}");
    }
    let found = text(Kind::Cluster, "[IPSET a1]\n!10.0.0.1\n! 10.0.0.2#c\n10.0.0.3 10.0.0.4\n!\n");
    assert_eq!(found.ipsets[0].entries.iter().filter(|entry| entry.excluded).count(), 2);
    assert_eq!(found.unread.len(), 2);
}
