//! The arguments of the command line as a whole; each command's own are in its file.

use clap::{Parser, Subcommand};

use super::{build, check, completions, diff, import, man, schema, show, sysctl, test, trace, verify};

/// Compile one YAML description of a datacenter's firewall into what each machine loads.
///
/// fwc reads a spec and writes iptables-restore input, nft scripts, Proxmox VE .fw files and sysctl.d
/// files that all mean the same. SPEC is a YAML file or a folder of them; by default `fwc.yaml` or the
/// folder `fwc/` in the current folder.
///
/// Exit status: 0 all is well, 1 the answer is "no" (a difference, a failed test, warnings under `--deny`), 2 the command could not do
/// its work (a spec with errors included).
#[derive(Debug, Parser)]
#[command(name = "fwc", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compile a spec into an output tree, or one file of it to standard output
    Build(build::Arguments),
    /// Report every error and warning of a spec; write nothing
    Check(check::Arguments),
    /// Show what a change does: machines, rules, options, and the edit that causes each
    Diff(diff::Arguments),
    /// Show what one machine enforces, each rule with where it comes from
    Show(show::Arguments),
    /// Follow one packet through the hooks on its way, and say what decides at each
    Trace(Box<trace::Arguments>),
    /// Decide the spec's own tests: what becomes of every packet that they speak of
    Test(test::Arguments),
    /// Prove, for every packet, that files or this machine mean what the spec means
    Verify(verify::Arguments),
    /// Say which file has the last word on each kernel setting, and where fwc's values lose
    Sysctl(sysctl::Arguments),
    /// Turn a copy of Proxmox VE's /etc/pve into a spec, and list what needs a look
    Import(import::Arguments),
    /// Print the JSON Schema of the spec language
    ///
    /// Editors with a YAML language server complete and check a spec with it:
    ///
    ///   fwc schema > fwc.schema.json
    ///
    /// and, as the first line of the spec,
    ///
    ///   # yaml-language-server: $schema=fwc.schema.json
    ///
    /// `fwc schema diff` prints the one of what `fwc diff --format json` prints.
    #[command(verbatim_doc_comment)]
    Schema(schema::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
    /// Print the manual page, or write one page for each command
    Man(man::Arguments),
}
