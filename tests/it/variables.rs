//! Environment variables as files and shells pass them.

use crate::harness::{FakeDocker, Sandbox, aienergyscore};

fn dry_run(variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let docker = FakeDocker::new();
    let mut sandbox = Sandbox::new(Some(&docker));
    for (name, value) in variables {
        sandbox.set(name, *value);
    }
    let outcome = aienergyscore(&sandbox, ["run", "--dry-run"]);
    let said = outcome.stdout + &outcome.stderr;
    (outcome.code, said.replace(sandbox.home().to_str().unwrap(), "HOME"))
}

#[test]
fn paths_that_no_shell_has_expanded_are_expanded() {
    let (code, said) =
        dry_run(&[("RESULTS_DIR", "~/x"), ("HF_HOME", "$NOTHING/hf"), ("NOTHING", "")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("source=HOME/x\",target=/results"), "{said}");
    assert!(said.contains("source=/hf\",target=/home/user/.cache/huggingface"), "{said}");
}

#[test]
fn carriage_return_at_the_end_of_a_variable_is_refused_and_shown() {
    for name in ["HF_HOME", "RESULTS_DIR", "HF_TOKEN_PATH", "BENCHMARK_BACKEND"] {
        let (code, said) = dry_run(&[(name, "x\r")]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(&format!("{name} ends with a carriage return (\\r)")), "{said}");
    }
}
