//! Properties of split command lines of any words.

use proptest::{collection::vec, prelude::*, sample::select};

use super::split_args;
use crate::cli;

/// Options of `run`, unknown options, and arguments.
fn word() -> impl Strategy<Value = String> {
    let known = vec![
        "--",
        "-",
        "-n",
        "-n5",
        "--gpus",
        "--gpus=all",
        "--dry-run",
        "--backend",
        "-h",
        "-m",
        "-cn",
        "--cfg",
        "backend.model=m",
        "run",
        "verify",
        "",
        "--=",
        "--json",
        "--dryrun",
    ];
    prop_oneof![select(known).prop_map(str::to_owned), r"-{0,2}\PC{0,6}"]
}

proptest! {
    #[test]
    fn words_are_kept_and_arguments_keep_their_order(words in vec(word(), 0..8)) {
        let mut command = cli::command();
        command.build();
        let words: Vec<_> = ["a".to_owned(), "run".to_owned()].into_iter().chain(words).collect();
        if let Ok(split) = split_args(&command, words.clone()) {
            let mut before = words.clone();
            let mut after = split.clone();
            // A `--` is added unless the user wrote one.
            if after.len() > before.len() {
                before.push("--".to_owned());
            }
            before.sort();
            after.sort();
            prop_assert_eq!(after, before);
            // Arguments of the benchmark keep their order.
            let at = split.iter().rposition(|word| word == "--").unwrap();
            let mut rest = words.iter();
            prop_assert!(split[at + 1..].iter().all(|word| rest.any(|other| other == word)));
        }
    }

    #[test]
    fn other_commands_are_unchanged(words in vec(word(), 0..8)) {
        let mut command = cli::command();
        command.build();
        let words: Vec<_> = ["a".to_owned(), "verify".to_owned()].into_iter().chain(words).collect();
        prop_assert_eq!(split_args(&command, words.clone()), Ok(words));
        prop_assert_eq!(split_args(&command, vec![]), Ok(vec![]));
    }
}
