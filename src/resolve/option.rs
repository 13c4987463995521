//! Options of machines: nearest wins, key by key; guardrails lock.

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::net::parse_ethertype;
use crate::policy::{
    ConntrackHelper, DatacenterOptions, EtherType, GuestOptions, HostOptions, Log, LogRateLimit, Origin, Setting,
    Verdict, VnetOptions, ZoneRef,
};
use crate::spec::model::{Map, OptionValue, Text};
use crate::spec::options::{self, OptionZone};

use super::rule::{log_level, verdict};

/// What one zone of a chain says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link<'a> {
    /// The zone.
    pub zone: &'a ZoneRef,
    /// `options`.
    pub options: &'a Map<OptionValue>,
    /// `guardrails.options`.
    pub guardrails: &'a Map<OptionValue>,
}

/// A machine's zones, itself first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain<'a> {
    links: &'a [Link<'a>],
    kind: OptionZone,
}

type Found<'a> = (&'a ZoneRef, &'a Text, &'a OptionValue);

fn get<'a>(map: &'a Map<OptionValue>, key: &str) -> Option<(&'a Text, &'a OptionValue)> {
    map.iter().find(|(name, _)| name.value == key).map(|(name, value)| (name, value))
}

/// A value as text, for the question whether two are the same.
fn canonical(value: &OptionValue) -> String {
    match value {
        OptionValue::Scalar(text) => text.value.clone(),
        OptionValue::List(list) => list.value.iter().map(Text::as_str).collect::<Vec<_>>().join(","),
        OptionValue::Map(map) => {
            map.value.iter().map(|(key, value)| format!("{}={}", key.value, value.value)).collect::<Vec<_>>().join(",")
        }
    }
}

impl<'a> Chain<'a> {
    /// A chain of zones whose options are of this kind.
    pub(super) const fn new(links: &'a [Link<'a>], kind: OptionZone) -> Self {
        Self { links, kind }
    }

    /// Whether any zone of the chain sets an option.
    fn sets(&self, key: &str) -> bool {
        self.links.iter().any(|link| get(link.options, key).is_some() || get(link.guardrails, key).is_some())
    }

    /// The value in force: the farthest guardrail's, or else the nearest zone's.
    fn find(&self, key: &str, out: &mut Diagnostics) -> Option<Found<'a>> {
        if !self.sets(key) {
            return None;
        }
        let mut nearest: Option<Found<'a>> = None;
        let mut below: Vec<(&'a Text, &'a OptionValue)> = Vec::new();
        let mut lock: Option<Found<'a>> = None;
        for link in self.links {
            let own = get(link.options, key);
            below.extend(own);
            if let Some((name, value)) = get(link.guardrails, key) {
                for (other, set) in below.iter().filter(|(_, set)| canonical(set) != canonical(value)) {
                    let message = format!("`{key}` is locked by a guardrail of `{}`", link.zone);
                    out.push(
                        Diagnostic::error(Code::GuardrailLocked, other.span, message)
                            .because(format!("set to `{}` here", canonical(set)))
                            .label(name.span, format!("locked to `{}` here", canonical(value)))
                            .help("drop the option here, or change the guardrail"),
                    );
                }
                below.push((name, value));
                lock = Some((link.zone, name, value));
            }
            if let (None, Some((name, value))) = (nearest, own) {
                nearest = Some((link.zone, name, value));
            }
        }
        lock.or(nearest)
    }

    fn setting<T>(
        &self,
        key: &str,
        default: T,
        out: &mut Diagnostics,
        read: impl FnOnce(&OptionValue, &mut Diagnostics) -> Option<T>,
    ) -> Setting<T> {
        let Some((zone, name, value)) = self.find(key, out) else { return Setting::default_value(default) };
        let origin = Origin { zone: zone.clone(), identity: key.to_owned(), span: name.span };
        match read(value, out) {
            Some(value) => Setting { value, origin: Some(origin) },
            None => Setting::default_value(default),
        }
    }

    fn scalar<T>(
        &self,
        key: &str,
        default: T,
        out: &mut Diagnostics,
        read: impl FnOnce(&Text) -> Result<T, Diagnostic>,
    ) -> Setting<T> {
        self.setting(key, default, out, |value, out| match value {
            OptionValue::Scalar(text) => read(text).map_err(|diagnostic| out.push(diagnostic)).ok(),
            // The reader refuses other shapes.
            OptionValue::List(_) | OptionValue::Map(_) => None,
        })
    }

    fn bool(&self, key: &str, default: bool, out: &mut Diagnostics) -> Setting<bool> {
        self.scalar(key, default, out, options::parse_bool)
    }

    fn number(&self, key: &str, default: u64, out: &mut Diagnostics) -> Setting<u64> {
        let spec = options::find(self.kind, key);
        self.scalar(key, default, out, |text| match spec {
            Some(spec) => spec.integer(text),
            None => options::parse_integer(text, 0, u64::MAX, "units"),
        })
    }

    fn small(&self, key: &str, default: u32, out: &mut Diagnostics) -> Setting<u32> {
        let Setting { value, origin } = self.number(key, u64::from(default), out);
        Setting { value: u32::try_from(value).unwrap_or(u32::MAX), origin }
    }

    fn verdict(&self, key: &str, default: Verdict, out: &mut Diagnostics) -> Setting<Verdict> {
        self.setting(key, default, out, |value, out| match value {
            OptionValue::Scalar(text) => verdict(text, out).ok(),
            OptionValue::List(_) | OptionValue::Map(_) => None,
        })
    }

    fn forward(&self, default: Verdict, out: &mut Diagnostics) -> Setting<Verdict> {
        self.setting("policy_forward", default, out, |value, out| match value {
            OptionValue::Scalar(text) => {
                options::parse_choice(options::FORWARD_VERDICTS, text)
                    .map_err(|diagnostic| out.push(diagnostic))
                    .ok()?;
                verdict(text, out).ok()
            }
            OptionValue::List(_) | OptionValue::Map(_) => None,
        })
    }

    fn log(&self, key: &str, out: &mut Diagnostics) -> Setting<Log> {
        self.setting(key, Log::None, out, |value, out| match value {
            OptionValue::Scalar(text) => log_level(text, out).ok(),
            OptionValue::List(_) | OptionValue::Map(_) => None,
        })
    }
}

/// The items of a list, or the one scalar in its place.
fn items(value: &OptionValue) -> &[Text] {
    match value {
        OptionValue::Scalar(text) => std::slice::from_ref(text),
        OptionValue::List(list) => &list.value,
        OptionValue::Map(_) => &[],
    }
}

/// The datacenter's options.
pub(super) fn datacenter(chain: &Chain<'_>, out: &mut Diagnostics) -> DatacenterOptions {
    DatacenterOptions {
        enable: chain.bool("enable", true, out),
        ebtables: chain.bool("ebtables", true, out),
        policy_in: chain.verdict("policy_in", Verdict::Drop, out),
        policy_out: chain.verdict("policy_out", Verdict::Accept, out),
        policy_forward: chain.forward(Verdict::Accept, out),
        log_ratelimit: rate_limit(chain, out),
    }
}

fn rate_limit(chain: &Chain<'_>, out: &mut Diagnostics) -> Setting<LogRateLimit> {
    let default = LogRateLimit { enable: true, rate: 1, unit: "second", burst: 5 };
    chain.setting("log_ratelimit", default, out, |value, out| {
        let OptionValue::Map(map) = value else { return None };
        let mut limit = default;
        for (key, text) in &map.value {
            let read = match key.value.as_str() {
                "enable" => options::parse_bool(text).map(|enable| limit.enable = enable),
                "rate" => options::parse_rate(text).map(|(rate, unit)| (limit.rate, limit.unit) = (rate, unit)),
                _ => options::parse_integer(text, 1, options::LOG_RATE_MAX, "lines")
                    .map(|burst| limit.burst = u32::try_from(burst).unwrap_or(u32::MAX)),
            };
            read.map_err(|diagnostic| out.push(diagnostic)).ok()?;
        }
        Some(limit)
    })
}

/// A host's options.
pub(super) fn host(chain: &Chain<'_>, datacenter: &DatacenterOptions, out: &mut Diagnostics) -> HostOptions {
    HostOptions {
        enable: chain.bool("enable", true, out),
        policy_in: or_datacenter(chain.verdict("policy_in", Verdict::Drop, out), &datacenter.policy_in),
        policy_out: or_datacenter(chain.verdict("policy_out", Verdict::Accept, out), &datacenter.policy_out),
        policy_forward: or_datacenter(chain.forward(Verdict::Accept, out), &datacenter.policy_forward),
        nosmurfs: chain.bool("nosmurfs", true, out),
        tcpflags: chain.bool("tcpflags", false, out),
        ndp: chain.bool("ndp", true, out),
        nf_conntrack_allow_invalid: chain.bool("nf_conntrack_allow_invalid", false, out),
        nf_conntrack_max: chain.number("nf_conntrack_max", 262_144, out),
        nf_conntrack_tcp_timeout_established: chain.number("nf_conntrack_tcp_timeout_established", 432_000, out),
        nf_conntrack_tcp_timeout_syn_recv: chain.number("nf_conntrack_tcp_timeout_syn_recv", 60, out),
        nf_conntrack_helpers: helpers(chain, out),
        protection_synflood: chain.bool("protection_synflood", false, out),
        protection_synflood_rate: chain.small("protection_synflood_rate", 200, out),
        protection_synflood_burst: chain.small("protection_synflood_burst", 1000, out),
        log_level_in: chain.log("log_level_in", out),
        log_level_out: chain.log("log_level_out", out),
        log_level_forward: chain.log("log_level_forward", out),
        tcp_flags_log_level: chain.log("tcp_flags_log_level", out),
        smurf_log_level: chain.log("smurf_log_level", out),
        log_nf_conntrack: chain.bool("log_nf_conntrack", false, out),
        nftables: chain.bool("nftables", false, out),
    }
}

fn or_datacenter(own: Setting<Verdict>, datacenter: &Setting<Verdict>) -> Setting<Verdict> {
    if own.origin.is_some() { own } else { datacenter.clone() }
}

fn helpers(chain: &Chain<'_>, out: &mut Diagnostics) -> Setting<Vec<ConntrackHelper>> {
    chain.setting("nf_conntrack_helpers", Vec::new(), out, |value, out| {
        let mut helpers: Vec<ConntrackHelper> = Vec::new();
        for text in items(value) {
            match options::parse_choice(options::CONNTRACK_HELPERS, text) {
                Ok(name) => helpers.extend(ConntrackHelper::ALL.into_iter().find(|helper| helper.name() == name)),
                Err(diagnostic) => {
                    out.push(diagnostic);
                    return None;
                }
            }
        }
        helpers.sort_unstable();
        helpers.dedup();
        Some(helpers)
    })
}

/// A guest's options.
pub(super) fn guest(chain: &Chain<'_>, out: &mut Diagnostics) -> GuestOptions {
    GuestOptions {
        enable: chain.bool("enable", true, out),
        macfilter: chain.bool("macfilter", true, out),
        dhcp: chain.bool("dhcp", true, out),
        ndp: chain.bool("ndp", true, out),
        radv: chain.bool("radv", false, out),
        ipfilter: chain.bool("ipfilter", false, out),
        policy_in: chain.verdict("policy_in", Verdict::Drop, out),
        policy_out: chain.verdict("policy_out", Verdict::Accept, out),
        log_level_in: chain.log("log_level_in", out),
        log_level_out: chain.log("log_level_out", out),
        layer2_protocols: layer2(chain, out),
        ips: chain.bool("ips", false, out),
        ips_queues: chain.scalar("ips_queues", None, out, |text| options::parse_queues(text).map(Some)),
    }
}

fn layer2(chain: &Chain<'_>, out: &mut Diagnostics) -> Setting<Option<Vec<EtherType>>> {
    chain.setting("layer2_protocols", None, out, |value, out| {
        let mut listed = Vec::new();
        if let OptionValue::List(list) = value
            && list.value.is_empty()
        {
            out.push(
                Diagnostic::error(Code::EmptyMatch, list.span, "an empty list of protocols lets no frame pass")
                    .help("name at least one, or leave `layer2_protocols` out to let all pass"),
            );
            return None;
        }
        for text in items(value) {
            match parse_ethertype(&text.value) {
                Ok(number) => listed.push(EtherType { name: text.value.clone(), number }),
                Err(message) => {
                    let help = crate::diagnostic::did_you_mean(&text.value, "names", crate::net::ethertype_names());
                    let help = format!("{help}; or write the number, such as `0x88cc`");
                    out.push(Diagnostic::error(Code::UnknownEtherType, text.span, message).help(help));
                    return None;
                }
            }
        }
        Some(Some(listed))
    })
}

/// A vnet's options.
pub(super) fn vnet(chain: &Chain<'_>, out: &mut Diagnostics) -> VnetOptions {
    VnetOptions {
        enable: chain.bool("enable", true, out),
        policy_forward: chain.forward(Verdict::Accept, out),
        log_level_forward: chain.log("log_level_forward", out),
    }
}
