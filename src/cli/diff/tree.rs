//! `--against DIR`: an output tree that was built before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cli::disk::CapturedText;
use crate::state::kind::{self, Captured};
use crate::state::ruleset::Program;

use super::capture::Captures;

/// Files by their path below the folder.
pub(in crate::cli) type Tree = BTreeMap<String, CapturedText>;

/// Sorts the files of a tree to their hosts.
pub(in crate::cli) fn capture(folder: &Path, tree: &Tree) -> Captures {
    let mut captures = Captures { pve: Some(BTreeMap::new()), ..Captures::default() };
    for (path, captured) in tree {
        let shown = folder.join(path);
        if captured.is_lossy {
            captures.miss(None, format!("`{}` is no UTF-8", shown.display()), None);
        }
        match path.split('/').collect::<Vec<_>>()[..] {
            ["pve", ..] => {
                let file = captures.sources.add(shown, captured.text.as_str());
                captures.pve.get_or_insert_default().insert(path.clone(), file);
            }
            ["hosts", host, "sysctl.d", _] => {
                captures.take_settings(host, &shown, &captured.text);
            }
            [
                "hosts",
                host,
                name @ ("iptables.rules" | "ip6tables.rules" | "ebtables.rules" | "ipset.rules" | "fwc.nft"),
            ] => {
                match kind::captured(Path::new(name), &captured.text) {
                    Ok(kind @ (Captured::Rules(_) | Captured::NftJson | Captured::Ipset)) => {
                        captures.take(host, &shown, captured.text.clone(), kind);
                    }
                    // A file of fwc's without a single statement.
                    _ if name == "ipset.rules" => captures.take(host, &shown, captured.text.clone(), Captured::Ipset),
                    Ok(Captured::Settings | Captured::Fw) | Err(_) => {
                        captures.host(host).unknown.extend(program(name));
                        if !captured.is_lossy {
                            let message = format!("`{}` is nothing that fwc writes", shown.display());
                            captures.miss(Some(host), message, None);
                        }
                    }
                }
            }
            ["hosts", host, ..] => {
                let file = captures.sources.add(shown, captured.text.as_str());
                let below = path.split('/').skip(2).collect::<Vec<_>>().join("/");
                captures.host(host).files.insert(below, file);
            }
            _ => {}
        }
    }
    captures
}

/// The program that loads a file of rules.
fn program(name: &str) -> Option<Program> {
    match name {
        "iptables.rules" => Some(Program::Iptables),
        "ip6tables.rules" => Some(Program::Ip6tables),
        "ebtables.rules" => Some(Program::Ebtables),
        "fwc.nft" => Some(Program::Nft),
        _ => None,
    }
}

/// Every host that a tree has files of.
pub(in crate::cli) fn hosts(tree: &Tree) -> BTreeSet<String> {
    let host = |path: &String| {
        let mut parts = path.split('/');
        match (parts.next()?, parts.next()?, parts.next()) {
            ("hosts", host, Some(_)) | ("pve", "nodes", Some(host)) => Some(host.to_owned()),
            (_, _, _) => None,
        }
    };
    tree.keys().filter_map(host).collect()
}
