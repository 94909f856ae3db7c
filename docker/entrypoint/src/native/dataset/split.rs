//! Splits, slices of them and sums of those, in the spelling of `datasets`.

/// What `scenario.dataset_split` says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Split(Vec<Part>);

/// A split, or a slice of it.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    name: String,
    from: Option<Bound>,
    to: Option<Bound>,
}

/// Where a slice begins or ends; below zero it counts from the end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    Row(i64),
    Percent(i64),
}

impl Split {
    /// `train`, `train[2:]+test`, `train[:10%]`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.split('+').map(|part| Part::parse(part.trim())).collect::<Option<_>>().map(Self)
    }

    /// The rows that it means; `whole` gives those of a split.
    pub(super) fn of<T, E>(&self, whole: impl Fn(&str) -> Result<Vec<T>, E>) -> Result<Vec<T>, E> {
        let mut rows = Vec::new();
        for Part { name, from, to } in &self.0 {
            let all = whole(name)?;
            let count = all.len();
            let from = from.map_or(0, |bound| bound.row(count));
            let to = to.map_or(count, |bound| bound.row(count));
            rows.extend(all.into_iter().take(to).skip(from));
        }
        Ok(rows)
    }
}

impl Part {
    fn parse(text: &str) -> Option<Self> {
        let (name, slice) = match text.strip_suffix(']') {
            Some(text) => text.split_once('[').map(|(name, slice)| (name, Some(slice)))?,
            None => (text, None),
        };
        let word =
            |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
        name.split('.').all(word).then_some(())?;
        let (from, to) = match slice {
            Some(slice) => slice.split_once(':')?,
            None => ("", ""),
        };
        let bound = |text: &str| match text {
            "" => Some(None),
            text => Bound::parse(text).map(Some),
        };
        Some(Self { name: name.to_owned(), from: bound(from)?, to: bound(to)? })
    }
}

impl Bound {
    fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| text.replace('_', "").parse().ok();
        match text.strip_suffix('%') {
            Some(text) => {
                number(text).filter(|share| (-100..=100).contains(share)).map(Self::Percent)
            }
            None => number(text).map(Self::Row),
        }
    }

    /// The row that it is, of `count`.
    fn row(self, count: usize) -> usize {
        let all = i64::try_from(count).unwrap_or(i64::MAX);
        let row = match self {
            Self::Row(row) => row,
            // Rounded as Python does.
            Self::Percent(share) => (share as f64 * count as f64 / 100.0).round_ties_even() as i64,
        };
        let row = if row < 0 { all.saturating_add(row).max(0) } else { row.min(all) };
        usize::try_from(row).unwrap_or(count)
    }
}

#[cfg(test)]
mod tests {
    use super::Split;

    fn rows(split: &str) -> Option<Vec<u32>> {
        let whole = |name: &str| match name {
            "train" => Ok((0..10).collect()),
            "test" => Ok(vec![90, 91]),
            other => Err(other.to_owned()),
        };
        Split::parse(split).map(|split| split.of(whole).unwrap())
    }

    #[test]
    fn slices_are_those_of_the_library() {
        for (split, expected) in [
            ("train[:2]", vec![0, 1]),
            ("train[8:]", vec![8, 9]),
            ("train[-1:]", vec![9]),
            ("train[:-8]", vec![0, 1]),
            ("train[2:4]+test", vec![2, 3, 90, 91]),
            ("train[:15%]", vec![0, 1]),
            ("train[:25%]", vec![0, 1]),
            ("train[90%:]+ train[:1]", vec![9, 0]),
            ("train[5:3]", vec![]),
            ("train[8:1_000]", vec![8, 9]),
            ("test[:]", vec![90, 91]),
        ] {
            assert_eq!(rows(split), Some(expected), "{split}");
        }
        for no_split in
            ["", "train[", "train[1]", "train[a:]", "train[:101%]", "tr ain", "a+", "a/b"]
        {
            assert_eq!(Split::parse(no_split), None, "{no_split}");
        }
    }
}
