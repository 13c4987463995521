//! Rules in their program's own words, for people.

use std::fmt;

use super::{Rule, TableName, Test, Value, Verdict};

impl fmt::Display for TableName {
    /// `inet fwc`, `filter`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.family.is_empty() { f.write_str(&self.name) } else { write!(f, "{} {}", self.family, self.name) }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(value) => f.write_str(value),
            Self::Any(values) => {
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            Self::Set(name) => write!(f, "@{name}"),
        }
    }
}

impl fmt::Display for Test {
    /// `-p tcp`, `! -s 10.0.0.0/8`, `ip saddr != 10.0.0.0/8`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let option = self.key.starts_with('-');
        if option && self.negated {
            f.write_str("! ")?;
        }
        f.write_str(&self.key)?;
        if !option && self.negated {
            f.write_str(" !=")?;
        }
        let value = self.value.to_string();
        if value.is_empty() { Ok(()) } else { write!(f, " {value}") }
    }
}

impl fmt::Display for Verdict {
    /// In neutral words, which both families of programs use: `accept`, `jump chain`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Continue => Ok(()),
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
            Self::Return => f.write_str("return"),
            Self::Reject(with) => write!(f, "reject with {with}"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Goto(chain) => write!(f, "goto {chain}"),
            Self::Map { key, map } => write!(f, "{key} vmap @{map}"),
            Self::Inline { key, elements } => {
                write!(f, "{key} vmap {{ ")?;
                for (index, (element, verdict)) in elements.iter().enumerate() {
                    write!(f, "{}{element} : {verdict}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(" }")
            }
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Rule {
    /// Tests, statements, verdict; without the comment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = self.tests.iter().map(Test::to_string).collect();
        parts.extend(self.statements.iter().cloned());
        let verdict = self.verdict.to_string();
        parts.extend((!verdict.is_empty()).then_some(verdict));
        f.write_str(&parts.join(" "))
    }
}
