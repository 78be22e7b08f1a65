//! How far work on many BMCs is, as a bar on a terminal.
//!
//! Owns one line of standard error while it is shown. Never decides whether lines there are for people.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// What is over sooner has no bar, and it is not drawn more often.
const PAUSE: Duration = Duration::from_millis(150);
/// Characters of a whole bar.
const WIDTH: usize = 30;

/// A bar on standard error, if that is a terminal.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    total: usize,
    next: Option<Instant>,
    /// There is one on the screen.
    shown: bool,
}

impl Progress {
    /// A bar for so many.
    pub fn new(what: &'static str, total: usize) -> Self {
        let visible = std::io::stderr().is_terminal();
        Self { what, total, next: visible.then(|| Instant::now() + PAUSE), shown: false }
    }

    /// None.
    pub fn none() -> Self {
        Self { what: "", total: 0, next: None, shown: false }
    }

    /// So many are done.
    pub fn show(&mut self, done: usize) {
        let Some(next) = &mut self.next else { return };
        let now = Instant::now();
        if now >= *next {
            *next = now + PAUSE;
            self.shown = true;
            let _ = std::io::stderr().write_all(format!("\r{}", bar(self.what, done, self.total)).as_bytes());
        }
    }

    /// It is over: the line is empty again.
    pub fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = std::io::stderr().write_all(b"\r\x1b[K");
        }
        self.next = None;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn bar(what: &str, done: usize, total: usize) -> String {
    let full = WIDTH * done.min(total) / total.max(1);
    format!("{what} [{}{}] {done} of {total}", "#".repeat(full), " ".repeat(WIDTH - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills() {
        let half = format!("Starting [{}{}] 50 of 100", "#".repeat(15), " ".repeat(15));
        assert_eq!(bar("Starting", 50, 100), half);
        assert_eq!(bar("Starting", 100, 100), format!("Starting [{}] 100 of 100", "#".repeat(30)));
        assert!(bar("Starting", 0, 0).ends_with(" 0 of 0"));
    }
}
