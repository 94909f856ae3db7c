//! The proof that needs no theory: a container writes to each mount, as the user.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use contract::{
    Backend, Flavour, PROBE,
    probe::{Answer, Mount},
};
use engine::{Engine, EngineChoice};
use host::{
    machine::Host,
    process::{Captured, capture_with_env},
};
use plan::{
    options::Resolved,
    render::command_line,
    run_plan::{Access, RunPlan},
    server::Server,
};
use rustix::fs::access;
use untrusted::{Dir, escape, random_name};

use super::Finding;

/// Runs the smoke image's probe with the mounts of the plan, and looks at what it left.
pub(super) fn check(run: &Resolved, host: &Host, engine: &Engine) -> anyhow::Result<Finding> {
    let image = Flavour::Smoke.image();
    let mut run = run.clone();
    let options = &mut run.settings;
    options.image.clone_from(&image);
    options.backend.get_or_insert(Backend::Native);
    // The token is read by the host's own check; here it would only have to be written first.
    options.token = None;
    options.server = options.server.take().map(|server| Server { key: None, ..server });
    let mut engine = engine.clone();
    if engine.has_containers() {
        options.engine = EngineChoice::of(&engine);
        engine = engine::detect(&options.wanted(), host)?.engine;
        if engine.image.is_none() {
            let text = "left out: the smoke image, which probes the mounts, is not on this \
                        machine; build it with `cargo xtask build-image --flavour smoke`";
            return Ok(Finding::warning("probe", image, text.to_owned()));
        }
    }
    let mut plan = RunPlan::new(&run, host, &engine)?.for_guide();
    // Nobody knows it before.
    let name = random_name().context("making a random name")?;
    let writable = plan.mounts.iter().filter(|mount| {
        // A cache that the user cannot write is used as it is, by a run and by its container.
        mount.access == Access::ReadWrite
            && access(mount.source.as_path(), rustix::fs::Access::WRITE_OK).is_ok()
    });
    let (targets, sources): (Vec<_>, Vec<PathBuf>) = writable
        .map(|mount| {
            let source = mount.source.as_path().to_owned();
            let target = if engine.has_containers() {
                mount.target.to_owned()
            } else {
                mount.source.as_str().to_owned()
            };
            (target, source)
        })
        .unzip();
    plan.args = [PROBE, "--leave", &name].map(str::to_owned).into_iter().chain(targets).collect();
    let command = command_line(&engine, &plan);
    let env = command.env.iter().map(|(name, value)| (name.as_str(), value.value()));
    let answer = capture_with_env(&command.argv(), env)?;
    let needs_native = plan.backend.value == Backend::Native;
    let mut problems = judge(&answer, needs_native);
    for folder in &sources {
        problems.extend(left_file(folder, &name, host.uid)?);
    }
    let subject = format!("{} mount(s)", sources.len());
    Ok(if problems.is_empty() {
        Finding::ok("probe", subject, "written, read, deleted, and the files are yours".to_owned())
    } else {
        Finding::error("probe", subject, problems.join("; "))
    })
}

/// What the probe itself complains about.
fn judge(answer: &Captured, needs_native: bool) -> Vec<String> {
    let Captured { code, stdout, stderr: _ } = answer;
    let Ok(Answer { home, mounts, native, .. }) = serde_json::from_str(stdout) else {
        return vec![format!(
            "the probe failed (exit code {code}) and said no more than: {}",
            answer.complaint()
        )];
    };
    let closed = (!home.writable).then(|| {
        format!("the home `{}` cannot be written", home.path.as_deref().unwrap_or("$HOME"))
    });
    let bad = mounts.into_iter().filter(|mount| !mount.ok).map(|Mount { path, error, .. }| {
        format!("`{path}` cannot be written: {}", error.unwrap_or_default())
    });
    let lacking = (needs_native && !native).then(|| {
        "the program was built without the `native` backend; `cargo xtask smoke --engine host` \
         builds the one that has it"
            .to_owned()
    });
    closed.into_iter().chain(bad).chain(lacking).collect()
}

/// Looks at the file that the probe left in `folder`, and deletes it.
fn left_file(folder: &Path, name: &str, uid: u32) -> anyhow::Result<Option<String>> {
    let shown = escape(&folder.join(name).to_string_lossy());
    let looked = Dir::open(folder).and_then(|dir| Ok((dir.look(name)?.uid, dir)));
    let (owner, dir) = match looked {
        Ok(looked) => looked,
        Err(error) => return Ok(Some(format!("the probe's file `{shown}` is not here: {error}"))),
    };
    dir.remove(name).with_context(|| format!("deleting the probe's file `{shown}`"))?;
    Ok((owner != uid).then(|| format!("the probe's file `{shown}` belongs to uid {owner}")))
}

#[cfg(test)]
mod tests {
    use super::{Captured, judge};

    #[test]
    fn a_mount_that_cannot_be_written_is_named() {
        let answer = |stdout: &str| Captured {
            code: 1,
            stdout: stdout.to_owned(),
            stderr: "docker: no such runtime\n".to_owned(),
        };
        let good = r#"{"uid":1,"gid":1,"home":{"path":"/h","writable":true},"native":true,"mounts":[{"path":"/results","ok":true,"error":null}]}"#;
        assert_eq!(judge(&answer(good), true), Vec::<String>::new());
        let featureless = good.replace("\"native\":true", "\"native\":false");
        assert_eq!(judge(&answer(&featureless), false), Vec::<String>::new());
        assert!(judge(&answer(&featureless), true)[0].contains("cargo xtask smoke"));
        let bad = good.replace("true,\"error\":null", "false,\"error\":\"Permission denied\"");
        assert_eq!(judge(&answer(&bad), true), ["`/results` cannot be written: Permission denied"]);
        let silent = judge(&answer(""), true);
        assert!(silent[0].ends_with("docker: no such runtime"), "{silent:?}");
    }
}
