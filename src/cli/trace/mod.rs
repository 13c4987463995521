//! `fwc trace`: one packet's way, and why it arrives or does not.

mod ask;
pub(in crate::cli) mod setting;
pub(in crate::cli) mod text;
pub(in crate::cli) mod view;

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::policy::State;

use super::pipeline::Pipeline;
use super::{Exit, Failure, Format, Style, console};
use crate::diagnostic::Places;
use view::{NoteView, Viewer};

const EXAMPLES: &str = "Examples:
  fwc trace --from vm/100 --to vm/101       a ping, where both have an address
  fwc trace --from outside --source 203.0.113.9 --to vm/100 --proto tcp --dport https
  fwc trace fleet/ --from vm/100:net1 --to outside --dest 2001:db8::1 --proto udp --dport 53
  fwc trace --from vm/100 --to vm/200 --via host/pm1 --proto tcp --dport 22
  fwc trace --from vm/100 --to vm/101 --proto arp --source 10.0.1.1
  fwc trace --from vm/100 --to outside --vlan 7 --vlan 8
  fwc trace --from vm/100 --to host/pm1 --proto tcp --dport 8006 --format json | jq .verdict

An end E is `outside`, host/NAME, vm/ID or ct/ID, and vm/ID:net1 for another NIC than the first.

What is left out is that of an ordinary first packet: the first address of either end (IPv4 where
both have one, else IPv6), the sending NIC's own MAC address, source port 49152, state new, for TCP a
bare SYN (ACK in the states established and invalid), for ICMP an echo request. Without --proto the
packet is a ping, with --tcp-flags TCP. A TCP or UDP packet that is new needs --dport. `outside`, and a
NIC without a fixed address, need --source or --dest. Between a guest and its host, hosts see the
guest's bridge as their interface, and `lo` on the way to themselves.

A guest that may run on several hosts is taken to be where both ends may be, else on the first by name.

Exit status: 0 whatever the verdict is, 2 where there is no answer.";

/// Arguments of `trace`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// A YAML file, a folder of them, or `-` for standard input [default: fwc.yaml or fwc/]
    spec: Option<PathBuf>,
    /// Where the packet begins: outside, host/NAME, vm/ID, ct/ID, vm/ID:net1
    #[arg(long, value_name = "E")]
    from: String,
    /// Where it ends
    #[arg(long, value_name = "E")]
    to: String,
    /// The host that routes it from one network to another
    #[arg(long, value_name = "HOST")]
    via: Option<String>,
    /// Where a guest runs that may run on several hosts; twice: the host of --from, then that of --to
    #[arg(long, value_name = "HOST")]
    on: Vec<String>,
    /// IP protocol by name or number, or `arp`
    #[arg(long, value_name = "P")]
    proto: Option<String>,
    /// Source address; of ARP the sender's
    #[arg(long, value_name = "A")]
    source: Option<String>,
    /// Destination address; of ARP the target's
    #[arg(long, value_name = "A")]
    dest: Option<String>,
    /// Source port or service
    #[arg(long, value_name = "N")]
    sport: Option<String>,
    /// Destination port or service
    #[arg(long, value_name = "N")]
    dport: Option<String>,
    /// Type of ICMP or ICMPv6 by name or number, or `type/code`
    #[arg(long, value_name = "T")]
    icmp_type: Option<String>,
    /// The host's interface by which the packet comes in from outside or leaves to it
    #[arg(long, value_name = "I")]
    iface: Option<String>,
    /// What connection tracking says of it
    #[arg(long, value_parser = PossibleValuesParser::new(State::ALL.map(State::name)))]
    state: Option<String>,
    /// TCP flags that are set, such as `syn,ack`, or `none`
    #[arg(long, value_name = "F")]
    tcp_flags: Option<String>,
    /// Source MAC address
    #[arg(long, value_name = "M")]
    mac: Option<String>,
    /// A VLAN tag that the sender puts on the frame; twice: a tag within a tag
    #[arg(long, value_name = "TAG", value_parser = clap::value_parser!(u16).range(0..=4095))]
    vlan: Vec<u16>,
    /// What the frame carries, by name or number (`LLDP`, `0x88cc`), where that is not IP
    #[arg(long, value_name = "TYPE", conflicts_with = "proto")]
    ethertype: Option<String>,
    /// IPv4
    #[arg(short = '4', long = "ipv4", conflicts_with = "ipv6")]
    ipv4: bool,
    /// IPv6
    #[arg(short = '6', long = "ipv6")]
    ipv6: bool,
    /// How it is written
    #[arg(long, default_value = "human")]
    format: Format,
}

/// Runs it.
///
/// # Errors
/// Where the question has no answer, or the answer cannot be printed.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let question = ask::question(arguments)?;
    let mut pipeline = Pipeline::run(arguments.spec.as_deref())?;
    if !pipeline.report() {
        return Ok(Exit::Failed);
    }
    let Some(fleet) = &pipeline.fleet else { return Ok(Exit::Failed) };
    let answer = question.ask(fleet).map_err(|reason| Failure::new(reason.message).help(reason.help))?;
    let viewer = Viewer { fleet, places: Places(&pipeline.sources) };
    let mut view = viewer.answer(&answer);
    if let [_] = arguments.vlan.as_slice() {
        let text = "one VLAN tag is looked through: the packet is judged by what is behind it".to_owned();
        view.notes.push(NoteView { text, place: None });
    }
    let printed = match arguments.format {
        Format::Human => text::answer(&view, Style::stdout()),
        Format::Json => format!("{:#}\n", serde_json::json!(view)),
    };
    console::data(&printed)?;
    // The fleet of a large spec takes long to take apart, and the process ends here.
    std::mem::forget(pipeline);
    Ok(Exit::Fine)
}
