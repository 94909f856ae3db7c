//! `cache repair`: chooses what would mend a cache, shows it, and does it.

mod apply;
mod behind_link;
mod choose;
mod donor;
mod failpoint;
mod fix;
mod place;
mod plan;
mod unused;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use host::{exit::Exit, paths::host_path::HostPath};
use hub::{HubCache, cache::Cache};
use ownership::Failure;
use serde_json::{Value, json};
use untrusted::escape;

use self::{
    apply::Outcome,
    plan::{Stage, Step, steps},
};
use super::verify::{Context, Scope, Verification, verify};
pub use choose::{Choice, choose};
pub use fix::Fix;

/// What gives entries back to their user, or says how: paths below the folder.
pub trait TakeBack {
    /// Why the entry at `path` is not to be given to the user, if so.
    fn leave(&self, folder: &HostPath, path: &Path) -> Option<String>;

    /// Makes `paths` the user's; those that are not afterwards, each with the reason.
    ///
    /// # Errors
    /// When nothing could be tried.
    fn take_back(&self, folder: &HostPath, paths: &[PathBuf]) -> anyhow::Result<Vec<Failure>>;

    /// The command that does the same with `sudo`.
    fn sudo_line(&self, folder: &HostPath, paths: &[PathBuf]) -> String;
}

/// Rounds after which owners and modes are as good as they get: each may open one more level.
const ROUNDS: usize = 16;

/// A step, and how it ended.
#[derive(Debug)]
struct Ended {
    step: Step,
    state: State,
}

#[derive(Debug)]
enum State {
    Planned,
    Done,
    Left(String),
    Failed(String),
}

impl State {
    /// Its word for machines, and the reason for it.
    fn words(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Planned => ("planned", None),
            Self::Done => ("done", None),
            Self::Left(why) => ("left", Some(why)),
            Self::Failed(why) => ("failed", Some(why)),
        }
    }
}

/// What a repair would do or did.
#[derive(Debug)]
pub struct Repair {
    path: HostPath,
    ended: Vec<Ended>,
    /// The line with `sudo` for what no container has given back.
    sudo: Option<String>,
    /// Whether a signal ended it before its last step.
    pub interrupted: bool,
}

/// Plans the repair of a cache and, if `really`, does it.
///
/// # Errors
/// When the cache cannot be looked at.
pub fn repair(
    places: &HubCache,
    scope: &Scope,
    context: &Context<'_>,
    owners: &dyn TakeBack,
    really: bool,
) -> anyhow::Result<Repair> {
    let cache = Cache::open(places.hub.as_path())?;
    let path = HostPath::new("Hub cache", &cache.path, Path::new("/"))?;
    let mut repair = Repair { path, ended: vec![], sudo: None, interrupted: false };
    if really {
        repair.mend_access(places, scope, context, owners)?;
        if context.stop.load(Ordering::Relaxed) {
            repair.interrupted = true;
            return Ok(repair);
        }
    }
    let found = verify(places, scope, context)?;
    repair.interrupted = found.interrupted;
    if found.interrupted {
        return Ok(repair);
    }
    if really {
        repair.mend_rest(planned(&found, Stage::Rest)?, context.stop);
    } else {
        repair.plan(planned(&found, Stage::Access)?, owners);
        repair.plan(planned(&found, Stage::Rest)?, owners);
    }
    Ok(repair)
}

/// What a repair does about the findings in this stage.
fn planned(found: &Verification, stage: Stage) -> anyhow::Result<Vec<Step>> {
    let choices = choose(&found.path, &found.findings)?;
    Ok(steps(found.findings.iter().zip(&choices), stage))
}

fn do_step(root: &Path, step: Step) -> Ended {
    let state = match apply::apply(root, &step.fix, SystemTime::now()) {
        Ok(Outcome::Done) => State::Done,
        Ok(Outcome::Left(why)) => State::Left(why),
        Err(error) => State::Failed(format!("{error:#}")),
    };
    Ended { step, state }
}

impl Repair {
    /// Everything but owners and modes, until somebody wants to stop.
    fn mend_rest(&mut self, steps: Vec<Step>, stop: &AtomicBool) {
        let root = self.path.as_path().to_owned();
        for step in steps {
            self.interrupted = stop.load(Ordering::Relaxed);
            self.ended.push(if self.interrupted {
                Ended { step, state: State::Planned }
            } else {
                do_step(&root, step)
            });
        }
    }

    fn plan(&mut self, steps: Vec<Step>, owners: &dyn TakeBack) {
        for step in self.leaving(steps, owners) {
            if let Fix::TakeBack { paths } = &step.fix {
                self.sudo = Some(owners.sudo_line(&self.path, paths));
            }
            self.ended.push(Ended { step, state: State::Planned });
        }
    }

    /// The steps without the entries that nobody should be given, which are told apart.
    fn leaving(&mut self, steps: Vec<Step>, owners: &dyn TakeBack) -> Vec<Step> {
        let mut taken = Vec::new();
        for step in steps {
            let Fix::TakeBack { paths } = &step.fix else {
                taken.push(step);
                continue;
            };
            let mut kept = Vec::new();
            let mut left: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
            for path in paths {
                match owners.leave(&self.path, path) {
                    Some(why) => left.entry(why).or_default().push(path.clone()),
                    None => kept.push(path.clone()),
                }
            }
            let part = |paths| Step { fix: Fix::TakeBack { paths }, why: step.why.clone() };
            for (why, paths) in left {
                let step = part(paths);
                if self.ended.iter().all(|ended| ended.step.fix != step.fix) {
                    self.ended.push(Ended { step, state: State::Left(why) });
                }
            }
            if !kept.is_empty() {
                taken.push(part(kept));
            }
        }
        taken
    }

    /// Owners and modes first, level by level: a closed folder hides what is in it.
    fn mend_access(
        &mut self,
        places: &HubCache,
        scope: &Scope,
        context: &Context<'_>,
        owners: &dyn TakeBack,
    ) -> anyhow::Result<()> {
        let quick = Scope { bytes: false, full: false, ..scope.clone() };
        let context = Context { memory: None, ..*context };
        let root = self.path.as_path().to_owned();
        let mut tried = BTreeSet::new();
        let mut begun = HashSet::new();
        let mut failed = Vec::new();
        for _ in 0..ROUNDS {
            let found = verify(places, &quick, &context)?;
            if found.interrupted {
                break;
            }
            let mut progress = false;
            for step in self.leaving(planned(&found, Stage::Access)?, owners) {
                if context.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let ended = match step.fix {
                    Fix::TakeBack { mut paths } => {
                        paths.retain(|path| tried.insert(path.clone()));
                        if paths.is_empty() {
                            continue;
                        }
                        let (state, some) = self.take_back(&paths, owners, &mut failed);
                        progress |= some;
                        Ended { step: Step { fix: Fix::TakeBack { paths }, ..step }, state }
                    }
                    _ if !begun.insert(step.fix.clone()) => continue,
                    _ => {
                        let ended = do_step(&root, step);
                        progress |= matches!(ended.state, State::Done);
                        ended
                    }
                };
                self.ended.push(ended);
            }
            if !progress {
                break;
            }
        }
        Ok(())
    }

    /// Makes `paths` the user's, and adds to `failed` what it cannot; whether it could for some.
    fn take_back(
        &mut self,
        paths: &[PathBuf],
        owners: &dyn TakeBack,
        failed: &mut Vec<Failure>,
    ) -> (State, bool) {
        let (now, why) = match owners.take_back(&self.path, paths) {
            Ok(now) => {
                let why = now.first().map(|Failure { path, error }| {
                    format!(
                        "{} of {} are not yours yet, first `{}`: {error}",
                        now.len(),
                        paths.len(),
                        path.display()
                    )
                });
                (now, why)
            }
            Err(error) => {
                let error = format!("{error:#}");
                let all =
                    paths.iter().map(|path| Failure { path: path.clone(), error: error.clone() });
                (all.collect(), Some(error))
            }
        };
        let Some(why) = why else { return (State::Done, true) };
        let some = now.len() < paths.len();
        failed.extend(now);
        let left: Vec<_> = failed.iter().map(|entry| entry.path.clone()).collect();
        self.sudo = Some(owners.sudo_line(&self.path, &left));
        (State::Failed(why), some)
    }

    /// A line for each step, and how to go on.
    pub fn lines(&self) -> String {
        let mut text = String::new();
        for Ended { step, state } in &self.ended {
            let (word, why) = state.words();
            let word = if word == "planned" { "would" } else { word };
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            let line = format!("{word:<7} {}{why} ({})", step.fix.describe(), step.why);
            writeln!(text, "{}", escape(&line)).expect("a String takes all");
        }
        text.push_str(&self.sum());
        if let Some(sudo) = &self.sudo {
            writeln!(text, "without an engine that can do it: {sudo}").expect("a String takes all");
        }
        text
    }

    fn sum(&self) -> String {
        let count = |word| self.ended.iter().filter(|ended| ended.state.words().0 == word).count();
        let planned = count("planned");
        if self.interrupted {
            return "interrupted; run it again to go on\n".to_owned();
        }
        if self.ended.is_empty() {
            return "nothing to repair\n".to_owned();
        }
        if planned > 0 {
            return format!("{planned} step(s); `--yes` takes them, and nothing was changed yet\n");
        }
        format!(
            "{} done, {} left alone, {} failed\n",
            count("done"),
            count("left"),
            count("failed")
        )
    }

    /// The same for machines.
    pub fn json(&self) -> Value {
        let steps: Vec<_> = self
            .ended
            .iter()
            .map(|Ended { step, state }| {
                let (word, why) = state.words();
                let paths = step.fix.touched();
                let paths: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
                json!({
                    "does": step.fix.describe(),
                    "path": paths.first(),
                    "paths": paths,
                    "why": step.why,
                    "state": word,
                    "reason": why,
                })
            })
            .collect();
        json!({
            "path": self.path,
            "steps": steps,
            "sudo": self.sudo,
            "interrupted": self.interrupted,
        })
    }

    /// What it means to a script, when nobody stopped it: 1 while something is to be mended.
    pub fn exit(&self) -> Exit {
        let open =
            self.ended.iter().any(|ended| matches!(ended.state, State::Planned | State::Failed(_)));
        if open { Exit::Failed } else { Exit::Success }
    }
}

#[cfg(test)]
mod tests;
