//! A spec's text as a side of a comparison, for the tests that hold two of them against each other.

use fwc::diagnostic::SourceMap;
use fwc::diff::policy::Side;
use fwc::policy::Fleet;
use fwc::spec::Spec;

/// A spec with all that is made of it.
pub struct Built {
    pub sources: SourceMap,
    pub spec: Spec,
    pub fleet: Fleet,
}

/// None where it has errors.
pub fn built(text: &str) -> Option<Built> {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", text);
    let (spec, found) = fwc::spec::load(&sources);
    let spec = spec.filter(|_| !found.has_errors())?;
    let (fleet, found) = fwc::resolve::resolve(&spec);
    let fleet = fleet.filter(|_| !found.has_errors())?;
    Some(Built { sources, spec, fleet })
}

impl Built {
    pub fn side(&self) -> Side<'_> {
        Side { spec: &self.spec, fleet: &self.fleet, sources: &self.sources }
    }
}
