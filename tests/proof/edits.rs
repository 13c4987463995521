//! One line of a tree edited: it is caught, or no packet near the edges of any hook can tell.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fwc::analysis::Judge;
use fwc::diagnostic::SourceMap;
use fwc::import::proof::pve;
use fwc::import::{Input, import, role, write};
use fwc::net::Family;
use fwc::policy::{Fleet, GuestKind, Hook, Nic};

use super::packets::Near;
use super::random::Random;
use super::{Tree, against, compiled, kept, resolved, text};

/// Edits that are tried on each tree.
const TRIES: usize = 120;

/// Packets that are tried at each hook of which the clauses are others, of each family.
const PACKETS: usize = 400;

/// What is done to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Edit {
    Drop,
    Swap,
    Widen,
    Narrow,
    Disable,
}

const EDITS: [Edit; 5] = [Edit::Drop, Edit::Swap, Edit::Widen, Edit::Narrow, Edit::Disable];

/// The line edited; none where the edit is nothing for such a line.
fn edited(line: &str, edit: Edit, random: &mut Random) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().take_while(|word| *word != "#").collect();
    let is_rule = ["IN", "OUT", "FORWARD", "GROUP"].contains(words.first()?);
    // One `-option value` of a rule, by a number.
    let mut option = |names: &[&str]| -> Option<usize> {
        let found: Vec<usize> = (0..words.len()).filter(|at| names.contains(&words[*at])).collect();
        (!found.is_empty()).then(|| found[random.below(found.len())])
    };
    let without = |at: usize, count: usize| {
        let kept = words.iter().enumerate().filter(|(index, _)| !(at..at + count).contains(index));
        kept.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
    };
    let with = |at: usize, value: String| {
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        words[at] = value;
        words.join(" ")
    };
    match edit {
        Edit::Drop => Some(String::new()),
        Edit::Swap => None,
        Edit::Disable if is_rule => Some(format!("|{line}")),
        Edit::Disable => Some(match line.split_once(": ")? {
            (name, "0") => format!("{name}: 1"),
            (name, "1") => format!("{name}: 0"),
            (name, "DROP") => format!("{name}: ACCEPT"),
            (name, "ACCEPT") => format!("{name}: DROP"),
            _ => return None,
        }),
        Edit::Widen if is_rule => {
            option(&["-source", "-dest", "-dport", "-sport", "-icmp-type", "-i", "-log"]).map(|at| without(at, 2))
        }
        Edit::Widen => {
            let (address, prefix) = words[words.len() - 1].split_once('/')?;
            let prefix: u8 = prefix.parse().ok()?;
            Some(with(words.len() - 1, format!("{address}/{}", prefix.checked_sub(1)?)))
        }
        Edit::Narrow if is_rule => {
            let Some(at) = option(&["-dport", "-sport"]) else {
                return option(&["-p"]).is_none().then(|| format!("{} -source 192.0.2.0/25", words.join(" ")));
            };
            let value = words.get(at + 1)?;
            let narrower = match (value.rsplit_once(','), value.split_once(':')) {
                (Some((rest, _)), _) => rest.to_owned(),
                (None, Some((_, last))) => last.to_owned(),
                (None, None) => (value.parse::<u16>().ok()? - 1).to_string(),
            };
            Some(with(at + 1, narrower))
        }
        Edit::Narrow => {
            let last = words[words.len() - 1];
            let (address, prefix) = last.split_once('/')?;
            let most = if address.contains(':') { 128 } else { 32 };
            let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix < most)?;
            Some(with(words.len() - 1, format!("{address}/{}", prefix + 1)))
        }
    }
}

/// One edit of one line of a tree, and what was done.
fn mutation(files: &Tree, random: &mut Random) -> Option<(Edit, String, Tree)> {
    let path = files.keys().nth(random.below(files.len()))?;
    let mut lines: Vec<String> = files[path].lines().map(str::to_owned).collect();
    let says = |line: &String| !line.is_empty() && !line.starts_with(['#', '[']);
    let places: Vec<usize> = (0..lines.len()).filter(|at| says(&lines[*at])).collect();
    let chosen = random.below(places.len());
    let at = *places.get(chosen)?;
    let edit = EDITS[random.below(EDITS.len())];
    let before = lines[at].clone();
    if edit == Edit::Swap {
        let next = *places.get(chosen + 1).filter(|next| **next == at + 1)?;
        lines.swap(at, next);
    } else {
        lines[at] = edited(&before, edit, random)?;
    }
    let told = format!("{edit:?} {path}:{}: `{before}` → `{}`", at + 1, lines[at]);
    let mut mutated = files.clone();
    mutated.insert(path.clone(), lines.join("\n") + "\n");
    Some((edit, told, mutated)).filter(|(_, _, mutated)| mutated != files)
}

/// The fleet that an import makes of a tree; none where a line has no words.
fn imported(fleet: &Fleet, files: &Tree) -> Option<Fleet> {
    let mut sources = SourceMap::default();
    let mut inputs: Vec<Input> = Vec::new();
    for (path, text) in files {
        inputs.push(Input { role: role(path.strip_prefix("pve/")?)?, file: sources.add(path, text.as_str()) });
    }
    for (host, guest) in fleet.hosts.iter().flat_map(|host| host.guests.iter().map(move |guest| (host, guest))) {
        let folder = if guest.kind == GuestKind::Vm { "qemu-server" } else { "lxc" };
        let nic = |nic: &Nic| {
            let mac = nic.mac.map_or_else(String::new, |mac| format!("hwaddr={mac},"));
            let bridge = nic.bridge.as_ref().map_or_else(String::new, |bridge| format!("bridge={bridge},"));
            format!("net{}: {mac}{bridge}firewall={}\n", nic.index, u8::from(nic.firewall))
        };
        let path = format!("nodes/{}/{folder}/{}.conf", host.name, guest.id);
        let file = sources.add(&path, guest.nics.iter().map(nic).collect::<String>());
        inputs.push(Input { role: role(&path)?, file });
    }
    let mut imported = import(&sources, &inputs);
    for host in &fleet.hosts {
        if let Some(known) = imported.draft.hosts.get_mut(&host.name) {
            known.addresses = host.addresses.iter().map(|address| address.0.to_string()).collect();
        }
    }
    let mut made = SourceMap::default();
    made.add("fwc.yaml", write::file(&imported.draft));
    resolved(&made)
}

/// A hook, and the NIC that a guest's hook speaks of.
type Side<'f> = (&'f Hook, Option<&'f Nic>);

/// A packet that the evaluator gives another decision after an edit, at any hook of which the clauses are others.
fn told_apart(before: &Fleet, after: &Fleet, random: &mut Random) -> Option<String> {
    let mut hooks: Vec<(String, Side<'_>, Side<'_>)> = Vec::new();
    for (host, other) in before.hosts.iter().zip(&after.hosts) {
        for (one, two) in [
            (&host.hook_in, &other.hook_in),
            (&host.hook_out, &other.hook_out),
            (&host.hook_forward, &other.hook_forward),
        ] {
            hooks.push((host.name.clone(), (one, None), (two, None)));
        }
        for (guest, twin) in host.guests.iter().zip(&other.guests) {
            for (nic, same) in guest.filtered_nics().zip(twin.filtered_nics()) {
                for (one, two) in [(&guest.hook_in, &twin.hook_in), (&guest.hook_out, &twin.hook_out)] {
                    hooks.push((guest.zone().to_string(), (one, Some(nic)), (two, Some(same))));
                }
            }
        }
    }
    for (machine, one, two) in hooks {
        let (one, two) = (Judge::new(one.0, one.1), Judge::new(two.0, two.1));
        let clauses = |judge: &Judge<'_>| -> Vec<_> { judge.clauses().map(|(_, clause, _)| clause.clone()).collect() };
        let (before, after) = (clauses(&one), clauses(&two));
        if before == after {
            continue;
        }
        let near = Near::of(before.iter().chain(&after).flat_map(|clause| &clause.matches));
        for packet in Family::BOTH.into_iter().flat_map(|family| vec![family; PACKETS]) {
            let packet = near.packet(packet, random);
            let (one, two) = (one.decide(&packet), two.decide(&packet));
            if (one.verdict, one.log) != (two.verdict, two.log) {
                return Some(format!("{machine}: {packet:?} {:?} {:?}", one.verdict, two.verdict));
            }
        }
    }
    None
}

#[test]
fn edits_are_caught_or_no_packet_can_tell() {
    let mut count: BTreeMap<Edit, (usize, usize)> = BTreeMap::new();
    let mut wrong = String::new();
    let examples = ["design", "fleet", "proxmox-default", "quickstart"];
    let trees = examples.into_iter().map(|name| kept(name).expect("an example with files for Proxmox VE"));
    let trees = trees
        .chain(std::iter::once(compiled(DENSE).expect("files")))
        .chain(std::iter::once(compiled(DENSE).expect("files")));
    for (seed, (fleet, files)) in (1..).zip(trees) {
        let found = against(&pve(&fleet, &files));
        assert!(found.is_empty(), "{}", text(&found));
        let whole = imported(&fleet, &files).expect("what fwc wrote is a spec");
        let mut random = Random::new(seed);
        for _ in 0..TRIES {
            let Some((edit, told, mutated)) = mutation(&files, &mut random) else { continue };
            let findings = pve(&fleet, &mutated);
            let (caught, quiet) = count.entry(edit).or_default();
            if !against(&findings).is_empty() {
                *caught += 1;
                continue;
            }
            *quiet += 1;
            let other = imported(&fleet, &mutated).expect("what was compared is a spec");
            if let Some(packet) = told_apart(&whole, &other, &mut random) {
                writeln!(wrong, "{told}\n    {packet}").expect("a string");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let caught: usize = count.values().map(|(caught, _)| caught).sum();
    assert!(caught >= 150 && count.len() == EDITS.len(), "{count:?}");
    assert!(count.values().all(|(caught, _)| *caught >= 5), "{count:?}");
}

/// Lists in which nearly every line, and its place, counts.
const DENSE: &str = r#"
version: 1
datacenter:
  options: { policy_in: drop, policy_out: reject, log_ratelimit: { enable: true, rate: 2/second, burst: 7 } }
  aliases: { office: 203.0.113.0/24, local_network: 10.0.0.0/24 }
  ipsets: { management: [office], blacklist: [198.51.100.0/24, "!198.51.100.7"], staff: [office, "2001:db8:1::/48"] }
  rules:
    - { in: drop, proto: tcp, dport: 22, source: 203.0.113.0/28 }
    - { in: accept, macro: SSH, source: +staff }
    - { in: reject, proto: tcp, dport: 1-1000, source: 203.0.112.0/22, log: info }
    - { in: accept, proto: [tcp, udp], dport: [53, 100-200] }
    - { out: accept, proto: udp, dport: 53 }
groups:
  mixed:
    - { in: accept, proto: tcp, dport: 80, source: office }
    - { in: drop, proto: tcp, dport: 80, source: 203.0.112.0/20, log: warning }
    - { in: accept, proto: tcp, dport: [80, 443] }
    - { out: drop, proto: tcp, dport: 25 }
    - { out: accept, macro: Web }
hosts:
  pm1:
    addresses: [10.0.0.11/24, "2001:db8::11/64"]
    options: { nftables: true, policy_forward: drop, log_level_in: info, tcpflags: true }
    rules:
      - { in: accept, proto: tcp, dport: 9100, iface: eno1 }
      - { in: drop, proto: tcp, dport: 9000-9200 }
      - { in: accept, proto: tcp, dport: 9000-9999, source: [10.0.0.0/16, "2001:db8::/32"] }
      - { forward: drop, proto: tcp, dport: 445 }
      - { forward: accept, proto: tcp, dport: 400-500, source: office }
  pm2: { addresses: [10.0.0.12/24], options: { nftables: true, policy_in: accept, nf_conntrack_max: 524288 }, rules: [ { in: drop, macro: Telnet } ] }
vms:
  100:
    host: [pm1, pm2]
    options: { ipfilter: true, policy_out: drop, log_level_out: notice }
    aliases: { peer: 10.0.1.200 }
    nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: [10.0.1.100/24, "2001:db8:2::100/64"] }, net1: { bridge: prod, mac: "BC:24:11:00:01:64", ip: 10.9.1.100/24 } }
    rules:
      - { in: drop, proto: tcp, dport: 443, source: 192.0.2.0/24 }
      - { group: mixed }
      - { in: accept, proto: tcp, dport: 5432, source: peer, iface: net1 }
      - { in: reject, proto: tcp, dport: 5000-6000, iface: net1 }
      - { in: accept, proto: icmp, icmp_type: echo-request, source: 10.0.0.0/8 }
      - { out: accept, proto: tcp, dport: 1-1024, dest: [office, 10.0.0.0/8] }
containers:
  200:
    host: pm2
    options: { macfilter: false, dhcp: false, policy_in: reject }
    nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:C8", ip: 10.0.1.200/24 } }
    rules:
      - { group: mixed, iface: net0 }
      - { in: accept, macro: DNS, source: vm/100 }
      - { in: drop, proto: udp, dport: 1-100 }
      - { in: accept, proto: udp, dport: 50-150, source: 10.0.0.0/8, log: debug }
vnets:
  prod:
    options: { policy_forward: drop }
    rules:
      - { forward: accept, proto: tcp, dport: 5432, source: 10.9.0.0/16 }
      - { forward: drop, proto: tcp, dport: 5000-5500, source: 10.0.0.0/8 }
      - { forward: accept, proto: tcp, dport: 5000-6000 }
"#;
