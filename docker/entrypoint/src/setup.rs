//! Settings of the whole process: core dumps, panics, umask, the signal at its parent's death.

use std::{panic, process};

use anyhow::{Context as _, bail};
use contract::env::UMASK;
use rustix::{
    fs::Mode,
    process::{
        Pid, Resource, Rlimit, Signal, getppid, set_parent_process_death_signal, setrlimit, umask,
    },
};

use crate::{
    environment::Environment,
    exit::{self, Usage},
};

/// Disables core dumps of this process and its children: memory may hold a token or a password.
pub(crate) fn disable_core_dumps() {
    // A limit of 0 still pipes dumps to a collector, 1 does not (Linux, `fs/coredump.c`). This fails
    // only for an unprivileged process with a hard limit of 0, which it cannot raise.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(1), maximum: Some(1) });
}

/// Makes a panic print one line and exit like any other error.
pub(crate) fn report_panics() {
    panic::set_hook(Box::new(|panic| {
        let panic = panic.to_string().replace('\n', " ");
        exit::say(&format!("error: internal error: {panic}"));
        process::exit(exit::FAILED.into());
    }));
}

/// Gives this process and its children the user's umask.
///
/// # Errors
/// When the variable holds no umask.
pub(crate) fn set_umask(environment: &Environment) -> Result<(), Usage> {
    if let Some(text) = environment.get(UMASK) {
        umask(Mode::from_raw_mode(octal(&text.to_string_lossy())?));
    }
    Ok(())
}

fn octal(text: &str) -> Result<u32, Usage> {
    let mask = u32::from_str_radix(text, 8).ok().filter(|mask| *mask <= 0o777);
    mask.ok_or_else(|| Usage(format!("{UMASK}={text}: not an octal number up to 0777")))
}

/// Makes the kernel kill this process when its parent dies, even by SIGKILL. The parent must be the
/// process `supervisor`.
pub(crate) fn die_with_parent(supervisor: i32) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("binding to the supervisor")?;
    // The supervisor may have died before the signal was set.
    if getppid().map(Pid::as_raw_nonzero).map(i32::from) != Some(supervisor) {
        bail!("the supervisor ended before the backend began");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::octal;

    #[test]
    fn umask_is_an_octal_number_up_to_0777() {
        assert_eq!(octal("0077").unwrap(), 0o077);
        for text in ["", "9", "1000", "-1", "u=rwx"] {
            assert!(octal(text).is_err(), "{text}");
        }
    }
}
