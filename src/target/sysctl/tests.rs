use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{FileId, Span};
use crate::net::AddressSet;
use crate::policy::*;

use super::*;
use crate::policy::Setting;

fn origin(zone: ZoneRef, identity: &str) -> Origin {
    Origin { zone, identity: identity.to_owned(), span: Span { file: FileId(0), start: 1, len: 2 } }
}

fn hook(name: HookName) -> Hook {
    Hook { name, stages: vec![Stage::Policy { verdict: Verdict::Drop, log: Log::None }] }
}

fn host_options() -> HostOptions {
    let on = || Setting::default_value(true);
    let off = || Setting::default_value(false);
    let quiet = || Setting::default_value(Log::None);
    HostOptions {
        enable: on(),
        policy_in: Setting::default_value(Verdict::Drop),
        policy_out: Setting::default_value(Verdict::Accept),
        policy_forward: Setting::default_value(Verdict::Accept),
        nosmurfs: on(),
        tcpflags: off(),
        ndp: on(),
        nf_conntrack_allow_invalid: off(),
        nf_conntrack_max: Setting::default_value(262_144),
        nf_conntrack_tcp_timeout_established: Setting::default_value(432_000),
        nf_conntrack_tcp_timeout_syn_recv: Setting::default_value(60),
        nf_conntrack_helpers: Setting::default_value(Vec::new()),
        protection_synflood: off(),
        protection_synflood_rate: Setting::default_value(200),
        protection_synflood_burst: Setting::default_value(1000),
        log_level_in: quiet(),
        log_level_out: quiet(),
        log_level_forward: quiet(),
        tcp_flags_log_level: quiet(),
        smurf_log_level: quiet(),
        log_nf_conntrack: off(),
        nftables: off(),
    }
}

fn guest() -> GuestPolicy {
    let on = || Setting::default_value(true);
    let off = || Setting::default_value(false);
    GuestPolicy {
        id: 100,
        kind: GuestKind::Vm,
        name: None,
        comment: None,
        span: Span::default(),
        path: Arc::from([ZoneRef::Vm(100)]),
        enabled: true,
        options: GuestOptions {
            enable: on(),
            macfilter: on(),
            dhcp: on(),
            ndp: on(),
            radv: off(),
            ipfilter: off(),
            policy_in: Setting::default_value(Verdict::Drop),
            policy_out: Setting::default_value(Verdict::Accept),
            log_level_in: Setting::default_value(Log::None),
            log_level_out: Setting::default_value(Log::None),
            layer2_protocols: Setting::default_value(None),
            ips: off(),
            ips_queues: Setting::default_value(None),
        },
        rules: Arc::default(),
        hook_in: hook(HookName::GuestIn),
        hook_out: hook(HookName::GuestOut),
        nics: vec![Nic {
            index: 0,
            device: "tap100i0".to_owned(),
            bridge: None,
            mac: None,
            tag: None,
            addresses: Vec::new(),
            dhcp: false,
            firewall: true,
            sources: None,
            span: Span::default(),
        }],
    }
}

fn host(targets: &[TargetName]) -> HostPolicy {
    let me = ZoneRef::Host("pm1".to_owned());
    HostPolicy {
        name: "pm1".to_owned(),
        span: Span::default(),
        comment: None,
        platform: Platform::Proxmox,
        targets: targets.iter().copied().collect(),
        path: Arc::from([me, ZoneRef::Datacenter]),
        enabled: true,
        addresses: Vec::new(),
        local_network: None,
        broadcast: Arc::new(AddressSet::empty()),
        options: host_options(),
        iptables: IptablesOptions { mode: IptablesMode::Exclusive, ipset: false, origin: None },
        rules: Arc::default(),
        hook_in: hook(HookName::HostIn),
        hook_out: hook(HookName::HostOut),
        hook_forward: hook(HookName::HostForward),
        guests: Vec::new(),
        vnets: Vec::new(),
        sysctl: Vec::new(),
        sysctl_file: Setting::default_value("zz-fwc.conf".to_owned()),
    }
}

fn compile(host: HostPolicy) -> Compiled {
    let datacenter = Datacenter {
        name: None,
        options: DatacenterOptions {
            enable: Setting::default_value(true),
            ebtables: Setting::default_value(true),
            policy_in: Setting::default_value(Verdict::Drop),
            policy_out: Setting::default_value(Verdict::Accept),
            policy_forward: Setting::default_value(Verdict::Accept),
            log_ratelimit: Setting::default_value(LogRateLimit { enable: true, rate: 1, unit: "second", burst: 5 }),
        },
    };
    let fleet = Fleet {
        written: Default::default(),
        datacenter,
        hosts: vec![host],
        groups: BTreeMap::new(),
        vnets: Vec::new(),
        aliases: BTreeMap::new(),
        ipsets: BTreeMap::new(),
        tests: Vec::new(),
    };
    let templates = Templates::new(BTreeMap::new()).unwrap();
    Sysctl.compile(&fleet, &Selection::default(), &templates).unwrap()
}

fn set(host: &mut HostPolicy, key: &str, value: &str) {
    let origin = origin(ZoneRef::Host("pm1".to_owned()), key);
    host.sysctl.push(SysctlSetting { key: key.to_owned(), value: value.to_owned(), origin, profile: None });
    host.sysctl.sort_by(|a, b| a.key.cmp(&b.key));
}

/// The lines of a file that are no comments.
fn lines<'a>(compiled: &'a Compiled, ending: &str) -> Vec<&'a str> {
    let file = compiled.files.iter().find(|file| file.path.ends_with(ending));
    let lines = file.map_or("", |file| file.content.as_str()).lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn a_host_with_guests_gets_all_files() {
    let mut host = host(&TargetName::ALL);
    host.guests.push(guest());
    host.options.nf_conntrack_max = Setting { value: 300_000, origin: Some(origin(ZoneRef::Datacenter, "x")) };
    host.options.nf_conntrack_helpers.value = vec![ConntrackHelper::Ftp, ConntrackHelper::NetbiosNs];
    host.options.log_level_in.value = Log::At(LogLevel::Info);
    host.hook_in.stages = vec![Stage::Policy { verdict: Verdict::Drop, log: Log::At(LogLevel::Info) }];
    set(&mut host, "net.core.somaxconn", "4096");
    set(&mut host, "net.ipv4.ip_forward", "1");
    for (key, value) in profile("tcp-hardening").unwrap() {
        let origin = origin(ZoneRef::Datacenter, "tcp-hardening");
        let setting = SysctlSetting {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
            origin,
            profile: Some("tcp-hardening"),
        };
        host.sysctl.push(setting);
    }
    let compiled = compile(host);
    assert!(compiled.diagnostics.is_empty());
    let text: String = compiled.files.iter().map(|file| format!("==> {}\n{}\n", file.path, file.content)).collect();
    insta::assert_snapshot!(text);
}

#[test]
fn a_host_that_filters_nothing_gets_only_what_the_spec_sets() {
    let mut host = host(&TargetName::ALL);
    host.enabled = false;
    assert!(compile(host.clone()).files.is_empty());
    set(&mut host, "net.bridge.bridge-nf-call-iptables", "0");
    let compiled = compile(host);
    assert_eq!(lines(&compiled, "zz-fwc.conf"), ["net.bridge.bridge-nf-call-iptables = 0"]);
    assert_eq!(lines(&compiled, "modules-load.d/fwc.conf"), ["br_netfilter"]);
    assert_eq!(compiled.files.len(), 2);
}

#[test]
fn bridge_switches_are_for_iptables_and_filtered_guests() {
    let switches = |host| {
        let compiled = compile(host);
        lines(&compiled, "zz-fwc.conf").iter().filter(|line| line.starts_with("net.bridge.")).count()
    };
    let both = [TargetName::Iptables, TargetName::Sysctl];
    let mut with_guest = host(&both);
    with_guest.guests.push(guest());
    let mut unfiltered = with_guest.clone();
    unfiltered.guests[0].nics[0].firewall = false;
    let mut nft = host(&[TargetName::Nft, TargetName::Sysctl]);
    nft.guests.push(guest());
    assert_eq!(switches(with_guest), 3);
    assert_eq!(switches(unfiltered), 0);
    assert_eq!(switches(nft), 0);
    assert_eq!(switches(host(&both)), 0);
}

#[test]
fn a_switch_that_opens_the_firewall_is_refused() {
    for (key, value, refused) in [
        ("net.bridge.bridge-nf-call-iptables", "0", true),
        ("net.bridge.bridge-nf-call-ip6tables", "00", true),
        ("net.bridge.bridge-nf-filter-vlan-tagged", "0", true),
        ("net.bridge.bridge-nf-call-iptables", "1", false),
        ("net.bridge.bridge-nf-call-arptables", "0", false),
    ] {
        let mut host = host(&TargetName::ALL);
        host.guests.push(guest());
        set(&mut host, key, value);
        let compiled = compile(host);
        assert_eq!(compiled.diagnostics.has_errors(), refused, "{key} {value}");
        assert_eq!(compiled.files.is_empty(), refused, "{key} {value}");
    }
}

#[test]
fn the_spec_wins_over_what_is_implied_and_each_key_stands_once() {
    let mut host = host(&TargetName::ALL);
    host.options.nf_conntrack_max = Setting { value: 32_768, origin: Some(origin(ZoneRef::Datacenter, "x")) };
    set(&mut host, "net.nf_conntrack_max", "100000");
    set(&mut host, "net.ipv4.conf.all.rp_filter", "1");
    let compiled = compile(host);
    let found: Vec<_> = compiled.diagnostics.iter().map(|found| found.message.as_str()).collect();
    assert_eq!(found, ["`net.nf_conntrack_max` and the option `nf_conntrack_max` set the same to different values"]);
    let lines_of = lines(&compiled, "zz-fwc.conf");
    assert_eq!(lines_of.iter().filter(|line| line.contains("conntrack_max")).count(), 1);
    assert!(lines_of.contains(&"net.nf_conntrack_max = 100000"));
    assert!(lines_of.contains(&"net.ipv4.conf.all.rp_filter = 1"));
    assert_eq!(lines(&compiled, "modprobe.d/fwc.conf"), ["options nf_conntrack hashsize=25000"]);
}

#[test]
fn sources_are_left_to_the_host_where_it_is_no_proxmox_node() {
    let implied = |platform| {
        let mut host = host(&[TargetName::Sysctl]);
        host.platform = platform;
        lines(&compile(host), "zz-fwc.conf").iter().any(|line| line.contains("rp_filter"))
    };
    assert!(implied(Platform::Proxmox) && !implied(Platform::Linux));
}

#[test]
fn a_file_name_that_loses_is_warned_of_on_proxmox_only() {
    let named = |platform, name: &str| {
        let mut host = host(&[TargetName::Sysctl]);
        host.platform = platform;
        host.sysctl_file = Setting { value: name.to_owned(), origin: Some(origin(ZoneRef::Datacenter, "file")) };
        compile(host).diagnostics.len()
    };
    assert_eq!(named(Platform::Proxmox, "80-fwc.conf"), 1);
    assert_eq!(named(Platform::Proxmox, "pve-a.conf"), 1);
    assert_eq!(named(Platform::Proxmox, "zz.conf"), 0);
    assert_eq!(named(Platform::Linux, "80-fwc.conf"), 0);
}

#[test]
fn chrony_speaks_ipv4_alone_where_the_profile_disables_ipv6() {
    let written = |profile_in_force, keys: &[(&str, &str)]| {
        let mut host = host(&[TargetName::Sysctl]);
        if profile_in_force {
            let origin = origin(ZoneRef::Datacenter, "tcp-hardening");
            let key = "net.ipv4.tcp_sack".to_owned();
            host.sysctl.push(SysctlSetting { key, value: "0".to_owned(), origin, profile: Some("tcp-hardening") });
        }
        for (key, value) in keys {
            set(&mut host, key, value);
        }
        lines(&compile(host), "default/chrony") == [r#"DAEMON_OPTS="-4 -F 1""#]
    };
    let all = |value| ("net.ipv6.conf.all.disable_ipv6", value);
    let lo = |value| ("net.ipv6.conf.lo.disable_ipv6", value);
    assert!(written(true, &[all("1")]));
    assert!(written(true, &[all("0"), lo("1")]));
    assert!(!written(true, &[all("1"), lo("0")]));
    assert!(!written(true, &[all("0")]));
    assert!(!written(true, &[]));
    assert!(!written(false, &[all("1")]));
}
