//! `run --dry-run`: shows what would be executed, and touches nothing.

use crate::harness::{FakeDocker, Sandbox, aienergyscore};

#[test]
fn the_shell_text_is_the_vector() {
    let docker = FakeDocker::new();
    let mut sandbox = Sandbox::new(Some(&docker));
    let hostile = "a b,c:d\"e'f$g\nh\u{e9}";
    let cache = sandbox.home().join(hostile);
    sandbox.set("RESULTS_DIR", hostile).set("HF_HOME", cache);
    let args = ["run", "--dry-run", "--config-name", "t", "x={a: '1'}", "-n", "3"];
    let text = aienergyscore(&sandbox, args);
    assert_eq!(text.code, Some(0), "{}", text.stderr);
    let json = aienergyscore(&sandbox, args.iter().chain(&["--json"]));
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!((&json["engine"], &json["mode"]), (&"docker".into(), &"docker-rootful".into()));
    let argv: Vec<_> =
        json["argv"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let shown = shlex::split(&text.stdout.replace("\\\n", "")).expect("shell text");
    // The two runs differ in their id alone.
    let without_id = |words: &[&str]| {
        let id = words.iter().find_map(|word| word.strip_prefix("AIENERGYSCORE_RUN_ID=")).unwrap();
        words.iter().map(|word| word.replace(id, "ID")).collect::<Vec<_>>()
    };
    let shown: Vec<_> = shown.iter().map(String::as_str).collect();
    assert_eq!(without_id(&shown), without_id(&argv));
    assert!(argv.ends_with(&["--config-name", "t", "x={a: '1'}", "scenario.num_samples=3"]));
    assert!(docker.calls_of("run").is_empty());
    assert_eq!(std::fs::read_dir(sandbox.cwd()).unwrap().count(), 0, "something was made");
}

#[test]
fn the_explanation_has_a_reason_for_every_part() {
    let docker = FakeDocker::new();
    let sandbox = Sandbox::new(Some(&docker));
    let explained = aienergyscore(&sandbox, ["run", "--dry-run", "--explain", "a=b"]).stdout;
    let lines: Vec<_> = explained.lines().collect();
    assert!(lines.len() > 20 && lines.len() % 2 == 0, "{explained}");
    for pair in lines.chunks(2) {
        assert!(!pair[0].starts_with(' ') && pair[1].starts_with("    "), "{pair:?}");
    }
}

#[test]
fn usage_errors_come_before_anything_starts() {
    let docker = FakeDocker::new();
    let mut sandbox = Sandbox::new(Some(&docker));
    let cases: [(&[&str], &str); 7] = [
        (&["--backend", "vllm"], "VLLM_ENDPOINT"),
        (&["-n", "3", "scenario.num_samples=4"], "`-n 3` and `scenario.num_samples=4`"),
        (&["-n", "0"], "0 is not in 1.."),
        (&["--gpus", "some"], "device=0,2"),
        (&["--dryrun"], "did you mean `--dry-run`"),
        (&["--backend", "tgi"], "[possible values: optimum, pytorch, vllm, native]"),
        (&["--results", "a\r\nb"], "carriage return"),
    ];
    for (args, part) in cases {
        let outcome = aienergyscore(&sandbox, [&["run"], args].concat());
        assert_eq!(outcome.code, Some(2), "{args:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(part), "{args:?}: {}", outcome.stderr);
    }
    sandbox.set("BENCHMARK_BACKEND", "TGI");
    assert_eq!(aienergyscore(&sandbox, ["run"]).code, Some(2));
    assert!(docker.calls().is_empty());
}

#[test]
fn a_token_never_stands_in_the_vector() {
    let docker = FakeDocker::new();
    let mut sandbox = Sandbox::new(Some(&docker));
    sandbox.set("HF_TOKEN", "hf_secret_of_ada");
    let outcome = aienergyscore(&sandbox, ["run", "--dry-run", "--json"]);
    assert!(outcome.stdout.contains("HF_TOKEN_PATH=/run/secrets/hf_token"), "{}", outcome.stdout);
    assert!(!(outcome.stdout + &outcome.stderr).contains("hf_secret_of_ada"));
}
