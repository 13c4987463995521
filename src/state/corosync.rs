//! `corosync.conf`: the nodes of a cluster and their addresses.
//!
//! In: its text. Out: name and ring addresses of each `node { … }` of the `nodelist`, in their order.

use crate::diagnostic::{FileId, Located, Span};

use super::Slice;

/// A `node { … }`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node<'t> {
    /// `name`.
    pub name: Option<Located<&'t str>>,
    /// `ring0_addr`, `ring1_addr` and so on, in the order of the rings: addresses or names of hosts.
    pub rings: Vec<Located<&'t str>>,
    /// The line that opens it.
    pub span: Span,
}

/// Reads the nodes.
#[must_use]
pub fn read(file: FileId, text: &str) -> Vec<Node<'_>> {
    let mut nodes = Vec::new();
    // The blocks that are open, outermost first.
    let mut open: Vec<&str> = Vec::new();
    let mut rings: Vec<(u8, Located<&str>)> = Vec::new();
    let mut node = Node::default();
    for line in Slice::new(file, text).lines().map(Slice::trim) {
        if line.text.starts_with('#') {
            continue;
        }
        if let Some(name) = line.text.strip_suffix('{') {
            open.push(name.trim());
            if open == ["nodelist", "node"] {
                node = Node { span: line.span(), ..Node::default() };
                rings.clear();
            }
        } else if line.text == "}" {
            if open == ["nodelist", "node"] {
                rings.sort_by_key(|(ring, _)| *ring);
                node.rings = rings.iter().map(|(_, address)| *address).collect();
                nodes.push(std::mem::take(&mut node));
            }
            open.pop();
        } else if let (["nodelist", "node"], Some((key, value))) = (open.as_slice(), line.split_once(':')) {
            let value = value.trim();
            let ring = key.text.trim().strip_prefix("ring").and_then(|rest| rest.strip_suffix("_addr"));
            match (key.text.trim(), ring.and_then(|ring| ring.parse::<u8>().ok())) {
                ("name", _) => node.name = Some(value.whole()),
                (_, Some(ring)) => rings.push((ring, value.whole())),
                (_, None) => {}
            }
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_and_their_rings_are_read() {
        let text = "totem {\n  interface {\n    ring0_addr: x\n  }\n}\nnodelist {\n  node {\n    # one\n    name: a\n    \
                    ring1_addr: 10.1.0.1\n    ring0_addr: 10.0.0.1\n  }\n  node {\n    ring0_addr: b.example.org\n  }\n}\n}";
        let nodes = read(FileId(0), text);
        let [a, b] = nodes.as_slice() else { panic!("{nodes:?}") };
        assert_eq!(a.name.map(|name| name.value), Some("a"));
        assert_eq!(a.rings.iter().map(|ring| ring.value).collect::<Vec<_>>(), ["10.0.0.1", "10.1.0.1"]);
        assert_eq!((b.name, b.rings[0].value), (None, "b.example.org"));
    }
}
