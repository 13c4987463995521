//! The proof that every build makes: nothing is doubted that is right, and nothing passes that is wrong.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "../judge/random.rs"]
#[expect(dead_code, reason = "the judge takes the rest")]
mod random;
#[path = "../judge/specs/mod.rs"]
#[expect(clippy::allow_attributes, reason = "an `expect` of dead code is not kept within a module")]
#[allow(dead_code, unused_imports, reason = "the judge takes the rest")]
mod specs;

use fwc::diagnostic::SourceMap;
use fwc::policy::Fleet;
use fwc::target::{self, OutputFile, Rules, Selection, Templates};

/// A spec, and what it is compiled to.
fn compiled(text: &str) -> (Fleet, Vec<OutputFile>) {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", text);
    let (spec, found) = fwc::spec::load(&sources);
    assert!(!found.has_errors(), "{found:?}");
    let (fleet, found) = fwc::resolve::resolve(&spec.unwrap());
    assert!(!found.has_errors(), "{found:?}");
    let fleet = fleet.unwrap();
    let templates = Templates::new(std::collections::BTreeMap::new()).unwrap();
    let mut files = Vec::new();
    for target in target::ALL {
        files.extend(target.compile(&fleet, &Selection::default(), &templates).unwrap().files);
    }
    (fleet, files)
}

/// The doubts of every host.
fn doubts(fleet: &Fleet, files: &[OutputFile]) -> Vec<target::Doubt> {
    let mut found = Vec::new();
    for host in &fleet.hosts {
        let own = files.iter().filter(|file| file.host.as_deref() == Some(host.name.as_str()));
        let own: Vec<(&str, &str)> =
            own.map(|file| (file.path.rsplit('/').next().unwrap(), file.content.as_str())).collect();
        found.extend(target::prove(host, &Rules::read(own.iter().copied())));
    }
    found
}

#[test]
fn every_random_spec_is_proved() {
    for seed in 0..80 {
        let spec = specs::random_spec(seed);
        let (fleet, files) = compiled(&spec);
        let found = doubts(&fleet, &files);
        let told: Vec<String> =
            found.iter().map(|one| format!("{} {:?}\n     {:?}", one.program, one.way, one.why)).collect();
        assert!(found.is_empty(), "seed {seed}:\n{}", told.join("\n"));
    }
}
