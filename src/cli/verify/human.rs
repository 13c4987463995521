//! A proof for people.

use crate::cli::Style;
use crate::cli::report::{finding, harmless, plural};
use crate::cli::trace::text::packet;
use crate::target::Doubt;

use super::places::{Drawn, Texts};
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
    let mut before = None;
    for doubt in &host.doubts {
        text.push('\n');
        text.push_str(&lines(doubt, before.replace(doubt), style));
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

/// A doubt: the way, what is wrong, and the packet. What the one before it showed is not shown again.
fn lines(doubt: &DoubtView, before: Option<&DoubtView>, style: Style) -> String {
    let way = match &doubt.way {
        Some(way) => {
            let routed = if way.routed { ", routed" } else { "" };
            let tagged = if way.tagged { ", with a second VLAN tag" } else { "" };
            format!("from {} to {}{routed}{tagged}: ", way.from, way.to)
        }
        None => String::new(),
    };
    let head = |program: &str| {
        let colon = if doubt.program.is_empty() { "" } else { ": " };
        format!("{program}{colon}{}", harmless(&format!("{way}{}", doubt.message)))
    };
    let Drawn { sources, labels } = &doubt.drawn;
    let places = |of: &DoubtView| of.witness.as_ref().map(|one| (one.by.clone(), one.rules.clone()));
    let is_shown = !labels.is_empty() && before.and_then(places) == places(doubt);
    let mut text = if labels.is_empty() || is_shown {
        format!("  {}\n", head(&style.bold(doubt.program)))
    } else {
        finding(sources, &head(doubt.program), labels, None, style)
    };
    if let Some(witness) = &doubt.witness {
        let by = witness.by.iter().map(|by| by.text.as_str());
        let reasons: Vec<&str> = witness.hook.iter().map(String::as_str).chain(by).collect();
        let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", harmless(&reasons.join(": "))) };
        text.push_str(&format!("      packet  {}\n", packet(&witness.packet)));
        text.push_str(&format!("      spec    {}{reasons}\n", harmless(&witness.meant)));
        let at_end = doubt.way.is_some() && witness.rules.is_empty();
        let by = match (is_shown, at_end) {
            (true, _) => " (the same places decide)",
            (false, true) => " (no rule decides, but the end of a chain)",
            (false, false) => "",
        };
        text.push_str(&format!("      rules   {}{by}\n", harmless(&witness.found)));
    }
    text
}

/// The doubts of a build, by host.
pub(in crate::cli) fn doubts(doubts: &[Doubt], texts: Texts<'_>, style: Style) -> String {
    let mut text = String::new();
    for of_host in doubts.chunk_by(|a, b| a.host == b.host) {
        let Some(first) = of_host.first() else { continue };
        text.push_str(&format!("{}\n", style.bold(&harmless(&first.host))));
        let views: Vec<DoubtView> = of_host.iter().map(|doubt| view::doubt(doubt, Some(texts))).collect();
        let mut before = None;
        for view in &views {
            text.push_str(&lines(view, before.replace(view), style));
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Body, Packet};
    use crate::cli::trace::view::packet;
    use crate::cli::verify::places::RuleView;
    use crate::cli::verify::view::WitnessView;
    use crate::diagnostic::{Label, Place, SourceMap, Span};

    fn told(line: u32) -> DoubtView {
        let mut sources = SourceMap::default();
        let file = sources.add("iptables.rules", "-A INPUT -j DROP\n-A INPUT -j ACCEPT\n");
        let label =
            Label { span: Span { file, start: (line - 1) * 17, len: 8 }, text: "iptables stops it here".to_owned() };
        let place = Place { file: "iptables.rules".to_owned(), line };
        let body = Body::Stacked;
        let witness = WitnessView {
            packet: packet(&Packet { body, source_mac: None, in_interface: None, out_interface: None }),
            meant: "accept".to_owned(),
            found: "drop".to_owned(),
            hook: None,
            by: None,
            rules: vec![RuleView { chain: "INPUT".to_owned(), text: "-A INPUT".to_owned(), place }],
        };
        DoubtView {
            program: "iptables",
            way: None,
            message: "packets are treated otherwise".to_owned(),
            witness: Some(witness),
            drawn: Drawn { sources, labels: vec![label] },
            differs: true,
            more: None,
        }
    }

    #[test]
    fn places_are_shown_once_in_a_row() {
        let (first, second, other) = (told(1), told(1), told(2));
        let is_drawn = |text: &str| (text.contains("stops it here"), text.contains("the same places decide"));
        assert_eq!(is_drawn(&lines(&first, None, Style::PLAIN)), (true, false));
        assert_eq!(is_drawn(&lines(&second, Some(&first), Style::PLAIN)), (false, true));
        assert_eq!(is_drawn(&lines(&other, Some(&second), Style::PLAIN)), (true, false));
    }
}
