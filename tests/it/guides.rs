//! Commands, links and file names of the guides work.

mod markdown;
mod prose;
mod real;
mod symptoms;
mod world;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use aienergyscore::cli::{self, Cli, split_args::split_args};
use clap::{Parser as _, error::ErrorKind};
use engine::{Client, Engine, Limits, LocalImage, Location, Mode, Nvidia};
use host::machine::{Host, isolation::Isolation};
use plan::{
    options::Settings,
    render::command_line,
    run_plan::{Identity, RunPlan},
};
use walkdir::WalkDir;

use self::{
    markdown::{ShellBlock, anchors, code, links, shell_blocks},
    world::World,
};
use crate::{results::Leaves, workspace::workspace};

/// Parts of folder names: nothing special, and what breaks `-v`, CSV and unquoted variables.
const INFIXES: [&str; 2] = ["", " of Ada, x:y"];

#[test]
fn every_command_of_every_guide_works() {
    let mut tried = 0;
    for (page, path) in guides() {
        for block in shell_blocks(&page) {
            for infix in INFIXES {
                let place = format!("{}:{} in folders `{infix}`", path.display(), block.line);
                let world = world_of(&block, infix);
                let output = world.run("sh", &["-euc", &world.own(&block.text)]);
                assert!(output.status.success(), "{place}: {output:?}");
                for call in world.asked("cargo") {
                    assert!(is_cargo_command(&call), "{place}: there is no `cargo {call}`");
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 20, "the guides have lost their commands");
}

#[test]
fn a_run_by_hand_is_the_programs_own() {
    let guides = guides();
    let blocks: Vec<_> = guides.iter().flat_map(|(page, _)| shell_blocks(page)).collect();
    let named = |name: &str| blocks.iter().find(|block| block.snippet.as_deref() == Some(name));
    let mut compared = 0;
    for by_hand in &blocks {
        let Some(name) = by_hand.snippet.as_deref().and_then(|name| name.strip_prefix("docker-"))
        else {
            continue;
        };
        let typed = named(&format!("run-{name}")).expect("a run by hand has its `run-…`");
        for infix in INFIXES {
            let world = world_of(by_hand, infix);
            world.run("sh", &["-euc", &world.own(&by_hand.text)]);
            let calls = world.docker.calls();
            assert_eq!(calls.len(), 1, "{name}: {calls:?}");

            let typed = world.own(&typed.text);
            let plan = plan(&world, &typed);
            let argv = |plan: &RunPlan| command_line(&docker(), plan).argv().split_off(1);
            assert_eq!(calls[0], argv(&plan.clone().for_guide()), "{name}: by hand");

            let shown = shown_by_the_program(&world, &typed);
            let id = shown.plan["run_id"].as_str().unwrap();
            let shown = shown.argv.iter().map(|word| word.replace(id, &plan.run_id));
            assert_eq!(
                shown.skip(1).collect::<Vec<_>>(),
                argv(&plan.without_mount_list()),
                "{name}: the program"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, INFIXES.len(), "the guides show one whole run by hand");
}

#[test]
fn familiar_recipe_mounts_what_the_program_mounts() {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let blocks = shell_blocks(&readme);
    let named = |name: &str| blocks.iter().find(|block| block.snippet.as_deref() == Some(name));
    let (recipe, typed) = (named("familiar-native").unwrap(), named("run-native").unwrap());
    let world = world_of(recipe, "");
    let output = world.run("sh", &["-euc", &world.own(&recipe.text)]);
    assert!(output.status.success(), "{output:?}");

    let plan = plan(&world, &typed.text);
    let Identity { uid, gid, groups: _ } = plan.identity.value;
    let volumes = plan
        .mounts
        .iter()
        .flat_map(|mount| ["-v".to_owned(), format!("{}:{}", mount.source.as_str(), mount.target)]);
    let image = plan.image.unwrap().value.reference;
    let mut asked = ["run", "--rm", "--user"].map(str::to_owned).to_vec();
    asked.push(format!("{uid}:{gid}"));
    asked.extend(volumes);
    asked.extend(["-e".to_owned(), format!("HOME={}", contract::path::HOME), image]);
    asked.extend(plan.args);
    assert_eq!(world.docker.calls(), [asked]);
}

#[test]
fn readme_fits_in_200_lines_and_begins_with_the_two_commands() {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let lines: Vec<_> = readme.lines().collect();
    assert!(lines.len() <= 200, "{} lines", lines.len());
    for command in ["cargo xtask smoke", "cargo test --workspace"] {
        assert!(lines[..40].iter().any(|line| line.starts_with(command)), "{command}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = vec![];
    for (page, path) in pages() {
        for (line, target) in links(&page) {
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            if file.contains("://") {
                continue;
            }
            let file = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            let leads = file.exists()
                && (anchor.is_empty()
                    || anchors(&fs::read_to_string(&file).unwrap()).iter().any(|a| a == anchor));
            if !leads {
                broken.push(format!("{}:{line}: {target}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn files_and_commands_that_the_text_names_exist() {
    let mut missing = vec![];
    let (mut files, mut commands) = (0, 0);
    for (page, path) in guides() {
        for (line, text) in code(&page) {
            let is_there = if is_file_of_ours(&text) {
                files += 1;
                workspace().join(&text).exists()
            } else if let Some(call) = text.strip_prefix("cargo ") {
                commands += 1;
                is_cargo_command(call)
            } else if text.starts_with("aienergyscore ") {
                commands += 1;
                is_command_of_ours(&text)
            } else {
                true
            };
            if !is_there {
                missing.push(format!("{}:{line}: {text}", path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(files > 20 && commands > 20, "the text has lost its files or commands");
}

#[test]
fn the_compiler_that_is_asked_for_is_the_one_that_is_needed() {
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \""));
    let version = version.expect("a version").trim_end_matches('"');
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    assert!(readme.contains(&format!("[Rust](https://rustup.rs) {version} or newer")), "{version}");
}

/// The guides whose commands a reader may type: text and path.
fn guides() -> Vec<(String, PathBuf)> {
    let is_guide = |path: &Path| {
        path.parent() == Some(&workspace().join("ai_helpers"))
            || ["README.md", "CONTRIBUTING.md"].iter().any(|name| path == workspace().join(name))
    };
    pages().into_iter().filter(|(_, path)| is_guide(path)).collect()
}

/// Every Markdown file of the workspace.
fn pages() -> Vec<(String, PathBuf)> {
    let walk = WalkDir::new(workspace()).sort_by_file_name().into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0 || !(name.starts_with('.') || name == "target" || name == "results")
    });
    walk.map(|entry| entry.expect("the workspace can be read").into_path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .map(|path| (fs::read_to_string(&path).expect("a page"), path))
        .collect()
}

/// A world in which the reader has what the block presumes.
fn world_of(block: &ShellBlock, infix: &str) -> World {
    let world = World::new(infix);
    if block.text.contains(contract::path::TOKEN) {
        world.log_in();
    }
    let needs_results =
        ["$PWD/results", "reclaim results"].iter().any(|text| block.text.contains(text));
    if block.text.contains("aienergyscore report") {
        Leaves::score().write(&world.cwd.join("runs/1"));
        Leaves::score().write(&world.cwd.join("results"));
    } else if needs_results && !block.text.contains("mkdir ") {
        fs::create_dir(world.cwd.join("results")).unwrap();
    }
    world
}

/// Whether `cargo CALL` is a command that works in this workspace.
fn is_cargo_command(call: &str) -> bool {
    let words: Vec<_> = call.split(' ').collect();
    let [name, args @ ..] = words.as_slice() else { return false };
    let value = |flag| args.iter().skip_while(|word| **word != flag).nth(1);
    let package = value("--path").or_else(|| value("--package"));
    ["build", "clippy", "deny", "fmt", "install", "test", "uninstall", "xtask"].contains(name)
        && package.is_none_or(|package| workspace().join(package).join("Cargo.toml").is_file())
}

/// Whether `text` names a file of this workspace, or a folder.
fn is_file_of_ours(text: &str) -> bool {
    let begins = [".ci/", "ai_helpers/", "docker/", "runner/", "tests/", "xtask/"];
    begins.iter().any(|begin| text.starts_with(begin)) && !text.contains([' ', '*'])
}

/// Whether the program knows the command line `text`, or what a table calls a command: one that
/// wants more words.
fn is_command_of_ours(text: &str) -> bool {
    // A table escapes the pipe to another program.
    let words = text.split(' ').take_while(|word| *word != "\\|").map(str::to_owned).collect();
    let words = split_args(&cli::command(), words);
    words.is_ok_and(|words| match Cli::try_parse_from(words) {
        Ok(_) => true,
        Err(error) => matches!(
            error.kind(),
            ErrorKind::MissingRequiredArgument
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        ),
    })
}

/// The line `aienergyscore run …` planned by the library, on the reader's machine.
fn plan(world: &World, line: &str) -> RunPlan {
    let mut words = shlex::split(&line.replace("\\\n", "")).expect("a shell line");
    let program = words.iter().position(|word| word == "aienergyscore").expect("our program");
    let set: Vec<_> = words.drain(..program).collect();
    let set = set.iter().filter_map(|word| word.split_once('='));
    let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let words = split_args(&cli::command(), words).unwrap();
    let cli::Command::Run(args) = Cli::try_parse_from(words).unwrap().command else {
        panic!("`{line}` is no run");
    };
    let host = Host {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        groups: vec![],
        home: Some(world.home.clone()),
        homes: BTreeMap::new(),
        umask: None,
        cwd: world.cwd.clone(),
        env: world.env().into_iter().chain(set).collect(),
        nvidia_gpus: 0,
        amd_driver: false,
        isolation: Isolation::default(),
        selinux: false,
        entrypoint: None,
        address: None,
        now: SystemTime::UNIX_EPOCH,
        pid: 1,
    };
    let options = Settings::new(args.request, &host).unwrap().resolve(&host).unwrap();
    RunPlan::new(&options, &host, &docker()).unwrap()
}

/// The fake engine, as the program finds it.
fn docker() -> Engine {
    Engine {
        program: "docker".to_owned(),
        client: Client::Docker,
        mode: Mode::DockerRootful,
        version: String::new(),
        runtime: String::new(),
        nvidia: Nvidia::No,
        limits: Limits::ALL,
        architecture: String::new(),
        image: Some(LocalImage::default()),
        location: Location::ThisMachine,
    }
}

/// The output of `--dry-run --json`.
struct Shown {
    argv: Vec<String>,
    plan: serde_json::Value,
}

fn shown_by_the_program(world: &World, line: &str) -> Shown {
    let line = format!("{line} --dry-run --json");
    let output = world.run("sh", &["-euc", &line]);
    assert!(output.status.success(), "{line}: {output:?}");
    let mut shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let argv = serde_json::from_value(shown["argv"].take()).unwrap();
    Shown { argv, plan: shown["plan"].take() }
}
