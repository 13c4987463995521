//! Whose rules are whose.

use super::*;

const SHARED: &str = "*filter\n:FWC-host-in - [0:0]\n:FWC-INPUT - [0:0]\n:FWC-FORWARD - [0:0]\n\
    -A FWC-host-in -p tcp -m tcp --dport 22 -j RETURN\n-A FWC-host-in -p udp -j DROP\n-A FWC-host-in -j DROP\n\
    -A FWC-INPUT -j FWC-host-in\nCOMMIT\n";

fn listed(more: &str) -> Ruleset {
    let text = format!(
        "*filter\n:INPUT ACCEPT [1:2]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:DOCKER - [0:0]\n:FWC-host-in - [0:0]\n\
         :FWC-INPUT - [0:0]\n:FWC-FORWARD - [0:0]\n{more}-A FORWARD -j DOCKER\n-A DOCKER -p tcp -j ACCEPT\n\
         -A FWC-host-in -p tcp -m tcp --dport 22 -j RETURN\n-A FWC-host-in -p udp -j DROP\n-A FWC-host-in -j DROP\n\
         -A FWC-INPUT -j FWC-host-in\nCOMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -j REDIRECT --to-ports 1\nCOMMIT\n"
    );
    read(Program::Iptables, &text, None)
}

#[test]
fn shared_tables_hold_others_rules() {
    let meant = read(Program::Iptables, SHARED, None);
    assert_eq!(Ownership::of(&meant), Ownership::Chains { prefix: "FWC-".to_owned() });
    let found = listed("-A INPUT -j FWC-INPUT\n");
    let comparison = compare(&meant, &found);
    assert!(comparison.is_equal() && comparison.led_late.is_empty(), "{}", said(&comparison));
    let rules: Vec<_> = comparison.foreign.iter().map(|foreign| (&*foreign.table.name, foreign.rules())).collect();
    assert_eq!(rules, [("filter", 2), ("nat", 1)]);
    assert!(is_loaded(&meant, &found));
    // A file is not asked for what leads to its chains.
    assert!(compare(&meant, &meant).is_equal());
}

#[test]
fn shared_chains_must_be_led_to() {
    let meant = read(Program::Iptables, SHARED, None);
    for wrong in ["", "-A INPUT -p tcp -j FWC-INPUT\n", "-A OUTPUT -j FWC-INPUT\n"] {
        let comparison = compare(&meant, &listed(wrong));
        let kinds: Vec<_> = comparison.changes.iter().map(|change| change.kind).collect();
        assert_eq!(kinds, [Kind::NotLed], "{wrong}\n{}", said(&comparison));
    }
    let comparison = compare(&meant, &listed("-A INPUT -p tcp -j ACCEPT\n-A INPUT -j FWC-INPUT\n"));
    assert!(comparison.is_equal(), "{}", said(&comparison));
    assert_eq!(comparison.led_late[0].before, 1);
}

/// A goto leads there too; only what others have behind it is passed over.
#[test]
fn a_goto_leads_to_shared_chains() {
    let meant = read(Program::Iptables, SHARED, None);
    let comparison = compare(&meant, &listed("-A INPUT -g FWC-INPUT\n"));
    let told: Vec<_> =
        comparison.changes.iter().map(|change| (change.kind, &*change.old[0].text, &*change.new[0].text)).collect();
    assert_eq!(told, [(Kind::PlaceAltered, "goto FWC-INPUT", "jump FWC-INPUT")], "{}", said(&comparison));
}

#[test]
fn an_own_chain_that_others_lead_to_is_told() {
    let meant = read(Program::Iptables, SHARED, None);
    let mine = ":FWC-mine - [0:0]\n:FWC-more - [0:0]\n-A INPUT -j FWC-mine\n-A INPUT -j FWC-INPUT\n-A DOCKER -s 10.0.0.9/32 -g FWC-mine\n-A FWC-mine -j FWC-more\n\
        -A FWC-more -j ACCEPT\n";
    let mut found = listed(mine);
    let comparison = compare(&meant, &found);
    assert!(comparison.left_over.is_empty(), "{:?}", comparison.left_over);
    assert_eq!(comparison.changes.len(), 1, "{}", said(&comparison));
    let change = &comparison.changes[0];
    let old: Vec<_> = change.old.iter().map(|rule| &*rule.text).collect();
    assert_eq!(old, ["chain FWC-mine: reached from DOCKER and INPUT, 1 rule", "accept"]);
    assert!(change.kind == Kind::Chain && change.new.is_empty());
    let places: Vec<_> = change.places.iter().map(|place| &*place.hook).collect();
    assert_eq!(places, ["DOCKER", "INPUT"]);
    assert_eq!(comparison.foreign[0].rules(), 2);
    // Without rules it does nothing, and a rule to a chain that is meant is another's.
    let filter = found.tables.values_mut().next().unwrap();
    filter.chains.get_mut("FWC-mine").unwrap().rules.clear();
    let comparison = compare(&meant, &found);
    assert!(comparison.is_equal(), "{}", said(&comparison));
    let direct = compare(&meant, &listed("-A INPUT -j FWC-INPUT\n-A INPUT -p udp -j FWC-host-in\n"));
    assert!(direct.is_equal(), "{}", said(&direct));
    assert_eq!(direct.foreign[0].rules(), 3);
}

#[test]
fn what_no_packet_comes_to_is_left_over() {
    let meant = read(Program::Iptables, SHARED, None);
    let mut found = listed("-A INPUT -j FWC-INPUT\n");
    let filter = found.tables.values_mut().next().unwrap();
    let old = filter.chains["FWC-host-in"].clone();
    filter.chains.insert("FWC-host-in~2".into(), old);
    let comparison = compare(&meant, &found);
    assert!(comparison.is_equal(), "{}", said(&comparison));
    assert_eq!(comparison.left_over[0].chains, [("FWC-host-in~2".into(), 3)]);
}

const OWN: &str = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:base-in - [0:0]\n-A INPUT -j base-in\n\
    -A base-in -p tcp -m tcp --dport 22 -j ACCEPT\n-A base-in -p udp -j DROP\n-A base-in -p icmp -j ACCEPT\nCOMMIT\n";

#[test]
fn a_bare_machine_has_nothing_of_it() {
    let meant = read(Program::Iptables, OWN, None);
    let bare = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n";
    for bare in ["", bare] {
        let comparison = compare(&meant, &read(Program::Iptables, bare, None));
        assert_eq!((comparison.missing.len(), comparison.changes.len()), (1, 0), "{}", said(&comparison));
        assert!(!comparison.same_meaning());
        assert!(!is_loaded(&meant, &read(Program::Iptables, bare, None)));
    }
    let others =
        "*filter\n:INPUT ACCEPT [0:0]\n:f2b - [0:0]\n-A INPUT -p tcp -j f2b\n-A f2b -s 10.0.0.1 -j DROP\nCOMMIT\n";
    let others = read(Program::Iptables, others, None);
    let comparison = compare(&meant, &others);
    assert_eq!((comparison.different.len(), comparison.changes.len()), (1, 0), "{}", said(&comparison));
    assert!(!is_loaded(&meant, &others));
    assert!(is_loaded(&meant, &meant));
}

#[test]
fn tables_of_its_own_are_owned_whole() {
    let meant = read(Program::Iptables, OWN, None);
    let found = read(Program::Iptables, &OWN.replace("INPUT DROP", "INPUT ACCEPT"), None);
    let comparison = compare(&meant, &found);
    assert_eq!(comparison.changes.len(), 1, "{}", said(&comparison));
    let change = &comparison.changes[0];
    assert_eq!(
        (change.kind, &*change.old[0].text, &*change.new[0].text),
        (Kind::Chain, "policy accept", "policy drop")
    );
    let found = OWN.replace("-A INPUT -j base-in\n", "-A INPUT -j base-in\n-A OUTPUT -d 10.0.0.1 -j DROP\n");
    let comparison = compare(&meant, &read(Program::Iptables, &found, None));
    let kinds: Vec<_> = comparison.changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [Kind::Removed]);
}

#[test]
fn other_tables_of_nft_are_foreign() {
    let own = "table inet fwc {\n set s { type ipv4_addr; elements = { 10.0.0.1, 10.0.0.9 }; }\n chain input {\n\
        type filter hook input priority 0; policy accept;\n ip saddr @s drop\n tcp dport 22 accept\n drop\n}\n}\n";
    let meant = read(Program::Nft, own, None);
    let docker = "table ip nat {\n chain p {\n type nat hook prerouting priority -100; policy accept;\n tcp dport 1 drop\n}\n}\n";
    let comparison = compare(&meant, &read(Program::Nft, &format!("{docker}{own}"), None));
    assert!(comparison.is_equal(), "{}", said(&comparison));
    assert_eq!(comparison.foreign[0].rules(), 1);
    // A set's name is shape, and so is having one.
    let inline = own.replace("@s", "{ 10.0.0.9, 10.0.0.1 }").replace("set s {", "set t {");
    assert!(compare(&meant, &read(Program::Nft, &inline, None)).is_equal());
    let comparison = compare(&meant, &read(Program::Nft, &own.replace("10.0.0.9", "10.0.0.8"), None));
    assert_eq!(comparison.changes[0].kind, Kind::Set, "{}", said(&comparison));
    let hook = compare(&meant, &read(Program::Nft, &own.replace("priority 0", "priority 10"), None));
    assert_eq!((hook.changes.len(), hook.changes[0].kind), (1, Kind::Chain), "{}", said(&hook));
    assert!(!is_loaded(&meant, &read(Program::Nft, docker, None)));
    assert_eq!(compare(&meant, &read(Program::Nft, docker, None)).missing.len(), 1);
}

#[test]
fn foreign_chains_that_drop_by_policy_are_told() {
    let own = "table inet fwc {\n chain input {\n type filter hook input priority 0; policy accept;\n drop\n}\n}\n";
    let evil = "table inet evil {\n chain c {\n type filter hook input priority -300; policy drop;\n}\n chain d {\n\
        type filter hook output priority 0; policy accept;\n}\n}\ntable ip fwc {\n chain f {\n\
        type filter hook forward priority 0; policy drop;\n}\n}\n";
    let comparison = compare(&read(Program::Nft, own, None), &read(Program::Nft, &format!("{own}{evil}"), None));
    assert!(comparison.is_equal(), "{}", said(&comparison));
    let closed: Vec<_> = comparison
        .foreign
        .iter()
        .flat_map(|foreign| &foreign.closed)
        .map(|(name, hook)| (&**name, hook.as_deref()))
        .collect();
    assert_eq!(closed, [("c", Some("input")), ("f", Some("forward"))]);
    assert_eq!(comparison.foreign[0].chains, [("c".into(), 0)]);
}

#[test]
fn what_was_not_read_is_not_equal() {
    let meant = read(Program::Iptables, OWN, None);
    let found = read(Program::Iptables, &OWN.replace("COMMIT", "nonsense\nCOMMIT"), None);
    let comparison = compare(&meant, &found);
    assert!(!comparison.unread.is_empty() && !comparison.is_equal());
}
