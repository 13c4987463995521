//! `--state FILE…`: texts that were captured on machines.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cli::{Failure, disk};
use crate::diff::report::{Note, NoteKind};
use crate::import;
use crate::state::kind::{self, Captured};

use super::capture::Captures;
use super::machines::{self, Meant};
use super::{Arguments, Outcome};

/// Compares the files that the command line names.
///
/// # Errors
/// Where there is no spec, or nothing that can be compared.
pub(super) fn compare(arguments: &Arguments, files: &[PathBuf]) -> Result<Outcome, Failure> {
    let Some(meant) = Meant::compile(arguments)? else { return Ok(Outcome { report: None, failed: true }) };
    let hosts: BTreeSet<&str> = meant.hosts().iter().map(|host| host.name.as_str()).collect();
    let wanted = machines::wanted_host(arguments, &meant)?;
    let mut captures = Captures::default();
    // Files of `sysctl.d` are read in the order of their names, whatever their folder.
    let mut all = disk::files_below(files)?;
    all.sort_by_key(|path| {
        (path.extension().is_some_and(|end| end == "conf"), path.file_name().map(ToOwned::to_owned))
    });
    for path in &all {
        let captured = match disk::read_captured(path) {
            Ok(captured) => captured,
            Err(failure) => {
                captures.miss(None, failure.message, failure.help.as_deref());
                continue;
            }
        };
        if captured.is_lossy {
            let message = format!("`{}` is not all UTF-8: the bytes that are not count as `\u{fffd}`", path.display());
            captures.notes.push(Note { kind: NoteKind::Info, host: None, message, help: None, place: None });
        }
        let kind = match kind::captured(path, &captured.text) {
            Ok(kind) => kind,
            Err(reason) => {
                let help = "name the file for the program that printed it, such as `ip6tables.rules`";
                captures.miss(None, format!("`{}` cannot be compared: {reason}", path.display()), Some(help));
                continue;
            }
        };
        if kind == Captured::Fw {
            fw(&mut captures, path, captured.text);
            continue;
        }
        let Some(host) = host_of(path, wanted.as_deref(), &hosts) else {
            captures.miss(None, format!("`{}`: which host is it of?", path.display()), Some(HOST_HELP));
            continue;
        };
        if kind == Captured::Settings && path.extension().is_some_and(|extension| extension == "conf") {
            captures.take_settings(&host, path, &captured.text);
            continue;
        }
        captures.take(&host, path, captured.text, kind);
    }
    if captures.pve.is_some() {
        // `.fw` files are the cluster's: every host that takes them is compared, or the one that was named.
        for host in meant.hosts().iter().filter(|host| wanted.as_ref().is_none_or(|wanted| *wanted == host.name)) {
            captures.host(&host.name);
        }
    }
    if captures.hosts.is_empty() && captures.pve.is_none() {
        let first = captures.notes.into_iter().find(|note| note.kind == NoteKind::NotCompared);
        let failure = first.map(|note| (note.message, note.help));
        let (message, help) =
            failure.unwrap_or_else(|| ("there is nothing to compare in these files".to_owned(), None));
        return Err(Failure { help, ..Failure::new(message) });
    }
    let shown: Vec<String> = files.iter().take(3).map(|file| file.display().to_string()).collect();
    let more = files.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let report = machines::compare(arguments, &meant, captures, format!("{}{more}", shown.join(", ")));
    Ok(Outcome { report: Some(report), failed: false })
}

const HOST_HELP: &str = "say it with `--host NAME`, or put the host's name into the file's name or its folder's";

/// The host that a file is of: the one that was named, the one whose name its path has, the only one there is.
fn host_of(path: &Path, wanted: Option<&str>, hosts: &BTreeSet<&str>) -> Option<String> {
    if let Some(wanted) = wanted {
        return Some(wanted.to_owned());
    }
    let parts: Vec<String> =
        path.components().rev().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let exact = parts.iter().find_map(|part| hosts.get(part.as_str()));
    let begins = || {
        let name = parts.first()?;
        let mut fits = hosts.iter().filter(|host| {
            let rest = name.strip_prefix(**host);
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
        });
        let longest = fits.clone().max_by_key(|host| host.len());
        fits.next().and(longest)
    };
    let only = || hosts.iter().next().filter(|_| hosts.len() == 1);
    exact.or_else(begins).or_else(only).map(|host| (*host).to_owned())
}

/// Takes in a `.fw` file under the path that fwc gives such files.
fn fw(captures: &mut Captures, path: &Path, text: String) {
    let whole = path.to_string_lossy().into_owned();
    // The longest end of the path that says whose file it is: `nodes/pm1/host.fw`, `100.fw`.
    let ends =
        std::iter::once(whole.as_str()).chain(whole.match_indices('/').filter_map(|(at, _)| whole.get(at + 1..)));
    let role = ends.filter_map(import::role).next();
    let place = match role {
        Some(import::Role::Cluster) => Some("pve/firewall/cluster.fw".to_owned()),
        Some(import::Role::Host(Some(node))) => Some(format!("pve/nodes/{node}/host.fw")),
        Some(import::Role::Guest(id)) => Some(format!("pve/firewall/{id}.fw")),
        Some(import::Role::Vnet(name)) => Some(format!("pve/sdn/firewall/{name}.fw")),
        Some(import::Role::Host(None) | import::Role::Conf { .. } | import::Role::Corosync) | None => None,
    };
    match place {
        Some(place) => {
            let file = captures.sources.add(path, text);
            captures.pve.get_or_insert_default().insert(place, file);
        }
        None => {
            let help = "as in `/etc/pve`: `firewall/cluster.fw`, `firewall/100.fw`, `nodes/pm1/host.fw`";
            captures.miss(None, format!("`{}`: its path does not say whose file it is", path.display()), Some(help));
        }
    }
}
