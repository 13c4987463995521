//! The table of the language.

use super::Shape::{Either, Items, List, Map, Named, Options, Rules, Text};
use super::lexis::{
    CHAIN_PREFIX, CONF_FILE, ENDPOINT, GUEST, HOST, IDENTITY, INTERFACE, LABEL, Lexis, NIC, SYSCTL, VNET,
};
use super::{DATACENTER_GUARDRAILS, Empty, Field, Fields, RULE_HEADS, RulePlace, Shape};
use crate::spec::options::{EXPECTATIONS, FORWARD_VERDICTS, OptionZone, VERDICTS};

const fn may(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { name, required: false, shape, doc }
}

const fn must(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { name, required: true, shape, doc }
}

const LINE: Shape = Text(Lexis::Line);
const BOOL: Shape = Text(Lexis::Bool);
const LINES: Shape = List { of: Lexis::Line, empty: Empty::Fine };
/// A match: an empty list would match nothing.
const SOME_LINES: Shape = List { of: Lexis::Line, empty: Empty::Resolve };
const ENDPOINTS: Shape = List { of: Lexis::Name(&ENDPOINT), empty: Empty::Error };

/// The whole spec.
pub(super) const SPEC: Fields = Fields {
    what: "a spec",
    fields: &[
        must("version", Text(Lexis::Version), "The version of the language, 1; at least one file of a spec says it."),
        may("datacenter", Map(&DATACENTER), "What holds for every host and, under `guests`, for every guest."),
        may("groups", Named(&LABEL, &GROUP), "Security groups: lists of rules that other rules refer to by name."),
        may("zones", Named(&LABEL, &ZONE), "Reusable parts that hosts and guests inherit by name."),
        may("hosts", Named(&HOST, &Map(&A_HOST)), "The machines that run guests, or that are filtered themselves."),
        may("vms", Named(&GUEST, &Map(&A_GUEST)), "Virtual machines by number."),
        may("containers", Named(&GUEST, &Map(&A_GUEST)), "Containers by number; numbers are shared with `vms`."),
        may("vnets", Named(&VNET, &Map(&A_VNET)), "Virtual networks; each is the bridge of its name."),
        may("tests", Items(&Shape::Test), "Claims about packets that `fwc test` holds against the spec."),
    ],
};

const ALIASES: Field =
    may("aliases", Named(&LABEL, &ALIAS), "Names for an address or a network each, seen from here and below.");
const IPSETS: Field =
    may("ipsets", Named(&LABEL, &IPSET), "Named sets of addresses, seen from here and below; `+name` refers to one.");
const INHERITS: Field = may("inherits", LINES, "Zones to inherit, the nearest first.");
const COMMENT: Field = may("comment", LINE, "One line for people.");
const ALLOW: Field = may(
    "allow",
    Map(&ALLOW_MAP),
    "Lints of `fwc check` that are not told about what is written here, each with the reason why.",
);
const SYSCTL_FIELD: Field = may("sysctl", Map(&SYSCTL_MAP), "Kernel parameters of the host.");
const PLATFORM: Field = may(
    "platform",
    Text(Lexis::Words(&["proxmox", "linux"])),
    "`proxmox` (the default) or `linux`, where nothing is implicit.",
);
const TARGETS: Field = may(
    "targets",
    List { of: Lexis::Words(&["pve", "iptables", "nft", "sysctl"]), empty: Empty::Fine },
    "The outputs that the host wants; by default all, but for `pve` on `platform: linux`.",
);
const IPTABLES: Field = may("iptables", Map(&IPTABLES_MAP), "How the output for iptables is made.");
const GUESTS: Field = may("guests", Map(&GUESTS_MAP), "What every guest below inherits.");
const HOST_RULES_FIELD: Field = may("rules", Rules(&HOST_RULES), "Rules of the host; the first match wins.");
const GUEST_RULES_FIELD: Field = may("rules", Rules(&GUEST_RULES), "Rules of the guest; the first match wins.");
const HOST_OPTIONS: Field = may("options", Options(&[OptionZone::Host]), "Options of the host.");
const GUEST_OPTIONS: Field = may("options", Options(&[OptionZone::Guest]), "Options of the guest.");
const HOST_GUARDRAILS_FIELD: Field =
    may("guardrails", Map(&HOST_GUARDRAILS), "Rules before everybody's own, and options that nobody below may change.");
const GUEST_GUARDRAILS_FIELD: Field = may(
    "guardrails",
    Map(&GUEST_GUARDRAILS),
    "Rules before everybody's own, and options that nobody below may change.",
);

const DATACENTER: Fields = Fields {
    what: "the datacenter",
    fields: &[
        may("name", LINE, "The datacenter's name, for people."),
        ALLOW,
        may("options", Options(&[OptionZone::Datacenter]), "Options of the datacenter."),
        ALIASES,
        IPSETS,
        may(
            "guardrails",
            Map(&DATACENTER_GUARDRAILS_MAP),
            "Rules before everybody's own, of hosts and guests alike, and options that nobody below may change.",
        ),
        may("rules", Rules(&HOST_RULES), "Rules of every host, after its own; the first match wins."),
        GUESTS,
        SYSCTL_FIELD,
        PLATFORM,
        TARGETS,
        IPTABLES,
    ],
};

const A_HOST: Fields = Fields {
    what: "a host",
    fields: &[
        COMMENT,
        ALLOW,
        INHERITS,
        may("addresses", LINES, "The host's addresses, each with the prefix length of its network."),
        may("corosync", LINES, "The host's addresses in the cluster's rings, one a ring; by default `addresses`."),
        HOST_OPTIONS,
        ALIASES,
        IPSETS,
        HOST_GUARDRAILS_FIELD,
        HOST_RULES_FIELD,
        GUESTS,
        SYSCTL_FIELD,
        PLATFORM,
        TARGETS,
        IPTABLES,
    ],
};

const KIND: Field = must("kind", Text(Lexis::Words(&["host", "guest"])), "Who inherits the zone: hosts or guests.");

const ZONE: Shape = Shape::Zone { host: &HOST_ZONE, guest: &GUEST_ZONE };

const HOST_ZONE: Fields = Fields {
    what: "a zone of kind `host`",
    fields: &[
        KIND,
        COMMENT,
        ALLOW,
        INHERITS,
        HOST_OPTIONS,
        ALIASES,
        IPSETS,
        HOST_GUARDRAILS_FIELD,
        HOST_RULES_FIELD,
        GUESTS,
        SYSCTL_FIELD,
        PLATFORM,
        TARGETS,
        IPTABLES,
    ],
};

const GUEST_ZONE: Fields = Fields {
    what: "a zone of kind `guest`",
    fields: &[
        KIND,
        COMMENT,
        ALLOW,
        INHERITS,
        GUEST_OPTIONS,
        ALIASES,
        IPSETS,
        GUEST_GUARDRAILS_FIELD,
        GUEST_RULES_FIELD,
    ],
};

const A_GUEST: Fields = Fields {
    what: "a guest",
    fields: &[
        may("name", LINE, "The guest's name, for people."),
        COMMENT,
        ALLOW,
        may(
            "host",
            List { of: Lexis::Line, empty: Empty::Error },
            "The host it runs on; a list of hosts, or `any`, for a guest that moves.",
        ),
        INHERITS,
        may(
            "without",
            List { of: Lexis::Name(&IDENTITY), empty: Empty::Fine },
            "Inherited rules and group references to leave out, by their `id`.",
        ),
        GUEST_OPTIONS,
        ALIASES,
        IPSETS,
        GUEST_RULES_FIELD,
        may("nics", Named(&NIC, &Map(&A_NIC)), "Network interfaces, `net0` to `net31`."),
    ],
};

const A_NIC: Fields = Fields {
    what: "a NIC",
    fields: &[
        may("bridge", Text(Lexis::Name(&INTERFACE)), "The bridge or vnet that it is plugged into."),
        may("mac", LINE, "Its MAC address, such as `BC:24:11:00:00:64`."),
        may("ip", LINES, "Its addresses, with or without prefix length, or `dhcp`."),
        may("tag", Text(Lexis::Integer { min: 1, max: 4094, unit: "" }), "Its VLAN."),
        may("firewall", BOOL, "Whether it is filtered; true by default."),
        may(
            "device",
            Text(Lexis::Name(&INTERFACE)),
            "The port's name on the host; by default `tap<ID>i<N>` for VMs and `veth<ID>i<N>` for containers.",
        ),
        may("rules", Rules(&GUEST_RULES), "Rules of this NIC alone."),
    ],
};

const A_VNET: Fields = Fields {
    what: "a vnet",
    fields: &[
        COMMENT,
        ALLOW,
        may("options", Options(&[OptionZone::Vnet]), "Options of the vnet."),
        may("rules", Rules(&VNET_RULES), "Rules for what passes through the vnet; the first match wins."),
    ],
};

const GUESTS_MAP: Fields =
    Fields { what: "`guests`", fields: &[ALLOW, INHERITS, GUEST_OPTIONS, GUEST_GUARDRAILS_FIELD, GUEST_RULES_FIELD] };

const DATACENTER_GUARDRAILS_MAP: Fields = Fields {
    what: "`guardrails`",
    fields: &[
        may("rules", Rules(&HOST_RULES), "Rules before the own rules of every host and every guest."),
        may("options", Options(DATACENTER_GUARDRAILS), "Options that nobody below may set otherwise."),
    ],
};

const HOST_GUARDRAILS: Fields = Fields {
    what: "`guardrails`",
    fields: &[
        may("rules", Rules(&HOST_RULES), "Rules before the own rules of every host that inherits this."),
        may("options", Options(&[OptionZone::Host]), "Options that nobody below may set otherwise."),
    ],
};

const GUEST_GUARDRAILS: Fields = Fields {
    what: "`guardrails`",
    fields: &[
        may("rules", Rules(&GUEST_RULES), "Rules before the own rules of every guest that inherits this."),
        may("options", Options(&[OptionZone::Guest]), "Options that nobody below may set otherwise."),
    ],
};

/// Every lint but the one about `allow` itself, each documented in its file of `analysis/lint/`.
pub(super) const ALLOW_MAP: Fields = Fields {
    what: "`allow`",
    fields: &[
        may("contradicted-by-guardrail", LINE, "Why a rule stands that guardrails leave nothing of."),
        may("hidden-definition", LINE, "Why a definition hides another one of its name."),
        may("lock-out", LINE, "Why a host does not accept its management."),
        may("never-matching", LINE, "Why a rule stands that no packet can match."),
        may("open-administration", LINE, "Why an administrative port is open to everybody."),
        may("over-budget", LINE, "Why rules are so many or so mixed that they cannot be judged."),
        may("redundant", LINE, "Why a rule stands without which all packets fare the same."),
        may("shadowed", LINE, "Why a rule stands that no packet gets to."),
        may("unused-alias", LINE, "Why an alias stands that nothing refers to."),
        may("unused-group", LINE, "Why a group stands that nothing refers to."),
        may("unused-ipset", LINE, "Why an ipset stands that nothing refers to."),
        may("unused-zone", LINE, "Why a zone stands that no machine inherits."),
    ],
};

const SYSCTL_MAP: Fields = Fields {
    what: "`sysctl`",
    fields: &[
        may("profiles", LINES, "Named collections of settings, such as `tcp-hardening`."),
        may("set", Named(&SYSCTL, &Text(Lexis::Sysctl)), "Settings by their key."),
        may("file", Text(Lexis::Name(&CONF_FILE)), "The file's name in `sysctl.d`; `zz-fwc.conf` by default."),
    ],
};

const IPTABLES_MAP: Fields = Fields {
    what: "`iptables`",
    fields: &[
        may(
            "mode",
            Text(Lexis::Words(&["exclusive", "shared"])),
            "`exclusive` (the default): fwc owns the tables. `shared`: it owns the chains with its prefix.",
        ),
        may("prefix", Text(Lexis::Name(&CHAIN_PREFIX)), "The prefix of own chains in shared tables."),
        may("ipset", BOOL, "Whether large sets go through `ipset`; false by default."),
    ],
};

const ALIAS: Shape = Either { short: &LINE, keys_of_short: &[], long: &ALIAS_MAP };

const ALIAS_MAP: Fields =
    Fields { what: "an alias", fields: &[must("value", LINE, "An address or a network."), COMMENT] };

const IPSET: Shape = Either { short: &Items(&ENTRY), keys_of_short: &["value"], long: &IPSET_MAP };

const IPSET_MAP: Fields = Fields {
    what: "an ipset",
    fields: &[COMMENT, must("entries", Items(&ENTRY), "The entries; `!` before one, in quotes, excludes it.")],
};

const ENTRY: Shape = Either { short: &LINE, keys_of_short: &[], long: &ENTRY_MAP };

const ENTRY_MAP: Fields = Fields {
    what: "an entry of an ipset",
    fields: &[
        must("value", LINE, "An address, a network, a range or an alias; `!` before it, in quotes, excludes it."),
        COMMENT,
    ],
};

const GROUP: Shape = Either { short: &Rules(&GROUP_RULES), keys_of_short: &RULE_HEADS, long: &GROUP_MAP };

const GROUP_MAP: Fields = Fields {
    what: "a group",
    fields: &[COMMENT, ALLOW, must("rules", Rules(&GROUP_RULES), "The group's rules; the first match wins.")],
};

/// Rules of hosts.
pub(super) const HOST_RULES: RulePlace =
    RulePlace { what: "a host's rules", definition: "hostRule", heads: &RULE_HEADS, iface: true };

/// Rules of guests and their NICs.
pub(super) const GUEST_RULES: RulePlace =
    RulePlace { what: "a guest's rules", definition: "guestRule", heads: &["in", "out", "group"], iface: true };

/// Rules of security groups.
pub(super) const GROUP_RULES: RulePlace =
    RulePlace { what: "a group's rules", definition: "groupRule", heads: &["in", "out", "forward"], iface: false };

/// Rules of vnets.
pub(super) const VNET_RULES: RulePlace =
    RulePlace { what: "a vnet's rules", definition: "vnetRule", heads: &["forward", "group"], iface: false };

/// The places that hold rules.
pub(super) const RULE_PLACES: [&RulePlace; 4] = [&HOST_RULES, &GUEST_RULES, &GROUP_RULES, &VNET_RULES];

const MACRO: Field = may("macro", LINE, "A macro's exact name; excludes `proto`, ports, `icmp_type` and `tcp_flags`.");
const PROTO: Field = may("proto", SOME_LINES, "A protocol's name or number, or a list of them.");
const SOURCE: Field = may(
    "source",
    SOME_LINES,
    "Addresses: an address, network, range, alias, `+ipset` or reference, or a list of them.",
);
const DEST: Field =
    may("dest", SOME_LINES, "Addresses: an address, network, range, alias, `+ipset` or reference, or a list of them.");
const SPORT: Field = may("sport", SOME_LINES, "A port, service name or range `a-b`, or a list of them.");
const DPORT: Field = may("dport", SOME_LINES, "A port, service name or range `a-b`, or a list of them.");
const ICMP_TYPE: Field =
    may("icmp_type", SOME_LINES, "A type's name, number or `type/code`; with `proto: icmp` or `icmpv6`.");
const IFACE: Field = may(
    "iface",
    Text(Lexis::Name(&INTERFACE)),
    "In a guest `net<N>`; in a host an interface: incoming for `in` and `forward`, outgoing for `out`.",
);
const TCP_FLAGS: Field = may("tcp_flags", Map(&TCP_FLAGS_MAP), "TCP flags to look at, and those that must be set.");

const TCP_FLAGS_MAP: Fields = Fields {
    what: "`tcp_flags`",
    fields: &[
        must("mask", SOME_LINES, "The flags to look at."),
        must("set", LINES, "Those of them that must be set; all others must not be."),
    ],
};

/// A rule or a group reference, with every key that any place allows.
pub(super) const RULE: Fields = Fields {
    what: "a rule",
    fields: &[
        may("in", Text(Lexis::Words(VERDICTS)), "What becomes of incoming packets that match."),
        may("out", Text(Lexis::Words(VERDICTS)), "What becomes of outgoing packets that match."),
        may("forward", Text(Lexis::Words(FORWARD_VERDICTS)), "What becomes of routed or bridged packets that match."),
        may("group", LINE, "The security group whose rules stand here."),
        MACRO,
        PROTO,
        SOURCE,
        DEST,
        SPORT,
        DPORT,
        ICMP_TYPE,
        IFACE,
        TCP_FLAGS,
        may("log", Text(Lexis::LogLevel), "The log level of packets that match; by default none is logged."),
        may("enable", BOOL, "False: the rule is carried along without effect."),
        may("id", Text(Lexis::Name(&IDENTITY)), "A name that is unique in its zone, for `without` and for diffs."),
        COMMENT,
        ALLOW,
    ],
};

/// An entry of `tests`.
pub(super) const A_TEST: Fields = Fields {
    what: "a test",
    fields: &[
        may("name", LINE, "What is claimed, for people."),
        may(
            "from",
            ENDPOINTS,
            "Where the packet comes from; only beside `only` it may be left out, for everyone else.",
        ),
        must("to", ENDPOINTS, "Where it goes to."),
        MACRO,
        PROTO,
        SOURCE,
        DEST,
        SPORT,
        DPORT,
        ICMP_TYPE,
        IFACE,
        TCP_FLAGS,
        may(
            "state",
            Text(Lexis::Words(&["new", "established", "related", "invalid"])),
            "The state of its connection; `new` by default.",
        ),
        may(
            "expect",
            Text(Lexis::Words(EXPECTATIONS)),
            "What becomes of every such packet; `never`: none of them passes, dropped and rejected ones are alike.",
        ),
        may("only", SOME_LINES, "In place of `expect`: no such packet passes whose source is none of these addresses."),
    ],
};
