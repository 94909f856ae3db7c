//! Datasets in files, folders and the Hub cache. That the Python stacks take the same prompts of the
//! same files is compared in `tests/it/datasets.rs`.

use std::{fs, os::unix::fs::symlink, path::Path};

use contract::{Backend, argument};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::load;
use crate::{arguments, native};

/// What is read of the dataset `name` by these further arguments.
fn texts(name: &str, cache: &Path, args: &[&str]) -> Result<Vec<String>, String> {
    let dataset = format!("{}={name}", argument::DATASET);
    let args = [&["backend.model=m", "scenario.num_samples=100", &*dataset], args].concat();
    let args: Vec<_> = args.into_iter().map(str::to_owned).collect();
    let settings = arguments::parse(&args, Backend::Native, native::configuration).unwrap();
    let name = settings.text(argument::DATASET).unwrap();
    let prompts = load(&settings, name, cache).map_err(|error| format!("{error:#}"))?;
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

/// What is read of one file.
fn file(name: &str, text: &str, args: &[&str]) -> Result<Vec<String>, String> {
    let folder = folder(&[(name, text)]);
    let path = folder.path().join(name);
    texts(path.to_str().unwrap(), folder.path(), args)
}

#[test]
fn csv_is_read_with_its_quotes_lines_and_gaps() {
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
fn json_is_lines_or_a_list() {
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
fn of_a_file_a_slice_is_taken_and_no_configuration() {
    let csv = "text,words\na,x\nb,y\nc,z\n";
    assert_eq!(file("p.csv", csv, &["scenario.dataset_split=train[1:]"]).unwrap(), ["b", "c"]);
    assert_eq!(file("p.csv", csv, &["scenario.dataset_split=any"]).unwrap(), ["a", "b", "c"]);
    assert_eq!(file("p.csv", csv, &["scenario.text_column_name=words"]).unwrap(), ["x", "y", "z"]);
    let error = file("p.csv", csv, &["scenario.dataset_config=x"]).unwrap_err();
    assert!(error.contains("has no configurations; leave it out"), "{error}");
    let error = file("p.csv", csv, &["scenario.dataset_split=train["]).unwrap_err();
    assert!(error.contains("`scenario.dataset_split=train[` is no split"), "{error}");
    let error = file("p.txt", csv, &[]).unwrap_err();
    assert!(error.contains("a file must end in .csv, .json, .jsonl, .parquet"), "{error}");
}

#[test]
fn the_names_of_a_folders_files_tell_its_splits() {
    let read = |files: &[(&str, &str)], args: &[&str]| {
        let folder = folder(files);
        texts(folder.path().to_str().unwrap(), folder.path(), args)
    };
    let both = [("b.csv", "text\nb"), ("a.csv", "text\na"), (".hidden.csv", "text\nno")];
    assert_eq!(read(&both, &[]).unwrap(), ["a", "b"], "sorted, and all of it");
    let named = [("train.csv", "text\na"), ("my-test.csv", "text\nb"), ("x.csv", "text\nc")];
    assert_eq!(read(&named, &[]).unwrap(), ["a"]);
    assert_eq!(read(&named, &["scenario.dataset_split=test+train"]).unwrap(), ["b", "a"]);
    let error = read(&named, &["scenario.dataset_split=dev"]).unwrap_err();
    assert!(error.contains("it has no split `dev`; it has `train`, `test`"), "{error}");
    let folders = [("dev/1.jsonl", "{\"text\": \"v\"}"), ("training/1.jsonl", "{\"text\": \"t\"}")];
    assert_eq!(read(&folders, &["scenario.dataset_split=validation"]).unwrap(), ["v"]);
    assert_eq!(read(&folders, &[]).unwrap(), ["t"]);
    let shards = [
        ("data/own-00001-of-00002.csv", "text\nb"),
        ("data/own-00000-of-00002.csv", "text\na"),
        ("data/train-00000-of-00001-ab12.csv", "text\nt"),
    ];
    assert_eq!(read(&shards, &["scenario.dataset_split=own"]).unwrap(), ["a", "b"]);
    assert_eq!(read(&shards, &[]).unwrap(), ["t"]);
    let error = read(&shards[..1], &["scenario.dataset_split=own"]).unwrap_err();
    assert!(error.contains("is one of 2 files, and 1 of them are here"), "{error}");
    let error = read(&[("a.csv", "text\na"), ("b.jsonl", "{}")], &[]).unwrap_err();
    assert!(error.contains("files of several kinds"), "{error}");
    assert_eq!(read(&[("a.csv", "text\na"), ("about.json", "{}")], &[]).unwrap(), ["a"]);
    let error = read(&[("a.csv.gz", "")], &[]).unwrap_err();
    assert!(error.contains("a.csv.gz` is compressed; unpack it"), "{error}");
    let error = read(&[("README.md", "")], &[]).unwrap_err();
    assert!(error.contains("has no file that ends in .csv"), "{error}");
}

#[test]
fn a_dataset_of_the_hub_is_found_in_the_cache() {
    let card = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: \
                data/*.csv\n---\n";
    let commit = "0".repeat(40);
    let files = [("README.md", card), ("data/p.csv", "text\na"), ("other.csv", "text\nb")];
    let blobs = folder(&files);
    let digest = |number: usize| format!("{number:040}");
    let hub = tempfile::tempdir().unwrap();
    let repo = hub.path().join("datasets--org--d");
    fs::create_dir_all(repo.join("blobs")).unwrap();
    for (number, (name, _)) in files.iter().enumerate() {
        let link = repo.join("snapshots").join(&commit).join(name);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        fs::copy(blobs.path().join(name), repo.join("blobs").join(digest(number))).unwrap();
        let up = "../".repeat(1 + name.split('/').count());
        symlink(format!("{up}blobs/{}", digest(number)), link).unwrap();
    }
    fs::create_dir_all(repo.join("refs")).unwrap();
    fs::write(repo.join("refs/main"), &commit).unwrap();
    assert_eq!(texts("org/d", hub.path(), &[]).unwrap(), ["a"]);
    assert_eq!(texts("org/d", hub.path(), &["scenario.dataset_config=default"]).unwrap(), ["a"]);
    let error = texts("org/d", hub.path(), &["scenario.dataset_config=x"]).unwrap_err();
    assert!(error.contains("it has no configuration `x`; it has `default`"), "{error}");
    let snapshot = repo.join("snapshots").join(&commit);
    assert_eq!(texts(snapshot.to_str().unwrap(), hub.path(), &[]).unwrap(), ["a"], "by its path");
    let other = snapshot.join("data/q.csv");
    symlink(blobs.path().join("data/p.csv"), &other).unwrap();
    for name in ["org/d", snapshot.to_str().unwrap()] {
        let error = texts(name, hub.path(), &[]).unwrap_err();
        assert!(error.contains("which is not followed"), "{error}");
    }
    fs::remove_file(other).unwrap();
    fs::remove_file(repo.join("blobs").join(digest(1))).unwrap();
    let error = texts("org/d", hub.path(), &[]).unwrap_err();
    assert!(error.contains("the download was not finished"), "{error}");
    let error = texts("org/absent", hub.path(), &[]).unwrap_err();
    assert!(error.contains("`hf download --repo-type dataset org/absent`"), "{error}");
    for path in ["./absent", "absent.csv", "/absent/x"] {
        let error = texts(path, hub.path(), &[]).unwrap_err();
        assert!(error.contains("no such file or folder"), "{error}");
    }
}

#[test]
fn what_is_no_parquet_file_is_told() {
    let error = file("p.parquet", "no parquet", &[]).unwrap_err();
    assert!(error.contains("it is no whole parquet file"), "{error}");
}

/// What is read of a parquet file that pyarrow wrote: the column `text` with one row, `one`.
fn parquet(bytes: &[u8]) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.parquet");
    fs::write(&path, bytes).unwrap();
    texts(path.to_str().unwrap(), folder.path(), &[])
}

#[test]
fn a_parquet_file_may_be_compressed_with_gzip_and_another_codec_is_named() {
    assert_eq!(parquet(include_bytes!("tests/gzip.parquet")).unwrap(), ["one"]);
    let error = parquet(include_bytes!("tests/brotli.parquet")).unwrap_err();
    assert!(error.contains("compressed with BROTLI"), "{error}");
    assert!(error.contains("write the file with zstd, snappy or gzip"), "{error}");
}

#[test]
fn a_json_file_without_rows_is_told() {
    for (name, text) in [("p.jsonl", ""), ("p.jsonl", "\n\n"), ("p.json", "[]")] {
        let error = file(name, text, &[]).unwrap_err();
        assert!(error.ends_with("it has no rows"), "{text:?}: {error}");
    }
}

#[test]
fn a_fifo_is_no_dataset_and_a_symlink_of_the_users_is_followed() {
    let folder = folder(&[("p.csv", "text\na")]);
    let at = |name: &str| folder.path().join(name);
    let read = |path: &Path| texts(path.to_str().unwrap(), folder.path(), &[]);
    fs::create_dir(at("linked")).unwrap();
    symlink("../p.csv", at("linked/train.csv")).unwrap();
    symlink("p.csv", at("q.csv")).unwrap();
    assert_eq!(read(&at("linked")).unwrap(), ["a"]);
    assert_eq!(read(&at("q.csv")).unwrap(), ["a"]);
    symlink(".", at("linked/loop")).unwrap();
    assert!(read(&at("linked")).unwrap_err().contains("folders deep"));
    for name in ["pipe.csv", "piped/train.csv"] {
        fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        mknodat(CWD, at(name), FileType::Fifo, Mode::RWXU, 0).unwrap();
    }
    for name in ["pipe.csv", "piped"] {
        let error = read(&at(name)).unwrap_err();
        assert!(error.contains("a FIFO"), "{error}");
    }
}
