//! Results of tests as JUnit XML, the form that CI servers read.
//!
//! One `testsuite`, one `testcase` for each test: `classname` is the file, `failure` holds what people see.
//! Characters that XML 1.0 forbids are written as in Rust (`\u{7}`).

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::cli::{Failure, Style};
use crate::diagnostic::SourceMap;

use super::human;
use super::view::{Report, TestView};

/// The document.
///
/// # Errors
/// Where it cannot be written, which memory never does.
pub(super) fn render(sources: &SourceMap, report: &Report) -> Result<String, Failure> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let (tests, failures) = (report.tests.len().to_string(), report.failed.to_string());
    let written = writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None))).and_then(|()| {
        let suites = writer.create_element("testsuites").with_attributes([
            ("name", "fwc test"),
            ("tests", tests.as_str()),
            ("failures", failures.as_str()),
        ]);
        suites.write_inner_content(|writer| {
            let suite = writer.create_element("testsuite").with_attributes([
                ("name", "fwc"),
                ("tests", tests.as_str()),
                ("failures", failures.as_str()),
                ("errors", "0"),
                ("skipped", "0"),
            ]);
            suite.write_inner_content(|writer| report.tests.iter().try_for_each(|test| case(writer, sources, test)))?;
            Ok(())
        })?;
        Ok(())
    });
    let text = written.ok().and_then(|()| String::from_utf8(writer.into_inner()).ok());
    text.map(|text| text + "\n").ok_or_else(|| Failure::new("cannot write XML"))
}

fn case(writer: &mut Writer<Vec<u8>>, sources: &SourceMap, test: &TestView) -> std::io::Result<()> {
    let (name, file) = (plain(&test.name), plain(&test.place.file));
    let line = test.place.line.to_string();
    let element = writer.create_element("testcase").with_attributes([
        ("name", name.as_str()),
        ("classname", file.as_str()),
        ("file", file.as_str()),
        ("line", line.as_str()),
    ]);
    let note = (test.left_out > 0).then(|| format!("sampled: {} packets tried, {} not", test.packets, test.left_out));
    if test.failure.is_none() && note.is_none() {
        element.write_empty()?;
        return Ok(());
    }
    element.write_inner_content(|writer| {
        if let Some(failure) = &test.failure {
            let message = plain(&failure.message);
            let details = plain(&human::details(sources, failure, Style::PLAIN));
            let attributes = [("message", message.as_str()), ("type", failure.reason)];
            let element = writer.create_element("failure").with_attributes(attributes);
            element.write_text_content(BytesText::new(&details))?;
        }
        if let Some(note) = &note {
            writer.create_element("system-out").write_text_content(BytesText::new(note))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The text with what XML 1.0 cannot hold spelled out.
fn plain(text: &str) -> String {
    let forbidden = |c: char| (c.is_control() && !matches!(c, '\t' | '\n')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if forbidden(c) { format!("\\u{{{:x}}}", u32::from(c)) } else { c.to_string() }).collect()
}
