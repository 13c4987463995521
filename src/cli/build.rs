//! `fwc build`: a spec to an output tree, or to one file on standard output.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::diagnostic::did_you_mean;
use crate::policy::{Fleet, HostPolicy};
use crate::target::{Compiled, Doubt, OutputFile, OutputName, Proving, ReadBack, Selection, Templates, Why};

use super::pipeline::{self, Pipeline};
use super::report::plural;
use super::verify::{Listed, Texts};
use super::{Exit, Failure, Style, console, disk, verify};

const EXAMPLES: &str = "Examples:
  fwc build -o out                          everything, into the folder out/
  fwc build fleet.yaml -o out --host pm1    only the files of one host; the others stay
  fwc build --host pm1 --target nft         one file, to standard output
  fwc build --host pm1 --target iptables | ssh pm1 iptables-restore

The folder is replaced in one step: a failed or killed build leaves the old one
whole. Files in it that fwc did not write are kept; files that it wrote
(manifest.json lists them) and that no longer belong are removed, unless --host
or --target narrow the build.";

const UNPROVED: &str = "if no template was replaced this is a fault of fwc: please report it; \
                        `--no-verify` writes the files all the same";

/// Arguments of `build`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// A YAML file, a folder of them, or `-` for standard input [default: fwc.yaml or fwc/]
    spec: Option<PathBuf>,
    /// The folder to write the output tree to; without it, one file goes to standard output
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Only this host's files (may be repeated)
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// Only this kind of file (may be repeated)
    #[arg(long = "target", value_name = "TARGET", value_parser = PossibleValuesParser::new(OutputName::ALL.map(OutputName::name)))]
    targets: Vec<String>,
    /// Do not read the rules back and prove that they mean what the spec says: faults of fwc and of replaced templates go unseen
    #[arg(long)]
    no_verify: bool,
    /// A folder with templates that replace the built-in ones of the same name
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// Where it cannot do its work; nothing is written then.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let templates = match &arguments.templates {
        Some(folder) => templates(disk::read_templates(folder)?)?,
        None => templates(Default::default())?,
    };
    let mut pipeline = Pipeline::run(arguments.spec.as_deref())?;
    let Some(fleet) = pipeline.fleet.take() else {
        pipeline.report();
        return Ok(Exit::Failed);
    };
    let selection = selection(arguments, &fleet)?;
    let room = ReadBack::new(&fleet);
    let proving = (!arguments.no_verify).then(|| Proving::new(&fleet, &room));
    let Compiled { mut files, diagnostics } = compile(&fleet, &selection, &templates, proving.as_ref())?;
    pipeline.diagnostics.append(diagnostics);
    if !pipeline.report() {
        return Ok(Exit::Failed);
    }
    files.retain(|file| selection.wants_output(file.output));
    if let Some(proving) = &proving {
        let texts = Texts { fleet: &fleet, spec: &pipeline.sources, rules: Listed::Made(&files) };
        judge(proving.doubts(&files), texts)?;
    }
    match &arguments.output {
        Some(folder) => {
            let narrowed = selection.hosts.is_some() || selection.outputs.is_some();
            let summary = disk::write_tree(folder, &files, narrowed)?;
            console::say(&format!("{}: {summary}\n", folder.display()));
        }
        None => console::data(&only(&files)?.content)?,
    }
    // All this takes long to take apart for a large spec, and the process ends here.
    std::mem::forget((proving, pipeline));
    std::mem::forget((room, fleet));
    Ok(Exit::Fine)
}

/// Makes the files that are wanted; where there is a proof, those that it takes as well, and looks at each as soon as it is there.
fn compile(
    fleet: &Fleet,
    selection: &Selection,
    templates: &Templates,
    proving: Option<&Proving<'_>>,
) -> Result<Compiled, Failure> {
    let Some(proving) = proving else { return pipeline::compile(fleet, selection, templates, |_| ()) };
    rayon::in_place_scope(|scope| {
        pipeline::compile(fleet, &with_sets(selection, fleet), templates, |made| match made {
            Ok(made) if !made.diagnostics.has_errors() => proving.take(scope, &made.files),
            Ok(_) | Err(_) => proving.leave(),
        })
    })
}

/// Tells what is not proved.
///
/// # Errors
/// Where the rules do something else than the spec says, or that cannot be told.
fn judge(doubts: Vec<Doubt>, texts: Texts<'_>) -> Result<(), Failure> {
    let (open, wrong): (Vec<Doubt>, Vec<Doubt>) = doubts.into_iter().partition(|doubt| doubt.why == Why::OverBudget);
    for doubt in open {
        let message = "warning: it is not proved that these rules mean what the spec says";
        console::say(&format!(
            "{message}: {} of `{}`: its packets are split in too many ways\n",
            doubt.program, doubt.host
        ));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    console::say(&verify::doubts(&wrong, texts, Style::stderr()));
    Err(Failure::new("rules would not do what the spec says, or it cannot be proved; nothing is written")
        .help(UNPROVED))
}

/// What is made where `selection` is wanted: rules that name ipsets are understood, and so proved, with these alone.
fn with_sets(selection: &Selection, fleet: &Fleet) -> Selection {
    let mut wider = selection.clone();
    let names_sets = |host: &HostPolicy| host.iptables.ipset && selection.wants_host(&host.name);
    if let Some(outputs) = &mut wider.outputs
        && [OutputName::Iptables, OutputName::Ip6tables].iter().any(|rules| outputs.contains(rules))
        && fleet.hosts.iter().any(names_sets)
    {
        outputs.insert(OutputName::Ipset);
    }
    wider
}

fn templates(replaced: std::collections::BTreeMap<String, String>) -> Result<Templates, Failure> {
    Templates::new(replaced).map_err(|error| Failure::new(format!("a template does not parse: {error}")))
}

fn selection(arguments: &Arguments, fleet: &Fleet) -> Result<Selection, Failure> {
    let known = || fleet.hosts.iter().map(|host| host.name.as_str());
    if let Some(unknown) = arguments.hosts.iter().find(|host| !known().any(|name| name == *host)) {
        return Err(Failure::new(format!("the spec has no host `{unknown}`")).help(did_you_mean(
            unknown,
            "hosts",
            known(),
        )));
    }
    let named = |output: &OutputName| arguments.targets.iter().any(|name| name == output.name());
    let outputs: BTreeSet<OutputName> = OutputName::ALL.into_iter().filter(named).collect();
    let hosts: BTreeSet<String> = arguments.hosts.iter().cloned().collect();
    Ok(Selection {
        hosts: Some(hosts).filter(|hosts| !hosts.is_empty()),
        outputs: Some(outputs).filter(|outputs| !outputs.is_empty()),
    })
}

/// The one file that standard output can take.
fn only(files: &[OutputFile]) -> Result<&OutputFile, Failure> {
    match files {
        [file] => Ok(file),
        [] => Err(Failure::new("there is no file to print")
            .help("the host does not want this target, or has no use for it: see `targets` in the spec")),
        several => {
            let shown: Vec<String> = several.iter().take(5).map(|file| format!("`{}`", file.path)).collect();
            let dots = if several.len() > shown.len() { ", …" } else { "" };
            let message = format!(
                "standard output takes one file, and this build has {}: {}{dots}",
                plural(several.len(), "file"),
                shown.join(", ")
            );
            Err(Failure::new(message)
                .help("write them to a folder with `-o DIR`, or narrow the build with `--host` and `--target`"))
        }
    }
}
