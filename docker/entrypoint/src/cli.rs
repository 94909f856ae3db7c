//! The command line.

use std::ffi::OsString;

use contract::{FETCH, PROBE, RECLAIM, reclaim};

use crate::exit::Usage;

/// First argument of the child process that runs the `native` backend. The supervisor's process id
/// follows.
pub(crate) const NATIVE: &str = "__native";

/// Command that converts a GGUF file into weights for the Python stacks.
pub(crate) const CONVERT: &str = "convert";

/// Command that summarises an existing report.
const SUMMARIZE: &str = "summarize";

/// Text of `--help`.
pub(crate) const HELP: &str = "\
Runs the benchmark of an AIEnergyScore image and writes its summary.

usage: aienergyscore-entrypoint [BENCHMARK ARGUMENT...]
       aienergyscore-entrypoint probe [--leave NAME] [FOLDER...]
       aienergyscore-entrypoint reclaim REQUEST
       aienergyscore-entrypoint summarize [FOLDER]
       aienergyscore-entrypoint convert FILE.gguf FOLDER
       aienergyscore-entrypoint fetch [BENCHMARK ARGUMENT...]
       aienergyscore-entrypoint --help | --version

examples:
  aienergyscore-entrypoint --config-name text_generation backend.model=ORG/REPO
  aienergyscore-entrypoint probe /results
  aienergyscore-entrypoint summarize /results

`summarize` prints the summary of the report in a folder and writes nothing; `convert` makes weights
for the Python stacks; `fetch` brings the model and the dataset of a benchmark into the Hub cache.
`reclaim` is for `aienergyscore reclaim`: it makes entries of a folder a user's, and follows no link.
BENCHMARK_BACKEND chooses the backend, RESULTS_DIR the results folder (/results).
exit code: 0 done, 1 failed, 2 not understood, else the benchmark's own, 128+n for a signal";

/// A command with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Run a benchmark with these arguments.
    Run(Vec<String>),
    /// Be the child process that runs the `native` backend.
    Native {
        /// The supervisor's process id.
        supervisor: i32,
        /// Arguments of the benchmark.
        args: Vec<String>,
    },
    /// Test whether folders are writable.
    Probe {
        /// The folders to test.
        folders: Vec<String>,
        /// Name of a file to leave in each.
        leave: Option<String>,
    },
    /// Change the owner of a folder's entries.
    Reclaim(reclaim::Request),
    /// Print the summary of the report in this folder, by default the results folder.
    Summarize(Option<String>),
    /// Download the model and the dataset of a benchmark with these arguments.
    Fetch(Vec<String>),
    /// Convert a GGUF file into weights for the Python stacks.
    Convert {
        /// The GGUF file.
        source: String,
        /// The folder to create.
        target: String,
    },
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
}

/// Parses the arguments after the program's name.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, Usage> {
    let text = |arg: OsString| {
        arg.into_string().map_err(|arg| Usage(format!("the argument {arg:?} is not UTF-8")))
    };
    let mut args = args.map(text).collect::<Result<Vec<_>, _>>()?;
    match args.first().map(String::as_str) {
        Some("--help" | "-h") => Ok(Command::Help),
        Some("--version" | "-V") => Ok(Command::Version),
        Some(PROBE) => probe(args.split_off(1)),
        Some(RECLAIM) => match &args[1..] {
            [request] => serde_json::from_str(request)
                .map(Command::Reclaim)
                .map_err(|error| Usage(format!("the request of `{RECLAIM}`: {error}"))),
            _ => Err(Usage(format!("`{RECLAIM}` takes one request"))),
        },
        Some(SUMMARIZE) => match &args[1..] {
            [] => Ok(Command::Summarize(None)),
            [folder] => Ok(Command::Summarize(Some(folder.clone()))),
            _ => Err(Usage(format!("`{SUMMARIZE}` takes one folder"))),
        },
        Some(FETCH) => Ok(Command::Fetch(args.split_off(1))),
        Some(CONVERT) => match &args[1..] {
            [source, target] => {
                Ok(Command::Convert { source: source.clone(), target: target.clone() })
            }
            _ => Err(Usage(format!("`{CONVERT}` takes a GGUF file and a new folder"))),
        },
        Some(NATIVE) => {
            let mut rest = args.split_off(1).into_iter();
            let supervisor = rest.next().and_then(|id| id.parse().ok());
            let supervisor =
                supervisor.ok_or_else(|| Usage(format!("`{NATIVE}` is not for use by hand")))?;
            Ok(Command::Native { supervisor, args: rest.collect() })
        }
        _ => Ok(Command::Run(args)),
    }
}

fn probe(args: Vec<String>) -> Result<Command, Usage> {
    let (mut folders, mut leave) = (Vec::new(), None);
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--leave" => {
                let name = args.next().filter(|name| is_file_name(name));
                let needed =
                    || Usage("`--leave` needs the name of a file, without a folder".into());
                leave = Some(name.ok_or_else(needed)?);
            }
            option if option.starts_with('-') => {
                return Err(Usage(format!(
                    "`{PROBE}` does not know `{option}`; it knows `--leave`"
                )));
            }
            _ => folders.push(arg),
        }
    }
    Ok(Command::Probe { folders, leave })
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && name != "." && name != ".."
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};

    use super::{Command, parse};

    fn parsed(args: &[&str]) -> Result<Command, String> {
        parse(args.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    fn strings(args: &[&str]) -> Vec<String> {
        args.iter().map(|arg| (*arg).to_owned()).collect()
    }

    #[test]
    fn unknown_first_argument_starts_a_benchmark() {
        let args = ["--config-name", "x", "probe", "--help"];
        assert_eq!(parsed(&args), Ok(Command::Run(strings(&args))));
        assert_eq!(parsed(&[]), Ok(Command::Run(vec![])));
        assert_eq!(parsed(&["--help"]), Ok(Command::Help));
        assert_eq!(parsed(&["-V"]), Ok(Command::Version));
    }

    #[test]
    fn probe_takes_folders_and_leave() {
        let probe = Command::Probe { folders: strings(&["/a", "/b c"]), leave: Some("n".into()) };
        assert_eq!(parsed(&["probe", "/a", "--leave", "n", "/b c"]), Ok(probe));
        for args in [&["probe", "--leave"][..], &["probe", "--leave", "a/b"], &["probe", "-x"]] {
            assert!(parsed(args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn reclaim_takes_a_request_in_json() {
        let request = contract::reclaim::Request {
            folder: "/a b".into(),
            inode: 99,
            uid: 7,
            gid: 8,
            owners: vec![(0, 0)],
            listed: false,
        };
        let text = r#"{"folder":"/a b","inode":99,"uid":7,"gid":8,"owners":[[0,0]]}"#;
        assert_eq!(parsed(&["reclaim", text]), Ok(Command::Reclaim(request)));
        for args in [&["reclaim"][..], &["reclaim", "7:8"], &["reclaim", text, "x"]] {
            assert!(parsed(args).unwrap_err().contains("`reclaim`"), "{args:?}");
        }
        let unknown = text.replace("uid", "new");
        assert!(parsed(&["reclaim", &unknown]).unwrap_err().contains("unknown field `new`"));
    }

    #[test]
    fn other_commands_check_the_number_of_their_arguments() {
        assert_eq!(parsed(&["summarize"]), Ok(Command::Summarize(None)));
        assert_eq!(parsed(&["summarize", "/r"]), Ok(Command::Summarize(Some("/r".into()))));
        let model = ["backend.model=org/m"];
        assert_eq!(parsed(&["fetch", model[0]]), Ok(Command::Fetch(strings(&model))));
        let convert = Command::Convert { source: "/m.gguf".into(), target: "/m".into() };
        assert_eq!(parsed(&["convert", "/m.gguf", "/m"]), Ok(convert));
        for args in [&["summarize", "a", "b"][..], &["convert", "a"], &["convert"]] {
            assert!(parsed(args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn native_needs_the_supervisors_process_id() {
        let native = Command::Native { supervisor: 7, args: strings(&["a=b"]) };
        assert_eq!(parsed(&["__native", "7", "a=b"]), Ok(native));
        assert!(parsed(&["__native", "a=b"]).unwrap_err().contains("not for use by hand"));
    }

    #[test]
    fn argument_that_is_not_utf8_is_refused() {
        let error = parse([OsString::from_vec(vec![b'a', 0xff])].into_iter()).unwrap_err();
        assert!(error.to_string().contains("is not UTF-8"), "{error}");
    }
}
