//! The model's chat template, rendered like in transformers.

mod strftime;

use std::collections::HashSet;

use anyhow::{Context as _, bail};
use candle_core::quantized::gguf_file;
use contract::argument::{REASONING, REASONING_PARAMS};
use minijinja::{Environment, Error, ErrorKind, Value, context, value::merge_maps};
use minijinja_contrib::pycompat::unknown_method_callback;

use crate::native::generation::Chat;

/// Key of the template in the GGUF header.
const TEMPLATE: &str = "tokenizer.chat_template";

/// The template's name in its environment.
const NAME: &str = "chat";

/// Variables that every template gets. They cannot be set by parameters.
const RESERVED: [&str; 4] = ["messages", "add_generation_prompt", "tools", "documents"];

/// Special tokens: their variable in a template, and their key in the GGUF header.
const SPECIAL: [(&str, &str); 4] = [
    ("bos_token", "tokenizer.ggml.bos_token_id"),
    ("eos_token", "tokenizer.ggml.eos_token_id"),
    ("unk_token", "tokenizer.ggml.unknown_token_id"),
    ("pad_token", "tokenizer.ggml.padding_token_id"),
];

/// A chat template with its variables except for the prompt.
#[derive(Debug)]
pub(super) struct Template {
    environment: Environment<'static>,
    chat: Chat,
    special: Value,
}

impl Template {
    /// The template in the header of a GGUF file.
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
        // Prompts must not be escaped for HTML.
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_function("raise_exception", |text: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, text))
        });
        environment.add_function("strftime_now", |format: String| {
            strftime::now(&format).map_err(|why| Error::new(ErrorKind::InvalidOperation, why))
        });
        environment.add_filter("tojson", |value: Value| {
            serde_json::to_string(&value)
                .map_err(|why| Error::new(ErrorKind::BadSerialization, why.to_string()))
        });
        let reading = "its chat template cannot be read";
        environment.add_template_owned(NAME, remove_generation_tags(text)).context(reading)?;
        let template = Self { environment, chat, special };
        template.refuse_unknown_parameters()?;
        // A template that fails is reported before the slow reading of the weights.
        template.render("text")?;
        Ok(template)
    }

    /// Refuses parameters that would have no effect.
    fn refuse_unknown_parameters(&self) -> anyhow::Result<()> {
        let mut known: HashSet<_> =
            self.environment.get_template(NAME)?.undeclared_variables(false);
        known.retain(|name| !RESERVED.contains(&&**name));
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

    /// The chat with `prompt` as its user message.
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
        // The last of several maps wins.
        let context = merge_maps([always, self.special.clone(), given]);
        let rendered = self.environment.get_template(NAME)?.render(context);
        rendered.context("its chat template cannot be rendered")
    }
}

/// Replaces the tags `generation` and `endgeneration`, an extension of transformers.
fn remove_generation_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("{%") {
        let Some(end) = rest[begin..].find("%}").map(|end| begin + end) else { break };
        let inside = &rest[begin + 2..end];
        let word = inside.trim_matches(['-', '+']).trim();
        out.push_str(&rest[..begin + 2]);
        // An `if` block has the same extent and keeps the whitespace control.
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
