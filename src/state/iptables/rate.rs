//! Rates, as the kernel counts them.
//!
//! The kernel keeps the time between two packets in whole ticks; rates that come to the same number of ticks are the same.
//! What is listed is made from the ticks, in the largest unit that loses little, and so it is here.

/// Ticks of a second, of the test `limit`.
pub(super) const LIMIT: u64 = 10_000;
/// Ticks of a second, of the test `hashlimit`.
pub(super) const HASHLIMIT: u64 = 1_000_000;

/// Units from the longest, and their seconds.
const UNITS: [(&str, u64); 4] = [("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];

/// A rate in its one spelling, and the seconds of the unit that it was written in.
pub(super) fn spell(text: &str, ticks: u64) -> Option<(String, u64)> {
    let (count, unit) = text.split_once('/').unwrap_or((text, "second"));
    let count: u64 = count.parse().ok()?;
    let same =
        |name: &str| !unit.is_empty() && name.get(..unit.len()).is_some_and(|part| part.eq_ignore_ascii_case(unit));
    let (_, seconds) = UNITS.iter().rev().find(|(name, _)| same(name))?;
    let period = (ticks * seconds).checked_div(count).filter(|period| *period > 0)?;
    Some((listed(period, ticks), *seconds))
}

fn listed(period: u64, ticks: u64) -> String {
    let mut best = None;
    for (name, seconds) in UNITS {
        let unit = ticks * seconds;
        let loses = period > unit || unit / period < unit % period;
        // The longest unit has to do where no other one does.
        if best.is_some() && loses {
            break;
        }
        best = Some((unit / period, name));
    }
    let (count, name) = best.unwrap_or_default();
    format!("{count}/{name}")
}

/// Seconds of the unit in which a rate is listed.
pub(super) fn listed_seconds(spelled: &str) -> u64 {
    let unit = spelled.split_once('/').map_or("", |(_, unit)| unit);
    UNITS.iter().find(|(name, _)| *name == unit).map_or(1, |(_, seconds)| *seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_what_the_kernel_makes_of_them() {
        let limit = |text| spell(text, LIMIT).map(|(text, _)| text);
        assert_eq!(limit("10/minute").as_deref(), Some("10/minute"));
        assert_eq!(limit("10/min"), limit("10/m"));
        assert_eq!(limit("60/min").as_deref(), Some("1/second"));
        assert_eq!(limit("3/sec"), limit("3"));
        assert_eq!(limit("7000/hour").as_deref(), Some("7001/hour"));
        assert_eq!(limit("70/min").as_deref(), Some("70/minute"));
        assert_eq!(limit("1/day").as_deref(), Some("1/day"));
        assert_ne!(limit("10/minute"), limit("11/minute"));
        assert_eq!(limit("0/sec").or_else(|| limit("x/sec")).or_else(|| limit("1/year")), None);
        assert_eq!(limit("20000/second"), None);
    }
}
