//! Failed prompts: how many may fail before the run does, and the notes about them. The rules are
//! those of the Python stacks.

use anyhow::ensure;
use backend_reports::report::Totals;
use contract::argument::FAILED_SHARE;

/// Share of the prompts that may fail by default. One prompt always may.
const SHARE: f64 = 0.1;

/// Number of failed prompts whose reason the notes give.
const EXPLAINED: usize = 3;

/// Fails if more than the `share` of the `prompts` failed, or all of them.
pub(super) fn check(share: Option<f64>, failed: u64, prompts: u64) -> anyhow::Result<()> {
    let most = allowed(share, prompts);
    ensure!(failed < prompts, "none of the {prompts} prompts can be read; why stands above");
    ensure!(
        failed <= most,
        "{failed} of {prompts} prompts failed, and {most} may: why each did stands above; \
         `{FAILED_SHARE}=` sets the share that may"
    );
    Ok(())
}

/// How many of `prompts` may fail.
fn allowed(share: Option<f64>, prompts: u64) -> u64 {
    match share {
        None => ((SHARE * prompts as f64) as u64).max(1),
        // A share of 0.3 of 10 prompts is 3, also after binary rounding.
        Some(share) => (share * prompts as f64 + 1e-9) as u64,
    }
}

/// Notes on prompts that failed, with the reasons `failures`, and on prompts cut to `limit` tokens.
pub(super) fn notes(totals: &Totals, failures: Vec<String>, of: u64, limit: usize) -> Vec<String> {
    let Totals { prompts_failed, prompts_cut, prompt_tokens_cut, .. } = totals;
    let failed = (*prompts_failed > 0).then(|| format!("{prompts_failed} of {of} prompts failed"));
    let cut = (*prompts_cut > 0).then(|| {
        format!(
            "{prompts_cut} of {of} prompts were cut to {limit} tokens, which is what the model holds \
             beside its answer: {prompt_tokens_cut} tokens of them were not read"
        )
    });
    let explained = failures.into_iter().take(EXPLAINED);
    failed.into_iter().chain(explained).chain(cut).collect()
}

#[cfg(test)]
mod tests {
    use backend_reports::report::Totals;

    use super::{allowed, check, notes};

    #[test]
    fn a_tenth_or_one_prompt_or_the_given_share_may_fail() {
        let cases = [(None, 3), (None, 40), (Some(0.3), 10), (Some(0.0), 10), (Some(1.0), 2)];
        assert_eq!(cases.map(|(share, prompts)| allowed(share, prompts)), [1, 4, 3, 0, 2]);
        let error = |share, failed, prompts| check(share, failed, prompts).unwrap_err().to_string();
        assert!(check(None, 1, 2).is_ok());
        assert!(error(None, 2, 3).starts_with("2 of 3 prompts failed, and 1 may"));
        assert!(error(Some(1.0), 2, 2).starts_with("none of the 2 prompts"));
    }

    #[test]
    fn notes_explain_the_first_three_failures() {
        let totals = Totals { prompts_cut: 2, prompt_tokens_cut: 47, ..Totals::of(&[], 4) };
        let failures = (1..5).map(|number| format!("prompt {number} failed: why")).collect();
        insta::assert_snapshot!(notes(&totals, failures, 9, 60).join("\n"), @r"
        4 of 9 prompts failed
        prompt 1 failed: why
        prompt 2 failed: why
        prompt 3 failed: why
        2 of 9 prompts were cut to 60 tokens, which is what the model holds beside its answer: 47 tokens of them were not read
        ");
        assert_eq!(notes(&Totals::of(&[], 0), vec![], 9, 60), [""; 0]);
    }
}
