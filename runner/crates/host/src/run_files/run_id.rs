//! The name of a run.

use std::time::SystemTime;

/// What begins the names that a run gives to its container and to its secrets' files; its id follows.
pub const PREFIX: &str = "aienergyscore-";

/// `20261124T011501Z-4711`: start time in UTC and the runner's process id. Unique on a machine,
/// sortable, and legal in names of files, containers and labels.
pub fn run_id(start: SystemTime, pid: u32) -> String {
    let time = humantime::format_rfc3339_seconds(start).to_string();
    format!("{}-{pid}", time.replace(['-', ':'], ""))
}

/// The process id of the runner of the run `run_id`; none if it is no id of a run.
pub fn runner_of(run_id: &str) -> Option<u32> {
    let (time, pid) = run_id.split_once('-')?;
    let (date, rest) = time.split_at_checked(8)?;
    let time = rest.strip_prefix('T')?.strip_suffix('Z')?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_time = is_number(date) && time.len() == 6 && is_number(time) && is_number(pid);
    pid.parse().ok().filter(|_| is_time)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{run_id, runner_of};

    #[test]
    fn it_tells_when_and_who() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(run_id(start, 4711), "20231114T221320Z-4711");
        assert_eq!(runner_of("20231114T221320Z-4711"), Some(4711));
        let others = ["", "x-1", "20231114T221320Z", "20231114T221320Z-", "20231114T221320Z-1-2"];
        assert_eq!(others.map(runner_of), [None; 5]);
    }
}
