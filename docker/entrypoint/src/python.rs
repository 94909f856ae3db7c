//! The Python stacks of an image (optimum-benchmark and ai_energy_benchmarks), and how they are
//! started.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use contract::{
    argument::{DATASET, MODEL},
    path,
};

use crate::{arguments::Settings, environment::Environment};

/// Folders that Python imports packages from.
const PYTHONPATH: &str = "PYTHONPATH";

/// Keeps Python and its child processes from importing packages of the working directory (Python
/// 3.11 and later). That is the results folder, which an earlier run could write to.
const PYTHONSAFEPATH: &str = "PYTHONSAFEPATH";

/// Configuration file that codecarbon 3.0.8 reads in the working directory. An earlier run may have
/// written it.
const CODECARBON_CONFIG: &str = ".codecarbon.config";

/// The Python interpreter of an image, and the adapter that calls the stacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stacks {
    python: PathBuf,
    adapter: PathBuf,
    python_path: OsString,
}

impl Stacks {
    /// The stacks of this image, if it has them.
    pub(crate) fn installed(environment: &Environment) -> Option<Self> {
        Self::below(Path::new("/"), environment)
    }

    fn below(root: &Path, environment: &Environment) -> Option<Self> {
        let below = |path: &str| root.join(path.trim_start_matches('/'));
        let (python, adapter) = (below(path::PYTHON), below(path::ADAPTER));
        let packages = adapter.parent().unwrap_or(&adapter).to_owned();
        let others = environment.get(PYTHONPATH).unwrap_or_default();
        // A relative or empty path would be the working directory again.
        let others = env::split_paths(others).filter(|folder| folder.is_absolute());
        // Joining fails only for paths with a colon, which neither part can have.
        let python_path = env::join_paths([packages].into_iter().chain(others)).unwrap_or_default();
        python.exists().then_some(Self { python, adapter, python_path })
    }

    /// The command that runs `settings` in the folder `results`.
    ///
    /// # Errors
    /// When the stacks would load something in `results` instead of the model or dataset of the
    /// Hub, or as codecarbon's configuration.
    pub(crate) fn run(&self, settings: &Settings, results: &Path) -> Result<Command, String> {
        for key in [MODEL, DATASET] {
            // The stacks' libraries prefer a local folder of that name to the Hub.
            let id = settings.text(key).filter(|id| !id.is_empty() && !id.starts_with(['/', '.']));
            if let Some(id) = id.filter(|id| fs::symlink_metadata(results.join(id)).is_ok()) {
                return Err(format!(
                    "`{key}={id}` is an id of the Hub, and the results folder holds something of that \
                     name, which would be taken instead; move it away, or name another results folder"
                ));
            }
        }
        if fs::symlink_metadata(results.join(CODECARBON_CONFIG)).is_ok() {
            return Err(format!(
                "the results folder holds a `{CODECARBON_CONFIG}`, which would change what the benchmark's meter \
                 (codecarbon) measures and sends; move it away, or name another results folder"
            ));
        }
        let mut command = self.adapter(["run".into(), settings.json().into()]);
        // The stacks write their reports to the working directory.
        command.current_dir(results);
        Ok(command)
    }

    /// The command that downloads the model and the dataset of `settings`.
    pub(crate) fn fetch(&self, settings: &Settings) -> Command {
        self.adapter(["fetch".into(), settings.json().into()])
    }

    /// The command that converts the GGUF file `source` into weights for the stacks.
    pub(crate) fn convert(&self, source: &str, target: &str) -> Command {
        self.adapter(["convert".into(), source.into(), target.into()])
    }

    fn adapter<const N: usize>(&self, args: [OsString; N]) -> Command {
        let package = self.adapter.file_name().unwrap_or_default();
        let mut command = Command::new(&self.python);
        command.arg("-m").arg(package).args(args);
        command.env(PYTHONPATH, &self.python_path);
        command.env(PYTHONSAFEPATH, "1");
        command
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use contract::{Backend, path};

    use super::{Environment, Stacks};
    use crate::arguments;

    fn image() -> (tempfile::TempDir, Stacks) {
        let root = tempfile::tempdir().unwrap();
        let below = |path: &str| root.path().join(path.trim_start_matches('/'));
        let python = below(path::PYTHON);
        fs::create_dir_all(python.parent().unwrap()).unwrap();
        fs::write(python, "").unwrap();
        let environment = Environment::from_iter([("PYTHONPATH", "/others:relative:")]);
        let stacks = Stacks::below(root.path(), &environment).unwrap();
        (root, stacks)
    }

    #[test]
    fn image_without_python_has_no_stacks() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Stacks::below(root.path(), &Environment::default()), None);
    }

    #[test]
    fn adapter_gets_the_settings_and_works_in_the_results_folder() {
        let (root, stacks) = image();
        let args = ["backend.model=org/m".to_owned()];
        let settings = arguments::parse(&args, Backend::Pytorch).unwrap();
        let command = stacks.run(&settings, Path::new("/results")).unwrap();
        let words: Vec<_> = command.get_args().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(words[..3], ["-m", "adapter", "run"]);
        let tree: serde_json::Value = serde_json::from_str(words[3]).unwrap();
        assert_eq!(tree["backend"]["seed"], 42);
        assert_eq!(command.get_current_dir(), Some(Path::new("/results")));
        let variable = |name: &str| {
            command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value)
        };
        let share = root.path().join("usr/local/share/aienergyscore");
        let python_path = format!("{}:/others", share.display());
        assert_eq!(variable("PYTHONPATH").unwrap(), &*python_path);
        assert_eq!(variable("PYTHONSAFEPATH").unwrap(), "1");
    }

    #[test]
    fn files_of_an_earlier_run_do_not_shadow_hub_repos_or_codecarbons_configuration() {
        let (_root, stacks) = image();
        let results = tempfile::tempdir().unwrap();
        let run = |args: &[&str]| {
            let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
            let settings = arguments::parse(&args, Backend::Pytorch).unwrap();
            stacks.run(&settings, results.path()).map(|_| ())
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
