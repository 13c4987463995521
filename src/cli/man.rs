//! `fwc man`: manual pages, made from the same definitions as `--help`.

use std::io;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use super::{Exit, Failure, args, console, disk};

const EXAMPLES: &str = "Examples:
  fwc man | man -l -                        read it
  fwc man -o /usr/local/share/man/man1      install fwc.1, fwc-build.1 and the others";

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// Write one page for each command into this folder, instead of all to standard output
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// Where the pages cannot be written.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let pages = pages().map_err(|error| Failure::stdout(&error))?;
    match &arguments.output {
        Some(folder) => disk::write_pages(folder, &pages)?,
        None => pages.iter().try_for_each(|(_, text)| console::data(text))?,
    }
    Ok(Exit::Fine)
}

/// File name and text of every page, the whole program's first.
fn pages() -> io::Result<Vec<(String, String)>> {
    let mut whole = args::Arguments::command();
    whole.build();
    let mut pages = vec![("fwc.1".to_owned(), page(whole.clone())?)];
    for command in whole.get_subcommands() {
        let name: &'static str = format!("fwc-{}", command.get_name()).leak();
        pages.push((format!("{name}.1"), page(command.clone().name(name))?));
    }
    Ok(pages)
}

fn page(command: Command) -> io::Result<String> {
    let mut text = Vec::new();
    Man::new(command).source(concat!("fwc ", env!("CARGO_PKG_VERSION"))).render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
