//! Caches on a disk and whether they are ready.

use std::{fs, path::Path};

use contract::Backend;

use super::{ModelRequest, Readiness, dataset, model};
use crate::{
    CacheUsage,
    loading::{
        Keywords,
        testing::{gguf, safetensors},
    },
    testing::{COMMIT, Fixture, Kept},
};

const REPO: &str = "models--org--m";
const STACK: ModelRequest<'_> = ModelRequest {
    id: "org/m",
    file: None,
    backend: Backend::Optimum,
    keywords: &Keywords {
        revision: None,
        variant: None,
        subfolder: None,
        use_safetensors: None,
        trust: false,
        gguf: None,
    },
    contained: true,
};
const NATIVE: ModelRequest<'_> = ModelRequest { backend: Backend::Native, ..STACK };

/// A cache with a model that loads, changed by `change`.
fn cache(change: impl Fn(&Fixture)) -> Fixture {
    let fixture = Fixture::empty();
    add_model(&fixture, "org/m");
    change(&fixture);
    fixture
}

fn add_model(fixture: &Fixture, id: &str) {
    let weights = String::from_utf8(safetensors("", 9)).unwrap();
    let files = [
        ("config.json", r#"{"model_type": "llama"}"#, Kept::Git),
        ("tokenizer.json", "{}", Kept::Git),
        ("model.safetensors", &weights, Kept::Shared),
    ];
    fixture.model(id, &files, false);
}

fn outcome(fixture: &Fixture, readiness: &Readiness) -> String {
    let text = match readiness {
        Readiness::Ready(warnings) => format!("ready {warnings:?}"),
        Readiness::NotReady(why) => why.clone(),
    };
    text.replace(fixture.path().to_str().unwrap(), "HUB").replace(COMMIT, "COMMIT")
}

fn check_model(wanted: ModelRequest<'_>, change: impl Fn(&Fixture)) -> String {
    let fixture = cache(change);
    outcome(&fixture, &model(&fixture.path(), wanted))
}

/// Replaces a snapshot's file by a symlink.
fn relink(fixture: &Fixture, name: &str, text: impl AsRef<Path>) {
    let place = format!("{REPO}/snapshots/{COMMIT}/{name}");
    let _ = fs::remove_file(fixture.at(&place));
    fixture.link(place, text);
}

#[test]
fn cached_model_is_ready_or_the_fault_is_named() {
    let revision =
        |revision: &str| Keywords { revision: Some(revision.into()), ..Keywords::default() };
    let (tag, commit, pr) = (revision("v2"), revision(COMMIT), revision("refs/pr/1"));
    let snapshot = |name: &str| format!("{REPO}/snapshots/{COMMIT}/{name}");
    let outside = |name: &'static str| {
        move |fixture: &Fixture| {
            let disk = fixture.path().with_extension("disk");
            fs::rename(fixture.at(name), &disk).unwrap();
            fixture.link(name, &disk);
        }
    };
    let host = ModelRequest { contained: false, ..STACK };
    let outcomes = [
        check_model(STACK, |_| ()),
        check_model(ModelRequest { id: "org/other", ..STACK }, |_| ()),
        check_model(ModelRequest { id: "Org/M", ..STACK }, |_| ()),
        check_model(ModelRequest { keywords: &tag, ..STACK }, |_| ()),
        check_model(ModelRequest { keywords: &commit, ..STACK }, |_| ()),
        check_model(ModelRequest { keywords: &pr, ..STACK }, |fixture| {
            fixture.write(format!("{REPO}/refs/refs/pr/1"), COMMIT);
        }),
        check_model(STACK, |fixture| fixture.write(format!("{REPO}/refs/main"), "0000")),
        check_model(STACK, |fixture| {
            fixture.write(format!("{REPO}/refs/main"), format!("{COMMIT}\n"))
        }),
        check_model(STACK, |fixture| {
            fixture.write(format!("{REPO}/.no_exist/{COMMIT}/model.safetensors"), "");
        }),
        check_model(STACK, |fixture| relink(fixture, "README.md", "../../blobs/00")),
        check_model(STACK, |fixture| relink(fixture, "model.safetensors", "../../blobs/00")),
        check_model(STACK, |fixture| relink(fixture, "tokenizer.json", "config.json")),
        check_model(STACK, |fixture| {
            fixture.write("other", "{}");
            relink(fixture, "tokenizer.json", fixture.at("other"));
        }),
        check_model(host, |fixture| {
            fixture.write("other", "{}");
            relink(fixture, "tokenizer.json", fixture.at("other"));
        }),
        check_model(STACK, |fixture| {
            fs::remove_file(fixture.at(snapshot("config.json"))).unwrap();
            fixture.write(snapshot("config.json"), "../../blobs/0123");
        }),
        check_model(STACK, |fixture| fs::remove_dir_all(fixture.at("blobs")).unwrap()),
        check_model(STACK, outside(REPO)),
        check_model(STACK, outside("models--org--m/blobs")),
        check_model(host, outside(REPO)),
        check_model(NATIVE, |_| ()),
    ];
    insta::assert_snapshot!(outcomes.join("\n"));
}

#[test]
fn native_backend_reads_main_and_trims_the_commit() {
    let text = String::from_utf8(gguf("llama")).unwrap();
    let fixture = Fixture::empty();
    fixture.model("org/m", &[("MODEL.GGUF", &text, Kept::Large)], false);
    fixture.write(format!("{REPO}/refs/main"), format!("{COMMIT}\n"));
    fixture.write(format!("{REPO}/.no_exist/{COMMIT}/MODEL.GGUF"), "");
    assert_eq!(outcome(&fixture, &model(&fixture.path(), NATIVE)), "ready []");
    let file = ModelRequest { file: Some("model.gguf"), ..NATIVE };
    insta::assert_snapshot!(outcome(&fixture, &model(&fixture.path(), file)));
}

#[test]
fn processed_dataset_stands_in_for_missing_files() {
    let fixture = Fixture::empty();
    let snapshot = format!("datasets--org--d/snapshots/{COMMIT}");
    fixture.write("datasets--org--d/refs/main", COMMIT);
    fixture.write(format!("{snapshot}/README.md"), "");
    let (hub, processed) = (fixture.path(), fixture.at("processed"));
    let check = |id, backend| outcome(&fixture, &dataset(&hub, &processed, id, backend, true));
    let none = check("org/d", Backend::Optimum);
    let other_case = check("org/D", Backend::Optimum);
    fs::create_dir_all(processed.join("org___d")).unwrap();
    let both = [Backend::Optimum, Backend::Native].map(|backend| check("org/d", backend));
    fixture.write(format!("{snapshot}/p.csv"), "text\nhello\n");
    let whole = check("org/d", Backend::Native);
    insta::assert_snapshot!([&[none, other_case][..], &both, &[whole]].concat().join("\n"));
}

#[test]
fn list_names_the_backends_that_load_a_revision() {
    let fixture = Fixture::empty();
    add_model(&fixture, "org/a");
    let text = String::from_utf8(gguf("llama")).unwrap();
    let two = [("a.gguf", &*text, Kept::Large), ("b.gguf", "", Kept::Git)];
    fixture.model("org/b", &two, true);
    fixture.model("org/c", &[("config.json", "{}", Kept::Git)], true);
    let own = r#"{"model_type": "x", "auto_map": {"AutoConfig": "a.B"}}"#;
    add_model(&fixture, "org/d");
    let d = format!("models--org--d/snapshots/{COMMIT}/config.json");
    fs::remove_file(fixture.at(&d)).unwrap();
    fixture.write(d, own);
    fixture.write("datasets--org--e/refs/main", COMMIT);
    fixture.write(format!("datasets--org--e/snapshots/{COMMIT}/p.csv"), "text\nhello\n");
    let usage = CacheUsage::of(&fixture.path()).unwrap();
    let line = |repo: &crate::RepoUsage| {
        let revision = &repo.revisions[0];
        let names: Vec<_> = revision.backends.iter().map(|backend| backend.name()).collect();
        format!("{}: {:?} {}", repo.name.id, revision.complete, names.join(" "))
    };
    let mut lines: Vec<_> = usage.repos.iter().map(line).collect();
    lines.sort();
    insta::assert_snapshot!(lines.join("\n"));
}
