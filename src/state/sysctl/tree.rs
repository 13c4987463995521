//! What is below a root, as far as programs that load kernel settings look at it.
//!
//! In: paths with their text or link. Out: the same by path, links followed within the root.

use std::collections::BTreeMap;

use crate::diagnostic::FileId;

/// Folders that both programs read, in falling priority for files of the same name. `lib/sysctl.d` is
/// `usr/lib/sysctl.d` on every system since Debian 12.
pub const FOLDERS: [&str; 4] = ["etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d"];

/// The file that `sysctl --system` reads last.
pub const SYSCTL_CONF: &str = "etc/sysctl.conf";

/// Links that are followed before a path counts as one that leads nowhere, as in the kernel.
const LINKS: usize = 40;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node<'t> {
    /// A file and its text.
    Text(FileId, &'t str),
    /// A link, with its target as it is written: absolute from the root, or relative.
    Link(String),
    /// Something that is there and cannot be read, and why: no rights, a folder, too large.
    Unreadable(String),
}

/// Nodes by path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree<'t> {
    nodes: BTreeMap<String, Node<'t>>,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved<'n, 't> {
    /// A file, at which path, and its text.
    Text(&'n str, FileId, &'t str),
    /// Something without text: `/dev/null`, or a link to nowhere.
    Nothing,
    /// Why it cannot be read.
    Unreadable(&'n str),
}

impl<'t> Tree<'t> {
    /// An empty root.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a node at a path below the root, in place of what was there. Of `lib/sysctl.d/x` and `usr/lib/sysctl.d/x`,
    /// which are the same, the latter stays.
    pub fn put(&mut self, path: &str, node: Node<'t>) {
        let written = parts(path).collect::<Vec<_>>().join("/");
        let path = merged(&written);
        if path == written || !self.nodes.contains_key(&path) {
            self.nodes.insert(path, node);
        }
    }

    /// What stands at a path, links not followed.
    #[must_use]
    pub fn node(&self, path: &str) -> Option<&Node<'t>> {
        self.nodes.get(path)
    }

    /// Names that end in `.conf` in a folder, sorted as strcmp(3) does.
    pub(super) fn names<'n>(&'n self, folder: &'n str) -> impl Iterator<Item = &'n str> {
        let names = self.nodes.keys().filter_map(move |path| path.strip_prefix(folder)?.strip_prefix('/'));
        names.filter(|name| !name.contains('/') && name.ends_with(".conf"))
    }

    /// Follows links from a path; none where nothing stands there.
    #[must_use]
    pub fn resolve(&self, path: &str) -> Option<Resolved<'_, 't>> {
        self.nodes.get(path)?;
        let mut ahead: Vec<String> = parts(path).map(str::to_owned).collect();
        ahead.reverse();
        let mut at = String::new();
        let mut links = 0;
        while let Some(part) = ahead.pop() {
            if part == ".." {
                at.truncate(at.rfind('/').unwrap_or(0));
                continue;
            }
            let below = if at.is_empty() { part } else { format!("{at}/{part}") };
            let below = merged(&below);
            let Some(Node::Link(target)) = self.nodes.get(&below) else {
                at = below;
                continue;
            };
            links += 1;
            if links > LINKS {
                return Some(Resolved::Nothing);
            }
            if target.starts_with('/') {
                at.clear();
            }
            let mut target: Vec<String> = parts(target).map(str::to_owned).collect();
            target.reverse();
            ahead.append(&mut target);
        }
        Some(match self.nodes.get_key_value(&at) {
            Some((path, Node::Text(file, text))) => Resolved::Text(path, *file, text),
            Some((_, Node::Unreadable(reason))) => Resolved::Unreadable(reason),
            Some((_, Node::Link(_))) | None => Resolved::Nothing,
        })
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

/// `lib` is a link to `usr/lib`.
fn merged(path: &str) -> String {
    if path == "lib" || path.starts_with("lib/") { format!("usr/{path}") } else { path.to_owned() }
}
