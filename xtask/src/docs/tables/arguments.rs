//! Tables of the benchmark's arguments.

mod meanings;

use std::collections::BTreeSet;

use anyhow::ensure;
use contract::{
    Backend,
    argument::{KEYS, Key, Kind, REFUSED, Support},
};

use self::meanings::MEANINGS;
use crate::docs::content::{Content, code};

/// Every argument, and the backends that accept it.
///
/// # Errors
/// When a key has no meaning in [`MEANINGS`].
pub(crate) fn keys() -> anyhow::Result<Content> {
    let documented = MEANINGS.map(|(name, _)| name);
    ensure!(documented == KEYS.map(|key| key.name), "document every key, in the order of `KEYS`");
    let rows = KEYS.iter().zip(MEANINGS).map(|(key, (_, meaning))| {
        let Key { name: _, kind, backends } = *key;
        let cells = Backend::ALL.map(|backend| cell(backends.of(backend)));
        let ends = [takes(kind), meaning.to_owned()];
        [code(&shown(key))].into_iter().chain(cells).chain(ends).collect()
    });
    let names = Backend::ALL.map(Backend::name);
    let head = ["Key"].into_iter().chain(names).chain(["Takes", "Meaning"]).collect();
    Ok(Content::Table { head, rows: rows.collect() })
}

fn cell(support: Support) -> String {
    match support {
        Support::Full => "yes".to_owned(),
        Support::Only(values, _) => {
            values.iter().map(|value| code(value)).collect::<Vec<_>>().join(", ")
        }
        Support::No(_) => "–".to_owned(),
    }
}

/// Arguments and values that a backend does not accept, and why.
pub(crate) fn unsupported() -> Content {
    let rows = Backend::ALL.into_iter().flat_map(|backend| {
        let why = move |key: &Key| match key.backends.of(backend) {
            Support::Full => None,
            Support::Only(_, why) | Support::No(why) => Some(why),
        };
        let mut seen = BTreeSet::new();
        let reasons = KEYS.iter().filter_map(why).filter(move |why| seen.insert(*why));
        reasons.map(move |reason| {
            let affected = KEYS.iter().filter(|key| why(key) == Some(reason));
            let keys =
                affected.map(|key| code(&limited(key, backend))).collect::<Vec<_>>().join(", ");
            vec![code(backend.name()), keys, reason.to_owned()]
        })
    });
    Content::Table { head: vec!["Backend", "Does not take", "Because"], rows: rows.collect() }
}

/// A key with the values that a backend does not accept.
fn limited(key: &Key, backend: Backend) -> String {
    let name = shown(key);
    match key.backends.of(backend) {
        Support::Only(values, _) => format!("{name}≠{}", values.join(",")),
        Support::Full | Support::No(_) => name,
    }
}

fn shown(key: &Key) -> String {
    let Key { name, kind, .. } = key;
    if *kind == Kind::Tree { format!("{name}.*") } else { (*name).to_owned() }
}

fn takes(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Count => "a whole number above 0".to_owned(),
        Kind::Whole => "a whole number from 0".to_owned(),
        Kind::Number => "a number".to_owned(),
        Kind::Bool => "`True` or `False`".to_owned(),
        Kind::Ids => "numbers with commas between".to_owned(),
        Kind::OneOf(words) => words.iter().map(|word| code(word)).collect::<Vec<_>>().join(", "),
        Kind::Tree => "any, by name".to_owned(),
    }
}

/// Keys and options that no backend accepts.
pub(crate) fn refused() -> Content {
    let rows = REFUSED.map(|(name, why)| vec![code(name), why.to_owned()]);
    Content::Table { head: vec!["Refused", "Why"], rows: rows.into() }
}
