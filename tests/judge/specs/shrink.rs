//! A spec that fails, cut down to what the failure needs.

use super::tree::Node;

/// Drops keys, entries and rules for as long as `still_fails` says yes to what is left; the rest of the text then
/// needs all of it. Comes back unchanged where the text is no YAML that can be cut.
///
/// Large pieces go first, so most questions are asked about small specs. A spec that fwc refuses is one that does
/// not fail: that is for `still_fails` to see to.
pub fn shrink(text: &str, mut still_fails: impl FnMut(&str) -> bool) -> String {
    let Some(mut tree) = Node::parse(text) else { return text.to_owned() };
    loop {
        let mut cut = false;
        for depth in 1.. {
            let mut paths = Vec::new();
            collect(&tree, depth, &mut Vec::new(), &mut paths);
            if paths.is_empty() {
                break;
            }
            // From the end, so that the places before stay what they are.
            for path in paths.iter().rev() {
                for smaller in [removed(&tree, path), unwrapped(&tree, path)].into_iter().flatten() {
                    if still_fails(&smaller.render()) {
                        tree = smaller;
                        cut = true;
                        break;
                    }
                }
            }
        }
        if !cut {
            return tree.render();
        }
    }
}

/// The places at a depth: positions in maps and lists, from the root.
fn collect(node: &Node, depth: usize, path: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
    if depth == 0 {
        found.push(path.clone());
        return;
    }
    for at in 0..children(node) {
        path.push(at);
        if let Some(child) = child(node, at) {
            collect(child, depth - 1, path, found);
        }
        path.pop();
    }
}

fn children(node: &Node) -> usize {
    match node {
        Node::Map(entries) => entries.len(),
        Node::List(items) => items.len(),
        Node::Word(_) => 0,
    }
}

fn child(node: &Node, at: usize) -> Option<&Node> {
    match node {
        Node::Map(entries) => entries.get(at).map(|(_, value)| value),
        Node::List(items) => items.get(at),
        Node::Word(_) => None,
    }
}

/// Without what stands at a place. `version` stays.
fn removed(root: &Node, path: &[usize]) -> Option<Node> {
    edit(root, path, &|parent, at| match parent {
        Node::Map(entries) if entries[at].0 == "version" => false,
        Node::Map(entries) => {
            entries.remove(at);
            true
        }
        Node::List(items) => {
            items.remove(at);
            true
        }
        Node::Word(_) => false,
    })
}

/// A list of one value in place of the value.
fn unwrapped(root: &Node, path: &[usize]) -> Option<Node> {
    let only = |node: &Node| match node {
        Node::List(items) if matches!(items.as_slice(), [Node::Word(_)]) => items.first().cloned(),
        Node::List(_) | Node::Map(_) | Node::Word(_) => None,
    };
    edit(root, path, &|parent, at| match parent {
        Node::Map(entries) => only(&entries[at].1).map(|value| entries[at].1 = value).is_some(),
        Node::List(_) | Node::Word(_) => false,
    })
}

/// A copy in which the parent of a place was changed; none where it was not, or the place is gone.
fn edit(root: &Node, path: &[usize], change: &dyn Fn(&mut Node, usize) -> bool) -> Option<Node> {
    let (last, way) = path.split_last()?;
    let mut copy = root.clone();
    let mut node = &mut copy;
    for at in way {
        node = match node {
            Node::Map(entries) => &mut entries.get_mut(*at)?.1,
            Node::List(items) => items.get_mut(*at)?,
            Node::Word(_) => return None,
        };
    }
    (*last < children(node) && change(node, *last)).then_some(copy)
}
