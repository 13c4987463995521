//! Reports of any size with the nastiest words: still Markdown that both sites take, and shows what it should.

#![expect(clippy::wildcard_enum_match_arm, reason = "a reader of Markdown knows more events than matter here")]

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::diagnostic::Place;
use crate::diff::report::{
    At, Cause, Change, FileReport, HostReport, Kind, MachineReport, Note, NoteKind, Subject, WireRow,
};

use super::*;

/// Words that would do something if they were not escaped.
const NASTY: [&str; 30] = [
    "webserver",
    "vm/100",
    "`tick`",
    "```",
    "``````\n",
    "~~~",
    "a|b",
    "\\|",
    "\\",
    "`",
    "</details>",
    "</summary><details>",
    "<script>alert(1)</script>",
    "<!-- fwc diff -->",
    "@everyone",
    "#12 !7 $3",
    "\n\n# title",
    "\r\n- list",
    "[link](https://example.org)",
    "![picture](x)",
    "**bold**",
    "\t",
    "\u{202e}sdrow",
    "\u{2028}",
    "käse 日本語",
    "&lt;&#60;",
    "    indented",
    "",
    "--- a\n+++ b\n@@ -1 +1 @@\n-```\n+</details>",
    "| --- | --- |",
];

fn words() -> impl Strategy<Value = String> {
    let long = (0..NASTY.len(), 1..400_usize).prop_map(|(at, times)| NASTY[at].repeat(times));
    let some = prop::collection::vec(0..NASTY.len(), 0..4)
        .prop_map(|list| list.into_iter().map(|at| NASTY[at]).collect::<Vec<_>>().join(" "));
    prop_oneof![8 => some, 1 => long, 1 => any::<String>()]
}

fn place() -> impl Strategy<Value = Option<Place>> {
    prop::option::of((words(), any::<u32>()).prop_map(|(file, line)| Place { file, line }))
}

fn change() -> impl Strategy<Value = Change> {
    let kind = prop::sample::select(vec![Kind::Added, Kind::Removed, Kind::Moved, Kind::Altered]);
    let subject = prop::sample::select(vec![
        Subject::Machine,
        Subject::Definition,
        Subject::Rule,
        Subject::Stage,
        Subject::Option,
        Subject::Sysctl,
        Subject::Property,
    ]);
    let at = (words(), words(), prop::option::of(words())).prop_map(|(host, machine, hook)| At {
        host,
        machine,
        hook,
        output: Some("nft"),
    });
    let texts = (words(), prop::option::of(words()), prop::option::of(words()), prop::option::of(words()));
    (kind, subject, texts, place(), prop::collection::vec(at, 0..3)).prop_map(|(kind, subject, texts, place, at)| {
        let (name, old, new, detail) = texts;
        Change { kind, subject, name, zone: None, old, new, detail, place, old_place: None, at }
    })
}

fn row() -> impl Strategy<Value = WireRow> {
    let texts = (words(), words(), words(), words(), words());
    (texts, place(), prop::option::of(words())).prop_map(|((from, to, service, rule, other), place, packet)| WireRow {
        from,
        to,
        service,
        macro_name: None,
        families: vec!["IPv4", "IPv6"],
        rule,
        place,
        instead_of: vec![other],
        packet,
        at: Vec::new(),
    })
}

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(vec![Status::Added, Status::Removed, Status::Changed, Status::Unchanged])
}

fn report(size: usize) -> impl Strategy<Value = Report> {
    let cause = (words(), status(), place(), prop::collection::vec(change(), 0..size)).prop_map(
        |(path, status, place, changes)| Cause { path, status, place, old_place: None, changes, machines: 1, hosts: 1 },
    );
    let machine =
        (words(), status()).prop_map(|(machine, status)| MachineReport { machine, status, causes: vec![0, 1] });
    let host = (words(), status(), prop::collection::vec(machine, 0..size))
        .prop_map(|(host, status, machines)| HostReport { host, status, machines, unchanged: 3 });
    let kind =
        prop::sample::select(vec![NoteKind::NotCompared, NoteKind::Attention, NoteKind::Foreign, NoteKind::Info]);
    let note = (kind, prop::option::of(words()), words(), prop::option::of(words()), place())
        .prop_map(|(kind, host, message, help, place)| Note { kind, host, message, help, place });
    let file = (words(), status(), prop::collection::vec(words(), 0..size * 4))
        .prop_map(|(path, status, lines)| FileReport { path, status, diff: lines.join("\n") });
    let wire = prop::option::of(prop::collection::vec(row(), 0..size).prop_map(|rows| Wire {
        accepted: rows.clone(),
        refused: rows,
        ..Wire::default()
    }));
    (
        (words(), words(), wire),
        prop::collection::vec(host, 0..size),
        prop::collection::vec(cause, 0..size),
        prop::collection::vec(note, 0..size),
        prop::collection::vec(file, 0..size),
    )
        .prop_map(|((old, new, wire), hosts, causes, notes, files)| Report {
            old,
            new,
            hosts,
            causes,
            wire,
            notes,
            files,
        })
}

/// What is wrong with a comment, by a reader of Markdown that is not ours.
fn wrong(text: &str) -> Option<String> {
    if text.len() >= LIMIT || !text.starts_with(MARKER) {
        return Some(format!("{} bytes", text.len()));
    }
    let mut open = 0_i32;
    let mut code = 0;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => {
                for tag in html.split_inclusive('>').map(str::trim).filter(|tag| !tag.is_empty()) {
                    // Words stand before the tag.
                    let tag = tag.find('<').and_then(|at| tag.get(at..)).unwrap_or_default();
                    open += i32::from(tag == "<details>") - i32::from(tag == "</details>");
                    if !["", "<details>", "</details>", "<summary>", "</summary>", "<code>", "</code>", MARKER]
                        .contains(&tag)
                    {
                        return Some(format!("HTML {tag:?}"));
                    }
                }
            }
            Event::Start(Tag::CodeBlock(_)) => code += 1,
            Event::End(TagEnd::CodeBlock) => code -= 1,
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::Emphasis | Tag::BlockQuote(_)) => {
                return Some(format!("{event:?}"));
            }
            Event::Text(words) if code == 0 && words.contains("@e") => return Some(format!("a mention in {words:?}")),
            _ => {}
        }
        if open < 0 {
            return Some("a fold is closed twice".to_owned());
        }
    }
    (open != 0).then(|| format!("{open} folds stay open"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_small_report_is_sound(report in report(4)) {
        let text = render(&report, "fwc diff --base 'a|`b'");
        prop_assert_eq!(wrong(&text), None, "{}", text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_large_report_is_sound(report in report(40)) {
        let text = render(&report, "fwc diff --base main");
        prop_assert_eq!(wrong(&text), None, "{}", text);
        prop_assert!(report.causes.is_empty() || text.contains("<details>"));
    }

    /// What a table's cell and a fence show is the word itself.
    #[test]
    fn words_are_shown_as_they_are(path in words()) {
        let cause = Cause {
            path: path.clone(),
            status: Status::Changed,
            place: None,
            old_place: None,
            changes: Vec::new(),
            machines: 0,
            hosts: 0,
        };
        let report = Report { causes: vec![cause], ..Report::default() };
        let text = render(&report, "fwc");
        let mut cells = vec![String::new()];
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::End(TagEnd::TableCell) => cells.push(String::new()),
                Event::Text(words) | Event::Code(words) => cells.last_mut().unwrap().push_str(&words),
                _ => {}
            }
        }
        let shown = line(&path);
        prop_assert_eq!(&cells[4], &format!("{} changed", shown), "{}", text);
        prop_assert_eq!(cells.len(), 9);
    }
}

#[test]
fn what_does_not_fit_is_counted() {
    let change = |at: usize| Change {
        kind: Kind::Added,
        subject: Subject::Rule,
        name: String::new(),
        zone: None,
        old: None,
        new: Some(format!("accept tcp {at}")),
        detail: None,
        place: None,
        old_place: None,
        at: vec![At { host: "pm1".into(), machine: format!("vm/{at}"), hook: Some("guest-in".into()), output: None }],
    };
    let cause = |at: usize| Cause {
        path: format!("groups.g{at}"),
        status: Status::Changed,
        place: None,
        old_place: None,
        changes: (0..100).map(change).collect(),
        machines: 100,
        hosts: 1,
    };
    let report = Report { causes: (0..200).map(cause).collect(), ..Report::default() };
    let text = render(&report, "fwc diff --base main --format json");
    assert_eq!(wrong(&text), None);
    assert!(text.len() > LIMIT - 9_000, "{} bytes: room is left", text.len());
    let closing = text.lines().last().unwrap_or_default();
    assert!(closing.starts_with("Left out for length: "), "{closing}");
    assert!(closing.ends_with("All of it: `fwc diff --base main --format json`"), "{closing}");
    // Every change is shown or counted.
    let shown = text.lines().filter(|line| line.starts_with("+ accept")).count();
    let counted = closing.split(", ").find_map(|part| part.split_once(" changes")?.0.split(' ').next_back());
    assert_eq!(shown + counted.and_then(|count| count.parse::<usize>().ok()).unwrap_or_default(), 20_000, "{closing}");
    assert!(text.contains("<code>groups.g0</code>"), "the first is the most important");
}
