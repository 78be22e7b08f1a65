//! How text looks: colour where a terminal shows it, and no control characters of others.

use std::borrow::Cow;
use std::io::IsTerminal;

use clap::ValueEnum;

/// When there is colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// At a terminal, unless NO_COLOR is set or TERM is `dumb`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// Whether there is colour in what goes to an output.
    pub(super) fn is_for(self, output: &impl IsTerminal) -> bool {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                output.is_terminal()
                    && !is_set("NO_COLOR")
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Style {
    /// As everything else.
    #[default]
    Plain,
    /// A heading.
    Heading,
    /// As it should be.
    Good,
    /// To be looked at.
    Warning,
    /// To be looked at now.
    Bad,
    /// Of less importance.
    Quiet,
}

impl Style {
    /// Text in this style.
    pub(super) fn paint(self, text: &str) -> Cow<'_, str> {
        let code = match self {
            Self::Plain => return Cow::Borrowed(text),
            Self::Heading => "1",
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "1;31",
            Self::Quiet => "2",
        };
        Cow::Owned(format!("\x1b[{code}m{text}\x1b[0m"))
    }

    /// That of a power state.
    pub(super) fn of_power(power: &str) -> Self {
        match power {
            "on" => Self::Good,
            "off" => Self::Plain,
            _ => Self::Warning,
        }
    }

    /// That of a number of which there should be none.
    pub(super) fn of_count(count: u64) -> Self {
        if count == 0 { Self::Plain } else { Self::Bad }
    }

    /// That of a crossed threshold.
    pub(super) fn of_threshold(name: &str) -> Self {
        if name.ends_with("non_critical") { Self::Warning } else { Self::Bad }
    }
}
