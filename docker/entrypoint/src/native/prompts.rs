//! The prompts of a run: those of a dataset, or the built-in ones, which are every beginning with
//! every topic, always in the same order.

use contract::argument::{NUM_SAMPLES, PREFIX};

use crate::arguments::Settings;

const BEGINNINGS: [&str; 25] = [
    "Here is a short introduction to {}:",
    "Most people first hear about {} when",
    "Question: Why does {} matter? Answer:",
    "The history of {} begins with",
    "Three facts about {} are",
    "A child once asked her teacher about {}, and the teacher said",
    "The main difficulty with {} is that",
    "Question: How would you explain {} to a friend? Answer:",
    "In the next hundred years, {} will",
    "Without {}, our lives would",
    "The newspaper's headline about {} read",
    "An expert on {} usually starts the day by",
    "To learn more about {}, one should",
    "The most common mistake about {} is",
    "Question: Who studies {}, and how? Answer:",
    "The cost of {} depends on",
    "A good book about {} would begin like this:",
    "Compared with what our grandparents knew, {} is",
    "Step by step, this is how to think about {}:",
    "The museum's new room about {} shows",
    "Question: What is surprising about {}? Answer:",
    "When the subject of {} came up at dinner,",
    "In many countries, {} has become",
    "Summary of a lecture on {}:",
    "If I had to describe {} in one sentence, I would say",
];

const TOPICS: [&str; 40] = [
    "solar panels",
    "the water cycle",
    "bread baking",
    "the printing press",
    "honey bees",
    "long-distance trains",
    "the human heart",
    "volcanoes",
    "chess",
    "the stock market",
    "glaciers",
    "public libraries",
    "the night sky",
    "coffee",
    "bridges",
    "vaccines",
    "whales",
    "electric cars",
    "the Roman Empire",
    "rice farming",
    "earthquakes",
    "jazz music",
    "the internet",
    "rain forests",
    "bicycles",
    "nuclear power",
    "the alphabet",
    "football",
    "coral reefs",
    "weather forecasts",
    "antibiotics",
    "steel",
    "the moon landing",
    "wool",
    "elections",
    "robots",
    "lighthouses",
    "migrating birds",
    "paper money",
    "sleep",
];

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
        Self::first(first(asked(settings)), settings, COUNT as usize, true)
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

/// How many prompts are built in.
const COUNT: u32 = (BEGINNINGS.len() * TOPICS.len()) as u32;

/// The first `count` prompts, or all of them; two that are near use neither the same beginning
/// nor the same topic.
fn first(count: u32) -> Vec<String> {
    let count = count.min(COUNT) as usize;
    let prompt = |index: usize| {
        let (round, beginning) = (index / BEGINNINGS.len(), index % BEGINNINGS.len());
        BEGINNINGS[beginning].replace("{}", TOPICS[(round + beginning) % TOPICS.len()])
    };
    (0..count).map(prompt).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{COUNT, first};

    #[test]
    fn all_are_different_and_complete() {
        let prompts = first(u32::MAX);
        assert_eq!(prompts.len(), 1000);
        assert_eq!(COUNT, 1000);
        assert_eq!(prompts.iter().collect::<HashSet<_>>().len(), 1000);
        assert!(prompts.iter().all(|prompt| !prompt.contains("{}")));
    }

    #[test]
    fn a_shorter_run_is_the_beginning_of_a_longer_one() {
        assert_eq!(first(2)[..], first(50)[..2]);
        assert_eq!(first(1), ["Here is a short introduction to solar panels:"]);
    }
}
