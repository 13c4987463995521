//! Layout: embedded minijinja templates, replaceable one by one.

use std::collections::BTreeMap;
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

/// A template that does not exist, parse or render.
#[derive(Debug)]
pub struct TemplateError(minijinja::Error);

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The alternate form shows the template's line.
        write!(f, "{:#}", self.0)
    }
}

impl std::error::Error for TemplateError {}

impl From<minijinja::Error> for TemplateError {
    fn from(error: minijinja::Error) -> Self {
        Self(error)
    }
}

/// The templates in force. They place finished lines; they decide nothing.
#[derive(Debug)]
pub struct Templates(Environment<'static>);

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
        for (name, text) in replaced {
            environment.add_template_owned(name, text)?;
        }
        Ok(Self(environment))
    }

    /// The names of all embedded templates.
    pub fn names() -> impl Iterator<Item = &'static str> {
        embedded().map(|(name, _)| name)
    }

    /// Renders one.
    ///
    /// # Errors
    /// Where it does not exist or uses what `context` does not have.
    pub fn render(&self, name: &str, context: &impl Serialize) -> Result<String, TemplateError> {
        Ok(self.0.get_template(name)?.render(Value::from(Serde(context)))?)
    }
}
