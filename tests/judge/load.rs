//! From a spec to fwc's real output, and its output into the kernel, as the README says it is done.
//!
//! In: the files of a spec, a host's name, a backend. Out: the policy of the host as the evaluator reads it, and the
//! loaded tables. Promise: every table is loaded twice before the first packet, and the second time changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use fwc::diagnostic::SourceMap;
use fwc::policy::{Fleet, HookName, HostPolicy, IptablesMode, TargetName};
use fwc::target::{ALL, Selection, Templates};

use crate::run::run;

/// What [`load`] says of files that are not loaded twice as they are loaded once.
pub const CHANGED: &str = "the second load changes what the first has made";

/// What enforces a host's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backend {
    /// `iptables.rules` and `ip6tables.rules` by the old implementation, `ebtables.rules` by the new.
    IptablesLegacy,
    /// All three by the new one.
    IptablesNft,
    /// The table `inet fwc` of `fwc.nft` alone: the hooks of the host, without those of guests and vnets.
    NftHost,
    /// `fwc.nft` whole.
    Nft,
}

impl Backend {
    /// Every backend.
    pub const ALL: [Self; 4] = [Self::IptablesLegacy, Self::IptablesNft, Self::NftHost, Self::Nft];

    /// As the command line takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IptablesLegacy => "iptables-legacy",
            Self::IptablesNft => "iptables-nft",
            Self::NftHost => "nft-host",
            Self::Nft => "nft",
        }
    }

    /// Whether what it loads has this hook.
    pub const fn has(self, hook: HookName) -> bool {
        match (self, hook) {
            (Self::NftHost, HookName::GuestIn | HookName::GuestOut | HookName::VnetForward) => false,
            (Self::NftHost, HookName::HostIn | HookName::HostOut | HookName::HostForward)
            | (Self::IptablesLegacy | Self::IptablesNft | Self::Nft, _) => true,
        }
    }

    /// Which of fwc's targets it loads.
    pub const fn target(self) -> TargetName {
        match self {
            Self::IptablesLegacy | Self::IptablesNft => TargetName::Iptables,
            Self::NftHost | Self::Nft => TargetName::Nft,
        }
    }
}

/// A spec's fleet; an error is its diagnostics.
pub fn fleet(sources: &SourceMap) -> Result<Fleet, String> {
    let (spec, diagnostics) = fwc::spec::load(sources);
    let spec = spec.filter(|_| !diagnostics.has_errors()).ok_or_else(|| format!("{diagnostics:#?}"))?;
    let (fleet, diagnostics) = fwc::resolve::resolve(&spec);
    fleet.ok_or_else(|| format!("{diagnostics:#?}"))
}

/// The fleet with a host's targets set to one that filters, and the kernel's settings; every log line is written, so
/// that each can be expected.
pub fn retargeted(mut fleet: Fleet, host: &str, target: TargetName) -> Fleet {
    for policy in fleet.hosts.iter_mut().filter(|policy| policy.name == host) {
        policy.targets = [target, TargetName::Sysctl].into();
    }
    fleet.datacenter.options.log_ratelimit.value.enable = false;
    fleet
}

/// The files of a host by name (`iptables.rules`, `sysctl.d/zz-fwc.conf`); an error is what fwc says.
pub fn files(fleet: &Fleet, host: &str) -> Result<BTreeMap<String, String>, String> {
    let templates = Templates::new(BTreeMap::new()).map_err(|error| format!("{error:?}"))?;
    let selection = Selection { hosts: Some([host.to_owned()].into()), outputs: None };
    let mut files = BTreeMap::new();
    for target in ALL {
        let compiled = target.compile(fleet, &selection, &templates).map_err(|error| format!("{error:?}"))?;
        if compiled.diagnostics.has_errors() {
            return Err(format!("{:#?}", compiled.diagnostics));
        }
        let start = format!("hosts/{host}/");
        let own = compiled
            .files
            .into_iter()
            .filter_map(|file| file.path.strip_prefix(&start).map(|name| (name.to_owned(), file.content.clone())));
        files.extend(own);
    }
    Ok(files)
}

/// The files with every line for the kernel log sent to netlink instead, its level before its prefix: no namespace but
/// the first writes to the kernel log. Who hears a line is not what is judged, but which lines there are.
pub fn audible(files: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let heard = |text: String| text.lines().map(|line| audible_line(line) + "\n").collect();
    files.into_iter().map(|(name, text)| (name, heard(text))).collect()
}

fn audible_line(line: &str) -> String {
    const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];
    let iptables = line.split_once(" -j LOG --log-level ").and_then(|(tests, log)| {
        let (level, prefix) = log.split_once(" --log-prefix \"")?;
        Some(format!("{tests} -j NFLOG --nflog-group 0 --nflog-prefix \"<{level}>{prefix}"))
    });
    let nft = || {
        let (tests, log) = line.split_once("log prefix \"")?;
        let (prefix, level) = log.split_once("\" level ")?;
        let level = LEVELS.iter().position(|name| *name == level)?;
        Some(format!("{tests}log prefix \"<{level}>{prefix}\" group 0"))
    };
    iptables.or_else(nft).unwrap_or_else(|| line.to_owned())
}

/// Loads a host's files into this network namespace, where nothing was loaded before.
pub fn load(host: &HostPolicy, files: &BTreeMap<String, String>, backend: Backend) -> io::Result<()> {
    for key in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
        set_sysctl(&format!("net.bridge.{key}"), "0")?;
    }
    remember()?;
    reload(host, files, backend)?;
    let first = loaded(backend)?;
    reload(host, files, backend)?;
    if loaded(backend)? != first {
        return Err(io::Error::other(CHANGED));
    }
    if backend.target() == TargetName::Iptables {
        set_sysctl("net.bridge.bridge-nf-filter-vlan-tagged", "1")?;
    }
    sysctls(files)
}

/// What the kernel lists of the tables that a backend loads, without counters.
fn loaded(backend: Backend) -> io::Result<String> {
    let kind = match backend {
        Backend::IptablesLegacy => "legacy",
        Backend::IptablesNft => "nft",
        Backend::NftHost | Backend::Nft => return run("nft", &["-s", "list", "ruleset"], ""),
    };
    let mut text = String::new();
    for program in [format!("iptables-{kind}-save"), format!("ip6tables-{kind}-save"), "ebtables-nft-save".to_owned()] {
        for line in run(&program, &[], "")?.lines().filter(|line| !line.starts_with('#')) {
            // Chains of the kernel's own end with what they have counted.
            text += line.split(" [").next().unwrap_or_default();
            text.push('\n');
        }
    }
    Ok(text)
}

/// Whether connection tracking sees bridged frames, once this is loaded.
pub fn tracks_frames(files: &BTreeMap<String, String>, backend: Backend) -> io::Result<bool> {
    match backend {
        Backend::IptablesLegacy | Backend::IptablesNft => {
            Ok(fs::read_to_string("/proc/sys/net/bridge/bridge-nf-call-iptables")?.trim() == "1")
        }
        Backend::NftHost => Ok(false),
        Backend::Nft => {
            let text = file(files, "fwc.nft")?;
            let bridge = text.find("\ntable bridge fwc {").map_or("", |at| &text[at..]);
            Ok(bridge.contains("ct state "))
        }
    }
}

/// Loads a host's files once more, as on a running host.
pub fn reload(host: &HostPolicy, files: &BTreeMap<String, String>, backend: Backend) -> io::Result<()> {
    match backend {
        Backend::IptablesLegacy => iptables(host, files, "legacy"),
        Backend::IptablesNft => iptables(host, files, "nft"),
        Backend::NftHost => run("nft", &["-f", "-"], &inet_alone(file(files, "fwc.nft")?)).map(drop),
        Backend::Nft => run("nft", &["-f", "-"], file(files, "fwc.nft")?).map(drop),
    }
}

fn file<'a>(files: &'a BTreeMap<String, String>, name: &str) -> io::Result<&'a str> {
    files.get(name).map(String::as_str).ok_or_else(|| io::Error::other(format!("fwc wrote no {name}")))
}

fn iptables(host: &HostPolicy, files: &BTreeMap<String, String>, kind: &str) -> io::Result<()> {
    if let Some(sets) = files.get("ipset.rules") {
        run("ipset", &["restore"], sets)?;
    }
    let shared = matches!(host.iptables.mode, IptablesMode::Shared { .. });
    let restore = |program: &str, text: &str| {
        let flags: &[&str] = if shared { &["--noflush"] } else { &[] };
        run(&format!("{program}-restore"), flags, text)
    };
    for family in ["iptables", "ip6tables"] {
        let text = file(files, &format!("{family}.rules"))?;
        restore(&format!("{family}-{kind}"), text)?;
        if shared {
            run("sh", &["-e"], &entrances(text, family, kind))?;
        }
    }
    if let Some(text) = files.get("ebtables.rules") {
        restore("ebtables-nft", text)?;
        if shared {
            run("sh", &["-e"], &entrances(text, "ebtables", "nft"))?;
        }
    }
    Ok(())
}

/// The commands in a file's head by which packets are led to chains of its own, for one of a family's two programs.
fn entrances(text: &str, family: &str, kind: &str) -> String {
    let commands = text.lines().filter_map(|line| line.strip_prefix("#   "));
    let mine = commands.filter(|line| line.starts_with(&format!("{family} ")) && line.contains(" || "));
    mine.map(|line| line.replace(&format!("{family} "), &format!("{family}-{kind} ")) + "\n").collect()
}

/// A script without its bridge table, which the running kernel may be unable to load.
fn inet_alone(text: &str) -> String {
    let end = text.find("\ntable bridge fwc {").unwrap_or(text.len());
    text[..end].lines().filter(|line| !line.contains("table bridge fwc")).map(|line| format!("{line}\n")).collect()
}

/// The settings of bridges that the host's file makes. Others are left: they are the machine's, not the namespace's, or
/// no filter.
fn sysctls(files: &BTreeMap<String, String>) -> io::Result<()> {
    let lines = files.iter().filter(|(name, _)| name.starts_with("sysctl.d/")).flat_map(|(_, text)| text.lines());
    for (key, value) in lines.filter_map(|line| line.split_once('=')) {
        if key.starts_with("net.bridge.") {
            set_sysctl(key.trim(), value.trim())?;
        }
    }
    Ok(())
}

/// Has connection tracking forget nothing while probes are sent, however slow the machine: the model forgets nothing.
fn remember() -> io::Result<()> {
    for entry in fs::read_dir("/proc/sys/net/netfilter")? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains("_timeout") {
            fs::write(entry.path(), "3600")?;
        }
    }
    Ok(())
}

fn set_sysctl(key: &str, value: &str) -> io::Result<()> {
    let path = Path::new("/proc/sys").join(key.replace('.', "/"));
    fs::write(&path, value).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}
