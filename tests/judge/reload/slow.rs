//! Rules that take their time, so that at every moment packets are on their way through them.
//!
//! In: what fwc wrote for nft. Out: the same rules behind many that match nothing, or beside them; and a table of somebody
//! else whose chains, loaded anew before fwc's, come between its old ones and its new ones. A packet that one of both lets
//! through because it came by just while rules were replaced is rare at full speed, and certain here.

use std::collections::BTreeMap;

use crate::load::Backend;

/// Rules in a row that match nothing; fewer in an emulated machine, which is slow by itself.
const fn rules(backend: Backend) -> usize {
    match backend {
        Backend::IptablesLegacy | Backend::IptablesNft | Backend::NftHost => 3000,
        Backend::Nft => 300,
    }
}

/// The hooks at which fwc judges, with the priority that it does so at.
const INET: &[(&str, i32)] = &[("input", 0), ("output", 0), ("forward", 0)];
const BRIDGE: &[(&str, i32)] =
    &[("prerouting", -100), ("forward", -200), ("input", -200), ("output", -200), ("postrouting", 0)];

/// How the chains of those hooks' rules begin.
const HOOKS: [&str; 5] = ["prerouting {", "input {", "forward {", "output {", "postrouting {"];

fn idle(backend: Backend) -> String {
    "\t\tmeta mark 0x00000077 drop\n".repeat(rules(backend))
}

/// The files with that in front of every hook's rules.
pub(super) fn slowed(mut files: BTreeMap<String, String>, backend: Backend) -> BTreeMap<String, String> {
    for text in files.values_mut() {
        let lines = text.lines().map(|line| {
            let judges = HOOKS.iter().any(|name| line.strip_prefix("\tchain ") == Some(name));
            format!("{line}\n{}", if judges { idle(backend) } else { String::new() })
        });
        *text = lines.collect();
    }
    files
}

/// The files with that in each table, in a chain that no packet comes to.
pub(super) fn lengthened(mut files: BTreeMap<String, String>, backend: Backend) -> BTreeMap<String, String> {
    for text in files.values_mut() {
        let lines = text.lines().map(|line| {
            let opens = line.starts_with("table ") && line.ends_with(" {");
            let more = if opens { format!("\tchain idle {{\n{}\t}}\n", idle(backend)) } else { String::new() };
            format!("{line}\n{more}")
        });
        *text = lines.collect();
    }
    files
}

/// Somebody else's tables, in place of what they were before.
pub(super) fn beside(backend: Backend) -> String {
    let table = |family: &str, hooks: &[(&str, i32)]| {
        let chain = |(hook, priority): &(&str, i32)| {
            format!(
                "\tchain {hook} {{\n\t\ttype filter hook {hook} priority {priority}; policy accept;\n{}\t}}\n",
                idle(backend)
            )
        };
        let chains: String = hooks.iter().map(chain).collect();
        format!("table {family} beside\ndelete table {family} beside\ntable {family} beside {{\n{chains}}}\n")
    };
    let bridge = if backend == Backend::Nft { table("bridge", BRIDGE) } else { String::new() };
    table("inet", INET) + &bridge
}
