//! The registry of diagnostic codes: every code that fwc can print, once.

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident => $text:literal,)+) => {
        /// A stable name for one kind of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code, in the order of the registry.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code as it is printed and as scripts know it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What it means, in a sentence or two.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc, "\n"),+),)+ }
            }
        }
    };
}

/// What the codes of lints begin with.
const LINT: &str = "lint::";

impl Code {
    /// The name of a lint, as `allow` takes it; none for other codes.
    #[must_use]
    pub fn lint_name(self) -> Option<&'static str> {
        self.as_str().strip_prefix(LINT)
    }

    /// The lint of a name.
    #[must_use]
    pub fn lint(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.lint_name() == Some(name))
    }
}

// Grouped by floor, lowest first; alphabetical within a group.
codes! {
    // spec: reading YAML
    /// A character that changes the order in which the text around it is shown.
    BidiControl => "spec::bidi-control",
    /// The same entry stands in a list twice.
    DuplicateEntry => "spec::duplicate-entry",
    /// The same thing is defined twice.
    DuplicateKey => "spec::duplicate-key",
    /// A name that breaks the rules for names of its kind.
    InvalidName => "spec::invalid-name",
    /// A key that must be there is not.
    MissingKey => "spec::missing-key",
    /// Keys that cannot stand together, or a rule with none or several heads.
    RuleHead => "spec::rule-head",
    /// A document that is too large or too deeply nested to read.
    TooLarge => "spec::too-large",
    /// A key that the language does not have at this place.
    UnknownKey => "spec::unknown-key",
    /// An option that this kind of zone does not have.
    UnknownOption => "spec::unknown-option",
    /// A list, a map or a single value where another of these is expected.
    WrongShape => "spec::wrong-shape",
    /// A value that the key cannot have.
    WrongValue => "spec::wrong-value",
    /// The text is not YAML.
    YamlSyntax => "spec::yaml-syntax",
    /// YAML that fwc does not take: tags, merge keys, several documents in a file.
    YamlUnsupported => "spec::yaml-unsupported",
    // resolve: names and values
    /// A rule to leave out whose id several inherited zones have.
    AmbiguousRule => "resolve::ambiguous-rule",
    /// A vnet that may be the bridge which a host makes beside another for a NIC's tag, or not.
    AmbiguousVnet => "resolve::ambiguous-vnet",
    /// Text that should be an address, a network or a range and is none.
    BadAddress => "resolve::bad-address",
    /// Text that cannot be an interface's name here.
    BadInterface => "resolve::bad-interface",
    /// Text that is not the MAC address of a NIC.
    BadMac => "resolve::bad-mac",
    /// Text that is neither a port, nor a service name, nor a range of ports.
    BadPort => "resolve::bad-port",
    /// A sysctl value that the kernel does not take: an empty one, `true` or `false`.
    BadSysctlValue => "resolve::bad-sysctl-value",
    /// An ipset that lists and excludes the same addresses.
    ContradictingEntries => "resolve::contradicting-entries",
    /// An address that a machine lists twice.
    DuplicateAddress => "resolve::duplicate-address",
    /// Two NICs with the same port on one host.
    DuplicateDevice => "resolve::duplicate-device",
    /// Two rules of one zone with the same id.
    DuplicateId => "resolve::duplicate-id",
    /// A zone that is inherited twice by the same child.
    DuplicateParent => "resolve::duplicate-parent",
    /// An IP filter that lets no address of the guest pass.
    EmptyIpFilter => "resolve::empty-ip-filter",
    /// A list or a set without anything in it: it would match nothing.
    EmptyMatch => "resolve::empty-match",
    /// A link-local address that an IP filter does not let pass: it is not the one of the NIC's MAC address.
    ForeignLinkLocal => "resolve::foreign-link-local",
    /// An option about frames other than IP where the datacenter has them all pass.
    FramesNotJudged => "resolve::frames-not-judged",
    /// An option, or a rule left out, that a guardrail above forbids to touch.
    GuardrailLocked => "resolve::guardrail-locked",
    /// A network written with bits of a host's address in it.
    HostBits => "resolve::host-bits",
    /// A sysctl key that one zone sets twice, in two spellings.
    RepeatedSysctlKey => "resolve::repeated-sysctl-key",
    /// An ICMP type without the protocol that has it.
    IcmpTypeWithoutIcmp => "resolve::icmp-type-without-icmp",
    /// Zones that inherit each other in a circle.
    InheritanceCycle => "resolve::inheritance-cycle",
    /// Orders of inheritance that contradict each other.
    InheritanceOrder => "resolve::inheritance-order",
    /// An ipset that would differ from host to host.
    LocalNetworkInIpset => "resolve::local-network-in-ipset",
    /// A test whose addresses would differ from host to host.
    LocalNetworkInTest => "resolve::local-network-in-test",
    /// A security group that calls a security group.
    NestedGroup => "resolve::nested-group",
    /// An ipset that holds an ipset.
    NestedIpset => "resolve::nested-ipset",
    /// A rule that no packet can match, because IPv4 and IPv6 exclude each other.
    NeverHolds => "resolve::never-holds",
    /// An option that fwc's own outputs do not carry out.
    NotEnforced => "resolve::not-enforced",
    /// A reference to machines that have no addresses.
    NoAddresses => "resolve::no-addresses",
    /// Two nodes of a cluster with no ring of corosync in common.
    NoCommonRing => "resolve::no-common-ring",
    /// A guest that runs on no host.
    NoHost => "resolve::no-host",
    /// A NIC without the MAC address that its MAC filter needs.
    NoMac => "resolve::no-mac",
    /// Ports without a protocol that has ports.
    PortWithoutProtocol => "resolve::port-without-protocol",
    /// A prefix of chains for tables that are not shared.
    PrefixWithoutShared => "resolve::prefix-without-shared",
    /// An entry that stands for the same addresses as another one of its set.
    RepeatedEntry => "resolve::repeated-entry",
    /// Two NICs on one bridge and VLAN with the same MAC or IP address.
    SharedAddress => "resolve::shared-address",
    /// A limit on SYNs for which every source would be remembered long.
    SlowLimit => "resolve::slow-limit",
    /// TCP flags that must be set but are not looked at.
    TcpFlagsContradict => "resolve::tcp-flags-contradict",
    /// TCP flags without the protocol TCP.
    TcpFlagsWithoutTcp => "resolve::tcp-flags-without-tcp",
    /// A reference to machines of which some have addresses that the spec does not know.
    UnknownAddresses => "resolve::unknown-addresses",
    /// An ethertype that has no number.
    UnknownEtherType => "resolve::unknown-ether-type",
    /// A security group that is defined nowhere.
    UnknownGroup => "resolve::unknown-group",
    /// A host that is defined nowhere, or named twice.
    UnknownHost => "resolve::unknown-host",
    /// A name that is no ICMP type of that family.
    UnknownIcmpType => "resolve::unknown-icmp-type",
    /// A macro that does not exist.
    UnknownMacro => "resolve::unknown-macro",
    /// An alias, ipset or machine that is defined nowhere in reach.
    UnknownName => "resolve::unknown-name",
    /// A rule, a test or an IP filter for a NIC that its guest does not have.
    UnknownNic => "resolve::unknown-nic",
    /// A sysctl profile that does not exist.
    UnknownProfile => "resolve::unknown-profile",
    /// A protocol that has no name or number.
    UnknownProtocol => "resolve::unknown-protocol",
    /// A rule to leave out that is not inherited.
    UnknownRule => "resolve::unknown-rule",
    /// A TCP flag that does not exist.
    UnknownTcpFlag => "resolve::unknown-tcp-flag",
    /// A zone that is defined nowhere.
    UnknownZone => "resolve::unknown-zone",
    /// A direction that this kind of zone has no rules for.
    WrongDirection => "resolve::wrong-direction",
    /// A zone of hosts where one of guests is needed, or the other way round.
    WrongZoneKind => "resolve::wrong-zone-kind",
    // analysis: lints, see `src/analysis/lint/`
    /// A rule of which guardrails leave nothing, and decide otherwise.
    ContradictedByGuardrail => "lint::contradicted-by-guardrail",
    /// An alias or ipset that hides another one of the same name further out.
    HiddenDefinition => "lint::hidden-definition",
    /// A host that does not accept its management from where it is to come.
    LockOut => "lint::lock-out",
    /// A rule that no packet can match.
    NeverMatching => "lint::never-matching",
    /// A rule or policy that opens an administrative port to everybody.
    OpenAdministration => "lint::open-administration",
    /// Rules that were not judged, because the packets are split in too many ways.
    OverBudget => "lint::over-budget",
    /// A rule without which every packet fares the same.
    Redundant => "lint::redundant",
    /// A rule that no packet gets to.
    Shadowed => "lint::shadowed",
    /// An alias that nothing refers to.
    UnusedAlias => "lint::unused-alias",
    /// An `allow` for which there is nothing to be told.
    UnusedAllow => "lint::unused-allow",
    /// A group that nothing refers to.
    UnusedGroup => "lint::unused-group",
    /// An ipset that nothing refers to.
    UnusedIpset => "lint::unused-ipset",
    /// A zone that no machine inherits.
    UnusedZone => "lint::unused-zone",
    // target::iptables
    /// Guests filtered by iptables on a host whose bridges nobody tells to show frames to it.
    IptablesBridgeOff => "iptables::bridge-off",
    /// An ICMP type that iptables cannot match.
    IptablesIcmpType => "iptables::icmp-type",
    /// An interface's name that iptables would read as something else.
    IptablesInterfaceName => "iptables::interface-name",
    /// An IP protocol that iptables cannot match.
    IptablesProtocol => "iptables::protocol",
    /// A rate or a burst that iptables cannot count.
    IptablesRate => "iptables::rate",
    /// A guest's NIC without known addresses, which the host's own packets reach unfiltered.
    IptablesUnknownAddress => "iptables::unknown-address",
    // target::nft
    /// An IP protocol that is an extension header of IPv6, which nft looks through.
    NftProtocol => "nft::protocol",
    /// nft cannot answer the sender of a packet towards a guest: the bridge's postrouting hook has no
    /// reject. The packet is dropped. So is, without this warning, what the noise before a drop or reject
    /// policy rejects by itself (whois over IPv6; Microsoft's ports under a reject policy).
    NftRejectBecomesDrop => "nft::reject-becomes-drop",
    /// An option of a guest that the nft output cannot express.
    NftUnsupportedOption => "nft::unsupported-option",
    // target::pve
    /// A forward rule or policy, which Proxmox VE ignores unless the host says `nftables: true`.
    PveForwardIgnored => "pve::forward-ignored",
    /// A guest has one `.fw` file, and its hosts ask for different ones.
    PveGuestDiffers => "pve::guest-differs",
    /// Something that no line of a `.fw` file can say.
    PveInexpressible => "pve::inexpressible",
    /// A name that Proxmox VE does not take, or takes for another one.
    PveName => "pve::name",
    /// Packets that Proxmox VE's nftables implementation judges otherwise than the spec says.
    PveNftablesDiffers => "pve::nftables-differs",
    /// An option that the implementation which the host runs ignores.
    PveOptionIgnored => "pve::option-ignored",
    /// A host's own policy that final rules of its `host.fw` cannot say.
    PvePolicy => "pve::policy",
    /// A definition that Proxmox VE knows for the whole cluster only.
    PveScope => "pve::scope",
    // target::sysctl
    /// A file name by which another file of `sysctl.d` wins.
    FileLoses => "sysctl::file-loses",
    /// Forward rules on a host that is told to route nothing.
    ForwardingOff => "sysctl::forwarding-off",
    /// IPv6 addresses or rules on a host that is told to have no IPv6.
    Ipv6Disabled => "sysctl::ipv6-disabled",
    /// An interface's `rp_filter` and that of `conf.all`, of which the larger holds.
    LargerRpFilter => "sysctl::larger-rp-filter",
    /// A key of `conf.default`, which interfaces that are there do not heed.
    LaterInterfaces => "sysctl::later-interfaces",
    /// A kernel setting that lets packets pass by the rules.
    OpensFirewall => "sysctl::opens-firewall",
    /// Two keys, or an option and a key, that set the same, differently.
    SetTwice => "sysctl::set-twice",
    /// A timeout by which idle connections are forgotten before TCP's first keepalive.
    TimeoutBeforeKeepalive => "sysctl::timeout-before-keepalive",
    /// A key that needs a kernel module which fwc does not know.
    UnknownModule => "sysctl::unknown-module",
    // import
    /// A part of `/etc/pve` that the spec words otherwise, or that other outputs than `pve` enforce otherwise.
    ImportChanged => "import::changed",
    /// A part of `/etc/pve` that Proxmox VE ignores.
    ImportIgnored => "import::ignored",
    /// A part of `/etc/pve` that Proxmox VE enforces and a spec cannot say.
    ImportNotCarried => "import::not-carried",
    /// What a spec needs and `/etc/pve` does not say.
    ImportUnknown => "import::unknown",
    // cli: files
    /// A file of the spec cannot be read: it is missing, not permitted, or no regular file.
    CannotRead => "cli::cannot-read",
    /// A file of the spec is not UTF-8 text.
    NotUtf8 => "cli::not-utf8",
    /// A file of the spec has more than 64 MiB.
    FileTooLarge => "cli::file-too-large",
}
