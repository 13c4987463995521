//! A report for programs: `schema/diff.schema.json` describes it.

use serde_json::json;

use crate::diff::report::Report;

/// The form's version: it rises when a field changes its meaning or goes; new ones may come without.
const VERSION: u32 = 1;

/// The report as one document.
pub(super) fn render(report: &Report) -> String {
    let mut document = json!({ "version": VERSION, "same": report.is_same(), "partial": report.is_partial() });
    if let (Some(fields), Ok(serde_json::Value::Object(rest))) =
        (document.as_object_mut(), serde_json::to_value(report))
    {
        fields.extend(rest);
    }
    format!("{document:#}\n")
}
