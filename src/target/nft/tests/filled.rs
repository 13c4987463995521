//! No rule that lets more pass with an empty set is met before all sets are filled.

use super::*;

const GUARD: &str = "meta protocol != @filled drop";

/// Two networks, which are a set of intervals.
const BANNED: &str = "[10.9.0.0/16, 10.7.0.0/16, 2001:db8:9::/48, 2001:db8:7::/48]";

/// A spec whose host drops nothing by itself that is a range.
fn plain(more: &str) -> String {
    format!(
        "version: 1\nhosts: {{ pm1: {{ addresses: 10.0.0.11/24, targets: nft, options: {{ nosmurfs: false }}, {more} }} }}\n"
    )
}

/// The tables of a file, by family.
fn tables(text: &str) -> Vec<(&str, &str)> {
    let open = |family| text.split_once(&format!("\ntable {family} fwc {{\n")).map(|(_, rest)| rest);
    let table = |family| Some((family, open(family)?.split("\n}\n").next()?));
    ["inet", "bridge"].into_iter().filter_map(table).collect()
}

/// The guard stands right before the rule.
#[track_caller]
fn guarded(rules: &[String], rule: &str) {
    let at = rules.iter().position(|one| one.starts_with(rule)).unwrap_or_else(|| panic!("no `{rule}` in {rules:#?}"));
    assert_eq!(rules.get(at.wrapping_sub(1)).map(String::as_str), Some(GUARD), "{rules:#?}");
    assert_eq!(rules.iter().filter(|one| *one == GUARD).count(), 1, "{rules:#?}");
}

/// Wherever a chain has the guard, no rule before it uses a set of intervals but to accept; where it has none, none does
/// at all. And the set is the last of its table, of every ethertype.
#[track_caller]
fn sound(text: &str) {
    for (family, table) in tables(text) {
        let (sets, _) = table.split_once("\tchain ").unwrap();
        let sets: Vec<&str> = sets.split("\tset ").skip(1).collect();
        let is_interval = |set: &&&str| set.contains("\t\tflags interval\n");
        let name = |set: &&str| format!("@{} ", set.split(' ').next().unwrap());
        let intervals: Vec<String> =
            sets.iter().filter(is_interval).map(name).filter(|name| name != "@filled ").collect();
        let mut guards = 0;
        for body in table.split("\tchain ").skip(1) {
            let rules: Vec<&str> = body.lines().skip(1).take_while(|line| *line != "\t}").map(str::trim).collect();
            let at = rules.iter().position(|rule| rule.starts_with(GUARD));
            guards += usize::from(at.is_some());
            for rule in rules.get(..at.unwrap_or(rules.len())).unwrap() {
                let uses = intervals.iter().any(|name| rule.contains(name.as_str()));
                // Behind what answers or stops by a set, all is stopped.
                let ok = rule.contains("accept") || body.starts_with("reject-packet ");
                assert!(!uses || ok, "{family} {rule} in {body}");
            }
        }
        let last =
            sets.last().is_some_and(|set| set.starts_with("filled {\n\t\ttype ether_type\n\t\tflags interval\n"));
        assert_eq!(guards > 0, last, "{family}: {sets:#?}");
        assert_eq!(text.contains(GUARD), text.contains("elements = {\n\t\t\t0x0000-0xffff\n\t\t}"), "{text}");
    }
}

#[test]
fn a_rule_of_a_host_that_drops_by_networks_is_guarded() {
    for (hook, rule) in [("in", "source"), ("out", "dest"), ("forward", "source")] {
        let rules = format!("rules: [ {{ {hook}: drop, {rule}: {BANNED} }}, {{ {hook}: accept }} ]");
        let text = file(&plain(&rules));
        let name =
            [("in", "input"), ("out", "output")].into_iter().find(|(word, _)| *word == hook).map_or(hook, |it| it.1);
        let chain = chain(&text, "inet", name);
        let key = if hook == "out" { "daddr" } else { "saddr" };
        // One guard for both families, before the first.
        guarded(&chain, &format!("ip {key} @addresses-v4-"));
        assert!(place(&chain, "ct state established,related accept") < place(&chain, GUARD), "{chain:#?}");
        assert!(chain.iter().any(|rule| rule.starts_with(&format!("ip6 {key} @addresses-v6-"))), "{chain:#?}");
        sound(&text);
    }
}

#[test]
fn ranges_of_ports_rejections_and_what_is_not_a_set_are_guarded() {
    for verdict in ["drop", "reject"] {
        let text =
            file(&plain(&format!("rules: [ {{ in: {verdict}, proto: tcp, dport: [1-9, 20] }}, {{ in: accept }} ]")));
        guarded(&chain(&text, "inet", "input"), "tcp dport @ports-");
        sound(&text);
    }
    // Where it is logged, what becomes of it stands elsewhere.
    let text = file(&plain("rules: [ { in: drop, proto: tcp, dport: [1-9, 20], log: info }, { in: accept } ]"));
    guarded(&chain(&text, "inet", "input"), "tcp dport @ports-");
    sound(&text);
}

/// A chain that logs and decides is what it decides, for hosts and (by a map) for guests.
#[test]
fn chains_of_log_lines_are_what_they_decide() {
    let accepts = "{ in: accept, proto: tcp, dport: [1-9, 20], log: info }";
    let options = "nosmurfs: false, policy_in: accept, policy_out: accept";
    let host =
        file(&plain(&format!("rules: [ {accepts}, {{ in: drop, proto: udp }} ]")).replace("nosmurfs: false", options));
    let rules = chain(&host, "inet", "input");
    assert!(
        rules.iter().any(|rule| rule.starts_with("tcp dport @") && rule.ends_with("goto log-host-in-info-accept")),
        "{rules:#?}"
    );
    assert!(!host.contains("filled"), "{host}");
    sound(&host);
    let vm = |rule: &str| {
        let guest = format!(
            "vms: {{ 100: {{ host: pm1, nics: {{ net0: {{ bridge: vmbr0, mac: 'BC:24:11:00:00:64' }} }}, rules: [ {rule}, {{ in: accept, proto: udp }} ] }} }}\n"
        );
        file(&(plain("rules: []").replace("nosmurfs: false", options) + &guest))
    };
    let rules = chain(&vm(accepts), "bridge", "guest-100-in");
    assert!(rules.iter().any(|rule| rule.ends_with("goto log-guest-in-info-accept")), "{rules:#?}");
    assert!(!rules.iter().any(|rule| rule == GUARD), "{rules:#?}");
    let rules = chain(&vm(&accepts.replace("accept", "drop")), "bridge", "guest-100-in");
    guarded(&rules, "tcp dport @ports-");
}

#[test]
fn chains_of_groups_guests_and_vnets_are_guarded_each() {
    let spec = plain("rules: [ { group: gg } ]")
        + "groups: { gg: [ { in: drop, source: +bad }, { in: accept, proto: tcp } ] }\n\
           datacenter: { ipsets: { bad: [10.9.0.0/16, 10.7.0.0/16] } }\n\
           vnets: { vmbr0: { rules: [ { forward: drop, source: +bad }, { forward: accept } ] } }\n\
           vms: { 100: { host: pm1, nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:64', ip: 10.0.1.100/24 } }, \
           rules: [ { group: gg }, { out: drop, dest: +bad }, { out: accept } ] } }\n";
    let text = compile(&spec).files[0].content.clone();
    for family in ["inet", "bridge"] {
        guarded(&chain(&text, family, "group-gg-in"), "ip saddr @ipset-bad-v4");
        guarded(&chain(&text, family, "vnet-vmbr0"), "ip saddr @ipset-bad-v4");
    }
    guarded(&chain(&text, "bridge", "guest-100-out"), "ip daddr @ipset-bad-v4");
    sound(&text);
}

#[test]
fn where_no_rule_lets_more_pass_nothing_is_added() {
    let accepts = format!("{{ in: accept, source: {BANNED}, proto: tcp, dport: [1-9, 20] }}");
    let single = "{ in: drop, source: 10.9.0.0/16, proto: tcp, dport: 1-9 }";
    let values = "{ in: drop, source: [10.9.0.1, 10.9.0.3], proto: tcp, dport: [1, 9] }";
    // Where a policy accepts nothing is done about noise.
    let text = file(
        &plain(&format!("rules: [ {accepts}, {single}, {values} ]"))
            .replace("nosmurfs: false", "nosmurfs: false, policy_in: accept, policy_out: accept"),
    );
    assert!(text.contains("flags interval"), "{text}");
    assert!(!text.contains("filled"), "{text}");
    sound(&text);
}

/// A NIC that may speak from networks: what is not of them is dropped in that chain, and nothing accepted.
#[test]
fn returns_before_drops_alone_need_no_guard() {
    let text = file(
        &(plain("rules: []")
            + "vms: { 100: { host: pm1, nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:64' } }, \
        ipsets: { ipfilter-net0: [10.5.0.0/16, 10.7.0.0/16] } } }\n"),
    );
    let filter = chain(&text, "bridge", "ipfilter-guest-out");
    assert!(
        filter[0].starts_with("ip saddr @addresses-v4-") && !filter.iter().any(|rule| rule == GUARD),
        "{filter:#?}"
    );
}

/// The set is called as nothing of a user's is.
#[test]
fn a_users_own_names_are_others() {
    let spec = plain("rules: [ { in: drop, source: +filled }, { in: accept } ]")
        + "datacenter: { ipsets: { filled: [10.9.0.0/16, 10.7.0.0/16] } }\n";
    let text = file(&spec);
    guarded(&chain(&text, "inet", "input"), "ip saddr @ipset-filled-v4");
    assert_eq!(text.matches("\tset filled {").count(), 1, "{text}");
    sound(&text);
}

/// What stands before `established` is judged as ever, and no anonymous set is ever written: it would be filled last.
#[test]
fn named_sets_are_all_there_are() {
    for spec in [plain("rules: []"), guest("options: { ipfilter: true }, rules: [ { in: reject, macro: SMB } ]")] {
        let text = compile(&spec).files[0].content.clone();
        sound(&text);
        for rule in text.lines().filter(|line| line.starts_with("\t\t") && !line.ends_with("{")) {
            assert!(!rule.contains("{ ") || rule.contains("update @"), "{rule}");
        }
    }
}
