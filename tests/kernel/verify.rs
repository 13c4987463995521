//! A machine as `fwc verify --live` sees it: what was loaded is proved from the kernel's own listing, and each change of it
//! that packets notice is told with one of them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;

use serde_json::Value;
use tempfile::TempDir;

use super::common::{Example, built, examples};
use super::drift::{Answer, Backend, asked, example, hosts};
use super::node::BARE;

/// A host of an example, and where its files were compiled to.
struct Machine {
    example: Example,
    host: String,
    out: Rc<TempDir>,
}

impl Machine {
    /// Every host of an example, by name.
    fn all(example: &Example) -> Vec<Self> {
        let out = Rc::new(built(example).0);
        let machine = |host| Self { example: example.clone(), host, out: Rc::clone(&out) };
        hosts(out.path()).into_iter().map(machine).collect()
    }

    /// The host of the example `name` whose names are edited here: of `fleet` the second one, which has ipsets.
    fn of(name: &str) -> Self {
        Self::all(&example(name)).swap_remove(usize::from(name == "fleet"))
    }

    /// What has its files loaded.
    fn backends(&self) -> impl Iterator<Item = Backend> {
        Backend::ALL.into_iter().filter(|backend| backend.can_load(&self.folder()))
    }

    fn folder(&self) -> PathBuf {
        self.out.path().join("hosts").join(&self.host)
    }

    /// What `verify --live` says where the files were loaded and something was edited then.
    fn verified(&self, backend: Backend, edit: &str) -> Answer {
        let folder = self.folder();
        asked("verify", &self.example.path, (&self.host, &folder), &backend.load(&folder), edit)
    }
}

#[test]
fn what_was_loaded_is_proved() {
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for machine in examples().iter().flat_map(Machine::all) {
        for backend in machine.backends() {
            let Answer { status, report, errors } = machine.verified(backend, BARE);
            let said = &report["hosts"][0];
            let programs = said["programs"].as_array().map_or(0, Vec::len);
            let of_all = programs == if backend == Backend::Nft { 1 } else { 2 };
            if status != 0 || said["proved"] != true || !of_all {
                let (example, host) = (&machine.example.name, &machine.host);
                wrong.push(format!("{example} {host} {backend:?}: {report:#}\n{errors}"));
            }
            seen.insert(format!("{backend:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} are not proved:\n{}", wrong.len(), wrong.join("\n\n"));
    assert_eq!(seen.len(), Backend::ALL.len(), "{seen:?}");
}

/// What is edited by hand, and a part of what is told: the way, what the spec says, what the rules do.
const EDITS: &[(&str, Backend, &str, &str)] = &[
    ("server", Backend::Legacy, "iptables-legacy -I INPUT 7 -s 192.0.2.53 -j ACCEPT", "192.0.2.53"),
    ("server", Backend::Nftables, "ip6tables-nft -I OUTPUT 3 -p tcp --dport 25 -j DROP", "the host"),
    (
        "server",
        Backend::Legacy,
        "iptables-legacy -D INPUT -p udp --dport 443 -m comment --comment quic -j ACCEPT",
        "\"dport\":443",
    ),
    ("server", Backend::Legacy, "iptables-legacy -D INPUT -j DROP; iptables-legacy -P INPUT ACCEPT", "host-in"),
    ("server", Backend::Nft, "nft insert rule inet fwc input ip saddr 192.0.2.66 accept", "192.0.2.66"),
    (
        "server",
        Backend::Nft,
        "nft delete rule inet fwc input handle $(nft -a list chain inet fwc input | sed -n 's/.* quic\\\" # handle //p')",
        "443",
    ),
    ("server", Backend::Nft, "nft add element inet fwc ports-24a41751 '{ 9999 }'", "9999"),
    ("server", Backend::Nft, "nft flush chain inet fwc reject-packet", "reject"),
    ("server", Backend::Nft, "nft 'table inet fwc { flags dormant; }'", "an active table `inet fwc` is not there"),
    (
        "server",
        Backend::Nft,
        "nft 'table inet fwc { chain evil { type filter hook input priority -300; policy drop; }; }'",
        "",
    ),
    (
        "docker",
        Backend::Legacy,
        "iptables-legacy -D INPUT -j FWC-INPUT",
        "leads all packets of INPUT to FWC-INPUT is not there",
    ),
    (
        "design",
        Backend::Nftables,
        "iptables-nft -D vm101-net1-in -p tcp --dport 443 -m comment --comment 75b9f6a4 -j ACCEPT",
        "vm/101:net1",
    ),
    (
        "design",
        Backend::Nftables,
        "iptables-nft -D to-port -m physdev --physdev-out tap101i1 -g vm101-net1-in",
        "vm/101:net1",
    ),
    ("fleet", Backend::Legacy, "for s in $(ipset -n list | head -n1); do ipset flush $s; done", ""),
    ("fleet", Backend::Legacy, "ipset add $(ipset -n list | head -n1) 192.0.2.66", "192.0.2.66"),
];

#[test]
fn an_edit_is_told_with_a_packet() {
    let mut wrong = Vec::new();
    for name in ["server", "docker", "design", "fleet"] {
        let machine = Machine::of(name);
        for (_, backend, edit, words) in EDITS.iter().filter(|(of, ..)| *of == name) {
            let answer = machine.verified(*backend, edit);
            let doubts = answer.report["hosts"][0]["doubts"].as_array().cloned().unwrap_or_default();
            let told = |doubt: &Value| {
                let shown = doubt["witness"].is_object() || words.ends_with("is not there");
                shown && doubt["differs"] == true && doubt.to_string().contains(words)
            };
            let right = answer.status == 1 && doubts.iter().any(told);
            if !right {
                let told: Vec<String> = doubts.iter().map(|doubt| format!("{doubt:#}")).collect();
                wrong.push(format!("{edit}: {}\n{}\n{}", answer.status, told.join("\n"), answer.errors));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A machine may have rules of others before fwc's, and edits that no packet notices.
#[test]
fn what_is_no_difference_for_packets() {
    let cases = [
        // The blacklist stands before it.
        ("server", Backend::Legacy, "iptables-legacy -I INPUT 7 -s 192.0.2.66 -j ACCEPT", ""),
        // The chain decides about all packets itself.
        ("server", Backend::Legacy, "iptables-legacy -P FORWARD ACCEPT", ""),
        (
            "server",
            Backend::Nft,
            "nft 'table inet docker { chain c { type nat hook postrouting priority 100; masquerade; }; }'",
            "nft inet docker",
        ),
        (
            "docker",
            Backend::Legacy,
            "iptables-legacy -I INPUT -s 192.0.2.66 -j ACCEPT",
            "1 rule of others before those of fwc",
        ),
    ];
    for (name, backend, edit, words) in cases {
        let answer = Machine::of(name).verified(backend, edit);
        let said = format!("{edit}: {:#}\n{}", answer.report, answer.errors);
        assert_eq!(answer.status, 0, "{said}");
        assert!(said.contains(words), "{said}");
    }
}
