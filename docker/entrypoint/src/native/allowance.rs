//! How many prompts may fail before a run does: the rule of the Python stacks.

use anyhow::ensure;
use contract::argument::FAILED_SHARE;

/// The share that may fail unless told otherwise; one prompt always may.
const SHARE: f64 = 0.1;

/// Makes sure that no more than the `share` of `prompts` failed, and that one was answered.
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

/// How many of so many prompts may fail.
fn allowed(share: Option<f64>, prompts: u64) -> u64 {
    match share {
        None => ((SHARE * prompts as f64) as u64).max(1),
        // Of 10 prompts 0.3 are 3, whatever 0.3 is in binary.
        Some(share) => (share * prompts as f64 + 1e-9) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::{allowed, check};

    #[test]
    fn a_tenth_or_one_prompt_or_the_given_share_may_fail() {
        let cases = [(None, 3), (None, 40), (Some(0.3), 10), (Some(0.0), 10), (Some(1.0), 2)];
        assert_eq!(cases.map(|(share, prompts)| allowed(share, prompts)), [1, 4, 3, 0, 2]);
        assert!(check(None, 1, 2).is_ok());
        assert!(
            check(None, 2, 3)
                .unwrap_err()
                .to_string()
                .starts_with("2 of 3 prompts failed, and 1 may")
        );
        assert!(
            check(Some(1.0), 2, 2).unwrap_err().to_string().starts_with("none of the 2 prompts")
        );
    }
}
