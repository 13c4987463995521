//! `fwc import`: a copy of `/etc/pve` to a spec.

mod review;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::diagnostic::{Diagnostics, SourceMap};
use crate::import::{self, Draft, Imported, verify, write};

use super::report::plural;
use super::{Exit, Failure, Format, Style, console, disk, report};

const EXAMPLES: &str = "Examples:
  fwc import /etc/pve > fleet.yaml          one file; what needs a look goes to standard error
  fwc import /etc/pve -o fleet/             a folder, a file for each node
  fwc import pve-copy -o fleet.yaml --verify
  fwc import pve-copy -o fleet.yaml --format json | jq '.diagnostics[].labels'

DIR is a copy of /etc/pve or any part of it, or a flat folder with cluster.fw,
host.fw, <VMID>.fw and <VMID>.conf. Nothing in it is changed.

Exit status: 0 done (whatever there is to review), 1 `--verify` found a
difference, 2 errors; nothing is written then.";

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// A copy of /etc/pve
    dir: PathBuf,
    /// The file (`.yaml`, `.yml`) or else the folder to write the spec to; neither may exist [default: standard output]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Make groups, zones and `guests` blocks of what guests have in common; the order of rules stays
    #[arg(long)]
    factor: bool,
    /// Compile the spec for Proxmox VE, and compare the result with DIR, rule by rule
    #[arg(long)]
    verify: bool,
    /// How the list of what to review is written: for people to standard error, as JSON to standard output (to standard
    /// error where the spec itself goes to standard output)
    #[arg(long, default_value = "human")]
    format: Format,
}

/// Runs it.
///
/// # Errors
/// Where the folder cannot be read or the spec not written.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let (sources, inputs, mut found) = disk::read_copy(&arguments.dir)?;
    if found.has_errors() {
        found.sort();
        say_findings(arguments, &sources, &found)?;
        return Ok(Exit::Failed);
    }
    let Imported { mut draft, review } = import::import(&sources, &inputs);
    if arguments.factor {
        import::factor(&mut draft);
    }
    found.append(review);
    found.sort();
    let texts = match arguments.output.as_deref() {
        None => BTreeMap::from([("fwc.yaml".to_owned(), write::file(&draft))]),
        Some(path) if is_file(path) => BTreeMap::from([(path.display().to_string(), write::file(&draft))]),
        Some(_) => write::folder(&draft),
    };
    let verified = arguments.verify.then(|| {
        let texts: Vec<(String, String)> = texts.iter().map(|(path, text)| (path.clone(), text.clone())).collect();
        verify::verify(&sources, &inputs, &texts)
    });
    match (arguments.output.as_deref(), texts.first_key_value()) {
        (None, Some((_, text))) => console::data(text)?,
        (Some(path), Some((_, text))) if is_file(path) => disk::write_new_file(path, text)?,
        (Some(path), _) => disk::write_new_folder(path, &texts)?,
        (None, None) => {}
    }
    match arguments.format {
        Format::Json => say_findings(arguments, &sources, &found)?,
        Format::Human => console::say(&review::list(&sources, &found, Style::stderr())),
    }
    console::say(&summary(&draft, &found));
    let Some(verified) = verified else { return Ok(Exit::Fine) };
    let (text, same) = review::verified(&sources, &verified, Style::stderr());
    console::say(&text);
    Ok(if same { Exit::Fine } else { Exit::No })
}

fn is_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

fn summary(draft: &Draft, found: &Diagnostics) -> String {
    let counts =
        [plural(draft.hosts.len(), "host"), plural(draft.guests.len(), "guest"), plural(draft.groups.len(), "group")];
    let places = match found.len() {
        0 => "nothing to review".to_owned(),
        number => format!("{} to review", plural(number, "place")),
    };
    format!("{}; {places}\n", counts.join(", "))
}

/// Errors as every command has them, and the list for programs.
fn say_findings(arguments: &Arguments, sources: &SourceMap, found: &Diagnostics) -> Result<(), Failure> {
    match arguments.format {
        Format::Human => console::say(&report::findings(sources, found, Style::stderr())),
        Format::Json => {
            let text = format!("{:#}\n", report::document(sources, found));
            if arguments.output.is_some() { console::data(&text)? } else { console::say(&text) }
        }
    }
    Ok(())
}
