//! What the disk says of a local input: whether it serves, and what a container must be given.

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

/// How deep a folder is searched for links: weights and prompts lie at the top of theirs.
const LEVELS: usize = 2;

/// What was found where a local input should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whether it is a folder.
    pub is_folder: bool,
    /// What a container is given: the input, or the repo of a Hub cache that its links lead into.
    pub mount: HostPath,
    /// The way from there to the input; empty when that is the input itself.
    pub below: String,
    /// The way from the run's own Hub cache to the input, if it lies in there.
    pub(crate) in_hub: Option<String>,
    /// A link in it, and what that leads to: a place that a container does not see.
    pub leads_out: Option<(PathBuf, PathBuf)>,
}

impl Found {
    /// Looks at `path`. Links are followed here, because a container could not follow them.
    ///
    /// # Errors
    /// When it is not there, may not be read, or is none; why, for behind the argument.
    pub(super) fn look(kind: Kind, path: &HostPath, hub: &HostPath) -> Result<Self, String> {
        let data = fs::metadata(path.as_path()).map_err(|error| why_missing(path, &error))?;
        if !data.is_dir() {
            check_file(kind, path, &data)?;
        }
        let needed =
            if data.is_dir() { Access::READ_OK | Access::EXEC_OK } else { Access::READ_OK };
        if access(path.as_path(), needed).is_err() {
            return Err(why_closed(path, data.uid(), data.mode()));
        }
        let broken = |error: io::Error| format!("`{path}` cannot be followed: {error}");
        let real = path.as_path().canonicalize().map_err(broken)?;
        let is_link = path.as_path().is_symlink();
        let mountable = |place: &Path| {
            HostPath::new(kind.word(), place, Path::new("/")).map_err(|error| error.to_string())
        };

        let hub = hub.as_path().canonicalize().ok().filter(|hub| real.starts_with(hub));
        let in_hub = match &hub {
            Some(hub) => way(hub, &place(path.as_path(), &real, data.is_dir()).map_err(broken)?),
            None => None,
        };
        let (mount, below) = match snapshot(&real).filter(|_| data.is_dir()) {
            Some((repo, below)) => (mountable(repo)?, below.to_string_lossy().into_owned()),
            None if is_link => (mountable(&real)?, String::new()),
            None => (path.clone(), String::new()),
        };
        let leads_out = if data.is_dir() {
            let seen = match hub {
                Some(hub) => hub,
                None => mount.as_path().canonicalize().map_err(broken)?,
            };
            link_out_of(&seen, &real)
        } else {
            None
        };
        Ok(Self { is_folder: data.is_dir(), mount, below, in_hub, leads_out })
    }
}

/// Where the input itself lies: a file of a snapshot is a link, and its name is the link's.
fn place(path: &Path, real: &Path, is_folder: bool) -> io::Result<PathBuf> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !is_folder => Ok(parent.canonicalize()?.join(name)),
        _ => Ok(real.to_owned()),
    }
}

/// The way from `folder` to something in it.
fn way(folder: &Path, inside: &Path) -> Option<String> {
    let way = inside.strip_prefix(folder).ok()?.to_str()?;
    (!way.is_empty()).then(|| way.to_owned())
}

/// The first link in `folder` that a container cannot follow when it sees `seen` at another place.
fn link_out_of(seen: &Path, folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let dir = Dir::open(folder).ok()?;
    let mut links = Vec::new();
    dir.walk(LEVELS, |found| {
        if let untrusted::Found::Entry { path, stamp } = found
            && stamp.kind == Entry::Link
        {
            links.push(folder.join(path));
        }
        true
    });
    links.sort();
    links.into_iter().find_map(|link| {
        // A link to nothing is of no use here either.
        let leads_to = link.canonicalize().ok()?;
        let is_absolute = fs::read_link(&link).is_ok_and(|to| to.is_absolute());
        (is_absolute || !leads_to.starts_with(seen)).then_some((link, leads_to))
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

fn why_missing(path: &HostPath, error: &io::Error) -> String {
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

fn why_closed(path: &HostPath, uid: u32, mode: u32) -> String {
    format!(
        "`{path}` may not be read by you: it belongs to uid {uid}, with mode {:04o}; ask its owner \
         for it, or name a copy of yours",
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

    use super::{Found, why_closed};
    use host::paths::host_path::HostPath;

    use crate::local_input::Kind;

    /// A machine in a folder: files, folders and links, and a Hub cache in `hf/hub`.
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

        /// A repo as the Hub client lays it out.
        fn repo(&self, repo: &str, file: &str) -> String {
            let snapshot = format!("{repo}/snapshots/ab12");
            self.file(&format!("{repo}/blobs/11"));
            self.link("../../blobs/11", &format!("{snapshot}/{file}"));
            snapshot
        }

        fn host_path(&self, name: &str) -> HostPath {
            HostPath::new("", &self.path(name), Path::new("/")).unwrap()
        }

        /// What is found, with the disk's own folder as `ROOT`.
        fn look(&self, kind: Kind, name: &str) -> Result<Found, String> {
            let found = Found::look(kind, &self.host_path(name), &self.host_path("hf/hub"));
            found.map_err(|why| why.replace(self.path("").to_str().unwrap(), "ROOT/"))
        }

        fn mounted(&self, kind: Kind, name: &str) -> (PathBuf, String, Option<String>) {
            let Found { mount, below, in_hub, leads_out, is_folder: _ } =
                self.look(kind, name).unwrap();
            assert_eq!(leads_out, None, "{name}");
            (mount.as_path().strip_prefix(self.path("")).unwrap().to_owned(), below, in_hub)
        }
    }

    fn alone(mount: &str) -> (PathBuf, String, Option<String>) {
        (mount.into(), String::new(), None)
    }

    #[test]
    fn what_is_no_link_is_mounted_as_it_is() {
        let disk = Disk::new();
        for name in ["m/config.json", "m.GGUF", "p.csv"] {
            disk.file(name);
        }
        assert_eq!(disk.mounted(Kind::Model, "m"), alone("m"));
        assert!(disk.look(Kind::Model, "m").unwrap().is_folder);
        assert_eq!(disk.mounted(Kind::Model, "m.GGUF"), alone("m.GGUF"));
        assert_eq!(disk.mounted(Kind::Dataset, "p.csv"), alone("p.csv"));
    }

    #[test]
    fn of_a_link_what_it_leads_to_is_mounted() {
        let disk = Disk::new();
        disk.file("far/m/config.json");
        disk.file("far/blob");
        disk.link("far/m", "m");
        disk.link("far/blob", "p.csv");
        assert_eq!(disk.mounted(Kind::Model, "m"), alone("far/m"));
        assert_eq!(disk.mounted(Kind::Dataset, "p.csv"), alone("far/blob"));
    }

    #[test]
    fn what_lies_in_the_runs_own_cache_is_known_by_its_way_there() {
        let disk = Disk::new();
        let snapshot = disk.repo("hf/hub/models--o--m", "m.gguf");
        let in_hub = |name: &str| disk.mounted(Kind::Model, name).2;
        let way = "models--o--m/snapshots/ab12";
        assert_eq!(in_hub(&snapshot).as_deref(), Some(way));
        assert_eq!(in_hub(&format!("{snapshot}/m.gguf")), Some(format!("{way}/m.gguf")));
        disk.link(disk.path(&snapshot), "named");
        assert_eq!(in_hub("named").as_deref(), Some(way));
        disk.link(disk.path(&snapshot).join("m.gguf"), "named.gguf");
        let blob = alone("hf/hub/models--o--m/blobs/11");
        assert_eq!(disk.mounted(Kind::Model, "named.gguf"), blob);
    }

    #[test]
    fn of_another_caches_snapshot_the_whole_repo_is_mounted() {
        let disk = Disk::new();
        let model = disk.repo("other/models--o--m", "model.safetensors");
        let data = disk.repo("other/datasets--o--d", "p.csv");
        let repo = |repo: &str| (PathBuf::from(repo), "snapshots/ab12".to_owned(), None);
        assert_eq!(disk.mounted(Kind::Model, &model), repo("other/models--o--m"));
        assert_eq!(disk.mounted(Kind::Dataset, &data), repo("other/datasets--o--d"));
        let file = disk.mounted(Kind::Dataset, &format!("{data}/p.csv"));
        assert_eq!(file, alone("other/datasets--o--d/blobs/11"));
        // A repo that was moved out of the run's cache is another cache's.
        disk.link(disk.path("other/models--o--m"), "hf/hub/models--o--m");
        let moved = "hf/hub/models--o--m/snapshots/ab12";
        assert_eq!(disk.mounted(Kind::Model, moved), repo("other/models--o--m"));
    }

    #[test]
    fn links_that_a_container_cannot_follow_are_found() {
        let disk = Disk::new();
        disk.file("m/config.json");
        disk.file("far/weights");
        disk.link("config.json", "m/inside");
        disk.link("nowhere", "m/nothing");
        disk.link("../../../../far/weights", "m/a/b/c/too-deep");
        let out = |name| disk.look(Kind::Model, name).unwrap().leads_out;
        assert_eq!(out("m"), None);
        disk.link("../../far/weights", "m/sub/weights");
        assert_eq!(out("m"), Some((disk.path("m/sub/weights"), disk.path("far/weights"))));
        disk.file("n/config.json");
        disk.link(disk.path("n/config.json"), "n/absolute");
        assert_eq!(out("n"), Some((disk.path("n/absolute"), disk.path("n/config.json"))));
    }

    #[test]
    fn what_does_not_serve_is_refused_in_words() {
        let disk = Disk::new();
        disk.file("weights.bin");
        disk.file("p.txt");
        disk.link("nowhere", "gone");
        let model = |name| disk.look(Kind::Model, name).unwrap_err();
        insta::assert_snapshot!(model("none"), @"there is no `ROOT/none`; a Hub id has the form ORG/REPO");
        insta::assert_snapshot!(model("gone"), @"`ROOT/gone` is a link to `nowhere`, and nothing is there; mend it");
        insta::assert_snapshot!(model("p.txt/x"), @"`ROOT/p.txt/x` cannot be reached: Not a directory (os error 20); name one that you may read");
        insta::assert_snapshot!(model("weights.bin"), @"`ROOT/weights.bin` is a file of another kind; a model is a folder with config.json and weights, or a file *.gguf");
        insta::assert_snapshot!(disk.look(Kind::Dataset, "p.txt").unwrap_err(), @"`ROOT/p.txt` is a file of another kind; a dataset is a file *.csv, *.json, *.jsonl or *.parquet, or a folder of such files");
        insta::assert_snapshot!(why_closed(&HostPath::new("", Path::new("/m"), Path::new("/")).unwrap(), 0, 0o100_600), @"`/m` may not be read by you: it belongs to uid 0, with mode 0600; ask its owner for it, or name a copy of yours");
        let socket = std::os::unix::net::UnixListener::bind(disk.path("s.gguf")).unwrap();
        insta::assert_snapshot!(model("s.gguf"), @"`ROOT/s.gguf` is neither a file nor a folder");
        drop(socket);
    }
}
