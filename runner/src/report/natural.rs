//! The order of names as people count: `2` before `10`.

use std::{cmp::Ordering, path::Path};

/// Compares paths part by part, and the digits in a part by the number that they are.
pub(super) fn order(one: &Path, other: &Path) -> Ordering {
    let parts = |path: &Path| -> Vec<_> {
        path.iter().map(|part| pieces(&part.to_string_lossy())).collect()
    };
    // Names that count alike, such as `1` and `01`, still have an order.
    parts(one).cmp(&parts(other)).then_with(|| one.cmp(other))
}

/// A run of digits, by value, or of other characters; digits come first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    /// The digits without leading zeros, the longer the larger.
    Number(usize, String),
    Text(String),
}

fn pieces(name: &str) -> Vec<Piece> {
    let is_digit = |char: char| char.is_ascii_digit();
    let mut pieces = vec![];
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digits = is_digit(first);
        let end = rest.find(|char| is_digit(char) != digits).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        pieces.push(if digits {
            let number = piece.trim_start_matches('0');
            Piece::Number(number.len(), number.to_owned())
        } else {
            Piece::Text(piece.to_owned())
        });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::order;

    #[test]
    fn ten_comes_after_two() {
        let mut paths = [
            "run-10/b",
            "run-2/b",
            "run-2/a",
            "10",
            "2",
            "1",
            "run",
            "02",
            "run-10",
            "run-9x",
            "18446744073709551617",
            "18446744073709551616",
            "a",
            "",
        ];
        paths.sort_by(|one, other| order(Path::new(one), Path::new(other)));
        let expected = [
            "",
            "1",
            "02",
            "2",
            "10",
            "18446744073709551616",
            "18446744073709551617",
            "a",
            "run",
            "run-2/a",
            "run-2/b",
            "run-9x",
            "run-10",
            "run-10/b",
        ];
        assert_eq!(paths, expected);
    }
}
