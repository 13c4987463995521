//! Layout: embedded minijinja templates, replaceable one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

/// Name (as below `templates/`) and text of every embedded template.
fn embedded() -> impl Iterator<Item = (&'static str, &'static str)> {
    [super::iptables::TEMPLATES, super::nft::TEMPLATES, super::pve::TEMPLATES, super::sysctl::TEMPLATES]
        .into_iter()
        .flatten()
        .copied()
}

/// A template that does not exist, parse or render, or leaves out what it was given.
#[derive(Debug)]
pub enum TemplateError {
    /// minijinja's word for it.
    Render(minijinja::Error),
    /// A line of the firewall that is not in the text, or not in its place.
    LeftOut {
        /// The template's name.
        template: String,
        /// The first such line.
        line: String,
    },
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The alternate form shows the template's line.
            Self::Render(error) => write!(f, "a template does not render: {error:#}"),
            Self::LeftOut { template, line } => {
                write!(f, "the template `{template}` leaves out a line, or does not keep its place: `{line}`")
            }
        }
    }
}

impl std::error::Error for TemplateError {}

impl From<minijinja::Error> for TemplateError {
    fn from(error: minijinja::Error) -> Self {
        Self::Render(error)
    }
}

/// What a template places.
pub(super) trait Placed: Serialize {
    /// Every line that must stand in the text, in this order; between them and around them there may be others.
    fn lines(&self) -> Vec<String>;
}

/// The templates in force. They place finished lines; they decide nothing.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    /// The names of those that somebody else wrote.
    replaced: BTreeSet<String>,
}

impl Templates {
    /// The embedded templates, with those in `replaced` (by name) in their place.
    ///
    /// # Errors
    /// Where a template does not parse.
    pub fn new(replaced: BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        environment.set_syntax(syntax.build()?);
        for (name, text) in embedded() {
            environment.add_template(name, text)?;
        }
        let names = replaced.keys().cloned().collect();
        for (name, text) in replaced {
            environment.add_template_owned(name, text)?;
        }
        Ok(Self { environment, replaced: names })
    }

    /// The names of all embedded templates.
    pub fn names() -> impl Iterator<Item = &'static str> {
        embedded().map(|(name, _)| name)
    }

    /// Renders one.
    ///
    /// # Errors
    /// Where it does not exist, uses what `page` does not have, or leaves out lines: a firewall without some of its
    /// rules would load all the same.
    pub(super) fn render(&self, name: &str, page: &impl Placed) -> Result<String, TemplateError> {
        let text = self.environment.get_template(name)?.render(Value::from(Serde(page)))?;
        if self.replaced.contains(name)
            && let Some(line) = left_out(&text, &page.lines())
        {
            return Err(TemplateError::LeftOut { template: name.to_owned(), line });
        }
        Ok(text)
    }
}

/// The first of the lines that does not stand behind those before it. Space around a line, and around its ` = `, is
/// layout.
fn left_out(text: &str, lines: &[String]) -> Option<String> {
    let plain = |line: &str| line.trim().replace(" = ", "=");
    let mut found = text.lines().map(plain);
    let wanted = lines.iter().filter(|line| !line.trim().is_empty());
    let missing = wanted.map(|line| line.trim()).find(|line| !found.any(|there| there == plain(line)));
    missing.map(str::to_owned)
}

/// The lines of finished text.
pub(super) fn lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(str::to_owned)
}
