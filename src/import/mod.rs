//! `/etc/pve` as a spec.
//!
//! In: the text of a copy's files, each with its role. Out: a [`Draft`], and the list of all that a person should look at
//! before it is trusted. The draft becomes text in [`write`].
//!
//! Promise: what is written means to fwc what the files mean to Proxmox VE, and to pve-firewall where its two
//! implementations differ. A line that Proxmox VE passes over does not reach the spec; it is in the list, as is whatever
//! the spec words otherwise, cannot say, or needs and does not find. Nothing is written that lets more pass than today.
//!
//! | file | module |
//! |---|---|
//! | which file is what | `tree` |
//! | names, and what words for addresses stand for | `names`, `define` |
//! | options | `option` |
//! | rules | `rules`, `rule`, `service`, `services` |
//! | nodes | `host` |
//! | guests and their NICs | `guest` |
//! | what fwc itself wrote into a file's head | `compiled` |
//! | what guests share, said once | `factor` |
//! | the draft as YAML | `write` |
//! | the proof that nothing differs | `verify` |
//! | the proof that files mean what a spec means | `proof` |

mod compiled;
mod define;
mod draft;
mod factor;
mod guest;
mod host;
mod names;
mod option;
pub mod proof;
mod review;
mod rule;
mod rules;
mod service;
mod services;
mod tree;
pub mod verify;
pub mod write;

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::diagnostic::{Diagnostics, FileId, SourceMap, Span};
use crate::spec::options::OptionZone;
use crate::state::fw::{self, FwText, Kind};
use crate::state::{corosync, guest_conf};

use compiled::Header;
use guest::{Found, Guests};
use host::Nodes;
use names::{Names, Scope};
use review::Review;
use rule::Context;

pub use draft::Draft;
pub use factor::factor;
pub use tree::{Role, leads_on, role};

/// A file of the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it is.
    pub role: Role,
    /// Its text, in the source map.
    pub file: FileId,
}

/// What an import gives.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The spec.
    pub draft: Draft,
    /// What to look at, in the order of the files.
    pub review: Diagnostics,
}

/// Everything that was read, by what it is.
#[derive(Debug, Default)]
struct Copy<'t> {
    cluster: Option<(FwText<'t>, Span)>,
    nodes: Nodes<'t>,
    guests: Guests<'t>,
    vnets: BTreeMap<String, FwText<'t>>,
}

/// Makes a spec of the files of a copy.
#[must_use]
pub fn import(sources: &SourceMap, inputs: &[Input]) -> Imported {
    let mut review = Review::default();
    let copy = read(sources, inputs, &mut review);
    drafted(&copy, inputs, review)
}

/// The draft of what was read.
fn drafted(copy: &Copy<'_>, inputs: &[Input], mut review: Review) -> Imported {
    let traced = review.traced;
    let nftables = copy.nodes.all_run_nftables();
    let mut draft = Draft::default();
    let names = copy.cluster.as_ref().map(|(text, _)| datacenter(text, nftables, &mut draft, &mut review));
    let names = names.as_ref();
    if copy.cluster.is_none() {
        let message = "there is no `cluster.fw`: what rules mean that use its names is not known";
        let start = inputs.first().map(|input| Span { file: input.file, start: 0, len: 0 }).unwrap_or_default();
        review.unknown(start, message, "import it too; the spec takes the firewall of the cluster as on");
    }
    host::hosts(&copy.nodes, names, copy.cluster.as_ref().map(|(_, span)| *span), &mut draft, &mut review);
    let guests: Vec<_> = copy
        .guests
        .par_iter()
        .map(|(id, found)| {
            let mut review = Review { traced, ..Review::default() };
            (*id, guest::guest(*id, found, names, nftables, &mut review), review)
        })
        .collect();
    for (id, guest, found) in guests {
        draft.guests.insert(id, guest);
        review.found.append(found.found);
    }
    for (name, text) in &copy.vnets {
        vnet(name, text, names, nftables, &mut draft, &mut review);
    }
    if let Some(place) = beyond_nft(copy) {
        draft.targets = ["pve", "iptables", "sysctl"].map(str::to_owned).to_vec();
        let message = "nftables knows no such option, so the spec leaves `nft` out of the `targets`";
        review.unknown(place, message, "to have that output too, take the option away");
    }
    review.found.sort();
    Imported { draft, review: review.found }
}

/// An option of a guest's that the target `nft` refuses.
fn beyond_nft(copy: &Copy<'_>) -> Option<Span> {
    let lines = copy.guests.values().filter_map(|found| found.fw.as_ref()).flat_map(|(text, _)| &text.options);
    let beyond = |name: &str, value: &str| name == "layer2_protocols" || (name == "ips" && value == "1");
    lines.filter(|line| beyond(line.name, line.value.value)).map(|line| line.span).min()
}

fn read<'t>(sources: &'t SourceMap, inputs: &[Input], review: &mut Review) -> Copy<'t> {
    let mut copy = Copy::default();
    let made_up = host::the_only_node(inputs);
    let node_or = |node: &Option<String>| node.clone().or_else(|| made_up.clone());
    for input in inputs {
        let text = sources.text(input.file);
        let start = Span { file: input.file, start: 0, len: 0 };
        if text.contains("\r\n") && !matches!(input.role, Role::Conf { .. } | Role::Corosync) {
            let message = "the lines of this file end as Windows has them, and Proxmox VE may read none of its headers";
            review.unknown(start, message, "the spec has it as if they ended as they should");
        }
        match &input.role {
            Role::Cluster => copy.cluster = Some((fw::read(Kind::Cluster, input.file, text), start)),
            Role::Host(node) => copy.nodes.file(node_or(node), fw::read(Kind::Host, input.file, text), start),
            Role::Guest(id) => {
                let found: &mut Found<'_> = copy.guests.entry(*id).or_default();
                found.fw = Some((fw::read(Kind::Guest, input.file, text), start));
            }
            Role::Vnet(name) => {
                copy.vnets.insert(name.clone(), fw::read(Kind::Vnet, input.file, text));
            }
            Role::Conf { node, machine, id } => {
                let node = node_or(node);
                if let Some(node) = &node {
                    copy.nodes.mention(node);
                }
                let conf = guest_conf::read(input.file, text);
                copy.guests.entry(*id).or_default().confs.push((node, *machine, conf, start));
            }
            Role::Corosync => copy.nodes.corosync = corosync::read(input.file, text),
        }
    }
    copy
}

/// `cluster.fw`, and the names that it defines.
fn datacenter(text: &FwText<'_>, nftables: bool, draft: &mut Draft, review: &mut Review) -> Names {
    review.unread(&text.unread);
    let header = Header::read(&text.header).unwrap_or_default();
    let mut options = option::read(Kind::Cluster, &text.options);
    if !nftables && let Some(at) = options.set.iter().position(|(name, _)| *name == "policy_forward") {
        let (_, value) = options.set.remove(at);
        if value != draft::Value::Text("accept".to_owned())
            && let Some(line) = text.options.iter().rfind(|line| line.name == "policy_forward")
        {
            options.changed.push((line.span, "pve-firewall ignores it, and the spec leaves it out".to_owned()));
        }
    }
    review.options(&options);
    draft.datacenter.options = options.without_defaults(OptionZone::Datacenter).set;
    draft.name = header.name;
    let names = define::define(text, None, &mut draft.datacenter, review);
    let scope = Scope { cluster: Some(&names), guest: None };
    let context =
        Context { kind: Kind::Cluster, in_group: false, scope, nics: None, nftables, compiled: header.is_there };
    draft.datacenter.rules = rules::carry(&context, &text.rules, review);
    for group in &text.groups {
        let context = Context { in_group: true, ..context };
        let rules = rules::carry(&context, &group.rules, review);
        let comment = group.comment.and_then(rule::plain);
        draft.groups.insert(group.name.clone(), draft::Group { comment, rules });
    }
    names
}

fn vnet(name: &str, text: &FwText<'_>, names: Option<&Names>, nftables: bool, draft: &mut Draft, review: &mut Review) {
    review.unread(&text.unread);
    let mut options = option::read(Kind::Vnet, &text.options);
    let header = Header::read(&text.header).unwrap_or_default();
    if !nftables && options.is_on("enable") == Some(true) {
        let place = text.options.iter().rfind(|line| line.name == "enable").map_or(Span::default(), |line| line.span);
        options.set.retain(|(name, _)| *name != "enable");
        options.set.insert(0, ("enable", draft::Value::Text("false".to_owned())));
        let reason = "pve-firewall ignores vnets: the spec has this one with `enable: false`";
        options.changed.push((place, reason.to_owned()));
    }
    review.options(&options);
    let mut body = draft::Body { comment: header.comment, ..draft::Body::default() };
    body.options = options.without_defaults(OptionZone::Vnet).set;
    let scope = Scope { cluster: names, guest: None };
    let context = Context { kind: Kind::Vnet, in_group: false, scope, nics: None, nftables, compiled: header.is_there };
    body.rules = rules::carry(&context, &text.rules, review);
    draft.vnets.insert(name.to_owned(), body);
}

/// Whether a text can be the name of an interface in a spec.
fn is_interface(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=15).contains(&text.len()) && text.bytes().all(good) && !text.starts_with(['.', '-'])
}
