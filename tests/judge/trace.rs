//! The way that the kernel took, as far as it can be had.
//!
//! In: a probe that model and kernel disagree about. Out: the rules that counted it when it was sent once more. The
//! second time its flow may be known, so the text is for people and no test reads it.

use std::io;

use crate::judge::{Place, Probe};
use crate::load::Backend;
use crate::run::run;
use crate::topology::Network;

/// Sends a probe again and lists the rules that it met.
pub fn again(network: &Network<'_>, backend: Backend, probe: &Probe) -> io::Result<String> {
    let kind = match backend {
        Backend::IptablesLegacy => "legacy",
        Backend::IptablesNft => "nft",
        Backend::NftHost | Backend::Nft => return Ok(String::new()),
    };
    let Place::Port(port) = probe.from else { return Ok(String::new()) };
    let listings = || -> io::Result<Vec<String>> {
        let programs =
            [format!("iptables-{kind}-save"), format!("ip6tables-{kind}-save"), "ebtables-nft-save".to_owned()];
        programs.iter().map(|program| run(program, &["-c"], "")).collect()
    };
    let before = listings()?;
    network.ports[port].tap.send(&probe.frame.encode(u32::MAX))?;
    let mut met = String::from("  the kernel's rules that counted it, sent again:\n");
    for (before, after) in before.iter().zip(listings()?) {
        let changed = before.lines().zip(after.lines()).filter(|(old, new)| old != new && new.contains("-A "));
        for (_, line) in changed {
            met.push_str(&format!("    {line}\n"));
        }
    }
    Ok(met)
}
