//! Where a number comes from: the keys of the files that it is computed of, and how.

use std::fmt;

use super::number::digits;

/// A number of a file, or what is computed of some.
#[derive(Debug, Clone, PartialEq)]
pub enum Trace {
    /// The value of a key.
    Key {
        /// The file, by its name in the results folder.
        file: &'static str,
        /// The keys and indices that lead there, joined by dots.
        path: String,
    },
    /// A number that is the same for all.
    Number(f64),
    /// All of these together.
    Sum(Vec<Trace>),
    /// The first times the second.
    Times(Box<Trace>, Box<Trace>),
    /// The first divided by the second.
    Over(Box<Trace>, Box<Trace>),
}

impl Trace {
    /// The value of a key.
    pub(super) fn key(file: &'static str, path: impl Into<String>) -> Self {
        Self::Key { file, path: path.into() }
    }

    /// All of these together; alone, one is itself.
    pub(super) fn sum(mut terms: Vec<Self>) -> Self {
        if terms.len() == 1 { terms.swap_remove(0) } else { Self::Sum(terms) }
    }

    /// This times another.
    #[must_use]
    pub(super) fn times(self, other: Self) -> Self {
        Self::Times(Box::new(self), Box::new(other))
    }

    /// This divided by another.
    #[must_use]
    pub(super) fn over(self, other: Self) -> Self {
        Self::Over(Box::new(self), Box::new(other))
    }

    /// The files that it reads, each once.
    pub(super) fn files(&self) -> Vec<&'static str> {
        let mut files = vec![];
        self.add_files(&mut files);
        files
    }

    fn add_files(&self, files: &mut Vec<&'static str>) {
        match self {
            Self::Key { file, .. } if !files.contains(file) => files.push(file),
            Self::Key { .. } | Self::Number(_) => {}
            Self::Sum(terms) => terms.iter().for_each(|term| term.add_files(files)),
            Self::Times(one, two) | Self::Over(one, two) => {
                one.add_files(files);
                two.add_files(files);
            }
        }
    }

    /// What it is, given what the keys are.
    #[cfg(test)]
    pub(super) fn evaluate(&self, value: &impl Fn(&str, &str) -> Option<f64>) -> Option<f64> {
        Some(match self {
            Self::Key { file, path } => value(file, path)?,
            Self::Number(number) => *number,
            Self::Sum(terms) => {
                terms.iter().map(|term| term.evaluate(value)).sum::<Option<f64>>()?
            }
            Self::Times(one, two) => one.evaluate(value)? * two.evaluate(value)?,
            Self::Over(one, two) => one.evaluate(value)? / two.evaluate(value)?,
        })
    }

    fn formula(&self, f: &mut fmt::Formatter<'_>, one_file: bool, inner: bool) -> fmt::Result {
        let brackets = inner && !matches!(self, Self::Key { .. } | Self::Number(_));
        if brackets {
            f.write_str("(")?;
        }
        match self {
            Self::Key { path, .. } if one_file => f.write_str(path)?,
            Self::Key { file, path } => write!(f, "{file}: {path}")?,
            Self::Number(number) => f.write_str(&digits_of(*number))?,
            Self::Sum(terms) => {
                for (index, term) in terms.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { " + " })?;
                    term.formula(f, one_file, true)?;
                }
            }
            Self::Times(one, two) | Self::Over(one, two) => {
                // `a ÷ b × c` is read from the left, as it is meant.
                let chained = matches!(**one, Self::Times(..) | Self::Over(..));
                one.formula(f, one_file, !chained)?;
                f.write_str(if matches!(self, Self::Times(..)) { " × " } else { " ÷ " })?;
                two.formula(f, one_file, true)?;
            }
        }
        f.write_str(if brackets { ")" } else { "" })
    }
}

fn digits_of(number: f64) -> String {
    if number.fract() == 0.0 { digits(number) } else { number.to_string() }
}

impl fmt::Display for Trace {
    /// One file is named once, before its keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.files();
        if let [file] = files[..] {
            write!(f, "{file}: ")?;
        }
        self.formula(f, files.len() == 1, false)
    }
}

#[cfg(test)]
mod tests {
    use super::Trace;

    #[test]
    fn a_formula_names_files_and_keys() {
        let key = |path: &str| Trace::key("a.json", path);
        let sum = Trace::sum(vec![key("x"), key("y")]);
        let trace = sum.clone().over(key("n")).times(Trace::Number(1000.0));
        assert_eq!(trace.to_string(), "a.json: (x + y) ÷ n × 1,000");
        let other = Trace::key("b.json", "s").over(sum.times(Trace::Number(3600.0)));
        assert_eq!(other.to_string(), "b.json: s ÷ ((a.json: x + a.json: y) × 3,600)");
        assert_eq!(other.files(), ["b.json", "a.json"]);
        let value = |_: &str, path: &str| match path {
            "x" => Some(1.0),
            "y" => Some(2.0),
            "n" => Some(6.0),
            _ => None,
        };
        assert_eq!(trace.evaluate(&value), Some(500.0));
        assert_eq!(other.evaluate(&value), None);
        assert_eq!(Trace::sum(vec![key("x")]), key("x"));
    }
}
