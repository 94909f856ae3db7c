//! Keywords of `from_pretrained` that decide which files are loaded.

use std::collections::BTreeMap;

use contract::argument::{self, MODEL_KWARGS, unquoted};

/// What the arguments say of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keywords {
    /// Branch, tag or commit.
    pub revision: Option<String>,
    /// What stands in the names of weights, such as `fp16`.
    pub variant: Option<String>,
    /// The folder that the files are in.
    pub(crate) subfolder: Option<String>,
    /// Whether only weights in safetensors will do, or none of them.
    pub(crate) use_safetensors: Option<bool>,
    /// Whether code of the model's own is run.
    pub trust: bool,
    /// A GGUF file to make weights of.
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
        let said = |key: &str| {
            let value = all.get(key).map(String::as_str).filter(|value| !is_null(value))?;
            Some(unquoted(value).into_owned()).filter(|value| !value.is_empty())
        };
        let is = |key: &str| said(key).and_then(|value| value.to_lowercase().parse().ok());
        Self {
            revision: said("revision"),
            variant: said("variant"),
            subfolder: said("subfolder").map(|folder| folder.trim_matches('/').to_owned()),
            use_safetensors: is("use_safetensors"),
            trust: is("trust_remote_code").unwrap_or(false),
            gguf: said("gguf_file"),
        }
    }

    /// The name of a file of the model's.
    pub(super) fn place(&self, name: &str) -> String {
        self.subfolder.as_ref().map_or_else(|| name.to_owned(), |folder| format!("{folder}/{name}"))
    }
}

fn is_null(value: &str) -> bool {
    ["null", "None"].contains(&value)
}

/// `{KEY:VALUE,...}` of plain values.
fn pairs(text: &str) -> Vec<(String, String)> {
    let inside = text.trim().trim_start_matches('{').trim_end_matches('}');
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
    fn they_are_read_in_every_spelling() {
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
        assert_eq!(sub.place("config.json"), "a/config.json");
    }
}
