//! `--dry-run`: prints the planned command.

use engine::Detected;
use host::{
    exit::Exit,
    output::{
        json_text::json_text,
        terminal::{self, warn},
    },
    shell::{CommandLine, Style},
};
use hub::token::TokenSource;
use plan::{render::command_line, run_plan::RunPlan};
use serde_json::json;

use super::{Planned, Show, prepare::loadable};

/// Prints the planned command in the requested form, and its warnings.
///
/// # Errors
/// When the model or the dataset cannot be loaded, or standard output is closed.
pub(super) fn show(planned: &Planned, show: Show) -> anyhow::Result<Exit> {
    let Planned { settings, detected, plan, .. } = planned;
    let plan = &plan.without_mount_list();
    let command = command_line(&detected.engine, plan);
    terminal::say(format_args!("engine: {}", detected.why));
    warn(detected.warning.as_ref());
    warn(plan.warning());
    for warning in loadable::check(planned)? {
        warn(Some(warning));
    }
    plan.notes.iter().for_each(|note| terminal::say(format_args!("note: {note}")));
    for secret in settings.secret_files() {
        if let TokenSource::Variable { name, file } = secret {
            terminal::say(format_args!(
                "note: a run makes `{file}` from {name} first, and deletes it afterwards"
            ));
        }
    }
    terminal::print(&match show {
        Show::Explanation => command.explain(),
        Show::Plan => json_text(&plan_json(detected, plan, &command)),
        _ => format!("{}\n", command.to_shell(Style::Concrete)),
    })?;
    Ok(Exit::Success)
}

fn plan_json(detected: &Detected, plan: &RunPlan, command: &CommandLine) -> serde_json::Value {
    let Detected { engine, why, warning } = detected;
    let env = command.env.iter().map(|(name, value)| (name.clone(), json!(value.value())));
    json!({
        "engine": engine.mode.engine(),
        "mode": engine.mode,
        "why": why,
        "warning": warning,
        "argv": command.argv(),
        "env": env.collect::<serde_json::Map<_, _>>(),
        "parts": command.parts,
        "plan": plan,
    })
}
