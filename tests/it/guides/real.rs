//! The guides' commands in order, with real Docker and as an unprivileged user.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use rustix::process::getuid;

use super::{
    guides,
    markdown::shell_blocks,
    world::{RECORDED, executable, recorder},
};
use crate::{
    ada::Ada,
    harness::{program, smoke, workspace},
};

/// What a block names that cannot be had here: large and gated models, a server, a registry.
const NOT_HERE: [&str; 5] =
    ["gpt-oss", "gemma", "VLLM_ENDPOINT", "registry.example", "aienergyscore fetch"];

/// The models of the guides, as repos of a Hub cache, and the smoke test's that stand for them.
const REPOS: [(&str, &str); 2] = [
    ("models--HuggingFaceTB--SmolLM2-360M-Instruct-GGUF", smoke::GGUF),
    ("models--HuggingFaceTB--SmolLM2-135M-Instruct", smoke::WEIGHTS),
];

#[test]
#[ignore = "needs Docker, the images smoke and cpu, and `cargo xtask smoke --flavour cpu` once before"]
fn a_reader_who_types_every_command_gets_what_the_guides_say() {
    let mut typed = BTreeSet::new();
    for (page, path) in guides() {
        let reader = Reader::new();
        for block in shell_blocks(&page) {
            let cannot = NOT_HERE.iter().any(|name| block.text.contains(name));
            // A run that two pages show is the same run.
            if cannot || !typed.insert(block.text.clone()) {
                continue;
            }
            let output = reader.types(&block.text);
            let place = format!("{}:{}", path.display(), block.line);
            assert!(output.status.success(), "{place}: {}", said(&output));
            let foreign = reader.foreign();
            assert_eq!(
                foreign,
                [""; 0].map(PathBuf::from),
                "{place} left what is not the reader's"
            );
        }
    }
    assert!(typed.len() > 20, "the guides have lost their commands");
}

/// Somebody with a clone, a cache, a model and prompts.
struct Reader {
    ada: Ada,
    root: PathBuf,
}

impl Reader {
    fn new() -> Self {
        let ada = Ada::with(&[smoke::GGUF, smoke::WEIGHTS]);
        let home = ada.home();
        let root = home.parent().expect("a home has a parent").to_owned();
        let (cache, cwd) = (home.join(".cache/huggingface"), home.join("bench"));
        fs::create_dir_all(&cache).unwrap();
        fs::create_dir_all(home.join("weights/hub")).unwrap();
        fs::create_dir_all(root.join("srv/huggingface")).unwrap();
        fs::create_dir_all(cwd.join("results")).unwrap();
        fs::rename(home.join("hf/hub"), cache.join("hub")).unwrap();
        fs::remove_dir(home.join("hf")).unwrap();
        for (name, stands_for) in REPOS {
            fs::rename(cache.join("hub").join(stands_for), cache.join("hub").join(name)).unwrap();
        }
        copy(&cache.join("hub").join(REPOS[0].0), &home.join("weights/hub"));
        // The shared cache is root-owned and readable.
        copy(&cache.join("hub"), &root.join("srv/huggingface"));
        fs::copy(workspace().join("xtask/src/smoke/prompts.csv"), cwd.join("prompts.csv")).unwrap();
        follow(&smoke::snapshot(REPOS[1].1), &cwd.join("my-model"));
        let gguf = fs::read_dir(smoke::snapshot(REPOS[0].1)).unwrap();
        let gguf = gguf.flatten().find(|file| file.path().extension() == Some("gguf".as_ref()));
        fs::copy(gguf.expect("a model").path(), cwd.join("smollm2.gguf")).unwrap();
        symlink(workspace().join("ai_helpers"), cwd.join("ai_helpers")).unwrap();
        let own = cwd.join("target/entrypoint").join(contract::ENTRYPOINT);
        fs::create_dir_all(own.parent().unwrap()).unwrap();
        fs::copy(smoke::entrypoint(), own).unwrap();
        ada.own(&home);
        // Where `run_docker.sh` looks for a build.
        fs::create_dir_all(root.join("target/debug")).unwrap();
        fs::copy(program(), root.join("target/debug/aienergyscore")).unwrap();
        fs::create_dir(root.join("bin")).unwrap();
        for name in RECORDED {
            executable(&root.join("bin").join(name), &recorder(Path::new("/dev/null")));
        }
        for entry in walkdir::WalkDir::new(root.join("srv")).into_iter().flatten() {
            let open = if entry.file_type().is_dir() { 0o755 } else { 0o644 };
            if !entry.file_type().is_symlink() {
                fs::set_permissions(entry.path(), fs::Permissions::from_mode(open)).unwrap();
            }
        }
        Self { ada, root }
    }

    /// Types a block of a guide.
    fn types(&self, block: &str) -> Output {
        let block = block.replace("/srv/", &format!("{}/srv/", self.root.display()));
        let mut command = if getuid().is_root() {
            let group = fs::metadata("/var/run/docker.sock").expect("a Docker socket").gid();
            let uid = self.ada.uid;
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={uid}"), format!("--regid={uid}")]);
            command.arg(format!("--groups={group}")).args(["--", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        let root = self.root.display();
        let path = std::env::var("PATH").expect("a PATH");
        command.args(["-euc", &block]).env_clear();
        command.env("PATH", format!("{root}/bin:{root}:{path}"));
        command.env("HOME", self.ada.home()).env("CARGO_TARGET_DIR", self.root.join("target"));
        command.current_dir(self.ada.home().join("bench")).stdin(Stdio::null());
        command.output().expect("a shell can be started")
    }

    /// What lies in the reader's home and is somebody else's.
    fn foreign(&self) -> Vec<PathBuf> {
        let entries = walkdir::WalkDir::new(self.ada.home()).into_iter().flatten();
        let foreign = entries.filter(|entry| {
            entry.depth() > 0 && entry.metadata().is_ok_and(|data| data.uid() != self.ada.uid)
        });
        foreign.map(walkdir::DirEntry::into_path).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

fn follow(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-rL").args([from, to]).status().unwrap().success());
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}
