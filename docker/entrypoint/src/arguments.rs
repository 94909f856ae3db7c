//! The benchmark's arguments, understood once for every backend: typed, complete, and nothing
//! dropped.

mod rules;
mod value;

use contract::{
    Backend,
    argument::{self, CONFIG_NAME, DATASET, DEFAULT_CONFIG, Key, Kind, Support},
    task::{self, TASKS},
};
use serde_json::{Map, Value, json};

/// Names that are near enough to be meant.
const SIMILAR: f64 = 0.92;

/// What to run: the trees `backend` and `scenario`, by the contract's keys.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// Who runs it.
    pub(crate) backend: Backend,
    tree: Map<String, Value>,
}

impl Settings {
    /// The value of a key, if it has one.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let first = self.tree.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part)).filter(|value| !value.is_null())
    }

    /// The value of a key that takes text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// The value of a key that takes a whole number.
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.as_u64()
    }

    /// One JSON object, for the Python adapter.
    pub(crate) fn json(&self) -> String {
        let mut all = Map::new();
        all.insert("stack".to_owned(), json!(self.backend.name()));
        all.extend(self.tree.clone());
        Value::Object(all).to_string()
    }

    fn set(&mut self, key: &str, value: Value) {
        let (path, name) = key.rsplit_once('.').unwrap_or(("", key));
        let folders = path.split('.').filter(|part| !part.is_empty());
        let tree = folders.fold(&mut self.tree, |tree, part| {
            let below = tree.entry(part).or_insert_with(|| json!({}));
            if !below.is_object() {
                *below = json!({});
            }
            below.as_object_mut().expect("an object was just made sure of")
        });
        tree.insert(name.to_owned(), value);
    }
}

/// Reads the arguments for `backend`. All that is not understood is in one error.
pub(crate) fn parse(args: &[String], backend: Backend) -> Result<Settings, String> {
    let mut settings = Settings { backend, tree: Map::new() };
    let mut faults = Vec::new();
    let Split { overrides, config_name } = split(args, &mut faults);
    let config_name = config_name.unwrap_or(DEFAULT_CONFIG);
    match task::arguments(config_name) {
        Some(text) => {
            let lines = text.lines().map(str::trim);
            for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
                // A configuration serves every backend, and some take less of it.
                if takes(backend, line) {
                    faults.extend(apply(&mut settings, line).err());
                }
            }
        }
        None => faults.push(format!(
            "`{CONFIG_NAME} {config_name}`: there is no such configuration; known are {}",
            TASKS.join(", ")
        )),
    }
    let overrides: Vec<_> = overrides.into_iter().flat_map(one_by_one).collect();
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

/// The arguments by what they are.
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
            // The value of an option that takes one is no argument of its own.
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

/// The overrides that `GROUP={KEY:VALUE}` stands for; any other one is itself.
fn one_by_one(text: &str) -> Vec<String> {
    let whole = || vec![text.to_owned()];
    let Some((name, value)) = argument::split(text) else { return whole() };
    let below = |key: &argument::Key| key.name.strip_prefix(name)?.strip_prefix('.').map(drop);
    // Of a whole `backend` or `scenario` the runner would see neither paths nor the prompts' number.
    let is_group = name.contains('.')
        && argument::find(name).is_none()
        && argument::KEYS.iter().any(|key| below(key).is_some());
    match value::pairs(&value).filter(|pairs| is_group && !pairs.is_empty()) {
        Some(pairs) => pairs.iter().map(|(key, value)| format!("{name}.{key}={value}")).collect(),
        None => whole(),
    }
}

/// Puts one override in its place; the name of its key.
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
        return Err(format!("`{text}` is not known{}", meant(name, settings.backend)));
    };
    if let Support::No(why) = key.backends.of(settings.backend) {
        return Err(format!("`{text}` is not for the `{}` backend: {why}", settings.backend));
    }
    if key.kind == Kind::Tree && key.name == name {
        let map = value::map(&value).ok_or_else(|| {
            format!("`{text}` needs keys, as `{name}.KEY=VALUE` or `{name}={{KEY:VALUE}}`")
        })?;
        // Keys that were given one by one stay, as in Hydra.
        let kept = settings.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        settings.set(name, Value::Object(kept.into_iter().chain(map).collect()));
    } else {
        // Among values of any kind quotes make a text, and of `null` a text of that name.
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

/// Whether a line of a configuration is for `backend`: `native` has prompts of its own.
fn takes(backend: Backend, line: &str) -> bool {
    let key = argument::split(line).and_then(|(name, _)| argument::find(name));
    key.is_none_or(|key| {
        key.backends.contains(backend) && (backend != Backend::Native || key.name != DATASET)
    })
}

/// The key that an unknown name may stand for.
fn meant(name: &str, backend: Backend) -> String {
    let similarity = |key: &&Key| strsim::jaro_winkler(key.name, name);
    let known = argument::KEYS.iter().filter(|key| key.backends.contains(backend));
    let nearest = known.max_by(|one, other| similarity(one).total_cmp(&similarity(other)));
    match nearest.filter(|key| similarity(key) > SIMILAR) {
        Some(key) => format!("; did you mean `{}`?", key.name),
        None => String::new(),
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
