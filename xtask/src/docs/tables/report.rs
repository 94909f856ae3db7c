//! Tables of the report.

use contract::published::{Answer, Compares, PUBLISHED, Published};
use report::submission;

use super::code;
use crate::docs::content::Content;

/// What a run must be to be submitted to the leaderboard.
pub(in crate::docs) fn submission_rules() -> Content {
    let rows = submission::rule_table().into_iter().map(|row| row.map(str::to_owned).into());
    let head = vec!["Rule", "What it says", "What is looked at"];
    Content::Table { head, rows: rows.collect() }
}

/// Which numbers of others compare with a run's.
pub(in crate::docs) fn published() -> Content {
    let rows = PUBLISHED.map(|number| {
        let Published { ran, answer, likeliest, prompt, compares } = number;
        let answer = match answer {
            Answer::Exactly(tokens) => tokens.to_string(),
            Answer::AtMost(tokens) => format!("at most {tokens}"),
        };
        let chosen = if likeliest { "the likeliest" } else { "sampled, without a seed" };
        let compares = match compares {
            Compares::With(arguments, condition) => {
                let arguments = arguments.iter().map(|argument| code(argument));
                let arguments = arguments.collect::<Vec<_>>().join(" ");
                let condition = condition.map(|text| format!(", {text}")).unwrap_or_default();
                format!("with {arguments}{condition}")
            }
            Compares::No(why) => format!("no: {why}"),
        };
        vec![ran.to_owned(), answer, chosen.to_owned(), prompt.to_owned(), compares]
    });
    let head =
        vec!["What ran", "Tokens an answer", "Tokens are", "Prompt", "Compares with a run here"];
    Content::Table { head, rows: rows.into() }
}
