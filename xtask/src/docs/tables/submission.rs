//! The table of rules for a submission to the leaderboard.

use report::submission;

use crate::docs::content::Content;

/// Rules for a submission to the leaderboard.
pub(crate) fn submission_rules() -> Content {
    let rows = submission::rule_table().into_iter().map(|row| row.map(str::to_owned).into());
    let head = vec!["Rule", "What it says", "What is looked at"];
    Content::Table { head, rows: rows.collect() }
}
