//! A command as data: rendered as the argument vector that is executed, or as shell text.

use std::{borrow::Cow, fmt::Write as _, path::Path};

use serde::{Serialize, Serializer};
use untrusted::is_unseen;

/// A part of a word. Paths and ids are typed, so that a guide can show `$PWD` or `$(id -u)` in their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text that is the same on every machine.
    Text(String),
    /// A path of this machine, as written in the word (possibly with doubled quotes).
    Path(String),
    /// The user id of the caller.
    Uid(u32),
    /// The group id of the caller.
    Gid(u32),
}

/// One word of a command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word(Vec<Piece>);

impl Word {
    /// A word of one literal text.
    pub fn text(text: impl Into<String>) -> Self {
        Self(vec![Piece::Text(text.into())])
    }

    /// A word made of pieces.
    pub fn of(pieces: impl Into<Vec<Piece>>) -> Self {
        Self(pieces.into())
    }

    /// The text that is executed.
    pub fn value(&self) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) | Piece::Path(text) => Cow::Borrowed(text.as_str()),
                Piece::Uid(id) | Piece::Gid(id) => Cow::Owned(id.to_string()),
            })
            .collect()
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

/// Words that belong together, such as a flag and its value, with their reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Words in order.
    #[serde(serialize_with = "word_values")]
    pub words: Vec<Word>,
    /// Reason on one line.
    pub reason: String,
}

impl Part {
    /// Makes a part of words and their reason.
    pub fn new<W: Into<Word>>(
        words: impl IntoIterator<Item = W>,
        reason: impl Into<String>,
    ) -> Self {
        Self { words: words.into_iter().map(Into::into).collect(), reason: reason.into() }
    }
}

/// Serializes words as the texts that are executed.
fn word_values<S: Serializer>(words: &[Word], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(words.iter().map(Word::value))
}

/// A command: environment variables and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// Variables added to the caller's environment.
    pub env: Vec<(String, Word)>,
    /// The program and its arguments.
    pub parts: Vec<Part>,
}

/// The machine that shell text is for.
#[derive(Debug, Clone, Copy)]
pub enum Style<'a> {
    /// This machine: the exact words.
    Concrete,
    /// Any machine: the shell fills in ids and well-known folders.
    Portable {
        /// The folder written as `$HOME`.
        home: &'a str,
        /// The folder written as `$PWD`.
        cwd: &'a str,
    },
}

impl CommandLine {
    /// The argument vector, program first.
    pub fn argv(&self) -> Vec<String> {
        self.parts.iter().flat_map(|part| &part.words).map(Word::value).collect()
    }

    /// Text for a POSIX shell, one line per part, continued by backslashes.
    pub fn to_shell(&self, style: Style<'_>) -> String {
        let env = self.env.iter().map(|(name, value)| format!("{name}={}", quote(value, style)));
        let parts = self.parts.iter().map(|part| {
            part.words.iter().map(|word| quote(word, style)).collect::<Vec<_>>().join(" ")
        });
        env.chain(parts).collect::<Vec<_>>().join(" \\\n  ")
    }

    /// Words and reason of each part, on two lines.
    pub fn explain(&self) -> String {
        let rows = self.env.iter().map(|(name, value)| {
            (format!("{name}={}", quote(value, Style::Concrete)), "told to the program".to_owned())
        });
        let parts = self.parts.iter().map(|part| {
            let words = part.words.iter().map(|word| quote(word, Style::Concrete));
            (words.collect::<Vec<_>>().join(" "), untrusted::escape(&part.reason))
        });
        rows.chain(parts).map(|(words, reason)| format!("{words}\n    {reason}\n")).collect()
    }
}

/// Quotes `word` for a POSIX shell.
fn quote(word: &Word, style: Style<'_>) -> String {
    let value = word.value();
    let Style::Portable { home, cwd } = style else { return quote_text(&value) };
    if value.contains(is_control) {
        return octal_quoted(&value);
    }
    let mut expands = false;
    let mut text = String::new();
    for (at, piece) in word.0.iter().enumerate() {
        match piece {
            Piece::Text(literal) => text.push_str(&escape(literal)),
            Piece::Path(path) => {
                let known = [(cwd, "PWD"), (home, "HOME")];
                let found = known.iter().find_map(|(folder, name)| {
                    let rest = path.strip_prefix(folder)?;
                    (rest.is_empty() || rest.starts_with('/')).then_some((name, rest))
                });
                match found {
                    Some((name, rest)) => {
                        expands = true;
                        let next = rest.chars().next().or_else(|| first(&word.0[at + 1..]));
                        text.push_str(&expansion(name, next));
                        text.push_str(&escape(rest));
                    }
                    None => text.push_str(&escape(path)),
                }
            }
            Piece::Uid(_) => {
                expands = true;
                text.push_str("$(id -u)");
            }
            Piece::Gid(_) => {
                expands = true;
                text.push_str("$(id -g)");
            }
        }
    }
    if expands { format!("\"{text}\"") } else { quote_text(&value) }
}

/// Reference to the variable `name` when the character `next` follows.
fn expansion(name: &str, next: Option<char>) -> String {
    let goes_on = next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '_');
    if goes_on { format!("${{{name}}}") } else { format!("${name}") }
}

/// The first character of the text of `pieces`.
fn first(pieces: &[Piece]) -> Option<char> {
    pieces.iter().find_map(|piece| match piece {
        Piece::Text(text) | Piece::Path(text) => text.chars().next(),
        Piece::Uid(_) | Piece::Gid(_) => Some('$'),
    })
}

/// [`quote_text`] on one line.
pub(crate) fn quote_line(text: &str) -> String {
    if text.contains('\n') { octal_quoted(text) } else { quote_text(text) }
}

/// `path`, quoted for pasting into a shell, on one line.
pub fn shown_for_shell(path: &Path) -> String {
    quote_line(&path.to_string_lossy())
}

/// Quotes text for a POSIX shell if it must be. Text with control characters is quoted as `$'…'` with
/// octal numbers, which bash, zsh and ksh understand.
pub fn quote_text(text: &str) -> String {
    if text.contains(is_control) {
        return octal_quoted(text);
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    // Only NUL cannot be quoted, and no argument contains it.
    shlex::try_quote(text).map_or_else(|_| text.replace('\0', ""), Cow::into_owned)
}

/// Whether it is a control or invisible character, other than a line feed.
fn is_control(character: char) -> bool {
    character != '\n' && is_unseen(character)
}

/// Quotes text as `$'…'`.
fn octal_quoted(text: &str) -> String {
    let mut quoted = "$'".to_owned();
    for character in text.chars() {
        if matches!(character, '\'' | '\\') {
            quoted.extend(['\\', character]);
        } else if is_unseen(character) {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                write!(quoted, "\\{byte:03o}").expect("a String takes all");
            }
        } else {
            quoted.push(character);
        }
    }
    quoted + "'"
}

/// Escapes text for double quotes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '$' | '`') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::{CommandLine, Part, Piece, Style, Word};

    fn command() -> CommandLine {
        let source = [
            Piece::Text("type=bind,\"source=".into()),
            Piece::Path("/home/ada/it's $5/results".into()),
            Piece::Text("\",target=/results".into()),
        ];
        CommandLine {
            env: vec![],
            parts: vec![
                Part::new(["docker", "run"], "start"),
                Part {
                    words: vec![
                        "--user".into(),
                        Word::of([Piece::Uid(1000), Piece::Text(":".into()), Piece::Gid(100)]),
                    ],
                    reason: "as yourself".into(),
                },
                Part { words: vec!["--mount".into(), Word::of(source)], reason: "results".into() },
            ],
        }
    }

    #[test]
    fn argument_vector_is_literal() {
        assert_eq!(
            command().argv(),
            [
                "docker",
                "run",
                "--user",
                "1000:100",
                "--mount",
                "type=bind,\"source=/home/ada/it's $5/results\",target=/results"
            ]
        );
    }

    #[test]
    fn concrete_text_quotes_every_word_that_needs_it() {
        let text = command().to_shell(Style::Concrete);
        let words = shlex::split(&text.replace("\\\n", "")).expect("valid shell text");
        assert_eq!(words, command().argv());
    }

    #[test]
    fn portable_text_leaves_ids_and_folders_to_the_shell() {
        let style = Style::Portable { home: "/home/ada", cwd: "/home/ada/it's $5" };
        insta::assert_snapshot!(command().to_shell(style), @r#"
        docker run \
          --user "$(id -u):$(id -g)" \
          --mount "type=bind,\"source=$PWD/results\",target=/results"
        "#);
    }

    #[test]
    fn control_characters_are_escaped() {
        let word = Word::of([Piece::Path("/home/ada/a\nb\u{1b}[2J\u{202e}it's\\".into())]);
        for style in [Style::Concrete, Style::Portable { home: "/home/ada", cwd: "/" }] {
            let text = super::quote(&word, style);
            assert_eq!(text, r"$'/home/ada/a\012b\033[2J\342\200\256it\'s\\'");
        }
        assert_eq!(super::quote_text("a\nb"), "'a\nb'");
        assert_eq!(super::quote_line("a\nb"), r"$'a\012b'");
    }

    #[test]
    fn variable_is_braced_where_a_name_would_go_on() {
        let of = |text: &str| Word::of([Piece::Path("/w".into()), Piece::Text(text.into())]);
        let style = Style::Portable { home: "/h", cwd: "/w" };
        assert_eq!(super::quote(&of("_old"), style), "\"${PWD}_old\"");
        assert_eq!(super::quote(&of(":/x"), style), "\"$PWD:/x\"");
    }

    #[test]
    fn folder_is_recognised_at_a_path_boundary() {
        let word = Word::of([Piece::Path("/home/adam".into())]);
        let style = Style::Portable { home: "/home/ada", cwd: "/" };
        assert_eq!(super::quote(&word, style), "/home/adam");
    }
}
