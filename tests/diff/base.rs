//! `fwc diff --base` as people and scripts meet it: every format, and every repository that is not as it should be.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::repository::{Repository, quiet_git};

const SPEC: &str = "version: 1\ngroups:\n  web: [ { in: accept, proto: tcp, dport: 80 } ]\nhosts:\n  pm1:\n    addresses: 10.0.0.11/24\n    rules: [ group: web ]\n";

/// A repository with a small spec that was edited since: its group `web` accepts another port.
fn edited(path: &str) -> Repository {
    let repository = Repository::new();
    repository.put(path, SPEC);
    repository.commit("the spec");
    repository.edit(path, "dport: 80 ", "dport: [80, 443] ");
    repository
}

/// What the edit of `web` is told as.
fn tells_the_edit(said: &(i32, String, String)) {
    assert_eq!(said.0, 1, "{}{}", said.1, said.2);
    assert_eq!(said.2, "");
    assert!(said.1.contains("~ accept tcp 80 → accept tcp 80,443"), "{}", said.1);
}

/// A hosting company's spec with an edit of each kind that reviewers meet.
pub fn fleet() -> Repository {
    let repository = Repository::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fleet");
    for file in files(&example) {
        let text = fs::read_to_string(example.join(&file)).expect("a text");
        repository.put(&format!("fwc/{}", file.display()), &text);
    }
    repository.commit("the fleet");
    repository.edit("fwc/groups.yaml", "macro: HTTP/3 }", "proto: udp, dport: [443, 8443] }");
    repository.edit("fwc/datacenter.yaml", "203.0.113.0/26", "203.0.113.0/25");
    repository.edit("fwc/datacenter.yaml", "policy_out: accept\n", "policy_out: reject\n");
    repository
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(&current).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).expect("below it").to_owned());
            }
        }
    }
    found
}

/// Holds a text against the file of that name; `UPDATE_GOLDEN=1` writes it.
fn expect(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diff/expected").join(name);
    if crate::common::updating() {
        fs::write(&path, text).expect("an expectation");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "{name}: {}", crate::common::difference(&expected, text));
}

#[test]
fn every_format_is_as_it_was() {
    let repository = fleet();
    for (name, arguments) in [
        ("human.txt", &["diff", "--base", "HEAD"][..]),
        ("markdown.md", &["diff", "--base", "HEAD", "--format", "markdown"]),
        ("report.json", &["diff", "--base", "HEAD", "--format", "json"]),
    ] {
        let (status, text, errors) = repository.said(arguments);
        assert_eq!((status, errors.as_str()), (1, ""), "{name}");
        expect(name, &text);
    }
    // The files' lines come on top of all the rest.
    let repository = edited("fwc.yaml");
    expect("text.txt", &repository.said(&["diff", "--base", "HEAD", "--text"]).1);
    expect("text.md", &repository.said(&["diff", "--base", "HEAD", "--text", "--format", "markdown"]).1);
}

/// The first lines with something in them of the section about packets, joined where the page broke them.
fn on_the_wire(text: &str, head: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().skip_while(|line| *line != head).filter(|line| !line.is_empty()) {
        match lines.last_mut() {
            Some(last) if line.starts_with("        ") => last.push_str(&format!(" {}", line.trim_start())),
            Some(_) | None => lines.push(line.trim_start().to_owned()),
        }
    }
    lines.truncate(5);
    lines
}

#[test]
fn a_reviewer_of_a_group_reads_five_lines() {
    let said = |edit: (&str, &str)| {
        let repository = Repository::new();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fleet");
        for file in files(&example) {
            let text = fs::read_to_string(example.join(&file)).expect("a text");
            repository.put(&format!("fwc/{}", file.display()), &text);
        }
        repository.commit("the fleet");
        repository.edit("fwc/groups.yaml", edit.0, edit.1);
        let human = repository.said(&["diff", "--base", "HEAD"]).1;
        let markdown = repository.said(&["diff", "--base", "HEAD", "--format", "markdown"]).1;
        (on_the_wire(&human, "on the wire"), on_the_wire(&markdown, "**On the wire**"))
    };
    // What becomes accepted, from whom, to whom, of which service, by which rule of which group, on how many machines.
    let (human, markdown) = said((
        "      - { in: accept, macro: HTTP/3 }\n",
        "      - { in: accept, macro: HTTP/3 }\n      - { in: accept, macro: FTP, source: office }\n",
    ));
    assert_eq!(
        human,
        [
            "on the wire",
            "newly accepted",
            "+ office → zone/web, FTP (tcp 21), IPv4 — 7 guests on 3 hosts, guest-in",
            "by groups.webserver: accept FTP from office; before: noise (drop), policy (drop) (fwc/groups.yaml:24)",
            "such as tcp 203.0.113.1:49152 → 10.20.0.11:21",
        ]
    );
    assert_eq!(
        markdown,
        [
            "**On the wire**",
            "Newly accepted:",
            "| From | To | Service | Family | At | By | Such as |",
            "|---|---|---|---|---|---|---|",
            "| `office` | `zone/web` | `FTP (tcp 21)` | IPv4 | 7 guests on 3 hosts, `guest-in` | `groups.webserver: accept FTP from office; before: noise (drop), policy (drop)` `fwc/groups.yaml:24` | `tcp 203.0.113.1:49152 → 10.20.0.11:21` |",
        ]
    );
    // What is taken back, of both protocols of a macro.
    let (human, markdown) = said((
        "    - { in: accept, macro: DNS, source: [10.0.0.0/8, \"2001:db8:20::/44\"] }\n",
        "    - { in: accept, macro: Ping }\n",
    ));
    assert_eq!(
        human,
        [
            "on the wire",
            "no longer accepted",
            "- 2001:db8:20::/44 → ct/1101, ct/1102, DNS (tcp,udp 53), IPv6 — 2 guests on 2 hosts, guest-in",
            "by groups.resolver: accept DNS from 10.0.0.0/8, 2001:db8:20::/44; now: noise (drop), policy (drop) (HEAD:fwc/groups.yaml:39)",
            "such as tcp [2001:db8:20::1]:49152 → [2001:db8:20::31]:53",
        ]
    );
    assert_eq!(
        markdown.get(1..).unwrap_or_default(),
        [
            "No longer accepted:",
            "| From | To | Service | Family | At | By | Such as |",
            "|---|---|---|---|---|---|---|",
            "| `2001:db8:20::/44` | `ct/1101, ct/1102` | `DNS (tcp,udp 53)` | IPv6 | 2 guests on 2 hosts, `guest-in` | `groups.resolver: accept DNS from 10.0.0.0/8, 2001:db8:20::/44; now: noise (drop), policy (drop)` `HEAD:fwc/groups.yaml:39` | `tcp [2001:db8:20::1]:49152 → [2001:db8:20::31]:53` |",
        ]
    );
}

#[test]
fn the_exit_status_answers() {
    let repository = edited("fwc.yaml");
    let quiet = |base: &str| {
        let (status, text, errors) = repository.said(&["diff", "-q", "--base", base]);
        assert_eq!(text, "");
        (status, errors.is_empty())
    };
    assert_eq!(quiet("HEAD"), (1, true));
    assert_eq!(quiet("nowhere"), (2, false));
    repository.commit("the edit");
    assert_eq!(quiet("HEAD"), (0, true));
    assert_eq!(quiet("HEAD~1"), (1, true));
    let (status, text, _) = repository.said(&["diff", "--base", "HEAD"]);
    assert_eq!((status, text.as_str()), (0, "fwc.yaml against HEAD (COMMIT)\nno difference (1 host)\n"));
    let markdown = repository.said(&["diff", "--base", "HEAD", "--format", "markdown"]).1;
    assert!(markdown.starts_with("<!-- fwc diff -->\n### Firewall: no difference\n"), "{markdown}");
}

#[test]
fn whatever_git_takes_for_a_revision_is_one() {
    let repository = edited("fwc.yaml");
    repository.git(&["tag", "-a", "-m", "a release", "v1"]);
    repository.git(&["branch", "feature/odd@name"]);
    let whole = repository.git(&["rev-parse", "HEAD"]);
    let short = whole.get(..7).expect("a longer name");
    for revision in ["HEAD", "main", "v1", "feature/odd@name", "HEAD^{}", "main@{0}", &whole, short] {
        tells_the_edit(&repository.said(&["diff", "--base", revision]));
    }
}

#[test]
fn a_revision_that_is_none_is_named() {
    let repository = edited("fwc.yaml");
    repository.git(&["tag", "tree", "HEAD^{tree}"]);
    for revision in ["nowhere", "HEAD~7", "", "tree", "HEAD:fwc.yaml", "a b", "--all", "-q", "HEAD\nmain"] {
        let (status, text, errors) = repository.said(&["diff", &format!("--base={revision}")]);
        assert_eq!((status, text.as_str()), (2, ""), "{revision}");
        let shown = revision.replace('\n', " ");
        assert!(errors.contains("there is no revision") || errors.contains("a value is required"), "{shown}: {errors}");
    }
}

#[test]
fn without_git_or_a_repository_one_line_says_so() {
    let repository = edited("fwc.yaml");
    let mut command = repository.command("", &["diff", "--base", "HEAD"]);
    let (status, _, errors) = repository.told(&command.env("PATH", "/nowhere").output().expect("fwc runs"));
    assert_eq!(status, 2);
    assert!(errors.contains("cannot run `git`"), "{errors}");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("fwc.yaml"), SPEC).expect("a spec");
    let spec = folder.path().join("fwc.yaml").display().to_string();
    let (status, _, errors) = repository.said(&["diff", &spec, "--base", "HEAD"]);
    assert_eq!(status, 2);
    assert!(errors.contains("not a git repository") && errors.contains("--against"), "{errors}");
    // As in many a container of a pipeline: the files belong to somebody else.
    let mut command = repository.command("", &["diff", "--base", "HEAD"]);
    command.env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1");
    let (status, _, errors) = repository.told(&command.output().expect("fwc runs"));
    assert_eq!(status, 2);
    assert!(errors.contains("dubious ownership") && errors.contains("safe.directory ROOT`"), "{errors}");
    let empty = Repository::new();
    empty.put("fwc.yaml", SPEC);
    let (status, _, errors) = empty.said(&["diff", "--base", "HEAD"]);
    assert!(status == 2 && errors.contains("there is no revision `HEAD`"), "{errors}");
}

#[test]
fn what_does_not_compile_is_compared_as_text() {
    let repository = edited("net/fwc.yaml");
    repository.edit("net/fwc.yaml", "group: web", "group: wbe");
    let (status, text, errors) = repository.told(&repository.fwc_in("net", &["diff", "--base", "HEAD"]));
    assert_eq!(status, 2);
    assert!(errors.contains("unknown security group `wbe`"), "{errors}");
    assert!(text.contains("not compared: ") && text.contains("+    rules: [ group: wbe ]"), "{text}");
    assert!(text.contains("--- a/net/fwc.yaml\n+++ b/net/fwc.yaml"), "one file, not two: {text}");
    // The other way round: the revision is the broken one.
    repository.commit("broken");
    repository.edit("net/fwc.yaml", "group: wbe", "group: web");
    let (status, text, errors) = repository.said(&["diff", "net/fwc.yaml", "--base", "HEAD"]);
    assert_eq!(status, 2);
    assert!(errors.contains("HEAD:net/fwc.yaml:7") && text.contains("-    rules: [ group: wbe ]"), "{errors}{text}");
    let json = repository.said(&["diff", "net/fwc.yaml", "--base", "HEAD", "--format", "json"]).1;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["partial"], &json["notes"][0]["kind"]), (&true.into(), &"not-compared".into()));
}

#[test]
fn a_spec_that_was_moved_is_found() {
    // Another name for a file.
    let repository = edited("fwc.yaml");
    repository.git(&["mv", "fwc.yaml", "firewall.yaml"]);
    let said = repository.said(&["diff", "firewall.yaml", "--base", "HEAD"]);
    tells_the_edit(&said);
    assert!(said.1.contains("note: the spec was `fwc.yaml` in HEAD"), "{}", said.1);
    // A file that became a folder under the other default name.
    fs::create_dir(repository.at("fwc")).expect("a folder");
    repository.git(&["mv", "firewall.yaml", "fwc/all.yaml"]);
    tells_the_edit(&repository.said(&["diff", "--base", "HEAD"]));
    // A folder that went elsewhere, with more than one file in it.
    let repository = edited("old/place/a.yaml");
    repository.put("old/place/deep/b.yaml", "groups: { other: [ { in: drop } ] }\n");
    repository.put("unrelated.yaml", "some: [thing, else]\n");
    repository.commit("two files");
    repository.edit("old/place/a.yaml", "[80, 443]", "80");
    fs::create_dir(repository.at("new")).expect("a folder");
    repository.git(&["mv", "old/place", "new/home"]);
    let said = repository.said(&["diff", "new/home", "--base", "HEAD"]);
    assert!(said.0 == 1 && said.1.contains("~ accept tcp 80,443 → accept tcp 80"), "{said:?}");
    assert!(said.1.contains("`old/place` in HEAD") && !said.1.contains("groups.other"), "{}", said.1);
    // To the root of the repository.
    let repository = edited("fwc/fwc.yaml");
    repository.git(&["mv", "fwc/fwc.yaml", "."]);
    tells_the_edit(&repository.said(&["diff", ".", "--base", "HEAD"]));
    // Told where it was.
    let repository = edited("one.yaml");
    repository.put("two.yaml", &SPEC.replace("80", "81"));
    tells_the_edit(&repository.said(&["diff", "one.yaml", "--base", "HEAD", "--base-spec", "one.yaml"]));
    let missing = repository.said(&["diff", "two.yaml", "--base", "HEAD", "--base-spec", "gone.yaml"]);
    assert!(missing.0 == 2 && missing.2.contains("no spec at `gone.yaml`"), "{missing:?}");
    fs::write(repository.at("two.yaml"), "version: 1\nhosts: {}\n").expect("a file");
    let stranger = repository.said(&["diff", "two.yaml", "--base", "HEAD"]);
    assert!(stranger.0 == 2 && stranger.2.contains("nothing like it elsewhere"), "{stranger:?}");
    assert!(stranger.2.contains("--base-spec"), "{stranger:?}");
}

#[test]
fn it_may_be_run_from_anywhere() {
    let repository = edited("net/site a/fwc.yaml");
    tells_the_edit(&repository.told(&repository.fwc_in("net/site a", &["diff", "--base", "HEAD"])));
    tells_the_edit(&repository.told(&repository.fwc_in("net/site a", &["diff", ".", "--base", "HEAD"])));
    tells_the_edit(&repository.told(&repository.fwc_in("net", &["diff", "./site a/../site a", "--base", "HEAD"])));
    let whole = repository.at("net/site a/fwc.yaml").display().to_string();
    let mut outside = repository.command("", &["diff", &whole, "--base", "HEAD"]);
    tells_the_edit(&repository.told(&outside.current_dir("/").output().expect("fwc runs")));
    // In a hook git says where the repository is, from where the hook runs.
    let mut hook = repository.command("", &["diff", "net/site a", "--base", "HEAD"]);
    hook.env("GIT_DIR", ".git").env("GIT_INDEX_FILE", ".git/index").env("GIT_PREFIX", "net/");
    tells_the_edit(&repository.told(&hook.output().expect("fwc runs")));
}

#[test]
fn a_spec_from_standard_input_needs_to_be_told_what_it_was() {
    let repository = edited("fwc.yaml");
    let piped = |arguments: &[&str]| {
        let text = fs::File::open(repository.at("fwc.yaml")).expect("a file");
        repository.told(&repository.command("", arguments).stdin(text).output().expect("fwc runs"))
    };
    tells_the_edit(&piped(&["diff", "-", "--base", "HEAD", "--base-spec", "fwc.yaml"]));
    let (status, _, errors) = piped(&["diff", "-", "--base", "HEAD"]);
    assert!(status == 2 && errors.contains("--base-spec PATH"), "{errors}");
}

#[test]
fn any_name_of_a_file_will_do() {
    let names = [
        "a b.yaml",
        "it's.yaml",
        "a\"b.yaml",
        "käse/ö.yaml",
        "-dash.yaml",
        "[ab]*.yaml",
        ":(top)x.yaml",
        "plain.conf",
        "new\nline.yaml",
    ];
    for name in names {
        let repository = edited(name);
        repository.put("other.yaml", &SPEC.replace("80", "81"));
        tells_the_edit(&repository.said(&["diff", "--base", "HEAD", "--", name]));
    }
    for folder in ["-folder", "* [x]", "sub/ü ñ"] {
        let repository = edited(&format!("{folder}/deep/-.yaml"));
        tells_the_edit(&repository.said(&["diff", "--base", "HEAD", "--", folder]));
    }
}

#[test]
fn links_are_followed_and_submodules_are_named() {
    let repository = edited("shared/groups.yaml");
    fs::create_dir(repository.at("site")).expect("a folder");
    symlink("../shared/groups.yaml", repository.at("site/all.yaml")).expect("a link");
    symlink("site", repository.at("fwc")).expect("a link");
    symlink("../..", repository.at("shared/loop")).expect("a link");
    symlink("../README", repository.at("site/notes")).expect("a link");
    repository.edit("shared/groups.yaml", "[80, 443]", "80");
    repository.commit("links");
    repository.edit("shared/groups.yaml", "80", "[80, 443]");
    for spec in ["fwc", "site", "site/all.yaml"] {
        tells_the_edit(&repository.said(&["diff", spec, "--base", "HEAD"]));
    }
    // Links in a ring, and one that leads out.
    for (name, target) in [("a.yaml", "b.yaml"), ("b.yaml", "a.yaml"), ("out.yaml", "/etc/hostname")] {
        symlink(target, repository.at("site").join(name)).expect("a link");
    }
    repository.commit("a ring");
    for name in ["a.yaml", "b.yaml", "out.yaml"] {
        fs::remove_file(repository.at("site").join(name)).expect("a link");
    }
    let (status, text, errors) = repository.said(&["diff", "site", "--base", "HEAD"]);
    assert_eq!(status, 2, "{text}");
    assert!(errors.contains("`HEAD:site/out.yaml` is a link that leads to no file of the revision"), "{errors}");
    // A submodule: another repository's commit, of which nothing is here.
    let repository = edited("fwc/a.yaml");
    let commit = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},fwc/team.yaml")]);
    repository.git(&["commit", "-q", "-m", "a submodule"]);
    let (status, _, errors) = repository.said(&["diff", "fwc", "--base", "HEAD"]);
    assert!(status == 2 && errors.contains("`HEAD:fwc/team.yaml` is a submodule"), "{errors}");
}

#[test]
fn nothing_in_the_repository_is_touched() {
    let repository = edited("fwc.yaml");
    repository.put("untracked.yaml", "x: 1\n");
    let state =
        || (repository.git(&["status", "--porcelain"]), fs::read(repository.at(".git/index")).expect("an index"));
    let before = state();
    tells_the_edit(&repository.said(&["diff", "--base", "HEAD", "--text"]));
    assert_eq!(state(), before);
    // A linked working tree is as good as the first.
    let other = tempfile::tempdir().expect("a folder");
    let tree = other.path().join("tree");
    repository.git(&["worktree", "add", "-q", "--detach", &tree.display().to_string()]);
    fs::write(tree.join("fwc.yaml"), SPEC.replace("dport: 80 ", "dport: [80, 443] ")).expect("a spec");
    let mut there = repository.command("", &["diff", "--base", "HEAD"]);
    tells_the_edit(&repository.told(&there.current_dir(&tree).output().expect("fwc runs")));
    assert!(quiet_git(&tree).args(["status", "--porcelain"]).output().expect("git runs").status.success());
}
