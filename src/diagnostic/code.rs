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

// Grouped by floor, lowest first; alphabetical within a group.
codes! {
    // spec: reading YAML
    /// The text is not YAML.
    YamlSyntax => "spec::yaml-syntax",
    /// A key that the language does not have at this place.
    UnknownKey => "spec::unknown-key",
    // resolve: names and values
    /// A name that is defined nowhere in reach.
    UnknownName => "resolve::unknown-name",
    // target::iptables
    // target::nft
    // target::pve
    // target::sysctl
}
