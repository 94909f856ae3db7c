//! Signals that end this program.

use std::fs;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// Signals to react to. SIGHUP is left out if it is ignored, as under `nohup`.
///
/// SIGINT counts even if it is ignored: a shell without job control has every background program ignore
/// it.
pub fn ending() -> Vec<i32> {
    // If the file cannot be read, SIGHUP ends this program as it ends most others.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut signals = vec![SIGINT, SIGTERM, SIGQUIT];
    if !ignores(&status, SIGHUP) {
        signals.push(SIGHUP);
    }
    signals
}

/// Whether a process ignores a signal, by its `/proc/PID/status` (proc_pid_status(5)).
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::{SIGHUP, SIGINT, ignores};

    #[test]
    fn ignored_signals_are_read_from_the_status_file() {
        let status = "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\n";
        assert!(ignores(status, SIGHUP) && !ignores(status, SIGINT));
        assert!(!ignores("", SIGHUP) && !ignores("SigIgn:\todd\n", SIGHUP));
    }
}
