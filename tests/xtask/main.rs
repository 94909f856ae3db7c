//! Tests of `cargo xtask` as a contributor runs it. Those that need an engine are ignored with the
//! reason, and run with `-- --include-ignored`.

mod built_images;
mod docs;
#[path = "../it/machine.rs"]
#[allow(dead_code, reason = "most of it serves the tests of `aienergyscore`")]
mod machine;
#[path = "../it/guides/markdown.rs"]
#[allow(dead_code, reason = "most of it serves the tests of `aienergyscore`")]
mod markdown;
#[path = "../it/workspace.rs"]
mod workspace;
