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
    /// A name that is defined nowhere in reach.
    UnknownName => "resolve::unknown-name",
    // target::iptables
    // target::nft
    // target::pve
    // target::sysctl
    /// A file name by which another file of `sysctl.d` wins.
    FileLoses => "sysctl::file-loses",
    /// A kernel setting that lets packets pass by the rules.
    OpensFirewall => "sysctl::opens-firewall",
    /// An option and a sysctl key that set the same, differently.
    SetTwice => "sysctl::set-twice",
    // cli: files
    /// A file of the spec cannot be read: it is missing, not permitted, or no regular file.
    CannotRead => "cli::cannot-read",
    /// A file of the spec is not UTF-8 text.
    NotUtf8 => "cli::not-utf8",
    /// A file of the spec has more than 64 MiB.
    FileTooLarge => "cli::file-too-large",
}
