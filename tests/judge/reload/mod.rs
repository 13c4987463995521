//! Reloading under traffic: of an accepted flow nothing is lost, of a denied one nothing gets through.
//!
//! In: a backend, and how often to reload. One thread sends packets of every kind as fast as it can, over every
//! way through the host, while another loads two versions of a host's files in turn. Every packet is counted where it should,
//! or should not, arrive. Out: a [`Report`]. Both versions say the same of all that is sent, so whatever
//! arrives otherwise comes from a moment at which neither was in force.
//!
//! One such moment is the kernel's own, and known by name (`Traffic::is_young`): on Linux 6.18 (not on 6.1) a new nft set
//! of intervals is empty for some 20 microseconds after the transaction that made it, and longer the larger that is. fwc
//! then lets nothing through that such a set might stop ([`Flavour::Banned`] looks for it), and a rule that accepts by one
//! accepts nothing. So the first packet of a new connection may be lost in these flavours and on such a kernel, and is sent again;
//! an answered connection never sees it. Where no rule drops by such a set before one that accepts ([`Flavour::is_guarded`]),
//! and on other kernels, nothing at all is lost.
//!
//! Gaps that rules can close are looked for with rules that take their time ([`Flavour::Slow`]).

mod flavour;
mod slow;
mod traffic;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fwc::diagnostic::SourceMap;
use fwc::policy::HostPolicy;

use crate::load::{self, Backend};
use crate::topology;

pub use flavour::Flavour;
use flavour::spec;
use traffic::Traffic;

/// The port that is accepted everywhere.
const OPEN: u16 = 5000;
/// The port that is denied everywhere.
const SHUT: u16 = 5001;

/// What was seen.
pub struct Report {
    /// Packets sent.
    pub sent: u64,
    /// Times the files were loaded.
    pub reloads: usize,
    /// How long that took.
    pub took: Duration,
    /// What went wrong, a line for each stream.
    pub wrong: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, reloads, took, wrong } = self;
        write!(f, "{reloads} reloads, {sent} packets in {took:.2?}, {} streams wrong", wrong.len())?;
        wrong.iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

/// Builds, loads, and reloads so often under traffic, in the namespace that this process runs in.
///
/// # Errors
/// What a program or the kernel said; and where the traffic proves nothing, because it is judged otherwise
/// than it should be while nothing is reloaded, or arrives or not for another reason than the rules.
pub fn run(backend: Backend, flavour: Flavour, reloads: usize) -> io::Result<Report> {
    let versions = [compile(flavour, false, backend)?, compile(flavour, true, backend)?];
    let [(host, files), _] = &versions;
    let network = topology::build(host)?;
    let mut traffic = Traffic::new(&network, backend, flavour)?;
    // Without rules everything arrives: what does not arrive later was stopped by rules. Bridges take their time to
    // come up, and IPv6 takes no packets on one that is not.
    let start = Instant::now();
    while let Some(lost) = traffic.lost_all() {
        if start.elapsed() > Duration::from_secs(10) {
            return Err(io::Error::other(format!("without any rules these do not arrive: {lost}")));
        }
        std::thread::sleep(Duration::from_millis(10));
        traffic.round()?;
    }
    load::load(host, files, backend)?;
    traffic.reset();
    for _ in 0..20 {
        traffic.round()?;
    }
    if !traffic.wrong().is_empty() {
        return Err(io::Error::other(format!("wrong without a reload:\n{}", traffic.wrong().join("\n"))));
    }
    let before = traffic.sent();
    let over = AtomicBool::new(false);
    let start = Instant::now();
    let (sending, reloading) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                traffic.round()?;
            }
            Ok(())
        });
        let loaded = (0..reloads).try_for_each(|number| {
            let (host, files) = &versions[(number + 1) % 2];
            if flavour == Flavour::Slow {
                crate::run::run("nft", &["-f", "-"], &slow::beside(backend))?;
            }
            load::reload(host, files, backend)
        });
        over.store(true, Ordering::Relaxed);
        (sender.join().unwrap_or_else(|_| Err(io::Error::other("the sender panicked"))), loaded)
    });
    sending?;
    reloading?;
    let sent = traffic.sent() - before;
    if sent < 20 * reloads as u64 {
        return Err(io::Error::other(format!("only {sent} packets were sent beside {reloads} reloads")));
    }
    Ok(Report { sent, reloads, took: start.elapsed(), wrong: traffic.wrong() })
}

type Version = (HostPolicy, BTreeMap<String, String>);

fn compile(flavour: Flavour, second: bool, backend: Backend) -> io::Result<Version> {
    let mut sources = SourceMap::default();
    sources.add("reload.yaml", spec(flavour, second));
    let fleet = load::fleet(&sources).map_err(io::Error::other)?;
    let fleet = load::retargeted(fleet, "pm1", backend.target());
    let files = load::files(&fleet, "pm1").map_err(io::Error::other)?;
    let host = fleet.hosts.into_iter().next().ok_or_else(|| io::Error::other("no host"))?;
    let files = match flavour {
        Flavour::Slow => slow::slowed(files, backend),
        Flavour::Banned => slow::lengthened(files, backend),
        Flavour::Own | Flavour::Networks | Flavour::Ipset | Flavour::Shared => files,
    };
    Ok((host, files))
}
