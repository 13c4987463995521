//! `host.fw`, and what Proxmox VE knows for the whole cluster only.

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::policy::{HostPolicy, ZoneRef};

use super::build::{Build, is_datacenters};
use super::file::FwFile;
use super::{options, tail};

/// Definitions that mean something to Proxmox VE itself, in `cluster.fw` alone.
const RESERVED_IPSETS: [&str; 2] = ["blacklist", "management"];
/// The alias that does.
const RESERVED_ALIAS: &str = "local_network";

/// A host's file.
pub(super) fn file<'a>(build: &mut Build<'a>, host: &'a HostPolicy) -> FwFile {
    let mut header = vec![format!("Compiled by fwc from host/{}. Changes made here are lost.", host.name)];
    header.extend(host.comment.clone());
    let own_policy = tail::has_own_policy(build, host);
    let elsewhere = build.common.is_some() && !own_policy;
    let sections = host.rules.sections.iter().filter(|inherited| !(elsewhere && is_datacenters(&inherited.section)));
    let mut rules: Vec<_> = sections.filter_map(|inherited| build.block(inherited)).collect();
    if own_policy {
        rules.extend(tail::blocks(build, host));
    }
    FwFile { header, options: options::host(&host.options), rules, ..FwFile::default() }
}

/// Complains of definitions below the datacenter that Proxmox VE knows only there, of names that it would take for
/// them, and of nodes whose files it would not find.
pub(super) fn check_scopes(build: &mut Build<'_>) {
    let fleet = build.fleet;
    for host in &build.hosts {
        for zone in host.path.iter().filter(|zone| **zone != ZoneRef::Datacenter) {
            let ipsets = RESERVED_IPSETS.iter().filter_map(|name| {
                fleet.ipsets.get(&(zone.clone(), (*name).to_owned())).map(|ipset| ("ipset", *name, ipset.span))
            });
            let alias = fleet.aliases.get(&(zone.clone(), RESERVED_ALIAS.to_owned()));
            let alias = alias.map(|alias| ("alias", RESERVED_ALIAS, alias.span));
            for (what, name, span) in ipsets.chain(alias) {
                let message = format!("Proxmox VE knows the {what} `{name}` for the whole cluster only");
                build.diagnostics.push(
                    Diagnostic::error(Code::PveScope, span, message)
                        .because(format!("holds for `host/{}`", host.name))
                        .help("define it in the datacenter, or leave `pve` out of the host's `targets`"),
                );
            }
        }
    }
    for host in build.hosts.iter().filter(|host| host.name.contains('.')) {
        let short = host.name.split('.').next().unwrap_or_default();
        let message =
            format!("Proxmox VE names a node without its domain, and would not read the files of `{}`", host.name);
        let error = Diagnostic::error(Code::PveName, host.span, message);
        build.diagnostics.push(error.help(format!("call the host `{short}`, or leave `pve` out of its `targets`")));
    }
    let ipsets = fleet.ipsets.iter().map(|((zone, name), ipset)| (zone, name, ipset.span, &RESERVED_IPSETS[..]));
    let aliases = fleet.aliases.iter().map(|((zone, name), alias)| (zone, name, alias.span, &[RESERVED_ALIAS][..]));
    for (_, name, span, reserved) in ipsets.chain(aliases).filter(|(zone, ..)| **zone == ZoneRef::Datacenter) {
        let lower = name.to_lowercase();
        if *name != lower && reserved.contains(&lower.as_str()) {
            build.diagnostics.push(mistaken(name, &lower, span));
        }
    }
}

fn mistaken(name: &str, lower: &str, span: Span) -> Diagnostic {
    let message = format!("Proxmox VE takes `{name}` for `{lower}`, which has a meaning of its own");
    Diagnostic::error(Code::PveName, span, message).help(format!("write `{lower}` if you mean it, or another name"))
}
