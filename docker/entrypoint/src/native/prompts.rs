//! The prompts of a run: those of a dataset, or the built-in ones. These combine every beginning
//! with every topic, always in the same order.

use contract::argument::{NUM_SAMPLES, PREFIX};

use crate::arguments::Settings;

/// Beginnings of prompts, one per line, with `{}` for the topic.
const BEGINNINGS: &str = include_str!("prompts/beginnings.txt");

/// Topics, one per line.
const TOPICS: &str = include_str!("prompts/topics.txt");

/// The prompts, and how many were requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prompts {
    /// The prompts to answer, with their prefix.
    pub(super) texts: Vec<String>,
    /// Number of prompts requested.
    pub(super) requested: u32,
    /// Number of prompts that the source has.
    available: usize,
    /// Whether they are built in.
    built_in: bool,
}

impl Prompts {
    /// The requested number of prompts out of `texts`, the prompts of a dataset. None if it is
    /// empty.
    #[cfg(feature = "native")]
    pub(super) fn of_dataset(texts: Vec<String>, settings: &Settings) -> Option<Self> {
        let available = texts.len();
        (available > 0).then(|| Self::new(texts, settings, available, false))
    }

    /// The requested number of built-in prompts.
    pub(super) fn built_in(settings: &Settings) -> Self {
        let (texts, available) = built_in(requested(settings));
        Self::new(texts, settings, available, true)
    }

    fn new(mut texts: Vec<String>, settings: &Settings, available: usize, built_in: bool) -> Self {
        let requested = requested(settings);
        texts.truncate(requested as usize);
        if let Some(prefix) = settings.text(PREFIX) {
            texts.iter_mut().for_each(|text| text.insert_str(0, prefix));
        }
        Self { texts, requested, available, built_in }
    }

    /// Note for the report, if there are fewer prompts than requested.
    pub(super) fn note(&self) -> Option<String> {
        let Self { texts, requested, available, built_in } = self;
        let there = if *built_in {
            format!("{available} are built in")
        } else {
            format!("the dataset has {available}")
        };
        (texts.len() < *requested as usize)
            .then(|| format!("{requested} prompts were asked for, {there}: all of them ran"))
    }
}

fn requested(settings: &Settings) -> u32 {
    settings.number(NUM_SAMPLES).and_then(|number| number.try_into().ok()).unwrap_or(u32::MAX)
}

/// The first `count` built-in prompts, and how many there are. Neighbours share neither beginning
/// nor topic.
fn built_in(count: u32) -> (Vec<String>, usize) {
    let [beginnings, topics] = [BEGINNINGS, TOPICS].map(|text| text.lines().collect::<Vec<_>>());
    let available = beginnings.len() * topics.len();
    let prompt = |index: usize| {
        let (round, beginning) = (index / beginnings.len(), index % beginnings.len());
        beginnings[beginning].replace("{}", topics[(round + beginning) % topics.len()])
    };
    ((0..available.min(count as usize)).map(prompt).collect(), available)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::built_in;

    #[test]
    fn built_in_prompts_are_unique_and_complete() {
        let (prompts, available) = built_in(u32::MAX);
        assert_eq!((prompts.len(), available), (1000, 1000));
        assert_eq!(prompts.iter().collect::<HashSet<_>>().len(), 1000);
        assert!(prompts.iter().all(|prompt| !prompt.contains("{}")));
    }

    #[test]
    fn shorter_run_uses_the_first_prompts_of_a_longer_one() {
        assert_eq!(built_in(2).0[..], built_in(50).0[..2]);
        assert_eq!(built_in(1).0, ["Here is a short introduction to solar panels:"]);
    }
}
