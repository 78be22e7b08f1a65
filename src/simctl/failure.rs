//! Why something was not done, and the exit status that says so.

use std::fmt;
use std::io;

use super::model::Problem;

/// The exit status of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// It is done.
    Done = 0,
    /// It was refused, or it failed; of several BMCs one.
    Refused = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Nobody is at the control door, or it is not ready; a BMC that is to be read does not answer.
    Unreachable = 3,
    /// It did not happen in time.
    TimedOut = 4,
    /// There is no such BMC, sensor, user or the like.
    NotFound = 5,
    /// The token is missing or wrong, or the socket belongs to somebody else; a login is refused.
    NotAllowed = 6,
    /// It could not be done, where 1 has another meaning: `compare` could not compare.
    Undone = 7,
}

impl Status {
    /// The status of a whole that has parts which ended so: theirs, if they agree.
    pub(super) fn of_all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut failed = parts.into_iter().filter(|part| *part != Self::Done);
        match failed.next() {
            None => Self::Done,
            Some(first) if failed.all(|other| other == first) => first,
            Some(_) => Self::Refused,
        }
    }
}

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line asks for something that makes no sense.
    Usage(String),
    /// Nobody is at the door.
    Unreachable(String),
    /// Somebody is there who does not let this user in.
    NotAllowed(String),
    /// It did not happen in time.
    TimedOut(String),
    /// There is no such thing.
    NotFound(String),
    /// The server said so.
    Problem(Problem),
    /// The same where that has a status of its own.
    Undone(String),
    /// It failed on this side: a file that cannot be read, or a response that makes no sense.
    Local(String),
    /// Nobody reads the output any more.
    OutputClosed,
}

impl Failure {
    /// The exit status that says so.
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Usage(_) => Status::Usage,
            Self::Unreachable(_) => Status::Unreachable,
            Self::NotAllowed(_) => Status::NotAllowed,
            Self::TimedOut(_) => Status::TimedOut,
            Self::NotFound(_) => Status::NotFound,
            Self::Local(_) => Status::Refused,
            Self::Undone(_) => Status::Undone,
            // Who reads no further, as `head`, has what he wanted.
            Self::OutputClosed => Status::Done,
            Self::Problem(problem) => match problem.status {
                401 | 403 => Status::NotAllowed,
                404 => Status::NotFound,
                503 => Status::Unreachable,
                _ => Status::Refused,
            },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text)
            | Self::Unreachable(text)
            | Self::NotAllowed(text)
            | Self::TimedOut(text)
            | Self::NotFound(text)
            | Self::Undone(text)
            | Self::Local(text) => f.write_str(text),
            Self::Problem(problem) => problem.fmt(f),
            Self::OutputClosed => f.write_str("Nobody reads the output"),
        }
    }
}

impl From<io::Error> for Failure {
    /// Of an output.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Local(format!("Unable to write output: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_ends_as_its_parts_do() {
        use Status::{Done, NotFound, Refused, Unreachable};
        assert_eq!(Status::of_all([]), Done);
        assert_eq!(Status::of_all([Done, Done]), Done);
        assert_eq!(Status::of_all([Done, NotFound, NotFound]), NotFound);
        assert_eq!(Status::of_all([NotFound, Done, Unreachable]), Refused);
    }

    #[test]
    fn what_the_server_says_becomes_a_status() {
        for (status, expected) in [
            (401, Status::NotAllowed),
            (403, Status::NotAllowed),
            (404, Status::NotFound),
            (409, Status::Refused),
            (422, Status::Refused),
            (503, Status::Unreachable),
        ] {
            assert_eq!(Failure::Problem(Problem { status, ..Problem::default() }).status(), expected, "{status}");
        }
    }
}
