//! Values that the nearest zone decides, options and kernel settings: whose edit makes one another.

use crate::diagnostic::Span;
use crate::policy::ZoneRef;

use super::cause::path;
use super::machine::{Here, Machines};
use super::written::Said;
use crate::diff::collect::CauseRef;

/// Lines of the old side and of the new one.
type Lines = (Option<Span>, Option<Span>);

impl Machines<'_> {
    /// Who made a value another: the zone that sets it now, or set it before, if that is where the edit is (and
    /// then also which zone); else whoever on the way inherits otherwise.
    pub(super) fn set_by(
        &self,
        here: &Here<'_>,
        zones: &[Option<ZoneRef>; 2],
        said: Said<'_>,
    ) -> (CauseRef, Option<ZoneRef>) {
        let [now, before] = zones;
        let on_both = |zone: &&ZoneRef| {
            let datacenter = **zone == ZoneRef::Datacenter;
            datacenter || (here.old_path.contains(zone) && here.new_path.contains(zone))
        };
        let candidates = || [now, before].into_iter().flatten().filter(on_both);
        let inherits = |zones: &[ZoneRef]| zones.iter().any(|zone| self.origins.inherits_otherwise(zone));
        // A value that falls back to an ancestor's is no edit of the ancestor.
        if let Some(zone) = candidates().find(|zone| self.origins.edited(zone, said)) {
            return (self.origins.zone(zone), Some(zone.clone()));
        }
        match (candidates().next(), now) {
            (Some(zone), _) if !inherits(here.new_path) && !inherits(here.old_path) => {
                (self.origins.zone(zone), Some(zone.clone()))
            }
            (_, Some(_)) => (self.origins.reordered(here.new_path), None),
            (_, None) => (self.origins.reordered(here.old_path), None),
        }
    }

    /// Of a value that became another: whose it is if not the cause's, the lines that were edited, and where it comes
    /// from if the edit took away what hid it.
    pub(super) fn setting(
        &self,
        zones: &[Option<ZoneRef>; 2],
        cause: &CauseRef,
        owner: Option<ZoneRef>,
        said: Said<'_>,
        spans: Lines,
    ) -> (Option<String>, Lines, Option<String>) {
        let [now, before] = zones;
        match owner {
            Some(owner) if now.as_ref() != Some(&owner) || before.as_ref().is_some_and(|before| *before != owner) => {
                let lines = self.origins.lines(&owner, said);
                let lines = if lines == (None, None) { spans } else { lines };
                let from = now.as_ref().filter(|now| **now != owner);
                (None, lines, from.map(|now| format!("from {}", path(now))))
            }
            Some(_) => (None, spans, None),
            None => {
                let zone = zones.iter().flatten().next().map(path).filter(|zone| *zone != cause.path);
                // The edge is what was edited.
                (zone, spans, None)
            }
        }
    }
}
