//! Models and datasets that the benchmark's arguments name by a path of this machine.
//!
//! Whether a value is a path or a Hub id is told by its text alone: a folder that happens to lie
//! in the working directory does not change what is measured.

mod found;
pub mod hub_address;
mod kind;

use std::path::{Path, PathBuf};

use contract::{Backend, argument};
use host::{exit::Usage, machine::Host, paths::host_path::HostPath};

pub use found::Found;
pub use kind::Kind;

/// A model or dataset of the user's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalInput {
    /// What it is.
    pub kind: Kind,
    /// Which of the benchmark's arguments names it.
    pub argument: usize,
    /// Where it is.
    pub path: HostPath,
    /// What the disk says of it, once that was asked.
    pub found: Option<Found>,
}

impl LocalInput {
    /// Its last name in a container: nothing that a shell, Hydra or `--mount` would trip over.
    pub fn name(&self) -> String {
        plain_name(self.path.as_path(), self.kind)
    }
}

/// The last component of `path`, each unusual character replaced.
pub(crate) fn plain_name(path: &Path, kind: Kind) -> String {
    let plain = |character: char| match character {
        '.' | '_' | '-' => character,
        _ if character.is_ascii_alphanumeric() => character,
        _ => '_',
    };
    let name = path.file_name().unwrap_or_else(|| kind.word().as_ref()).to_string_lossy();
    name.chars().map(plain).collect()
}

/// All that the arguments name, and what must be told about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inputs {
    /// Paths of this machine.
    pub local: Vec<LocalInput>,
    /// Hub ids: the argument, and the place here that its user may have meant.
    lookalikes: Vec<(String, String, PathBuf)>,
    /// What will surprise the user, found on the disk.
    pub warnings: Vec<String>,
}

impl Inputs {
    /// Finds them in the arguments; of several with one key, Hydra takes the last.
    ///
    /// # Errors
    /// When a path cannot be mounted, or is in a home folder that nobody knows.
    pub fn find(args: &[String], backend: Option<Backend>, host: &Host) -> Result<Self, Usage> {
        let mut inputs = Self::default();
        for kind in Kind::of(backend) {
            let named = args.iter().enumerate().rev().find_map(|(index, arg)| {
                let (key, value) = argument::split(arg)?;
                (key == kind.key()).then_some((index, arg, value))
            });
            let Some((argument, arg, value)) = named else { continue };
            hub_address::refuse(*kind, &value, backend)?;
            if kind.is_path(&value) {
                let path = expanded(&value, host.home.as_deref())
                    .map_err(|why| Usage(format!("`{arg}`: {why}")))?;
                let path = HostPath::new(kind.word(), &path, &host.cwd)?;
                inputs.local.push(LocalInput { kind: *kind, argument, path, found: None });
            } else if !value.is_empty() {
                let path = host.cwd.join(&*value);
                inputs.lookalikes.push((arg.clone(), value.into_owned(), path));
            }
        }
        Ok(inputs)
    }

    /// The same with `..` in paths followed on the disk.
    ///
    /// # Errors
    /// When no engine can mount what it leads to.
    pub fn without_parents(mut self) -> Result<Self, Usage> {
        for input in &mut self.local {
            input.path = input.path.clone().without_parents(input.kind.word())?;
        }
        Ok(self)
    }

    /// The same, held against the disk. `args` are the arguments that they stand in, `hub` is the
    /// Hub cache that a run mounts.
    ///
    /// # Errors
    /// When an input is not there, may not be read, or is of another kind.
    pub fn resolve(mut self, args: &[String], hub: &HostPath) -> Result<Self, Usage> {
        for input in &mut self.local {
            let found = Found::look(input.kind, &input.path, hub)
                .map_err(|why| Usage(format!("`{}`: {why}", args[input.argument])))?;
            input.found = Some(found);
        }
        for (arg, id, path) in &self.lookalikes {
            if path.exists() {
                self.warnings.push(format!(
                    "`{arg}` is read from the Hub cache; `./{id}` would mean the one that lies here"
                ));
            }
        }
        Ok(self)
    }
}

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

    use super::{Inputs, Kind};
    use host::testing::host;

    fn inputs(args: &[&str], backend: Option<Backend>) -> Result<Inputs, String> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Inputs::find(&args, backend, &host()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_path_is_told_from_a_hub_id_by_its_text() {
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
    fn paths_are_made_absolute_and_names_plain() {
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
            assert_eq!((found.path.as_str(), found.name().as_str()), (path, name), "{arg}");
            assert_eq!(found.argument, 1);
        }
    }

    #[test]
    fn the_last_of_several_counts() {
        let args = ["backend.model=./a", "backend.model=./b", "x=1"];
        let found = inputs(&args, None).unwrap().local;
        assert_eq!((found.len(), found[0].argument), (1, 1));
        assert_eq!(inputs(&["backend.model=./a", "backend.model=o/b"], None).unwrap().local, []);
    }

    #[test]
    fn a_servers_model_is_a_name() {
        let args = ["backend.model=/models/served", "scenario.dataset_name=./p.csv"];
        let found = inputs(&args, Some(Backend::Vllm)).unwrap().local;
        assert_eq!(found.iter().map(|input| input.kind).collect::<Vec<_>>(), [Kind::Dataset]);
    }

    #[test]
    fn what_cannot_be_a_path_is_refused_in_words() {
        insta::assert_snapshot!(inputs(&["backend.model=./a\r\nb"], None).unwrap_err(), @r#"model "./a\r\nb" cannot be mounted: its name holds a carriage return and a line feed in a row; use another folder"#);
        let mut homeless = host();
        homeless.home = None;
        let error = Inputs::find(&["backend.model=~/m".to_owned()], None, &homeless).unwrap_err();
        insta::assert_snapshot!(error, @"`backend.model=~/m`: `~` is your home folder, and none is known; write the whole path");
    }
}
