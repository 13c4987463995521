//! `fwc sysctl`: who has the last word on each kernel setting, among all files that a machine reads.

mod text;
mod view;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::diagnostic::SourceMap;
use crate::policy::HostPolicy;
use crate::state::sysctl::{Node, Resolved, Survey, Tree, read};
use crate::target::{OutputFile, OutputName, Selection, Templates};

use super::pipeline::Pipeline;
use super::{Exit, Failure, Format, Style, console, disk, machine, report};
use view::{Asked, Installed, Report};

const EXAMPLES: &str = "Examples:
  fwc sysctl                                this machine
  fwc sysctl fleet/ --host pm1 --root /mnt  a copy of another one's files
  fwc sysctl --all                          other files' keys too, and the order of files
  fwc sysctl --format json | jq '.keys[] | select(.loses != [])'

Files of sysctl.d are read in the order of their names, whatever their folder, and
the last one that sets a key wins. Two programs read them: `systemd-sysctl` at boot,
and `sysctl --system` by hand, which alone reads /etc/sysctl.conf after all others.
fwc's own file counts as the spec would build it now.

Exit status: 0 all of fwc's values hold, 1 one of them loses, 2 errors.";

/// Arguments of `sysctl`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// A YAML file, a folder of them, or `-` for standard input [default: fwc.yaml or fwc/]
    spec: Option<PathBuf>,
    /// The host of the spec [default: the only one, or the one with this machine's name]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// The folder that stands for `/`; no link leads out of it
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Show keys that only other files set, and the order of the files
    #[arg(long)]
    all: bool,
    /// How it is written
    #[arg(long, default_value = "human")]
    format: Format,
}

/// Runs it.
///
/// # Errors
/// Where there is no such host, the root is no folder, or the answer cannot be printed.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut pipeline = Pipeline::run(arguments.spec.as_deref())?;
    let Some(fleet) = &pipeline.fleet else {
        pipeline.report();
        return Ok(Exit::Failed);
    };
    let name = machine::host(fleet, arguments.host.as_deref(), &arguments.root)?.name.clone();
    let built = built(&mut pipeline, &name)?;
    if !pipeline.report() {
        return Ok(Exit::Failed);
    }
    let hosts = pipeline.fleet.iter().flat_map(|fleet| &fleet.hosts);
    let Some(host) = hosts.into_iter().find(|host| host.name == name) else { return Ok(Exit::Failed) };
    let (files, found) = disk::read_setting_files(&arguments.root, &mut pipeline.sources)?;
    let own = built.iter().find_map(|file| own_file(host, file, &mut pipeline.sources));
    if !found.is_empty() {
        console::say(&report::findings(&pipeline.sources, &found, Style::stderr()));
    }
    let mut tree = files.tree(&pipeline.sources);
    let installed = own.as_ref().map(|own| put(&mut tree, own, &pipeline.sources));
    let survey = Survey::of(&tree, own.as_ref().map(|own| own.path.as_str()));
    let report = Report::new(&Asked {
        host,
        root: &arguments.root,
        installed,
        missing: missing_modules(&built, &arguments.root),
        survey: &survey,
        sources: &pipeline.sources,
    });
    let answer = match arguments.format {
        Format::Human => text::render(&report, arguments.all, Style::stdout()),
        Format::Json => format!("{:#}\n", serde_json::json!(report)),
    };
    console::data(&answer)?;
    Ok(match (found.is_empty(), report.losing) {
        (false, _) => Exit::Failed,
        (true, 0) => Exit::Fine,
        (true, _) => Exit::No,
    })
}

/// fwc's own file at its place.
#[derive(Debug)]
struct Own {
    /// Below the root.
    path: String,
    file: crate::diagnostic::FileId,
}

/// The host's files as the spec would build them.
fn built(pipeline: &mut Pipeline, host: &str) -> Result<Vec<OutputFile>, Failure> {
    let templates = Templates::new(BTreeMap::new()).map_err(|error| Failure::new(error.to_string()))?;
    let selection = Selection {
        hosts: Some([host.to_owned()].into_iter().collect()),
        outputs: Some([OutputName::Sysctl].into_iter().collect()),
    };
    pipeline.compile(&selection, &templates)
}

fn own_file(host: &HostPolicy, file: &OutputFile, sources: &mut SourceMap) -> Option<Own> {
    let name = file.path.strip_prefix(&format!("hosts/{}/sysctl.d/", host.name))?;
    let path = format!("etc/sysctl.d/{name}");
    let file = sources.add(format!("/{path}"), file.content.as_str());
    Some(Own { path, file })
}

/// Puts fwc's file in the place of the one that is there, and says what that is.
fn put<'t>(tree: &mut Tree<'t>, own: &Own, sources: &'t SourceMap) -> Installed {
    let text = sources.text(own.file);
    let settings = |text: &str| {
        let lines = read(own.file, text).lines.into_iter();
        lines.map(|line| (line.key, line.value.map(|value| value.value.to_owned()))).collect::<BTreeMap<_, _>>()
    };
    let installed = match tree.resolve(&own.path) {
        Some(Resolved::Text(_, _, there)) if settings(there) == settings(text) => Installed::Same,
        Some(Resolved::Text(..) | Resolved::Nothing | Resolved::Unreadable(_)) => Installed::Differs,
        None => Installed::Missing,
    };
    tree.put(&own.path, Node::Text(own.file, text));
    installed
}

/// Modules that bring keys of fwc's and that nothing below the root loads at boot.
fn missing_modules(built: &[OutputFile], root: &Path) -> Vec<String> {
    let loaded = disk::read_module_names(root);
    let wanted = built.iter().filter(|file| file.path.ends_with("/modules-load.d/fwc.conf"));
    let lines = wanted.flat_map(|file| file.content.lines()).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter(|name| !loaded.contains(*name)).map(str::to_owned).collect()
}
