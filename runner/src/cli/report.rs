//! Options of `aienergyscore report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use report::{
    command::{Output, Request},
    submission::ModelClass,
};

/// `aienergyscore report`.
#[derive(Debug, Clone, Args)]
#[command(display_name = "aienergyscore", after_help = EXAMPLES)]
pub struct ReportArgs {
    /// Results folders, or folders that hold some [default: ./results; env: RESULTS_DIR]
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Read earlier results, in `previous`, too
    #[arg(long)]
    previous: bool,
    /// Print JSON
    #[arg(long, group = "output")]
    json: bool,
    /// Print CSV with the columns of AIEnergyScore's master_results.csv
    #[arg(long, group = "output")]
    csv: bool,
    /// Write one page that needs nothing else, for a browser
    #[arg(long, group = "output", value_name = "FILE")]
    html: Option<PathBuf>,
    /// Pack the logs for AIEnergyScore's submission portal, if its rules admit the runs
    #[arg(long, group = "output", value_name = "OUT.zip")]
    submission: Option<PathBuf>,
    /// With --submission: class of the model; only C may use several GPUs
    #[arg(long, value_name = "CLASS", requires = "submission", ignore_case = true)]
    class: Option<ClassArg>,
    /// Write over a FILE or OUT.zip that is there
    #[arg(long)]
    overwrite: bool,
}

/// [`ModelClass`] as an option.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ClassArg {
    /// Fits a consumer's GPU, up to 20 billion parameters
    #[value(name = "A")]
    A,
    /// Fits one H100, up to 66 billion parameters
    #[value(name = "B")]
    B,
    /// Needs several GPUs
    #[value(name = "C")]
    C,
}

const EXAMPLES: &str = "\
Examples:
  # the run in ./results
  aienergyscore report
  # several runs side by side, those of the same with their spread
  aienergyscore report /data/runs
  aienergyscore report ./results --previous
  # the same as a page to look at, to print, or to send
  aienergyscore report /data/runs --html runs.html
  # for a spreadsheet, and for a program
  aienergyscore report /data/runs --csv > master_results.csv
  aienergyscore report --json | jq '.runs[].wh_per_1000_prompts.gpu.value'
  # for the leaderboard
  aienergyscore report --submission openai-gpt-oss-20b.zip ./results

A folder may be of this program or of the benchmark stacks alone. One that cannot be read is listed
as broken and stops nothing; the exit code is 1 when none could be read, or when a submission is
refused.";

impl ReportArgs {
    /// The request without clap's types.
    pub fn into_request(self) -> Request {
        let Self { folders, previous, json, csv, html, submission, class, overwrite } = self;
        let class = class.map(|class| match class {
            ClassArg::A => ModelClass::A,
            ClassArg::B => ModelClass::B,
            ClassArg::C => ModelClass::C,
        });
        let output = match (json, csv, html, submission) {
            (true, ..) => Output::Json,
            (_, true, ..) => Output::Csv,
            (_, _, Some(file), _) => Output::Page(file),
            (_, _, _, Some(archive)) => Output::Submission { archive, class },
            (false, false, None, None) => Output::Table,
        };
        Request { folders, previous, output, overwrite }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::Parser as _;
    use report::{
        command::{Output, Request},
        submission::ModelClass,
    };

    use crate::cli::{Cli, Command};

    fn request(words: &[&str]) -> Result<Request, i32> {
        let words = ["aienergyscore", "report"].iter().chain(words);
        match Cli::try_parse_from(words) {
            Ok(Cli { command: Command::Report(args) }) => Ok(args.into_request()),
            Ok(_) => panic!("another command"),
            Err(error) => Err(error.exit_code()),
        }
    }

    #[test]
    fn options_select_one_output() {
        let table =
            Request { folders: vec![], previous: false, output: Output::Table, overwrite: false };
        assert_eq!(request(&[]), Ok(table.clone()));
        let folders = vec![PathBuf::from("a"), "b".into()];
        let page = Output::Page("x.html".into());
        assert_eq!(
            request(&["a", "b", "--previous", "--html", "x.html", "--overwrite"]),
            Ok(Request { folders, previous: true, output: page, overwrite: true })
        );
        let archive = "o.zip".into();
        let output = Output::Submission { archive, class: Some(ModelClass::C) };
        for class in ["C", "c"] {
            let submission = request(&["--submission", "o.zip", "--class", class]);
            assert_eq!(submission, Ok(Request { output: output.clone(), ..table.clone() }));
        }
        for wrong in [&["--json", "--csv"][..], &["--class", "A"], &["--html"]] {
            assert_eq!(request(wrong), Err(2), "{wrong:?}");
        }
    }
}
