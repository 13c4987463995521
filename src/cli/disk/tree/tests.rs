use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::target::OutputName;

use super::*;

struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.out().join(path)
    }

    fn put(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    fn build(&self, files: &[(&str, &str)]) -> Result<Summary, Failure> {
        write_tree(&self.out(), &outputs(files), false)
    }

    fn build_part(&self, files: &[(&str, &str)]) -> Result<Summary, Failure> {
        write_tree(&self.out(), &outputs(files), true)
    }

    /// Every file below the output folder with its text; folders end in `/`, links in `@`. No manifest.
    fn tree(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        collect(&self.out(), "", &mut found);
        found.remove("manifest.json");
        found
    }

    /// Names beside the output folder.
    fn beside(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name != "out")
            .collect();
        names.sort();
        names
    }
}

fn outputs(files: &[(&str, &str)]) -> Vec<OutputFile> {
    let file = |(path, content): &(&str, &str)| OutputFile {
        path: (*path).to_owned(),
        host: None,
        output: OutputName::Nft,
        content: (*content).to_owned(),
    };
    files.iter().map(file).collect()
}

fn collect(folder: &Path, below: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.insert(format!("{name}/"), String::new());
            collect(&entry.path(), &format!("{name}/"), found);
        } else if kind.is_symlink() {
            let link = fs::read_link(entry.path()).unwrap();
            found.insert(format!("{name}@"), link.to_string_lossy().into_owned());
        } else {
            found.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
}

fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

const SUMMARY: fn(usize, usize, usize) -> Summary = |files, changed, removed| Summary { files, changed, removed };

#[test]
fn a_first_build_makes_the_folder_and_its_parents() {
    let lab = Lab::new();
    let deep = lab.folder.path().join("a/b/out");
    let summary = write_tree(&deep, &outputs(&[("h/x", "1"), ("y", "2")]), false).unwrap();
    assert_eq!(summary, SUMMARY(2, 2, 0));
    assert_eq!(fs::read_to_string(deep.join("h/x")).unwrap(), "1");
    assert_eq!(fs::metadata(deep.join("y")).unwrap().permissions().mode() & 0o777, 0o644);
    assert!(fs::read_to_string(deep.join("manifest.json")).unwrap().contains("\"h/x\""));
}

#[test]
fn a_second_build_changes_only_what_differs_and_removes_what_no_longer_belongs() {
    let lab = Lab::new();
    lab.build(&[("h/same", "1"), ("h/other", "2"), ("gone/deep/x", "3")]).unwrap();
    fs::set_permissions(lab.at("h/other"), fs::Permissions::from_mode(0o600)).unwrap();
    let inode = |path: &str| fs::metadata(lab.at(path)).unwrap().ino();
    let before = inode("h/same");
    assert_eq!(lab.build(&[("h/same", "1"), ("h/other", "two"), ("h/new", "4")]).unwrap(), SUMMARY(3, 2, 1));
    assert_eq!(lab.tree(), map(&[("h/", ""), ("h/same", "1"), ("h/other", "two"), ("h/new", "4")]));
    assert_eq!(inode("h/same"), before);
    assert_eq!(fs::metadata(lab.at("h/other")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(lab.beside(), [""; 0]);
}

#[test]
fn an_unchanged_tree_is_not_touched_at_all() {
    let lab = Lab::new();
    let files = [("h/x", "1"), ("y", "2")];
    lab.build(&files).unwrap();
    let stamp = || {
        let of = |path: PathBuf| fs::metadata(path).map(|found| (found.ino(), found.mtime_nsec())).unwrap();
        [of(lab.out()), of(lab.at("h")), of(lab.at("h/x")), of(lab.at("manifest.json"))]
    };
    let before = stamp();
    let summary = lab.build(&files).unwrap();
    assert_eq!(summary.to_string(), "2 files, nothing changed");
    assert_eq!(stamp(), before);
}

#[test]
fn what_is_not_fwcs_is_kept() {
    let lab = Lab::new();
    lab.build(&[("h/x", "1"), ("old/y", "2")]).unwrap();
    lab.put("notes/todo", "mine");
    lab.put("old/mine", "too");
    fs::create_dir(lab.at("empty")).unwrap();
    fs::create_dir(lab.at("closed")).unwrap();
    fs::set_permissions(lab.at("closed"), fs::Permissions::from_mode(0o750)).unwrap();
    symlink("../elsewhere", lab.at("h/link")).unwrap();
    assert_eq!(lab.build(&[("h/x", "new")]).unwrap(), SUMMARY(1, 1, 1));
    let expected = [
        ("closed/", ""),
        ("empty/", ""),
        ("h/", ""),
        ("h/link@", "../elsewhere"),
        ("h/x", "new"),
        ("notes/", ""),
        ("notes/todo", "mine"),
        ("old/", ""),
        ("old/mine", "too"),
    ];
    assert_eq!(lab.tree(), map(&expected));
    assert_eq!(fs::metadata(lab.at("closed")).unwrap().permissions().mode() & 0o777, 0o750);
}

#[test]
fn a_file_of_fwcs_that_was_changed_by_hand_is_replaced() {
    let lab = Lab::new();
    lab.build(&[("x", "1")]).unwrap();
    lab.put("x", "by hand");
    assert_eq!(lab.build(&[("x", "1")]).unwrap(), SUMMARY(1, 1, 0));
    assert_eq!(lab.tree(), map(&[("x", "1")]));
}

#[test]
fn a_foreign_file_in_the_way_is_refused_unless_it_is_equal() {
    let lab = Lab::new();
    lab.put("x", "1");
    lab.put("h/y", "theirs");
    lab.put("z/in/the/way", "folder");
    lab.put("f", "file where a folder must be");
    let before = lab.tree();
    let wanted = [("x", "1"), ("h/y", "ours"), ("z", "ours"), ("f/a", "ours")];
    let refused = lab.build(&wanted).unwrap_err().message;
    let refused = refused.replace(&format!("{}/", lab.out().canonicalize().unwrap().display()), "");
    assert_eq!(refused, "not written by fwc, and in the way: `f`, `h/y`, `z`");
    assert_eq!(lab.tree(), before);
    assert_eq!(lab.beside(), [""; 0]);
    assert_eq!(lab.build(&[("x", "1")]).unwrap(), SUMMARY(1, 0, 0));
}

#[test]
fn a_link_in_the_place_of_a_file_or_folder_is_not_followed() {
    let lab = Lab::new();
    let outside = lab.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::create_dir(lab.out()).unwrap();
    symlink(&outside, lab.at("hosts")).unwrap();
    symlink("x", lab.at("y")).unwrap();
    let refused = lab.build(&[("hosts/a", "1"), ("y", "2")]).unwrap_err().message;
    assert!(refused.contains("hosts`") && refused.contains("y`"), "{refused}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn a_narrowed_build_updates_its_own_entries_and_removes_nothing() {
    let lab = Lab::new();
    lab.build(&[("a", "1"), ("b", "2")]).unwrap();
    assert_eq!(lab.build_part(&[("b", "two"), ("c", "3")]).unwrap(), SUMMARY(2, 2, 0));
    assert_eq!(lab.tree(), map(&[("a", "1"), ("b", "two"), ("c", "3")]));
    // The whole build still knows all three as its own.
    assert_eq!(lab.build(&[("a", "1")]).unwrap(), SUMMARY(1, 0, 2));
    assert_eq!(lab.tree(), map(&[("a", "1")]));
}

#[test]
fn a_link_to_the_output_folder_stays_a_link() {
    let lab = Lab::new();
    let link = lab.folder.path().join("link");
    lab.build(&[("a", "1")]).unwrap();
    symlink("out", &link).unwrap();
    write_tree(&link, &outputs(&[("a", "2")]), false).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(lab.tree(), map(&[("a", "2")]));
    let nowhere = lab.folder.path().join("nowhere");
    symlink("gone", &nowhere).unwrap();
    assert!(write_tree(&nowhere, &[], false).unwrap_err().message.ends_with("is a link to nowhere"));
}

#[test]
fn places_that_cannot_be_exchanged_are_refused() {
    let lab = Lab::new();
    fs::write(lab.out(), "a file").unwrap();
    assert!(lab.build(&[]).unwrap_err().message.ends_with("is not a folder"));
    for folder in ["/", "/proc", "."] {
        let failure = write_tree(Path::new(folder), &outputs(&[("x", "")]), false).unwrap_err();
        assert!(failure.help.is_some(), "{folder}: {failure}");
    }
    fs::remove_file(lab.out()).unwrap();
    lab.put("manifest.json", "{\"name\": \"somebody's web app\"}");
    assert!(lab.build(&[]).unwrap_err().message.contains("is no manifest of fwc's"));
    assert!(lab.build(&[("../x", "")]).is_err());
}

/// What a build that is killed at a moment leaves behind.
fn kill(lab: &Lab, files: &[(&str, &str)], after_exchange: bool) {
    let files = outputs(files);
    let place = Place::find(&lab.out()).unwrap();
    let lock = lock::take(&place.parent, Duration::ZERO).unwrap();
    let old = place.old().unwrap();
    let owned = read_manifest(old.as_deref()).unwrap();
    let mut manifest = Manifest::new();
    files.iter().for_each(|file| manifest.insert(&file.path, file.content.as_bytes()));
    let text = manifest.text();
    let wanted = survey::by_path(&files, &text).unwrap();
    let plan = survey::plan(old.as_deref(), &owned, &wanted, false).unwrap();
    let stage = Stage::build(&place.parent, &place.name, old.as_deref(), &plan).unwrap();
    if after_exchange {
        stage.exchange(&lock, &place.target, old.is_some()).unwrap();
    }
    stage.keep();
}

#[test]
fn a_build_killed_before_the_exchange_leaves_the_old_tree_whole() {
    let lab = Lab::new();
    lab.build(&[("a", "1"), ("b", "2")]).unwrap();
    lab.put("mine", "kept");
    let before = lab.tree();
    kill(&lab, &[("a", "new")], false);
    assert_eq!(lab.tree(), before);
    assert_eq!(lab.beside().len(), 1);
    lab.build(&[("a", "1"), ("b", "2")]).unwrap();
    assert_eq!(lab.tree(), before);
    assert_eq!(lab.beside(), [""; 0]);
}

#[test]
fn a_build_killed_after_the_exchange_leaves_the_new_tree_whole_and_loses_nobodys_file() {
    let lab = Lab::new();
    lab.build(&[("a", "1"), ("gone/b", "2")]).unwrap();
    lab.put("mine", "kept");
    kill(&lab, &[("a", "new")], true);
    let stage = lab.folder.path().join(&lab.beside()[0]);
    // Somebody wrote into the old tree while the exchange took place.
    fs::write(stage.join("tree/late"), "not lost").unwrap();
    fs::create_dir(stage.join("tree/late-folder")).unwrap();
    lab.build(&[("a", "new")]).unwrap();
    assert_eq!(lab.tree(), map(&[("a", "new"), ("late", "not lost"), ("late-folder/", ""), ("mine", "kept")]));
    assert_eq!(lab.beside(), [""; 0]);
}

#[test]
fn folders_that_only_look_like_leftovers_are_left_alone() {
    let lab = Lab::new();
    let near = [".out.fwc-theirs", ".outer.fwc-abcdef"].map(|name| lab.folder.path().join(name));
    for folder in &near {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("x"), "theirs").unwrap();
    }
    fs::write(near[1].join(stage::MARK), "1").unwrap();
    lab.build(&[("a", "1")]).unwrap();
    assert!(near.iter().all(|folder| folder.join("x").exists()));
}

#[test]
fn a_second_build_waits_for_the_first_and_then_gives_up() {
    let lab = Lab::new();
    let lock = lock::take(lab.folder.path(), Duration::ZERO).unwrap();
    let refused = write(&lab.out(), &outputs(&[("a", "1")]), false, Duration::from_millis(50)).unwrap_err();
    assert!(refused.message.starts_with("another build has been writing"), "{refused}");
    assert!(!lab.out().exists());
    drop(lock);
    lab.build(&[("a", "1")]).unwrap();
}

#[test]
fn readers_and_two_builders_at_once_see_whole_trees_only() {
    let lab = Lab::new();
    let versions: Vec<Vec<(&str, &str)>> =
        ["one", "two"].map(|text| ["a", "b/c", "b/d", "e"].map(|path| (path, text)).to_vec()).to_vec();
    lab.build(&versions[0]).unwrap();
    lab.put("mine", "kept");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let builders: Vec<_> = versions
            .iter()
            .map(|files| scope.spawn(|| (0..20).for_each(|_| assert!(lab.build(files).is_ok()))))
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // An open folder is one tree, whatever happens to its name meanwhile.
                let tree = fs::File::open(lab.out()).unwrap();
                let read = |path: &str| {
                    let fd = rustix::fs::openat(&tree, path, rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty());
                    fd.ok().and_then(|fd| io::read_to_string(fs::File::from(fd)).ok())
                };
                let texts: Vec<_> = ["a", "b/c", "b/d", "e"].into_iter().filter_map(read).collect();
                // The old tree is swept while we read: what is left of it must still agree.
                assert!(texts.windows(2).all(|pair| pair[0] == pair[1]), "{texts:?}");
            }
        });
        for builder in builders {
            builder.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(lab.tree().get("mine").map(String::as_str), Some("kept"));
    assert_eq!(lab.beside(), [""; 0]);
}
