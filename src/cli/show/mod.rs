//! `fwc show`: what one machine enforces, flattened, each rule with where it comes from.

mod options;
mod text;
mod view;

use std::path::PathBuf;

use clap::Args;

use crate::diagnostic::did_you_mean;
use crate::policy::{Fleet, GuestKind};

use super::pipeline::Pipeline;
use super::{Exit, Failure, Format, Style, console};
use crate::diagnostic::Places;
use view::{Machine, Viewer};

const EXAMPLES: &str = "Examples:
  fwc show host/pm1                         the hooks of a host
  fwc show vm/100                           those of a guest, on each host that may run it
  fwc show fleet/ ct/200:net1               one NIC of a guest
  fwc show vm/100 --format json | jq '.machines[].options'

Rules stand in the order in which they are tried, under the way by which they
were inherited: `vm/100 ← zone/web-tier` wrote nothing itself, its zone did.";

/// Arguments of `show`.
#[derive(Debug, Args)]
#[command(allow_missing_positional = true, after_long_help = EXAMPLES)]
pub struct Arguments {
    /// A YAML file, a folder of them, or `-` for standard input [default: fwc.yaml or fwc/]
    spec: Option<PathBuf>,
    /// The machine: host/NAME, vm/ID or ct/ID, and for one NIC vm/ID:net1
    machine: String,
    /// How it is written
    #[arg(long, default_value = "human")]
    format: Format,
}

/// Runs it.
///
/// # Errors
/// Where there is no such machine, or it cannot be printed.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let wanted = Endpoint::parse(&arguments.machine)?;
    let mut pipeline = Pipeline::run(arguments.spec.as_deref())?;
    if !pipeline.report() {
        return Ok(Exit::Failed);
    }
    let Some(fleet) = &pipeline.fleet else { return Ok(Exit::Failed) };
    let machines = wanted.find(fleet, Places(&pipeline.sources))?;
    let answer = match arguments.format {
        Format::Human => {
            let style = Style::stdout();
            machines.iter().map(|machine| text::render(machine, style)).collect::<Vec<_>>().join("\n")
        }
        Format::Json => format!("{:#}\n", serde_json::json!({ "machines": machines })),
    };
    console::data(&answer)?;
    Ok(Exit::Fine)
}

/// A machine as the command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Endpoint {
    Host(String),
    Guest { kind: GuestKind, id: u32, nic: Option<u8> },
}

impl Endpoint {
    fn parse(text: &str) -> Result<Self, Failure> {
        let unknown = || {
            Failure::new(format!("`{text}` is no machine"))
                .help("write `host/NAME`, `vm/ID` or `ct/ID`, and for one NIC `vm/ID:net1`")
        };
        match text.split_once('/') {
            Some(("host", name)) if !name.is_empty() => Ok(Self::Host(name.to_owned())),
            Some((kind @ ("vm" | "ct"), rest)) => {
                let (id, nic) = match rest.split_once(':') {
                    Some((id, nic)) => (id, Some(nic)),
                    None => (rest, None),
                };
                let id = id.parse().map_err(|_| unknown())?;
                let number = |nic: &str| nic.strip_prefix("net").and_then(|number| number.parse().ok());
                let nic = nic.map(|nic| number(nic).ok_or_else(unknown)).transpose()?;
                let kind = if kind == "vm" { GuestKind::Vm } else { GuestKind::Container };
                Ok(Self::Guest { kind, id, nic })
            }
            Some(_) | None => Err(unknown()),
        }
    }

    fn find(&self, fleet: &Fleet, places: Places<'_>) -> Result<Vec<Machine>, Failure> {
        match self {
            Self::Host(name) => {
                let viewer = Viewer { places, nic: None };
                let host = fleet.hosts.iter().find(|host| host.name == *name).ok_or_else(|| {
                    let known = fleet.hosts.iter().map(|host| host.name.as_str());
                    Failure::new(format!("the spec has no host `{name}`")).help(did_you_mean(name, "hosts", known))
                })?;
                Ok(vec![viewer.host(host)])
            }
            Self::Guest { kind, id, nic } => Self::find_guest(fleet, places, *kind, *id, *nic),
        }
    }

    fn find_guest(
        fleet: &Fleet,
        places: Places<'_>,
        kind: GuestKind,
        id: u32,
        nic: Option<u8>,
    ) -> Result<Vec<Machine>, Failure> {
        let guests = || fleet.hosts.iter().flat_map(|host| &host.guests);
        let wanted = match kind {
            GuestKind::Vm => format!("vm/{id}"),
            GuestKind::Container => format!("ct/{id}"),
        };
        let Some(guest) = guests().find(|guest| guest.id == id) else {
            let known: std::collections::BTreeSet<String> = guests().map(|guest| guest.zone().to_string()).collect();
            return Err(Failure::new(format!("the spec has no guest `{wanted}` on a host")).help(did_you_mean(
                &wanted,
                "guests",
                known.iter().map(String::as_str),
            )));
        };
        if guest.kind != kind {
            return Err(
                Failure::new(format!("there is no `{wanted}`")).help(format!("did you mean `{}`?", guest.zone()))
            );
        }
        if let Some(index) = nic
            && !guest.nics.iter().any(|nic| nic.index == index)
        {
            let known: Vec<String> = guest.nics.iter().map(|nic| format!("`net{}`", nic.index)).collect();
            return Err(Failure::new(format!("`{wanted}` has no NIC `net{index}`"))
                .help(format!("its NICs: {}", known.join(", "))));
        }
        Ok(Viewer { places, nic }.guest(fleet, id))
    }
}
