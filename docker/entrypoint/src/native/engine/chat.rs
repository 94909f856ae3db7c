//! The model's chat template, rendered as transformers renders it.

mod dates;

use std::collections::HashSet;

use anyhow::{Context as _, bail};
use candle_core::quantized::gguf_file;
use contract::argument::{REASONING, REASONING_PARAMS};
use minijinja::{Environment, Error, ErrorKind, Value, context, value::merge_maps};
use minijinja_contrib::pycompat::unknown_method_callback;

use crate::native::generation::Chat;

/// Where a GGUF file keeps it.
const TEMPLATE: &str = "tokenizer.chat_template";

/// The template's name in its environment.
const NAME: &str = "chat";

/// What every chat template gets: no parameters of reasoning.
const EVERY_TEMPLATES: [&str; 4] = ["messages", "add_generation_prompt", "tools", "documents"];

/// Special tokens that templates know by name.
const SPECIAL: [(&str, &str); 4] = [
    ("bos_token", "tokenizer.ggml.bos_token_id"),
    ("eos_token", "tokenizer.ggml.eos_token_id"),
    ("unk_token", "tokenizer.ggml.unknown_token_id"),
    ("pad_token", "tokenizer.ggml.padding_token_id"),
];

/// A chat template, and what it is given beside the prompts.
#[derive(Debug)]
pub(super) struct Template {
    environment: Environment<'static>,
    chat: Chat,
    special: Value,
}

impl Template {
    /// The one in a file's header.
    pub(super) fn of_gguf(content: &gguf_file::Content, chat: Chat) -> anyhow::Result<Self> {
        let header = |key: &str| content.metadata.get(key);
        let text = header(TEMPLATE).and_then(|text| text.to_string().ok());
        let text = text.with_context(|| {
            format!("`{REASONING}=True` needs a chat template, and its header has no `{TEMPLATE}`")
        })?;
        let tokens = header("tokenizer.ggml.tokens").and_then(|tokens| tokens.to_vec().ok());
        let token = |key: &str| {
            let id = usize::try_from(header(key)?.to_u32().ok()?).ok()?;
            tokens?.get(id)?.to_string().ok().cloned()
        };
        let special = SPECIAL.iter().filter_map(|(name, key)| Some((*name, token(key)?)));
        Self::new(text, Value::from_iter(special), chat)
    }

    fn new(text: &str, special: Value, chat: Chat) -> anyhow::Result<Self> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        // The file's name would make HTML of texts otherwise.
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_function("raise_exception", |text: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, text))
        });
        environment.add_function("strftime_now", |format: String| {
            dates::now(&format).map_err(|why| Error::new(ErrorKind::InvalidOperation, why))
        });
        environment.add_filter("tojson", |value: Value| {
            serde_json::to_string(&value)
                .map_err(|why| Error::new(ErrorKind::BadSerialization, why.to_string()))
        });
        let reading = "its chat template cannot be read";
        environment.add_template_owned(NAME, without_generation(text)).context(reading)?;
        let template = Self { environment, chat, special };
        template.check()?;
        // What cannot be rendered is told before the weights are read.
        template.render("text")?;
        Ok(template)
    }

    /// Refuses what would change nothing.
    fn check(&self) -> anyhow::Result<()> {
        let mut known: HashSet<_> =
            self.environment.get_template(NAME)?.undeclared_variables(false);
        known.retain(|name| !EVERY_TEMPLATES.contains(&&**name));
        let names = self.chat.parameters.keys().filter(|name| !known.contains(*name));
        let unknown: Vec<_> = names.map(|name| format!("`{REASONING_PARAMS}.{name}`")).collect();
        if !unknown.is_empty() {
            bail!(
                "{}: its chat template does not use it, so it would change nothing; leave it out",
                unknown.join(", ")
            );
        }
        Ok(())
    }

    /// The text that the model reads of a prompt.
    pub(super) fn render(&self, prompt: &str) -> anyhow::Result<String> {
        let Chat { system, parameters } = &self.chat;
        let message = |role: &str, content: &str| context! { role, content };
        let system = system.iter().map(|text| message("system", text));
        let messages: Vec<_> = system.chain([message("user", prompt)]).collect();
        let given = Value::from_serialize(parameters);
        let always = context! {
            messages,
            add_generation_prompt => true,
            tools => (),
            documents => (),
            enable_thinking => true,
        };
        // Of maps that have the same name, the last counts.
        let context = merge_maps([always, self.special.clone(), given]);
        let rendered = self.environment.get_template(NAME)?.render(context);
        rendered.context("its chat template cannot be rendered")
    }
}

/// A template without the tags around what a model writes, which transformers alone knows.
fn without_generation(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("{%") {
        let Some(end) = rest[begin..].find("%}").map(|end| begin + end) else { break };
        let inside = &rest[begin + 2..end];
        let word = inside.trim_matches(['-', '+']).trim();
        out.push_str(&rest[..begin + 2]);
        // Blocks of the same extent, which keep the marks against spaces beside them.
        out.push_str(&match word {
            "generation" => inside.replace(word, "if true"),
            "endgeneration" => inside.replace(word, "endif"),
            _ => inside.to_owned(),
        });
        out.push_str("%}");
        rest = &rest[end + 2..];
    }
    out + rest
}

#[cfg(test)]
mod tests;
