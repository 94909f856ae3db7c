//! The Python stacks: where an image has them, and how they are started.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use contract::{
    argument::{DATASET, MODEL},
    env::OMP_NUM_THREADS,
    path,
};

use crate::arguments::Settings;

/// Where Python looks for packages.
const PYTHONPATH: &str = "PYTHONPATH";

/// Keeps Python, and every Python that it starts, from looking for packages in the working folder
/// first (Python 3.11 and later): that is the results folder, which an earlier run wrote to.
const PYTHONSAFEPATH: &str = "PYTHONSAFEPATH";

/// What codecarbon 3.0.8 reads in the working folder, over its own defaults. An earlier run may have
/// written it.
const METER_CONFIG: &str = ".codecarbon.config";

/// The stacks of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stack {
    python: PathBuf,
    adapter: PathBuf,
}

impl Stack {
    /// The stacks of the image whose root is `root`, if it has them.
    pub(crate) fn of(root: &Path) -> Option<Self> {
        let below = |path: &str| root.join(path.trim_start_matches('/'));
        let stack = Self { python: below(path::PYTHON), adapter: below(path::ADAPTER) };
        stack.python.exists().then_some(stack)
    }

    /// The program that runs `settings` in the folder `results`, with one processor left free
    /// unless the caller says otherwise.
    ///
    /// # Errors
    /// When the stacks would take something in `results` for the model or dataset of a Hub id, or for
    /// their meter's configuration.
    pub(crate) fn run(
        &self,
        settings: &Settings,
        results: &Path,
        threads: usize,
    ) -> Result<Command, String> {
        for key in [MODEL, DATASET] {
            // The stacks' libraries prefer a folder of that name to the Hub.
            let id = settings.text(key).filter(|id| !id.is_empty() && !id.starts_with(['/', '.']));
            if let Some(id) = id.filter(|id| fs::symlink_metadata(results.join(id)).is_ok()) {
                return Err(format!(
                    "`{key}={id}` is an id of the Hub, and the results folder holds something of that \
                     name, which would be taken instead; move it away, or name another results folder"
                ));
            }
        }
        if fs::symlink_metadata(results.join(METER_CONFIG)).is_ok() {
            return Err(format!(
                "the results folder holds a `{METER_CONFIG}`, which would change what the benchmark's meter \
                 (codecarbon) measures and sends; move it away, or name another results folder"
            ));
        }
        let mut command = self.adapter(["run".into(), settings.json().into()]);
        // The stacks write their reports to the working directory.
        command.current_dir(results);
        if env::var_os(OMP_NUM_THREADS).is_none() {
            command.env(OMP_NUM_THREADS, threads.to_string());
        }
        Ok(command)
    }

    /// The program that fetches the model and the dataset of `settings`.
    pub(crate) fn fetch(&self, settings: &Settings) -> Command {
        self.adapter(["fetch".into(), settings.json().into()])
    }

    /// The program that makes weights for the stacks of the GGUF file `source`.
    pub(crate) fn convert(&self, source: &str, target: &str) -> Command {
        self.adapter(["convert".into(), source.into(), target.into()])
    }

    fn adapter<const N: usize>(&self, args: [OsString; N]) -> Command {
        let package = self.adapter.file_name().unwrap_or_default();
        let folder = self.adapter.parent().unwrap_or(&self.adapter).to_owned();
        let others = env::var_os(PYTHONPATH).unwrap_or_default();
        // What is relative, or nothing at all, is the working folder again.
        let others = env::split_paths(&others).filter(|folder| folder.is_absolute());
        let folders: Vec<_> = [folder].into_iter().chain(others).collect();
        let mut command = Command::new(&self.python);
        command.arg("-m").arg(package).args(args);
        // Paths that came from this very variable cannot fail to be joined.
        command.env(PYTHONPATH, env::join_paths(folders).unwrap_or_default());
        command.env(PYTHONSAFEPATH, "1");
        command
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use contract::{Backend, env::OMP_NUM_THREADS, path};

    use super::Stack;
    use crate::arguments;

    fn image() -> (tempfile::TempDir, Stack) {
        let root = tempfile::tempdir().unwrap();
        let below = |path: &str| root.path().join(path.trim_start_matches('/'));
        let python = below(path::PYTHON);
        fs::create_dir_all(python.parent().unwrap()).unwrap();
        fs::write(python, "").unwrap();
        let stack = Stack::of(root.path()).unwrap();
        (root, stack)
    }

    #[test]
    fn an_image_without_their_python_has_no_stacks() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Stack::of(root.path()), None);
    }

    #[test]
    fn the_adapter_gets_what_was_understood_and_works_in_the_results() {
        let (root, stack) = image();
        let args = ["backend.model=org/m".to_owned()];
        let settings = arguments::parse(&args, Backend::Pytorch).unwrap();
        let command = stack.run(&settings, Path::new("/results"), 3).unwrap();
        let words: Vec<_> = command.get_args().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(words[..3], ["-m", "adapter", "run"]);
        let tree: serde_json::Value = serde_json::from_str(words[3]).unwrap();
        assert_eq!(tree["backend"]["seed"], 42);
        assert_eq!(command.get_current_dir(), Some(Path::new("/results")));
        let variable = |name: &str| {
            command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value)
        };
        assert_eq!(variable(OMP_NUM_THREADS).unwrap(), "3");
        let share = root.path().join("usr/local/share/aienergyscore");
        assert!(
            variable("PYTHONPATH").unwrap().to_str().unwrap().starts_with(share.to_str().unwrap())
        );
        assert_eq!(variable("PYTHONSAFEPATH").unwrap(), "1");
    }

    #[test]
    fn what_an_earlier_run_left_is_not_taken_for_a_repo_of_the_hub_or_a_configuration() {
        let (_root, stack) = image();
        let results = tempfile::tempdir().unwrap();
        let run = |args: &[&str]| {
            let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
            let settings = arguments::parse(&args, Backend::Pytorch).unwrap();
            stack.run(&settings, results.path(), 1).map(|_| ())
        };
        let (model, dataset) = ("backend.model=org/m", "scenario.dataset_name=data");
        assert_eq!(run(&[model, dataset]), Ok(()));
        fs::create_dir_all(results.path().join("org/m")).unwrap();
        assert!(
            run(&[model]).unwrap_err().starts_with("`backend.model=org/m` is an id of the Hub")
        );
        assert_eq!(run(&["backend.model=/models/m", dataset]), Ok(()));
        std::os::unix::fs::symlink("/nowhere", results.path().join("data")).unwrap();
        let error = run(&["backend.model=/models/m", dataset]).unwrap_err();
        assert!(error.starts_with("`scenario.dataset_name=data` is an id"), "{error}");
        fs::remove_file(results.path().join("data")).unwrap();
        fs::write(results.path().join(".codecarbon.config"), "[codecarbon]\n").unwrap();
        let error = run(&["backend.model=/models/m", dataset]).unwrap_err();
        assert!(error.starts_with("the results folder holds a `.codecarbon.config`"), "{error}");
    }
}
