//! What is wrong in a file that is read, and where.

use std::fmt;

/// Where in a file something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    Whole,
    /// This many bytes behind its beginning.
    Offset(usize),
    /// This line, from 1.
    Line(usize),
}

/// What is wrong, or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What, as a sentence without its full stop.
    pub text: String,
}

impl Fault {
    /// About the whole file.
    pub fn whole(text: impl Into<String>) -> Self {
        Self { place: Place::Whole, text: text.into() }
    }

    /// About what begins at an offset.
    pub fn at(offset: usize, text: impl Into<String>) -> Self {
        Self { place: Place::Offset(offset), text: text.into() }
    }

    /// About a line.
    pub fn in_line(line: usize, text: impl Into<String>) -> Self {
        Self { place: Place::Line(line), text: text.into() }
    }
}

impl fmt::Display for Fault {
    /// What stands behind the name of the file and a colon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Whole => write!(f, " {}", self.text),
            Place::Offset(offset) => write!(f, " at byte {offset} ({offset:#x}): {}", self.text),
            Place::Line(line) => write!(f, "{line}: {}", self.text),
        }
    }
}
