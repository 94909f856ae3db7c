//! `cache repair`: chooses fixes for the findings, shows them and applies them.

mod apply;
mod choose;
mod copy_source;
mod entry;
mod failpoint;
mod fix;
mod in_use;
mod plan;
mod symlinks_above;

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
pub(crate) use choose::{Choice, choose};
pub(crate) use fix::Fix;

/// Changes owners, with paths below the folder.
pub trait Ownership {
    /// The reason if the entry at `path` must keep its owner.
    fn why_protected(&self, folder: &HostPath, path: &Path) -> Option<String>;

    /// Makes the user the owner of `paths`. Returns the failures.
    ///
    /// # Errors
    /// When no entry could be tried.
    fn reclaim(&self, folder: &HostPath, paths: &[PathBuf]) -> anyhow::Result<Vec<Failure>>;

    /// The equivalent command with `sudo`.
    fn sudo_line(&self, folder: &HostPath, paths: &[PathBuf]) -> String;
}

/// Limit of rounds for owners and modes. Each round may make one more folder level readable.
const ROUNDS: usize = 16;

/// A step and its state.
#[derive(Debug)]
struct StepResult {
    step: Step,
    state: State,
}

/// State of a step.
#[derive(Debug)]
enum State {
    Planned,
    Done,
    Skipped(String),
    Failed(String),
}

impl State {
    /// Name of the state in the JSON output, and the reason if it has one.
    fn words(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Planned => ("planned", None),
            Self::Done => ("done", None),
            Self::Skipped(why) => ("left", Some(why)),
            Self::Failed(why) => ("failed", Some(why)),
        }
    }
}

/// A planned or finished repair.
#[derive(Debug)]
pub struct Repair {
    path: HostPath,
    results: Vec<StepResult>,
    /// The `sudo` command for entries that no container could change.
    sudo: Option<String>,
    /// Whether a signal interrupted it.
    pub interrupted: bool,
}

/// Plans the repair of a cache, and applies it if `apply` is set.
///
/// # Errors
/// When the cache cannot be verified.
pub fn repair(
    paths: &HubCache,
    scope: &Scope,
    context: &Context<'_>,
    owners: &dyn Ownership,
    apply: bool,
) -> anyhow::Result<Repair> {
    let cache = Cache::open(paths.hub.as_path())?;
    let path = HostPath::new("Hub cache", &cache.path, Path::new("/"))?;
    let mut repair = Repair { path, results: vec![], sudo: None, interrupted: false };
    if apply {
        repair.repair_access(paths, scope, context, owners)?;
        if context.stop.load(Ordering::Relaxed) {
            repair.interrupted = true;
            return Ok(repair);
        }
    }
    let found = verify(paths, scope, context)?;
    repair.interrupted = found.interrupted;
    if found.interrupted {
        return Ok(repair);
    }
    if apply {
        repair.repair_content(planned(&found, Stage::Content)?, context.stop);
    } else {
        repair.plan(planned(&found, Stage::Access)?, owners);
        repair.plan(planned(&found, Stage::Content)?, owners);
    }
    Ok(repair)
}

/// Steps for the findings in a stage.
fn planned(found: &Verification, stage: Stage) -> anyhow::Result<Vec<Step>> {
    let choices = choose(&found.path, &found.findings)?;
    Ok(steps(found.findings.iter().zip(&choices), stage))
}

/// Applies the fix of a step.
fn apply_step(root: &Path, step: Step) -> StepResult {
    let state = match apply::apply(root, &step.fix, SystemTime::now()) {
        Ok(Outcome::Done) => State::Done,
        Ok(Outcome::Skipped(why)) => State::Skipped(why),
        Err(error) => State::Failed(format!("{error:#}")),
    };
    StepResult { step, state }
}

impl Repair {
    /// Applies `steps` until the user interrupts.
    fn repair_content(&mut self, steps: Vec<Step>, stop: &AtomicBool) {
        for step in steps {
            self.interrupted = stop.load(Ordering::Relaxed);
            self.results.push(if self.interrupted {
                StepResult { step, state: State::Planned }
            } else {
                apply_step(self.path.as_path(), step)
            });
        }
    }

    /// Adds `steps` without applying them.
    fn plan(&mut self, steps: Vec<Step>, owners: &dyn Ownership) {
        for step in self.without_protected(steps, owners) {
            if let Fix::Reclaim { paths } = &step.fix {
                self.sudo = Some(owners.sudo_line(&self.path, paths));
            }
            self.results.push(StepResult { step, state: State::Planned });
        }
    }

    /// Takes entries that must keep their owner out of `steps`, and records them as skipped.
    fn without_protected(&mut self, steps: Vec<Step>, owners: &dyn Ownership) -> Vec<Step> {
        let mut rest = Vec::new();
        for step in steps {
            let Fix::Reclaim { paths } = &step.fix else {
                rest.push(step);
                continue;
            };
            let mut reclaimable = Vec::new();
            let mut protected: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
            for path in paths {
                match owners.why_protected(&self.path, path) {
                    Some(why) => protected.entry(why).or_default().push(path.clone()),
                    None => reclaimable.push(path.clone()),
                }
            }
            let part = |paths| Step { fix: Fix::Reclaim { paths }, why: step.why.clone() };
            for (why, paths) in protected {
                let step = part(paths);
                if self.results.iter().all(|result| result.step.fix != step.fix) {
                    self.results.push(StepResult { step, state: State::Skipped(why) });
                }
            }
            if !reclaimable.is_empty() {
                rest.push(part(reclaimable));
            }
        }
        rest
    }

    /// Repairs owners and modes level by level, as an unreadable folder hides its entries.
    fn repair_access(
        &mut self,
        paths: &HubCache,
        scope: &Scope,
        context: &Context<'_>,
        owners: &dyn Ownership,
    ) -> anyhow::Result<()> {
        let quick = Scope { bytes: false, full: false, ..scope.clone() };
        let context = Context { digest_cache: None, ..*context };
        let mut tried = BTreeSet::new();
        let mut applied = HashSet::new();
        let mut failed = Vec::new();
        for _ in 0..ROUNDS {
            let found = verify(paths, &quick, &context)?;
            if found.interrupted {
                break;
            }
            let mut progress = false;
            for step in self.without_protected(planned(&found, Stage::Access)?, owners) {
                if context.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let result = match step.fix {
                    Fix::Reclaim { mut paths } => {
                        paths.retain(|path| tried.insert(path.clone()));
                        if paths.is_empty() {
                            continue;
                        }
                        let (state, has_progress) = self.reclaim(&paths, owners, &mut failed);
                        progress |= has_progress;
                        StepResult { step: Step { fix: Fix::Reclaim { paths }, ..step }, state }
                    }
                    _ if !applied.insert(step.fix.clone()) => continue,
                    _ => {
                        let result = apply_step(self.path.as_path(), step);
                        progress |= matches!(result.state, State::Done);
                        result
                    }
                };
                self.results.push(result);
            }
            if !progress {
                break;
            }
        }
        Ok(())
    }

    /// Reclaims `paths` and adds failures to `failed`. Returns whether any entry changed.
    fn reclaim(
        &mut self,
        paths: &[PathBuf],
        owners: &dyn Ownership,
        failed: &mut Vec<PathBuf>,
    ) -> (State, bool) {
        let count = paths.len();
        let (now, why) = match owners.reclaim(&self.path, paths) {
            Ok(failures) => {
                let Some(Failure { path, error }) = failures.first() else {
                    return (State::Done, true);
                };
                let (failures_count, path) = (failures.len(), path.display());
                let why = format!(
                    "{failures_count} of {count} are not yours yet, first `{path}`: {error}"
                );
                (failures.into_iter().map(|failure| failure.path).collect(), why)
            }
            Err(error) => (paths.to_vec(), format!("{error:#}")),
        };
        let has_progress = now.len() < count;
        failed.extend(now);
        self.sudo = Some(owners.sudo_line(&self.path, failed));
        (State::Failed(why), has_progress)
    }

    /// A line for each step, then the totals.
    pub fn lines(&self) -> String {
        let mut text = String::new();
        for StepResult { step, state } in &self.results {
            let (word, why) = state.words();
            let word = if word == "planned" { "would" } else { word };
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            let line = format!("{word:<7} {}{why} ({})", step.fix.describe(), step.why);
            writeln!(text, "{}", escape(&line)).expect("a String takes all");
        }
        text.push_str(&self.totals());
        if let Some(sudo) = &self.sudo {
            writeln!(text, "without an engine that can do it: {sudo}").expect("a String takes all");
        }
        text
    }

    /// The totals, or what to do next.
    fn totals(&self) -> String {
        let count =
            |word| self.results.iter().filter(|result| result.state.words().0 == word).count();
        let [planned, done, left, failed] = ["planned", "done", "left", "failed"].map(count);
        if self.interrupted {
            "interrupted; run it again to go on\n".to_owned()
        } else if self.results.is_empty() {
            "nothing to repair\n".to_owned()
        } else if planned > 0 {
            format!("{planned} step(s); `--yes` takes them, and nothing was changed yet\n")
        } else {
            format!("{done} done, {left} left alone, {failed} failed\n")
        }
    }

    /// The repair as JSON.
    pub fn json(&self) -> Value {
        let steps: Vec<_> = self
            .results
            .iter()
            .map(|StepResult { step, state }| {
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

    /// Exit code, unless the user interrupted: 1 while a step is planned or failed.
    pub fn exit(&self) -> Exit {
        let open = self
            .results
            .iter()
            .any(|result| matches!(result.state, State::Planned | State::Failed(_)));
        if open { Exit::Failed } else { Exit::Success }
    }
}

#[cfg(test)]
mod tests;
