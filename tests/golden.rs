//! Every example's whole output, byte by byte.
//!
//! `golden/NAME/` is what `fwc build examples/NAME… -o` writes, `golden/NAME.stderr` what it says meanwhile.
//! `UPDATE_GOLDEN=1 cargo test --test golden` writes them anew: read what changed before you commit it.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::{Example, built, difference, examples, root, tree, updating};

fn compare(example: &Example) -> Vec<String> {
    let (out, said) = built(example);
    let actual = tree(out.path());
    let folder = root().join("golden").join(&example.name);
    let stderr = root().join("golden").join(format!("{}.stderr", example.name));
    if updating() {
        let _ = fs::remove_dir_all(&folder);
        for (name, content) in &actual {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, content).expect("a golden file");
        }
        fs::write(stderr, said).expect("a golden file");
        return Vec::new();
    }
    let expected = if folder.is_dir() { tree(&folder) } else { Default::default() };
    let mut found = Vec::new();
    for name in actual.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
        match (expected.get(name), actual.get(name)) {
            (Some(old), Some(new)) if old == new => {}
            (Some(old), Some(new)) => {
                let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
                found.push(format!("golden/{}/{name} differs {}", example.name, difference(&old, &new)));
            }
            (Some(_), None) => found.push(format!("golden/{}/{name} is not written any more", example.name)),
            (None, _) => found.push(format!("golden/{}/{name} is new", example.name)),
        }
    }
    let old = fs::read_to_string(&stderr).unwrap_or_default();
    if old != said {
        found.push(format!("golden/{}.stderr differs {}", example.name, difference(&old, &said)));
    }
    found
}

#[test]
fn outputs_are_as_agreed() {
    let found: Vec<String> = examples().iter().flat_map(compare).collect();
    assert!(found.is_empty(), "{}\n`UPDATE_GOLDEN=1 cargo test --test golden` accepts it", found.join("\n"));
}

#[test]
fn no_golden_folder_is_orphaned() {
    let names: BTreeSet<String> = examples().into_iter().map(|example| example.name).collect();
    for entry in fs::read_dir(root().join("golden")).expect("golden/") {
        let path = entry.expect("an entry").path();
        let stem = Path::file_stem(&path).expect("a name").to_string_lossy().into_owned();
        assert!(names.contains(&stem), "{} belongs to no example", path.display());
    }
}

#[test]
fn twice_in_a_row_gives_the_same_bytes() {
    for example in examples() {
        let ((first, said), (second, said_again)) = (built(&example), built(&example));
        assert_eq!(tree(first.path()), tree(second.path()), "{}", example.name);
        assert_eq!(said, said_again, "{}", example.name);
    }
}

#[test]
fn a_rebuild_over_the_old_tree_changes_nothing() {
    for example in examples() {
        let (out, _) = built(&example);
        let before = tree(out.path());
        let output = common::build(&example.path, out.path());
        assert!(output.status.success(), "{}", example.name);
        assert_eq!(before, tree(out.path()), "{}", example.name);
    }
}

/// Absolute paths, line numbers and dates would make outputs differ from machine to machine.
#[test]
fn outputs_name_no_place_of_the_machine_that_made_them() {
    for example in examples() {
        let (out, _) = built(&example);
        for (name, content) in tree(out.path()) {
            let text = String::from_utf8_lossy(&content);
            for place in [root().to_str().expect("a path"), out.path().to_str().expect("a path"), ".yaml:"] {
                assert!(!text.contains(place), "{}: {name} contains `{place}`", example.name);
            }
        }
    }
}

#[test]
fn the_tests_of_every_example_pass() {
    for example in examples() {
        let output = common::fwc().arg("test").arg(&example.path).output().expect("fwc runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "`fwc test` fails on the example {}:\n{said}", example.name);
        assert!(said.contains(" passed, 0 failed"), "the example {} has no tests", example.name);
        assert!(
            !said.contains("sampled"),
            "a test of the example {} is decided by samples alone:\n{said}",
            example.name
        );
    }
}

/// What an example says in vain, others copy; what it allows, it gives a reason for.
#[test]
fn lints_tell_nothing_of_the_examples() {
    for example in examples() {
        let output = common::fwc().arg("check").arg(&example.path).output().expect("fwc runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`fwc check` fails on the example {}:\n{said}", example.name);
        assert!(!said.contains("lint::"), "the example {} is not clean:\n{said}", example.name);
    }
}
