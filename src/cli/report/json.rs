//! Diagnostics for programs.

use serde_json::{Value, json};

use crate::diagnostic::{Diagnostic, Diagnostics, Severity, SourceMap, Span};

use super::count;

/// `{"errors": n, "warnings": n, "diagnostics": […]}`, every finding in its order. Lines and columns
/// count from 1, columns in characters; `end` is the place after the last character.
#[must_use]
pub fn document(sources: &SourceMap, diagnostics: &Diagnostics) -> Value {
    let (errors, warnings) = count(diagnostics);
    let all: Vec<Value> = diagnostics.iter().map(|diagnostic| one(sources, diagnostic)).collect();
    json!({ "errors": errors, "warnings": warnings, "diagnostics": all })
}

fn one(sources: &SourceMap, diagnostic: &Diagnostic) -> Value {
    let labels: Vec<Value> = diagnostic
        .labels
        .iter()
        .map(|label| {
            let mut value = place(sources, label.span);
            if let Some(fields) = value.as_object_mut() {
                fields.insert("text".to_owned(), Value::from(label.text.as_str()));
            }
            value
        })
        .collect();
    let mut value = json!({
        "code": diagnostic.code.as_str(),
        "severity": match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "message": diagnostic.message,
    });
    if let (Some(fields), Value::Object(place)) = (value.as_object_mut(), place(sources, diagnostic.span())) {
        fields.extend(place);
        fields.insert("help".to_owned(), Value::from(diagnostic.help.clone()));
        fields.insert("labels".to_owned(), Value::from(labels));
    }
    value
}

fn place(sources: &SourceMap, span: Span) -> Value {
    let (line, column) = sources.line_column(span);
    let after = Span { start: span.start.saturating_add(span.len), len: 0, ..span };
    let (end_line, end_column) = sources.line_column(after);
    json!({
        "file": sources.path(span.file).display().to_string(),
        "line": line,
        "column": column,
        "end": { "line": end_line, "column": end_column },
    })
}
