//! Tasks of the leaderboard: configurations of a benchmark.

use super::argument::{DATASET, DEFAULT_CONFIG};

/// The arguments of text generation, one per line.
const TEXT_GENERATION: &str = include_str!("../../../configs/text_generation.args");

/// Names of the tasks.
pub const TASKS: [&str; 1] = [DEFAULT_CONFIG];

/// The arguments of a task, one per line, and comments that begin with `#`.
pub fn arguments(task: &str) -> Option<&'static str> {
    (task == DEFAULT_CONFIG).then_some(TEXT_GENERATION)
}

/// Dataset of a task.
pub fn dataset(task: &str) -> Option<&'static str> {
    arguments(task)?.lines().find_map(|line| line.strip_prefix(DATASET)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::{TASKS, dataset};

    #[test]
    fn every_task_has_a_dataset() {
        assert!(TASKS.iter().all(|task| dataset(task).is_some_and(|id| id.contains('/'))));
        assert_eq!(dataset("other"), None);
    }
}
