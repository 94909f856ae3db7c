//! Tests of `cargo xtask` as contributors run it. Tests that need an engine are ignored. Run them with
//! `-- --include-ignored`.

mod built_images;
mod docs;
#[path = "../it/machine.rs"]
#[allow(dead_code, reason = "shared with the tests of `aienergyscore`")]
mod machine;
#[path = "../it/guides/markdown.rs"]
#[allow(dead_code, reason = "shared with the tests of `aienergyscore`")]
mod markdown;
#[path = "../it/workspace.rs"]
mod workspace;
