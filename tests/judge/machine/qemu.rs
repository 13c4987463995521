//! One boot of a stock Debian kernel in QEMU, for what the running kernel may lack.
//!
//! In: jobs, each a shell script with files beside it. Out: each job's exit status and output. The
//! kernel is Debian's `linux-image-cloud-amd64`, downloaded once and unpacked (not installed) below
//! cargo's target folder; the machine is emulated, so neither KVM nor a network is needed. A boot takes about ten
//! seconds, so all jobs of a test target share one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long the whole boot may take, jobs included; a few minutes where nothing else runs.
const LIMIT: Duration = Duration::from_secs(1800);

/// Folders and files of the kernel's modules that packet filters, bridges and virtual ports need.
const MODULES: &[&str] = &[
    "net/netfilter",
    "net/bridge",
    "net/ipv4/netfilter",
    "net/ipv6/netfilter",
    "net/802",
    "net/llc",
    "net/8021q",
    "drivers/net/veth.ko",
    "drivers/net/tun.ko",
    "drivers/net/dummy.ko",
    "lib/libcrc32c.ko",
    // What the helper of Amanda searches with.
    "lib/ts_kmp.ko",
];

/// Programs from this machine, with the libraries they load.
const PROGRAMS: &[&str] = &["/usr/sbin/nft", "/usr/sbin/xtables-nft-multi", "/usr/sbin/ipset", "/usr/sbin/ip"];

/// Loaded before the first job; the kernel finds all others by itself.
const PRELOAD: &[&str] = &[
    "nf_tables",
    "nf_conntrack",
    "bridge",
    "br_netfilter",
    "nf_conntrack_bridge",
    "nft_meta_bridge",
    "nft_reject_bridge",
    "veth",
    "tun",
    "8021q",
];

const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /run /tmp
busybox stty -F /dev/ttyS1 raw
for module in @PRELOAD@; do modprobe $module || echo "no module $module"; done
run() {
    name=${1#/jobs/}
    cd $1
    if [ -e private ]; then unshare -n sh ./run; else sh ./run; fi >/tmp/output-$2 2>&1
    status=$?
    echo "$name ended after $(cut -d ' ' -f 1 /proc/uptime) s"
    until mkdir /tmp/writing 2>/dev/null; do usleep 10000; done
    { echo "@@ begin $name"; cat /tmp/output-$2; echo; echo "@@ end $name $status"; } >/dev/ttyS1
    rmdir /tmp/writing
}
for job in /jobs/*; do [ -e $job/private ] || run $job 0; done
worker() {
    for job in /jobs/*; do
        if [ -e $job/private ] && mkdir $job/taken 2>/dev/null; then run $job $1; fi
    done
}
worker 1 &
worker 2
wait
echo "@@ done" >/dev/ttyS1
poweroff -f
"#;

/// Something to run inside.
pub struct Job {
    /// A file name.
    pub name: String,
    /// Whether it runs in a network namespace of its own.
    pub private: bool,
    /// A shell script (busybox), run in the job's folder.
    pub script: String,
    /// Name and content of files in the job's folder.
    pub files: Vec<(String, Vec<u8>)>,
}

/// What a job did.
#[derive(Debug)]
pub struct Outcome {
    /// Exit status of its script.
    pub status: i32,
    /// Standard output and standard error, as they came.
    pub output: String,
}

/// Boots once, runs every job, powers off.
///
/// Those of the whole machine come first, one by one; then those in namespaces, two at a time, in the order of their names.
///
/// `program` is one more of this machine's programs for jobs to run, where it is here.
pub fn boot(jobs: &[Job], program: &Path) -> BTreeMap<String, Outcome> {
    let kernel = Kernel::fetch();
    let folder = tempfile::tempdir().expect("a folder");
    let initramfs = folder.path().join("initramfs");
    let root = folder.path().join("root");
    copy_program(program, &root);
    assemble(&kernel, jobs, &root, &initramfs);
    let results = folder.path().join("results");
    let console = folder.path().join("console");
    run_machine(&kernel, &initramfs, &console, &results);
    let console = String::from_utf8_lossy(&fs::read(&console).unwrap_or_default()).into_owned();
    let results = String::from_utf8_lossy(&fs::read(&results).unwrap_or_default()).replace('\r', "");
    assert!(results.lines().any(|line| line == "@@ done"), "the machine did not finish:\n{console}\n{results}");
    let outcomes = parse(&results);
    for job in jobs {
        assert!(outcomes.contains_key(&job.name), "the job {} left no result:\n{results}", job.name);
    }
    outcomes
}

fn run_machine(kernel: &Kernel, initramfs: &Path, console: &Path, results: &Path) {
    let mut machine = Command::new("qemu-system-x86_64")
        .args(["-accel", "tcg,thread=multi", "-cpu", "max", "-m", "1024", "-smp", "2"])
        .args(["-nodefaults", "-nographic", "-no-reboot", "-nic", "none"])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(initramfs)
        .args(["-append", "console=ttyS0 panic=-1 quiet mitigations=off random.trust_cpu=on"])
        .arg("-serial")
        .arg(format!("file:{}", console.display()))
        .arg("-serial")
        .arg(format!("file:{}", results.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("qemu-system-x86_64 is installed (scripts/test does)");
    let start = Instant::now();
    loop {
        if let Some(status) = machine.try_wait().expect("the machine's status") {
            let output = machine.wait_with_output().expect("what QEMU said");
            assert!(status.success(), "QEMU fails: {}", String::from_utf8_lossy(&output.stderr));
            return;
        }
        if start.elapsed() > LIMIT {
            let _ = machine.kill();
            let _ = machine.wait();
            let console = fs::read(console).unwrap_or_default();
            panic!("the machine did not power off in {LIMIT:?}:\n{}", String::from_utf8_lossy(&console));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn parse(results: &str) -> BTreeMap<String, Outcome> {
    let mut outcomes = BTreeMap::new();
    let mut output = String::new();
    for line in results.lines() {
        if line.starts_with("@@ begin ") {
            output.clear();
        } else if let Some((name, status)) = line.strip_prefix("@@ end ").and_then(|rest| rest.rsplit_once(' ')) {
            let status = status.parse().expect("an exit status");
            let output = std::mem::take(&mut output);
            outcomes
                .insert(name.to_owned(), Outcome { status, output: output.trim_end_matches('\n').to_owned() + "\n" });
        } else {
            output.push_str(line);
            output.push('\n');
        }
    }
    outcomes
}

/// The stock kernel, unpacked.
struct Kernel {
    image: PathBuf,
    modules: PathBuf,
    version: String,
}

impl Kernel {
    /// The unpacked package below cargo's target folder; downloads it if it is not there.
    fn fetch() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian-kernel");
        if !folder.is_dir() {
            let depends = output(Command::new("apt-cache").args(["depends", "linux-image-cloud-amd64"]));
            let package = depends
                .lines()
                .find_map(|line| line.trim().strip_prefix("Depends: "))
                .expect("linux-image-cloud-amd64 depends on a kernel (is `apt-get update` done?)");
            let parent = folder.parent().expect("a parent");
            let partial = tempfile::tempdir_in(parent).expect("a folder");
            output(Command::new("apt-get").args(["download", "-q", package]).current_dir(partial.path()));
            let archive = fs::read_dir(partial.path())
                .expect("the folder")
                .filter_map(|entry| Some(entry.ok()?.path()))
                .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
                .expect("a downloaded package");
            let unpacked = partial.path().join("unpacked");
            output(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(&unpacked));
            fs::rename(&unpacked, &folder).expect("the unpacked kernel moves");
        }
        let version = fs::read_dir(folder.join("lib/modules"))
            .expect("modules")
            .find_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .expect("a kernel version");
        let image = folder.join("boot").join(format!("vmlinuz-{version}"));
        Self { image, modules: folder.join("lib/modules").join(&version), version }
    }
}

fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?} fails: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn assemble(kernel: &Kernel, jobs: &[Job], root: &Path, initramfs: &Path) {
    for folder in ["bin", "sbin", "usr/sbin", "proc", "sys", "dev", "jobs", "tmp", "etc"] {
        fs::create_dir_all(root.join(folder)).expect("a folder of the initramfs");
    }
    write(&root.join("init"), INIT.replace("@PRELOAD@", &PRELOAD.join(" ")).as_bytes(), 0o755);
    fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox-static is installed (scripts/test does)");
    symlink("/bin/busybox", root.join("sbin/modprobe")).expect("a link");
    for program in PROGRAMS {
        copy_program(Path::new(program), root);
    }
    for name in ["iptables", "ip6tables", "ebtables"] {
        for suffix in ["-nft", "-nft-restore", "-nft-save"] {
            symlink("xtables-nft-multi", root.join("usr/sbin").join(format!("{name}{suffix}"))).expect("a link");
        }
    }
    let extensions = Path::new("/usr/lib/x86_64-linux-gnu/xtables");
    copy_tree(extensions, &root.join("usr/lib/x86_64-linux-gnu/xtables"));
    // Names of ethertypes, protocols and services, as the programs look them up.
    for name in ["ethertypes", "protocols", "services"] {
        let _ = fs::copy(Path::new("/etc").join(name), root.join("etc").join(name));
    }
    let modules = root.join("lib/modules").join(&kernel.version);
    for part in MODULES {
        let (from, to) = (kernel.modules.join("kernel").join(part), modules.join("kernel").join(part));
        assert!(from.exists(), "the kernel package has no {part}");
        copy_tree(&from, &to);
    }
    for list in ["modules.builtin", "modules.builtin.modinfo", "modules.order"] {
        fs::copy(kernel.modules.join(list), modules.join(list)).expect("a list of modules");
    }
    output(Command::new("depmod").arg("-b").arg(root).arg(&kernel.version));
    for job in jobs {
        let folder = root.join("jobs").join(&job.name);
        fs::create_dir_all(&folder).expect("a job's folder");
        write(&folder.join("run"), job.script.as_bytes(), 0o755);
        if job.private {
            write(&folder.join("private"), b"", 0o644);
        }
        for (name, content) in &job.files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            write(&path, content, 0o755);
        }
    }
    let pack = "find . -print0 | cpio --null --create --format=newc --quiet";
    let archive = fs::File::create(initramfs).expect("the initramfs");
    let status = Command::new("sh").args(["-c", pack]).current_dir(root).stdout(archive).status().expect("sh runs");
    assert!(status.success(), "cpio fails (scripts/test installs it)");
}

fn write(path: &Path, content: &[u8], mode: u32) {
    fs::write(path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}

fn copy_tree(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder") {
            let entry = entry.expect("an entry");
            copy_tree(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().expect("a parent")).expect("a folder");
        fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }
}

/// A program and the libraries that it loads, at the same places.
fn copy_program(program: &Path, root: &Path) {
    let place = |path: &Path| root.join(path.strip_prefix("/").expect("an absolute path"));
    assert!(program.exists(), "{} is not installed (scripts/test does)", program.display());
    copy_tree(program, &place(program));
    for line in output(Command::new("ldd").arg(program)).lines() {
        let library = line.split_whitespace().find(|word| word.starts_with('/'));
        if let Some(library) = library.map(Path::new).filter(|path| !place(path).exists()) {
            copy_tree(library, &place(library));
        }
    }
}
