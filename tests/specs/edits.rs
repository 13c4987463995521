//! One random edit of a spec.

use std::collections::BTreeMap;

use crate::specs::random::Random;
use crate::specs::tree::Node;

/// Words that are exchanged for one another.
const EXCHANGES: [&[&str]; 6] = [
    &["accept", "drop", "reject"],
    &["true", "false"],
    &["tcp", "udp"],
    &["nolog", "info", "err", "debug"],
    &["Ping", "SSH", "Web", "DNS"],
    &["+management", "+blacklist", "local_network"],
];

/// Maps whose keys are names, not words of the language.
const NAMED: [&str; 9] = ["aliases", "ipsets", "groups", "zones", "hosts", "vms", "containers", "vnets", "nics"];

/// The spec with one thing changed, and what was done; none where the place takes no such edit. Every kind of place is
/// taken as often as any other, and `inherits` more often: there are hundreds of ports.
pub fn edited(spec: &Node, random: &mut Random) -> Option<(Node, String)> {
    let mut places = BTreeMap::new();
    collect(spec, "", &mut Vec::new(), &mut places);
    let parents = random.chance(10);
    let kinds: Vec<&Vec<Vec<usize>>> =
        places.iter().filter(|(kind, _)| !parents || kind.ends_with(".inherits")).map(|(_, paths)| paths).collect();
    let kind = kinds.get(random.below(kinds.len()))?;
    let path = kind[random.below(kind.len())].clone();
    let mut copy = spec.clone();
    let node = at(&mut copy, &path);
    // Who inherits what is there to be left out, and to be in another order.
    let kind = random.below(if parents { 2 } else { 4 });
    let done = match (kind, node) {
        (0, Node::Map(entries)) if !entries.is_empty() => {
            let gone = entries.remove(random.below(entries.len()));
            format!("without {}", gone.0)
        }
        (0, Node::List(items)) if !items.is_empty() => {
            items.remove(random.below(items.len()));
            "without an entry".to_owned()
        }
        (1, Node::List(items)) if items.len() > 1 => {
            let a = random.below(items.len() - 1);
            items.swap(a, a + 1);
            format!("{a} and the next swapped")
        }
        (1, Node::Map(entries)) if entries.len() > 1 => {
            let a = random.below(entries.len() - 1);
            entries.swap(a, a + 1);
            format!("keys {a} and the next swapped")
        }
        (2, Node::List(items)) if !items.is_empty() => {
            let copy = items[random.below(items.len())].clone();
            items.insert(random.below(items.len() + 1), copy);
            "an entry twice".to_owned()
        }
        (_, Node::Word(word)) => {
            let other = other_word(word, random)?;
            let done = format!("{word} is {other}");
            *word = other;
            done
        }
        (_, Node::Map(_) | Node::List(_)) => return None,
    };
    let path: Vec<String> = path.iter().map(ToString::to_string).collect();
    Some((copy, format!("{done} at {}", path.join("."))))
}

/// Another word that may stand in its place.
fn other_word(word: &str, random: &mut Random) -> Option<String> {
    if let Some(list) = EXCHANGES.iter().find(|list| list.contains(&word)) {
        let others: Vec<&str> = list.iter().copied().filter(|other| *other != word).collect();
        return Some(random.pick(&others).to_owned());
    }
    // One of the numbers in it becomes the next one.
    let digits: Vec<usize> = word.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).collect();
    let at = *digits.get(random.below(digits.len()))?;
    let digit = word.as_bytes()[at];
    let next = if digit == b'9' { '1' } else { char::from(digit + 1) };
    let mut other = word.to_owned();
    other.replace_range(at..=at, &next.to_string());
    Some(other)
}

/// All places by their kind: the keys that lead there, without names.
fn collect(node: &Node, kind: &str, path: &mut Vec<usize>, found: &mut BTreeMap<String, Vec<Vec<usize>>>) {
    found.entry(kind.to_owned()).or_default().push(path.clone());
    let children: Vec<(String, &Node)> = match node {
        Node::Map(entries) => entries.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Node::List(items) => items.iter().map(|item| ("-".to_owned(), item)).collect(),
        Node::Word(_) => Vec::new(),
    };
    let named = NAMED.iter().any(|name| kind.ends_with(name));
    for (at, (key, child)) in children.into_iter().enumerate() {
        path.push(at);
        let key = if named { "*" } else { &key };
        collect(child, &format!("{kind}.{key}"), path, found);
        path.pop();
    }
}

fn at<'n>(node: &'n mut Node, path: &[usize]) -> &'n mut Node {
    path.iter().fold(node, |node, at| match node {
        Node::Map(entries) => &mut entries[*at].1,
        Node::List(items) => &mut items[*at],
        Node::Word(_) => panic!("a word holds nothing"),
    })
}
