//! Which files of a folder hold which split, by the rules of `datasets`.

use std::{ffi::OsStr, io, path::Path};

use anyhow::{Context as _, bail, ensure};
use contract::argument::DATASET_CONFIG;

use super::{
    super::folder::Folder,
    card::{self, CARD, Place},
    pattern,
};

/// Words by which a file or folder tells its split, in the order that counts.
const WORDS: [(&str, &[&str]); 3] = [
    ("train", &["train", "training"]),
    ("validation", &["validation", "valid", "dev", "val"]),
    ("test", &["test", "testing", "eval", "evaluation"]),
];

/// What such a word is apart from others by.
const APART: &str = "[-._ 0-9]";

/// Shards of a split of any name.
const SHARD: &str = "-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9]*.*";

/// Files about a dataset, not of it.
const ABOUT: [&str; 4] =
    ["config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json"];

/// Bytes of the largest card that is read.
const LARGEST: u64 = 32 << 20;

/// What a file of rows is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Values with commas between.
    Csv,
    /// JSON, or an object per line.
    Json,
    /// Parquet.
    Parquet,
}

impl Kind {
    /// What their names end in.
    pub(super) const ENDINGS: [&str; 4] = [".csv", ".json", ".jsonl", ".parquet"];

    /// The kind of a file, by its name.
    pub(super) fn of(path: &Path) -> Option<Self> {
        Self::ending(&path.extension()?.to_str()?.to_lowercase())
    }

    fn ending(ending: &str) -> Option<Self> {
        match ending {
            "csv" => Some(Self::Csv),
            "json" | "jsonl" => Some(Self::Json),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The kind of all `files`; a JSON file beside others may be about the dataset.
    pub(super) fn of_all(files: &[String]) -> anyhow::Result<Self> {
        if let Some(file) = files.iter().find(|file| Self::of(Path::new(file)).is_none()) {
            bail!("`{file}` is compressed; unpack it");
        }
        let is_json =
            |file: &Path| file.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
        let mut others =
            files.iter().map(Path::new).filter(|file| !is_json(file)).filter_map(Self::of);
        let kind = others.next();
        ensure!(
            others.all(|other| Some(other) == kind),
            "it has files of several kinds, and only those of one would be read; give one of the \
             files, or a folder of one kind"
        );
        Ok(kind.unwrap_or(Self::Json))
    }
}

/// The splits of the dataset in `folder`, each with its files in order.
pub(super) fn splits(
    folder: &Folder,
    config: Option<&str>,
) -> anyhow::Result<Vec<(String, Vec<String>)>> {
    let names = folder.files(|name| !name.starts_with('.') && !name.starts_with("__"));
    let mut names =
        names.with_context(|| format!("reading the folder `{}`", folder.path.display()))?;
    names.retain(|name| has_rows(name.rsplit('/').next().unwrap_or(name)));
    let card = match folder.open(CARD).and_then(|card| untrusted::bytes(card, LARGEST)) {
        Ok(card) => String::from_utf8(card).with_context(|| format!("reading its `{CARD}`"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("reading its `{CARD}`")),
    };
    let place = card::place(&card, config)?;
    if let (None, Some(config)) = (&place, config)
        && config != "default"
    {
        bail!("`{DATASET_CONFIG}={config}`: it has no configurations; leave it out");
    }
    let splits = match place {
        Some(Place::Patterns(splits)) => {
            let files = |(split, patterns): (String, Vec<String>)| {
                let found: Vec<_> =
                    patterns.iter().flat_map(|pattern| matching(pattern, &names)).collect();
                let wanted = patterns.join("`, `");
                ensure!(
                    !found.is_empty(),
                    "its split `{split}` is in `{wanted}`, and there is no such file; download all of it"
                );
                Ok((split, found))
            };
            splits.into_iter().map(files).collect::<anyhow::Result<_>>()?
        }
        Some(Place::Folder(below)) if !below.is_empty() => {
            let begin = format!("{}/", below.trim_matches('/'));
            names.retain(|name| name.starts_with(&begin));
            by_names(&names, &begin)
        }
        Some(Place::Folder(_)) | None => by_names(&names, ""),
    };
    ensure!(
        splits.iter().any(|(_, files)| !files.is_empty()),
        "`{}` has no file that ends in {}",
        folder.path.display(),
        Kind::ENDINGS.join(", ")
    );
    for (split, files) in &splits {
        whole_set(files).with_context(|| format!("looking for its split `{split}`"))?;
    }
    let owned = |files: Vec<&str>| files.into_iter().map(str::to_owned).collect();
    Ok(splits.into_iter().map(|(split, files)| (split, owned(files))).collect())
}

/// Refuses shards of which others are missing: their names tell how many there are.
fn whole_set(files: &[&str]) -> anyhow::Result<()> {
    for file in files {
        let Some((before, after)) = file.rsplit_once("-of-") else { continue };
        let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        let (number, count) = (before.rsplit('-').next(), after.get(..5));
        let (Some(number), Some(count)) = (number.filter(|text| digits(text)), count) else {
            continue;
        };
        let Some(count) = count.parse::<usize>().ok().filter(|_| digits(count)) else { continue };
        let set = before.strip_suffix(number).unwrap_or(before);
        let here = files.iter().filter(|other| other.starts_with(set)).count();
        ensure!(
            here >= count,
            "`{file}` is one of {count} files, and {here} of them are here; download all of it"
        );
    }
    Ok(())
}

/// Whether a file of this name holds rows, be they compressed.
fn has_rows(name: &str) -> bool {
    let ends = name.split('.').skip(1).map(str::to_lowercase);
    !ABOUT.contains(&name) && ends.into_iter().any(|end| Kind::ending(&end).is_some())
}

fn matching<'a>(pattern: &str, names: &'a [String]) -> Vec<&'a str> {
    names.iter().map(String::as_str).filter(|name| pattern::matches(pattern, name)).collect()
}

/// The splits that the names of folders and files tell, in what is below `begin`.
fn by_names<'a>(names: &'a [String], begin: &str) -> Vec<(String, Vec<&'a str>)> {
    let shards = matching(&format!("{begin}data/*{SHARD}"), names);
    if !shards.is_empty() {
        let split = |shard: &str| {
            let name = Path::new(shard).file_name().and_then(OsStr::to_str).unwrap_or_default();
            // `train-00000-of-00001.parquet`
            let end = name
                .match_indices('-')
                .map(|(at, _)| at)
                .find(|at| pattern::matches(&format!("*{SHARD}"), &name[*at..]));
            name[..end.unwrap_or(name.len())].to_owned()
        };
        let mut splits: Vec<(String, Vec<&str>)> = Vec::new();
        for shard in shards {
            let name = split(shard);
            match splits.iter_mut().find(|(known, _)| *known == name) {
                Some((_, files)) => files.push(shard),
                None => splits.push((name, vec![shard])),
            }
        }
        return splits;
    }
    let told = |patterns: &[&str]| {
        let splits = WORDS.map(|(split, words)| {
            let of_word = |word: &&str| {
                let patterns = patterns.iter().map(|pattern| {
                    begin.to_owned() + &pattern.replace("{sep}", APART).replace("{word}", word)
                });
                patterns.flat_map(|pattern| matching(&pattern, names)).collect::<Vec<_>>()
            };
            (split.to_owned(), words.iter().flat_map(of_word).collect::<Vec<_>>())
        });
        let splits = splits.into_iter().filter(|(_, files)| !files.is_empty());
        splits.collect::<Vec<_>>()
    };
    for patterns in [
        &["**/{word}/**", "**/{word}{sep}*/**", "**/*{sep}{word}/**", "**/*{sep}{word}{sep}*/**"][..],
        &["**/{word}{sep}*", "**/*{sep}{word}{sep}*"],
    ] {
        let splits = told(patterns);
        if !splits.is_empty() {
            return splits;
        }
    }
    vec![("train".to_owned(), names.iter().map(String::as_str).collect())]
}
