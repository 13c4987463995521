//! How long `fwc import` takes, and how much memory: one node, N guests with 2 NICs and 20 rules each.
//!
//! `cargo bench --bench import`. Times the built program from its start to its end, the spec written, with a copy of
//! `/etc/pve` in memory (tmpfs) and on a disk; reads its peak of memory (VmHWM) just before it ends.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops at the first surprise"
)]

#[path = "support/measure.rs"]
mod measure;
#[path = "support/peak.rs"]
mod peak;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use measure::{Summary, head, row, runs, sizes};

/// The rules of a guest: every kind of address, port and macro, comments included.
fn rules(guest: usize) -> String {
    let mut text = String::new();
    for rule in 0..20 {
        let _ = match rule % 10 {
            0 => writeln!(text, "GROUP group{}", (guest + rule) % 50),
            1 => writeln!(text, "IN SSH(ACCEPT) -source +management # administrators of {guest}"),
            2 => writeln!(text, "IN ACCEPT -p tcp -dport 80,443,8000:8099 -log info"),
            3 => writeln!(text, "IN ACCEPT -source 10.{}.0.0/16 -p udp -dport {}", rule, 1024 + guest % 60_000),
            4 => writeln!(text, "IN DROP -source alias{} -p tcp -dport 22 -i net0", guest % 100),
            5 => writeln!(text, "OUT ACCEPT -dest 10.0.0.1-10.0.0.{} -p tcp -dport domain", 2 + guest % 200),
            6 => writeln!(text, "IN Ping(ACCEPT) -source 2001:db8:{:x}::/48", guest % 65_536),
            7 => writeln!(text, "|IN ACCEPT -source +guest/own -p tcp -dport 9100"),
            8 => writeln!(text, "OUT REJECT -p tcp -dport smtp -dest 192.0.2.1,192.0.2.2"),
            _ => writeln!(text, "IN ACCEPT -p icmp -icmp-type echo-request -source dc/alias{}", rule),
        };
    }
    text
}

/// Writes a copy of `/etc/pve`.
fn copy(folder: &Path, guests: usize) {
    let conf = folder.join("nodes/pve1/qemu-server");
    fs::create_dir_all(&conf).and_then(|()| fs::create_dir_all(folder.join("firewall"))).expect("the folders");
    let mut cluster = String::from("[OPTIONS]\nenable: 1\n\n[ALIASES]\n\nlocal_network 10.0.0.0/24\n");
    for alias in 0..100 {
        let _ = writeln!(cluster, "alias{alias} 10.200.{alias}.0/24 # number {alias}");
    }
    cluster.push_str("\n[IPSET management]\n\n192.0.2.0/28\nalias1\n");
    for group in 0..50 {
        let _ = writeln!(cluster, "\n[group group{group}]\n");
        for rule in 0..10 {
            let _ = writeln!(cluster, "IN ACCEPT -source 10.{group}.{rule}.0/24 -p tcp -dport {}", 1000 + rule);
        }
    }
    fs::write(folder.join("firewall/cluster.fw"), cluster).expect("cluster.fw");
    for guest in 0..guests {
        let id = 100 + guest;
        let mac = |nic: usize| format!("BC:24:{nic:02X}:{:02X}:{:02X}:{:02X}", id >> 16, (id >> 8) & 255, id & 255);
        let text = format!(
            "boot: order=scsi0\ncores: 4\nmemory: 4096\nname: guest{guest}\nnet0: virtio={},bridge=vmbr0,firewall=1,tag=30\n\
             net1: virtio={},bridge=vmbr1,firewall=1\nscsi0: local:vm-{id}-disk-0,size=32G\n",
            mac(0),
            mac(1)
        );
        fs::write(conf.join(format!("{id}.conf")), text).expect("a configuration");
        let text = format!(
            "[OPTIONS]\n\nenable: 1\nipfilter: 1\nlog_level_in: info\n\n[IPSET ipfilter-net0]\n\n10.{}.{}.2\n\n\
             [IPSET own] # of guest {guest}\n\n192.0.2.{}\nalias{}\n\n[RULES]\n\n{}",
            guest / 250,
            guest % 250,
            guest % 250,
            guest % 100,
            rules(guest)
        );
        fs::write(folder.join(format!("firewall/{id}.fw")), text).expect("a guest's file");
    }
}

/// Time of one import.
fn import(folder: &Path, out: &Path) -> Duration {
    let start = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_fwc"))
        .arg("import")
        .arg(folder)
        .arg("-o")
        .arg(out)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("fwc runs");
    let elapsed = start.elapsed();
    assert!(status.success(), "fwc import fails on the generated copy");
    fs::remove_file(out).expect("the spec was written");
    elapsed
}

fn main() {
    let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    head("fwc import");
    for guests in sizes("1000,5000") {
        let out = memory.path().join("fwc.yaml");
        let limit = |text: &'static str| if guests == 5000 { text } else { "" };
        for (what, place) in [("time, from memory", memory.path()), ("time, from disk", disk.path())] {
            let folder = place.join(guests.to_string());
            copy(&folder, guests);
            row(what, guests, Summary::time(runs(10), || Some(import(&folder, &out))), "s", limit("1 s"));
        }
        let folder = memory.path().join(guests.to_string());
        let peaks = (0..runs(5)).map(|_| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_fwc"));
            command.arg("import").arg(&folder).arg("-o").arg(&out);
            let peak = peak::of(command);
            fs::remove_file(&out).expect("the spec was written");
            peak
        });
        row("peak memory", guests, Summary::of(peaks.collect()), "M", limit("200 MB"));
    }
}
