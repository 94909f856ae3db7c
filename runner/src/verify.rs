//! `aienergyscore verify`: checks everything that a run needs. A problem is a finding, and an error means
//! that a check failed to run.

mod cache;
mod finding;
mod folder;
mod image;
mod leftovers;
mod meter;
mod probe;
mod token;

use contract::Backend;
use engine::Detected;
use host::{gpus::Devices, machine::Host};
use ownership::folders::{Need, repos_outside_cache};
use plan::{
    options::{Request, Settings},
    run_plan::RunPlan,
};

use self::finding::has_error;
pub use self::finding::{Finding, Severity, exit, render};

/// Checks everything that a run of the request needs. Missing folders are created, as by a run. With
/// `inputs`, the image must have been built from the files with that digest. With `deep`, every byte of the
/// cache is read.
///
/// # Errors
/// When the request is invalid, or a check fails to run.
pub fn verify(request: Request, inputs: Option<&str>, deep: bool) -> anyhow::Result<Vec<Finding>> {
    let host = Host::read()?;
    let settings = Settings::read(request, &host)?;
    let mut findings = vec![user(&host)];
    let results = &settings.results;
    findings.push(folder::check("results", "results folder", results, &host, Need::Write));
    let needs_cache = settings.backend.is_none_or(Backend::needs_hub_cache);
    if let Err(refused) = settings.check_cache(&host) {
        findings.push(Finding::error("cache", settings.cache.hub.as_str(), refused.to_string()));
        return Ok(findings);
    }
    if needs_cache {
        for (what, path) in settings.cache.folders() {
            findings.push(folder::check("cache", what, path, &host, Need::WriteOrWarn));
        }
    }
    let folders_are_usable = !has_error(&findings);
    if needs_cache && folders_are_usable {
        findings.extend(cache::check(&host, &settings.cache, deep)?);
    }
    let token = settings.token.iter();
    let token: Vec<_> = token.flat_map(|source| token::check(source, &host)).collect();
    let token_is_usable = !has_error(&token);
    let settings = Settings { token: settings.token.filter(|_| token_is_usable), ..settings };
    findings.extend(token);
    let run = settings.resolve(&host)?;
    let settings = &run.settings;
    let key = settings.server.as_ref().and_then(|server| server.key.as_ref());
    findings.extend(key.map(|source| token::check_key(source, &host)));

    let Detected { engine, why, warning } = match engine::detect(&settings.wanted(), &host) {
        Ok(detected) => detected,
        Err(error) => {
            let subject = settings.engine.name();
            findings.push(Finding::error("engine", subject, format!("{error:#}")));
            return Ok(findings);
        }
    };
    let name = engine.mode.engine();
    findings.push(match warning {
        None => Finding::ok("engine", name, why),
        Some(warning) => Finding::warning("engine", name, warning),
    });
    let plan = match RunPlan::new(&run, &host, &engine) {
        Ok(plan) => plan,
        Err(usage) => {
            findings.push(Finding::error("plan", name, usage.to_string()));
            return Ok(findings);
        }
    };
    if engine.has_containers()
        && plan.backend.value.needs_hub_cache()
        && let Some(text) = repos_outside_cache(&settings.cache)
    {
        findings.push(Finding::warning("cache", settings.cache.hub.as_str(), text));
    }
    let warnings = plan.warnings.iter().cloned();
    findings.extend(warnings.map(|warning| Finding::warning("plan", name, warning)));
    findings.extend(plan.notes.iter().cloned().map(|note| Finding::ok("plan", name, note)));
    findings.push(gpus(&plan, &host));
    findings.extend(meter::check(settings, &plan, &engine, &host));
    findings.extend(image::check(&engine, &plan, inputs));
    findings.extend(leftovers::check(&engine, &host));
    if folders_are_usable {
        findings.push(probe::check(&run, &host, &engine)?);
    } else {
        let text = "left out: a folder above does not serve".to_owned();
        findings.push(Finding::warning("probe", "mounts", text));
    }
    Ok(findings)
}

fn user(host: &Host) -> Finding {
    let subject = format!("uid {}, gid {}", host.uid, host.gid);
    if host.uid == 0 {
        let text = "the benchmark and its files will be root's; work as an unprivileged user";
        return Finding::warning("user", subject, text.to_owned());
    }
    Finding::ok("user", subject, "containers run as this user".to_owned())
}

fn gpus(plan: &RunPlan, host: &Host) -> Finding {
    let subject = format!("{} NVIDIA GPU(s)", host.nvidia_gpus);
    let reason = plan.gpus.reason.clone();
    let unused = plan.backend.value.uses_gpus() && plan.gpus.value == Devices::None;
    if host.has_gpus() && unused {
        return Finding::warning("gpus", subject, reason);
    }
    Finding::ok("gpus", subject, reason)
}
