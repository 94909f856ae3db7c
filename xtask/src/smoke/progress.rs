//! Progress messages of the smoke test.

use host::output::terminal;

/// Reports that a step begins.
pub(super) fn step(number: usize, title: &str) {
    terminal::say(format_args!("step {number}/5: {title}"));
}

/// Reports a detail of the current step.
pub(super) fn detail(text: &str) {
    terminal::say(format_args!("  {text}"));
}
