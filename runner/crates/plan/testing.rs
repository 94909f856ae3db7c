//! Requests and resolved runs for tests.

use clap::Parser;
use host::machine::Host;

use crate::options::{Request, Resolved, Settings};

/// The request of a command line.
pub fn request(line: &str) -> Request {
    parsed(shlex::split(line).expect("a shell line")).expect("a request")
}

/// Parses the words of a command line.
///
/// # Errors
/// When clap refuses the words.
pub(crate) fn parsed(words: Vec<String>) -> Result<Request, clap::Error> {
    #[derive(Debug, Parser)]
    #[command(no_binary_name = true)]
    struct Line {
        #[command(flatten)]
        request: Request,
    }
    Line::try_parse_from(words).map(|line| line.request)
}

/// The resolved run of a request, without a look at the disk.
pub fn resolved(request: Request, host: &Host) -> Resolved {
    Settings::new(request, host).and_then(|settings| settings.assume(host)).unwrap()
}
