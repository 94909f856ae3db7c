//! The signals that ask a program to end.

use std::fs;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// Those that end a work of ours: all four, but for a hang-up that whoever started us has us ignore,
/// as `nohup` does for a work that is to outlive its terminal.
///
/// Interrupts count whatever we were told: a shell without job control has every program behind an
/// `&` ignore them, though nobody asked for that.
pub fn ending() -> Vec<i32> {
    // Without an answer a lost terminal ends the work, as it ends most programs.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut signals = vec![SIGINT, SIGTERM, SIGQUIT];
    if !ignores(&status, SIGHUP) {
        signals.push(SIGHUP);
    }
    signals
}

/// Whether the process with this `/proc/PID/status` ignores a signal: proc_pid_status(5).
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::{SIGHUP, SIGINT, ignores};

    #[test]
    fn the_kernel_says_which_signals_are_ignored() {
        let status = "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\n";
        assert!(ignores(status, SIGHUP) && !ignores(status, SIGINT));
        assert!(!ignores("", SIGHUP) && !ignores("SigIgn:\todd\n", SIGHUP));
    }
}
