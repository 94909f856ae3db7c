//! `aienergyscore completions`: its scripts complete commands, options and values in real shells.

use std::{fs, process::Command};

use crate::harness::{Sandbox, aienergyscore};

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

/// The completion script for `shell`.
fn completions(sandbox: &Sandbox, shell: &str) -> String {
    let outcome = aienergyscore(sandbox, ["completions", shell]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{shell}");
    outcome.stdout
}

/// Runs `code` in `shell`, whose completion script is in `./completions`, and returns the output.
fn in_shell(shell: &str, options: &[&str], code: &str) -> String {
    let sandbox = Sandbox::new(None);
    fs::create_dir(sandbox.cwd().join("my-results")).unwrap();
    fs::write(sandbox.cwd().join("completions"), completions(&sandbox, shell)).unwrap();
    let mut command = Command::new(shell);
    command.args(options).args(["-c", code]).current_dir(sandbox.cwd());
    // The shell must not read the settings of the user who runs the tests.
    command
        .env("HOME", sandbox.home())
        .env("ZDOTDIR", sandbox.home())
        .env_remove("XDG_CONFIG_HOME");
    let output = command.output().unwrap_or_else(|error| panic!("{shell}: {error}"));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_shell_gets_a_script_without_hidden_commands() {
    let sandbox = Sandbox::new(None);
    for shell in SHELLS {
        let script = completions(&sandbox, shell);
        assert!(script.contains("reclaim"), "{shell}");
        assert!(!script.contains("reap") && !script.contains("repair-results"), "{shell}");
    }
    assert_eq!(aienergyscore(&sandbox, ["completions", "tcsh"]).code, Some(2));
    assert_eq!(aienergyscore(&sandbox, ["completions"]).code, Some(2));
}

#[test]
fn bash_completes_commands_options_values_and_folders() {
    let ask = r#"
source ./completions
complete -p aienergyscore
ask() {
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  _aienergyscore "$1" "${@: -1}" "${@: -2:1}"
  echo "$*: ${COMPREPLY[*]}"
}
ask aienergyscore re
ask aienergyscore cache l
ask aienergyscore cache list --r
ask aienergyscore run backend.model=x --eng
ask aienergyscore run --engine ""
ask aienergyscore run --results my
ask aienergyscore completions z
"#;
    let asked = in_shell("bash", &["--norc", "--noprofile"], ask);
    insta::assert_snapshot!(asked, @"
    complete -o bashdefault -o default -o nosort -F _aienergyscore aienergyscore
    aienergyscore re: report reclaim
    aienergyscore cache l: ls list
    aienergyscore cache list --r: --revisions
    aienergyscore run backend.model=x --eng: --engine
    aienergyscore run --engine : auto docker podman host
    aienergyscore run --results my: my-results
    aienergyscore completions z: zsh
    ");
}

#[test]
#[ignore = "needs fish"]
fn fish_completes_commands_options_values_and_folders() {
    let ask = r#"
source ./completions
for line in "re" "cache l" "cache list --r" "run backend.model=x --eng" "run --engine p" "run --results my"
    echo "$line:" (complete -C "aienergyscore $line" | string replace -r "\t.*" "")
end
"#;
    insta::assert_snapshot!(in_shell("fish", &[], ask), @"
    re: reclaim report
    cache l: list ls
    cache list --r: --revisions
    run backend.model=x --eng: --engine
    run --engine p: podman
    run --results my: my-results/
    ");
}

#[test]
#[ignore = "needs zsh"]
fn zsh_completes_commands_options_values_and_folders() {
    // Completion needs a terminal, in which an interactive shell gets Tab keys. The function in place of
    // the program prints the completed line.
    let ask = r#"
zmodload zsh/zpty
zpty terminal "stty -echo; exec zsh -f -i"
zpty -w terminal 'PROMPT= RPROMPT=; unsetopt zle_bracketed_paste; unset zle_bracketed_paste'
zpty -w terminal 'autoload -Uz compinit; compinit -u -D; source ./completions'
zpty -w terminal 'aienergyscore() { print -r -- "<""<$*>"">" }'
for line in "recl" "cache li" "cache list --r" "run backend.model=x --eng" "run --engine p" "run --results my" "completions z"; do
  zpty -w -n terminal "aienergyscore $line"$'\t\n'
  zpty -r -m terminal output '*<<*>>*' || exit 1
  print -r -- "$line: ${${output##*<<}%%>>*}"
done
zpty -d terminal
"#;
    insta::assert_snapshot!(in_shell("zsh", &["-f"], ask), @"
    recl: reclaim
    cache li: cache list
    cache list --r: cache list --revisions
    run backend.model=x --eng: run backend.model=x --engine
    run --engine p: run --engine podman
    run --results my: run --results my-results
    completions z: completions zsh
    ");
}
