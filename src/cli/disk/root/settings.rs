//! Files of kernel settings, the modules that are loaded at boot, and the values in force.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cli::Failure;
use crate::cli::failure::reason;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, FileId, SourceMap, Span};
use crate::state::sysctl::{FOLDERS, Node, Running, RunningValue, SYSCTL_CONF, Tree};

use super::walk::{End, follow, names, text};

/// Bytes of one value that are read; the kernel gives a page or little more.
const VALUE: usize = 1 << 16;

/// What programs that load kernel settings find below a root; their texts are in the source map.
#[derive(Debug, Clone, Default)]
pub struct SettingFiles {
    nodes: Vec<(String, Stored)>,
}

#[derive(Debug, Clone)]
enum Stored {
    Text(FileId),
    Link(String),
    Unreadable(String),
}

impl SettingFiles {
    /// The files as a tree, their texts from the map that they were read into.
    #[must_use]
    pub fn tree<'t>(&self, sources: &'t SourceMap) -> Tree<'t> {
        let mut tree = Tree::new();
        for (path, stored) in &self.nodes {
            let node = match stored {
                Stored::Text(file) => Node::Text(*file, sources.text(*file)),
                Stored::Link(target) => Node::Link(target.clone()),
                Stored::Unreadable(reason) => Node::Unreadable(reason.clone()),
            };
            tree.put(path, node);
        }
        tree
    }
}

/// Reads all files that `sysctl --system` or `systemd-sysctl` would read or pass over below a root. What is there and
/// cannot be read is a finding.
///
/// # Errors
/// Where the root is no folder.
pub fn read_setting_files(root: &Path, sources: &mut SourceMap) -> Result<(SettingFiles, Diagnostics), Failure> {
    let metadata = std::fs::metadata(root).map_err(|error| Failure::io("cannot read the root", root, &error))?;
    if !metadata.is_dir() {
        return Err(Failure::new(format!("`{}` is no folder", root.display()))
            .help("`--root` is the folder that stands for `/`, with `etc` and `usr` in it"));
    }
    let mut reading = Reading { root, sources, nodes: Vec::new(), found: Diagnostics::new() };
    for folder in FOLDERS.iter().chain(has_own_lib(root).then_some(&"lib/sysctl.d")) {
        match names(root, folder) {
            Ok(names) => {
                for name in names.iter().filter(|name| name.ends_with(".conf")) {
                    reading.node(&format!("{folder}/{name}"));
                }
            }
            Err(error) => reading.problem(folder, &format!("cannot read the folder: {}", reason(&error))),
        }
    }
    reading.node(SYSCTL_CONF);
    Ok((SettingFiles { nodes: reading.nodes }, reading.found))
}

/// Whether `lib` is a folder of its own and no link to `usr/lib`.
fn has_own_lib(root: &Path) -> bool {
    matches!(follow(root, "lib"), Ok(End::There(path, _)) if path == "lib")
}

struct Reading<'a> {
    root: &'a Path,
    sources: &'a mut SourceMap,
    nodes: Vec<(String, Stored)>,
    found: Diagnostics,
}

impl Reading<'_> {
    fn problem(&mut self, path: &str, reason: &str) {
        let path = self.root.join(path);
        let message = format!("`{}`: {reason}", path.display());
        let file = self.sources.add(path, "");
        let help = "what it sets is not known here: read it as a user who may";
        self.found.push(Diagnostic::error(Code::CannotRead, Span { file, start: 0, len: 0 }, message).help(help));
    }

    fn node(&mut self, path: &str) {
        let (end, stored) = match follow(self.root, path) {
            Ok(End::Nothing(end, linked)) => {
                // A link to nowhere hides others.
                if linked {
                    self.nodes.push((path.to_owned(), Stored::Link(format!("/{end}"))));
                }
                return;
            }
            // The programs get no line out of it.
            Ok(End::There(end, metadata)) if metadata.is_dir() || end == "dev/null" => {
                let file = self.sources.add(self.root.join(&end), "");
                (end, Stored::Text(file))
            }
            Ok(End::There(end, metadata)) => match text(self.root, &end, &metadata) {
                Ok(text) => {
                    let file = self.sources.add(self.root.join(&end), text);
                    (end, Stored::Text(file))
                }
                Err(reason) => {
                    self.problem(path, &format!("cannot read the file: {reason}"));
                    (end, Stored::Unreadable(reason))
                }
            },
            Err(error) => {
                let reason = reason(&error);
                self.problem(path, &format!("cannot read the file: {reason}"));
                (path.to_owned(), Stored::Unreadable(reason))
            }
        };
        if end != path {
            self.nodes.push((path.to_owned(), Stored::Link(format!("/{end}"))));
        }
        self.nodes.push((end, stored));
    }
}

/// The text of one file below a root; none where it is not there.
///
/// # Errors
/// Where it is there and cannot be read.
pub fn read_root_file(root: &Path, path: &str) -> Result<Option<String>, Failure> {
    let shown = root.join(path);
    let end = follow(root, path).map_err(|error| Failure::io("cannot read", &shown, &error))?;
    let End::There(end, metadata) = end else { return Ok(None) };
    let text = text(root, &end, &metadata);
    text.map(Some).map_err(|reason| Failure::new(format!("cannot read `{}`: {reason}", shown.display())))
}

/// Modules that are loaded at boot, by `modules-load.d` and `/etc/modules` (modules-load.d(5)). What cannot be read
/// counts as naming none.
#[must_use]
pub fn read_module_names(root: &Path) -> BTreeSet<String> {
    let mut paths = vec!["etc/modules".to_owned()];
    let mut known = BTreeSet::new();
    for folder in FOLDERS {
        let folder = folder.replace("sysctl.d", "modules-load.d");
        let names = names(root, &folder).unwrap_or_default();
        let wanted = names.into_iter().filter(|name| name.ends_with(".conf") && known.insert(name.clone()));
        paths.extend(wanted.map(|name| format!("{folder}/{name}")).collect::<Vec<_>>());
    }
    let mut modules = BTreeSet::new();
    for path in paths {
        let text = read_root_file(root, &path).ok().flatten().unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
        modules.extend(lines.filter_map(|line| line.split_whitespace().next()).map(|name| name.replace('-', "_")));
    }
    modules
}

/// The values of keys, in their one spelling, from `proc/sys` below a root. A key that is not there is absent.
#[must_use]
pub fn read_kernel_values<'k>(root: &Path, keys: impl IntoIterator<Item = &'k str>) -> Running {
    let mut running = Running::default();
    for key in keys {
        let parts: Vec<String> = key.split('.').map(|part| part.replace('/', ".")).collect();
        if parts.iter().any(|part| matches!(part.as_str(), "" | "." | "..")) {
            continue;
        }
        let path = format!("proc/sys/{}", parts.join("/"));
        let value = match follow(root, &path) {
            Ok(End::Nothing(..)) => continue,
            Ok(End::There(_, metadata)) if metadata.is_dir() => continue,
            Ok(End::There(end, metadata)) => text(root, &end, &metadata),
            Err(error) => Err(reason(&error)),
        };
        let value = match value {
            Ok(text) if text.len() > VALUE => RunningValue::Unreadable("larger than any value is".to_owned()),
            Ok(text) => RunningValue::Text(text.trim_end().to_owned()),
            Err(reason) => RunningValue::Unreadable(reason),
        };
        running.insert(key, value);
    }
    running
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use crate::state::sysctl::{Difference, Model, Program};

    use super::*;

    struct Root(tempfile::TempDir);

    impl Root {
        fn new(files: &[(&str, &str)]) -> Self {
            let root = Self(tempfile::tempdir().unwrap());
            for (path, text) in files {
                let path = root.0.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                match text.strip_prefix("-> ") {
                    Some(target) => symlink(target, path).unwrap(),
                    None => fs::write(path, text).unwrap(),
                }
            }
            root
        }

        fn read(&self) -> (Vec<(String, Option<String>)>, Vec<String>) {
            let mut sources = SourceMap::default();
            let (files, found) = read_setting_files(self.0.path(), &mut sources).unwrap();
            let model = Model::of(&files.tree(&sources), Program::Procps);
            let files = model.files.iter().map(|file| (file.path.clone(), file.leads_to.clone())).collect();
            let top = format!("{}/", self.0.path().display());
            (files, found.iter().map(|finding| finding.message.replace(&top, "")).collect())
        }
    }

    fn own(path: &str) -> (String, Option<String>) {
        (path.to_owned(), None)
    }

    fn leads(path: &str, to: &str) -> (String, Option<String>) {
        (path.to_owned(), Some(to.to_owned()))
    }

    #[test]
    fn links_lead_nowhere_out_of_the_root() {
        let root = Root::new(&[
            ("etc/sysctl.conf", "a = 1"),
            ("etc/sysctl.d/10-up.conf", "-> ../../../../../../../../etc/hostname"),
            ("etc/sysctl.d/20-absolute.conf", "-> /srv/x"),
            ("etc/sysctl.d/30-loop.conf", "-> 30-loop.conf"),
            ("etc/sysctl.d/99-sysctl.conf", "-> ../sysctl.conf"),
            ("srv/x", "b = 1"),
            ("usr/lib/sysctl.d/50-a.conf", "c = 1"),
            ("usr/lib/sysctl.d/README", "c = 1"),
            ("lib", "-> usr/lib"),
            ("run", "-> /var/run"),
            ("var/run/sysctl.d/60-run.conf", "d = 1"),
        ]);
        let (files, found) = root.read();
        assert_eq!(
            files,
            [
                own("etc/sysctl.d/10-up.conf"),
                leads("etc/sysctl.d/20-absolute.conf", "srv/x"),
                own("etc/sysctl.d/30-loop.conf"),
                own("usr/lib/sysctl.d/50-a.conf"),
                leads("run/sysctl.d/60-run.conf", "var/run/sysctl.d/60-run.conf"),
                leads("etc/sysctl.d/99-sysctl.conf", "etc/sysctl.conf"),
                own("etc/sysctl.conf"),
            ]
        );
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn what_cannot_be_read_is_a_finding_and_what_is_not_there_is_none() {
        let root = Root::new(&[("lib/sysctl.d/a.conf", "k = \u{1}")]);
        let at = |path: &str| root.0.path().join(path);
        fs::create_dir_all(at("etc/sysctl.d/folder.conf")).unwrap();
        fs::write(at("etc/sysctl.d/bytes.conf"), b"k = \xff").unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("etc/sysctl.d/pipe.conf"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        let (files, found) = root.read();
        let paths: Vec<_> = files.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "usr/lib/sysctl.d/a.conf",
                "etc/sysctl.d/bytes.conf",
                "etc/sysctl.d/folder.conf",
                "etc/sysctl.d/pipe.conf"
            ]
        );
        assert_eq!(found, ["`etc/sysctl.d/pipe.conf`: cannot read the file: not a regular file"]);
        assert_eq!(Root::new(&[]).read(), (Vec::new(), Vec::new()));
        let failed = read_setting_files(&at("etc/sysctl.d/bytes.conf"), &mut SourceMap::default()).unwrap_err();
        assert!(failed.message.ends_with("is no folder"), "{failed}");
        assert!(read_setting_files(&at("gone"), &mut SourceMap::default()).is_err());
    }

    #[test]
    fn values_and_modules_are_read_below_the_root() {
        let root = Root::new(&[
            ("proc/sys/net/ipv4/conf/eth0.1/rp_filter", "2\n"),
            ("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n"),
            ("proc/secret", "1"),
            ("etc/modules", "# x\nloop\n"),
            ("etc/modules-load.d/a.conf", "nf-conntrack\n; y\n\n"),
            ("usr/lib/modules-load.d/a.conf", "hidden"),
        ]);
        let running = read_kernel_values(
            root.0.path(),
            ["net.ipv4.conf.eth0/1.rp_filter", "net.ipv4.tcp_rmem", "net.bridge.x", "net.ipv4", "//.secret"],
        );
        assert_eq!(running.difference("net.ipv4.conf.eth0/1.rp_filter", "2"), None);
        assert_eq!(running.difference("net.ipv4.tcp_rmem", "4096 131072 6291456"), None);
        assert_eq!(running.difference("net.bridge.x", "1"), Some(Difference::Absent));
        assert_eq!(running.values.len(), 2);
        let modules = read_module_names(root.0.path());
        assert_eq!(modules.iter().map(String::as_str).collect::<Vec<_>>(), ["loop", "nf_conntrack"]);
    }
}
