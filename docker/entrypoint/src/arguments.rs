//! Parses the benchmark's arguments into typed, complete settings, for every backend. No argument
//! is silently ignored.

mod rules;
mod settings;
mod value;

use contract::{
    Backend,
    argument::{self, CONFIG_NAME, DATASET, DEFAULT_CONFIG, Key, Kind, Support},
    task::{self, TASKS},
};
use serde_json::Value;

pub(crate) use self::settings::Settings;

/// Jaro-Winkler similarity from which on a known key is suggested.
const SIMILAR: f64 = 0.92;

/// Parses the arguments for `backend`. One error lists everything that is invalid.
pub(crate) fn parse(args: &[String], backend: Backend) -> Result<Settings, String> {
    let mut settings = Settings::new(backend);
    let mut faults = Vec::new();
    let Split { overrides, config_name } = split(args, &mut faults);
    let config_name = config_name.unwrap_or(DEFAULT_CONFIG);
    match task::arguments(config_name) {
        Some(text) => {
            let lines = text.lines().map(str::trim);
            for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
                // A configuration serves every backend, and some do not take all of its keys.
                if applies(backend, line) {
                    faults.extend(apply(&mut settings, line).err());
                }
            }
        }
        None => faults.push(format!(
            "`{CONFIG_NAME} {config_name}`: there is no such configuration; known are {}",
            TASKS.join(", ")
        )),
    }
    let overrides: Vec<_> = overrides.into_iter().flat_map(expand_group).collect();
    let mut given = Vec::new();
    for text in &overrides {
        match apply(&mut settings, text) {
            Ok(name) => given.push(name),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        faults = rules::complete(&mut settings, &given);
    }
    if faults.is_empty() { Ok(settings) } else { Err(faults.join("; ")) }
}

/// The arguments, sorted by kind.
struct Split<'a> {
    overrides: Vec<&'a str>,
    config_name: Option<&'a str>,
}

fn split<'a>(args: &'a [String], faults: &mut Vec<String>) -> Split<'a> {
    let (mut overrides, mut config_name) = (Vec::new(), None);
    let mut rest = args.iter().map(String::as_str);
    while let Some(arg) = rest.next() {
        let inline = arg.split_once('=').filter(|(option, _)| is_config_name(option));
        if let Some((_, name)) = inline {
            config_name = Some(name);
        } else if is_config_name(arg) {
            match rest.next() {
                Some(name) => config_name = Some(name),
                None => faults.push(format!("`{arg}` needs a value")),
            }
        } else if arg.starts_with('~') || arg.contains('=') && !arg.starts_with('-') {
            overrides.push(arg);
        } else {
            let option = arg.split('=').next().unwrap_or(arg);
            faults.push(match argument::refusal(option) {
                Some(why) => format!("`{arg}` is refused: {why}"),
                None => format!("`{arg}` is not known"),
            });
            // Skips the value of an unknown option, so that it is not reported, too.
            if argument::takes_value(option) && !arg.contains('=') {
                rest.next();
            }
        }
    }
    Split { overrides, config_name }
}

fn is_config_name(option: &str) -> bool {
    option == CONFIG_NAME || option == "-cn"
}

/// Expands `GROUP={KEY:VALUE}` into one override per key. Any other override is returned as it is.
fn expand_group(text: &str) -> Vec<String> {
    let unchanged = || vec![text.to_owned()];
    let Some((name, value)) = argument::split(text) else { return unchanged() };
    let below = |key: &argument::Key| key.name.strip_prefix(name)?.strip_prefix('.').map(drop);
    // The runner finds neither paths nor the number of prompts in a whole `backend` or `scenario`.
    let is_group = name.contains('.')
        && argument::find(name).is_none()
        && argument::KEYS.iter().any(|key| below(key).is_some());
    match value::pairs(&value).filter(|pairs| is_group && !pairs.is_empty()) {
        Some(pairs) => pairs.iter().map(|(key, value)| format!("{name}.{key}={value}")).collect(),
        None => unchanged(),
    }
}

/// Applies one override and returns the name of its key.
fn apply<'a>(settings: &mut Settings, text: &'a str) -> Result<&'a str, String> {
    if text.starts_with('~') {
        return Err(format!("`{text}`: a key cannot be taken away, only given another value"));
    }
    let (name, value) =
        argument::split(text).ok_or_else(|| format!("`{text}` is not of the form KEY=VALUE"))?;
    if let Some(why) = argument::refusal(name) {
        return Err(format!("`{text}` is refused: {why}"));
    }
    let Some(key) = argument::find(name) else {
        return Err(format!("`{text}` is not known{}", suggestion(name, settings.backend)));
    };
    if let Support::No(why) = key.backends.of(settings.backend) {
        return Err(format!("`{text}` is not for the `{}` backend: {why}", settings.backend));
    }
    if key.kind == Kind::Tree && key.name == name {
        let map = value::map(&value).ok_or_else(|| {
            format!("`{text}` needs keys, as `{name}.KEY=VALUE` or `{name}={{KEY:VALUE}}`")
        })?;
        // Like in Hydra, keys that were given one by one stay.
        let kept = settings.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        settings.set(name, Value::Object(kept.into_iter().chain(map).collect()));
    } else {
        // Where several types are possible, quotes make a string, also of `null`.
        let quoted = argument::split_quoted(text).map_or(&*value, |(_, quoted)| quoted);
        let is_any = matches!(key.kind, Kind::Text | Kind::Tree);
        let value = if is_any { quoted } else { &*value };
        let value =
            value::typed(key.kind, value).map_err(|needs| format!("`{text}` needs {needs}"))?;
        if let Support::Only(values, why) = key.backends.of(settings.backend)
            && !values.contains(&&*value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        {
            let (backend, only) = (settings.backend, values.join("`, `"));
            return Err(format!(
                "`{text}` is not for the `{backend}` backend, which takes `{only}` alone: {why}"
            ));
        }
        settings.set(name, value);
    }
    Ok(name)
}

/// Whether a line of a configuration applies to `backend`. `native` has built-in prompts, so it
/// takes no dataset from there.
fn applies(backend: Backend, line: &str) -> bool {
    let key = argument::split(line).and_then(|(name, _)| argument::find(name));
    key.is_none_or(|key| {
        key.backends.contains(backend) && (backend != Backend::Native || key.name != DATASET)
    })
}

/// Suggests a known key that is similar to an unknown name.
fn suggestion(name: &str, backend: Backend) -> String {
    let similarity = |key: &&Key| strsim::jaro_winkler(key.name, name);
    let known = argument::KEYS.iter().filter(|key| key.backends.contains(backend));
    let nearest = known.max_by(|one, other| similarity(one).total_cmp(&similarity(other)));
    match nearest.filter(|key| similarity(key) > SIMILAR) {
        Some(key) => format!("; did you mean `{}`?", key.name),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
