//! `fetch`, from the request to the exit code: a run that downloads and measures nothing.

use anyhow::{anyhow, bail};
use contract::{Backend, exit::of_signal};
use host::{
    exit::Exit,
    machine::Host,
    output::terminal::{self, warn},
};
use hub::{
    loading::Keywords,
    readiness::{self, ModelRequest, Readiness},
};
use ownership::folders::{Need, foreign_cache_folders, prepare_folder};
use plan::options::Settings;

use super::{
    Planned, Show, dry_run, earlier_runs, outcome,
    prepare::check_image,
    supervised::{Finished, Supervised},
};
use crate::fetch::{Request, plan};

/// Downloads a model and a dataset of the Hub into the cache.
///
/// # Errors
/// When the download cannot be started, or the cache is incomplete afterwards.
pub fn fetch(request: &Request) -> anyhow::Result<Exit> {
    let host = Host::read()?;
    request.check(&host)?;
    let settings = Settings::read(request.as_run(), &host)?;
    if request.dry_run {
        return dry_run::show(&planned(settings, request, &host)?, Show::Command);
    }
    for (what, folder) in settings.cache.folders() {
        warn(prepare_folder(what, folder, &host, Need::Write)?);
    }
    warn(foreign_cache_folders(&settings.cache, &host));
    let planned = planned(settings, request, &host)?;
    let Planned { settings, detected, plan, .. } = &planned;
    let engine = &detected.engine;
    warn(detected.warning.as_ref());
    warn(plan.warning());
    warn(check_image(engine, plan).map_err(|error| with_hf_command(&error, request))?);
    planned.remember_trust();
    terminal::say(format_args!("engine: {}", detected.why));
    terminal::say(format_args!("Hub cache: {}", settings.cache.hub));
    earlier_runs::clean_up(engine, host.uid);
    let supervised = Supervised { task: "fetch", to_stderr: false, lock: None };
    let (finished, ()) = supervised.run(&planned, &host, |_| (), |()| ())?;
    let exit = exit(&finished, engine.mode.engine());
    if exit == Exit::Success {
        check_cached(request, settings, engine.mode.engine())?;
        terminal::print(&format!("ready: {}\n", request.run_offline()))?;
    }
    Ok(exit)
}

fn planned(settings: Settings, request: &Request, host: &Host) -> anyhow::Result<Planned> {
    let run = settings.resolve(host)?;
    let detected = engine::detect(&run.settings.wanted(), host);
    let detected = detected.map_err(|error| with_hf_command(&error, request))?;
    let plan = plan(&run, host, &detected.engine)?;
    Ok(Planned { settings: run.settings, trust: run.trust, detected, plan })
}

/// An error about the engine or the image, with the commands that download without them.
fn with_hf_command(error: &anyhow::Error, request: &Request) -> anyhow::Error {
    anyhow!("{error:#}; without a container the same is done by {}", request.hf_commands())
}

/// Exit of a fetch. A client in the container that fails has printed its own error.
fn exit(finished: &Finished<'_>, engine: &str) -> Exit {
    let Finished { client, created, state, mount_check: _ } = finished;
    let say = |text: &str| terminal::say(format_args!("error: {text}"));
    if let Some(signal) = client.signal {
        let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
        say(&format!(
            "stopped by {name}; what was downloaded is kept, and the next fetch resumes it"
        ));
        return Exit::Benchmark(of_signal(signal));
    }
    match outcome::exit_code(engine, client.code, *created, state) {
        Ok(0) => Exit::Success,
        Ok(_) if state.is_oom_killed() => {
            say("the container ran out of memory and was killed");
            Exit::Failed
        }
        Ok(1) => Exit::Failed,
        Ok(2) => Exit::Usage,
        Ok(code) => {
            say(&format!("the fetch was killed or crashed (exit code {code}); see above"));
            Exit::Benchmark(u8::try_from(code).unwrap_or(1))
        }
        Err(why) => {
            say(&why);
            Exit::Failed
        }
    }
}

/// Checks that `run --offline` finds the model in the cache.
fn check_cached(request: &Request, settings: &Settings, engine: &str) -> anyhow::Result<()> {
    let (id, file) = request.model_and_file();
    let backend = if file.is_some() { Backend::Native } else { Backend::Optimum };
    let keywords = &Keywords::of(&settings.args);
    let wanted = ModelRequest { id, file, backend, keywords, contained: true };
    match readiness::model(settings.cache.hub.as_path(), wanted) {
        Readiness::Ready(_) => Ok(()),
        Readiness::NotReady(why) => bail!("{engine} reports success, which is not believed: {why}"),
    }
}
