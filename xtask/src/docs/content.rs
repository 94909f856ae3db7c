//! What a snippet shows, and how each kind of guide writes it.

use super::regions::Syntax;

/// What a snippet shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Text for a POSIX shell.
    Shell(String),
    /// Text to be shown as it is.
    Text(String),
    /// A table; its cells are Markdown.
    Table {
        /// The columns' titles.
        head: Vec<&'static str>,
        /// A cell per column each.
        rows: Vec<Vec<String>>,
    },
}

impl Content {
    /// The lines between the marks, the last one ended, too.
    pub(super) fn render(&self, syntax: Syntax) -> String {
        match syntax {
            Syntax::Markdown => self.markdown(),
            Syntax::Script => self.comment(),
        }
    }

    fn markdown(&self) -> String {
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

    /// As a comment: a table's columns are as wide as their widest cell, the last one is open.
    fn comment(&self) -> String {
        let lines = match self {
            Self::Shell(text) | Self::Text(text) => text.lines().map(str::to_owned).collect(),
            Self::Table { head, rows } => aligned(head.len(), rows),
        };
        lines.iter().map(|line| format!("#   {line}").trim_end().to_owned() + "\n").collect()
    }
}

fn markdown_row(cells: &[String]) -> String {
    let cells = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " "));
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

fn aligned(columns: usize, rows: &[Vec<String>]) -> Vec<String> {
    let plain = |cell: &String| cell.replace('`', "");
    let width = |column: usize| {
        rows.iter().map(|row| plain(&row[column]).chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{:width$}", plain(cell)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{Content, Syntax};

    #[test]
    fn each_kind_of_guide_has_its_form() {
        let table = Content::Table {
            head: vec!["Name", "Meaning"],
            rows: vec![vec!["`A`".into(), "one|two".into()], vec!["`LONG`".into(), "x".into()]],
        };
        let shell = Content::Shell("docker run \\\n  x".into());
        let shown = |syntax| [&table, &shell].map(|content| content.render(syntax)).join("\n");
        insta::assert_snapshot!(shown(Syntax::Markdown), @r"
        | Name | Meaning |
        | --- | --- |
        | `A` | one\|two |
        | `LONG` | x |

        ```sh
        docker run \
          x
        ```
        ");
        insta::assert_snapshot!(shown(Syntax::Script), @r"
        #   A     one|two
        #   LONG  x

        #   docker run \
        #     x
        ");
    }
}
