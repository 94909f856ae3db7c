//! Data files of a dataset and their splits, by the rules of `datasets` 4.0 for file names.

/// Endings of data files.
pub const EXTENSIONS: [&str; 4] = ["csv", "json", "jsonl", "parquet"];

/// Files with metadata of a dataset.
const ABOUT: [&str; 4] =
    ["config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json"];

/// Splits, and the words in a path that stand for them.
const SPLITS: [(&str, &[&str]); 3] = [
    (TRAIN, &[TRAIN, "training"]),
    ("validation", &["validation", "valid", "dev", "val"]),
    ("test", &["test", "testing", "eval", "evaluation"]),
];

/// The split of files whose path has none of these words.
const TRAIN: &str = "train";

/// Whether the file at `path` in a dataset is a data file, compressed or not.
#[must_use]
pub fn is_data_file(path: &str) -> bool {
    let is_hidden = path.split('/').any(|part| part.starts_with('.') || part.starts_with("__"));
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut ends = name.split('.').skip(1).map(str::to_lowercase);
    !is_hidden && !ABOUT.contains(&name) && ends.any(|end| EXTENSIONS.contains(&end.as_str()))
}

/// Describes the first incomplete set of shards among `paths`.
#[must_use]
pub fn missing_shards(paths: &[String]) -> Option<String> {
    paths.iter().find_map(|path| {
        let (set, count) = shard(path)?;
        let here = paths.iter().filter(|other| other.starts_with(set)).count();
        (here < count)
            .then(|| format!("`{path}` is one of {count} files, and {here} of them are here"))
    })
}

/// The split of the files at `paths`: one file, or one set of shards.
///
/// # Errors
/// When the files are more than one split.
pub fn single_split(paths: &[String]) -> Result<&str, String> {
    let several = || {
        let paths: Vec<_> = paths.iter().map(|path| format!("`{path}`")).collect();
        format!(
            "it has more than one split or file ({}), and the `native` backend reads datasets of one; \
             give one of its files by its path",
            paths.join(", ")
        )
    };
    let Some(first) = paths.first() else { return Err(several()) };
    let set = shard(first).map_or(first.as_str(), |(set, _)| set);
    if paths.iter().any(|path| !path.starts_with(set) || path != first && shard(path).is_none()) {
        return Err(several());
    }
    // `push_to_hub` gives shards this name for a split of any name.
    if let (Some(name), true) = (set.strip_prefix("data/"), shard(first).is_some())
        && let Some(split) = name.strip_suffix('-').filter(|split| !split.contains('/'))
    {
        return Ok(split);
    }
    let is_apart = |c: char| "/-._ ".contains(c) || c.is_ascii_digit();
    let names = |words: &[&str]| first.split(is_apart).any(|part| words.contains(&part));
    let named: Vec<_> = SPLITS.iter().filter(|(_, words)| names(words)).collect();
    match named.as_slice() {
        [] => Ok(TRAIN),
        [(split, _)] => Ok(split),
        _ => Err(several()),
    }
}

/// The name of a shard before its number, and the size of its set: `data/train-` and 2 for
/// `data/train-00000-of-00002.parquet`.
fn shard(path: &str) -> Option<(&str, usize)> {
    let digits = |text: &&str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let (before, after) = path.rsplit_once("-of-")?;
    let count = after.get(..5).filter(digits)?.parse().ok()?;
    let number = before.rsplit('-').next().filter(digits)?;
    Some((before.strip_suffix(number)?, count))
}

#[cfg(test)]
mod tests {
    use super::{is_data_file, missing_shards, single_split};

    fn paths(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn hidden_files_and_metadata_are_no_data_files() {
        for path in ["p.csv", "a/P.JSON", "p.jsonl", "data/p.parquet", "p.csv.gz"] {
            assert!(is_data_file(path), "{path}");
        }
        for path in ["README.md", "csv", ".p.csv", "__a/p.csv", "a/dataset_info.json", "p.txt"] {
            assert!(!is_data_file(path), "{path}");
        }
    }

    #[test]
    fn missing_shard_is_counted() {
        let [first, second] =
            ["data/train-00000-of-00002.csv", "data/train-00001-of-00002-ab12.csv"];
        assert_eq!(missing_shards(&paths(&[first, second, "a-of-b.csv"])), None);
        let said = missing_shards(&paths(&["a.csv", first])).unwrap();
        assert_eq!(said, format!("`{first}` is one of 2 files, and 1 of them are here"));
    }

    #[test]
    fn one_file_or_one_set_of_shards_is_one_split() {
        for (files, split) in [
            (&["prompts.jsonl"][..], "train"),
            (&["data/train-00000-of-00001.parquet"], "train"),
            (&["data/own-00000-of-00002.csv", "data/own-00001-of-00002.csv"], "own"),
            (&["a/own-00000-of-00001.csv"], "train"),
            (&["my-test.csv"], "test"),
            (&["latest.csv"], "train"),
            (&["dev/x1.jsonl"], "validation"),
        ] {
            assert_eq!(single_split(&paths(files)).as_deref(), Ok(split));
        }
        for files in [
            &["test.csv", "train.csv"][..],
            &["dev/train.csv"],
            &["data/a-00000-of-00001.csv", "data/a-b.csv"],
            &["data/a-00000-of-00001.csv", "data/b-00000-of-00001.csv"],
            &[],
        ] {
            assert!(single_split(&paths(files)).unwrap_err().contains("more than one"));
        }
    }
}
