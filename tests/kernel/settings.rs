//! Both programs that load kernel settings, as judges of the model of their order.
//!
//! Random files of `sysctl.d` are loaded by `sysctl --system` and by `systemd-sysctl` into a network namespace, below a
//! root of their own. What `/proc/sys` holds afterwards must be what the model said, for every key.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use fwc::cli::disk::read_setting_files;
use fwc::diagnostic::SourceMap;
use fwc::state::sysctl::{Model, Program};

use super::namespace;

const CASES: u64 = 60;

/// Integers without a meaning that reaches other keys.
const KEYS: [&str; 6] = [
    "net.ipv4.conf.all.medium_id",
    "net.ipv4.conf.all.tag",
    "net.ipv4.conf.default.medium_id",
    "net.ipv4.conf.default.tag",
    "net.ipv4.conf.lo.medium_id",
    "net.ipv4.conf.lo.tag",
];

const FOLDERS: [&str; 4] = ["etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d"];
const NAMES: [&str; 7] =
    [".hidden.conf", "10-a.conf", "50-b.conf", "99-sysctl.conf", "B.conf", "zz-fwc.conf", "README"];

/// A chain of numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn line(&mut self) -> String {
        let dotted = self.one_of(&KEYS).to_owned();
        let pattern = match self.below(3) {
            0 => dotted.replace(".all.", ".*.").replace(".lo.", ".l?.").replace(".default.", ".[!l]*."),
            1 => dotted.replace("medium_id", "[mt]*"),
            _ => dotted.clone(),
        };
        let key = match self.below(4) {
            0 => pattern,
            1 => dotted.replace('.', "/"),
            2 => format!("/{}", dotted.replace('.', "/")),
            _ => dotted,
        };
        let value = self.below(9) + 1;
        match self.below(14) {
            0..=1 => format!("-{key}"),
            2 => format!("-{key} = {value}"),
            3 => format!("-{}{key} = {value}", self.one_of(&[" ", "\t", " \t"])),
            12 => format!("-{}{key}", self.one_of(&[" ", "\t"])),
            // A blank to neither program.
            13 => format!("{}{key} = {value}", self.one_of(&["\u{a0}", "-\u{a0}", "-\u{2003}"])),
            4 => format!("  {key}\t=  {value} \r"),
            5 => self.one_of(&["# net.ipv4.conf.lo.tag = 1", "; x", "nonsense", "= 3", "-", "", "a b = 1"]).to_owned(),
            _ => format!("{key} = {value}"),
        }
    }

    fn text(&mut self) -> String {
        (0..=self.below(5)).map(|_| self.line() + "\n").collect()
    }
}

fn make(root: &Path, dice: &mut Dice) {
    for folder in FOLDERS {
        fs::create_dir_all(root.join(folder)).expect("a folder");
    }
    if dice.below(2) == 0 {
        fs::write(root.join("etc/sysctl.conf"), dice.text()).expect("a file");
    }
    for _ in 0..=dice.below(7) {
        let path = root.join(dice.one_of(&FOLDERS)).join(dice.one_of(&NAMES));
        if path.symlink_metadata().is_ok() {
            continue;
        }
        match dice.below(8) {
            0 => symlink("/etc/sysctl.conf", path).expect("a link"),
            1 => symlink(dice.one_of(&["/dev/null", "gone", "../../etc/sysctl.d/10-a.conf"]), path).expect("a link"),
            2 => fs::create_dir(path).expect("a folder"),
            _ => fs::write(path, dice.text()).expect("a file"),
        }
    }
}

/// What the model says: a line for each program.
fn expected(root: &Path) -> Vec<String> {
    let mut sources = SourceMap::default();
    let (files, found) = read_setting_files(root, &mut sources).expect("a folder");
    assert!(found.is_empty(), "{found:?}");
    let tree = files.tree(&sources);
    let values = |program| {
        let model = Model::of(&tree, program);
        KEYS.map(|key| model.outcome(key).value().unwrap_or("0").to_owned()).join(" ")
    };
    Program::ALL.map(values).to_vec()
}

#[test]
fn programs_set_what_the_model_says() {
    let lab = tempfile::tempdir().expect("a folder");
    for number in 0..CASES {
        make(&lab.path().join(format!("case{number:03}")), &mut Dice(number));
    }
    let paths = KEYS.map(|key| format!("/proc/sys/{}", key.replace('.', "/"))).join(" ");
    let script = format!(
        "mkdir -p root/usr root/proc root/etc root/run
        mount --rbind /usr root/usr; mount --rbind /proc root/proc
        for top in bin sbin lib lib64; do [ ! -e /$top ] || ln -s usr/$top root/$top; done
        mount -t tmpfs none root/usr/lib/sysctl.d; mount -t tmpfs none root/usr/local
        for case in case*; do
          rm -rf root/etc/* root/run/* root/usr/local/* root/usr/lib/sysctl.d/* root/usr/lib/sysctl.d/.hidden.conf
          cp -a $case/. root/
          for program in '/sbin/sysctl --system' /lib/systemd/systemd-sysctl; do
            for path in {paths}; do echo 0 > $path; done
            chroot root $program > /dev/null 2>&1 || true
            cat {paths} | tr '\\n' ' '; echo
          done
        done"
    );
    fs::write(lab.path().join("script"), script).expect("a file");
    let listing = namespace::run(
        lab.path(),
        "[ -x /sbin/sysctl ] && [ -x /lib/systemd/systemd-sysctl ] && unshare -m --propagation private sh -eu script",
    );
    let mut lines = listing.lines().map(|line| line.trim().to_owned());
    let mut set = 0;
    for number in 0..CASES {
        let root = lab.path().join(format!("case{number:03}"));
        for (program, expected) in Program::ALL.into_iter().zip(expected(&root)) {
            let found = lines.next().expect("a line for each program");
            set += found.split(' ').filter(|value| *value != "0").count();
            assert_eq!(found, expected, "case {number}, {}: {}", program.name(), shown(&root));
        }
    }
    assert!(set > 200, "{set} values were set: the cases say nothing");
}

/// The files of a case, for whoever has to find out who is wrong.
fn shown(root: &Path) -> String {
    let folders = FOLDERS.iter().map(|folder| root.join(folder)).chain([root.join("etc")]);
    let mut text = String::new();
    for folder in folders {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let said = fs::read_link(&path).map(|target| format!("-> {}", target.display()));
            let said = said.or_else(|_| fs::read_to_string(&path)).unwrap_or_else(|error| error.to_string());
            text.push_str(&format!("\n==> {}\n{said}", path.strip_prefix(root).expect("below").display()));
        }
    }
    text
}
