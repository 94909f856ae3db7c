//! The content of a snippet, and its Markdown.

/// The content of a snippet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Commands for a POSIX shell.
    Shell(String),
    /// Preformatted text.
    Text(String),
    /// A table; its cells are Markdown.
    Table {
        /// Titles of the columns.
        head: Vec<&'static str>,
        /// Rows with one cell per column.
        rows: Vec<Vec<String>>,
    },
}

impl Content {
    /// The Markdown between the markers, with a newline at its end.
    pub(super) fn render(&self) -> String {
        match self {
            Self::Shell(text) => format!("```sh\n{text}\n```\n"),
            Self::Text(text) => format!("```text\n{text}\n```\n"),
            Self::Table { head, rows } => {
                let titles = head.iter().map(|title| (*title).to_owned()).collect();
                let rules = vec!["---".to_owned(); head.len()];
                [titles, rules].iter().chain(rows).map(|row| markdown_row(row)).collect()
            }
        }
    }
}

/// Text in Markdown's code style.
pub(super) fn code(text: &str) -> String {
    format!("`{text}`")
}

fn markdown_row(cells: &[String]) -> String {
    let cells = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " "));
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::Content;

    #[test]
    fn tables_and_commands_become_markdown() {
        let table = Content::Table {
            head: vec!["Name", "Meaning"],
            rows: vec![vec!["`A`".into(), "one|two".into()], vec!["`LONG`".into(), "x".into()]],
        };
        let shell = Content::Shell("docker run \\\n  x".into());
        insta::assert_snapshot!([table, shell].map(|content| content.render()).join("\n"), @r"
        | Name | Meaning |
        | --- | --- |
        | `A` | one\|two |
        | `LONG` | x |

        ```sh
        docker run \
          x
        ```
        ");
    }
}
