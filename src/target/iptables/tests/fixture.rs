//! Policies made by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::diagnostic::{Diagnostics, Span};
use crate::net::{AddressSet, Mac, PortSet, Protocol, parse_prefix};
use crate::policy::*;
use crate::target::{Iptables, Selection, Target, Templates};

pub fn set(text: &str) -> Arc<AddressSet> {
    let mut all = AddressSet::empty();
    for one in text.split_whitespace() {
        let part = if one.contains('-') {
            crate::net::parse_address_range(one).unwrap()
        } else {
            AddressSet::network(parse_prefix(one).unwrap())
        };
        all = all.union(&part);
    }
    Arc::new(all)
}

pub fn origin(identity: &str) -> Origin {
    Origin { zone: ZoneRef::Datacenter, identity: identity.into(), span: Span::default() }
}

/// An accepting `in` rule of every packet.
pub fn rule(identity: &str) -> Rule {
    Rule {
        direction: Direction::In,
        verdict: Verdict::Accept,
        log: Log::None,
        enabled: true,
        interface: RuleInterface::Any,
        source: None,
        dest: None,
        services: Vec::new(),
        macro_name: None,
        comment: None,
        origin: origin(identity),
    }
}

pub fn addresses(text: &str) -> Option<Addresses> {
    Some(Addresses { terms: Vec::new(), set: set(text) })
}

pub fn tcp(ports: &[(u16, u16)]) -> Service {
    Service {
        protocol: Protocol::TCP,
        source_ports: None,
        dest_ports: Some(PortSet::from_ranges(ports.iter().copied())),
        icmp: None,
        tcp_flags: None,
    }
}

pub fn section(zone: ZoneRef, entries: Vec<Entry>) -> Inherited {
    let section = Section { zone: zone.clone(), kind: SectionKind::Rules, entries };
    Inherited { section: Arc::new(section), path: Arc::new([zone]), skipped: Vec::new() }
}

pub fn entries(rules: Vec<Rule>) -> Vec<Entry> {
    rules.into_iter().map(|rule| Entry::Rule(Arc::new(rule))).collect()
}

pub fn list(sections: Vec<Inherited>) -> Arc<RuleList> {
    Arc::new(RuleList { sections })
}

fn on<T>(value: T) -> Setting<T> {
    Setting::default_value(value)
}

pub fn broadcast() -> Arc<AddressSet> {
    set("255.255.255.255 224.0.0.0/4 10.0.0.255 ff00::/8")
}

pub fn host_options() -> HostOptions {
    HostOptions {
        enable: on(true),
        policy_in: on(Verdict::Drop),
        policy_out: on(Verdict::Accept),
        policy_forward: on(Verdict::Accept),
        nosmurfs: on(true),
        tcpflags: on(true),
        ndp: on(true),
        nf_conntrack_allow_invalid: on(false),
        nf_conntrack_max: on(262_144),
        nf_conntrack_tcp_timeout_established: on(432_000),
        nf_conntrack_tcp_timeout_syn_recv: on(60),
        nf_conntrack_helpers: on(Vec::new()),
        protection_synflood: on(false),
        protection_synflood_rate: on(200),
        protection_synflood_burst: on(1000),
        log_level_in: on(Log::None),
        log_level_out: on(Log::None),
        log_level_forward: on(Log::None),
        tcp_flags_log_level: on(Log::None),
        smurf_log_level: on(Log::None),
        log_nf_conntrack: on(false),
        nftables: on(false),
    }
}

pub fn hook_in(rules: Arc<RuleList>, policy: Verdict, log: Log) -> Hook {
    let stages = vec![
        Stage::Loopback,
        Stage::Conntrack { drop_invalid: true },
        Stage::NeighbourDiscovery(&[133, 134, 135, 136]),
        Stage::Blacklist { set: set("198.51.100.0/24"), log: Log::At(LogLevel::Info) },
        Stage::Smurfs { sources: broadcast(), log: Log::At(LogLevel::Info) },
        Stage::TcpFlags { log: Log::At(LogLevel::Warning) },
        Stage::Igmp,
        Stage::Rules(rules),
        Stage::Management {
            peers: set("10.0.0.0/24 2001:db8::/64"),
            ports: PortSet::from_ranges([(22, 22), (3128, 3128), (5900, 5999), (8006, 8006), (60000, 60050)]),
        },
        Stage::Corosync(vec![CorosyncRing { own: set("10.0.0.11"), peers: set("10.0.0.12 10.0.0.14") }]),
        Stage::Noise { reject: policy == Verdict::Reject, broadcast: broadcast() },
        Stage::Policy { verdict: policy, log },
    ];
    Hook { name: HookName::HostIn, stages }
}

pub fn host(rules: Arc<RuleList>) -> HostPolicy {
    HostPolicy {
        name: "pm1".into(),
        span: Span::default(),
        comment: None,
        platform: Platform::Proxmox,
        targets: TargetName::ALL.into_iter().collect(),
        path: Arc::new([ZoneRef::Host("pm1".into())]),
        enabled: true,
        addresses: Vec::new(),
        local_network: Some(set("10.0.0.0/24")),
        broadcast: broadcast(),
        options: host_options(),
        iptables: IptablesOptions { mode: IptablesMode::Exclusive, ipset: false, origin: None },
        hook_in: hook_in(Arc::clone(&rules), Verdict::Drop, Log::At(LogLevel::Info)),
        hook_out: Hook {
            name: HookName::HostOut,
            stages: vec![
                Stage::Loopback,
                Stage::Conntrack { drop_invalid: true },
                Stage::NeighbourDiscovery(&[133, 135, 136]),
                Stage::Igmp,
                Stage::Rules(Arc::clone(&rules)),
                Stage::Policy { verdict: Verdict::Accept, log: Log::None },
            ],
        },
        hook_forward: Hook {
            name: HookName::HostForward,
            stages: vec![
                Stage::Conntrack { drop_invalid: true },
                Stage::Rules(Arc::clone(&rules)),
                Stage::Policy { verdict: Verdict::Drop, log: Log::None },
            ],
        },
        rules,
        guests: Vec::new(),
        vnets: Vec::new(),
        sysctl: Vec::new(),
        sysctl_file: on("zz-fwc.conf".into()),
    }
}

pub fn guest_options() -> GuestOptions {
    GuestOptions {
        enable: on(true),
        macfilter: on(true),
        dhcp: on(true),
        ndp: on(true),
        radv: on(false),
        ipfilter: on(true),
        policy_in: on(Verdict::Drop),
        policy_out: on(Verdict::Accept),
        log_level_in: on(Log::None),
        log_level_out: on(Log::None),
        layer2_protocols: on(None),
        ips: on(false),
        ips_queues: on(None),
    }
}

/// A virtual machine with one NIC for each text of addresses.
pub fn guest(id: u32, bridge: &str, nics: &[&str], rules: Arc<RuleList>, policies: (Verdict, Verdict)) -> GuestPolicy {
    let noise = |verdict: Verdict| {
        (verdict != Verdict::Accept)
            .then(|| Stage::Noise { reject: verdict == Verdict::Reject, broadcast: broadcast() })
    };
    let mut into = vec![
        Stage::StackedVlan,
        Stage::Arp,
        Stage::Conntrack { drop_invalid: true },
        Stage::Smurfs { sources: broadcast(), log: Log::None },
        Stage::Dhcp,
        Stage::NeighbourDiscovery(&[133, 134, 135, 136]),
        Stage::Rules(Arc::clone(&rules)),
    ];
    into.extend(noise(policies.0));
    into.push(Stage::Policy { verdict: policies.0, log: Log::None });
    let mut out = vec![
        Stage::StackedVlan,
        Stage::MacFilter,
        Stage::IpFilter,
        Stage::Arp,
        Stage::Conntrack { drop_invalid: true },
        Stage::Dhcp,
        Stage::RouterAdvertisements,
        Stage::NeighbourDiscovery(&[133, 135, 136]),
        Stage::Rules(Arc::clone(&rules)),
    ];
    out.extend(noise(policies.1));
    out.push(Stage::Policy { verdict: policies.1, log: Log::None });
    let nic = |(index, text): (usize, &&str)| {
        let [_, a, b, c] = id.to_be_bytes();
        let mac = Mac([0xbc, 0x24, a, b, c, u8::try_from(index).unwrap()]);
        let addresses: Vec<_> =
            text.split_whitespace().map(|one| crate::net::InterfaceAddress(parse_prefix(one).unwrap())).collect();
        let own = set(text).union(&AddressSet::address(mac.link_local().into()));
        Nic {
            index: u8::try_from(index).unwrap(),
            device: format!("tap{id}i{index}"),
            bridge: Some(bridge.into()),
            mac: Some(mac),
            tag: None,
            addresses,
            dhcp: false,
            firewall: true,
            sources: Some(Arc::new(own)),
            span: Span::default(),
        }
    };
    GuestPolicy {
        id,
        kind: GuestKind::Vm,
        name: None,
        comment: None,
        span: Span::default(),
        path: Arc::new([ZoneRef::Vm(id)]),
        enabled: true,
        options: guest_options(),
        rules,
        hook_in: Hook { name: HookName::GuestIn, stages: into },
        hook_out: Hook { name: HookName::GuestOut, stages: out },
        nics: nics.iter().enumerate().map(nic).collect(),
    }
}

pub fn fleet(hosts: Vec<HostPolicy>) -> Fleet {
    let options = DatacenterOptions {
        enable: on(true),
        ebtables: on(true),
        policy_in: on(Verdict::Drop),
        policy_out: on(Verdict::Accept),
        policy_forward: on(Verdict::Accept),
        log_ratelimit: on(LogRateLimit { enable: true, rate: 1, unit: "second", burst: 5 }),
    };
    Fleet {
        datacenter: Datacenter { name: None, options },
        hosts,
        groups: BTreeMap::new(),
        vnets: Vec::new(),
        aliases: BTreeMap::new(),
        ipsets: BTreeMap::new(),
    }
}

/// All files by name, and what there is to say.
pub fn compile(fleet: &Fleet) -> (BTreeMap<String, String>, Diagnostics) {
    let templates = Templates::new(BTreeMap::new()).unwrap();
    let compiled = Iptables.compile(fleet, &Selection::default(), &templates).unwrap();
    let name = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    (compiled.files.into_iter().map(|file| (name(&file.path), file.content)).collect(), compiled.diagnostics)
}

/// The file of one kind for one host.
pub fn output(host: HostPolicy, name: &str) -> String {
    let (files, diagnostics) = compile(&fleet(vec![host]));
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    files.get(name).cloned().unwrap_or_default()
}

/// Whether private network namespaces and netfilter are to be had here.
pub fn kernel() -> bool {
    Command::new("unshare").args(["-n", "iptables-legacy", "-S"]).output().is_ok_and(|done| done.status.success())
}

/// Runs a shell script in a private network namespace, its files in the current folder.
pub fn in_namespace(files: &BTreeMap<String, String>, script: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::File::create(folder.path().join(name)).unwrap().write_all(text.as_bytes()).unwrap();
    }
    let output = Command::new("unshare")
        .args(["-n", "sh", "-euc", script])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{out}\n{err}");
    out.into_owned()
}

/// Loads every file twice in a row, by both implementations.
pub fn loads(files: &BTreeMap<String, String>) {
    if !kernel() {
        return;
    }
    for kind in ["legacy", "nft"] {
        let mut script = String::new();
        for _ in 0..2 {
            if files.contains_key("ipset.rules") {
                script.push_str("ipset restore < ipset.rules; ");
            }
            script.push_str(&format!(
                "iptables-{kind}-restore < iptables.rules; ip6tables-{kind}-restore < ip6tables.rules; "
            ));
        }
        in_namespace(files, &script);
    }
    if files.contains_key("ebtables.rules") {
        in_namespace(files, "ebtables-nft-restore < ebtables.rules; ebtables-nft-restore < ebtables.rules");
    }
}

pub fn selection_is_all() -> BTreeSet<TargetName> {
    TargetName::ALL.into_iter().collect()
}
