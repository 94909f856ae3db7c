//! Datasets in files and in the Hub cache. `tests/it/datasets.rs` compares them with the Python
//! stacks.

mod properties;

use std::{fs, os::unix::fs::symlink, path::Path};

use contract::{Backend, argument};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::load_dataset;
use crate::arguments;

/// The prompts of the dataset `name` with further arguments.
fn texts(name: &str, cache: &Path, args: &[&str]) -> Result<Vec<String>, String> {
    let dataset = format!("{}={name}", argument::DATASET);
    let args = [&["backend.model=m", "scenario.num_samples=100", &*dataset], args].concat();
    let args: Vec<_> = args.into_iter().map(str::to_owned).collect();
    let settings = arguments::parse(&args, Backend::Native).unwrap();
    let name = settings.text(argument::DATASET).unwrap();
    let prompts = load_dataset(&settings, name, cache).map_err(|error| format!("{error:#}"))?;
    Ok(prompts.texts)
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// The prompts of one file.
fn file(name: &str, text: &str, args: &[&str]) -> Result<Vec<String>, String> {
    let folder = folder(&[(name, text)]);
    let path = folder.path().join(name);
    texts(path.to_str().unwrap(), folder.path(), args)
}

#[test]
fn csv_may_have_quotes_and_blank_lines_and_missing_cells() {
    let tricky = "\u{feff}id,text\r\n1,\"a \"\"b\"\",\r\nc\"\r\n\r\n2,\n3,\"  \"\n  \n4, é ,\n5\n6,NA\n7,007";
    let error = file("p.csv", tricky, &[]).unwrap_err();
    assert!(error.contains("has 3 cells, and the first one names 2 columns"), "{error}");
    let tricky = tricky.replace(" é ,", " é ");
    assert_eq!(file("p.csv", &tricky, &[]).unwrap(), ["a \"b\",\r\nc", " é ", "NA", "007"]);
    assert_eq!(file("P.CSV", "text\n\"\"\nb", &[]).unwrap(), ["b"]);
    for (text, why) in [
        ("", "it is empty"),
        ("text\n\"a\nb\n", "a quote in its last row has no end"),
        ("text\n\"a", "a quote in its last row has no end"),
        ("words,more\na,b\n", "it has no column `text`; it has `words`, `more`"),
        ("text\n", "has no prompt in its column `text`, split `train`"),
        ("text\n\u{1c}\u{a0}\n", "has no prompt"),
    ] {
        let error = file("p.csv", text, &[]).unwrap_err();
        assert!(error.contains(why), "{text:?}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p.csv"), b"text\n\xff\n").unwrap();
    let error =
        texts(folder.path().join("p.csv").to_str().unwrap(), folder.path(), &[]).unwrap_err();
    assert!(error.contains("it is not UTF-8"), "{error}");
}

#[test]
fn json_is_objects_per_line_or_a_list() {
    let lines =
        "{\"text\": \"a\\nb\"}\n\n{\"other\": 1}\r\n{\"text\": null}\n{\"text\": \"\\u00e9\"}";
    assert_eq!(file("p.jsonl", lines, &[]).unwrap(), ["a\nb", "é"]);
    assert_eq!(file("p.json", "[{\"text\": \"a\"}, {\"text\": \"b\"}]", &[]).unwrap(), ["a", "b"]);
    assert_eq!(file("p.json", " [\"a\", \"b\"]", &[]).unwrap(), ["a", "b"]);
    for (text, why) in [
        ("{\"a\": 1, \"b\": 2}", "it has no column `text`; it has `a`, `b`"),
        ("{\"text\": {\"a\": 1}}", "its column `text` holds more, such as {\"a\":1}, not texts"),
        ("{\"text\": 7}", "such as 7, not texts"),
        ("{\"text\": \"a\"}\n{no\n", "it is not JSON"),
        ("[1]", "it holds 1, and a row is an object"),
    ] {
        let error = file("p.jsonl", text, &[]).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn file_has_any_split_and_no_configuration() {
    let csv = "text,words\na,x\nb,y\nc,z\n";
    assert_eq!(file("p.csv", csv, &["scenario.dataset_split=any"]).unwrap(), ["a", "b", "c"]);
    assert_eq!(file("p.csv", csv, &["scenario.text_column_name=words"]).unwrap(), ["x", "y", "z"]);
    let error = file("p.csv", csv, &["scenario.dataset_config=x"]).unwrap_err();
    assert!(error.contains("has no configurations; leave it out"), "{error}");
    for split in ["train[1:]", "train+test", "train["] {
        let asked = format!("scenario.dataset_split={split}");
        let error = file("p.csv", csv, &[&*asked]).unwrap_err();
        let said = format!("`{asked}`: the `native` backend reads one whole split");
        assert!(error.contains(&said), "{error}");
    }
    let error = file("p.txt", csv, &[]).unwrap_err();
    assert!(error.contains("a file must end in .csv, .json, .jsonl, .parquet"), "{error}");
}

#[test]
fn folder_is_refused() {
    let folder = folder(&[("train.csv", "text\na")]);
    let error = texts(folder.path().to_str().unwrap(), folder.path(), &[]).unwrap_err();
    assert!(error.contains("a folder, and the `native` backend reads a file"), "{error}");
}

const COMMIT: &str = "0000000000000000000000000000000000000000";

/// A Hub cache with the dataset `org/d` of these files, each a symlink to its blob.
fn hub(files: &[(&str, &str)]) -> TempDir {
    let hub = tempfile::tempdir().unwrap();
    let repo = hub.path().join("datasets--org--d");
    for folder in ["blobs", "refs"] {
        fs::create_dir_all(repo.join(folder)).unwrap();
    }
    fs::write(repo.join("refs/main"), COMMIT).unwrap();
    for (number, (name, text)) in files.iter().enumerate() {
        let link = repo.join("snapshots").join(COMMIT).join(name);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        fs::write(repo.join(format!("blobs/{number:040}")), text).unwrap();
        let up = "../".repeat(1 + name.split('/').count());
        symlink(format!("{up}blobs/{number:040}"), link).unwrap();
    }
    hub
}

#[test]
fn cached_dataset_with_one_split_is_read() {
    let card = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: \
                data/*.csv\n---\n";
    let hub = hub(&[("README.md", card), ("data/p.csv", "text\na")]);
    let read = |args: &[&str]| texts("org/d", hub.path(), args);
    assert_eq!(read(&[]).unwrap(), ["a"]);
    assert_eq!(read(&["scenario.dataset_config=default"]).unwrap(), ["a"]);
    let error = read(&["scenario.dataset_config=x"]).unwrap_err();
    assert!(error.contains("no such configuration; it has `default`"), "{error}");
    let error = read(&["scenario.dataset_split=test"]).unwrap_err();
    assert!(error.contains("it has no split `test`; it has `train`"), "{error}");
    for absent in ["org/absent", "single"] {
        let error = texts(absent, hub.path(), &[]).unwrap_err();
        let remedy = format!("`hf download --repo-type dataset {absent}`");
        assert!(error.contains(&remedy), "{error}");
    }
    for path in ["./absent", "absent.csv", "/absent/x"] {
        let error = texts(path, hub.path(), &[]).unwrap_err();
        assert!(error.contains("no such file or folder"), "{error}");
    }
}

#[test]
fn file_names_give_the_split_without_a_card() {
    let read = |files: &[(&str, &str)], args: &[&str]| texts("org/d", hub(files).path(), args);
    let second = ("data/own-00001-of-00002.csv", "text\nb");
    let shards = [("data/own-00000-of-00002.csv", "text\na"), second, ("about/config.json", "{}")];
    assert_eq!(read(&shards, &["scenario.dataset_split=own"]).unwrap(), ["a", "b"]);
    let error = read(&[second], &["scenario.dataset_split=own"]).unwrap_err();
    assert!(error.contains("is one of 2 files, and 1 of them are here"), "{error}");
    let error = read(&[("test.csv", "text\na")], &[]).unwrap_err();
    assert!(
        error.contains("it has `test`: ask for it with `scenario.dataset_split=test`"),
        "{error}"
    );
    let error = read(&[("test.csv", ""), ("train.csv", "")], &[]).unwrap_err();
    assert!(error.contains("(`test.csv`, `train.csv`), and the `native` backend"), "{error}");
    let error = read(&[("a.csv.gz", "")], &[]).unwrap_err();
    assert!(error.contains("`a.csv.gz` is compressed; unpack it"), "{error}");
    let error = read(&[("README.md", "")], &[]).unwrap_err();
    assert!(error.contains("has no file that ends in .csv, .json, .jsonl, .parquet"), "{error}");
}

#[test]
fn symlink_to_something_other_than_a_blob_is_refused() {
    let hub = hub(&[("p.csv", "text\na")]);
    let repo = hub.path().join("datasets--org--d");
    let secret = hub.path().join("secret.csv");
    fs::write(&secret, "text\ns").unwrap();
    let link = repo.join("snapshots").join(COMMIT).join("p.csv");
    let blob = fs::read_link(&link).unwrap();
    fs::remove_file(&link).unwrap();
    symlink(&secret, &link).unwrap();
    let error = texts("org/d", hub.path(), &[]).unwrap_err();
    assert!(error.contains("which is not followed"), "{error}");
    fs::remove_file(&link).unwrap();
    symlink(blob, &link).unwrap();
    assert_eq!(texts("org/d", hub.path(), &[]).unwrap(), ["a"]);
    fs::remove_dir_all(repo.join("blobs")).unwrap();
    fs::create_dir(repo.join("blobs")).unwrap();
    let error = texts("org/d", hub.path(), &[]).unwrap_err();
    assert!(error.contains("the download was not finished"), "{error}");
}

#[test]
fn invalid_parquet_file_is_an_error() {
    let error = file("p.parquet", "no parquet", &[]).unwrap_err();
    assert!(error.contains("it is no whole parquet file"), "{error}");
}

/// The prompts of a parquet file that pyarrow wrote with the column `text` and one row, `one`.
fn parquet(bytes: &[u8]) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.parquet");
    fs::write(&path, bytes).unwrap();
    texts(path.to_str().unwrap(), folder.path(), &[])
}

#[test]
fn parquet_may_use_gzip_and_unsupported_codecs_are_named() {
    assert_eq!(parquet(include_bytes!("tests/gzip.parquet")).unwrap(), ["one"]);
    let error = parquet(include_bytes!("tests/brotli.parquet")).unwrap_err();
    assert!(error.contains("compressed with BROTLI"), "{error}");
    assert!(error.contains("write the file with zstd, snappy or gzip"), "{error}");
}

#[test]
fn json_without_rows_is_an_error() {
    for (name, text) in [("p.jsonl", ""), ("p.jsonl", "\n\n"), ("p.json", "[]")] {
        let error = file(name, text, &[]).unwrap_err();
        assert!(error.ends_with("it has no rows"), "{text:?}: {error}");
    }
}

#[test]
fn fifo_is_refused_and_the_users_symlink_is_followed() {
    let folder = folder(&[("p.csv", "text\na")]);
    let at = |name: &str| folder.path().join(name);
    let read = |path: &Path| texts(path.to_str().unwrap(), folder.path(), &[]);
    symlink("p.csv", at("q.csv")).unwrap();
    assert_eq!(read(&at("q.csv")).unwrap(), ["a"]);
    mknodat(CWD, at("pipe.csv"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let error = read(&at("pipe.csv")).unwrap_err();
    assert!(error.contains("a FIFO"), "{error}");
}
