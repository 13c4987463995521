//! Guests' configurations: `qemu-server/<VMID>.conf` and `lxc/<VMID>.conf`.
//!
//! In: a file's text. Out: what a firewall needs of the guest's present: its name and its NICs. Sections (`[snapshot]`,
//! `[PENDING]`) are not its present, and all other settings are left alone.

use crate::diagnostic::{FileId, Located, Span};

use super::{Slice, Unread};

/// What a configuration is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Machine {
    /// A virtual machine.
    Vm,
    /// A container.
    Container,
}

/// A guest as its configuration has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuestConf<'t> {
    /// `name` of a VM, `hostname` of a container.
    pub name: Option<Located<&'t str>>,
    /// By number; of a line that stands there twice the last counts.
    pub nics: Vec<NicLine<'t>>,
    /// Whether lines that only containers have are in it.
    pub has_container_lines: bool,
    /// Lines of NICs that say nothing.
    pub unread: Vec<Unread>,
}

/// `net0: virtio=BC:24:11:00:00:64,bridge=vmbr0,firewall=1,tag=30`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicLine<'t> {
    /// N of `netN`, 0 to 31.
    pub index: u8,
    /// All that stands behind the colon.
    pub value: Located<&'t str>,
    /// The MAC address as written.
    pub mac: Option<Located<&'t str>>,
    /// The bridge as written.
    pub bridge: Option<Located<&'t str>>,
    /// The VLAN as written.
    pub tag: Option<Located<&'t str>>,
    /// `firewall=1`.
    pub firewall: bool,
    /// A container's `ip` and `ip6`, a VM's from its `ipconfigN`: addresses with prefix, `dhcp`, `manual`, `auto`.
    pub addresses: Vec<Located<&'t str>>,
    /// The line.
    pub span: Span,
}

/// Reads a configuration.
#[must_use]
pub fn read(file: FileId, text: &str) -> GuestConf<'_> {
    let mut conf = GuestConf::default();
    let mut configured: Vec<(u8, Vec<Located<&str>>)> = Vec::new();
    for line in Slice::new(file, text).lines().map(Slice::trim) {
        if line.text.starts_with('[') {
            break;
        }
        if line.text.is_empty() || line.text.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        let digits = |rest: &&str| rest.starts_with(|first: char| first.is_ascii_digit());
        let index = |prefix: &str| key.text.strip_prefix(prefix).filter(digits).map(number);
        match key.text {
            "name" | "hostname" => conf.name = Some(value.whole()),
            "rootfs" | "unprivileged" => conf.has_container_lines = true,
            _ => match (index("net"), index("ipconfig")) {
                (Some(Some(index)), _) => conf.nic(index, line, value),
                (_, Some(Some(index))) => configured.push((index, addresses(value))),
                (Some(None), _) => {
                    conf.unread.push(Unread { span: key.span(), reason: format!("`{}` is no NIC", key.text) });
                }
                (None, Some(None) | None) => {}
            },
        }
    }
    for (index, addresses) in configured {
        if let Some(nic) = conf.nics.iter_mut().find(|nic| nic.index == index) {
            nic.addresses.extend(addresses);
        }
    }
    conf
}

/// N of `netN`: plain decimals, at most 31.
fn number(digits: &str) -> Option<u8> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'));
    digits.parse::<u8>().ok().filter(|number| plain && *number < 32)
}

/// `key=value` pairs between commas.
fn settings(value: Slice<'_>) -> impl Iterator<Item = (Slice<'_>, Slice<'_>)> {
    value.text.split(',').filter_map(move |part| value.part(part).split_once('='))
}

fn addresses(value: Slice<'_>) -> Vec<Located<&str>> {
    settings(value).filter(|(key, _)| matches!(key.text, "ip" | "ip6")).map(|(_, value)| value.whole()).collect()
}

/// Six octets in hexadecimal.
fn is_mac(text: &str) -> bool {
    text.len() == 17
        && text.split(':').count() == 6
        && text.split(':').all(|octet| octet.len() == 2 && octet.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl<'t> GuestConf<'t> {
    fn nic(&mut self, index: u8, line: Slice<'t>, value: Slice<'t>) {
        let mut nic = NicLine {
            index,
            value: value.whole(),
            mac: None,
            bridge: None,
            tag: None,
            firewall: false,
            addresses: addresses(value),
            span: line.span(),
        };
        for (key, value) in settings(value) {
            match key.text {
                "hwaddr" | "type" | "veth.pair" => self.has_container_lines = true,
                _ => {}
            }
            match key.text {
                "bridge" => nic.bridge = Some(value.whole()),
                "tag" => nic.tag = Some(value.whole()),
                "firewall" => nic.firewall = value.text == "1",
                "hwaddr" | "macaddr" => nic.mac = Some(value.whole()),
                // A VM's model stands where the key does: `virtio=BC:24:…`.
                _ if nic.mac.is_none() && is_mac(value.text) => nic.mac = Some(value.whole()),
                _ => {}
            }
        }
        match self.nics.iter_mut().find(|known| known.index == index) {
            Some(known) => *known = nic,
            None => self.nics.push(nic),
        }
        self.nics.sort_by_key(|nic| nic.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: Option<Located<&str>>) -> &str {
        text.map_or("", |text| text.value)
    }

    #[test]
    fn a_vm_has_its_model_where_the_key_stands() {
        let conf = read(
            FileId(0),
            "#note: x\nname: web\nnet1: e1000=BC:24:11:00:00:02,bridge=vmbr1,firewall=1,tag=30,trunks=1;2\n\
             net0: model=virtio,macaddr=BC:24:11:00:00:01,firewall=0,bridge=vmbr0\nipconfig1: ip=10.0.0.2/24,gw=10.0.0.1\n\
             ipconfig0: ip=dhcp,ip6=auto\nnet32: virtio=BC:24:11:00:00:09\nnetwork: x\n[PENDING]\nnet2: virtio=x",
        );
        assert_eq!(text(conf.name), "web");
        assert!(!conf.has_container_lines);
        let [zero, one] = conf.nics.as_slice() else { panic!("{:?}", conf.nics) };
        assert_eq!(
            (zero.index, text(zero.mac), text(zero.bridge), zero.firewall),
            (0, "BC:24:11:00:00:01", "vmbr0", false)
        );
        assert_eq!((one.index, text(one.mac), text(one.tag), one.firewall), (1, "BC:24:11:00:00:02", "30", true));
        assert_eq!(one.addresses.iter().map(|text| text.value).collect::<Vec<_>>(), ["10.0.0.2/24"]);
        assert_eq!(conf.unread.len(), 1);
    }

    #[test]
    fn a_container_says_its_addresses() {
        let conf = read(
            FileId(0),
            "hostname: ct\nnet0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:03,ip=10.0.0.3/24,ip6=fe80::9/64,type=veth\n\n[old]\nnet0: name=eth0",
        );
        assert!(conf.has_container_lines);
        assert_eq!(text(conf.nics[0].mac), "BC:24:11:00:00:03");
        assert_eq!(conf.nics[0].addresses.len(), 2);
    }

    #[test]
    fn of_a_line_that_stands_there_twice_the_last_counts() {
        let conf = read(FileId(0), "net0: virtio=BC:24:11:00:00:01,firewall=1\nnet0: virtio=BC:24:11:00:00:02\n");
        assert_eq!(conf.nics.len(), 1);
        assert!(!conf.nics[0].firewall);
    }
}
