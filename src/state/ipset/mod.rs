//! Sets that `ipset save` lists, and that `ipset restore` takes.
//!
//! In: the text. Out: the sets by name, as they are when all lines are done: of what is made, filled, exchanged and destroyed
//! again only the end is left. Promise: no text makes the reader fail, and a line that it cannot follow is listed.
//!
//! Left out, since a rule that asks a set does not see it: sizes of hash tables, seeds, counters, comments, and for how many
//! seconds an element is still in it (that it is there for a time stays).

mod element;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::{FileId, Span};

use super::iptables::{Word, split_words};
use super::ruleset::Set;
use super::{Slice, Unread};

use element::{Element, Type};

/// Reads the text.
#[must_use]
pub fn read(file: FileId, text: &str) -> (BTreeMap<Arc<str>, Set>, Vec<Unread>) {
    let mut reader = Reader::default();
    let mut words = Vec::new();
    for line in Slice::new(file, text).lines() {
        let line = line.trim();
        if line.text.is_empty() || line.text.starts_with('#') {
            continue;
        }
        let cut = !text.ends_with('\n') && line.start + line.text.len() >= text.trim_end().len();
        let done = if cut {
            Err("the text ends within this line".to_owned())
        } else {
            split_words(line.text, false, &mut words)
                .map_err(str::to_owned)
                .and_then(|()| reader.line(&words, line.span()))
        };
        if let Err(reason) = done {
            reader.unread.push(Unread { span: line.span(), reason });
        }
    }
    let sets = reader.sets.into_iter().map(|(name, draft)| (name, draft.finish())).collect();
    (sets, reader.unread)
}

/// Elements that ranges may stand for, in all sets together.
const MOST: usize = 1 << 16;

#[derive(Debug, Default)]
struct Reader {
    sets: BTreeMap<Arc<str>, Draft>,
    unread: Vec<Unread>,
    /// Those that ranges stood for so far.
    expanded: usize,
}

/// A set that is being filled.
#[derive(Debug)]
struct Draft {
    of: Type,
    attributes: BTreeSet<String>,
    elements: BTreeSet<Element>,
    span: Span,
}

impl Draft {
    fn finish(self) -> Set {
        let Self { of, attributes, elements, span } = self;
        Set { kind: of.to_string(), elements: element::finish(elements), attributes, span }
    }
}

impl Reader {
    fn line(&mut self, words: &[Word<'_>], span: Span) -> Result<(), String> {
        let plain = |word: &&str| !matches!(*word, "-exist" | "--exist" | "-!" | "-quiet" | "-q");
        let exist = words.iter().any(|word| matches!(word.as_ref(), "-exist" | "--exist" | "-!"));
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).filter(plain).collect();
        match words.as_slice() {
            ["create" | "new" | "n" | "-N", name, kind, options @ ..] => self.create(name, kind, options, exist, span),
            ["add" | "a" | "-A", name, value, options @ ..] => {
                let most = MOST.saturating_sub(self.expanded);
                let draft = self.get(name)?;
                let elements = element::read(&draft.of, value, options, most)?;
                let count = elements.len().saturating_sub(1);
                draft.elements.extend(elements);
                self.expanded += count;
                Ok(())
            }
            ["del" | "d" | "-D", name, value, options @ ..] => {
                let draft = self.get(name)?;
                for element in element::read(&draft.of, value, options, MOST)? {
                    if !draft.elements.remove(&element) && !exist {
                        return Err(format!("`{value}` is not in the set `{name}` by itself"));
                    }
                }
                Ok(())
            }
            ["flush" | "f" | "-F", name] => {
                self.get(name)?.elements.clear();
                Ok(())
            }
            ["flush" | "f" | "-F"] => {
                self.sets.values_mut().for_each(|draft| draft.elements.clear());
                Ok(())
            }
            ["swap" | "s" | "-W", one, other] => self.swap(one, other),
            ["rename" | "e" | "-E", old, new] => {
                self.get(old)?;
                let Some(draft) = self.sets.remove(*old) else { return Ok(()) };
                self.sets.insert(Arc::from(*new), draft);
                Ok(())
            }
            ["destroy" | "x" | "-X", name] => {
                self.get(name)?;
                self.sets.remove(*name);
                Ok(())
            }
            ["destroy" | "x" | "-X"] => {
                self.sets.clear();
                Ok(())
            }
            ["COMMIT"] => Ok(()),
            _ => Err("no line of `ipset save`".to_owned()),
        }
    }

    fn get(&mut self, name: &str) -> Result<&mut Draft, String> {
        self.sets.get_mut(name).ok_or_else(|| format!("no line makes the set `{name}`"))
    }

    fn create(&mut self, name: &str, kind: &str, options: &[&str], exist: bool, span: Span) -> Result<(), String> {
        let mut attributes = BTreeSet::new();
        let mut of = Type::new(kind);
        // ipset's default.
        let mut most = "65536";
        let mut words = options.iter().copied();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` has no value"));
            match word {
                "family" => of.set_family(value()?),
                "maxelem" => most = value()?,
                "netmask" => {
                    let text = value()?;
                    of.netmask = text.parse().ok();
                    attributes.insert(format!("netmask {text}"));
                }
                "range" => {
                    attributes.insert(format!("range {}", element::range(value()?)));
                }
                "timeout" => {
                    let text = value()?;
                    of.temporary = text != "0";
                    attributes.insert(format!("timeout {text}"));
                }
                "bitmask" | "markmask" | "size" => {
                    attributes.insert(format!("{word} {}", value()?));
                }
                "hashsize" | "bucketsize" | "initval" | "probes" | "resize" | "gc" => {
                    value()?;
                }
                "counters" | "comment" => {}
                other => {
                    attributes.insert(other.to_owned());
                }
            }
        }
        // Packets or programs fill it, and its size says when that ends.
        if attributes.iter().any(|word| word.starts_with("timeout ")) {
            attributes.insert(format!("maxelem {most}"));
        }
        if self.sets.contains_key(name) {
            return if exist { Ok(()) } else { Err(format!("the set `{name}` is there already")) };
        }
        self.sets.insert(Arc::from(name), Draft { of, attributes, elements: BTreeSet::new(), span });
        Ok(())
    }

    /// Their content changes places; the names stay.
    fn swap(&mut self, one: &str, other: &str) -> Result<(), String> {
        self.get(one)?;
        self.get(other)?;
        if one == other {
            return Ok(());
        }
        let (Some(first), Some(second)) = (self.sets.remove(one), self.sets.remove(other)) else { return Ok(()) };
        self.sets.insert(Arc::from(one), second);
        self.sets.insert(Arc::from(other), first);
        Ok(())
    }
}
