//! The first process of a container. The kernel hands it every orphan and spares it the signals
//! that it does not ask for, so it does nothing but pass signals on and bury the dead; the work is
//! done by this program again, as its child. An engine's own first process is not asked for: Podman
//! and Docker find theirs only where it was installed beside them.

use std::{
    env,
    os::unix::process::CommandExt as _,
    process::{Child, Command},
    sync::mpsc,
    thread,
};

use anyhow::Context as _;
use contract::exit;
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, waitpid},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    iterator::Signals,
};

/// Exit code of a process whose end cannot be told.
const UNKNOWN: u8 = 1;

/// Whether this is the first process.
pub(crate) fn is_first() -> bool {
    getpid().is_init()
}

/// Starts this program again, with the same arguments, and lives as long as that; its exit code.
///
/// # Errors
/// When it cannot be started or waited for.
pub(crate) fn run() -> anyhow::Result<u8> {
    let mut args = env::args_os();
    let mut command = Command::new("/proc/self/exe");
    if let Some(program) = args.next() {
        command.arg0(program);
    }
    supervise(command.args(args))
}

fn supervise(command: &mut Command) -> anyhow::Result<u8> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT]).context("catching signals")?;
    // First the thread: where the limit of processes is reached, nothing is left running.
    let (started, child) = mpsc::channel();
    let passing_on = thread::Builder::new().spawn(move || {
        let Ok(child) = child.recv() else { return };
        for signal in signals.forever() {
            // One that ended meanwhile needs no signal.
            let _ = Signal::from_named_raw(signal).map(|signal| kill_process(child, signal));
        }
    });
    passing_on.context("starting the thread that passes signals on")?;
    let child = command.spawn().context("starting the program behind the first process")?;
    let child = pid(&child)?;
    // The thread waits for it.
    let _ = started.send(child);
    wait(child)
}

fn pid(child: &Child) -> anyhow::Result<Pid> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.context("the program behind the first process has no number")
}

/// Waits for `child`, and for all others that end meanwhile.
fn wait(child: Pid) -> anyhow::Result<u8> {
    loop {
        match waitpid(None, WaitOptions::empty()) {
            Ok(Some((ended, status))) if ended == child => return Ok(code(status)),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("waiting for the program's end"),
        }
    }
}

/// The code as a shell tells it: 128+n for signal n.
fn code(status: WaitStatus) -> u8 {
    let told = status
        .exit_status()
        .or(status.terminating_signal().map(|signal| exit::of_signal(signal).into()));
    told.and_then(|code| u8::try_from(code).ok()).unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::supervise;

    #[test]
    fn orphans_are_buried_and_the_code_is_the_programs() {
        // Only a test that is alone in its process may wait for every child: it runs in one.
        if std::env::var_os("AS_FIRST_PROCESS").is_some() {
            let script = |text: &str| supervise(Command::new("sh").args(["-c", text])).unwrap();
            assert_eq!(script("exit 7"), 7);
            assert_eq!(script("kill -TERM $$"), 143);
            return;
        }
        let this = std::env::current_exe().unwrap();
        let test = "init::tests::orphans_are_buried_and_the_code_is_the_programs";
        let status = Command::new(this)
            .args(["--exact", test])
            .env("AS_FIRST_PROCESS", "1")
            .status()
            .unwrap();
        assert!(status.success());
    }
}
