//! Tells the runner's options from the benchmark's arguments, which may stand in any order.

use clap::Command;
use host::exit::Usage;

/// Moves what `run` does not know behind a `--`, where clap takes it as it is. Other commands'
/// lines come back unchanged. Words after a `--` of the user's are the benchmark's.
///
/// # Errors
/// When a word is so close to an option of ours that it must be a slip.
pub fn split_args(cli: &Command, words: Vec<String>) -> Result<Vec<String>, Usage> {
    let Some(at) = words.iter().skip(1).position(|word| !word.starts_with('-')) else {
        return Ok(words);
    };
    let Some(run) = cli.find_subcommand("run").filter(|_| words[at + 1] == "run") else {
        return Ok(words);
    };
    let mut words = words.into_iter();
    let mut ours: Vec<_> = words.by_ref().take(at + 2).collect();
    let mut benchmark = vec![];
    while let Some(word) = words.next() {
        if word == "--" {
            benchmark.extend(words);
            break;
        }
        match known(run, &word) {
            Known::Flag => ours.push(word),
            Known::WithValueIn => ours.push(word),
            Known::WithValueNext => {
                ours.push(word);
                ours.extend(words.next());
            }
            Known::Not => {
                refuse_slip(run, &word)?;
                benchmark.push(word);
            }
        }
    }
    ours.push("--".to_owned());
    ours.append(&mut benchmark);
    Ok(ours)
}

/// What a word is to the runner.
enum Known {
    /// An option without a value.
    Flag,
    /// An option with its value in the same word.
    WithValueIn,
    /// An option whose value is the next word.
    WithValueNext,
    /// Nothing of ours.
    Not,
}

fn known(run: &Command, word: &str) -> Known {
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let option = run.get_arguments().find(|option| option.get_long() == Some(name));
        return match (option.map(|option| option.get_action().takes_values()), value) {
            (Some(true), None) => Known::WithValueNext,
            (Some(true), Some(_)) => Known::WithValueIn,
            // A value that it does not take is clap's to refuse.
            (Some(false), _) => Known::Flag,
            _ if ["help", "version"].contains(&name) => Known::Flag,
            _ => Known::Not,
        };
    }
    let Some(short) = word.strip_prefix('-').and_then(|rest| rest.chars().next()) else {
        return Known::Not;
    };
    let alone = word.len() == 1 + short.len_utf8();
    let option = run.get_arguments().find(|option| option.get_short() == Some(short));
    match option.map(|option| option.get_action().takes_values()) {
        Some(true) if alone => Known::WithValueNext,
        Some(true) => Known::WithValueIn,
        Some(false) if alone => Known::Flag,
        None if ["-h", "-V"].contains(&word) => Known::Flag,
        _ => Known::Not,
    }
}

/// A misspelt `--dry-run` must not start a run.
fn refuse_slip(run: &Command, word: &str) -> Result<(), Usage> {
    let Some(name) = word.strip_prefix("--").map(|long| long.split('=').next().unwrap_or(long))
    else {
        return Ok(());
    };
    let close = run
        .get_arguments()
        .filter_map(|option| option.get_long())
        .find(|long| strsim::osa_distance(long, name) <= 2 && name.len() > 3);
    match close {
        Some(long) => Err(Usage(format!(
            "unknown option `--{name}`; did you mean `--{long}`? If it is the benchmark's own, \
             put it behind `--`"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::split_args;
    use crate::cli;

    fn sorted(line: &str) -> Result<String, String> {
        let mut command = cli::command();
        command.build();
        let words = line.split(' ').map(str::to_owned).collect();
        split_args(&command, words).map(|words| words.join(" ")).map_err(|error| error.to_string())
    }

    #[test]
    fn our_options_are_found_wherever_they_stand() {
        let cases = [
            ("a run", "a run --"),
            ("a run --cfg job x=1", "a run -- --cfg job x=1"),
            ("a run -n 100 --config-name t m=1", "a run -n 100 -- --config-name t m=1"),
            ("a run --config-name t -n 100 m=1", "a run -n 100 -- --config-name t m=1"),
            ("a run --config-name t m=1 -n100", "a run -n100 -- --config-name t m=1"),
            ("a run m=1 --num-samples=7", "a run --num-samples=7 -- m=1"),
            ("a run m=1 -- -n 7 --", "a run -- m=1 -n 7 --"),
            ("a run -cn t -m --dry-run", "a run --dry-run -- -cn t -m"),
            ("a run --gpus device=0,1 +a=b ~c", "a run --gpus device=0,1 -- +a=b ~c"),
            ("a run -h", "a run -h --"),
            ("a run m=1 --version", "a run --version -- m=1"),
            ("a run -V", "a run -V --"),
            ("a run -- --version", "a run -- --version"),
            ("a run --json=1", "a run --json=1 --"),
            ("a run m=1 -n", "a run -n -- m=1"),
            ("a verify --json", "a verify --json"),
            ("a reap -- docker rm x", "a reap -- docker rm x"),
            ("a --help", "a --help"),
        ];
        for (line, expected) in cases {
            assert_eq!(sorted(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn a_slip_does_not_start_a_run() {
        insta::assert_snapshot!(sorted("a run --dryrun m=1").unwrap_err(), @"unknown option `--dryrun`; did you mean `--dry-run`? If it is the benchmark's own, put it behind `--`");
        assert!(sorted("a run --backnd=vllm").is_err());
        assert_eq!(sorted("a run -- --dryrun").as_deref(), Ok("a run -- --dryrun"));
    }
}
