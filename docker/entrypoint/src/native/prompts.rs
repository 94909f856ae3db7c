//! The prompts of a run: those of a dataset, or the built-in ones, which are every beginning with
//! every topic, always in the same order.

use contract::argument::{NUM_SAMPLES, PREFIX};

use crate::arguments::Settings;

/// Beginnings of prompts, one per line; a topic takes the place of `{}`.
const BEGINNINGS: &str = include_str!("prompts/beginnings.txt");

/// Topics, one per line.
const TOPICS: &str = include_str!("prompts/topics.txt");

/// The prompts, and how many were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prompts {
    /// The prompts.
    pub(crate) texts: Vec<String>,
    /// How many were asked for.
    pub(crate) asked: u32,
    /// How many there are.
    available: usize,
    /// Whether they are built in.
    built_in: bool,
}

impl Prompts {
    /// The first ones of `texts`, as many as were asked for; none if there are none at all.
    #[cfg(feature = "native")]
    pub(crate) fn of(texts: Vec<String>, settings: &Settings) -> Option<Self> {
        let available = texts.len();
        (available > 0).then(|| Self::first(texts, settings, available, false))
    }

    /// The built-in ones.
    pub(crate) fn built_in(settings: &Settings) -> Self {
        let (texts, available) = first(asked(settings));
        Self::first(texts, settings, available, true)
    }

    fn first(
        mut texts: Vec<String>,
        settings: &Settings,
        available: usize,
        built_in: bool,
    ) -> Self {
        let asked = asked(settings);
        texts.truncate(asked as usize);
        if let Some(prefix) = settings.text(PREFIX) {
            texts.iter_mut().for_each(|text| text.insert_str(0, prefix));
        }
        Self { texts, asked, available, built_in }
    }

    /// What a reader of the numbers must know.
    pub(crate) fn note(&self) -> Option<String> {
        let Self { texts, asked, available, built_in } = self;
        let there = if *built_in {
            format!("{available} are built in")
        } else {
            format!("the dataset has {available}")
        };
        (texts.len() < *asked as usize)
            .then(|| format!("{asked} prompts were asked for, {there}: all of them ran"))
    }
}

fn asked(settings: &Settings) -> u32 {
    settings.number(NUM_SAMPLES).and_then(|number| number.try_into().ok()).unwrap_or(u32::MAX)
}

/// The first `count` built-in prompts, or all of them, and how many there are; two that are near use
/// neither the same beginning nor the same topic.
fn first(count: u32) -> (Vec<String>, usize) {
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

    use super::first;

    #[test]
    fn all_are_different_and_complete() {
        let (prompts, available) = first(u32::MAX);
        assert_eq!((prompts.len(), available), (1000, 1000));
        assert_eq!(prompts.iter().collect::<HashSet<_>>().len(), 1000);
        assert!(prompts.iter().all(|prompt| !prompt.contains("{}")));
    }

    #[test]
    fn a_shorter_run_is_the_beginning_of_a_longer_one() {
        assert_eq!(first(2).0[..], first(50).0[..2]);
        assert_eq!(first(1).0, ["Here is a short introduction to solar panels:"]);
    }
}
