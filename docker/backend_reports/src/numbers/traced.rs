//! Numbers with their source: the formula over the keys of the files.

use std::{
    fmt,
    ops::{Add, Div, Mul},
};

use serde::{Serialize, Serializer};

/// A number and the formula that gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Traced {
    /// The number.
    pub value: f64,
    /// Formula over values in the files.
    pub trace: Trace,
}

impl Traced {
    /// The value of a key.
    pub fn key(value: f64, file: &'static str, path: impl Into<String>) -> Self {
        Self { value, trace: Trace::Key { file, path: path.into() } }
    }

    /// Sum of `terms`.
    pub fn sum(terms: impl IntoIterator<Item = Self>) -> Option<Self> {
        terms.into_iter().reduce(Add::add)
    }
}

impl Add for Traced {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let mut terms = match self.trace {
            Trace::Sum(terms) => terms,
            one => vec![one],
        };
        terms.push(other.trace);
        Self { value: self.value + other.value, trace: Trace::Sum(terms) }
    }
}

impl Mul for Traced {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let trace = Trace::Times(Box::new(self.trace), Box::new(other.trace));
        Self { value: self.value * other.value, trace }
    }
}

impl Mul<f64> for Traced {
    type Output = Self;

    /// Multiplies by a constant.
    fn mul(self, factor: f64) -> Self {
        self * Self { value: factor, trace: Trace::Number(factor) }
    }
}

impl Div for Traced {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let trace = Trace::Over(Box::new(self.trace), Box::new(other.trace));
        Self { value: self.value / other.value, trace }
    }
}

impl Div<f64> for Traced {
    type Output = Self;

    /// Divides by a constant.
    fn div(self, divisor: f64) -> Self {
        self / Self { value: divisor, trace: Trace::Number(divisor) }
    }
}

/// A formula over values in files.
#[derive(Debug, Clone, PartialEq)]
pub enum Trace {
    /// The value of a key.
    Key {
        /// Name of the file in the results folder.
        file: &'static str,
        /// Keys and indices of the value, joined by dots.
        path: String,
    },
    /// A constant.
    Number(f64),
    /// A sum.
    Sum(Vec<Trace>),
    /// A product.
    Times(Box<Trace>, Box<Trace>),
    /// A quotient.
    Over(Box<Trace>, Box<Trace>),
}

impl Trace {
    /// Files of the formula, without duplicates.
    pub fn files(&self) -> Vec<&'static str> {
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

    fn formula(&self, f: &mut fmt::Formatter<'_>, one_file: bool, inner: bool) -> fmt::Result {
        let brackets = inner && !matches!(self, Self::Key { .. } | Self::Number(_));
        if brackets {
            f.write_str("(")?;
        }
        match self {
            Self::Key { path, .. } if one_file => f.write_str(path)?,
            Self::Key { file, path } => write!(f, "{file}: {path}")?,
            Self::Number(number) => f.write_str(&shown(*number))?,
            Self::Sum(terms) => {
                for (index, term) in terms.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { " + " })?;
                    term.formula(f, one_file, true)?;
                }
            }
            Self::Times(one, two) | Self::Over(one, two) => {
                // `a ÷ b × c` is evaluated from the left, so it needs no parentheses.
                let chained = matches!(**one, Self::Times(..) | Self::Over(..));
                one.formula(f, one_file, !chained)?;
                f.write_str(if matches!(self, Self::Times(..)) { " × " } else { " ÷ " })?;
                two.formula(f, one_file, true)?;
            }
        }
        f.write_str(if brackets { ")" } else { "" })
    }
}

/// Formats a constant below a million, with a thousands separator.
fn shown(number: f64) -> String {
    let whole = number as u64;
    match number.fract() == 0.0 && whole >= 1000 {
        true => format!("{},{:03}", whole / 1000, whole % 1000),
        false => number.to_string(),
    }
}

impl fmt::Display for Trace {
    /// A single file is named once, before its keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.files();
        if let [file] = files[..] {
            write!(f, "{file}: ")?;
        }
        self.formula(f, files.len() == 1, false)
    }
}

impl Serialize for Trace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Traced;

    #[test]
    fn formula_names_files_and_keys() {
        let key = |value, path: &str| Traced::key(value, "a.json", path);
        let sum = key(1.0, "x") + key(2.0, "y");
        let mean = sum.clone() / key(6.0, "n") * 1000.0;
        assert_eq!(mean.value, 500.0);
        assert_eq!(mean.trace.to_string(), "a.json: (x + y) ÷ n × 1,000");
        let other = Traced::key(5.0, "b.json", "s") / (sum * 3600.0);
        assert_eq!(other.trace.to_string(), "b.json: s ÷ ((a.json: x + a.json: y) × 3,600)");
        assert_eq!(other.trace.files(), ["b.json", "a.json"]);
        assert_eq!(Traced::sum([key(1.0, "x")]), Some(key(1.0, "x")));
        assert_eq!(Traced::sum([]), None);
    }
}
