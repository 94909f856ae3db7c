//! What holds for command lines of any words.

use proptest::{collection::vec, prelude::*, sample::select};

use super::split_args;
use crate::cli;

/// Options of ours, of nobody, and arguments.
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
    fn no_word_is_lost_or_made_up(words in vec(word(), 0..8)) {
        let mut command = cli::command();
        command.build();
        let words: Vec<_> = ["a".to_owned(), "run".to_owned()].into_iter().chain(words).collect();
        if let Ok(sorted) = split_args(&command, words.clone()) {
            let mut before = words.clone();
            let mut after = sorted.clone();
            // The one that divides them is there once; the user's own is the same.
            if after.len() > before.len() {
                before.push("--".to_owned());
            }
            before.sort();
            after.sort();
            prop_assert_eq!(after, before);
            // What is for the benchmark keeps its order.
            let at = sorted.iter().rposition(|word| word == "--").unwrap();
            let mut rest = words.iter();
            prop_assert!(sorted[at + 1..].iter().all(|word| rest.any(|other| other == word)));
        }
    }

    #[test]
    fn other_commands_are_left_alone(words in vec(word(), 0..8)) {
        let mut command = cli::command();
        command.build();
        let words: Vec<_> = ["a".to_owned(), "verify".to_owned()].into_iter().chain(words).collect();
        prop_assert_eq!(split_args(&command, words.clone()), Ok(words));
        prop_assert_eq!(split_args(&command, vec![]), Ok(vec![]));
    }
}
