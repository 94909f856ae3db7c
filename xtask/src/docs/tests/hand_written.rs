//! Hand-written tables are complete.

use std::fs;

use contract::output;

use crate::{docs::tables::variables::VARIABLES, workspace};

fn read(name: &str) -> String {
    fs::read_to_string(workspace::root().join(name)).unwrap()
}

#[test]
fn script_lists_every_variable_of_the_host() {
    let script = read("ai_helpers/run_docker.sh");
    for (name, meaning, default) in VARIABLES {
        let line = script.lines().find(|line| line.starts_with(&format!("#   {name} ")));
        let line = line.unwrap_or_else(|| panic!("{name} is missing"));
        let default = default.replace('`', "");
        assert!(line.contains(&meaning.replace('`', "")) && line.ends_with(&default), "{line}");
    }
}

#[test]
fn readme_lists_every_file_of_a_run() {
    let readme = read("README.md");
    for name in output::OF_EVERY_RUN {
        assert!(readme.contains(&format!("\n| `{name}` |")), "{name} is missing");
    }
}

#[test]
fn guide_lists_every_variable_of_the_images() {
    let guide = read("ai_helpers/IMAGES.md");
    let dockerfile = read("docker/Dockerfile").replace("\\\n", " ");
    let lines = dockerfile.lines().filter_map(|line| line.strip_prefix("ENV "));
    for pair in lines.flat_map(str::split_whitespace) {
        let (name, value) = pair.split_once('=').unwrap();
        assert!(guide.contains(&format!("\n| `{name}` | `{value}` |")), "{pair} is missing");
    }
}
