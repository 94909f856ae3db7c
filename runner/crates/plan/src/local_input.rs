//! Local models and datasets in the benchmark's arguments.
//!
//! The text of a value alone decides whether it is a path or a Hub id, so that a folder in the working
//! directory does not change what is measured.

mod found;
pub mod hub_url;
mod kind;

use std::path::{Path, PathBuf};

use contract::{Backend, argument};
use host::{exit::Usage, machine::Host, paths::host_path::HostPath};

pub use found::Found;
pub use kind::Kind;

/// A local model or dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalInput {
    /// Whether it is a model or a dataset.
    pub kind: Kind,
    /// Index of the argument that names it.
    pub argument: usize,
    /// Its path.
    pub path: HostPath,
    /// What was found on the disk, once it was inspected.
    pub found: Option<Found>,
}

/// The file name of an input in a container, safe for a shell, Hydra and `--mount`.
pub(crate) fn plain_name(path: &Path, kind: Kind) -> String {
    let plain = |character: char| match character {
        '.' | '_' | '-' => character,
        _ if character.is_ascii_alphanumeric() => character,
        _ => '_',
    };
    let name = path.file_name().unwrap_or_else(|| kind.word().as_ref()).to_string_lossy();
    name.chars().map(plain).collect()
}

/// The inputs that the arguments name, with warnings about them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inputs {
    /// Inputs that are named by a path.
    pub local: Vec<LocalInput>,
    /// Inputs that are named by a Hub id, which may exist as a path, too.
    hub_ids: Vec<HubId>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// A Hub id in an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HubId {
    arg: String,
    id: String,
    /// The path that the user may have meant.
    same_path: PathBuf,
}

impl Inputs {
    /// Finds the inputs in the arguments. Of several arguments with one key, Hydra takes the last.
    ///
    /// # Errors
    /// When a path cannot be mounted, or the home folder is unknown.
    pub(crate) fn find(
        args: &[String],
        backend: Option<Backend>,
        host: &Host,
    ) -> Result<Self, Usage> {
        let mut inputs = Self::default();
        for kind in Kind::of(backend) {
            let named = args.iter().enumerate().rev().find_map(|(index, arg)| {
                let (key, value) = argument::split(arg)?;
                (key == kind.key()).then_some((index, arg, value))
            });
            let Some((argument, arg, value)) = named else { continue };
            hub_url::refuse(*kind, &value, backend)?;
            if kind.is_path(&value) {
                let path = expanded(&value, host.home.as_deref())
                    .map_err(|why| Usage(format!("`{arg}`: {why}")))?;
                let path = HostPath::new(kind.word(), &path, &host.cwd)?;
                inputs.local.push(LocalInput { kind: *kind, argument, path, found: None });
            } else if !value.is_empty() {
                let same_path = host.cwd.join(&*value);
                inputs.hub_ids.push(HubId { arg: arg.clone(), id: value.into_owned(), same_path });
            }
        }
        Ok(inputs)
    }

    /// Resolves `..` in paths on the disk.
    ///
    /// # Errors
    /// When no engine can mount a resolved path.
    pub(crate) fn without_parents(mut self) -> Result<Self, Usage> {
        for input in &mut self.local {
            input.path = input.path.clone().without_parents(input.kind.word())?;
        }
        Ok(self)
    }

    /// Inspects the inputs on the disk. `args` are the arguments that name them, `hub` is the Hub cache
    /// that the run mounts.
    ///
    /// # Errors
    /// When an input is not found, not readable or not supported.
    pub(crate) fn resolve(mut self, args: &[String], hub: &HostPath) -> Result<Self, Usage> {
        for input in &mut self.local {
            let found = Found::inspect(input.kind, &input.path, hub)
                .map_err(|why| Usage(format!("`{}`: {why}", args[input.argument])))?;
            input.found = Some(found);
        }
        for HubId { arg, id, same_path } in &self.hub_ids {
            if same_path.exists() {
                self.warnings.push(format!(
                    "`{arg}` is read from the Hub cache; `./{id}` would mean the one that lies here"
                ));
            }
        }
        Ok(self)
    }
}

/// Expands `~`. The shell leaves it behind the `=` of an argument.
fn expanded(value: &str, home: Option<&Path>) -> Result<PathBuf, String> {
    let below_home =
        value.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
    match (below_home, home) {
        (None, _) => Ok(value.into()),
        (Some(rest), Some(home)) => Ok(home.join(rest.trim_start_matches('/'))),
        (Some(_), None) => {
            Err("`~` is your home folder, and none is known; write the whole path".to_owned())
        }
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use contract::Backend;
    use host::testing::host;

    use super::{Inputs, Kind, plain_name};

    fn inputs(args: &[&str], backend: Option<Backend>) -> Result<Inputs, String> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Inputs::find(&args, backend, &host()).map_err(|error| error.to_string())
    }

    #[test]
    fn text_decides_between_path_and_hub_id() {
        let both = ["/m", "./m", "../m", "~/m", ".", "..", "~", "m/", "a/b/c", "./a:b"];
        for value in both {
            assert!(Kind::Model.is_path(value) && Kind::Dataset.is_path(value), "{value}");
        }
        for value in ["gpt2", "org/m", "org/m-GGUF", "", "~ada/m", ".m/x", "https://h/o/m"] {
            assert!(!Kind::Model.is_path(value) && !Kind::Dataset.is_path(value), "{value}");
        }
        for value in ["p.csv", "a/p.JSONL", "p.json", "p.parquet"] {
            assert!(Kind::Dataset.is_path(value) && !Kind::Model.is_path(value), "{value}");
        }
        for (value, is_path) in [
            ("m.gguf", true),
            ("a/m.GGUF", true),
            ("a:b.gguf", true),
            ("org/m:f.gguf", false),
            ("org/m:sub/f.gguf", false),
            ("./org/m:f.gguf", true),
        ] {
            assert_eq!(Kind::Model.is_path(value), is_path, "{value}");
        }
    }

    #[test]
    fn path_becomes_absolute_and_its_name_plain() {
        let cases = [
            ("backend.model=./m", "/home/ada/bench/m", "m"),
            ("+backend.model='./my model (1)'", "/home/ada/bench/my model (1)", "my_model__1_"),
            ("++backend.model=\"~/mö,del/\"", "/home/ada/mö,del", "m__del"),
            ("backend.model=~", "/home/ada", "ada"),
            ("backend.model=.", "/home/ada/bench", "bench"),
            ("backend.model=/", "/", "model"),
            ("backend.model=..", "/home/ada/bench/..", "model"),
            ("scenario.dataset_name=a/p.csv", "/home/ada/bench/a/p.csv", "p.csv"),
        ];
        for (arg, path, name) in cases {
            let found = inputs(&["x=1", arg], None).unwrap().local.remove(0);
            assert_eq!(found.path.as_str(), path, "{arg}");
            assert_eq!(plain_name(found.path.as_path(), found.kind), name, "{arg}");
            assert_eq!(found.argument, 1);
        }
    }

    #[test]
    fn last_argument_with_a_key_wins() {
        let args = ["backend.model=./a", "backend.model=./b", "x=1"];
        let found = inputs(&args, None).unwrap().local;
        assert_eq!((found.len(), found[0].argument), (1, 1));
        assert_eq!(inputs(&["backend.model=./a", "backend.model=o/b"], None).unwrap().local, []);
    }

    #[test]
    fn model_of_a_server_is_never_a_path() {
        let args = ["backend.model=/models/served", "scenario.dataset_name=./p.csv"];
        let found = inputs(&args, Some(Backend::Vllm)).unwrap().local;
        assert_eq!(found.iter().map(|input| input.kind).collect::<Vec<_>>(), [Kind::Dataset]);
    }

    #[test]
    fn path_that_cannot_be_mounted_or_expanded_is_refused() {
        insta::assert_snapshot!(inputs(&["backend.model=./a\r\nb"], None).unwrap_err(), @r#"model "./a\r\nb" cannot be mounted: its name holds a carriage return and a line feed in a row; use another folder"#);
        let mut homeless = host();
        homeless.home = None;
        let error = Inputs::find(&["backend.model=~/m".to_owned()], None, &homeless).unwrap_err();
        insta::assert_snapshot!(error, @"`backend.model=~/m`: `~` is your home folder, and none is known; write the whole path");
    }
}
