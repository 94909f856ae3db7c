//! Text of a container or an image in messages: escape sequences are escaped, and no line can pass for
//! the program's.

use std::fs;

use contract::output::SUMMARY;

use crate::{
    fake_runs::GOOD,
    harness::{FakeDocker, Outcome, Sandbox, aienergyscore},
    results::{Leaves, edit},
};

/// Clears the screen, forges a line, and turns text around.
const EVIL: &str = "m\u{1b}[2J\nerror: run `rm -rf ~`\r\u{9b}31m\u{202e}x";

/// [`EVIL`], and nothing that a shell or `printf` would take.
const SHELLS: &str = r"m\033[2J\nerror: run it\r\302\23331m\342\200\256x";

fn assert_harmless(what: &str, outcome: &Outcome) {
    for text in [&outcome.stdout, &outcome.stderr] {
        let obeyed = |char: char| char != '\n' && untrusted(char);
        assert!(!text.contains(obeyed), "{what}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("error: run")), "{what}: {text}");
    }
}

/// Whether a terminal interprets the character, or shows it as another one.
fn untrusted(char: char) -> bool {
    char.is_control() || ('\u{202a}'..='\u{202e}').contains(&char)
}

#[test]
fn a_summary_does_nothing_to_the_terminal() {
    let evil = serde_json::to_string(EVIL).unwrap();
    let run = GOOD
        .replace("\"model\":\"m\"", &format!("\"model\":{evil}"))
        .replace("\"source\":\"nobody looked\"", &format!("\"source\":{evil}"));
    // The shell hands the escapes of JSON on as they are.
    let run = run.replace(
        "\"$RESULTS/GPU_ENERGY_SUMMARY.json\" <<JSON",
        "\"$RESULTS/GPU_ENERGY_SUMMARY.json\" <<'JSON'",
    );
    let docker = FakeDocker::with_run(&run);
    let sandbox = Sandbox::new(Some(&docker));
    let words = ["run", "--flavour", "smoke", "--no-token", "backend.model=m"];
    for more in [&[][..], &["--json"]] {
        let outcome = aienergyscore(&sandbox, words.iter().chain(more));
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let shown =
            outcome.stdout.contains("m\\u{1b}[2J") || outcome.stdout.contains("m\\u001b[2J");
        assert!(shown, "{}", outcome.stdout);
        assert_harmless("run", &outcome);
    }
    for args in [&["report"][..], &["report", "--json"], &["report", "--csv"]] {
        assert_harmless("report", &aienergyscore(&sandbox, args));
    }
}

#[test]
fn what_an_engine_and_an_image_say_is_one_line_of_ours() {
    let docker = FakeDocker::with_run(&format!("printf '{SHELLS}' >&2; exit 125"));
    let labels = serde_json::json!({
        contract::label::FLAVOUR: "smoke", contract::label::VERSION: EVIL,
        contract::label::INPUTS: EVIL,
    });
    let image = |architecture: &str| {
        let answer =
            serde_json::json!({ "Architecture": architecture, "Config": { "Labels": labels } });
        docker.answer("image", &answer.to_string());
    };
    image("");
    let sandbox = Sandbox::new(Some(&docker));
    let said = |args: &[&str]| {
        let outcome = aienergyscore(&sandbox, args);
        assert_harmless(&args.join(" "), &outcome);
        outcome.stdout + &outcome.stderr
    };
    for more in [&[][..], &["--explain"], &["--json"]] {
        said(&[&["run", "--flavour", "smoke", "--dry-run"], more].concat());
    }
    for args in [&["verify", "--flavour", "smoke"][..], &["verify", "--flavour", "smoke", "--json"]]
    {
        let said = said(args);
        assert!(said.contains("of version m\\u") && said.contains("rm -rf"), "{said}");
    }
    docker.answer("info", "m\u{1b}[2J\nerror: run it");
    said(&["run", "--flavour", "smoke", "--dry-run"]);
}

#[test]
fn escape_sequences_in_an_images_version_are_escaped() {
    let docker = FakeDocker::with_run(GOOD);
    let labels = serde_json::json!({
        contract::label::FLAVOUR: "smoke", contract::label::VERSION: EVIL,
    });
    docker.answer("image", &serde_json::json!({ "Config": { "Labels": labels } }).to_string());
    let sandbox = Sandbox::new(Some(&docker));
    let outcome = aienergyscore(&sandbox, ["run", "--flavour", "smoke", "backend.model=m"]);
    assert!(outcome.stderr.contains("of version m\\u{1b}[2J\\nerror: run"), "{}", outcome.stderr);
    assert_harmless("run", &outcome);
}

#[test]
fn escape_sequences_in_names_of_a_container_are_escaped() {
    let sandbox = Sandbox::new(None);
    let results = sandbox.cwd().join("results");
    Leaves::score().write(&results);
    edit(&results.join(SUMMARY), |summary| {
        summary["notes"] = serde_json::json!([EVIL]);
        summary["run"]["model"] = EVIL.into();
    });
    fs::create_dir_all(results.join(EVIL.replace('/', "-"))).unwrap();
    fs::write(results.join(EVIL.replace('/', "-")).join("benchmark.log"), "").unwrap();
    for args in [
        &["report"][..],
        &["report", "--html", "p.html"],
        &["report", "--submission", "s.zip"],
        &["report", "--json"],
        &["report", "--csv"],
        &["reclaim", "results"],
        &["reclaim", "results", "--json"],
    ] {
        assert_harmless(&args.join(" "), &aienergyscore(&sandbox, args));
    }
}
