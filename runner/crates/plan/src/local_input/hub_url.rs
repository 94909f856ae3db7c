//! URLs of models and datasets where a Hub id is expected.

use contract::{Backend, argument::MODEL_KWARGS};
use host::exit::Usage;

use super::kind::Kind;

/// Hosts of the Hub, recognized without `https://`, too.
const HOSTS: [&str; 3] = ["huggingface.co", "hf.co", "www.huggingface.co"];

/// Refuses a `value` that is a URL, with the Hub id in it.
///
/// # Errors
/// When `value` is a URL.
pub(super) fn refuse(kind: Kind, value: &str, backend: Option<Backend>) -> Result<(), Usage> {
    let Some(path) = path(value) else { return Ok(()) };
    let key = kind.key();
    let Some(HubUrl { id, revision, file }) = HubUrl::parse(path) else {
        return Err(Usage(format!(
            "`{key}={value}` is a web address; name the Hub id, as `{key}=ORG/NAME`"
        )));
    };
    let is_native = backend == Some(Backend::Native);
    let file = file.filter(|file| is_native && kind == Kind::Model && file.ends_with(".gguf"));
    let file = file.map_or(String::new(), |file| format!(":{file}"));
    let revision = revision.filter(|revision| *revision != "main" && !is_native);
    let rest = match (kind, revision) {
        (Kind::Model, Some(revision)) => format!(" {MODEL_KWARGS}.revision={revision}"),
        _ => String::new(),
    };
    Err(Usage(format!(
        "`{key}={value}` is a web address; name the Hub id in it: `{key}={id}{file}{rest}`"
    )))
}

/// The Hub id in `value`, if that is a URL.
pub fn id_in(value: &str) -> Option<String> {
    path(value).and_then(HubUrl::parse).map(|url| url.id)
}

/// The path of a URL; `None` if `value` is not a URL.
fn path(value: &str) -> Option<&str> {
    let lower = value.to_ascii_lowercase();
    for scheme in ["https://", "http://"] {
        if lower.starts_with(scheme) {
            return Some(value[scheme.len()..].split_once('/').map_or("", |(_, path)| path));
        }
    }
    if lower.starts_with("hf://") {
        return Some(&value["hf://".len()..]);
    }
    let (host, path) = value.split_once('/')?;
    HOSTS.contains(&host.to_ascii_lowercase().as_str()).then_some(path)
}

/// The parts of a URL of the Hub.
#[derive(Debug, PartialEq, Eq)]
struct HubUrl<'a> {
    id: String,
    revision: Option<&'a str>,
    file: Option<String>,
}

impl<'a> HubUrl<'a> {
    fn parse(path: &'a str) -> Option<Self> {
        let path = path.split(['?', '#']).next()?.trim_matches('/');
        let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
        parts.next_if(|part| ["models", "datasets"].contains(part));
        let is_view = |part: &&str| ["tree", "blob", "resolve", "raw"].contains(part);
        let mut id = parts.next()?.to_owned();
        if let Some(name) = parts.next_if(|part| !is_view(part)) {
            id = format!("{id}/{name}");
        }
        let revision = parts.next_if(is_view).and_then(|_| parts.next());
        let file: Vec<_> = if revision.is_some() { parts.collect() } else { vec![] };
        Some(Self { id, revision, file: (!file.is_empty()).then(|| file.join("/")) })
    }
}

#[cfg(test)]
mod tests {
    use contract::Backend;

    use super::{Kind, id_in, refuse};

    #[test]
    fn hub_id_in_a_url_is_named() {
        let said = |kind, value: &str, backend| {
            refuse(kind, value, backend).err().map_or("no address".to_owned(), |usage| usage.0)
        };
        let model = |value| said(Kind::Model, value, None);
        let native = |value| said(Kind::Model, value, Some(Backend::Native));
        insta::assert_snapshot!(
            [
                model("https://huggingface.co/org/m"),
                model("HTTPS://HuggingFace.co/org/m/"),
                model("https://huggingface.co/org/m?library=transformers"),
                model("https://hf-mirror.com/org/m/tree/main"),
                model("https://huggingface.co/org/m/tree/v1.0"),
                model("https://huggingface.co/gpt2"),
                model("huggingface.co/org/m"),
                model("hf.co/org/m"),
                model("hf://org/m"),
                model("https://huggingface.co"),
                model("org/m"),
                model("./huggingface.co/org/m"),
                native("https://huggingface.co/org/m/blob/main/a/b.gguf"),
                native("https://huggingface.co/org/m/resolve/main/b.gguf?download=true"),
                said(Kind::Dataset, "https://huggingface.co/datasets/org/d/viewer", None),
                said(Kind::Dataset, "org/d", None),
            ]
            .join("\n")
        );
    }

    #[test]
    fn hub_id_in_a_url_has_one_or_two_parts() {
        assert_eq!(id_in("https://huggingface.co/org/m/tree/main").as_deref(), Some("org/m"));
        assert_eq!(id_in("hf.co/datasets/org/d").as_deref(), Some("org/d"));
        assert_eq!((id_in("org/m"), id_in("./hf.co/org/m")), (None, None));
    }
}
