//! Named sets, each read once for each key that looks things up in it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::net::{Family, Ranges};
use crate::state::ruleset::{Set, Table, Test, Value};

use super::super::values::texts;
use super::super::{Condition, Fields, Pattern, Port};
use super::Entries;
use super::key::{self, Context, Look};

/// The elements of a set as conditions.
#[derive(Debug, Clone)]
enum Known {
    Values(Ranges<u128>),
    Names(Arc<[Pattern]>),
    Keyed(Entries),
    Choices(Vec<Fields>),
}

/// What a set is for each key; none where that is not understood.
type ByKey = Vec<(Box<str>, Option<Known>)>;

/// For rules that name no family, IPv4 and IPv6.
type ByFamily = [ByKey; 3];

/// The sets of a table.
#[derive(Debug)]
pub(super) struct Sets<'t> {
    table: &'t Table,
    /// By name, and by the family that a rule names.
    known: HashMap<&'t str, ByFamily>,
}

/// A set whose elements are all that is in it.
fn whole<'t>(table: &'t Table, name: &str) -> Option<&'t Set> {
    let set = table.sets.get(name)?;
    set.attributes.iter().all(|attribute| attribute == "flags constant").then_some(set)
}

impl<'t> Sets<'t> {
    pub(super) fn new(table: &'t Table) -> Self {
        Self { table, known: HashMap::new() }
    }

    /// What was found for a set and a key, or is found now.
    fn get(
        &mut self,
        name: &Arc<str>,
        family: Option<Family>,
        key: &str,
        find: impl FnOnce(&Set) -> Option<Known>,
    ) -> Option<&Known> {
        let table = self.table;
        if !self.known.contains_key(&**name) {
            let (name, _) = table.sets.get_key_value(name)?;
            self.known.insert(name, ByFamily::default());
        }
        let [none, v4, v6] = self.known.get_mut(&**name)?;
        let of = match family {
            None => none,
            Some(Family::V4) => v4,
            Some(Family::V6) => v6,
        };
        let place = of.iter().position(|(known, _)| **known == *key).unwrap_or_else(|| {
            of.push((Box::from(key), whole(table, name).and_then(find)));
            of.len() - 1
        });
        of.get(place).and_then(|(_, known)| known.as_ref())
    }

    /// The values in a set for a key of one field.
    pub(super) fn values(
        &mut self,
        context: &Context,
        name: &Arc<str>,
        key: &str,
        look: &Look,
    ) -> Option<Ranges<u128>> {
        match self.get(name, context.family, key, |set| look.values(elements(set)).map(Known::Values))? {
            Known::Values(values) => Some(values.clone()),
            Known::Names(_) | Known::Keyed(_) | Known::Choices(_) => None,
        }
    }

    /// The names in a set.
    pub(super) fn names(&mut self, name: &Arc<str>) -> Option<Arc<[Pattern]>> {
        match self.get(name, None, "", |set| key::patterns(elements(set)).map(Known::Names))? {
            Known::Names(names) => Some(Arc::clone(names)),
            Known::Values(_) | Known::Keyed(_) | Known::Choices(_) => None,
        }
    }

    /// A test of several keys at once.
    pub(super) fn concatenation(&mut self, context: &Context, test: &Test) -> Option<Condition> {
        let shape = Shape::new(context, &test.key)?;
        let known = match &test.value {
            Value::Set(name) => self.get(name, context.family, &test.key, |set| shape.read(elements(set)))?.clone(),
            value @ (Value::One(_) | Value::Any(_)) => shape.read(texts(value)?)?,
        };
        match (known, shape.port) {
            (Known::Keyed(entries), Some((_, port))) => {
                Some(Condition::Keyed { port, entries, domain: shape.domain(), negated: test.negated })
            }
            // What is in none of many boxes is in too many others.
            (Known::Choices(choices), None) if !test.negated => Some(Condition::Packet(choices)),
            (Known::Values(_) | Known::Names(_) | Known::Keyed(_) | Known::Choices(_), _) => None,
        }
    }
}

fn elements(set: &Set) -> impl Iterator<Item = &str> {
    set.elements.iter().map(String::as_str)
}

/// What the parts of a key are.
#[derive(Debug)]
struct Shape {
    /// One that is a port, and its place.
    port: Option<(usize, Port)>,
    /// The others.
    looks: Vec<Look>,
}

impl Shape {
    fn new(context: &Context, key: &str) -> Option<Self> {
        let mut shape = Self { port: None, looks: Vec::new() };
        for (place, part) in key.split(" . ").enumerate() {
            match key::port(part) {
                Some(port) if shape.port.is_none() => shape.port = Some((place, port)),
                Some(_) => return None,
                None => shape.looks.push(context.look(part)?),
            }
        }
        (!shape.looks.is_empty()).then_some(shape)
    }

    fn domain(&self) -> Fields {
        let mut domain = Fields::default();
        for (field, values) in self.looks.iter().flat_map(|look| look.domain.fields().0) {
            domain = domain.and(field, values);
        }
        domain
    }

    fn read<'e>(&self, elements: impl Iterator<Item = &'e str>) -> Option<Known> {
        let domain = self.domain();
        let within = |values: Vec<Ranges<u128>>| {
            let each = self.looks.iter().map(|look| look.field).zip(values);
            each.fold(domain.clone(), |fields, (field, values)| fields.and(field, values))
        };
        let mut choices = Vec::new();
        let mut named = Vec::new();
        for element in elements {
            let (name, values) = self.element(element)?;
            match name {
                Some(name) => named.push((name, values)),
                None => choices.push(within(values)),
            }
        }
        if self.port.is_none() {
            return Some(Known::Choices(choices));
        }
        // Elements come in their order, and so do mostly the names that they begin with.
        named.sort_by_key(|(name, _)| *name);
        let entries = named.chunk_by(|(one, _), (other, _)| one == other).map(|same| {
            let name = same.first().map_or("", |(name, _)| name);
            let all = || same.iter().map(|(_, values)| values);
            let fields = match self.looks.len() {
                1 => vec![within(vec![together(all())])],
                _ => all().cloned().map(&within).collect(),
            };
            (Arc::from(name), fields)
        });
        Some(Known::Keyed(Arc::new(entries.collect())))
    }

    /// The name in an element, and the values of each other part.
    fn element<'e>(&self, element: &'e str) -> Option<(Option<&'e str>, Vec<Ranges<u128>>)> {
        let mut looks = self.looks.iter();
        let (mut name, mut values) = (None, Vec::with_capacity(self.looks.len()));
        for (place, part) in parts(element).enumerate() {
            if self.port.is_some_and(|(port, _)| port == place) {
                name = Some(part).filter(|part| key::is_name(part));
                name?;
            } else {
                values.push(looks.next()?.value(part)?);
            }
        }
        looks.next().is_none().then_some((name, values))
    }
}

/// What stands between ` . ` in an element. As `str::split` does, which is slow for texts as short as these.
fn parts(element: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(element);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.as_bytes().windows(3).position(|three| three == b" . ");
        rest = end.and_then(|end| text.get(end + 3..));
        text.get(..end.unwrap_or(text.len()))
    })
}

/// All values of the only part.
fn together<'r>(all: impl Iterator<Item = &'r Vec<Ranges<u128>>>) -> Ranges<u128> {
    Ranges::from_ranges(all.flatten().flat_map(Ranges::iter))
}
