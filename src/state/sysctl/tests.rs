use proptest::prelude::*;

use crate::diagnostic::{FileId, SourceMap};
use crate::net::sysctl_twin;

use super::*;

const OWN: &str = "etc/sysctl.d/zz-fwc.conf";

fn tree<'t>(files: &[(&str, &'t str)]) -> Tree<'t> {
    let mut tree = Tree::new();
    for (path, text) in files {
        let node = match text.strip_prefix("-> ") {
            Some(target) => Node::Link(target.to_owned()),
            None => Node::Text(FileId(0), text),
        };
        tree.put(path, node);
    }
    tree
}

fn paths(files: &[(&str, &str)], program: Program) -> Vec<String> {
    Model::of(&tree(files), program).files.into_iter().map(|file| file.path).collect()
}

/// `value path:line`, or `-` where nothing is set.
fn set(files: &[(&str, &str)], key: &str) -> [String; 2] {
    let tree = tree(files);
    Program::ALL.map(|program| {
        let model = Model::of(&tree, program);
        let outcome = model.outcome(key);
        let place = outcome.winner.map_or(String::new(), |line| format!(" {}", line.place));
        format!("{}{place}", outcome.value().unwrap_or("-"))
    })
}

#[test]
fn a_file_is_read_line_by_line() {
    let text = "# x\n; y\n\n net/ipv4/conf/eth0.1/rp_filter =\t1 2 \r\n-net.ipv4.conf.*.tag=7\n-a.b\n- c.d = 1\nhello\n = 3\n-\nk=a\0b\nx=\nsysctl -w a=1\n";
    let file = read(FileId(0), text);
    let lines: Vec<_> = file
        .lines
        .iter()
        .map(|line| (line.number, line.key.as_str(), line.value.map(|value| value.value), line.ignore_failure))
        .collect();
    assert_eq!(
        lines,
        [
            (4, "net.ipv4.conf.eth0/1.rp_filter", Some("1 2"), false),
            (5, "net.ipv4.conf.*.tag", Some("7"), true),
            (6, "a.b", None, false),
            (7, "c.d", Some("1"), true),
            (12, "x", Some(""), false),
        ]
    );
    assert_eq!(file.lines.iter().filter(|line| !line.procps_takes_it).map(|line| line.number).collect::<Vec<_>>(), [7]);
    assert!(file.lines[1].is_pattern && !file.lines[0].is_pattern);
    let mut sources = SourceMap::default();
    sources.add("x.conf", text);
    let unread: Vec<_> = file.unread.iter().map(|line| sources.slice(line.span)).collect();
    assert_eq!(unread, ["hello", "= 3", "-", "k=a\0b", "sysctl -w a=1"]);
}

/// Only procps takes form feeds and vertical tabs for blanks, and neither program takes a blank of another script for one.
#[test]
fn a_blank_is_one_to_both_programs() {
    let text = "\u{a0}a=1\nb\u{2003}=1\n-\u{a0}c=1\n\u{b}d=1\n-\u{c}e=1\nf=1\u{b}\n\r\tg\t=\t1 \r\r\nh=1\u{a0}\n";
    let file = read(FileId(0), text);
    let lines: Vec<_> =
        file.lines.iter().map(|line| (line.key.as_str(), line.value.map(|value| value.value))).collect();
    assert_eq!(lines, [("g", Some("1")), ("h", Some("1\u{a0}"))]);
    assert_eq!(file.unread.len(), 6);
    assert_ne!(normal("1\u{a0}"), normal("1"));
}

/// The folders of a Proxmox VE node, as `sysctl --system` and `systemd-sysctl` of Debian 12 name them when they run.
#[test]
fn files_are_read_by_name_whatever_their_folder() {
    let files = [
        ("etc/sysctl.conf", "a = 1"),
        ("etc/sysctl.d/99-sysctl.conf", "-> ../sysctl.conf"),
        ("etc/sysctl.d/pve.conf", ""),
        ("etc/sysctl.d/README.sysctl", "a = 2"),
        ("etc/sysctl.d/.hidden.conf", "a = 3"),
        ("lib/sysctl.d/protect-links.conf", ""),
        ("usr/lib/sysctl.d/pve-firewall.conf", ""),
        ("usr/lib/sysctl.d/50-pid-max.conf", ""),
        ("usr/lib/sysctl.d/10-pve-ct-inotify-limits.conf", ""),
        (OWN, "a = 4"),
    ];
    let systemd = [
        "usr/lib/sysctl.d/10-pve-ct-inotify-limits.conf",
        "usr/lib/sysctl.d/50-pid-max.conf",
        "etc/sysctl.d/99-sysctl.conf",
        "usr/lib/sysctl.d/protect-links.conf",
        "usr/lib/sysctl.d/pve-firewall.conf",
        "etc/sysctl.d/pve.conf",
        "etc/sysctl.d/zz-fwc.conf",
    ];
    assert_eq!(paths(&files, Program::Systemd), systemd);
    let procps = paths(&files, Program::Procps);
    assert_eq!(procps.first().map(String::as_str), Some("etc/sysctl.d/.hidden.conf"));
    assert_eq!(procps.last().map(String::as_str), Some("etc/sysctl.conf"));
    assert_eq!(procps[1..8], systemd);
    assert_eq!(set(&files, "a"), ["1 /etc/sysctl.conf:1", "4 /etc/sysctl.d/zz-fwc.conf:1"]);
}

#[test]
fn a_file_hides_those_of_its_name_in_later_folders() {
    let mut tree = tree(&[
        ("etc/sysctl.d/a.conf", "k = etc"),
        ("run/sysctl.d/a.conf", "k = run"),
        ("usr/local/lib/sysctl.d/b.conf", "k = local"),
        ("usr/lib/sysctl.d/b.conf", "k = lib"),
        ("lib/sysctl.d/b.conf", "k = other name of lib"),
        ("etc/sysctl.d/null.conf", "-> /dev/null"),
        ("usr/lib/sysctl.d/null.conf", "k = hidden"),
        ("etc/sysctl.d/nowhere.conf", "-> gone"),
        ("usr/lib/sysctl.d/nowhere.conf", "k = hidden"),
        ("usr/lib/sysctl.d/folder.conf", "k = hidden"),
    ]);
    tree.put("etc/sysctl.d/folder.conf", Node::Unreadable("it is a folder".to_owned()));
    for program in Program::ALL {
        let model = Model::of(&tree, program);
        let masked: Vec<_> = model.masked.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(
            masked,
            [
                "run/sysctl.d/a.conf",
                "usr/lib/sysctl.d/b.conf",
                "usr/lib/sysctl.d/folder.conf",
                "usr/lib/sysctl.d/nowhere.conf",
                "usr/lib/sysctl.d/null.conf",
            ]
        );
        assert_eq!(model.outcome("k").value(), Some("local"));
        assert_eq!(model.files.iter().filter(|file| file.unreadable.is_some()).count(), 1);
    }
}

#[test]
fn links_stay_below_the_root() {
    let tree = tree(&[
        ("etc/sysctl.d/a.conf", "-> ../../../opt/./x.conf"),
        ("opt", "-> /srv"),
        ("srv/x.conf", "k = 1"),
        ("etc/sysctl.d/loop.conf", "-> loop.conf"),
        ("etc/sysctl.d/lib.conf", "-> /lib/sysctl.d/y"),
        ("usr/lib/sysctl.d/y", "k = 2"),
    ]);
    assert_eq!(tree.resolve("etc/sysctl.d/a.conf"), Some(Resolved::Text("srv/x.conf", FileId(0), "k = 1")));
    assert_eq!(tree.resolve("etc/sysctl.d/loop.conf"), Some(Resolved::Nothing));
    assert_eq!(tree.resolve("etc/sysctl.d/lib.conf"), Some(Resolved::Text("usr/lib/sysctl.d/y", FileId(0), "k = 2")));
    assert_eq!(tree.resolve("etc/none"), None);
    let model = Model::of(&tree, Program::Systemd);
    let winner = model.outcome("k").winner.map(|line| (line.place.to_string(), line.place.leads_to.clone()));
    assert_eq!(winner, Some(("/etc/sysctl.d/lib.conf:1".to_owned(), Some("usr/lib/sysctl.d/y".to_owned()))));
}

/// What each program set of these when it ran: both columns were read from `/proc/sys` afterwards.
#[test]
fn both_programs_settle_lines_as_they_do() {
    for (first, second, key, procps, systemd) in [
        ("k = 1", "k = 2", "k", "2", "2"),
        ("a.b.x = 3", "a.*.x = 4", "a.b.x", "3", "3"),
        ("a.b.x = 3", "a.*.x = 4", "a.c.x", "4", "4"),
        ("a.*.x = 4", "a.b*.x = 5", "a.b.x", "5", "5"),
        ("a.b*.x = 5", "a.*.x = 4", "a.b.x", "4", "4"),
        ("a.*.x = 1", "-a.b.x", "a.b.x", "-", "-"),
        ("-a.b.x", "a.*.x = 1", "a.b.x", "-", "-"),
        ("a.b.x = 1", "-a.b.x", "a.b.x", "1", "-"),
        ("-a.b.x", "a.b.x = 1", "a.b.x", "1", "1"),
        ("a.*.x = 1", "-a.*.x", "a.b.x", "1", "-"),
        ("a.*.x = 1", "-a.b*.x", "a.b.x", "1", "1"),
        ("a.b.x = 1", "- a.b.x = 2", "a.b.x", "1", "2"),
        ("a.b.x = 1", "-\ta.*.x = 2\n-\ta.b.x", "a.b.x", "1", "-"),
        ("a.*.x = 1", "- a.b.x", "a.b.x", "1", "-"),
        ("a.*.x = 1", "- a.b.x = 2", "a.b.x", "1", "2"),
        ("a.*.x = 1", "- a.b*.x = 2", "a.b.x", "1", "2"),
        ("net.nf_conntrack_max = 1", "net.netfilter.nf_conntrack_max = 2", "net.nf_conntrack_max", "2", "2"),
        ("net.ipv4.ip_forward = 1", "net.ipv4.conf.all.forwarding = 0", "net.ipv4.ip_forward", "0", "0"),
        // The key keeps its place in systemd's table, and procps writes it again.
        (
            "net.ipv4.ip_forward = 1\nnet.ipv4.conf.all.forwarding = 0",
            "net.ipv4.ip_forward = 1",
            "net.ipv4.ip_forward",
            "1",
            "0",
        ),
    ] {
        let files = [("etc/sysctl.d/1.conf", first), ("etc/sysctl.d/2.conf", second)];
        let found = set(&files, key).map(|text| text.split(' ').next().unwrap_or_default().to_owned());
        assert_eq!(found, [procps, systemd], "{first} / {second}");
    }
}

#[test]
fn every_loser_is_named_in_order() {
    let files = tree(&[
        ("etc/sysctl.d/1.conf", "a.b = 1\na.b = 2"),
        ("etc/sysctl.d/2.conf", "a.* = 3\n-a.b"),
        (OWN, "a.b = 4"),
    ]);
    let model = Model::of(&files, Program::Procps);
    let outcome = model.outcome("a.b");
    assert_eq!(outcome.value(), Some("4"));
    let losers: Vec<_> = outcome.losers.iter().map(|line| line.place.to_string()).collect();
    assert_eq!(
        losers,
        ["/etc/sysctl.d/1.conf:1", "/etc/sysctl.d/1.conf:2", "/etc/sysctl.d/2.conf:1", "/etc/sysctl.d/2.conf:2"]
    );
    assert_eq!(model.keys().collect::<Vec<_>>(), ["a.b"]);
    assert_eq!(model.patterns().collect::<Vec<_>>(), ["a.*"]);
}

#[test]
fn losses_name_the_program_and_the_winner() {
    let files = tree(&[
        (OWN, "k.a = 1\nk.b = 1 2\nk.c = 1\nk.d = 1\nk.e = 1\nnet.netfilter.nf_conntrack_max = 5\n"),
        ("etc/sysctl.conf", "k.a = 0\nk.b = 1\t2\n"),
        ("usr/lib/sysctl.d/zzz.conf", "k.c = 0\n-k.d\nk.* = 9\nnet.nf_conntrack_max = 6\n"),
    ]);
    let survey = Survey::of(&files, Some(OWN));
    let losses: Vec<String> = survey
        .losses()
        .map(|loss| {
            let value = loss.winner.value.as_deref().unwrap_or("-");
            format!("{} {} -> {value} {} ({})", loss.key, loss.own.place, loss.winner.place, loss.program.name())
        })
        .collect();
    insta::assert_snapshot!(losses.join("\n"), @r"
    k.a /etc/sysctl.d/zz-fwc.conf:1 -> 0 /etc/sysctl.conf:1 (sysctl --system)
    k.c /etc/sysctl.d/zz-fwc.conf:3 -> 0 /usr/lib/sysctl.d/zzz.conf:1 (sysctl --system)
    k.c /etc/sysctl.d/zz-fwc.conf:3 -> 0 /usr/lib/sysctl.d/zzz.conf:1 (systemd-sysctl)
    k.d /etc/sysctl.d/zz-fwc.conf:4 -> - /usr/lib/sysctl.d/zzz.conf:2 (systemd-sysctl)
    net.netfilter.nf_conntrack_max /etc/sysctl.d/zz-fwc.conf:6 -> 6 /usr/lib/sysctl.d/zzz.conf:4 (sysctl --system)
    net.netfilter.nf_conntrack_max /etc/sysctl.d/zz-fwc.conf:6 -> 6 /usr/lib/sysctl.d/zzz.conf:4 (systemd-sysctl)
    ");
    assert!(survey.standing("k.a").programs_differ() && !survey.standing("k.c").programs_differ());
    assert_eq!(Survey::of(&files, None).losses().count(), 0);
}

#[test]
fn running_values_compare_without_regard_to_blanks() {
    let text = "net.ipv4.tcp_rmem = 4096\t131072\t6291456\nnet.ipv4.conf.eth0/1.rp_filter = 1\n\
                sysctl: permission denied on key 'fs.protected_fifos'\n\
                sysctl: reading key \"net.ipv6.conf.all.stable_secret\": Input/output error\n\
                sysctl: what is this\ndev.cdrom.info = CD-ROM\ndev.cdrom.info = drive\nnonsense\nkernel.cut = 12";
    let running = read_running(FileId(0), text);
    let wanted = [
        ("net.ipv4.tcp_rmem", "4096 131072 6291456"),
        ("net.ipv4.conf.eth0/1.rp_filter", "2"),
        ("fs.protected_fifos", "1"),
        ("net.ipv6.conf.all.stable_secret", "1"),
        ("dev.cdrom.info", "CD-ROM drive"),
        ("kernel.cut", "12"),
        ("kernel.gone", "1"),
    ];
    let found: Vec<_> = running.differences(wanted).collect();
    let unknown = |reason: &str| Difference::Unknown(reason.to_owned());
    assert_eq!(
        found,
        [
            ("net.ipv4.conf.eth0/1.rp_filter", Difference::Value("1".to_owned())),
            ("fs.protected_fifos", unknown("permission denied")),
            ("net.ipv6.conf.all.stable_secret", unknown("input/output error")),
            ("kernel.cut", unknown("the text is cut off here")),
            ("kernel.gone", unknown("the listing is cut off")),
        ]
    );
    assert_eq!(running.unread.len(), 2);
    let whole = read_running(FileId(0), "net.nf_conntrack_max = 5\n");
    assert_eq!(whole.difference("net.netfilter.nf_conntrack_max", "5"), None);
    assert_eq!(whole.difference("net.bridge.bridge-nf-call-iptables", "1"), Some(Difference::Absent));
}

/// With a blank behind the dash the name that procps looks for begins with that blank: it sets nothing, and keeps no
/// pattern away.
#[test]
fn a_blank_behind_the_dash_is_for_systemd_alone() {
    for blank in [" ", "\t", " \t"] {
        let text = format!("-{blank}a=");
        let tree = tree(&[("etc/sysctl.d/a.conf", &text), (OWN, "")]);
        let survey = Survey::of(&tree, Some(OWN));
        let standings: Vec<_> = survey.standings().collect();
        let [standing] = standings.as_slice() else { panic!("{text:?} is about one key: {standings:?}") };
        assert_eq!((standing.key.as_str(), standing.own), ("a", None));
        assert_eq!(standing.procps, Outcome::default(), "{text:?}");
        assert_eq!(standing.systemd.value(), Some(""), "{text:?}");
        assert!(standing.systemd.losers.is_empty() && standing.programs_differ());
    }
}

/// Text of which lines are made now and then.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n".to_owned()),
        Just("=".to_owned()),
        Just("-".to_owned()),
        Just("net.a.b".to_owned()),
        Just("net/a/*".to_owned()),
        Just("sysctl: permission denied on key '".to_owned()),
        "[\\[\\]!^*?.\\-a-c/\\\\]{1,6}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_a_reader_fail(first in pieces(), second in pieces()) {
        let tree = tree(&[("etc/sysctl.d/a.conf", &first), (OWN, &second)]);
        let survey = Survey::of(&tree, Some(OWN));
        let mut sources = SourceMap::default();
        let id = sources.add("x", first.as_str());
        for line in read(id, &first).lines {
            prop_assert!(!line.key.is_empty());
            prop_assert_eq!(sources.line_column(line.span).0, line.number);
        }
        for standing in survey.standings() {
            let names = [Some(standing.key.as_str()), sysctl_twin(&standing.key)];
            let files = [&first, &second].map(|text| read(id, text));
            let lines = || files.iter().flat_map(|file| &file.lines).filter(|line| names.contains(&Some(&line.key)));
            for program in Program::ALL {
                let outcome = standing.outcome(program);
                // The last word is somebody's where the program takes any line about the key, and is counted once.
                let takes = |line: &Line| program == Program::Systemd || line.procps_takes_it;
                prop_assert!(outcome.winner.is_some_and(|it| it.is_pattern) || outcome.winner.is_some() == lines().any(takes));
                prop_assert!(outcome.winner.is_none_or(|winner| !outcome.losers.contains(&winner)));
                let about = outcome.losers.iter().chain(&outcome.winner).filter(|line| !line.is_pattern);
                prop_assert_eq!(about.count(), lines().filter(|line| takes(line)).count());
            }
            prop_assert!(standing.systemd.winner.is_some(), "it takes every line that procps takes");
        }
        let running = read_running(id, &first);
        prop_assert!(running.values.keys().all(|key| running.difference(key, "1").is_none_or(|it| it != Difference::Absent)));
    }

    #[test]
    fn the_only_line_about_a_key_wins(key in "[a-z]{1,4}(\\.[a-z0-9]{1,4}){1,3}", value in "[a-z0-9]{1,5}") {
        let text = format!("{key} = {value}\n");
        let tree = tree(&[("usr/lib/sysctl.d/a.conf", &text)]);
        for program in Program::ALL {
            let model = Model::of(&tree, program);
            prop_assert_eq!(model.outcome(&key).value(), Some(value.as_str()));
        }
        let found = read_running(FileId(0), &text);
        prop_assert_eq!(found.difference(&key, &value), None);
    }
}
