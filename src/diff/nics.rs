//! NICs of a guest's own configuration against those of the spec.
//!
//! In: a guest's configuration as it was read, and the guest as the spec has it. Out: each NIC whose `firewall` flag is
//! not what the spec says, with the command that sets it, and each that only one side has. Promise: a command keeps all
//! else that the NIC has, as `qm set` and `pct set` replace the whole property (qm(1), pct(1)).

use std::collections::BTreeSet;

use crate::diagnostic::Span;
use crate::policy::{GuestKind, GuestPolicy, Nic};
use crate::state::guest_conf::{GuestConf, NicLine};

/// A NIC that is not what the spec says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicDifference {
    /// N of `netN`.
    pub index: u8,
    /// In what.
    pub kind: NicDifferenceKind,
    /// Where the spec has it, if it does.
    pub spec: Option<Span>,
    /// Its line in the configuration, if it has one.
    pub conf: Option<Span>,
}

/// In what a NIC differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NicDifferenceKind {
    /// The flag is another.
    Flag {
        /// What the spec says.
        wanted: bool,
        /// Sets it, as a shell takes it.
        command: String,
    },
    /// The guest has no such NIC.
    OnlyInSpec,
    /// The spec has no such NIC.
    OnlyInConf {
        /// Its flag.
        firewall: bool,
    },
}

/// Every NIC that differs, by number.
#[must_use]
pub fn nic_differences(conf: &GuestConf<'_>, guest: &GuestPolicy) -> Vec<NicDifference> {
    let ours = |index| guest.nics.iter().find(|nic| nic.index == index);
    let theirs = |index| conf.nics.iter().find(|nic| nic.index == index);
    let indexes: BTreeSet<u8> =
        guest.nics.iter().map(|nic| nic.index).chain(conf.nics.iter().map(|nic| nic.index)).collect();
    let difference = |index| {
        let (nic, line) = (ours(index), theirs(index));
        let kind = kind(guest, nic, line)?;
        Some(NicDifference { index, kind, spec: nic.map(|nic| nic.span), conf: line.map(|line| line.span) })
    };
    indexes.into_iter().filter_map(difference).collect()
}

fn kind(guest: &GuestPolicy, nic: Option<&Nic>, line: Option<&NicLine<'_>>) -> Option<NicDifferenceKind> {
    match (nic, line) {
        (Some(nic), Some(line)) if nic.firewall == line.firewall => None,
        (Some(nic), Some(line)) => {
            let command = command(guest, line, nic.firewall);
            Some(NicDifferenceKind::Flag { wanted: nic.firewall, command })
        }
        (Some(_), None) => Some(NicDifferenceKind::OnlyInSpec),
        (None, Some(line)) => Some(NicDifferenceKind::OnlyInConf { firewall: line.firewall }),
        (None, None) => None,
    }
}

/// `qm set 100 --net0 virtio=BC:24:11:00:00:64,bridge=vmbr0,firewall=1`.
fn command(guest: &GuestPolicy, line: &NicLine<'_>, firewall: bool) -> String {
    let tool = match guest.kind {
        GuestKind::Vm => "qm",
        GuestKind::Container => "pct",
    };
    let others = line.value.value.split(',').map(str::trim).filter(|part| !part.is_empty());
    let mut parts: Vec<&str> = others.filter(|part| part.split('=').next() != Some("firewall")).collect();
    parts.push(if firewall { "firewall=1" } else { "firewall=0" });
    format!("{tool} set {} --net{} {}", guest.id, line.index, quoted(&parts.join(",")))
}

/// As a shell takes it: `trunks=1;2` would be two commands.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"=,:./_-+@%".contains(&byte);
    if text.bytes().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::diagnostic::FileId;
    use crate::policy::{GuestOptions, Hook, HookName, Log, Setting, Verdict};
    use crate::state::guest_conf::read;

    use super::*;

    fn nic(index: u8, firewall: bool) -> Nic {
        Nic {
            index,
            device: String::new(),
            bridge: None,
            mac: None,
            tag: None,
            addresses: Vec::new(),
            dhcp: false,
            firewall,
            sources: None,
            span: Span { start: u32::from(index), ..Span::default() },
        }
    }

    fn guest(kind: GuestKind, id: u32, nics: Vec<Nic>) -> GuestPolicy {
        let on = || Setting::default_value(true);
        let hook = |name| Hook { name, stages: Vec::new() };
        GuestPolicy {
            id,
            kind,
            name: None,
            comment: None,
            span: Span::default(),
            path: Arc::from([kind.zone(id)]),
            enabled: true,
            options: GuestOptions {
                enable: on(),
                macfilter: on(),
                dhcp: on(),
                ndp: on(),
                radv: on(),
                ipfilter: on(),
                policy_in: Setting::default_value(Verdict::Drop),
                policy_out: Setting::default_value(Verdict::Accept),
                log_level_in: Setting::default_value(Log::None),
                log_level_out: Setting::default_value(Log::None),
                layer2_protocols: Setting::default_value(None),
                ips: on(),
                ips_queues: Setting::default_value(None),
            },
            rules: Arc::default(),
            hook_in: hook(HookName::GuestIn),
            hook_out: hook(HookName::GuestOut),
            nics,
        }
    }

    fn commands(conf: &str, guest: &GuestPolicy) -> Vec<String> {
        let conf = read(FileId(1), conf);
        let words = |difference: NicDifference| match difference.kind {
            NicDifferenceKind::Flag { command, .. } => command,
            NicDifferenceKind::OnlyInSpec => format!("net{} is missing", difference.index),
            NicDifferenceKind::OnlyInConf { firewall } => format!("net{} is unknown ({firewall})", difference.index),
        };
        nic_differences(&conf, guest).into_iter().map(words).collect()
    }

    #[test]
    fn a_command_keeps_all_that_the_nic_has() {
        let vm = guest(GuestKind::Vm, 100, vec![nic(0, true), nic(1, true), nic(2, false), nic(3, true)]);
        let conf = "net0: virtio=BC:24:11:00:00:64,bridge=vmbr0\n\
                    net1: e1000=BC:24:11:00:00:65,firewall=0,bridge=vmbr1,trunks=1;2\n\
                    net2: virtio=BC:24:11:00:00:66,bridge=vmbr0,firewall=1,queues=4\n\
                    net3: virtio=BC:24:11:00:00:67,bridge=vmbr0,firewall=1\n";
        assert_eq!(
            commands(conf, &vm),
            [
                "qm set 100 --net0 virtio=BC:24:11:00:00:64,bridge=vmbr0,firewall=1",
                "qm set 100 --net1 'e1000=BC:24:11:00:00:65,bridge=vmbr1,trunks=1;2,firewall=1'",
                "qm set 100 --net2 virtio=BC:24:11:00:00:66,bridge=vmbr0,queues=4,firewall=0",
            ]
        );
        let container = guest(GuestKind::Container, 200, vec![nic(0, true)]);
        assert_eq!(
            commands("net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:C8,ip=dhcp,type=veth", &container),
            ["pct set 200 --net0 name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:C8,ip=dhcp,type=veth,firewall=1"]
        );
    }

    #[test]
    fn nics_that_one_side_lacks_are_named() {
        let vm = guest(GuestKind::Vm, 100, vec![nic(1, true), nic(2, false)]);
        let conf = "net0: virtio=BC:24:11:00:00:64,firewall=1\nnet2: virtio=BC:24:11:00:00:66\nnet9: virtio\n";
        assert_eq!(commands(conf, &vm), ["net0 is unknown (true)", "net1 is missing", "net9 is unknown (false)"]);
        let conf = read(FileId(1), conf);
        let found = nic_differences(&conf, &vm);
        assert_eq!((found[0].spec, found[0].conf.map(|span| span.start)), (None, Some(0)));
        assert_eq!((found[1].spec.map(|span| span.start), found[1].conf), (Some(1), None));
    }
}
