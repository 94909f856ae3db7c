//! The init process of a container: forwards signals and reaps zombies, while a child process that
//! runs this program again does the work. The engines' own `--init` is not used, because Docker and
//! Podman need a separately installed program for it.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt as _,
    process::{Command, ExitStatus},
    sync::mpsc,
    thread,
};

use anyhow::Context as _;
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    iterator::Signals,
};

use crate::{environment::this_program, exit::exit_code};

/// Whether this process is PID 1.
pub(crate) fn is_first_process() -> bool {
    getpid().is_init()
}

/// Starts this program again with `args`, waits for it, and returns its exit code.
///
/// # Errors
/// When the program cannot be started or waited for.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> anyhow::Result<u8> {
    supervise(this_program().args(args))
}

fn supervise(command: &mut Command) -> anyhow::Result<u8> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT]).context("catching signals")?;
    // The thread starts first: if the process limit is reached, no child is left running.
    let (started, child) = mpsc::channel();
    let forwarding = thread::Builder::new().spawn(move || {
        let Ok(child) = child.recv() else { return };
        for signal in signals.forever() {
            // The child may have exited meanwhile.
            let _ = Signal::from_named_raw(signal).map(|signal| kill_process(child, signal));
        }
    });
    forwarding.context("starting the thread that passes signals on")?;
    let child = command.spawn().context("starting the program behind the first process")?;
    let child = Pid::from_child(&child);
    // The thread waits for the PID, so it still receives.
    let _ = started.send(child);
    wait(child)
}

/// Waits for `child` and returns its exit code. Reaps every other process that exits meanwhile.
fn wait(child: Pid) -> anyhow::Result<u8> {
    loop {
        match waitpid(None, WaitOptions::empty()) {
            Ok(Some((ended, status))) if ended == child => {
                return Ok(exit_code(ExitStatus::from_raw(status.as_raw())));
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("waiting for the program's end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::supervise;

    #[test]
    fn exit_code_is_the_childs_and_128_plus_the_signal() {
        // Waiting for every child would take those of other tests, so the test runs in its own
        // process.
        if std::env::var_os("AS_FIRST_PROCESS").is_some() {
            let script = |text: &str| supervise(Command::new("sh").args(["-c", text])).unwrap();
            assert_eq!(script("exit 7"), 7);
            assert_eq!(script("kill -TERM $$"), 143);
            return;
        }
        let this = std::env::current_exe().unwrap();
        let test = "init::tests::exit_code_is_the_childs_and_128_plus_the_signal";
        let status = Command::new(this)
            .args(["--exact", test])
            .env("AS_FIRST_PROCESS", "1")
            .status()
            .unwrap();
        assert!(status.success());
    }
}
