//! Which repos a list shows: `size>1GB`, `accessed>7d`, `type=model`, as `hf cache ls` takes them.

use std::{cmp::Ordering, str::FromStr, time::Duration};

use super::{census::RepoCensus, names::RepoType};

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    key: Key,
    comparison: Comparison,
}

#[derive(Debug, Clone, PartialEq)]
enum Key {
    Type(RepoType),
    Id(String),
    Ref(String),
    Complete(Option<bool>),
    Size(u64),
    Accessed(Duration),
    Modified(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Is,
    IsNot,
    Less,
    LessOrIs,
    More,
    MoreOrIs,
}

/// The longer ones first: `<=` begins with `<`.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("!=", Comparison::IsNot),
    ("<=", Comparison::LessOrIs),
    (">=", Comparison::MoreOrIs),
    ("<", Comparison::Less),
    (">", Comparison::More),
    ("=", Comparison::Is),
];

/// What a condition may look like, for messages and help.
const FORMS: &str = "type=model, id=ORG/NAME, refs=main, complete=no, size>1GB, accessed>7d or \
                     modified<1month";

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Is => order.is_eq(),
            Self::IsNot => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrIs => order.is_le(),
            Self::More => order.is_gt(),
            Self::MoreOrIs => order.is_ge(),
        }
    }

    const fn is_equality(self) -> bool {
        matches!(self, Self::Is | Self::IsNot)
    }
}

impl Filter {
    /// Whether the condition holds for `repo`, `now` in seconds since 1970.
    pub(crate) fn holds(&self, repo: &RepoCensus, now: f64) -> bool {
        let is = |is: bool| self.comparison.holds(is.cmp(&true));
        let compared = |one: f64, other: f64| self.comparison.holds(one.total_cmp(&other));
        match &self.key {
            Key::Type(kind) => is(repo.name.kind == *kind),
            Key::Id(id) => is(repo.name.id.eq_ignore_ascii_case(id)),
            Key::Ref(name) => is(repo.revisions.iter().any(|rev| rev.refs.contains(name))),
            Key::Complete(complete) => {
                is(repo.revisions.iter().any(|rev| rev.complete == *complete))
            }
            Key::Size(bytes) => self.comparison.holds(repo.size_bytes.cmp(bytes)),
            Key::Accessed(age) => compared(now - repo.last_accessed, age.as_secs_f64()),
            Key::Modified(age) => compared(now - repo.last_modified, age.as_secs_f64()),
        }
    }
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = COMPARISONS.into_iter().filter_map(|(sign, comparison)| {
            let (key, value) = text.split_once(sign)?;
            Some((key.len(), key.trim(), comparison, value.trim()))
        });
        // The first sign counts; of two that begin at one place the longer one.
        let first = found.min_by_key(|(at, ..)| *at);
        let (_, key, comparison, value) =
            first.ok_or_else(|| format!("`{text}` is no condition; use {FORMS}"))?;
        let bad = |needs: &str| format!("`{text}`: `{key}` needs {needs}, as in {FORMS}");
        let age =
            || humantime::parse_duration(value).map_err(|_| bad("an age, such as 7d or 2weeks"));
        let key = match key {
            "type" => Key::Type(
                RepoType::ALL
                    .into_iter()
                    .find(|kind| kind.name() == value)
                    .ok_or_else(|| bad("model, dataset, space or kernel"))?,
            ),
            "id" => Key::Id(value.to_owned()),
            "refs" | "ref" => Key::Ref(value.to_owned()),
            "complete" => Key::Complete(match value {
                "yes" => Some(true),
                "no" => Some(false),
                "unknown" => None,
                _ => return Err(bad("yes, no or unknown")),
            }),
            "size" => Key::Size(bytes(value).ok_or_else(|| bad("a size, such as 500MB"))?),
            "accessed" => Key::Accessed(age()?),
            "modified" => Key::Modified(age()?),
            _ => return Err(format!("`{text}`: `{key}` is not known; use {FORMS}")),
        };
        let only_equality =
            matches!(key, Key::Type(_) | Key::Id(_) | Key::Ref(_) | Key::Complete(_));
        if only_equality && !comparison.is_equality() {
            return Err(format!("`{text}`: it is or it is not; use `=` or `!=`"));
        }
        Ok(Self { key, comparison })
    }
}

/// Bytes of `1.5GB`, `500M`, `2GiB` or `1000`: units are decimal unless they have an `i`.
fn bytes(text: &str) -> Option<u64> {
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let number: f64 = number.parse().ok()?;
    let unit = unit.trim().to_ascii_uppercase();
    let unit = unit.strip_suffix('B').unwrap_or(&unit);
    let (letter, base) = match unit.strip_suffix('I') {
        Some(letter) if !letter.is_empty() => (letter, 1024_f64),
        _ => (unit, 1000.0),
    };
    let power = ["", "K", "M", "G", "T", "P"].iter().position(|known| *known == letter)?;
    Some((number * base.powi(power as i32)).round() as u64)
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::{Filter, bytes};
    use crate::hub_cache::{
        census::{RepoCensus, RevisionCensus},
        names::{RepoName, RepoType},
    };

    const DAY: f64 = 86_400.0;

    fn repo() -> RepoCensus {
        RepoCensus {
            name: RepoName { kind: RepoType::Model, id: "org/m".into() },
            path: "/c".into(),
            size_bytes: 2_000_000_000,
            files: 2,
            last_accessed: 90.0 * DAY,
            last_modified: 10.0 * DAY,
            revisions: vec![RevisionCensus {
                commit: "c".into(),
                refs: vec!["main".into()],
                size_bytes: 1,
                files: 1,
                last_modified: 0.0,
                complete: Some(false),
                backends: vec![],
            }],
            unfinished: (0, 0),
            faults: vec![],
            shared_bytes: 0,
        }
    }

    #[test]
    fn conditions_hold_or_do_not() {
        for (text, holds) in [
            ("type=model", true),
            ("type!=model", false),
            ("id=ORG/m", true),
            ("refs=main", true),
            ("refs!=main", false),
            ("complete=no", true),
            ("complete=unknown", false),
            ("size>1GB", true),
            ("size >= 2000000000", true),
            ("size<=1.9GB", false),
            ("size<2GiB", true),
            ("accessed>7d", true),
            ("accessed>11days", false),
            ("modified<1month", false),
        ] {
            let filter: Filter = text.parse().unwrap();
            assert_eq!(filter.holds(&repo(), 100.0 * DAY), holds, "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_told_what_one_is() {
        let said = ["big", "size>", "colour=red", "type=weights", "accessed>soon", "type>model"]
            .map(|text| text.parse::<Filter>().unwrap_err());
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn units_are_decimal_unless_they_have_an_i() {
        for (text, expected) in [
            ("1000", Some(1000)),
            ("1.5 GB", Some(1_500_000_000)),
            ("500m", Some(500_000_000)),
            ("1KiB", Some(1024)),
            ("GB", None),
            ("1XB", None),
            ("1iB", None),
            ("1GBB", None),
            ("1KiiB", None),
            ("", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
