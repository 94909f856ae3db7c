//! A sandbox in which every command of a guide can be run.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::{
    fake_runs::GOOD,
    harness::{FakeDocker, program, workspace},
};

/// Programs that a guide may name and a test must not run: they only record what they are asked.
pub(super) const RECORDED: [&str; 5] = ["cargo", "hf", "pipx", "sudo", "vllm"];

/// A container that fetches a model: it leaves what a run needs of it in the cache.
const FETCH: &str = r#"
case " $* " in *" fetch --config-name "*)
  revision=main
  for word in "$@"; do
    case $word in
    backend.model=*) model=${word#*=} ;;
    backend.model_kwargs.revision=*) revision=${word#*=} ;;
    type=bind,\"source=*\",target=/home/user/.cache/huggingface) home=${word#*source=}; home=${home%\",target=*} ;;
    esac
  done
  repo=$home/hub/models--$(printf %s "${model%%:*}" | sed 's,/,--,')
  commit=0123456789012345678901234567890123456789
  mkdir -p "$repo/refs" "$repo/snapshots/$commit"
  printf %s $commit >"$repo/refs/$revision"
  for file in config.json tokenizer.json model.safetensors "${model##*:}"; do
    case $file in
    */*) continue ;;
    *.json) text='{}' ;;
    *.safetensors) text='\002\000\000\000\000\000\000\000{}' ;;
    *) text='GGUF\011\000\000\000' ;;
    esac
    printf "$text" >"$repo/snapshots/$commit/$file"
  done
  exit 0 ;;
esac
"#;

/// Answers the probe of `verify` by leaving the file that it asks for in every writable mount;
/// what else is run leaves good results.
const PROBE_OR_RUN: &str = r#"
  # Another word of the entrypoint, or a program of an image: there are no results to leave.
  [ -n "${RESULTS-}" ] || exit 0
  leave=
  for word in "$@"; do
    [ "$leave" = next ] && leave=$word
    [ "$word" = --leave ] && leave=next
  done
  if [ -n "$leave" ]; then
    for word in "$@"; do
      case $word in
      type=bind,*,readonly) ;;
      type=bind,\"source=*) word=${word#*source=} && touch "${word%%\",target=*}/$leave" ;;
      esac
    done
    echo '{"native":true,"uid":0,"gid":0,"home":{"path":"/home/user","writable":true},"mounts":[]}'
    exit 0
  fi
"#;

/// The program of the host engine, whose probe gets the folders themselves.
const ENTRYPOINT: &str = r#"#!/bin/sh
shift 2
leave=$1
shift
for folder; do touch "$folder/$leave"; done
echo '{"native":true,"uid":0,"gid":0,"home":{"path":"/home","writable":true},"mounts":[]}'
"#;

/// A reader's home, working directory, programs and engine.
#[derive(Debug)]
pub(crate) struct World {
    root: tempfile::TempDir,
    pub(crate) home: PathBuf,
    pub(crate) cwd: PathBuf,
    pub(crate) docker: FakeDocker,
}

impl World {
    /// A world whose folders have names that contain `infix`.
    pub(crate) fn new(infix: &str) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        let energy = r#"echo 'not measured: nobody looked' >"$RESULTS/GPU_ENERGY_WH.txt""#;
        let docker = FakeDocker::with_run(&format!("{FETCH}\n{PROBE_OR_RUN}\n{GOOD}\n{energy}"));
        let folder = |name: String| {
            let path = root.path().join(name);
            fs::create_dir(&path).expect("a folder");
            path
        };
        let (home, cwd) = (folder(format!("home{infix}")), folder(format!("cwd{infix}")));
        let bin = folder("bin".to_owned());
        folder("run".to_owned());
        for name in RECORDED {
            executable(&bin.join(name), &recorder(&root.path().join(name)));
        }
        // A reader is in a clone of the repository, after a first smoke test.
        symlink(workspace().join("ai_helpers"), cwd.join("ai_helpers")).expect("a link");
        executable(&cwd.join("target/entrypoint").join(contract::ENTRYPOINT), ENTRYPOINT);
        // A model and prompts of the reader's own, a cache, and a place that all share.
        fs::create_dir_all(cwd.join("my-model")).expect("a folder");
        let tensor = r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
        let weights = [&(tensor.len() as u64).to_le_bytes()[..], tensor.as_bytes(), &[0]].concat();
        let config = br#"{"model_type": "llama"}"#;
        for (name, bytes) in [
            ("config.json", &config[..]),
            ("tokenizer.json", b"{}"),
            ("model.safetensors", &weights),
        ] {
            fs::write(cwd.join("my-model").join(name), bytes).expect("a file of the model");
        }
        fs::write(cwd.join("smollm2.gguf"), b"GGUF\x09\0\0\0").expect("a model in a file");
        fs::write(cwd.join("prompts.csv"), "text\nHello\n").expect("prompts");
        folder("srv".to_owned());
        let caches = [home.join(".cache/huggingface"), home.join("weights")];
        for place in caches.into_iter().chain([root.path().join("srv/huggingface")]) {
            model(&place.join("hub"));
        }
        Self { root, home, cwd, docker }
    }

    /// Text of a guide, with the places that all readers of one machine share.
    pub(crate) fn own(&self, text: &str) -> String {
        let shared = self.root.path().join("srv");
        text.replace("/srv/", &format!("{}/", shared.display()))
    }

    /// Gives the reader a token.
    pub(crate) fn log_in(&self) {
        let token = self.home.join(".cache/huggingface/token");
        fs::write(token, "hf_secret").expect("the token");
    }

    /// The reader's environment.
    pub(crate) fn env(&self) -> BTreeMap<String, String> {
        let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        let program = program();
        let programs = program.parent().expect("a program lies in a folder");
        let target = programs.parent().expect("a profile's folder lies in the build folder");
        let bin = self.root.path().join("bin");
        let path = [text(&bin), text(programs), self.docker.path()].join(":");
        [
            ("HOME", text(&self.home)),
            ("PATH", path),
            ("XDG_RUNTIME_DIR", text(&self.root.path().join("run"))),
            ("CARGO_TARGET_DIR", text(target)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Runs a program there.
    pub(crate) fn run(&self, program: &str, args: &[&str]) -> Output {
        Command::new(program)
            .args(args)
            .env_clear()
            .envs(self.env())
            .current_dir(&self.cwd)
            .output()
            .unwrap_or_else(|error| panic!("starting `{program}`: {error}"))
    }

    /// What a recorded program was asked, one call a line.
    pub(crate) fn asked(&self, program: &str) -> Vec<String> {
        let calls = fs::read_to_string(self.root.path().join(program)).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }
}

/// The guides' model for the `native` backend, as `hf download` leaves it.
fn model(hub: &Path) {
    let repo = hub.join("models--HuggingFaceTB--SmolLM2-360M-Instruct-GGUF");
    let commit = "0123456789abcdef0123456789abcdef01234567";
    // Of a version that the runner does not know, and git's id of that.
    let weights = b"GGUF\x09\0\0\0";
    let blob = "90cc5cff1a069b29173d495dc64bd96654077725";
    let snapshot = repo.join("snapshots").join(commit);
    for folder in [&repo.join("refs"), &repo.join("blobs"), &snapshot] {
        fs::create_dir_all(folder).expect("a folder of the model");
    }
    fs::write(repo.join("refs/main"), commit).expect("the model's branch");
    fs::write(repo.join("blobs").join(blob), weights).expect("the model's weights");
    symlink(Path::new("../../blobs").join(blob), snapshot.join("model.gguf")).expect("a link");
}

/// A program that notes what it is asked.
pub(super) fn recorder(calls: &Path) -> String {
    format!("#!/bin/sh\nprintf '%s\\n' \"$*\" >>'{}'\n", calls.display())
}

pub(super) fn executable(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().expect("a program lies in a folder")).expect("its folder");
    fs::write(path, script).expect("a program");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
}
