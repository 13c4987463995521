//! Which host a command is about, where the command line may leave it open.
//!
//! In: the fleet, `--host`, and the root whose machine is asked about. Out: one host, or why there is none.

use std::path::Path;

use crate::diagnostic::did_you_mean;
use crate::policy::{Fleet, HostPolicy};

use super::{Failure, disk};

/// The host of that name; else the only one; else the one with the machine's own name.
///
/// # Errors
/// Where the spec has no host of that name, or nothing says which one is meant.
pub(super) fn host<'f>(fleet: &'f Fleet, wanted: Option<&str>, root: &Path) -> Result<&'f HostPolicy, Failure> {
    let names = || fleet.hosts.iter().map(|host| host.name.as_str());
    if let Some(name) = wanted {
        return fleet.hosts.iter().find(|host| host.name == name).ok_or_else(|| {
            Failure::new(format!("the spec has no host `{name}`")).help(did_you_mean(name, "hosts", names()))
        });
    }
    match fleet.hosts.as_slice() {
        [] => return Err(Failure::new("the spec has no hosts")),
        [only] => return Ok(only),
        [_, ..] => {}
    }
    let own = own_name(root);
    own.as_deref().and_then(|name| named(fleet, name)).ok_or_else(|| {
        let why = match own {
            Some(name) => format!("none is named `{name}`, as this machine is"),
            None => "nothing says which one this is".to_owned(),
        };
        Failure::new(format!("the spec has {} hosts, and {why}", fleet.hosts.len()))
            .help(format!("name one by `--host`: {}", some(names())))
    })
}

/// By the whole name, or else by the part before the first dot, if that is one host's alone.
fn named<'f>(fleet: &'f Fleet, name: &str) -> Option<&'f HostPolicy> {
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let exact = fleet.hosts.iter().find(|host| host.name == name);
    exact.or_else(|| {
        let mut alike = fleet.hosts.iter().filter(|host| short(&host.name) == short(name));
        alike.next().filter(|_| alike.next().is_none())
    })
}

/// The machine's name: the kernel's for `/`, else what `etc/hostname` below the root says.
fn own_name(root: &Path) -> Option<String> {
    let name = if root == Path::new("/") {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    } else {
        disk::read_root_file(root, "etc/hostname").ok().flatten()?
    };
    let name = name.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    Some(name.to_owned())
}

/// The first names, and that there are more.
fn some<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const SHOWN: usize = 10;
    let mut names: Vec<String> = names.take(SHOWN + 1).map(|name| format!("`{name}`")).collect();
    if names.len() > SHOWN {
        names.pop();
        names.push("…".to_owned());
    }
    names.join(", ")
}
