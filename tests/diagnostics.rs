//! Every diagnostic, provoked by the smallest spec that deserves it, its text kept.
//!
//! `tests/diagnostics/FLOOR.CODE/NAME.yaml` (or a folder `NAME/`) provokes at least the code of its folder;
//! `NAME.stderr` beside it is all that fwc says. A case whose first line is `# fwc build OPTIONS` is run with them.
//! Lints are cases of `fwc check`; each has one besides that is called `quiet`, which has none of it.
//! `UPDATE_GOLDEN=1 cargo test --test diagnostics` writes the texts anew.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "every test target takes its own part")]
mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{difference, fwc, root, tree, updating};
use fwc::diagnostic::Code;

/// Codes of checks that a floor repeats although a floor below has refused the same before: a spec or policy that no
/// text gives would meet them.
const SECOND_CHECKS: &[&str] = &["iptables::interface-name"];

/// What the codes of lints begin with.
const LINT: &str = "lint::";

/// The text of the one case whose spec is made by a test: a file of that size does not belong into a repository.
const LARGE_FILE: &str = "tests/diagnostics/cli.file-too-large/large.stderr";

struct Case {
    code: String,
    spec: PathBuf,
    text: PathBuf,
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(path)
        .expect("a folder of tests/diagnostics")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    found.sort();
    found
}

fn cases() -> Vec<Case> {
    let top = root().join("tests/diagnostics");
    let mut found = Vec::new();
    for folder in folders(&top) {
        let code = folder.file_name().expect("a name").to_string_lossy().replace('.', "::");
        for spec in folders(&folder).into_iter().filter(|path| path.extension().is_none_or(|kind| kind != "stderr")) {
            let text = spec.with_extension("stderr");
            let spec = spec.strip_prefix(root()).expect("below the crate").to_owned();
            found.push(Case { code: code.clone(), spec, text });
        }
    }
    found
}

/// Options of the first line of the case (or of its first file), after `# fwc build`.
fn options(spec: &Path) -> Vec<String> {
    let file =
        if spec.is_dir() { folders(spec).into_iter().find(|path| path.is_file()) } else { Some(spec.to_owned()) };
    let bytes = file.and_then(|path| fs::read(path).ok()).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let first = text.lines().next().and_then(|line| line.strip_prefix("# fwc build "));
    first.map(|line| line.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

/// What is wrong with a case; nothing where all is well.
fn judge(case: &Case) -> Option<String> {
    let out = tempfile::tempdir().expect("a folder");
    fs::write(out.path().join("before"), "untouched").expect("a file");
    let target = out.path().join("out");
    let is_lint = case.code.starts_with(LINT);
    let is_quiet = is_lint && case.spec.file_stem().is_some_and(|name| name == "quiet");
    let mut command = fwc();
    match is_lint {
        true => command.arg("check").arg(&case.spec),
        false => command.arg("build").arg(&case.spec).args(options(&root().join(&case.spec))).arg("-o").arg(&target),
    };
    let output = command.output().expect("fwc runs");
    let said = String::from_utf8_lossy(&output.stderr).replace(&*target.to_string_lossy(), "out");
    let fails = |what: &str| Some(format!("{}: {what}\n{said}", case.spec.display()));
    if !output.stdout.is_empty() {
        return fails("something is on standard output");
    }
    if said.contains("error") == output.status.success() && !said.contains("warning") {
        return fails("the exit status does not fit the text");
    }
    match output.status.code() {
        Some(0) => {}
        Some(2) if target.exists() && !tree(&target).is_empty() => return fails("it failed, and wrote all the same"),
        Some(2) => {}
        other => return fails(&format!("exit status {other:?}")),
    }
    if is_quiet && said.contains(&case.code) {
        return fails(&format!("the code `{}` is provoked", case.code));
    }
    if !is_quiet && !said.contains(&case.code) {
        return fails(&format!("the code `{}` is not provoked", case.code));
    }
    if updating() {
        fs::write(&case.text, said).expect("the text is written");
        return None;
    }
    let expected = fs::read_to_string(&case.text).unwrap_or_default();
    (expected != said).then(|| format!("{} differs {}", case.text.display(), difference(&expected, &said)))
}

#[test]
fn texts_are_as_agreed() {
    let found: Vec<String> = cases().iter().filter_map(judge).collect();
    assert!(
        found.is_empty(),
        "{}\n`UPDATE_GOLDEN=1 cargo test --test diagnostics` accepts changed texts",
        found.join("\n")
    );
}

#[test]
fn every_code_is_provoked() {
    let mut count: BTreeMap<&str, usize> = Code::ALL.iter().map(|code| (code.as_str(), 0)).collect();
    let mut strangers = Vec::new();
    for case in cases() {
        match count.get_mut(case.code.as_str()) {
            Some(count) => *count += 1,
            None => strangers.push(format!("{} is no code", case.code)),
        }
    }
    for code in SECOND_CHECKS {
        let count = count.get_mut(code).unwrap_or_else(|| panic!("{code} is no code"));
        assert_eq!(*count, 0, "{code} has a case; take it off the list");
        *count += 1;
    }
    // Those of `fwc import` are provoked by `tests/import/corpus`, and looked for there.
    for (_, count) in count.iter_mut().filter(|(code, _)| code.starts_with("import::")) {
        *count += 1;
    }
    // Beside the code, where the budget is smaller.
    *count.get_mut("lint::over-budget").expect("a code") += 1;
    // `a_large_file_is_refused` makes it.
    *count.get_mut("cli::file-too-large").expect("a code") += 1;
    let missing = count.iter().filter(|(_, count)| **count == 0).map(|(code, _)| format!("{code} has no case"));
    let wrong: Vec<String> = strangers.into_iter().chain(missing).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_lint_has_an_example_that_it_says_nothing_of() {
    let lints = Code::ALL.iter().filter(|code| code.as_str().starts_with(LINT));
    for code in lints.filter(|code| **code != Code::OverBudget) {
        let folder = root().join("tests/diagnostics").join(code.as_str().replace("::", "."));
        assert!(folder.join("quiet.yaml").is_file(), "{} has no `quiet.yaml`", code.as_str());
    }
}

#[test]
fn no_text_is_orphaned() {
    for folder in folders(&root().join("tests/diagnostics")) {
        for text in folders(&folder).iter().filter(|path| path.extension().is_some_and(|kind| kind == "stderr")) {
            let spec = text.with_extension("yaml");
            let is_made = text.ends_with(LARGE_FILE);
            assert!(is_made || spec.exists() || text.with_extension("").is_dir(), "{} has no spec", text.display());
        }
    }
}

/// Messages in lower case, without a full stop; nothing addresses the terminal.
#[test]
fn texts_keep_the_house_style() {
    for case in cases() {
        let text = fs::read_to_string(&case.text).unwrap_or_default();
        assert!(!text.contains('\u{1b}'), "{} has colour", case.text.display());
        assert!(!text.contains(env!("CARGO_MANIFEST_DIR")), "{} names this machine", case.text.display());
    }
}

#[test]
fn a_large_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = folder.path().join("large.yaml");
    fs::File::create(&spec).and_then(|file| file.set_len(65 << 20)).expect("a file of zeros");
    let output = fwc().current_dir(folder.path()).args(["check", "large.yaml"]).output().expect("fwc runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let kept = root().join(LARGE_FILE);
    if updating() {
        fs::write(&kept, &said).expect("the text is written");
    }
    let expected = fs::read_to_string(&kept).unwrap_or_default();
    assert!(expected == said, "{LARGE_FILE} differs {}", difference(&expected, &said));
}
