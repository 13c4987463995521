//! Shapes.
use super::options::OptionZone;

/// The keys of which a rule has exactly one.
pub(super) const RULE_HEADS: [&str; 4] = ["in", "out", "forward", "group"];

/// The kinds of zones whose options `guardrails.options` of a zone may lock: the datacenter's guardrails
/// hold for hosts and guests alike.
pub(super) const fn guardrail_zones(zones: &[OptionZone]) -> &[OptionZone] {
    match zones {
        [OptionZone::Datacenter, ..] => &[OptionZone::Datacenter, OptionZone::Host, OptionZone::Guest],
        _ => zones,
    }
}
