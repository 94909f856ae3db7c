//! Names with `*`, `**`, `?` and `[…]`, as the cards of datasets have them.

/// A character of a name, or some.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Any,
    Single,
    OneOf { wanted: bool, ranges: Vec<(char, char)> },
}

/// Whether `name`, with `/` between folders, is one that `pattern` means.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts: Vec<_> = pattern.split('/').filter(|part| *part != ".").collect();
    // At the end it stands for what is in a folder, not for that.
    if parts.last() == Some(&"**") {
        parts.push("*");
    }
    let names: Vec<_> = name.split('/').collect();
    follows(
        &parts,
        &names,
        |part| *part == "**",
        |part, name| {
            let name: Vec<_> = name.chars().collect();
            follows(&pieces(part), &name, |piece| *piece == Piece::Any, Piece::matches)
        },
    )
}

/// Whether `items` are what `pattern` says, where some of it stands for any number of them.
fn follows<P, T>(
    pattern: &[P],
    items: &[T],
    any: impl Fn(&P) -> bool,
    one: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut at, mut item, mut back) = (0, 0, None);
    while item < items.len() {
        match pattern.get(at) {
            Some(piece) if any(piece) => {
                back = Some((at + 1, item));
                at += 1;
            }
            Some(piece) if one(piece, &items[item]) => {
                at += 1;
                item += 1;
            }
            _ => {
                // The last that stands for any number stands for one more.
                let Some((after, from)) = back else { return false };
                back = Some((after, from + 1));
                (at, item) = (after, from + 1);
            }
        }
    }
    pattern[at..].iter().all(any)
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let pattern: Vec<_> = pattern.chars().collect();
    let single = |c| Piece::OneOf { wanted: true, ranges: vec![(c, c)] };
    let (mut pieces, mut at) = (Vec::new(), 0);
    while let Some(character) = pattern.get(at) {
        let end = pattern[at..].iter().skip(1).position(|c| *c == ']').map(|end| at + 1 + end);
        pieces.push(match (character, end) {
            ('*', _) => Piece::Any,
            ('?', _) => Piece::Single,
            ('[', Some(end)) => {
                let list = &pattern[at + 1..end];
                at = end;
                one_of(list)
            }
            (character, _) => single(*character),
        });
        at += 1;
    }
    pieces
}

/// A list as `-._ 0-9`; with a `!` before, all that is not in it.
fn one_of(list: &[char]) -> Piece {
    let (list, wanted) = match list {
        ['!', rest @ ..] => (rest, false),
        list => (list, true),
    };
    let (mut ranges, mut at) = (Vec::new(), 0);
    while at < list.len() {
        let (range, length) = match list[at..] {
            [from, '-', to, ..] => ((from, to), 3),
            _ => ((list[at], list[at]), 1),
        };
        ranges.push(range);
        at += length;
    }
    Piece::OneOf { wanted, ranges }
}

impl Piece {
    fn matches(&self, character: &char) -> bool {
        match self {
            Self::Any | Self::Single => true,
            Self::OneOf { wanted, ranges } => {
                ranges.iter().any(|(from, to)| (from..=to).contains(&character)) == *wanted
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stays_in_its_folder_and_two_do_not() {
        for (pattern, name, expected) in [
            ("data/train-*", "data/train-00000-of-00001.parquet", true),
            ("data/train-*", "data/test-00000-of-00001.parquet", false),
            ("*.csv", "a/b.csv", false),
            ("**/*.csv", "a/b.csv", true),
            ("**/*.csv", "b.csv", true),
            ("**", "a/b/c.json", true),
            ("./a.csv", "a.csv", true),
            ("a?.csv", "ab.csv", true),
            ("[0-9][-._ 0-9]*", "1-x", true),
            ("[!a]*", "a.csv", false),
            ("a[", "a[", true),
            ("train.csv", "train.csv.gz", false),
            ("a/**", "a", false),
            ("a/**/b", "a/x/b/y/b", true),
            ("*-*-*.csv", "a-b-c-d.csv", true),
            ("*a*a*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
