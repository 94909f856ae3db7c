//! A layer of an image: its secrets, and what it does to the modes of files below it.

use std::{borrow::Borrow, collections::BTreeMap};

use super::secret;

/// The bit of a mode that makes whoever starts a file its owner.
pub(super) const SET_UID: u32 = 0o4000;
/// Either bit that gives a program another identity.
const PRIVILEGED: u32 = SET_UID | 0o2000;

/// What a layer has at a path.
#[derive(Debug)]
pub(super) struct Item {
    /// The path below the root, without a slash in front.
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) mode: u32,
    /// What is in it, if it is a file and small.
    pub(super) content: Option<Vec<u8>>,
}

/// Kinds of things at a path, as far as they differ here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file, also by a further name.
    File,
    Folder,
    /// A link by name, a device, a pipe.
    Other,
}

/// A layer that has been looked at.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// How many files it has.
    pub(super) files: usize,
    /// Secrets: where, and what is there.
    pub(super) secrets: Vec<(String, String)>,
    /// What it does to the files below it, in its order.
    changes: Vec<Change>,
}

/// What a layer does to the files below it.
#[derive(Debug)]
enum Change {
    /// A folder is there; what it held stays.
    Folder(String),
    /// Something with this mode is there, and nothing beneath.
    Put(String, u32),
    /// Nothing is there any more.
    Remove(String),
    /// A folder is empty.
    Empty(String),
}

impl Layer {
    /// Looks at one more item.
    pub(super) fn add(&mut self, item: Item) {
        let Item { path, kind, mode, content } = item;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if name == ".wh..wh..opq" {
            self.changes.push(Change::Empty(folder.to_owned()));
            return;
        }
        if let Some(hidden) = name.strip_prefix(".wh.") {
            let parent = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            self.changes.push(Change::Remove(format!("{parent}{hidden}")));
            return;
        }
        let mode = match kind {
            Kind::Folder => {
                self.changes.push(Change::Folder(path));
                return;
            }
            Kind::Other => 0,
            Kind::File => mode,
        };
        self.files += usize::from(kind == Kind::File);
        if let Some(content) = content
            && let Some(what) = secret::in_file(&path, &content)
        {
            self.secrets.push((path.clone(), what));
        }
        self.changes.push(Change::Put(path, mode));
    }
}

/// Files that have one of the bits when all layers lie upon each other, with their modes.
pub(super) fn privileged(layers: &[impl Borrow<Layer>]) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let beneath = |path: &str, folder: &str| {
        folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    };
    for layer in layers.iter().map(Borrow::borrow) {
        // What a layer removes lay in those below it, wherever in the layer this is said.
        for change in &layer.changes {
            match change {
                Change::Remove(gone) => {
                    found.retain(|path: &String, _| path != gone && !beneath(path, gone));
                }
                Change::Empty(folder) => found.retain(|path, _| !beneath(path, folder)),
                Change::Folder(path) => drop(found.remove(path)),
                Change::Put(put, _) if !found.is_empty() => {
                    found.retain(|path, _| path != put && !beneath(path, put));
                }
                Change::Put(..) => {}
            }
        }
        for change in &layer.changes {
            if let Change::Put(path, mode) = change
                && mode & PRIVILEGED != 0
            {
                found.insert(path.clone(), *mode);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Item, Kind, Layer, privileged};

    fn layer(items: &[(&str, Kind, u32)]) -> Layer {
        let mut layer = Layer::default();
        for &(path, kind, mode) in items {
            layer.add(Item { path: path.to_owned(), kind, mode, content: None });
        }
        layer
    }

    #[test]
    fn layers_lie_upon_each_other() {
        let lower = [
            ("a/su", Kind::File, 0o4755),
            ("a/b/su", Kind::File, 0o4755),
            ("ab", Kind::File, 0o2755),
            ("folder", Kind::Folder, 0o2755),
        ];
        let left = |upper: &[(&str, Kind, u32)]| {
            privileged(&[layer(&lower), layer(upper)]).into_keys().collect::<Vec<_>>()
        };
        assert_eq!(left(&[]), ["a/b/su", "a/su", "ab"]);
        assert_eq!(left(&[("a", Kind::Folder, 0o755)]), ["a/b/su", "a/su", "ab"]);
        assert_eq!(left(&[("a", Kind::Other, 0o777)]), ["ab"]);
        assert_eq!(left(&[(".wh.a", Kind::File, 0)]), ["ab"]);
        assert_eq!(left(&[("a/b/.wh..wh..opq", Kind::File, 0)]), ["a/su", "ab"]);
        assert_eq!(left(&[("ab", Kind::File, 0o755), ("a/su", Kind::Folder, 0o755)]), ["a/b/su"]);
        // What a layer removes lay below it, and not in it.
        let again = [("a/su", Kind::File, 0o4755), ("a/.wh..wh..opq", Kind::File, 0)];
        assert_eq!(left(&again), ["a/su", "ab"]);
    }
}
