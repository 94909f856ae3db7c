//! Environment variables.

use std::{collections::BTreeMap, ffi::OsString, os::unix::ffi::OsStrExt as _, path::Path};

use contract::env;

/// Environment variables as a value, so that what reads them can be tested.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The environment of this process. Nothing else reads it.
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of `name`. An empty value counts as unset, since it would make huggingface_hub's paths
    /// relative.
    pub fn get(&self, name: &str) -> Option<&OsString> {
        self.0.get(Path::new(name).as_os_str()).filter(|value| !value.is_empty())
    }

    /// The value of `name` as text, even if it is empty.
    pub fn raw(&self, name: &str) -> Option<String> {
        let value = self.0.get(Path::new(name).as_os_str())?;
        Some(value.to_string_lossy().into_owned())
    }

    /// The first variable read by this program whose value ends with a carriage return.
    pub(crate) fn with_carriage_return(&self) -> Option<&'static str> {
        // Secrets are exempt: the Hub client strips the carriage return from a token.
        let is_path = |name: &&str| ![env::HF_TOKEN, env::VLLM_API_KEY].contains(name);
        let names = env::HOST.into_iter().filter(is_path);
        let paths = [env::XDG_CACHE_HOME, env::XDG_STATE_HOME, env::HUGGINGFACE_HUB_CACHE];
        let addresses = env::ADDRESSES.iter().flat_map(|address| address.names.iter().copied());
        let network = addresses.chain(env::OFFLINE).chain(env::NO_PROXY);
        let mut names = names.chain(paths).chain(network);
        names.find(|name| self.get(name).is_some_and(|value| value.as_bytes().ends_with(b"\r")))
    }

    /// The variable that sets the Hub's libraries offline, if one does.
    pub fn offline(&self) -> Option<&'static str> {
        let is_true = |name: &&str| {
            let value = self.text(name).unwrap_or_default().to_uppercase();
            ["1", "ON", "YES", "TRUE"].contains(&value.as_str())
        };
        // In huggingface_hub 2.4 (`constants.py`) the first variable that is set decides. `datasets` has
        // its own.
        let [hub, transformers, datasets] = env::OFFLINE;
        let first = [hub, transformers].into_iter().find(|name| self.get(name).is_some());
        first.into_iter().chain([datasets]).find(is_true)
    }

    /// Users named as `~USER` at the beginning of a value.
    pub(crate) fn users(&self) -> impl Iterator<Item = &str> {
        let values = self.0.values().filter_map(|value| value.to_str());
        values.filter_map(|value| Some(user(value)?.0)).filter(|name| !name.is_empty())
    }

    /// The value of `name` as text, with replacement characters where it is not UTF-8.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.to_string_lossy().into_owned())
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Splits `~USER/REST` into the user, whose empty name means the caller, and the rest.
pub(crate) fn user(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('~')?;
    Some(text.split_at(text.find('/').unwrap_or(text.len())))
}

#[cfg(test)]
mod tests {
    use super::Environment;

    #[test]
    fn any_library_of_the_hub_can_be_set_offline() {
        let told = |name: &str, value: &str| {
            [(name, value)].into_iter().collect::<Environment>().offline()
        };
        assert_eq!(told("HF_HUB_OFFLINE", "1"), Some("HF_HUB_OFFLINE"));
        assert_eq!(told("TRANSFORMERS_OFFLINE", "yes"), Some("TRANSFORMERS_OFFLINE"));
        assert_eq!(told("HF_DATASETS_OFFLINE", "True"), Some("HF_DATASETS_OFFLINE"));
        let both = [("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")];
        assert_eq!(both.into_iter().collect::<Environment>().offline(), None);
        for value in ["0", "", "no", "false"] {
            assert_eq!(told("HF_HUB_OFFLINE", value), None, "{value}");
        }
    }

    #[test]
    fn carriage_return_is_found_in_every_variable_we_read() {
        for name in ["HF_ENDPOINT", "https_proxy", "NO_PROXY", "HF_HUB_OFFLINE", "HF_HOME"] {
            let env: Environment = [(name, "x\r")].into_iter().collect();
            assert_eq!(env.with_carriage_return(), Some(name));
        }
    }

    #[test]
    fn empty_variable_counts_as_unset() {
        let env: Environment = [("HF_HOME", ""), ("HOME", "/h")].into_iter().collect();
        assert_eq!(env.get("HF_HOME"), None);
        assert_eq!(env.text("HOME").as_deref(), Some("/h"));
    }
}
