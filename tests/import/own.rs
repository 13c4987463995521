//! fwc's own `.fw` files: every example goes to Proxmox VE's files and back.

use super::common::{fwc, root, tree};
use super::corpus::imported;

#[test]
fn every_example_comes_back() {
    let mut count = 0;
    for example in super::common::examples() {
        let golden = root().join("golden").join(&example.name).join("pve");
        if !golden.is_dir() {
            continue;
        }
        count += 1;
        let folder = tempfile::tempdir().expect("a folder");
        for options in [&["--verify"][..], &["--verify", "--factor"]] {
            let (spec, said) = imported(&golden, options);
            assert!(said.contains("verified: nothing differs"), "{}: {said}", example.name);
            let (file, out) = (folder.path().join("fwc.yaml"), folder.path().join("out"));
            std::fs::write(&file, &spec).expect("the spec");
            let built = fwc().args(["build", "--target", "pve", "-o"]).arg(&out).arg(&file).output().expect("fwc runs");
            assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
            assert!(!tree(&out).is_empty());
        }
    }
    assert!(count >= 4, "{count} examples have files for Proxmox VE");
}
