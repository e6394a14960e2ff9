//! Says things: results on standard output, progress and failures on standard error, each in one line.
//!
//! A reader that went away (`chainflix demo | head`) is no reason to stop what runs, so failing writes are ignored.

use anyhow::Error;
use std::{
    fmt::{self, Display},
    io::{self, Write as _},
    process::ExitCode,
};

/// A line of the result.
pub fn say(line: impl Display) {
    let _reader_gone = writeln!(io::stdout(), "{line}");
}

/// A line about the way to the result.
pub fn note(line: impl Display) {
    let _reader_gone = writeln!(io::stderr(), "{line}");
}

/// An error of whoever asked, as opposed to one of what was asked for.
#[derive(Debug)]
struct WrongUse(String);

impl Display for WrongUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUse {}

/// An error that ends the process with exit code 2.
pub fn wrong_use(message: impl Into<String>) -> Error {
    Error::new(WrongUse(message.into()))
}

/// Says why it failed, and with which exit code.
pub fn fail(error: &Error) -> ExitCode {
    note(format_args!("error: {}", one_line(error)));
    if error.is::<WrongUse>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// An error and its causes in one line. A cause that the line before it already tells is left out.
pub fn one_line(error: &Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(|cause| cause.to_string()) {
        if line.contains(&cause) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&cause);
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn causes_are_told_once_and_in_one_line() {
        let error = Err::<(), _>(Error::msg("the disk\nis full")).context("cannot keep the cell").unwrap_err();
        assert_eq!(one_line(&error), "cannot keep the cell: the disk is full");
        assert_eq!(one_line(&error.context("cannot keep the cell")), "cannot keep the cell: the disk is full");
    }

    #[test]
    fn wrong_use_is_told_from_failure() {
        assert!(wrong_use("no").is::<WrongUse>());
        assert!(!Error::msg("no").is::<WrongUse>());
    }
}
