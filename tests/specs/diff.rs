//! What a comparison of two specs says, held against what both mean: the clauses of every hook, and the files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use fwc::diff::policy::compare;
use fwc::diff::report::{Cause, HostReport, Status};
use fwc::policy::{Clause, Hook, Nic};
use fwc::target::{self, Selection, Templates};

use crate::edits::edited;
use crate::side::{Built, built};
use crate::specs::random::Random;
use crate::specs::random_spec;
use crate::specs::tree::Node;

/// Specs, and edits of each.
const SEEDS: u64 = 120;
const EDITS: usize = 24;
/// Of so many edits one is compiled for every target as well, which takes most of the time.
const COMPILED: usize = 12;

impl Built {
    /// Every output file; none where a target cannot express the spec.
    fn files(&self) -> Option<BTreeMap<String, String>> {
        static TEMPLATES: LazyLock<Templates> =
            LazyLock::new(|| Templates::new(Default::default()).expect("the embedded templates parse"));
        let mut files = BTreeMap::new();
        for target in target::ALL {
            let compiled =
                target.compile(&self.fleet, &Selection::default(), &TEMPLATES).expect("the templates render");
            if compiled.diagnostics.has_errors() {
                return None;
            }
            files.extend(compiled.files.into_iter().map(|file| (file.path, file.content)));
        }
        Some(files)
    }

    /// What each machine of each host means, hook by hook.
    fn meaning(&self) -> BTreeMap<(String, String), BTreeMap<String, Vec<Clause>>> {
        let mut found: BTreeMap<(String, String), BTreeMap<String, Vec<Clause>>> = BTreeMap::new();
        let mut add = |host: &str, machine: String, hook: &Hook, nic: Option<&Nic>, filtered: bool| {
            let hooks = found.entry((host.to_owned(), machine)).or_default();
            let name = nic.map_or(hook.name.name().to_owned(), |nic| format!("net{} {}", nic.index, hook.name.name()));
            let clauses = hook.stages.iter().flat_map(|stage| stage.clauses(hook.name, nic));
            hooks.insert(name, if filtered { clauses.collect() } else { Vec::new() });
        };
        for host in &self.fleet.hosts {
            for hook in [&host.hook_in, &host.hook_out, &host.hook_forward] {
                add(&host.name, format!("host/{}", host.name), hook, None, host.enabled);
            }
            for guest in &host.guests {
                for nic in &guest.nics {
                    for hook in [&guest.hook_in, &guest.hook_out] {
                        let filtered = guest.enabled && nic.firewall;
                        add(&host.name, guest.zone().to_string(), hook, Some(nic), filtered);
                    }
                }
            }
            for vnet in &host.vnets {
                add(&host.name, format!("vnet/{}", vnet.name), &vnet.hook, None, host.enabled);
            }
        }
        found
    }
}

/// What the comparison says wrongly of two specs; none where it is right, or there is nothing to compare.
fn wrong(old: &Built, new: &Built, files: bool) -> Option<String> {
    let (hosts, causes) = compare(old.side(), new.side());
    let (before, after) = (old.meaning(), new.meaning());
    let machines: BTreeSet<&(String, String)> = before.keys().chain(after.keys()).collect();
    for key in machines {
        if before.get(key) == after.get(key) {
            continue;
        }
        let told = reported(&hosts, key);
        let Some((status, why)) = told else { return Some(format!("{key:?} means something else, and is unchanged")) };
        let expected = match (before.contains_key(key), after.contains_key(key)) {
            (true, false) => Status::Removed,
            (false, true) => Status::Added,
            (_, _) => Status::Changed,
        };
        // A guest without NICs means nothing, and is there all the same.
        if status != expected && status != Status::Changed {
            return Some(format!("{key:?} is {expected:?}, and told as {status:?}"));
        }
        let changes = why.iter().filter_map(|at| causes.get(*at)).any(|cause| touches(cause, key));
        if !changes && status == Status::Changed {
            return Some(format!("{key:?} is changed by nothing"));
        }
    }
    if !sound(&hosts, &causes) {
        return Some("a cause of no change, or a machine that is changed by nobody".to_owned());
    }
    let compiled = |side: &Built| if files { side.files() } else { None };
    let (Some(old_files), Some(new_files)) = (compiled(old), compiled(new)) else { return None };
    if old_files != new_files && causes.is_empty() {
        let name = new_files.iter().find(|(name, text)| old_files.get(*name) != Some(text)).map(|(name, _)| name);
        return Some(format!("{name:?} differs, and nothing is told"));
    }
    None
}

fn reported<'h>(hosts: &'h [HostReport], key: &(String, String)) -> Option<(Status, &'h [usize])> {
    let host = hosts.iter().find(|host| host.host == key.0)?;
    let machine = host.machines.iter().find(|machine| machine.machine == key.1)?;
    Some((machine.status, &machine.causes))
}

fn touches(cause: &Cause, key: &(String, String)) -> bool {
    cause.changes.iter().flat_map(|change| &change.at).any(|at| at.host == key.0 && at.machine == key.1)
}

/// Whether all that is told has a reason, and says something.
fn sound(hosts: &[HostReport], causes: &[Cause]) -> bool {
    let says = |cause: &Cause| {
        let mut changes = cause.changes.iter();
        !cause.changes.is_empty()
            && changes.all(|change| change.old != change.new || change.detail.is_some() || change.old.is_none())
    };
    causes.iter().all(says) && hosts.iter().flat_map(|host| &host.machines).all(|machine| !machine.causes.is_empty())
}

#[test]
fn a_spec_against_itself_and_against_another_way_to_write_it() {
    for seed in 0..SEEDS {
        let text = random_spec(seed);
        let spec = built(&text).expect("a random spec compiles");
        let reformatted = format!("# moved\n\n{}", text.replace('\n', "\n\n").replace("  # ", " # "));
        for other in [text.clone(), reformatted] {
            let (hosts, causes) = compare(spec.side(), built(&other).expect("it still compiles").side());
            assert!(causes.is_empty(), "{seed}: {causes:?}");
            assert!(hosts.iter().all(|host| host.status == Status::Unchanged && host.machines.is_empty()), "{seed}");
        }
    }
}

#[test]
fn every_edit_that_means_something_is_told_at_its_machines() {
    let mut found = Vec::new();
    let mut compared = 0;
    for seed in 0..SEEDS {
        let text = random_spec(seed);
        let tree = Node::parse(&text).expect("a tree");
        let old = built(&text).expect("a random spec compiles");
        let mut random = Random::new(seed + 90_000);
        for _ in 0..EDITS {
            let Some((other, done)) = edited(&tree, &mut random) else { continue };
            let other = other.render();
            let Some(new) = built(&other) else { continue };
            compared += 1;
            // Both ways: what comes must be told as well as what goes.
            for (a, b, way) in [(&old, &new, ""), (&new, &old, " (undone)")] {
                let told = || compare(a.side(), b.side()).1.first().map(|cause| cause.path.clone());
                // The order of keys means nothing, and is written nowhere.
                let told = if done.starts_with("keys ") { told().map(|path| format!("{path} is told")) } else { None };
                if let Some(message) = told.or_else(|| wrong(a, b, compared % COMPILED == 0)) {
                    found.push(format!("{seed}: {done}{way}: {message}"));
                }
            }
        }
    }
    assert!(compared > 300, "{compared} edits compile");
    assert!(found.is_empty(), "{} of {compared}:\n{}", found.len(), found.join("\n"));
}
