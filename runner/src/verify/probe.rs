//! Check of the mounts: a container writes a file to each of them as the user.

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

/// Runs the probe of the smoke image with the mounts of a run, and checks the files that it wrote.
///
/// # Errors
/// When the probe cannot be run, or a file that it wrote cannot be deleted.
pub(super) fn check(run: &Resolved, host: &Host, engine: &Engine) -> anyhow::Result<Finding> {
    let image = Flavour::Smoke.image();
    let mut run = run.clone();
    let settings = &mut run.settings;
    settings.image.clone_from(&image);
    settings.backend.get_or_insert(Backend::Native);
    // Secrets are checked on the host. The probe does not need them.
    settings.token = None;
    settings.server = settings.server.take().map(|server| Server { key: None, ..server });
    let mut engine = engine.clone();
    if engine.has_containers() {
        settings.engine = EngineChoice::of(&engine);
        engine = engine::detect(&settings.wanted(), host)?.engine;
        if engine.image.is_none() {
            let text = "left out: the smoke image, which probes the mounts, is not on this \
                        machine; build it with `cargo xtask build-image --flavour smoke`";
            return Ok(Finding::warning("probe", image, text.to_owned()));
        }
    }
    let mut plan = RunPlan::new(&run, host, &engine)?.for_guide();
    // A random name, so that no file is overwritten.
    let name = random_name().context("making a random name")?;
    let writable = plan.mounts.iter().filter(|mount| {
        // A run also uses a cache to which the user cannot write.
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
    let mut problems = problems(&answer, plan.backend.value == Backend::Native);
    for folder in &sources {
        problems.extend(check_file(folder, &name, host.uid)?);
    }
    let subject = format!("{} mount(s)", sources.len());
    Ok(if problems.is_empty() {
        Finding::ok("probe", subject, "written, read, deleted, and the files are yours".to_owned())
    } else {
        Finding::error("probe", subject, problems.join("; "))
    })
}

/// Problems that the probe reports.
fn problems(answer: &Captured, needs_native: bool) -> Vec<String> {
    let Captured { code, stdout, stderr: _ } = answer;
    let Ok(Answer { home, mounts, native, .. }) = serde_json::from_str(stdout) else {
        return vec![format!(
            "the probe failed (exit code {code}) and said no more than: {}",
            answer.complaint()
        )];
    };
    let home = (!home.writable).then(|| {
        format!("the home `{}` cannot be written", home.path.as_deref().unwrap_or("$HOME"))
    });
    let mounts =
        mounts.into_iter().filter(|mount| !mount.ok).map(|Mount { path, error, .. }| {
            format!("`{path}` cannot be written: {}", error.unwrap_or_default())
        });
    let native = (needs_native && !native).then(|| {
        "the program was built without the `native` backend; `cargo xtask smoke --engine host` \
         builds the one that has it"
            .to_owned()
    });
    home.into_iter().chain(mounts).chain(native).collect()
}

/// Checks the owner of the file that the probe wrote to `folder`, and deletes the file. Returns a
/// problem.
fn check_file(folder: &Path, name: &str, uid: u32) -> anyhow::Result<Option<String>> {
    let shown = escape(&folder.join(name).to_string_lossy());
    let found = Dir::open(folder).and_then(|dir| Ok((dir.look(name)?.uid, dir)));
    let (owner, dir) = match found {
        Ok(found) => found,
        Err(error) => return Ok(Some(format!("the probe's file `{shown}` is not here: {error}"))),
    };
    dir.remove(name).with_context(|| format!("deleting the probe's file `{shown}`"))?;
    Ok((owner != uid).then(|| format!("the probe's file `{shown}` belongs to uid {owner}")))
}

#[cfg(test)]
mod tests {
    use super::{Captured, problems};

    #[test]
    fn read_only_mount_is_named() {
        let answer = |stdout: &str| Captured {
            code: 1,
            stdout: stdout.to_owned(),
            stderr: "docker: no such runtime\n".to_owned(),
        };
        let good = r#"{"uid":1,"gid":1,"home":{"path":"/h","writable":true},"native":true,"mounts":[{"path":"/results","ok":true,"error":null}]}"#;
        assert_eq!(problems(&answer(good), true), Vec::<String>::new());
        let without_native = good.replace("\"native\":true", "\"native\":false");
        assert_eq!(problems(&answer(&without_native), false), Vec::<String>::new());
        assert!(problems(&answer(&without_native), true)[0].contains("cargo xtask smoke"));
        let bad = good.replace("true,\"error\":null", "false,\"error\":\"Permission denied\"");
        assert_eq!(
            problems(&answer(&bad), true),
            ["`/results` cannot be written: Permission denied"]
        );
        let silent = problems(&answer(""), true);
        assert!(silent[0].ends_with("docker: no such runtime"), "{silent:?}");
    }
}
