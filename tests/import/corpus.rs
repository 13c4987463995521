//! Each folder of `tests/import/corpus/` is a copy of `/etc/pve`; beside it stand the spec that it becomes
//! (`NAME.yaml`), and what there is to review (`NAME.review`). `UPDATE_GOLDEN=1` writes both anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use super::common::{difference, fwc, root, tree, updating};

/// Every copy, below the crate's folder.
pub fn copies() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(root().join("tests/import/corpus"))
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .map(|path| path.strip_prefix(root()).expect("below the crate").to_owned())
        .collect();
    found.sort();
    assert!(found.len() >= 5, "the corpus has lost copies: {found:?}");
    found
}

/// Runs `fwc import`.
pub fn import(copy: &Path, options: &[&str]) -> Output {
    fwc().arg("import").arg(copy).args(options).output().expect("fwc runs")
}

/// Standard output and standard error of an import.
pub fn imported(copy: &Path, options: &[&str]) -> (String, String) {
    let output = import(copy, options);
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{}: {said}", copy.display());
    (String::from_utf8(output.stdout).expect("text"), said)
}

#[test]
fn every_copy_becomes_the_spec_that_was_agreed() {
    let mut wrong = Vec::new();
    for copy in copies() {
        let (spec, review) = imported(&copy, &[]);
        for (name, text) in [("yaml", spec), ("review", review)] {
            let kept = root().join(&copy).with_extension(name);
            if updating() {
                fs::write(&kept, &text).expect("the text is written");
            }
            let expected = fs::read_to_string(&kept).unwrap_or_default();
            if expected != text {
                wrong.push(format!("{} differs {}", kept.display(), difference(&expected, &text)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_differs_from_what_the_spec_compiles_to() {
    for copy in copies() {
        for options in [&["--verify"][..], &["--verify", "--factor"]] {
            let output = import(&copy, options);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{} {options:?}: {said}", copy.display());
            assert!(said.contains("verified: nothing differs"), "{said}");
        }
    }
}

/// A file of the copy is changed behind the spec's back: the comparison that says nothing differs must be able to
/// say something else.
#[test]
fn what_differs_is_said() {
    use fwc::import::{Input, import, role, verify, write};
    let copy = root().join("tests/import/corpus/cluster");
    let read = |change: &dyn Fn(&str, String) -> String| {
        let mut sources = fwc::diagnostic::SourceMap::default();
        let mut inputs = Vec::new();
        for (path, bytes) in tree(&copy) {
            let text = change(&path, String::from_utf8(bytes).expect("text"));
            if let Some(role) = role(&path) {
                inputs.push(Input { role, file: sources.add(path, text) });
            }
        }
        (sources, inputs)
    };
    let (sources, inputs) = read(&|_, text| text);
    let texts = vec![("fwc.yaml".to_owned(), write::file(&import(&sources, &inputs).draft))];
    let changes: [(&str, &str, &str); 12] = [
        ("firewall/cluster.fw", "IN  DROP -p tcp -dport 3389", "IN  DROP -p tcp -dport 3388"),
        ("firewall/cluster.fw", "IN  DROP -p tcp -dport 3389", "IN  REJECT -p tcp -dport 3389"),
        ("firewall/cluster.fw", "IN  DROP -p tcp -dport 3389", "|IN  DROP -p tcp -dport 3389"),
        ("firewall/cluster.fw", "IN  DROP -p tcp -dport 3389", "IN  DROP -p tcp -dport 3389 -log info"),
        ("firewall/cluster.fw", "198.51.100.0/24", "198.51.100.0/23"),
        ("firewall/cluster.fw", "Office 203.0.113.0/24", "Office 203.0.112.0/24"),
        ("firewall/cluster.fw", "policy_in: DROP", "policy_in: REJECT"),
        ("firewall/cluster.fw", "443,8000:8099", "443,8000:8100"),
        ("firewall/100.fw", "GROUP web -i net0", "GROUP web"),
        ("firewall/100.fw", "10.0.1.100\n", "10.0.1.101\n"),
        ("firewall/100.fw", "dhcp: 0", "dhcp: 1"),
        ("nodes/pm1/host.fw", "log_level_in: info", "log_level_in: err"),
    ];
    for (file, from, to) in changes {
        let (sources, inputs) = read(&|path, text| {
            if path != file {
                return text;
            }
            assert!(text.contains(from), "{file} has no {from}");
            text.replacen(from, to, 1)
        });
        match verify::verify(&sources, &inputs, &texts) {
            verify::Verified::Compared(found) => assert!(!found.is_empty(), "nothing is said of {from} → {to}"),
            verify::Verified::DoesNotCompile(..) => panic!("the spec does not compile"),
        }
    }
}

/// Import, build, import: what fwc wrote for Proxmox VE becomes a spec that compiles to the same files.
#[test]
fn what_was_built_and_imported_again_stays_as_it_is() {
    for copy in copies() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let copied = |name: &str, from: &Path, spec: &str| -> PathBuf {
            fs::write(at(&format!("{name}.yaml")), spec).expect("the spec");
            let spec = at(&format!("{name}.yaml"));
            let built = fwc().args(["build", "--target", "pve"]).arg(spec).arg("-o").arg(at(name)).output();
            let built = built.expect("fwc runs");
            assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
            // Configurations and `corosync.conf` are not fwc's to write.
            let all = tree(from).into_iter().filter(|(path, _)| path.ends_with(".conf"));
            let files = all.chain(tree(&at(&format!("{name}/pve"))));
            let next = at(&format!("{name}-copy"));
            for (path, bytes) in files {
                let path = next.join(path);
                fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                fs::write(path, bytes).expect("a file");
            }
            next
        };
        let (first, _) = imported(&copy, &[]);
        let built = copied("one", &root().join(&copy), &first);
        let (second, said) = imported(&built, &["--verify"]);
        assert!(said.contains("verified: nothing differs"), "{}: {said}", copy.display());
        let again = copied("two", &built, &second);
        let (third, _) = imported(&again, &[]);
        assert_eq!(second, third, "{}", difference(&second, &third));
        let (one, two) = (anonymous(&at("one/pve")), anonymous(&at("two/pve")));
        assert_eq!(one, two, "{}: {}", copy.display(), difference(&one, &two));
    }
}

/// The files in one text, without the names that fwc gives to rules that have none: they follow from how a rule is
/// written, and `ssh` becomes 22 on its way.
fn anonymous(folder: &Path) -> String {
    let mut all = String::new();
    for (path, bytes) in tree(folder) {
        all.push_str(&format!("== {path}\n"));
        let text = String::from_utf8(bytes).expect("text");
        for line in text.lines().filter(|line| !line.starts_with("# written: ") && !line.is_empty()) {
            let plain = match line.split_once(" # [") {
                Some((rule, comment)) => format!("{rule} #{}", comment.split_once(']').expect("an identity").1),
                None => line.to_owned(),
            };
            all.push_str(&plain);
            all.push('\n');
        }
    }
    all
}

#[test]
fn a_folder_says_what_a_file_says() {
    for copy in copies() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, parts) = (folder.path().join("one.yaml"), folder.path().join("parts"));
        for (path, options) in [(&file, ["-o", ""]), (&parts, ["-o", ""])] {
            let output = fwc().arg("import").arg(&copy).arg(options[0]).arg(path).output().expect("fwc runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let mut built = Vec::new();
        for spec in [&file, &parts] {
            let out = folder.path().join("out");
            let output = super::common::build(spec, &out);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            built.push(tree(&out));
            fs::remove_dir_all(&out).expect("removed");
        }
        assert_eq!(built[0], built[1], "{}", copy.display());
    }
}

#[test]
fn every_code_is_provoked() {
    let said: String = copies()
        .iter()
        .map(|copy| String::from_utf8(import(copy, &["--format", "json"]).stderr).expect("text"))
        .collect();
    let codes = fwc::diagnostic::Code::ALL.iter().map(|code| code.as_str());
    let missing: Vec<&str> = codes.filter(|code| code.starts_with("import::") && !said.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
