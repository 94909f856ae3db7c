//! Arguments of `from_pretrained` that decide which files are loaded.

use std::collections::BTreeMap;

use contract::argument::{self, MODEL_KWARGS, unquoted};

/// The values that the benchmark's arguments set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keywords {
    /// Branch, tag or commit.
    pub revision: Option<String>,
    /// A part of the weights' file names, such as `fp16`.
    pub variant: Option<String>,
    /// The folder of the files.
    pub(crate) subfolder: Option<String>,
    /// Whether to load safetensors only, or never.
    pub(crate) use_safetensors: Option<bool>,
    /// Whether the model's own code may run (`trust_remote_code`).
    pub trust: bool,
    /// A GGUF file to load the weights from.
    pub gguf: Option<String>,
}

impl Keywords {
    /// Reads them from the benchmark's arguments.
    pub fn of(args: &[String]) -> Self {
        let mut all = BTreeMap::new();
        for arg in args {
            let Some((name, value)) = argument::split_quoted(arg) else { continue };
            if name == MODEL_KWARGS {
                all.extend(pairs(value));
            } else if let Some(key) =
                name.strip_prefix(MODEL_KWARGS).and_then(|rest| rest.strip_prefix('.'))
            {
                all.insert(key.to_owned(), value.to_owned());
            }
        }
        let text = |key: &str| {
            let value = all.get(key).map(String::as_str).filter(|value| !is_null(value))?;
            Some(unquoted(value).into_owned()).filter(|value| !value.is_empty())
        };
        let is = |key: &str| text(key).and_then(|value| value.to_lowercase().parse().ok());
        Self {
            revision: text("revision"),
            variant: text("variant"),
            subfolder: text("subfolder").map(|folder| folder.trim_matches('/').to_owned()),
            use_safetensors: is("use_safetensors"),
            trust: is("trust_remote_code").unwrap_or(false),
            gguf: text("gguf_file"),
        }
    }

    /// The path of the model's file `name`, in the subfolder if one is set.
    pub(super) fn path_of(&self, name: &str) -> String {
        self.subfolder.as_ref().map_or_else(|| name.to_owned(), |folder| format!("{folder}/{name}"))
    }
}

fn is_null(value: &str) -> bool {
    ["null", "None"].contains(&value)
}

/// Parses `{KEY:VALUE,...}` with plain values.
fn pairs(map: &str) -> Vec<(String, String)> {
    let inside = map.trim().trim_start_matches('{').trim_end_matches('}');
    let pair = |entry: &str| {
        let (key, value) = entry.split_once(':')?;
        Some((unquoted(key.trim()).into_owned(), value.trim().to_owned()))
    };
    inside.split(',').filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::Keywords;

    #[test]
    fn every_spelling_of_an_argument_is_read() {
        let of = |args: &[&str]| {
            let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
            Keywords::of(&args)
        };
        let all = Keywords {
            revision: Some("v1".to_owned()),
            variant: Some("fp16".to_owned()),
            trust: true,
            ..Keywords::default()
        };
        assert_eq!(
            of(&[
                "+backend.model_kwargs.revision='v1'",
                "backend.model_kwargs={variant: fp16,trust_remote_code:True}",
                "backend.model=org/m",
            ]),
            all
        );
        let none = of(&["backend.model_kwargs.revision=v1", "backend.model_kwargs.revision=null"]);
        assert_eq!(none, Keywords::default());
        let sub = of(&["backend.model_kwargs.subfolder=a/"]);
        assert_eq!(sub.path_of("config.json"), "a/config.json");
    }
}
