//! What guests have in common, said once.
//!
//! In: a draft in which every guest has its own rules and options. Out: the same draft with `guests` blocks, zones and
//! groups in their place. Promise: every guest keeps its options and its rules in their exact order.
//!
//! A guest's rules are followed by those of its zone, of its host's `guests` block, and of the datacenter's. So what lists
//! have in common at their *end* moves outwards: first what all guests share, then what those of one host share. Guests
//! that are left with the same become a zone; rules in a row that several lists still share become a group. A rule
//! that speaks of a guest's own names stays where these are known.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Body, Draft, Group, Guest, Rule};

/// The fewest rules that are worth a group.
const RUN_MIN: usize = 2;
/// The longest name of a group in Proxmox VE.
const NAME_MAX: usize = 18;

/// Moves what guests share to where it is said once.
pub fn factor(draft: &mut Draft) {
    let ids: Vec<u32> = draft.guests.keys().copied().collect();
    draft.guests_block = outwards(draft, &ids);
    // A guest of several hosts has the blocks of each; then none of them can hold what only some guests have.
    let placed = |guest: &Guest| matches!(guest.hosts.as_slice(), [host] if draft.hosts.contains_key(host));
    if draft.guests.values().all(placed) {
        let hosts: Vec<String> = draft.hosts.keys().cloned().collect();
        for host in hosts {
            let on: Vec<u32> = ids.iter().copied().filter(|id| is_on(draft, *id, &host)).collect();
            let block = outwards(draft, &on);
            if let Some(host) = draft.hosts.get_mut(&host) {
                host.guests_block = block;
            }
        }
    }
    zones(draft);
    groups(draft);
}

fn is_on(draft: &Draft, id: u32, host: &str) -> bool {
    draft.guests.get(&id).is_some_and(|guest| guest.hosts.first().is_some_and(|name| name == host))
}

/// Takes from guests the options that all of them have and the rules that all of them end in.
fn outwards(draft: &mut Draft, ids: &[u32]) -> Body {
    let guests: Vec<&Guest> = ids.iter().filter_map(|id| draft.guests.get(id)).collect();
    let mut block = Body::default();
    let Some((first, others)) = guests.split_first().filter(|(_, others)| !others.is_empty()) else { return block };
    block.options = first.body.options.clone();
    block.options.retain(|option| others.iter().all(|guest| guest.body.options.contains(option)));
    let shared = others.iter().fold(first.body.rules.len(), |shared, guest| {
        let pairs = first.body.rules.iter().rev().zip(guest.body.rules.iter().rev());
        shared.min(pairs.take_while(|(one, other)| one == other).count())
    });
    let tail = first.body.rules.iter().rev().take(shared);
    let movable = tail.take_while(|rule| guests.iter().all(|guest| is_movable(rule, &guest.body))).count();
    block.rules = first.body.rules.iter().skip(first.body.rules.len() - movable).cloned().collect();
    for id in ids {
        if let Some(guest) = draft.guests.get_mut(id) {
            guest.body.options.retain(|option| !block.options.contains(option));
            guest.body.rules.truncate(guest.body.rules.len().saturating_sub(movable));
        }
    }
    block
}

/// Whether a rule means the same where a guest's own names are not known.
fn is_movable(rule: &Rule, body: &Body) -> bool {
    rule.source.iter().chain(&rule.dest).all(|term| {
        let name = term.trim_start_matches('+');
        !name.starts_with("guest/") && !body.aliases.contains_key(name) && !body.ipsets.contains_key(name)
    })
}

/// Guests with the same options and rules inherit them from a zone.
fn zones(draft: &mut Draft) {
    let mut alike: Vec<(Body, Vec<u32>)> = Vec::new();
    let mut places: BTreeMap<(Vec<Rule>, String), usize> = BTreeMap::new();
    for (id, guest) in &draft.guests {
        let movable = guest.body.rules.iter().all(|rule| is_movable(rule, &guest.body));
        if guest.body.rules.is_empty() || !movable {
            continue;
        }
        let key = (guest.body.rules.clone(), format!("{:?}", guest.body.options));
        let at = *places.entry(key).or_insert_with(|| {
            let (options, rules) = (guest.body.options.clone(), guest.body.rules.clone());
            alike.push((Body { options, rules, ..Body::default() }, Vec::new()));
            alike.len() - 1
        });
        if let Some((_, ids)) = alike.get_mut(at) {
            ids.push(*id);
        }
    }
    for (body, ids) in alike.into_iter().filter(|(_, ids)| ids.len() > 1) {
        let names: BTreeSet<String> = ids.iter().filter_map(|id| draft.guests.get(id)).filter_map(stem).collect();
        let wish = match (names.len(), names.first()) {
            (1, Some(name)) => name.clone(),
            _ => "shared".to_owned(),
        };
        let name = free(&wish, 64, |name| draft.zones.contains_key(name));
        for id in ids {
            if let Some(guest) = draft.guests.get_mut(&id) {
                guest.body.options.clear();
                guest.body.rules.clear();
                guest.inherits = vec![name.clone()];
            }
        }
        draft.zones.insert(name, body);
    }
}

/// A guest's name without its number: `web` of `web-01`.
fn stem(guest: &Guest) -> Option<String> {
    let name = guest.name.as_deref()?.split('.').next()?;
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_'));
    crate::state::fw::is_name(stem).then(|| stem.to_ascii_lowercase())
}

/// `wish`, or `wish-2` and so on.
fn free(wish: &str, longest: usize, taken: impl Fn(&str) -> bool) -> String {
    let mut name: String = wish.chars().take(longest).collect();
    let mut count = 2_u32;
    while taken(&name) {
        let ending = format!("-{count}");
        name = wish.chars().take(longest.saturating_sub(ending.len())).chain(ending.chars()).collect();
        count += 1;
    }
    name
}

/// Whose list of rules it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Guest(u32),
    Zone(String),
}

/// Rules in a row that several lists share become a group, the longest rows first.
fn groups(draft: &mut Draft) {
    let mut lists = Lists::of(draft);
    for length in (RUN_MIN..=lists.longest()).rev() {
        for (run, owners) in lists.shared(length) {
            // A longer row, or another one of this length, may have taken some of it.
            let owners: Vec<Owner> = owners.into_iter().filter(|owner| lists.has(owner, &run)).collect();
            if owners.len() < 2 {
                continue;
            }
            let rules: Vec<Rule> = run.iter().filter_map(|number| lists.rules.get(*number).cloned()).collect();
            let wish = rules.iter().find_map(|rule| rule.macro_name).map(str::to_ascii_lowercase);
            let wish = wish.filter(|name| crate::state::fw::is_name(name)).unwrap_or_else(|| "common".to_owned());
            let name = free(&wish, NAME_MAX, |name| draft.groups.contains_key(name));
            lists.replace(&owners, &run, &name);
            draft.groups.insert(name, Group { comment: None, rules });
        }
    }
    for (owner, numbers) in lists.lists {
        let rules: Vec<Rule> = numbers.iter().filter_map(|number| lists.rules.get(*number).cloned()).collect();
        match owner {
            Owner::Guest(id) => {
                if let Some(guest) = draft.guests.get_mut(&id) {
                    guest.body.rules = rules;
                }
            }
            Owner::Zone(name) => {
                if let Some(zone) = draft.zones.get_mut(&name) {
                    zone.rules = rules;
                }
            }
        }
    }
}

/// Lists of rules, each rule by number: equal rules have one number.
struct Lists {
    rules: Vec<Rule>,
    /// Whether a rule may stand in a group.
    groupable: Vec<bool>,
    lists: BTreeMap<Owner, Vec<usize>>,
}

impl Lists {
    fn of(draft: &Draft) -> Self {
        let mut numbers: BTreeMap<Rule, usize> = BTreeMap::new();
        let mut all = Self { rules: Vec::new(), groupable: Vec::new(), lists: BTreeMap::new() };
        let guests = draft.guests.iter().map(|(id, guest)| (Owner::Guest(*id), &guest.body));
        let zones = draft.zones.iter().map(|(name, body)| (Owner::Zone(name.clone()), body));
        for (owner, body) in guests.chain(zones).filter(|(_, body)| !body.rules.is_empty()) {
            let list = body.rules.iter().map(|rule| {
                let number = *numbers.entry(rule.clone()).or_insert_with(|| {
                    all.rules.push(rule.clone());
                    all.groupable.push(rule.head != "group" && rule.iface.is_none());
                    all.rules.len() - 1
                });
                if !is_movable(rule, body) {
                    // What is not the same everywhere is the same nowhere.
                    if let Some(groupable) = all.groupable.get_mut(number) {
                        *groupable = false;
                    }
                }
                number
            });
            let list: Vec<usize> = list.collect();
            all.lists.insert(owner, list);
        }
        all
    }

    fn may(&self, number: usize) -> bool {
        self.groupable.get(number).copied().unwrap_or(false)
    }

    /// The length of the longest row of rules that may stand in a group.
    fn longest(&self) -> usize {
        let rows = self.lists.values().flat_map(|list| list.split(|number| !self.may(*number)));
        rows.map(<[usize]>::len).max().unwrap_or(0)
    }

    /// Rows of a length that at least two lists have, in the order of their first list and place.
    fn shared(&self, length: usize) -> Vec<(Vec<usize>, BTreeSet<Owner>)> {
        let mut places: BTreeMap<&[usize], usize> = BTreeMap::new();
        let mut rows: Vec<(&[usize], BTreeSet<&Owner>)> = Vec::new();
        for (owner, list) in &self.lists {
            for row in list.windows(length).filter(|row| row.iter().all(|number| self.may(*number))) {
                let at = *places.entry(row).or_insert_with(|| {
                    rows.push((row, BTreeSet::new()));
                    rows.len() - 1
                });
                if let Some((_, owners)) = rows.get_mut(at) {
                    owners.insert(owner);
                }
            }
        }
        let shared = rows.into_iter().filter(|(_, owners)| owners.len() > 1);
        shared.map(|(row, owners)| (row.to_vec(), owners.into_iter().cloned().collect())).collect()
    }

    fn has(&self, owner: &Owner, run: &[usize]) -> bool {
        self.lists.get(owner).is_some_and(|list| list.windows(run.len()).any(|row| row == run))
    }

    /// Puts a reference in the place of every such row.
    fn replace(&mut self, owners: &[Owner], run: &[usize], name: &str) {
        let number = self.rules.len();
        self.rules.push(Rule { head: "group", value: name.to_owned(), ..Rule::default() });
        self.groupable.push(false);
        for owner in owners {
            let Some(list) = self.lists.get_mut(owner) else { continue };
            let mut kept = Vec::with_capacity(list.len());
            let mut rest = list.as_slice();
            while let Some((first, others)) = rest.split_first() {
                match rest.strip_prefix(run) {
                    Some(behind) => {
                        kept.push(number);
                        rest = behind;
                    }
                    None => {
                        kept.push(*first);
                        rest = others;
                    }
                }
            }
            *list = kept;
        }
    }
}
