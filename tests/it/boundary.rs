//! Runs on folders in which an earlier container left symlinks and other traps.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::{
    fake_runs::GOOD,
    harness::{FakeDocker, Outcome, Sandbox, aienergyscore},
};

/// A machine whose engine pretends, and whose runs succeed.
struct Machine {
    docker: FakeDocker,
    sandbox: Sandbox,
}

impl Machine {
    fn new() -> Self {
        let docker = FakeDocker::with_run(GOOD);
        let sandbox = Sandbox::new(Some(&docker));
        Self { docker, sandbox }
    }

    fn run(&self, args: &[&str]) -> Outcome {
        aienergyscore(&self.sandbox, [&["run", "--flavour", "smoke"], args].concat())
    }

    /// The words of the last container.
    fn asked(&self) -> String {
        self.docker.calls_of("run").pop().expect("a container").join("\n")
    }

    /// A run that is refused before a container is asked for.
    fn refused(&self, args: &[&str]) -> String {
        let before = self.docker.calls_of("run").len();
        let Outcome { code, stderr, .. } = self.run(args);
        assert_ne!(code, Some(0), "{stderr}");
        assert_eq!(self.docker.calls_of("run").len(), before, "{stderr}");
        stderr
    }

    fn succeeds(&self, args: &[&str]) {
        let Outcome { code, stderr, .. } = self.run(args);
        assert_eq!(code, Some(0), "{stderr}");
    }

    fn huggingface(&self) -> PathBuf {
        self.sandbox.home().join(".cache/huggingface")
    }

    /// Makes a folder, which holds these files.
    fn folder(&self, name: &str, files: &[&str]) -> PathBuf {
        let folder = self.sandbox.folder(name);
        fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|file| fs::write(folder.join(file), "secret").unwrap());
        folder
    }

    /// Puts a symlink in the place of the Hub cache.
    fn link_hub(&self, target: &Path) {
        let hub = self.huggingface().join("hub");
        fs::create_dir_all(self.huggingface()).unwrap();
        match fs::symlink_metadata(&hub) {
            Ok(data) if data.is_dir() => fs::remove_dir_all(&hub).unwrap(),
            Ok(_) => fs::remove_file(&hub).unwrap(),
            Err(_) => {}
        }
        symlink(target, hub).unwrap();
    }
}

#[test]
fn hub_that_is_no_cache_is_not_mounted() {
    let machine = Machine::new();
    let ssh = machine.folder("home/.ssh", &["id_rsa"]);
    machine.link_hub(&ssh);
    for args in [&[][..], &["--dry-run"], &["--offline"]] {
        let refused = machine.refused(args);
        assert!(refused.contains("is not a Hub cache; if you made the symlink"), "{refused}");
    }
    let verify = aienergyscore(&machine.sandbox, ["verify", "--flavour", "smoke"]);
    assert_eq!(verify.code, Some(1), "{}", verify.stderr);
    assert!(verify.stdout.contains("is not a Hub cache"), "{}", verify.stdout);
    // It is not shown, either, and nobody looks into it.
    assert!(!(verify.stdout + &verify.stderr).contains("id_rsa"));
    for command in [&["ls"][..], &["verify"], &["repair", "--yes"]] {
        let Outcome { code, stdout, stderr } =
            aienergyscore(&machine.sandbox, [&["cache"], command].concat());
        assert_eq!(code, Some(2), "{command:?}: {stderr}");
        assert!(stderr.contains("is not a Hub cache") && !(stdout + &stderr).contains("id_rsa"));
    }
}

#[test]
fn hub_on_another_disk_works_from_the_first_run_on_and_in_scripts() {
    let machine = Machine::new();
    let disk = machine.folder("disk", &[]);
    machine.link_hub(&disk);
    for _ in 0..2 {
        machine.succeeds(&[]);
        let source = format!("source={}\",target=/hub_cache", disk.display());
        assert!(machine.asked().contains(&source), "{}", machine.asked());
        fs::create_dir_all(disk.join("models--a--b/blobs")).unwrap();
    }
}

#[test]
fn hub_that_becomes_a_symlink_is_refused_until_the_user_trusts_it() {
    let machine = Machine::new();
    machine.succeeds(&[]);
    let one = machine.folder("one", &[]);
    machine.link_hub(&one);
    assert!(machine.refused(&[]).contains("it was a folder before"));
    let trust = || aienergyscore(&machine.sandbox, ["cache", "trust"]);
    assert_eq!(trust().code, Some(0));
    machine.succeeds(&[]);
    machine.link_hub(&machine.folder("other", &[]));
    let refused = machine.refused(&[]);
    assert!(refused.contains("before") && refused.contains("`aienergyscore cache trust`"));
    let trusted = trust().stderr;
    assert!(trusted.starts_with("trusted: `") && trusted.contains("other`"), "{trusted}");
    machine.succeeds(&[]);
    machine.link_hub(Path::new("nowhere"));
    let nothing = trust();
    assert_eq!(nothing.code, Some(1), "nothing is there to trust");
    assert!(nothing.stderr.contains("is not a folder"), "{}", nothing.stderr);
    let refused = machine.refused(&[]);
    assert!(refused.contains("before; make that folder, or"), "{refused}");
    // What the user names is the user's own choice.
    let mut machine = Machine::new();
    machine.succeeds(&[]);
    let named = machine.folder("named", &["anything"]);
    symlink(&named, machine.sandbox.folder("link")).unwrap();
    machine.sandbox.set("HF_HUB_CACHE", machine.sandbox.folder("link"));
    machine.succeeds(&[]);
}

/// The output of all commands that use the cache; each must refuse it.
fn refusals(machine: &Machine) -> Vec<String> {
    let others = [&["verify", "--flavour", "smoke"][..], &["cache", "ls"], &["cache", "verify"]];
    let others = others.map(|words| {
        let Outcome { code, stdout, stderr } = aienergyscore(&machine.sandbox, words);
        assert!(code == Some(1) || code == Some(2), "{words:?}: {stdout}{stderr}");
        stdout + &stderr
    });
    [machine.refused(&[])].into_iter().chain(others).collect()
}

#[test]
fn cache_behind_a_symlink_of_a_container_and_up_again_is_refused() {
    let mut machine = Machine::new();
    machine.succeeds(&[]);
    machine.folder("home/project/deep", &[]);
    machine.folder("home/project/hf/hub", &[]);
    symlink("../../home/project/deep", machine.sandbox.folder("cwd/results/a")).unwrap();
    let planted = machine.sandbox.folder("cwd/results/a/../hf");
    machine.sandbox.set("HF_HOME", &planted);
    for refused in refusals(&machine) {
        assert!(refused.contains("the HuggingFace home `"), "{refused}");
        assert!(refused.contains("home/project/deep/../hf`, name that"), "{refused}");
    }
    machine.sandbox.set("HF_HOME", "").set("HF_HUB_CACHE", planted.join("hub"));
    for refused in refusals(&machine) {
        assert!(refused.contains("the Hub cache `"), "{refused}");
    }
}

#[test]
fn nothing_is_made_behind_a_symlink_of_a_container() {
    let mut machine = Machine::new();
    machine.succeeds(&[]);
    let ssh = machine.folder("home/.ssh", &[]);
    symlink("../../.ssh", machine.huggingface().join("x")).unwrap();
    machine.sandbox.set("HF_HUB_CACHE", machine.huggingface().join("x/y/hub"));
    for refused in refusals(&machine) {
        assert!(refused.contains("which a container may have made"), "{refused}");
        assert_eq!(fs::read_dir(&ssh).unwrap().count(), 0, "{refused}");
    }
    machine.sandbox.set("HF_HUB_CACHE", "");
    symlink("../../home/.ssh", machine.sandbox.folder("cwd/results/x")).unwrap();
    machine.sandbox.set("HF_HOME", machine.sandbox.folder("cwd/results/x/hf"));
    // Its container deleted every mark of a run, and the folder is known by its name alone.
    fs::remove_file(machine.sandbox.folder("cwd/results/.aienergyscore.lock")).unwrap();
    for refused in refusals(&machine) {
        assert!(refused.contains("the HuggingFace home `"), "{refused}");
        assert_eq!(fs::read_dir(&ssh).unwrap().count(), 0, "{refused}");
    }
}

#[test]
fn hub_in_a_home_that_a_container_replaced_is_no_first_run() {
    let mut machine = Machine::new();
    let results = machine.folder("cwd/results", &[]);
    machine.sandbox.set("HF_HOME", results.join("hf"));
    machine.succeeds(&[]);
    fs::rename(results.join("hf"), results.join("old")).unwrap();
    fs::create_dir(results.join("hf")).unwrap();
    let empty = machine.folder("home/empty", &[]);
    symlink(&empty, results.join("hf/hub")).unwrap();
    symlink("results/hf", machine.sandbox.folder("cwd/own")).unwrap();
    for home in ["cwd/results/hf", "cwd/own"] {
        machine.sandbox.set("HF_HOME", machine.sandbox.folder(home));
        for refused in refusals(&machine) {
            assert!(refused.contains("it was a folder before"), "{refused}");
        }
    }
}

#[test]
fn model_or_dataset_that_a_container_chose_is_not_mounted() {
    let mut machine = Machine::new();
    machine.folder("home/secret", &["diary.csv", "mine.gguf"]);
    let snapshot = "models--a--b/snapshots/1";
    let disk = machine.folder("disk", &[]);
    machine.link_hub(&disk);
    fs::create_dir_all(disk.join(snapshot)).unwrap();
    fs::create_dir_all(disk.join("models--a--b/blobs")).unwrap();
    // Of a version that the runner does not know, so that it only asks where they are.
    let weights = b"GGUF\x09\0\0\0";
    fs::write(machine.sandbox.folder("home/secret/mine.gguf"), weights).unwrap();
    fs::write(disk.join("models--a--b/blobs/2"), weights).unwrap();
    symlink("../../blobs/2", disk.join(snapshot).join("m.gguf")).unwrap();
    let results = machine.folder("cwd/results", &[]);
    let model = |path: String| format!("backend.model={path}");
    let hub = machine.huggingface().join("hub").join(snapshot);
    machine.succeeds(&["--backend", "native", &model(format!("{}/m.gguf", hub.display()))]);
    // The user's own symlink elsewhere is the user's own choice.
    symlink("secret/mine.gguf", machine.sandbox.folder("home/own.gguf")).unwrap();
    machine.succeeds(&["--backend", "native", &model("~/own.gguf".to_owned())]);

    let dataset = "scenario.dataset_name=./results/prompts.csv";
    symlink("../../home/secret/diary.csv", results.join("prompts.csv")).unwrap();
    assert!(machine.refused(&[dataset]).contains("may have made"));
    symlink("../../home/secret", results.join("previous-model")).unwrap();
    let through = model("./results/previous-model/../secret/mine.gguf".to_owned());
    assert!(machine.refused(&["--results", "other", &through]).contains("may have made"));
    fs::remove_file(disk.join(snapshot).join("m.gguf")).unwrap();
    let planted = machine.sandbox.folder("home/secret/mine.gguf");
    symlink(planted, disk.join(snapshot).join("m.gguf")).unwrap();
    let error = machine.refused(&[&model(format!("{}/m.gguf", hub.display()))]);
    assert!(error.contains("a folder that containers write to"), "{error}");
    symlink(hub.join("m.gguf"), machine.sandbox.folder("home/favourite.gguf")).unwrap();
    let error = machine.refused(&[&model("~/favourite.gguf".to_owned())]);
    assert!(error.contains("disk/models--a--b/snapshots/1/m.gguf`, which"), "{error}");
    machine.sandbox.set("VLLM_ENDPOINT", "http://127.0.0.1:1/v1");
    symlink("../../home/secret/diary.csv", results.join("key")).unwrap();
    machine.sandbox.set("VLLM_API_KEY_PATH", results.join("key"));
    let error = machine.refused(&["--backend", "vllm"]);
    assert!(error.contains("the API key's file `"), "{error}");
}

#[test]
fn token_that_is_a_symlink_to_another_file_is_not_handed_over() {
    let mut machine = Machine::new();
    let ssh = machine.folder("home/.ssh", &[]);
    fs::write(ssh.join("id_rsa"), "-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n").unwrap();
    fs::create_dir_all(machine.huggingface()).unwrap();
    symlink("../../.ssh/id_rsa", machine.huggingface().join("token")).unwrap();
    assert!(machine.refused(&[]).contains("is a symlink"));
    machine.succeeds(&["--no-token"]);
    assert!(!machine.asked().contains("id_rsa"), "{}", machine.asked());
    // A file that the user names may be a symlink, and must be a token.
    machine.sandbox.set("HF_TOKEN_PATH", ssh.join("id_rsa"));
    assert!(machine.refused(&[]).contains("is not a token: it has several lines"));
    fs::write(ssh.join("mine"), "hf_mine\n").unwrap();
    symlink("mine", ssh.join("link")).unwrap();
    machine.sandbox.set("HF_TOKEN_PATH", ssh.join("link"));
    machine.succeeds(&[]);
    assert!(machine.asked().contains(".ssh/link\",target=/run/secrets/hf_token"));
    symlink("../../.ssh/mine", machine.huggingface().join("mine")).unwrap();
    machine.sandbox.set("HF_TOKEN_PATH", machine.huggingface().join("mine"));
    let error = machine.refused(&[]);
    assert!(error.contains("the token file `") && error.contains("may have made"), "{error}");
}

#[test]
fn tokens_are_covered_under_every_mount_that_shows_them() {
    let mut machine = Machine::new();
    let home = machine.folder("cwd/results/hf", &["token", "stored_tokens"]);
    machine.sandbox.set("HF_HOME", &home).set("HF_HUB_CACHE", &home);
    for args in [&[][..], &["--no-token"], &["--offline"]] {
        machine.succeeds(args);
        for target in ["/results/hf", "/home/user/.cache/huggingface", "/hub_cache"] {
            for name in ["token", "stored_tokens"] {
                let cover = format!("source=/dev/null,\"target={target}/{name}\",readonly");
                assert!(machine.asked().contains(&cover), "{args:?} {cover}: {}", machine.asked());
            }
        }
        let pin = format!("source={}\",target=/results/hf\n", home.display());
        assert!(machine.asked().contains(&pin), "it could be renamed: {}", machine.asked());
    }
    machine.succeeds(&["--expose-tokens"]);
    assert!(!machine.asked().contains("/dev/null"));
    // Those of another login, in the home that is the default.
    let mut machine = Machine::new();
    machine.folder("home/.cache/huggingface", &["token", "stored_tokens"]);
    machine.folder("home/xdg/huggingface", &["token"]);
    machine.sandbox.set("XDG_CACHE_HOME", machine.sandbox.folder("home/xdg"));
    machine.sandbox.set("HF_HOME", machine.folder("home/hf", &[]));
    machine.sandbox.set("HF_HUB_CACHE", machine.huggingface());
    machine.succeeds(&["--no-token", "--results", &machine.sandbox.home().to_string_lossy()]);
    for token in [
        "/hub_cache/token",
        "/hub_cache/stored_tokens",
        "/results/.cache/huggingface/token",
        "/results/xdg/huggingface/token",
    ] {
        let cover = format!("source=/dev/null,\"target={token}\",readonly");
        assert!(machine.asked().contains(&cover), "{cover}: {}", machine.asked());
    }
}

#[test]
fn token_that_is_none_is_told_before_the_run() {
    let mut machine = Machine::new();
    let token = machine.huggingface().join("token");
    fs::create_dir_all(machine.huggingface()).unwrap();
    let verify = |machine: &Machine| {
        aienergyscore(&machine.sandbox, ["verify", "--flavour", "smoke"]).stdout
    };
    fs::write(&token, "\n").unwrap();
    let said = machine.run(&[]).stderr;
    assert!(said.contains("is empty, so gated models cannot be loaded"), "{said}");
    assert!(verify(&machine).contains("is empty, so gated models"));
    fs::write(&token, b"\xff\xfeh\0f\0_\0").unwrap();
    assert!(machine.refused(&[]).contains("is not a token: it is not text in UTF-8"));
    assert!(verify(&machine).contains("is not a token: it is not text in UTF-8"));
    fs::remove_file(&token).unwrap();
    mknodat(CWD, &token, FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert!(machine.refused(&[]).contains("is not a token: it is not a regular file"));
    assert!(verify(&machine).contains("is not a token: it is not a regular file"));
    fs::remove_file(token).unwrap();
    fs::write(machine.huggingface().join("stored_tokens"), "hf_x").unwrap();
    let said = machine.run(&[]).stderr;
    assert!(said.contains("stored_tokens` is open to other users"), "{said}");
    machine.sandbox.set("HF_TOKEN_PATH", "/nowhere");
    assert!(machine.run(&[]).stderr.contains("`/nowhere` does not exist, so gated models"));
}

#[test]
fn file_with_the_containers_id_lies_where_no_container_can_write_to_it() {
    let mut machine = Machine::new();
    let begin = format!("--cidfile\n{}aienergyscore-", machine.sandbox.folder("run/").display());
    machine.succeeds(&[]);
    assert!(machine.asked().contains(&begin), "{begin}: {}", machine.asked());
    let inside = machine.folder("cwd/results/run", &[]);
    machine.sandbox.set("XDG_RUNTIME_DIR", inside.to_str().unwrap());
    machine.succeeds(&[]);
    let inside = format!("--cidfile\n{}", inside.display());
    assert!(!machine.asked().contains(&inside), "{}", machine.asked());
}
