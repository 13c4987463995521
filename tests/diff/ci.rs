//! The pipelines of `docs/ci.md`, their shell steps run for real; the services are stubs that write down what they were told.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::repository::{IDENTITY, Repository};
use crate::tree::Node;

const SPEC: &str = "version: 1\nhosts:\n  pm1:\n    addresses: 10.0.0.11/24\n    rules: [ { in: accept, macro: SSH, source: 203.0.113.0/24 } ]\ntests:\n  - { name: ssh, from: outside, source: 203.0.113.0/24, to: host/pm1, proto: tcp, dport: 22, expect: accept }\n";

/// The YAML block whose first line names this file.
fn block(file: &str) -> Node {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md");
    let text = fs::read_to_string(path).expect("the page");
    let start = format!("```yaml\n# {file}\n");
    let (_, rest) = text.split_once(&start).unwrap_or_else(|| panic!("no block for {file}"));
    let (yaml, _) = rest.split_once("\n```").expect("the block ends");
    Node::parse(&format!("{yaml}\n")).expect("YAML")
}

fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    match node {
        Node::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
        Node::List(_) | Node::Word(_) => None,
    }
}

fn word(node: &Node) -> &str {
    let Node::Word(word) = node else { panic!("not a word: {node:?}") };
    word
}

fn list(node: &Node) -> &[Node] {
    let Node::List(items) = node else { panic!("not a list: {node:?}") };
    items
}

/// A clone with a branch in which the spec was edited, and the stubs.
struct Lab {
    _origin: Repository,
    clone: PathBuf,
    folder: tempfile::TempDir,
    base: String,
}

/// The API of GitHub, as far as the steps use it: comments are listed from a file, and what is sent is kept.
const GH: &str = r#"#!/bin/bash
set -eu
[ "${GH_TOKEN:-}" = secret ] || { echo "no token" >&2; exit 4; }
printf '%s\n' "$*" >> "$LAB/calls"
method=GET filter=.
while [ $# -gt 0 ]; do
    case $1 in
        --method) method=$2; shift ;;
        --jq) filter=$2; shift ;;
        --field) [ "${2%%=*}" = body ] && file=${2#body=@}; shift ;;
    esac
    shift
done
if [ "$method" = GET ]; then jq -r "$filter" < "$LAB/comments.json"; else cp "$file" "$LAB/sent"; fi
"#;

/// The API of GitLab likewise.
const CURL: &str = r#"#!/bin/bash
set -eu
printf '%s\n' "$*" >> "$LAB/calls"
method=GET
while [ $# -gt 0 ]; do
    case $1 in
        --header) [ "$2" = "PRIVATE-TOKEN: secret" ] || { echo "no token" >&2; exit 22; }; shift ;;
        --request) method=$2; shift ;;
        --output) shift ;;
        --data-urlencode) [ "${2%%@*}" = body ] && file=${2#body@}; shift ;;
        http*) url=$1 ;;
    esac
    shift
done
case $method,$url in
    GET,*/user) echo '{"id": 5}' ;;
    GET,*page=1) cat "$LAB/comments.json" ;;
    GET,*) echo '[]' ;;
    *) cp "$file" "$LAB/sent" ;;
esac
"#;

impl Lab {
    fn new() -> Self {
        let origin = Repository::new();
        origin.put("fwc.yaml", SPEC);
        origin.commit("the spec");
        let base = origin.git(&["rev-parse", "HEAD"]);
        let folder = tempfile::tempdir().expect("a folder");
        let clone = folder.path().join("clone");
        origin.git(&["clone", "-q", &origin.at("").display().to_string(), &clone.display().to_string()]);
        // Somebody else merged something meanwhile: it must not be shown as undone.
        origin.put("fwc.yaml", &SPEC.replace("macro: SSH", "macro: SSH, log: info"));
        origin.commit("somebody else's");
        for (name, text) in [("gh", GH), ("curl", CURL)] {
            let path = folder.path().join("bin").join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, text).expect("a stub");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        }
        let lab = Self { _origin: origin, clone, folder, base };
        lab.put("comments.json", "[]");
        lab.run("git fetch -q origin", &BTreeMap::new());
        lab.propose(&SPEC.replace("0/24 } ]", "0/24 }, { in: accept, macro: HTTPS } ]"));
        lab
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("a file");
    }

    /// What a stub wrote down; it is forgotten.
    fn take(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        text
    }

    fn propose(&self, spec: &str) {
        fs::write(self.clone.join("fwc.yaml"), spec).expect("the spec");
        self.run("git add -A; git commit -qm change", &BTreeMap::new());
    }

    /// Runs a step as both services do: `bash -e -o pipefail`. Its status, and all it said.
    fn run(&self, script: &str, variables: &BTreeMap<String, String>) -> (i32, String) {
        let program = Path::new(env!("CARGO_BIN_EXE_fwc")).parent().expect("a folder").display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .current_dir(&self.clone)
            .envs(IDENTITY)
            .envs(variables)
            .env("PATH", format!("{}/bin:{program}:{path}", self.folder.path().display()))
            .env("LAB", self.folder.path());
        let output = command.output().expect("bash runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
    }

    /// What the comment must be.
    fn markdown(&self) -> String {
        let command = format!("fwc diff --base {} --format markdown || true", self.base);
        self.run(&command, &BTreeMap::new()).1
    }
}

/// The steps of the workflow with a `run`, by name, with their variables filled in.
fn steps(lab: &Lab) -> Vec<(String, String, BTreeMap<String, String>)> {
    let workflow = block(".github/workflows/firewall.yaml");
    let job = get(get(&workflow, "jobs").expect("jobs"), "firewall").expect("the job");
    let shell = get(get(get(&workflow, "defaults").expect("defaults"), "run").expect("run"), "shell");
    assert_eq!(shell.map(word), Some("bash"), "the steps need pipefail");
    let mut found = Vec::new();
    for step in list(get(job, "steps").expect("steps")) {
        let Some(script) = get(step, "run") else {
            assert_eq!(word(get(get(step, "with").expect("with"), "fetch-depth").expect("a depth")), "0");
            continue;
        };
        assert!(!word(script).contains("${{"), "what a stranger may name goes through the environment");
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        if let Some(Node::Map(entries)) = get(step, "env") {
            for (name, value) in entries {
                let value = word(value)
                    .replace("${{ github.base_ref }}", "main")
                    .replace("${{ github.token }}", "secret")
                    .replace("${{ github.event.pull_request.number }}", "7");
                assert!(!value.contains("${{"), "{value}");
                variables.insert(name.clone(), value);
            }
        }
        variables.insert("GITHUB_REPOSITORY".into(), "team/network".into());
        let summary = lab.folder.path().join("summary").display().to_string();
        variables.insert("GITHUB_STEP_SUMMARY".into(), summary);
        found.push((word(get(step, "name").expect("a name")).to_owned(), word(script).to_owned(), variables));
    }
    found
}

/// Runs all steps; each one's status.
fn github(lab: &Lab) -> Vec<(String, i32, String)> {
    let run = |(name, script, variables): (String, String, BTreeMap<String, String>)| {
        let (status, said) = lab.run(&script, &variables);
        (name, status, said)
    };
    steps(lab).into_iter().map(run).collect()
}

fn statuses(ran: &[(String, i32, String)]) -> Vec<(&str, i32)> {
    ran.iter().map(|(name, status, _)| (name.as_str(), *status)).collect()
}

#[test]
fn github_gets_one_comment_that_later_runs_replace() {
    let lab = Lab::new();
    let all_well = [("check", 0), ("test", 0), ("compare", 0), ("comment", 0)];
    let ran = github(&lab);
    assert_eq!(statuses(&ran), all_well, "{ran:?}");
    let sent = lab.take("sent");
    assert_eq!(sent, lab.markdown());
    assert!(sent.starts_with("<!-- fwc diff -->\n") && sent.contains("+ accept HTTPS"), "{sent}");
    assert!(!sent.contains("log info"), "what others merged is not part of it: {sent}");
    assert_eq!(lab.take("summary"), sent);
    let calls = lab.take("calls");
    assert!(calls.contains("--method POST repos/team/network/issues/7/comments --field body=@fwc-diff.md"), "{calls}");
    // A person quoted it, and the bot wrote it: the bot's is the one.
    lab.put(
        "comments.json",
        r#"[{"id": 9, "user": {"type": "User"}, "body": "<!-- fwc diff -->\n"},
            {"id": 10, "user": {"type": "Bot"}, "body": "hello"},
            {"id": 11, "user": {"type": "Bot"}, "body": "<!-- fwc diff -->\nold"}]"#,
    );
    lab.propose(SPEC);
    let ran = github(&lab);
    assert_eq!(statuses(&ran), all_well, "{ran:?}");
    assert!(lab.take("sent").contains("no difference"));
    let calls = lab.take("calls");
    assert!(calls.contains("--method PATCH repos/team/network/issues/comments/11 "), "{calls}");
}

#[test]
fn github_fails_where_it_cannot_be_compared() {
    let lab = Lab::new();
    lab.propose(&SPEC.replace("macro: SSH", "macro: SHH"));
    let ran = github(&lab);
    assert_eq!(statuses(&ran), [("check", 2), ("test", 2), ("compare", 2), ("comment", 0)], "{ran:?}");
    assert!(lab.take("sent").contains("**not compared**"), "what there is to say is said all the same");
    // No branch to compare with: nothing is written, and nothing sent.
    lab.run("git update-ref -d refs/remotes/origin/main; rm fwc-diff.md", &BTreeMap::new());
    let ran = github(&lab);
    assert_ne!(ran[2].1, 0);
    assert_eq!((ran[3].1, lab.take("sent")), (0, String::new()));
}

#[test]
fn github_leaves_forks_alone() {
    let workflow = block(".github/workflows/firewall.yaml");
    assert_eq!(get(&workflow, "on").map(word), Some("pull_request"), "never pull_request_target");
    let job = get(get(&workflow, "jobs").expect("jobs"), "firewall").expect("the job");
    let steps = list(get(job, "steps").expect("steps"));
    let comment = steps.iter().find(|step| get(step, "name").map(word) == Some("comment")).expect("the step");
    let condition = word(get(comment, "if").expect("a condition"));
    assert!(condition.contains("github.event.pull_request.head.repo.full_name == github.repository"), "{condition}");
}

/// Runs the job's script, all of it in one shell, as GitLab's runner does.
fn gitlab(lab: &Lab, token: &str) -> (i32, String) {
    let pipeline = block(".gitlab-ci.yml");
    let job = get(&pipeline, "firewall").expect("the job");
    let variables = get(job, "variables").expect("variables");
    assert_eq!(get(variables, "GIT_DEPTH").map(word), Some("0"));
    let script: Vec<&str> = list(get(job, "script").expect("a script")).iter().map(word).collect();
    let variables = [
        ("CI_API_V4_URL", "https://gitlab.example.org/api/v4"),
        ("CI_MERGE_REQUEST_PROJECT_ID", "3"),
        ("CI_MERGE_REQUEST_IID", "7"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", lab.base.as_str()),
        ("FWC_TOKEN", token),
    ];
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    lab.run(&script.join("\n"), &variables)
}

#[test]
fn gitlab_gets_one_note_that_later_runs_replace() {
    let lab = Lab::new();
    let (status, said) = gitlab(&lab, "secret");
    assert_eq!(status, 0, "{said}");
    let sent = lab.take("sent");
    assert_eq!(sent, lab.markdown());
    assert!(sent.starts_with("<!-- fwc diff -->\n") && sent.contains("+ accept HTTPS"), "{sent}");
    let calls = lab.take("calls");
    let notes = "https://gitlab.example.org/api/v4/projects/3/merge_requests/7/notes";
    assert!(calls.contains(&format!("--request POST --data-urlencode body@fwc-diff.md {notes}\n")), "{calls}");
    // Somebody else's with the same first line is not ours; of ours on a page of a hundred, the first.
    let other = r#"{"id": 20, "author": {"id": 6}, "body": "<!-- fwc diff -->"}"#;
    let own = r#"{"id": 21, "author": {"id": 5}, "body": "<!-- fwc diff -->\nold"}"#;
    lab.put("comments.json", &format!("[{}, {own}]", vec![other; 99].join(", ")));
    assert_eq!(gitlab(&lab, "secret").0, 0);
    assert!(lab.take("calls").contains(&format!("--request PUT --data-urlencode body@fwc-diff.md {notes}/21\n")));
    // A full page without it: the next one is asked, and then it is new.
    lab.put("comments.json", &format!("[{}]", vec![other; 100].join(", ")));
    assert_eq!(gitlab(&lab, "secret").0, 0);
    let calls = lab.take("calls");
    assert!(calls.contains("&page=2") && !calls.contains("&page=3") && calls.contains("--request POST"), "{calls}");
}

#[test]
fn gitlab_without_a_token_writes_the_artifact_alone_and_fails_where_it_must() {
    let lab = Lab::new();
    let (status, said) = gitlab(&lab, "");
    assert_eq!((status, lab.take("calls").as_str()), (0, ""), "{said}");
    assert_eq!(fs::read_to_string(lab.clone.join("fwc-diff.md")).expect("the artifact"), lab.markdown());
    lab.propose(&SPEC.replace("macro: SSH", "macro: SHH"));
    assert_eq!(gitlab(&lab, "").0, 2, "an error of the spec fails at `fwc check`");
    lab.propose(&SPEC.replace("expect: accept", "expect: drop"));
    assert_eq!(gitlab(&lab, "").0, 1, "a test that does not hold fails");
    // The base cannot be compared with.
    lab.propose(SPEC);
    let broken = Lab { base: "0123456789012345678901234567890123456789".into(), ..lab };
    let (status, said) = gitlab(&broken, "secret");
    assert!(status == 2 && said.contains("there is no revision"), "{status} {said}");
}
