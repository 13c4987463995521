//! The output files of both sides, line by line.

use std::collections::{BTreeMap, BTreeSet};

use similar::TextDiff;

use crate::diff::report::{FileReport, Status};

/// Files by their path.
pub(super) type Files = BTreeMap<String, String>;

/// Every file that differs, as a unified diff.
pub(super) fn compare(old: &Files, new: &Files) -> Vec<FileReport> {
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let report = |path: &String| {
        let (before, after) = (old.get(path), new.get(path));
        let status = match (before, after) {
            (None, _) => Status::Added,
            (_, None) => Status::Removed,
            (before, after) if before == after => return None,
            (_, _) => Status::Changed,
        };
        Some(FileReport { path: path.clone(), status, diff: unified(path, before, after) })
    };
    paths.into_iter().filter_map(report).collect()
}

fn unified(path: &str, old: Option<&String>, new: Option<&String>) -> String {
    let empty = String::new();
    let diff = TextDiff::configure()
        .timeout(std::time::Duration::from_secs(2))
        .diff_lines(old.unwrap_or(&empty).as_str(), new.unwrap_or(&empty).as_str());
    let name = |side: &str, there: bool| if there { format!("{side}/{path}") } else { "/dev/null".to_owned() };
    diff.unified_diff().context_radius(3).header(&name("a", old.is_some()), &name("b", new.is_some())).to_string()
}
