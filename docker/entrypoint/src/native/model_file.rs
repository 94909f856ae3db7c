//! Finds the model's file: a path, or a file of a repo in the Hub cache.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use contract::argument::MODEL;
use untrusted::{Kind, Refused};

use super::hub;

/// Hint for a file that exists on the host only.
const MOUNTS_HINT: &str = "a container sees only its mounts: use a repo of the Hub cache (ORG/REPO), give \
     the runner the file as `./NAME.gguf`, or use `--engine host`";

/// A model's file.
#[derive(Debug)]
pub(super) struct ModelFile {
    /// Its path, for messages and the report.
    pub(super) path: PathBuf,
    /// The open file.
    pub(super) file: File,
    /// The commit of its snapshot, if it is in the Hub cache.
    pub(super) revision: Option<String>,
}

/// Opens the file that `model` names: a path, `ORG/REPO` or `ORG/REPO:FILE`.
pub(super) fn find(model: &str, cache: &Path) -> anyhow::Result<ModelFile> {
    let path = Path::new(model);
    match untrusted::file(path) {
        Ok(file) => {
            return Ok(ModelFile { path: path.to_owned(), file, revision: None });
        }
        // A folder may have the same name as a repo.
        Err(error)
            if Refused::of(&error).is_some_and(|why| why != Refused::NotAFile(Kind::Folder)) =>
        {
            return Err(error).with_context(|| format!("opening the model `{model}`"));
        }
        Err(_) => {}
    }
    let (id, file) = match model.split_once(':') {
        Some((id, file)) => (id, Some(file)),
        None => (model, None),
    };
    if !hub::is_hub_id(id) {
        bail!(
            "`{MODEL}={model}` is no file here and no Hub id of the form ORG/REPO; {MOUNTS_HINT}"
        );
    }
    if id.ends_with(".gguf") {
        bail!(
            "`{MODEL}={model}` is no file here, where the working directory counts; {MOUNTS_HINT}"
        );
    }
    in_cache(id, file, cache).with_context(|| format!("finding the model `{model}`"))
}

fn in_cache(id: &str, file: Option<&str>, cache: &Path) -> anyhow::Result<ModelFile> {
    let snapshot = hub::snapshot("models", id, &format!("hf download {id}"), cache)?;
    let mut files = snapshot
        .files()
        .with_context(|| format!("reading the snapshot `{}`", snapshot.path.display()))?;
    files.retain(|name| name.to_lowercase().ends_with(".gguf"));
    let names = || files.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let name = match (file, files.as_slice()) {
        (_, []) => bail!(
            "its snapshot `{}` has no .gguf file; the `native` backend needs one",
            snapshot.path.display()
        ),
        (Some(file), _) => files
            .iter()
            .find(|name| *name == file)
            .with_context(|| format!("its snapshot has no `{file}`; it has {}", names()))?,
        (None, [file]) => file,
        (None, _) => {
            bail!("it has several .gguf files: {}; choose one with `{MODEL}={id}:FILE`", names())
        }
    };
    let path = snapshot.path.join(name);
    let opened = match snapshot.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "`{}` points to a blob that is not there; the download was not finished: run \
             `hf download {id}`",
            path.display()
        ),
        Err(error) if Refused::of(&error) == Some(Refused::Symlink) => bail!(
            "`{}` is a symlink to something other than a blob of its repo, which is not followed",
            path.display()
        ),
        opened => opened.with_context(|| format!("opening `{}`", path.display()))?,
    };
    Ok(ModelFile { path, file: opened, revision: Some(snapshot.commit) })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use tempfile::TempDir;

    use super::find;

    const COMMIT: &str = "0123456789012345678901234567890123456789";

    /// A Hub cache with the repo `org/m` that has `files`, each a symlink to its blob.
    fn hub(files: &[&str]) -> TempDir {
        let hub = tempfile::tempdir().unwrap();
        let repo = hub.path().join("models--org--m");
        for folder in ["refs", "blobs", &format!("snapshots/{COMMIT}")] {
            fs::create_dir_all(repo.join(folder)).unwrap();
        }
        fs::write(repo.join("refs/main"), COMMIT).unwrap();
        for (number, file) in files.iter().enumerate() {
            let sha256 = format!("{number:064}");
            fs::write(repo.join("blobs").join(&sha256), "GGUF").unwrap();
            let link = repo.join("snapshots").join(COMMIT).join(file);
            symlink(format!("../../blobs/{sha256}"), link).unwrap();
        }
        hub
    }

    #[test]
    fn only_gguf_file_of_a_repo_is_the_model() {
        let hub = hub(&["m.Q4_1.gguf", "README.md"]);
        let found = find("org/m", hub.path()).unwrap();
        assert!(found.path.ends_with(format!("snapshots/{COMMIT}/m.Q4_1.gguf")));
        assert_eq!(found.revision.as_deref(), Some(COMMIT));
    }

    #[test]
    fn file_of_a_repo_is_chosen_by_name() {
        let hub = hub(&["a.gguf", "b.gguf"]);
        let error = format!("{:#}", find("org/m", hub.path()).unwrap_err());
        assert!(error.contains("`a.gguf`, `b.gguf`; choose one with"), "{error}");
        assert!(find("org/m:b.gguf", hub.path()).unwrap().path.ends_with("b.gguf"));
        let error = format!("{:#}", find("org/m:c.gguf", hub.path()).unwrap_err());
        assert!(error.contains("has no `c.gguf`; it has `a.gguf`, `b.gguf`"), "{error}");
    }

    #[test]
    fn missing_model_is_named_with_a_hint() {
        let hub = hub(&[]);
        let said = |model: &str| format!("{:#}", find(model, hub.path()).unwrap_err());
        assert!(said("org/m").contains("has no .gguf file"));
        let error = said("org/other");
        assert!(error.contains(&format!("Hub cache `{}`", hub.path().display())), "{error}");
        assert!(error.contains("hf download org/other"), "{error}");
        for (model, why) in
            [("/nowhere/m.gguf", "no file here and no Hub id"), ("m.gguf", "no file here, where")]
        {
            let error = said(model);
            assert!(error.contains(why) && error.contains("`--engine host`"), "{error}");
        }
        assert!(said("../up").contains("no Hub id"));
    }

    #[test]
    fn missing_blob_is_an_unfinished_download() {
        let hub = hub(&["m.gguf"]);
        fs::remove_file(hub.path().join(format!("models--org--m/blobs/{:064}", 0))).unwrap();
        let error = format!("{:#}", find("org/m", hub.path()).unwrap_err());
        assert!(error.contains("not finished"), "{error}");
    }

    #[test]
    fn path_may_contain_a_colon_or_be_a_symlink() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a:b.gguf");
        fs::write(&path, "GGUF").unwrap();
        let found = find(path.to_str().unwrap(), folder.path()).unwrap();
        assert_eq!((found.path, found.revision), (path, None));
        let link = folder.path().join("link.gguf");
        symlink("a:b.gguf", &link).unwrap();
        assert!(find(link.to_str().unwrap(), folder.path()).is_ok(), "the user chose this symlink");
    }

    #[test]
    fn fifos_and_foreign_symlinks_in_the_cache_are_refused() {
        let hub = hub(&["m.gguf"]);
        let repo = hub.path().join("models--org--m");
        let said = |model: &str| format!("{:#}", find(model, hub.path()).unwrap_err());
        let fifo = |path: &Path| mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let put = |path: &Path, make: &dyn Fn(&Path)| {
            fs::remove_file(path).unwrap();
            make(path);
        };
        fifo(&hub.path().join("pipe.gguf"));
        assert!(said(hub.path().join("pipe.gguf").to_str().unwrap()).contains("a FIFO"));
        fs::write(hub.path().join("secret"), "GGUF").unwrap();

        let blob = repo.join("blobs").join(format!("{:064}", 0));
        put(&blob, &fifo);
        assert!(said("org/m").contains("a FIFO"), "{}", said("org/m"));
        put(&blob, &|blob| symlink(hub.path().join("secret"), blob).unwrap());
        assert!(said("org/m").contains("not followed"), "{}", said("org/m"));
        let link = repo.join("snapshots").join(COMMIT).join("m.gguf");
        put(&link, &|link| symlink("../../../secret", link).unwrap());
        assert!(said("org/m").contains("not followed"), "{}", said("org/m"));

        let main = repo.join("refs/main");
        put(&main, &fifo);
        assert!(said("org/m").contains("a FIFO"), "{}", said("org/m"));
        put(&main, &|main| symlink("../../secret", main).unwrap());
        assert!(said("org/m").contains("symlink"), "{}", said("org/m"));
        fs::remove_dir_all(&repo).unwrap();
        fs::create_dir(hub.path().join("home")).unwrap();
        fs::write(hub.path().join("home/.ssh"), "").unwrap();
        symlink("home", &repo).unwrap();
        assert!(said("org/m").contains("holds more than a repo"), "{}", said("org/m"));
    }

    #[test]
    fn shared_store_and_symlinked_repo_are_supported() {
        let hub = hub(&["m.gguf"]);
        let repo = hub.path().join("models--org--m");
        let payload = "ab".repeat(32);
        let blob = repo.join("blobs").join(format!("{:064}", 0));
        fs::create_dir_all(hub.path().join("blobs/ab")).unwrap();
        fs::rename(&blob, hub.path().join("blobs/ab").join(&payload)).unwrap();
        symlink(format!("../../blobs/ab/{payload}"), &blob).unwrap();
        assert!(find("org/m", hub.path()).is_ok());
        let disk = tempfile::tempdir().unwrap();
        fs::remove_file(&blob).unwrap();
        fs::write(&blob, "GGUF").unwrap();
        fs::rename(&repo, disk.path().join("m")).unwrap();
        symlink(disk.path().join("m"), &repo).unwrap();
        assert!(find("org/m", hub.path()).is_ok());
    }
}
