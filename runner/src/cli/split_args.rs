//! Separates options of `run` from arguments of the benchmark, which may be mixed.

use clap::Command;
use host::exit::Usage;

/// Moves words that are not options of `run` behind a `--`, where clap does not parse them. Words after the
/// user's own `--` are arguments of the benchmark. Other commands are returned unchanged.
///
/// # Errors
/// When a word looks like a misspelt option of `run`.
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
        match kind(run, &word) {
            Kind::Option => ours.push(word),
            Kind::OptionBeforeValue => {
                ours.push(word);
                ours.extend(words.next());
            }
            Kind::Argument => {
                refuse_misspelt(run, &word)?;
                benchmark.push(word);
            }
        }
    }
    ours.push("--".to_owned());
    ours.append(&mut benchmark);
    Ok(ours)
}

/// Kind of a word on the command line of `run`.
enum Kind {
    /// A complete option of `run`.
    Option,
    /// An option of `run` whose value is the next word.
    OptionBeforeValue,
    /// An argument of the benchmark.
    Argument,
}

fn kind(run: &Command, word: &str) -> Kind {
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let option = run.get_arguments().find(|option| option.get_long() == Some(name));
        return match (option.map(|option| option.get_action().takes_values()), value) {
            (Some(true), None) => Kind::OptionBeforeValue,
            // Clap refuses the value of a flag.
            (Some(_), _) => Kind::Option,
            _ if ["help", "version"].contains(&name) => Kind::Option,
            _ => Kind::Argument,
        };
    }
    let Some(short) = word.strip_prefix('-').and_then(|rest| rest.chars().next()) else {
        return Kind::Argument;
    };
    let alone = word.len() == 1 + short.len_utf8();
    let option = run.get_arguments().find(|option| option.get_short() == Some(short));
    match option.map(|option| option.get_action().takes_values()) {
        Some(true) if alone => Kind::OptionBeforeValue,
        Some(true) => Kind::Option,
        Some(false) if alone => Kind::Option,
        None if ["-h", "-V"].contains(&word) => Kind::Option,
        _ => Kind::Argument,
    }
}

/// Refuses a word that looks like a misspelt option: a misspelt `--dry-run` must not start a run.
fn refuse_misspelt(run: &Command, word: &str) -> Result<(), Usage> {
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

    fn split(line: &str) -> Result<String, String> {
        let mut command = cli::command();
        command.build();
        let words = line.split(' ').map(str::to_owned).collect();
        split_args(&command, words).map(|words| words.join(" ")).map_err(|error| error.to_string())
    }

    #[test]
    fn options_of_run_are_found_anywhere() {
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
            assert_eq!(split(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn misspelt_option_is_refused() {
        insta::assert_snapshot!(split("a run --dryrun m=1").unwrap_err(), @"unknown option `--dryrun`; did you mean `--dry-run`? If it is the benchmark's own, put it behind `--`");
        assert!(split("a run --backnd=vllm").is_err());
        assert_eq!(split("a run -- --dryrun").as_deref(), Ok("a run -- --dryrun"));
    }
}
