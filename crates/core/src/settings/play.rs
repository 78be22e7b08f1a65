//! What `play:` of a `sol` line says: a console that nothing is behind, and that speaks all the same.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::follow::Decimal;

/// What a console plays, one part after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Play {
    /// The parts, in order.
    pub parts: Vec<Part>,
}

impl fmt::Display for Play {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, part) in self.parts.iter().enumerate() {
            let kind = match part {
                Part::Recording { source: Source::Log { .. }, .. } => "log",
                Part::Recording { source: Source::Typescript { .. }, .. } => "typescript",
                Part::Recording { source: Source::Cast { .. }, .. } => "cast",
                Part::Prompt(_) => "prompt",
            };
            let comma = if number > 0 { ", " } else { "" };
            write!(f, "{comma}{kind}")?;
            if let Part::Recording { source, .. } = part {
                write!(f, " {}", source.file())?;
            }
        }
        Ok(())
    }
}

/// A part of a [`Play`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Bytes that come at their time.
    Recording {
        /// Where they come from.
        source: Source,
        /// The bytes; none before the files were read.
        recording: Arc<Recording>,
    },
    /// Somebody who answers, for ever.
    Prompt(Prompt),
}

/// The files of a [`Part::Recording`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// `log FILE [rate LINES]`
    Log {
        /// Path of the text.
        file: String,
        /// Lines in a second, more than 0; all at once without it.
        rate: Option<Decimal>,
    },
    /// `typescript FILE timing FILE [speed FACTOR]`
    Typescript {
        /// Path of what script(1) recorded.
        file: String,
        /// Path of its timing.
        timing: String,
        /// How many times as fast, more than 0.
        speed: Decimal,
    },
    /// `cast FILE [speed FACTOR]`
    Cast {
        /// Path of what asciinema recorded.
        file: String,
        /// How many times as fast, more than 0.
        speed: Decimal,
    },
}

impl Source {
    /// Path of what is said.
    pub fn file(&self) -> &str {
        match self {
            Self::Log { file, .. } | Self::Typescript { file, .. } | Self::Cast { file, .. } => file,
        }
    }
}

/// `prompt [TEXT] [banner TEXT]`: bytes as a terminal gets them, with CR LF between lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// What comes first, once.
    pub banner: Vec<u8>,
    /// What stands before what is typed.
    pub prompt: Vec<u8>,
}

/// Bytes, each with the time at which it comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    bytes: Vec<u8>,
    steps: Vec<Step>,
    length: Duration,
}

/// Some bytes of a [`Recording`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    /// Since the beginning.
    at: Duration,
    /// Where those end that have come by then.
    end: usize,
}

impl Recording {
    /// Adds what comes so long after the beginning, or with what was added before, whichever is later.
    pub fn push(&mut self, at: Duration, bytes: &[u8]) {
        self.lasts(at);
        if bytes.is_empty() {
            return;
        }
        self.bytes.extend_from_slice(bytes);
        let end = self.bytes.len();
        match self.steps.last_mut() {
            Some(last) if last.at == self.length => last.end = end,
            _ => self.steps.push(Step { at: self.length, end }),
        }
    }

    /// It goes on for at least so long.
    pub fn lasts(&mut self, length: Duration) {
        self.length = self.length.max(length);
    }

    /// How long it goes on.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// How many steps it has.
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// When a step comes, since the beginning, and where its bytes end.
    pub fn step(&self, number: usize) -> Option<(Duration, usize)> {
        self.steps.get(number).map(|step| (step.at, step.end))
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_at_one_time_is_one_step_and_time_never_goes_back() {
        let mut recording = Recording::default();
        for (at, bytes) in [(0, "a"), (0, "b"), (5, ""), (3, "c"), (7, "d"), (7, "e")] {
            recording.push(Duration::from_secs(at), bytes.as_bytes());
        }
        recording.lasts(Duration::from_secs(6));
        let steps: Vec<_> = (0..).map_while(|number| recording.step(number)).collect();
        assert_eq!(steps, [(0, 2), (5, 3), (7, 5)].map(|(at, end)| (Duration::from_secs(at), end)));
        assert_eq!((recording.bytes(), recording.length()), (&b"abcde"[..], Duration::from_secs(7)));
    }
}
