//! Secrets, told by the names of files, by what is in them, and by an image's configuration. What is
//! found is never quoted.

use serde_json::Value;

/// Files whose names say that they hold a secret, as the ends of paths.
const FILES: [&str; 16] = [
    ".netrc",
    "_netrc",
    ".git-credentials",
    ".pypirc",
    ".pgpass",
    ".docker/config.json",
    ".dockercfg",
    "containers/auth.json",
    ".aws/credentials",
    ".kube/config",
    "huggingface/token",
    "huggingface/stored_tokens",
    ".ssh/id_rsa",
    ".ssh/id_dsa",
    ".ssh/id_ecdsa",
    ".ssh/id_ed25519",
];

/// Files that tell programs where to fetch from, as the ends of paths.
const SOURCES: [&str; 9] = [
    "pip.conf",
    ".pip/pip.ini",
    "uv.toml",
    ".npmrc",
    ".gitconfig",
    "etc/environment",
    "etc/apt/apt.conf",
    "sources.list",
    ".condarc",
];

/// Beginnings of tokens, and how many letters and digits follow at least.
const TOKENS: [(&str, usize, &str); 8] = [
    ("hf_", 20, "a token of HuggingFace"),
    ("ghp_", 36, "a token of GitHub"),
    ("gho_", 36, "a token of GitHub"),
    ("ghs_", 36, "a token of GitHub"),
    ("github_pat_", 22, "a token of GitHub"),
    ("npm_", 36, "a token of npm"),
    ("pypi-AgEIcHlwaS5vcmc", 20, "a token of PyPI"),
    ("AKIA", 16, "a key of AWS"),
];

/// Ends of names whose values are secrets.
const NAMES: [&str; 3] = ["TOKEN", "PASSWORD", "SECRET"];

/// What is wrong with a file, as words that its path goes before.
pub(super) fn in_file(path: &str, content: &[u8]) -> Option<String> {
    let is = |end: &&str| {
        path.strip_suffix(*end).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    if content.is_empty() {
        return None;
    }
    if FILES.iter().any(is) {
        return Some("is a file for secrets".to_owned());
    }
    let text = String::from_utf8_lossy(content);
    let source = SOURCES.iter().any(is) || path.contains("etc/apt/");
    in_text(&text)
        .or_else(|| (source && has_login(&text)).then_some("an address with a password"))
        .map(|what| format!("holds {what}"))
}

/// Secrets in an image's configuration: where, and what is there.
pub(super) fn in_config(config: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(config, &mut String::new(), &mut |place, text| {
        let what = in_text(text)
            .or_else(|| has_login(text).then_some("an address with a password"))
            .or_else(|| sets_secret(text).then_some("a value for a variable of secrets"));
        found.extend(what.map(|what| (place.to_owned(), format!("holds {what}"))));
    });
    found
}

/// Every text of a value, with its place.
fn walk(value: &Value, place: &mut String, see: &mut impl FnMut(&str, &str)) {
    let length = place.len();
    match value {
        Value::String(text) => see(place, text),
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                place.push_str(&format!("/{number}"));
                walk(item, place, see);
                place.truncate(length);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                place.push_str(&format!("/{name}"));
                walk(field, place, see);
                place.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn in_text(text: &str) -> Option<&'static str> {
    if has_private_key(text) {
        return Some("a private key");
    }
    TOKENS.iter().find(|(start, least, _)| has_token(text, start, *least)).map(|(_, _, what)| *what)
}

/// The block itself: programs that read keys name its first line, too.
fn has_private_key(text: &str) -> bool {
    text.match_indices("PRIVATE KEY-----").any(|(at, mark)| {
        let begins = text[..at].rsplit_once("-----BEGIN ").is_some_and(|(_, kind)| kind.len() < 12);
        let body = text[at + mark.len()..].trim_start_matches(['\r', '\n', '\\', 'n', ' ']);
        let base64 = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        begins && body.chars().take_while(base64).count() >= 32
    })
}

/// `start` at the beginning of a word, and letters and digits after it. Both: a name is no token.
fn has_token(text: &str, start: &str, least: usize) -> bool {
    text.match_indices(start).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let rest = &text[at + start.len()..];
        let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let token = &rest[..length];
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
            && length >= least
            && token.bytes().any(|byte| byte.is_ascii_digit())
            && token.bytes().any(|byte| byte.is_ascii_alphabetic())
    })
}

/// `https://name:password@host`, unless a variable stands for the password.
fn has_login(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let host = rest.split(['/', '?', '#', '"', '\'', '`']).next().unwrap_or_default();
        let host = host.split_whitespace().next().unwrap_or_default();
        let login = host.rsplit_once('@').and_then(|(login, _)| login.split_once(':'));
        login.is_some_and(|(_, password)| !password.is_empty() && !is_placeholder(password))
    })
}

/// `HF_TOKEN=value` as a word.
fn sets_secret(text: &str) -> bool {
    text.split_whitespace().filter_map(|word| word.split_once('=')).any(|(name, value)| {
        let variable = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        let value = value.trim_matches(['"', '\'', ';']);
        let secret = NAMES.iter().any(|end| name.ends_with(end));
        variable && secret && !value.is_empty() && !is_placeholder(value)
    })
}

fn is_placeholder(value: &str) -> bool {
    value.starts_with(['$', '<', '{', '*'])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{has_login, has_private_key, has_token, in_config, in_file, sets_secret};

    #[test]
    fn a_file_is_told_by_its_name_if_it_holds_anything() {
        assert_eq!(in_file("root/.netrc", b"x").as_deref(), Some("is a file for secrets"));
        assert_eq!(in_file(".netrc", b"x").as_deref(), Some("is a file for secrets"));
        assert_eq!(in_file("root/.netrc", b""), None);
        assert_eq!(in_file("root/my.netrc", b"x"), None);
        assert_eq!(in_file("usr/lib/token", b"x"), None);
    }

    #[test]
    fn a_token_is_a_word_of_letters_and_digits() {
        let long = "aB3".repeat(12);
        assert!(has_token(&format!("token: hf_{long}\n"), "hf_", 20));
        assert!(!has_token(&format!("my_hf_{long}"), "hf_", 20));
        assert!(!has_token(&format!("éhf_{long}"), "hf_", 20));
        assert!(!has_token("hf_aB3", "hf_", 20));
        assert!(!has_token("hf_somethingthatonlyhasletters", "hf_", 20));
        assert!(!has_token("hf_hub_download_of_1234567890", "hf_", 20));
    }

    #[test]
    fn a_private_key_is_a_block_and_not_its_name() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ";
        assert!(has_private_key(&format!("-----BEGIN PRIVATE KEY-----\n{body}")));
        assert!(has_private_key(&format!("-----BEGIN RSA PRIVATE KEY-----\\n{body}")));
        assert!(!has_private_key("if line == '-----BEGIN PRIVATE KEY-----': pass"));
        assert!(!has_private_key(&format!("-----BEGIN PUBLIC KEY-----\n{body}")));
    }

    #[test]
    fn a_login_has_a_password() {
        assert!(has_login("url = https://me:word@host/x"));
        assert!(has_login("a https://x/ b http://:word@host"));
        for none in ["https://me@host", "https://host/a:b@c", "https://me:$WORD@host", "a:b@c"] {
            assert!(!has_login(none), "{none}");
        }
    }

    #[test]
    fn a_variable_of_secrets_has_a_value_of_its_own() {
        assert!(sets_secret("|1 HF_TOKEN=abc /bin/sh"));
        for none in ["HF_TOKEN=", "HF_TOKEN=$TOKEN", "token=abc", "TOKENS=abc", "TOKEN_FILE=/x"] {
            assert!(!sets_secret(none), "{none}");
        }
        let config = json!({ "config": { "Env": ["A=1", "A_SECRET=x"] }, "size": 3 });
        let place = "/config/Env/1".to_owned();
        let what = "holds a value for a variable of secrets".to_owned();
        assert_eq!(in_config(&config), [(place, what)]);
    }
}
