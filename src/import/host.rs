//! Nodes: their `host.fw`, and their addresses from `corosync.conf`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::diagnostic::Span;
use crate::spec::options::OptionZone;
use crate::state::corosync::Node;
use crate::state::fw::{FwText, Kind};

use super::compiled::Header;
use super::draft::{Draft, Host};
use super::names::{Names, Scope};
use super::review::Review;
use super::rule::Context;
use super::tree::is_node;
use super::{Input, Role, option, rules};

/// The name of a node where nothing names it.
const MADE_UP: &str = "pve";

/// What is known of the nodes.
#[derive(Debug, Default)]
pub(super) struct Nodes<'t> {
    /// By name.
    files: BTreeMap<String, (FwText<'t>, Span)>,
    /// Every node that a folder names.
    names: BTreeSet<String>,
    /// Nodes of which a file does not say the name.
    nameless: Vec<Span>,
    /// The nodes of `corosync.conf`.
    pub(super) corosync: Vec<Node<'t>>,
    /// Whether what is said once for all nodes is read as the implementation for nftables does, whatever they run.
    pub(super) as_nftables: bool,
}

impl<'t> Nodes<'t> {
    /// A `host.fw`.
    pub(super) fn file(&mut self, node: Option<String>, text: FwText<'t>, start: Span) {
        let name = node.unwrap_or_else(|| {
            self.nameless.push(start);
            MADE_UP.to_owned()
        });
        self.mention(&name);
        self.files.insert(name, (text, start));
    }

    /// A folder of a node's.
    pub(super) fn mention(&mut self, node: &str) {
        self.names.insert(node.to_owned());
    }

    /// Every node, `corosync.conf`'s included.
    pub(super) fn all(&self) -> BTreeSet<String> {
        let listed = self.corosync.iter().filter_map(|node| node.name).map(|name| name.value.to_owned());
        self.names.iter().cloned().chain(listed.filter(|name| is_node(name))).collect()
    }

    /// A node's `host.fw`, and the file's beginning.
    pub(super) fn file_of(&self, node: &str) -> Option<&(FwText<'t>, Span)> {
        self.files.get(node)
    }

    /// Whether every node runs Proxmox VE's implementation for nftables.
    pub(super) fn all_run_nftables(&self) -> bool {
        let on = |(text, _): &(FwText<'t>, Span)| {
            text.options.iter().rfind(|line| line.name == "nftables").is_some_and(|line| line.value.value == "1")
        };
        self.as_nftables || !self.names.is_empty() && self.names.iter().all(|name| self.files.get(name).is_some_and(on))
    }

    /// Whether any does.
    fn some_run_nftables(&self) -> bool {
        self.files.values().any(|(text, _)| {
            text.options.iter().rfind(|line| line.name == "nftables").is_some_and(|line| line.value.value == "1")
        })
    }
}

/// The node that files without one are of: the only one that any file names.
pub(super) fn the_only_node(inputs: &[Input]) -> Option<String> {
    let names: BTreeSet<&String> = inputs
        .iter()
        .filter_map(|input| match &input.role {
            Role::Host(Some(node)) | Role::Conf { node: Some(node), .. } => Some(node),
            Role::Host(None)
            | Role::Conf { node: None, .. }
            | Role::Cluster
            | Role::Guest(_)
            | Role::Vnet(_)
            | Role::Corosync => None,
        })
        .collect();
    let mut names = names.into_iter();
    let first = names.next();
    if names.next().is_none() { first.cloned() } else { None }
}

/// Every node as a host of the spec.
pub(super) fn hosts(
    nodes: &Nodes<'_>,
    names: Option<&Names>,
    cluster: Option<Span>,
    draft: &mut Draft,
    review: &mut Review,
) {
    for place in &nodes.nameless {
        let message = format!("this file does not say of which node it is: the spec calls it `{MADE_UP}`");
        review.unknown(*place, message, "rename the host, or copy `/etc/pve` with its folder `nodes`");
    }
    for name in nodes.all() {
        let mut host = Host::default();
        if let Some((text, _)) = nodes.files.get(&name) {
            file(text, names, &mut host, review);
        }
        let node = nodes.corosync.iter().find(|node| node.name.is_some_and(|text| text.value == name));
        if let Some(node) = node {
            rings(node, &mut host, review);
        }
        local_network(&name, &host, nodes, node.map(|node| node.span).or(cluster), names, review);
        draft.hosts.insert(name, host);
    }
    if nodes.some_run_nftables() && !nodes.all_run_nftables() {
        let place = nodes.files.values().map(|(_, start)| *start).next().unwrap_or_default();
        let message = "some nodes run the implementation for nftables and some do not: they enforce different things";
        review.unknown(place, message, "the spec has what pve-firewall makes of the files");
    }
}

fn file(text: &FwText<'_>, names: Option<&Names>, host: &mut Host, review: &mut Review) {
    review.unread(&text.unread);
    let header = Header::read(&text.header).unwrap_or_default();
    let options = option::read(Kind::Host, &text.options);
    review.options(&options);
    let nftables = options.is_on("nftables") == Some(true);
    host.body.comment = header.comment;
    host.body.options = options.without_defaults(OptionZone::Host).set;
    let scope = Scope { cluster: names, guest: None };
    let context = Context { kind: Kind::Host, in_group: false, scope, nics: None, nftables, compiled: header.is_there };
    host.body.rules = rules::carry(&context, &text.rules, review);
}

/// The first ring's address is the host's; if there are more, all of them are its `corosync`.
fn rings(node: &Node<'_>, host: &mut Host, review: &mut Review) {
    for ring in &node.rings {
        match ring.value.parse::<IpAddr>() {
            Ok(address) => host.corosync.push(address.to_string()),
            Err(_) => review.unknown(
                ring.span,
                format!("`{}` is a name, and the spec needs the node's address", ring.value),
                "write the address under `addresses` and `corosync` of the host",
            ),
        }
    }
    host.addresses = host.corosync.first().cloned().into_iter().collect();
    if host.corosync == host.addresses {
        host.corosync.clear();
    }
}

/// Who may manage the node follows from its local network, of which no file says how large it is.
fn local_network(
    name: &str,
    host: &Host,
    nodes: &Nodes<'_>,
    place: Option<Span>,
    names: Option<&Names>,
    review: &mut Review,
) {
    if names.is_some_and(|names| names.aliases.contains_key("local_network")) {
        return;
    }
    let place = nodes.files.get(name).map(|(_, start)| *start).or(place).unwrap_or_default();
    let help = "define the alias `local_network` in the datacenter, or write the prefix length of the host's network \
                behind its address: whoever is in that network may manage the nodes";
    let message = match host.addresses.first() {
        Some(address) => format!("`{name}` has the address {address}, and its local network is taken to be that alone"),
        None => format!("no file says which address `{name}` has, so that its local network is not known"),
    };
    review.unknown(place, message, help);
}
