//! `aienergyscore man`: writes a man page for each command.

use std::{fs, io, path::Path};

use anyhow::{Context as _, bail};
use clap::Command;
use clap_mangen::Man;
use host::{exit::Exit, machine::Host, output::terminal};
use hub::boundary::check_path;
use untrusted::{Dir, escape};

use crate::cli;

/// Size limit of an existing page. A larger file is not a page of this program.
const MAX_BYTES: u64 = 1 << 20;

/// Writes the pages to the folder `out`. A file that differs from its page is replaced only with
/// `overwrite`. Without it, no page is written then.
///
/// # Errors
/// When a file differs, or the folder cannot be written.
pub fn run(out: &Path, overwrite: bool) -> anyhow::Result<Exit> {
    check_path("folder of the man pages", out, &Host::read()?)?;
    let shown = escape(&out.to_string_lossy());
    fs::create_dir_all(out).with_context(|| format!("creating the folder `{shown}`"))?;
    let dir = Dir::open(out).with_context(|| format!("opening the folder `{shown}`"))?;
    let pages = pages(&cli::command())?;
    let mut outdated = vec![];
    for page in &pages {
        match dir.read(&page.file, MAX_BYTES) {
            Ok(text) if text == page.text.as_bytes() => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => outdated.push(page),
            Ok(_) | Err(_) if overwrite => outdated.push(page),
            Ok(_) | Err(_) => bail!(
                "`{shown}/{}` exists and differs from the page; add --overwrite to replace it",
                page.file
            ),
        }
    }
    for Page { file, text } in &outdated {
        let text = text.as_bytes();
        let written = if overwrite { dir.write(file, text) } else { dir.write_new(file, text) };
        written.with_context(|| format!("writing `{shown}/{file}`"))?;
    }
    terminal::say(format_args!(
        "man pages in `{shown}`: {} written, {} already up to date",
        outdated.len(),
        pages.len() - outdated.len()
    ));
    Ok(Exit::Success)
}

/// A man page.
#[derive(Debug)]
struct Page {
    /// Its file name, such as `aienergyscore-run.1`.
    file: String,
    text: String,
}

/// The pages of `program` and of its visible commands.
fn pages(program: &Command) -> anyhow::Result<Vec<Page>> {
    let mut program = program.clone().disable_help_subcommand(true);
    program.build();
    let mut pages = vec![];
    add_pages(&program, program.get_name(), &mut pages)?;
    Ok(pages)
}

fn add_pages(command: &Command, name: &str, pages: &mut Vec<Page>) -> anyhow::Result<()> {
    let mut text = vec![];
    // The section VERSION has the commit, which does not fit into the footer.
    let source = concat!("aienergyscore ", env!("CARGO_PKG_VERSION"));
    Man::new(command.clone().display_name(name)).source(source).render(&mut text)?;
    let text = with_unbroken_commands(&String::from_utf8(text)?);
    pages.push(Page { file: format!("{name}.1"), text });
    for below in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        add_pages(below, &format!("{name}-{}", below.get_name()), pages)?;
    }
    Ok(())
}

/// The page with examples that can be pasted: their lines stay as they are, and no word is hyphenated.
fn with_unbroken_commands(page: &str) -> String {
    let mut lines = vec![];
    let mut is_example = false;
    for line in page.lines() {
        if is_example && (line.is_empty() || line.starts_with(".SH")) {
            lines.push(".fi");
            is_example = false;
        }
        match line {
            ".SH EXTRA" => lines.push(".SH EXAMPLES"),
            "Examples:" => {
                lines.push(".nf");
                is_example = true;
            }
            line => lines.push(line),
        }
        if line.starts_with(".TH") {
            lines.extend([".nh", ".ad l"]);
        }
    }
    lines.join("\n") + "\n"
}
