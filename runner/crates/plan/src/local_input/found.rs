//! Inspects a local input on the disk: whether it is usable, and what a container must mount for it.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use contract::hub::snapshot;
use host::paths::host_path::HostPath;
use rustix::fs::{Access, access};
use untrusted::{Dir, Kind as Entry, escape};

use super::Kind;

/// Depth to which a folder is searched for symlinks. Weights and prompts lie at the top.
const DEPTH: usize = 2;

/// A local input on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whether it is a folder, not a file.
    pub is_folder: bool,
    /// The path to mount: the input itself, or the cached repo that its symlinks point into.
    pub mount: HostPath,
    /// Path of the input below the mount; empty if the input itself is mounted.
    pub subpath: String,
    /// Path of the input below the run's own Hub cache, if it lies there.
    pub(crate) hub_path: Option<String>,
    /// A symlink in the input, and its target, if a container cannot see that.
    pub outside_link: Option<(PathBuf, PathBuf)>,
}

impl Found {
    /// Inspects `path`. Symlinks are followed here, because a container may not see their targets.
    ///
    /// # Errors
    /// The reason why the input cannot be used: not found, permission denied or an unsupported file.
    pub(super) fn inspect(kind: Kind, path: &HostPath, hub: &HostPath) -> Result<Self, String> {
        let data = fs::metadata(path.as_path()).map_err(|error| not_found(path, &error))?;
        let is_folder = data.is_dir();
        if !is_folder {
            check_file(kind, path, &data)?;
        }
        let needed = if is_folder { Access::READ_OK | Access::EXEC_OK } else { Access::READ_OK };
        if access(path.as_path(), needed).is_err() {
            return Err(permission_denied(path, data.uid(), data.mode()));
        }
        let broken = |error: io::Error| format!("`{path}` cannot be followed: {error}");
        let real = path.as_path().canonicalize().map_err(broken)?;
        let mountable = |place: &Path| {
            HostPath::new(kind.word(), place, Path::new("/")).map_err(|error| error.to_string())
        };

        let hub = hub.as_path().canonicalize().ok().filter(|hub| real.starts_with(hub));
        let hub_path = match &hub {
            Some(hub) => below(hub, &own_path(path.as_path(), &real, is_folder).map_err(broken)?),
            None => None,
        };
        let (mount, subpath) = match snapshot(&real).filter(|_| is_folder) {
            Some((repo, subpath)) => (mountable(repo)?, subpath.to_string_lossy().into_owned()),
            None if path.as_path().is_symlink() => (mountable(&real)?, String::new()),
            None => (path.clone(), String::new()),
        };
        let outside_link = match hub {
            _ if !is_folder => None,
            Some(hub) => link_out_of(&hub, &real),
            None => link_out_of(&mount.as_path().canonicalize().map_err(broken)?, &real),
        };
        Ok(Self { is_folder, mount, subpath, hub_path, outside_link })
    }
}

/// The path of the input with its folder's symlinks followed. A file of a snapshot is a symlink to a blob,
/// and keeps its own name.
fn own_path(path: &Path, real: &Path, is_folder: bool) -> io::Result<PathBuf> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !is_folder => Ok(parent.canonicalize()?.join(name)),
        _ => Ok(real.to_owned()),
    }
}

/// The path of `inside` below `folder`.
fn below(folder: &Path, inside: &Path) -> Option<String> {
    let below = inside.strip_prefix(folder).ok()?.to_str()?;
    (!below.is_empty()).then(|| below.to_owned())
}

/// The first symlink in `folder` that a container cannot follow, if `visible` is mounted at another path.
fn link_out_of(visible: &Path, folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let dir = Dir::open(folder).ok()?;
    let mut links = Vec::new();
    dir.walk(DEPTH, |found| {
        if let untrusted::Found::Entry { path, stamp } = found
            && stamp.kind == Entry::Link
        {
            links.push(folder.join(path));
        }
        true
    });
    links.sort();
    links.into_iter().find_map(|link| {
        // A broken symlink is broken on the host, too.
        let target = link.canonicalize().ok()?;
        let is_absolute = fs::read_link(&link).is_ok_and(|to| to.is_absolute());
        (is_absolute || !target.starts_with(visible)).then_some((link, target))
    })
}

fn check_file(kind: Kind, path: &HostPath, data: &fs::Metadata) -> Result<(), String> {
    if !data.is_file() {
        return Err(format!("`{path}` is neither a file nor a folder"));
    }
    if kind.is_file_name(path.as_path()) {
        return Ok(());
    }
    let needs = match kind {
        Kind::Model => "a model is a folder with config.json and weights, or a file *.gguf",
        Kind::Dataset => {
            "a dataset is a file *.csv, *.json, *.jsonl or *.parquet, or a folder of such files"
        }
    };
    Err(format!("`{path}` is a file of another kind; {needs}"))
}

fn not_found(path: &HostPath, error: &io::Error) -> String {
    match (error.kind(), fs::read_link(path.as_path())) {
        (io::ErrorKind::NotFound, Ok(to)) => {
            let to = escape(&to.to_string_lossy());
            format!("`{path}` is a link to `{to}`, and nothing is there; mend it")
        }
        (io::ErrorKind::NotFound, Err(_)) => {
            format!("there is no `{path}`; a Hub id has the form ORG/REPO")
        }
        _ => format!("`{path}` cannot be reached: {error}; name one that you may read"),
    }
}

fn permission_denied(path: &HostPath, uid: u32, mode: u32) -> String {
    format!(
        "`{path}` may not be read by you: it belongs to uid {uid}, with mode {:04o}; ask its owner \
         for it, or name your own copy",
        mode & 0o7777
    )
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        path::{Path, PathBuf},
    };

    use host::paths::host_path::HostPath;

    use super::{Found, Kind, permission_denied};

    /// A disk in a folder, with a Hub cache in `hf/hub`.
    struct Disk(tempfile::TempDir);

    impl Disk {
        fn new() -> Self {
            let disk = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(disk.path("hf/hub")).unwrap();
            disk
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().canonicalize().unwrap().join(name)
        }

        fn file(&self, name: &str) {
            fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
            fs::write(self.path(name), name).unwrap();
        }

        fn link(&self, to: impl AsRef<Path>, name: &str) {
            fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
            symlink(to, self.path(name)).unwrap();
        }

        /// A cached repo with one file.
        fn repo(&self, repo: &str, file: &str) -> String {
            let snapshot = format!("{repo}/snapshots/ab12");
            self.file(&format!("{repo}/blobs/11"));
            self.link("../../blobs/11", &format!("{snapshot}/{file}"));
            snapshot
        }

        fn host_path(&self, name: &str) -> HostPath {
            HostPath::new("", &self.path(name), Path::new("/")).unwrap()
        }

        /// The result for an input, with the disk's folder as `ROOT` in an error.
        fn inspect(&self, kind: Kind, name: &str) -> Result<Found, String> {
            let found = Found::inspect(kind, &self.host_path(name), &self.host_path("hf/hub"));
            found.map_err(|why| why.replace(self.path("").to_str().unwrap(), "ROOT/"))
        }

        fn mounted(&self, kind: Kind, name: &str) -> (PathBuf, String, Option<String>) {
            let Found { mount, subpath, hub_path, outside_link, is_folder: _ } =
                self.inspect(kind, name).unwrap();
            assert_eq!(outside_link, None, "{name}");
            (mount.as_path().strip_prefix(self.path("")).unwrap().to_owned(), subpath, hub_path)
        }
    }

    fn alone(mount: &str) -> (PathBuf, String, Option<String>) {
        (mount.into(), String::new(), None)
    }

    #[test]
    fn file_or_folder_is_mounted_as_it_is() {
        let disk = Disk::new();
        for name in ["m/config.json", "m.GGUF", "p.csv"] {
            disk.file(name);
        }
        assert_eq!(disk.mounted(Kind::Model, "m"), alone("m"));
        assert!(disk.inspect(Kind::Model, "m").unwrap().is_folder);
        assert_eq!(disk.mounted(Kind::Model, "m.GGUF"), alone("m.GGUF"));
        assert_eq!(disk.mounted(Kind::Dataset, "p.csv"), alone("p.csv"));
    }

    #[test]
    fn target_of_a_symlink_is_mounted() {
        let disk = Disk::new();
        disk.file("far/m/config.json");
        disk.file("far/blob");
        disk.link("far/m", "m");
        disk.link("far/blob", "p.csv");
        assert_eq!(disk.mounted(Kind::Model, "m"), alone("far/m"));
        assert_eq!(disk.mounted(Kind::Dataset, "p.csv"), alone("far/blob"));
    }

    #[test]
    fn input_in_the_runs_own_cache_has_its_path_below_the_cache() {
        let disk = Disk::new();
        let snapshot = disk.repo("hf/hub/models--o--m", "m.gguf");
        let hub_path = |name: &str| disk.mounted(Kind::Model, name).2;
        let snapshot_path = "models--o--m/snapshots/ab12";
        assert_eq!(hub_path(&snapshot).as_deref(), Some(snapshot_path));
        assert_eq!(
            hub_path(&format!("{snapshot}/m.gguf")),
            Some(format!("{snapshot_path}/m.gguf"))
        );
        disk.link(disk.path(&snapshot), "named");
        assert_eq!(hub_path("named").as_deref(), Some(snapshot_path));
        disk.link(disk.path(&snapshot).join("m.gguf"), "named.gguf");
        let blob = alone("hf/hub/models--o--m/blobs/11");
        assert_eq!(disk.mounted(Kind::Model, "named.gguf"), blob);
    }

    #[test]
    fn whole_repo_is_mounted_for_a_snapshot_of_another_cache() {
        let disk = Disk::new();
        let model = disk.repo("other/models--o--m", "model.safetensors");
        let data = disk.repo("other/datasets--o--d", "p.csv");
        let repo = |repo: &str| (PathBuf::from(repo), "snapshots/ab12".to_owned(), None);
        assert_eq!(disk.mounted(Kind::Model, &model), repo("other/models--o--m"));
        assert_eq!(disk.mounted(Kind::Dataset, &data), repo("other/datasets--o--d"));
        let file = disk.mounted(Kind::Dataset, &format!("{data}/p.csv"));
        assert_eq!(file, alone("other/datasets--o--d/blobs/11"));
        // A symlinked repo belongs to the cache that it points into.
        disk.link(disk.path("other/models--o--m"), "hf/hub/models--o--m");
        let moved = "hf/hub/models--o--m/snapshots/ab12";
        assert_eq!(disk.mounted(Kind::Model, moved), repo("other/models--o--m"));
    }

    #[test]
    fn symlinks_that_a_container_cannot_follow_are_found() {
        let disk = Disk::new();
        disk.file("m/config.json");
        disk.file("far/weights");
        disk.link("config.json", "m/inside");
        disk.link("nowhere", "m/nothing");
        disk.link("../../../../far/weights", "m/a/b/c/too-deep");
        let out = |name| disk.inspect(Kind::Model, name).unwrap().outside_link;
        assert_eq!(out("m"), None);
        disk.link("../../far/weights", "m/sub/weights");
        assert_eq!(out("m"), Some((disk.path("m/sub/weights"), disk.path("far/weights"))));
        disk.file("n/config.json");
        disk.link(disk.path("n/config.json"), "n/absolute");
        assert_eq!(out("n"), Some((disk.path("n/absolute"), disk.path("n/config.json"))));
    }

    #[test]
    fn unusable_input_is_refused_with_a_reason() {
        let disk = Disk::new();
        disk.file("weights.bin");
        disk.file("p.txt");
        disk.link("nowhere", "gone");
        let model = |name| disk.inspect(Kind::Model, name).unwrap_err();
        insta::assert_snapshot!(model("none"), @"there is no `ROOT/none`; a Hub id has the form ORG/REPO");
        insta::assert_snapshot!(model("gone"), @"`ROOT/gone` is a link to `nowhere`, and nothing is there; mend it");
        insta::assert_snapshot!(model("p.txt/x"), @"`ROOT/p.txt/x` cannot be reached: Not a directory (os error 20); name one that you may read");
        insta::assert_snapshot!(model("weights.bin"), @"`ROOT/weights.bin` is a file of another kind; a model is a folder with config.json and weights, or a file *.gguf");
        insta::assert_snapshot!(disk.inspect(Kind::Dataset, "p.txt").unwrap_err(), @"`ROOT/p.txt` is a file of another kind; a dataset is a file *.csv, *.json, *.jsonl or *.parquet, or a folder of such files");
        insta::assert_snapshot!(permission_denied(&HostPath::new("", Path::new("/m"), Path::new("/")).unwrap(), 0, 0o100_600), @"`/m` may not be read by you: it belongs to uid 0, with mode 0600; ask its owner for it, or name your own copy");
        let socket = std::os::unix::net::UnixListener::bind(disk.path("s.gguf")).unwrap();
        insta::assert_snapshot!(model("s.gguf"), @"`ROOT/s.gguf` is neither a file nor a folder");
        drop(socket);
    }
}
