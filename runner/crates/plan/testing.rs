//! Runs that tests plan.

use clap::Parser;
use host::machine::Host;

use crate::options::{Request, Resolved, Settings};

/// The request that a command line makes.
pub fn request(line: &str) -> Request {
    parsed(shlex::split(line).expect("a shell line")).expect("a request")
}

/// The request that the words of a command line make.
pub fn parsed(words: Vec<String>) -> Result<Request, clap::Error> {
    #[derive(Debug, Parser)]
    #[command(no_binary_name = true)]
    struct Line {
        #[command(flatten)]
        request: Request,
    }
    Line::try_parse_from(words).map(|line| line.request)
}

/// The run of a request, on a disk that holds nothing that matters.
pub fn resolved(request: Request, host: &Host) -> Resolved {
    Settings::new(request, host).and_then(|settings| settings.assume(host)).unwrap()
}
