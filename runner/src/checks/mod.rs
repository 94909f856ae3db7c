//! What `verify` looks at, and what it finds. A finding is data; an error is a check that broke.

mod finding;
mod leftovers;
mod probe;
mod token;

use contract::Backend;

pub use finding::{Finding, Severity, exit, render};

use crate::{
    engine::{self, Detected, Engine},
    gpus::Devices,
    host::Host,
    host_path::HostPath,
    options::{Request, RunOptions},
    plan::RunPlan,
    run::{Need, foreign_entries, ready, repos_out_of_sight},
};

/// Checks everything that the request would need, as the user who asks. Missing folders are made,
/// as a run makes them. `inputs` is the digest that the image must have been built from, if that
/// matters.
///
/// # Errors
/// When the request makes no sense, or a check itself breaks.
pub fn verify(request: Request, inputs: Option<&str>) -> anyhow::Result<Vec<Finding>> {
    let host = Host::read()?;
    let options = RunOptions::read(request, &host)?;
    let mut findings = vec![user(&host)];
    findings.push(folder("results", "results folder", &options.results, &host));
    if options.backend.is_none_or(Backend::needs_hub_cache) {
        for (what, path) in options.cache.folders() {
            findings.push(folder("cache", what, path, &host));
        }
        if let Some(text) = foreign_entries(&options.cache, &host) {
            findings.push(Finding::error("cache", options.cache.hub.as_str(), text));
        }
    }
    let folders_serve = findings.iter().all(|finding| finding.severity != Severity::Error);
    let options = options.settle()?;
    findings.extend(options.token.as_ref().map(|source| token::check(source, &host)));

    let Detected { engine, why, warning } = match engine::detect(&options, &host) {
        Ok(detected) => detected,
        Err(error) => {
            findings.push(Finding::error("engine", "auto", format!("{error:#}")));
            return Ok(findings);
        }
    };
    findings.push(match warning {
        None => Finding::ok("engine", engine.mode.engine(), why),
        Some(doubt) => Finding::warning("engine", engine.mode.engine(), doubt),
    });
    let plan = match RunPlan::new(&options, &host, &engine) {
        Ok(plan) => plan,
        Err(usage) => {
            findings.push(Finding::error("plan", engine.mode.engine(), usage.to_string()));
            return Ok(findings);
        }
    };
    if engine.has_containers()
        && plan.backend.value.needs_hub_cache()
        && let Some(text) = repos_out_of_sight(&options.cache)
    {
        findings.push(Finding::warning("cache", options.cache.hub.as_str(), text));
    }
    findings.push(gpus(&plan, &host));
    findings.extend(image(&engine, &plan, inputs));
    findings.extend(leftovers::check(&engine)?);
    if folders_serve {
        findings.push(probe::check(&options, &host, &engine)?);
    } else {
        let text = "left out: a folder above does not serve".to_owned();
        findings.push(Finding::warning("probe", "mounts", text));
    }
    Ok(findings)
}

fn user(host: &Host) -> Finding {
    let who = format!("uid {}, gid {}", host.uid, host.gid);
    if host.uid == 0 {
        let text = "the benchmark and its files will be root's; work as an unprivileged user";
        return Finding::warning("user", who, text.to_owned());
    }
    Finding::ok("user", who, "containers run as this user".to_owned())
}

fn folder(check: &'static str, what: &str, path: &HostPath, host: &Host) -> Finding {
    use std::os::unix::fs::MetadataExt as _;
    if let Err(error) = ready(what, path, host, Need::Write) {
        return Finding::error(check, path.as_str(), format!("{error:#}"));
    }
    match std::fs::metadata(path.as_path()) {
        Ok(data) if data.uid() == host.uid => {
            Finding::ok(check, path.as_str(), "yours, readable and writable".to_owned())
        }
        Ok(data) => {
            let text = format!("writable, but it belongs to uid {}", data.uid());
            Finding::warning(check, path.as_str(), text)
        }
        Err(error) => Finding::error(check, path.as_str(), error.to_string()),
    }
}

fn gpus(plan: &RunPlan, host: &Host) -> Finding {
    let subject = format!("{} NVIDIA GPU(s)", host.nvidia_gpus);
    let reason = plan.gpus.reason.clone();
    if host.nvidia_gpus > 0 && plan.gpus.value == Devices::None {
        return Finding::warning("gpus", subject, reason);
    }
    Finding::ok("gpus", subject, reason)
}

fn image(engine: &Engine, plan: &RunPlan, inputs: Option<&str>) -> Option<Finding> {
    const REMEDY: &str = "build it with `cargo xtask build-image`";
    let reference = &plan.image.as_ref()?.value.reference;
    let Some(image) = &engine.image else {
        let text =
            format!("not on this machine; {REMEDY}, or name another with --image or --flavour");
        return Some(Finding::error("image", reference, text));
    };
    let kind =
        image.flavour.map_or("none of ours".to_owned(), |flavour| format!("flavour {flavour}"));
    Some(match inputs {
        None => Finding::ok("image", reference, format!("on this machine, {kind}")),
        Some(inputs) if image.inputs.as_deref() == Some(inputs) => {
            Finding::ok("image", reference, format!("built from this tree, {kind}"))
        }
        Some(_) => {
            let text = format!("built from another state of this tree; {REMEDY}");
            Finding::error("image", reference, text)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Severity, image};
    use crate::{
        engine::{LocalImage, Mode},
        options::{Request, RunOptions},
        plan::RunPlan,
        testing::{docker, host},
    };

    #[test]
    fn an_image_must_be_there_and_of_this_tree() {
        let mut engine = docker(Mode::DockerRootful);
        let options = RunOptions::new(Request::default(), &host()).unwrap();
        let plan = RunPlan::new(&options, &host(), &engine).unwrap();
        let built = LocalImage { inputs: Some("ab".to_owned()), ..LocalImage::default() };
        let cases = [
            (Some(built.clone()), Some("ab"), Severity::Ok),
            (Some(built.clone()), None, Severity::Ok),
            (Some(built), Some("cd"), Severity::Error),
            (Some(LocalImage::default()), Some("ab"), Severity::Error),
            (None, None, Severity::Error),
        ];
        for (local, inputs, severity) in cases {
            engine.image = local;
            assert_eq!(image(&engine, &plan, inputs).unwrap().severity, severity, "{inputs:?}");
        }
    }
}
