//! Where rules apply.
//!
//! In: a table, the chain that the kernel calls, and what a dispatch behind it looks up. Out: a [`Place`], which means
//! the same however a ruleset names and shares its chains, and the hook of a machine that it stands for.

use std::fmt;
use std::sync::Arc;

use crate::policy::HookName;
use crate::state::ruleset::{Program, TableName};

/// Which way packets pass an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// They come in by it: what a guest at a bridge's port sends.
    From,
    /// They leave by it.
    To,
}

/// What a dispatch found before it led to these rules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    /// What is looked up, in the program's words: `--physdev-in`, `oifname`, `-d`.
    pub key: Arc<str>,
    /// What was found.
    pub value: Arc<str>,
    /// The chain or map that looks it up, as fwc calls it; only for people.
    pub through: Arc<str>,
}

/// Where a list of rules applies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The program that holds it.
    pub program: Program,
    /// The table.
    pub table: TableName,
    /// The chain that the kernel calls, or the own one that stands for it where tables are shared: `INPUT`, `input`.
    pub hook: Arc<str>,
    /// What was looked up since, outermost first.
    pub selectors: Vec<Selector>,
}

impl Selector {
    /// Which way packets pass the interface that is looked up; none where none is.
    #[must_use]
    pub fn way(&self) -> Option<Way> {
        super::flat::interface_way(&self.key)
    }
}

impl Place {
    /// The interface that the rules are for, and the way packets pass it.
    #[must_use]
    pub fn interface(&self) -> Option<(&str, Way)> {
        self.selectors.iter().find_map(|selector| Some((&*selector.value, selector.way()?)))
    }

    /// The address that packets go to, where that is how the rules are found.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        let found = self.selectors.iter().find(|selector| matches!(&*selector.key, "-d" | "ip daddr" | "ip6 daddr"))?;
        Some(&found.value)
    }

    /// The hook of a machine that these rules make up in fwc's own layouts; none where it is not one alone.
    #[must_use]
    pub fn hook_name(&self) -> Option<HookName> {
        let vnet = self.selectors.iter().any(|selector| selector.through.contains("vnet"));
        if vnet {
            return Some(HookName::VnetForward);
        }
        let interface = self.interface().map(|(_, way)| way);
        let guest = match interface {
            Some(Way::From) => Some(HookName::GuestOut),
            Some(Way::To) => Some(HookName::GuestIn),
            None => self.address().map(|_| HookName::GuestIn),
        };
        match self.program {
            Program::Iptables | Program::Ip6tables if &*self.table.name == "filter" => guest.or_else(|| {
                let own = |name: &str| {
                    self.hook.strip_suffix(name).is_some_and(|rest| matches!(rest.chars().last(), None | Some('-')))
                };
                match () {
                    () if own("INPUT") => Some(HookName::HostIn),
                    () if own("OUTPUT") => Some(HookName::HostOut),
                    () if own("FORWARD") => Some(HookName::HostForward),
                    () => None,
                }
            }),
            Program::Iptables | Program::Ip6tables => None,
            Program::Ebtables => guest,
            Program::Nft => match (&*self.table.family, hook_of(&self.hook)) {
                ("bridge", "forward" | "input" | "output") => Some(HookName::VnetForward),
                ("bridge", _) => guest,
                (_, "vnet-input") => Some(HookName::VnetForward),
                (_, "input") => Some(HookName::HostIn),
                (_, "output") => Some(HookName::HostOut),
                (_, "forward") => Some(HookName::HostForward),
                _ => None,
            },
        }
    }
}

impl fmt::Display for Place {
    /// `filter INPUT`, `bridge fwc postrouting, to tap100i0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.table, self.hook)?;
        for selector in &self.selectors {
            match selector.way() {
                Some(Way::From) => write!(f, ", from {}", selector.value)?,
                Some(Way::To) => write!(f, ", to {}", selector.value)?,
                None => write!(f, ", {} {}", selector.key, selector.value)?,
            }
        }
        Ok(())
    }
}

/// The hook that a chain of fwc's is of: `input` of `hook-input` and `hook-input-again`, and of what older versions called so.
fn hook_of(chain: &str) -> &str {
    let hook = chain.strip_prefix("hook-").unwrap_or(chain);
    hook.strip_suffix("-again").unwrap_or(hook)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(program: Program, family: &str, table: &str, hook: &str, found: &[(&str, &str, &str)]) -> Place {
        let selector = |(key, value, through): &(&str, &str, &str)| Selector {
            key: (*key).into(),
            value: (*value).into(),
            through: (*through).into(),
        };
        let table = TableName { family: family.into(), name: table.into() };
        Place { program, table, hook: hook.into(), selectors: found.iter().map(selector).collect() }
    }

    #[test]
    fn fwcs_layouts_have_the_hooks_of_machines() {
        let hook = |program, family, table, hook, found: &[_]| place(program, family, table, hook, found).hook_name();
        let ip = Program::Iptables;
        assert_eq!(hook(ip, "", "filter", "INPUT", &[]), Some(HookName::HostIn));
        assert_eq!(hook(ip, "", "filter", "FWC-OUTPUT", &[]), Some(HookName::HostOut));
        assert_eq!(hook(ip, "", "filter", "XINPUT", &[]), None);
        let from = [("--physdev-in", "tap100i0", "from-port")];
        assert_eq!(hook(ip, "", "filter", "INPUT", &from), Some(HookName::GuestOut));
        assert_eq!(
            hook(ip, "", "filter", "FORWARD", &[("--physdev-out", "tap1i0", "to-port")]),
            Some(HookName::GuestIn)
        );
        assert_eq!(
            hook(ip, "", "filter", "OUTPUT", &[("-d", "10.0.0.1/32", "host-to-guest")]),
            Some(HookName::GuestIn)
        );
        assert_eq!(hook(ip, "", "filter", "INPUT", &[("--physdev-in", "x", "from-vnet")]), Some(HookName::VnetForward));
        assert_eq!(hook(ip, "", "raw", "PREROUTING", &[]), None);
        let nft = Program::Nft;
        assert_eq!(hook(nft, "inet", "fwc", "input", &[]), Some(HookName::HostIn));
        assert_eq!(hook(nft, "bridge", "fwc", "postrouting", &[("oifname", "t", "guest-in")]), Some(HookName::GuestIn));
        assert_eq!(hook(nft, "bridge", "fwc", "postrouting", &[]), None);
        assert_eq!(
            hook(Program::Ebtables, "", "nat", "PREROUTING", &[("-i", "t", "from-port")]),
            Some(HookName::GuestOut)
        );
    }

    #[test]
    fn places_read_like_a_way() {
        let place = place(Program::Nft, "bridge", "fwc", "postrouting", &[("oifname", "tap1i0", "guest-in")]);
        assert_eq!(place.to_string(), "bridge fwc postrouting, to tap1i0");
    }
}
