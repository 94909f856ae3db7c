//! Run ids.

use std::time::SystemTime;

/// Prefix of the names of a run's container and files. The run id follows.
pub const PREFIX: &str = "aienergyscore-";

/// Makes an id such as `20261124T011501Z-4711`: start time in UTC and process id of the runner. It is
/// unique on a machine, sortable, and valid in names of files, containers and labels.
pub fn run_id(start: SystemTime, pid: u32) -> String {
    let time = humantime::format_rfc3339_seconds(start).to_string();
    format!("{}-{pid}", time.replace(['-', ':'], ""))
}

/// The process id of the runner in a run id, if it is one.
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
    fn id_has_start_time_and_process_id() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(run_id(start, 4711), "20231114T221320Z-4711");
        assert_eq!(runner_of("20231114T221320Z-4711"), Some(4711));
        let others = ["", "x-1", "20231114T221320Z", "20231114T221320Z-", "20231114T221320Z-1-2"];
        assert_eq!(others.map(runner_of), [None; 5]);
    }
}
