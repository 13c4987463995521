use proptest::prelude::*;

use super::*;

/// The sets of a text that is read whole, without their places.
fn sets(text: &str) -> BTreeMap<Arc<str>, Set> {
    let (mut sets, unread) = read(FileId(0), text);
    assert_eq!(unread, [], "{text}");
    for set in sets.values_mut() {
        set.span = Span::default();
    }
    sets
}

/// The elements of one set of a type.
fn elements(kind: &str, values: &[&str]) -> Vec<String> {
    let lines: String = values.iter().map(|value| format!("add s {value}\n")).collect();
    sets(&format!("create s {kind}\n{lines}")).remove("s").unwrap().elements.into_iter().collect()
}

fn reasons(text: &str) -> Vec<String> {
    read(FileId(0), text).1.into_iter().map(|unread| unread.reason).collect()
}

#[test]
fn a_file_and_its_listing_are_one() {
    let written = "# a remark\ncreate a hash:net family inet hashsize 64 maxelem 128 -exist\n\
                   create a-t hash:net family inet hashsize 64 maxelem 128 -exist\nflush a-t\nadd a-t 10.0.0.0/25\n\
                   add a-t 10.0.0.128/25\nadd a-t 192.0.2.1/32\nswap a-t a\ndestroy a-t\n";
    let listed = "create a hash:net family inet hashsize 1024 maxelem 128 counters comment bucketsize 12 initval 0xc07cfb26\n\
                  add a 192.0.2.1 packets 3 bytes 9 comment \"a b\"\nadd a 10.0.0.0/24 packets 0 bytes 0\n";
    assert_eq!(sets(written), sets(listed));
    let set = &sets(written)["a"];
    assert_eq!((set.kind.as_str(), set.attributes.len()), ("hash:net inet", 0));
    assert_eq!(set.elements.iter().collect::<Vec<_>>(), ["10.0.0.0/24", "192.0.2.1"]);
}

#[test]
fn elements_have_one_spelling() {
    assert_eq!(elements("hash:ip", &["10.0.0.1-10.0.0.3", "10.0.0.4/30"]), ["10.0.0.1-10.0.0.7"]);
    assert_eq!(elements("hash:ip netmask 24", &["10.0.0.77"]), ["10.0.0.0/24"]);
    assert_eq!(elements("hash:net family inet6", &["2001:DB8::/33", "2001:db8:8000::/33"]), ["2001:db8::/32"]);
    assert_eq!(elements("bitmap:port range 0-1024", &["80-82", "ssh", "83"]), ["22", "80-83"]);
    assert_eq!(elements("hash:mac", &["00:11:22:33:44:AA"]), ["00:11:22:33:44:aa"]);
    assert_eq!(
        elements(
            "hash:ip,port",
            &["10.0.0.1-10.0.0.2,80", "10.0.0.3,udp:53-54", "10.0.0.3,icmp:ping", "10.0.0.3,89:0"]
        ),
        [
            "10.0.0.1,tcp:80",
            "10.0.0.2,tcp:80",
            "10.0.0.3,icmp:8/0",
            "10.0.0.3,ospf:0",
            "10.0.0.3,udp:53",
            "10.0.0.3,udp:54"
        ]
    );
    assert_eq!(elements("hash:net,iface", &["0.0.0.0/0,eth0", "1.0.0.0/8,physdev:tap1"]).len(), 2);
    assert_eq!(elements("hash:net,net", &["10.0.0.0-10.0.0.2,1.1.1.1"]), ["10.0.0.0/31,1.1.1.1", "10.0.0.2,1.1.1.1"]);
    assert_eq!(elements("hash:ip,mark", &["1.1.1.1,18"]), ["1.1.1.1,0x12"]);
    assert_eq!(elements("list:set size 8", &["a", "b before a"]), ["a", "b"]);
    // Names that were looked up stay names.
    assert_eq!(elements("hash:ip", &["www.example.net"]), ["www.example.net"]);
}

#[test]
fn networks_with_exceptions_stay_apart() {
    let halves = ["10.0.0.0/25", "10.0.0.128/25"];
    assert_eq!(elements("hash:net", &halves), ["10.0.0.0/24"]);
    assert_eq!(
        elements("hash:net", &["10.0.0.0/25", "10.0.0.128/25", "10.0.0.7 nomatch"]),
        ["10.0.0.0/25", "10.0.0.128/25", "10.0.0.7 nomatch"]
    );
}

#[test]
fn what_is_there_for_a_time_is_told_from_what_stays() {
    let left = |seconds: u32| elements("hash:ip timeout 300", &[&format!("10.0.0.1 timeout {seconds}")]);
    assert_eq!(left(299), left(7));
    assert_eq!(left(0), ["10.0.0.1"]);
    assert_eq!(elements("hash:ip timeout 300", &["10.0.0.1"]), left(7));
    assert_eq!(
        elements("hash:net timeout 0", &["1.1.1.1 nomatch timeout 5"]),
        elements("hash:net timeout 0", &["1.1.1.1 timeout 4 nomatch"])
    );
    assert_ne!(left(7), left(0));
    let attributes = &sets("create s hash:ip timeout 300 maxelem 10\n")["s"].attributes;
    assert_eq!(attributes.iter().collect::<Vec<_>>(), ["maxelem 10", "timeout 300"]);
}

#[test]
fn the_end_is_what_counts() {
    let done =
        sets("create a hash:ip\nadd a 1.1.1.1\nadd a 1.1.1.3\ndel a 1.1.1.1\ncreate b hash:ip\nrename b c\nflush c\n");
    assert_eq!(done.keys().map(|name| &**name).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(done["a"].elements.iter().collect::<Vec<_>>(), ["1.1.1.3"]);
    assert!(sets("create a hash:ip\ndestroy\n").is_empty());
    assert_eq!(sets("create a hash:ip\nswap a a\n").len(), 1);
}

#[test]
fn what_cannot_be_read_is_listed() {
    assert_eq!(reasons("add a 1.1.1.1\n"), ["no line makes the set `a`"]);
    assert_eq!(reasons("Name: a\nType: hash:ip\n"), ["no line of `ipset save`", "no line of `ipset save`"]);
    assert_eq!(reasons("create a hash:ip\ncreate a hash:ip\n"), ["the set `a` is there already"]);
    assert_eq!(reasons("create a hash:ip timeout\n"), ["`timeout` has no value"]);
    assert_eq!(reasons("create a hash:ip\nadd a 1.1.1.1 comment \"x\n"), ["a quote is not closed"]);
    assert_eq!(reasons("create a hash:ip\nadd a 10.0."), ["the text ends within this line"]);
    assert_eq!(reasons("create a hash:ip\ndel a 1.1.1.1\n"), ["`1.1.1.1` is not in the set `a` by itself"]);
}

#[test]
fn ranges_beyond_measure_stay_as_written() {
    let text = "create a hash:ip,port,ip\n".to_owned()
        + &"add a 10.0.0.0/8,1-65535,::/0\nadd a 10.0.0.0/24,1-256,1.1.1.1\n".repeat(50);
    let elements = &sets(&text)["a"].elements;
    assert!(elements.contains("10.0.0.0/8,1-65535,::/0") && elements.len() == (1 << 16) + 2);
}

#[test]
fn another_word_is_another_set() {
    let text = "create a hash:net family inet\nadd a 10.0.0.0/8\nadd a 192.0.2.1\n";
    let meant = read(FileId(0), text);
    for word in ["create", "a", "hash:net", "inet", "add", "10.0.0.0/8", "192.0.2.1"] {
        assert_ne!(read(FileId(0), &text.replacen(word, &format!("{word}x"), 1)), meant, "{word}");
    }
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in any::<String>(), parts in proptest::collection::vec(part(), 0..30)) {
        for text in [text, parts.join(" "), format!("create s hash:ip,port,net\nadd s {}", parts.join(",")), parts.concat()] {
            let _ = read(FileId(0), &text);
        }
    }
}

fn part() -> impl Strategy<Value = String> {
    let known = [
        "\n",
        "create",
        "s",
        "add",
        "del",
        "swap",
        "hash:ip",
        "hash:net",
        "bitmap:port",
        "hash:ip,port,net",
        "list:set",
        "::/0",
        "0.0.0.0/0",
        "::-ffff::",
        "0-65535",
        "tcp:0-65535",
        "nomatch",
        "timeout",
        "1",
        "-exist",
        "\"",
        "netmask",
        "200",
        ",",
        "family",
        "inet6",
        "10.0.0.0-10.255.255.255",
        "ü",
        "rename",
        "destroy",
        "flush",
        "80",
        "icmp:ping",
        "-",
    ];
    prop_oneof![proptest::sample::select(known.map(str::to_owned).to_vec()), any::<String>()]
}
