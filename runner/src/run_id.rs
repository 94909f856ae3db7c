//! The name of a run.

use std::time::SystemTime;

/// `20261124T011501Z-4711`: start time in UTC and the runner's process id. Unique on a machine,
/// sortable, and legal in names of files, containers and labels.
pub fn run_id(start: SystemTime, pid: u32) -> String {
    let time = humantime::format_rfc3339_seconds(start).to_string();
    format!("{}-{pid}", time.replace(['-', ':'], ""))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::run_id;

    #[test]
    fn it_tells_when_and_who() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(run_id(start, 4711), "20231114T221320Z-4711");
    }
}
