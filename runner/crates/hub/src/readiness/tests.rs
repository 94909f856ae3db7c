//! Caches on a disk, and what is said of them before a load.

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

/// A cache with a model that loads, which `change` then changes.
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

fn said(fixture: &Fixture, readiness: &Readiness) -> String {
    let text = match readiness {
        Readiness::Ready(warnings) => format!("ready {warnings:?}"),
        Readiness::NotReady(why) => why.clone(),
    };
    text.replace(fixture.path().to_str().unwrap(), "HUB").replace(COMMIT, "COMMIT")
}

fn looked(wanted: ModelRequest<'_>, change: impl Fn(&Fixture)) -> String {
    let fixture = cache(change);
    said(&fixture, &model(&fixture.path(), wanted))
}

/// Puts a link in the place of a snapshot's file.
fn relink(fixture: &Fixture, name: &str, text: impl AsRef<Path>) {
    let place = format!("{REPO}/snapshots/{COMMIT}/{name}");
    let _ = fs::remove_file(fixture.at(&place));
    fixture.link(place, text);
}

#[test]
fn a_cached_model_is_ready_or_it_is_said_what_it_lacks() {
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
    insta::assert_snapshot!(
        [
            looked(STACK, |_| ()),
            looked(ModelRequest { id: "org/other", ..STACK }, |_| ()),
            looked(ModelRequest { id: "Org/M", ..STACK }, |_| ()),
            looked(ModelRequest { keywords: &tag, ..STACK }, |_| ()),
            looked(ModelRequest { keywords: &commit, ..STACK }, |_| ()),
            looked(ModelRequest { keywords: &pr, ..STACK }, |fixture| {
                fixture.write(format!("{REPO}/refs/refs/pr/1"), COMMIT);
            }),
            looked(STACK, |fixture| fixture.write(format!("{REPO}/refs/main"), "0000")),
            looked(STACK, |fixture| fixture
                .write(format!("{REPO}/refs/main"), format!("{COMMIT}\n"))),
            looked(STACK, |fixture| {
                fixture.write(format!("{REPO}/.no_exist/{COMMIT}/model.safetensors"), "");
            }),
            looked(STACK, |fixture| relink(fixture, "README.md", "../../blobs/00")),
            looked(STACK, |fixture| relink(fixture, "model.safetensors", "../../blobs/00")),
            looked(STACK, |fixture| relink(fixture, "tokenizer.json", "config.json")),
            looked(STACK, |fixture| {
                fixture.write("other", "{}");
                relink(fixture, "tokenizer.json", fixture.at("other"));
            }),
            looked(host, |fixture| {
                fixture.write("other", "{}");
                relink(fixture, "tokenizer.json", fixture.at("other"));
            }),
            looked(STACK, |fixture| {
                fs::remove_file(fixture.at(snapshot("config.json"))).unwrap();
                fixture.write(snapshot("config.json"), "../../blobs/0123");
            }),
            looked(STACK, |fixture| fs::remove_dir_all(fixture.at("blobs")).unwrap()),
            looked(STACK, outside(REPO)),
            looked(STACK, outside("models--org--m/blobs")),
            looked(host, outside(REPO)),
            looked(NATIVE, |_| ()),
        ]
        .join("\n")
    );
}

#[test]
fn native_reads_main_and_takes_blanks_off() {
    let text = String::from_utf8(gguf("llama")).unwrap();
    let fixture = Fixture::empty();
    fixture.model("org/m", &[("MODEL.GGUF", &text, Kept::Large)], false);
    fixture.write(format!("{REPO}/refs/main"), format!("{COMMIT}\n"));
    fixture.write(format!("{REPO}/.no_exist/{COMMIT}/MODEL.GGUF"), "");
    assert_eq!(said(&fixture, &model(&fixture.path(), NATIVE)), "ready []");
    let file = ModelRequest { file: Some("model.gguf"), ..NATIVE };
    insta::assert_snapshot!(said(&fixture, &model(&fixture.path(), file)));
}

#[test]
fn a_cached_dataset_is_its_files_or_what_was_made_of_them() {
    let fixture = Fixture::empty();
    let snapshot = format!("datasets--org--d/snapshots/{COMMIT}");
    fixture.write("datasets--org--d/refs/main", COMMIT);
    fixture.write(format!("{snapshot}/README.md"), "");
    let (hub, made) = (fixture.path(), fixture.at("made"));
    let looked = |id, backend| said(&fixture, &dataset(&hub, &made, id, backend, true));
    let none = looked("org/d", Backend::Optimum);
    let letters = looked("org/D", Backend::Optimum);
    fs::create_dir_all(made.join("org___d")).unwrap();
    let made_of_it = [Backend::Optimum, Backend::Native].map(|backend| looked("org/d", backend));
    fixture.write(format!("{snapshot}/p.csv"), "text\nhello\n");
    let whole = looked("org/d", Backend::Native);
    insta::assert_snapshot!([&[none, letters][..], &made_of_it, &[whole]].concat().join("\n"));
}

#[test]
fn a_list_says_which_backends_load_a_revision() {
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
