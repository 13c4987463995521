//! A proof for people.

use crate::cli::Style;
use crate::cli::report::{harmless, plural};
use crate::cli::trace::text::packet;
use crate::target::Doubt;

use super::view::{self, DoubtView, HostView, Report};

/// Every host, then the notes.
pub(super) fn render(report: &Report, style: Style) -> String {
    let mut text = String::new();
    for host in &report.hosts {
        text.push_str(&one(host, style));
    }
    if !report.exceptions.is_empty() {
        text.push_str("\nknown exceptions, whatever the files say:\n");
        for exception in &report.exceptions {
            text.push_str(&format!("  {}\n", harmless(exception)));
        }
    }
    if !report.notes.is_empty() {
        text.push('\n');
        for note in &report.notes {
            text.push_str(&format!("note: {}\n", harmless(note)));
        }
    }
    text
}

fn one(host: &HostView, style: Style) -> String {
    let programs = host.programs.join(", ");
    let name = style.bold(&harmless(&host.host));
    let mut text = if host.programs.is_empty() {
        format!("{name}: the spec wants no rules of iptables, nft or Proxmox VE here\n")
    } else if host.proved {
        format!("{name}: {} for every packet: {programs}\n", style.paint("32", "proved"))
    } else {
        let count = host.doubts.iter().map(|doubt| doubt.more.unwrap_or(1)).sum();
        format!("{name}: {}, {} ({programs})\n", style.paint("1;31", "not proved"), plural(count, "doubt"))
    };
    for doubt in &host.doubts {
        text.push('\n');
        text.push_str(&lines(doubt, style));
    }
    if !host.doubts.is_empty() {
        text.push('\n');
    }
    for exception in &host.exceptions {
        text.push_str(&format!("  known exception: {}\n", harmless(exception)));
    }
    if !host.others.is_empty() {
        text.push_str(&format!("  not looked at: {}\n", harmless(&host.others.join(", "))));
    }
    text
}

/// A doubt: the way, what is wrong, and the packet.
fn lines(doubt: &DoubtView, style: Style) -> String {
    let program = if doubt.program.is_empty() { String::new() } else { format!("{}: ", style.bold(doubt.program)) };
    let way = match &doubt.way {
        Some(way) => {
            let routed = if way.routed { ", routed" } else { "" };
            let tagged = if way.tagged { ", with a second VLAN tag" } else { "" };
            format!("from {} to {}{routed}{tagged}: ", harmless(&way.from), harmless(&way.to))
        }
        None => String::new(),
    };
    let mut text = format!("  {program}{way}{}\n", harmless(&doubt.message));
    if let Some(witness) = &doubt.witness {
        let hook = witness.hook.as_ref().map(|hook| format!(" ({})", harmless(hook))).unwrap_or_default();
        text.push_str(&format!("      packet  {}\n", packet(&witness.packet)));
        text.push_str(&format!("      spec    {}{hook}\n", harmless(&witness.meant)));
        text.push_str(&format!("      rules   {}\n", harmless(&witness.found)));
    }
    text
}

/// The doubts of a build, by host.
pub(in crate::cli) fn doubts(doubts: &[Doubt], style: Style) -> String {
    let mut text = String::new();
    for of_host in doubts.chunk_by(|a, b| a.host == b.host) {
        let Some(first) = of_host.first() else { continue };
        text.push_str(&format!("{}\n", style.bold(&harmless(&first.host))));
        for doubt in of_host {
            text.push_str(&lines(&view::doubt(doubt, None), style));
        }
        text.push('\n');
    }
    text
}
