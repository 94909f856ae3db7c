//! Expands paths in variables as huggingface_hub does: by Python's `expanduser`, then `expandvars`.

use std::path::PathBuf;

use crate::{environment::user, machine::Host};

/// Replaces `~`, `~USER`, `$NAME` and `${NAME}` in `text`. An unknown user or name stays as it is, an
/// empty variable is replaced by nothing.
pub fn expand(text: &str, host: &Host) -> PathBuf {
    let home = user(text).and_then(|(user, rest)| {
        let home = if user.is_empty() { host.home.as_ref() } else { host.homes.get(user) };
        let home = format!("{}{rest}", home?.display().to_string().trim_end_matches('/'));
        Some(if home.is_empty() { "/".to_owned() } else { home })
    });
    variables(home.as_deref().unwrap_or(text), |name| host.env.raw(name)).into()
}

/// Expands a default path below an expanded one, since the client expands the whole once more.
pub fn expand_again(path: PathBuf, host: &Host) -> PathBuf {
    path.to_str().map(|text| expand(text, host)).unwrap_or(path)
}

fn variables(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, tail) = braced.unwrap_or_else(|| {
            let end = after
                .find(|character: char| !character.is_ascii_alphanumeric() && character != '_');
            after.split_at(end.unwrap_or(after.len()))
        });
        match value(name).filter(|_| !name.is_empty()) {
            Some(value) => expanded.push_str(&value),
            None => expanded.push_str(&rest[before.len()..rest.len() - tail.len()]),
        }
        rest = tail;
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::expand;
    use crate::{machine::Host, testing::host};

    #[test]
    fn users_and_variables_expand_as_in_python() {
        let env = [("D", "/d"), ("EMPTY", "")].into_iter().collect();
        let homes = [("bob".to_owned(), PathBuf::from("/home/bob/"))].into_iter().collect();
        let host = Host { env, homes, ..host() };
        for (text, expected) in [
            ("~", "/home/ada"),
            ("~/x", "/home/ada/x"),
            ("~bob", "/home/bob"),
            ("~bob/hf", "/home/bob/hf"),
            ("~eve/hf", "~eve/hf"),
            ("a/~", "a/~"),
            ("$D/hf${D}$N", "/d/hf/d$N"),
            ("$EMPTY/hf", "/hf"),
            ("${EMPTY}hf${N}", "hf${N}"),
            ("~/$D", "/home/ada//d"),
            ("$", "$"),
            ("${}", "${}"),
            ("$$D", "$/d"),
            ("${D", "${D"),
        ] {
            assert_eq!(expand(text, &host), Path::new(expected), "{text}");
        }
        let root = Host { home: Some("/".into()), ..host.clone() };
        assert_eq!(["~", "~/x"].map(|text| expand(text, &root)), ["/", "/x"].map(PathBuf::from));
        let nobody = Host { home: None, ..host };
        assert_eq!(expand("~/x", &nobody), Path::new("~/x"));
    }
}
