//! The variables that an image sets, read from the Dockerfile.

use std::{collections::BTreeMap, fs};

use anyhow::Context as _;
use contract::Flavour;

use super::{content::Content, tables::code};
use crate::workspace;

/// Every variable with its value, and the images that set it.
///
/// # Errors
/// When the Dockerfile cannot be read, or lacks a flavour.
pub(super) fn table() -> anyhow::Result<Content> {
    let file = workspace::root().join("docker/Dockerfile");
    let text =
        fs::read_to_string(&file).with_context(|| format!("reading `{}`", file.display()))?;
    let stages = stages(&text);
    let mut rows: Vec<(String, String, Vec<String>)> = vec![];
    for flavour in Flavour::ALL.into_iter().rev() {
        let variables = stages.get(flavour.name());
        let variables = variables.with_context(|| format!("no stage `{flavour}`"))?;
        for (name, value) in variables {
            let known = rows.iter_mut().find(|row| row.0 == *name && row.1 == *value);
            match known {
                Some((.., images)) => images.push(code(flavour.name())),
                None => rows.push((name.clone(), value.clone(), vec![code(flavour.name())])),
            }
        }
    }
    let rows = rows
        .into_iter()
        .map(|(name, value, images)| vec![code(&name), code(&value), images.join(", ")]);
    Ok(Content::Table { head: vec!["Variable", "Value", "Images"], rows: rows.collect() })
}

/// The variables of every stage, those of the stage that it stands on first.
fn stages(dockerfile: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let lines = dockerfile.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
    let joined = lines.join("\n").replace("\\\n", " ");
    let mut stages: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut current = String::new();
    for line in joined.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            ["FROM", base, "AS", name] => {
                current = (*name).to_owned();
                let inherited = stages.get(*base).cloned().unwrap_or_default();
                stages.insert(current.clone(), inherited);
            }
            ["ENV", pairs @ ..] => {
                let pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
                let owned = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
                stages.entry(current.clone()).or_default().extend(owned);
            }
            _ => {}
        }
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::stages;

    #[test]
    fn a_stage_has_what_it_stands_on() {
        let text = "\
FROM scratch AS a
ENV X=1 \\
    Y=two
# ENV Z=0
FROM ${BASE} AS b
ENV P=/bin:${P:-/sbin}
FROM b AS c
ENV Q=3
";
        let stages = stages(text);
        let of = |name: &str| {
            let pairs = stages[name].iter().map(|(name, value)| format!("{name}={value}"));
            pairs.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("a"), "X=1 Y=two");
        assert_eq!(of("b"), "P=/bin:${P:-/sbin}");
        assert_eq!(of("c"), "P=/bin:${P:-/sbin} Q=3");
    }
}
