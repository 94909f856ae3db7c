//! Where the cache and the token are looked for, in order: asked of the code that looks.

use anyhow::{Context as _, ensure};
use contract::env;
use runner::{hub_cache::HubCache, token::TokenSource};

use super::{
    commands::{HOME, ada},
    content::Content,
    tables::code,
};

/// What is looked for, and the variables that may tell, the strongest first.
const LOOKUPS: [(&str, &[&str], Look); 3] = [
    ("HuggingFace home", &[env::HF_HOME, env::XDG_CACHE_HOME], |cache, _| cache.home.to_string()),
    (
        "Hub cache",
        &[env::HF_HUB_CACHE, env::HUGGINGFACE_HUB_CACHE, env::HF_HOME, env::XDG_CACHE_HOME],
        |cache, _| cache.hub.to_string(),
    ),
    (
        TOKEN,
        &[
            env::HF_TOKEN,
            env::HUGGING_FACE_HUB_TOKEN,
            env::HF_TOKEN_PATH,
            env::HF_HOME,
            env::XDG_CACHE_HOME,
        ],
        |_, token| match token {
            TokenSource::Variable { name, file: _ } => format!("/{name}"),
            TokenSource::File(file) => file.to_string(),
        },
    ),
];

const TOKEN: &str = "token";
/// The variables that hold a token.
const HELD: [&str; 2] = [env::HF_TOKEN, env::HUGGING_FACE_HUB_TOKEN];

type Look = fn(&HubCache, &TokenSource) -> String;

/// Every place in order, each with what puts it in force.
///
/// # Errors
/// When a variable does not win over those behind it.
pub(super) fn table() -> anyhow::Result<Content> {
    let mut rows = vec![];
    for (what, variables, look) in LOOKUPS {
        for number in 0..=variables.len() {
            // With all that is weaker set, too: what is found is the strongest one's.
            let set: Vec<_> =
                variables[number..].iter().map(|name| (*name, format!("/{name}"))).collect();
            let set: Vec<_> = set.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let host = ada(&set);
            let cache = HubCache::locate(&host).context("looking for the cache")?;
            let token = TokenSource::locate(&host, &cache, "").context("looking for the token")?;
            let found = look(&cache, &token);
            let (when, place) = match variables.get(number) {
                Some(name) => {
                    let below = found.strip_prefix(&format!("/{name}"));
                    let below = below.with_context(|| format!("`{name}` is not the strongest"))?;
                    let is_value = what == TOKEN && HELD.contains(name);
                    let place = code(&format!("${name}{below}"));
                    (code(name), if is_value { "the variable itself".to_owned() } else { place })
                }
                None => {
                    let below = found.strip_prefix(HOME).context("the default is at home")?;
                    ("none of these".to_owned(), code(&format!("~{below}")))
                }
            };
            let title = if number == 0 { what.to_owned() } else { String::new() };
            rows.push(vec![title, (number + 1).to_string(), when, place]);
        }
    }
    ensure!(!rows.is_empty(), "nothing is looked for");
    Ok(Content::Table { head: vec!["What", "", "Set", "Where it is then"], rows })
}
