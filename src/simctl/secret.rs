//! Passwords: asked for at the terminal without showing them, or read from a file. Never from the command line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use super::failure::Failure;

/// Longest line of a file, in bytes; a password of IPMI has 20.
const LONGEST: u64 = 4096;

/// The first line of a file, or of standard input for `-`.
///
/// # Errors
/// It cannot be read, or is no text.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error| Failure::Local(format!("Unable to read the password in {}: {error}", path.display()));
    match path.as_os_str() == "-" {
        true => first_line(io::stdin().lock()),
        false => File::open(path).and_then(first_line),
    }
    .map_err(failed)
}

fn first_line(input: impl Read) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(input.take(LONGEST)).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// The terminal of this process.
fn terminal() -> Result<File, Failure> {
    let none = |_| Failure::Usage("There is no terminal to ask for the password: take --password-file".into());
    File::options().read(true).write(true).open("/dev/tty").map_err(none)
}

fn failed(error: io::Error) -> Failure {
    Failure::Local(format!("Unable to ask for the password: {error}"))
}

/// Asks for one that there is already, at the terminal of this process.
///
/// # Errors
/// There is no terminal.
pub(super) fn ask_once(prompt: &str) -> Result<String, Failure> {
    let terminal = terminal()?;
    let silent = Silent::begin(&terminal).map_err(failed)?;
    let word = line_of(&terminal, prompt).map_err(failed);
    drop(silent);
    word
}

/// Asks for a new one at the terminal of this process, twice.
///
/// # Errors
/// There is no terminal, or the two are not the same.
pub(super) fn ask(prompt: &str) -> Result<String, Failure> {
    let terminal = terminal()?;
    let silent = Silent::begin(&terminal).map_err(failed)?;
    let first = line_of(&terminal, prompt).map_err(failed)?;
    let second = line_of(&terminal, "Again: ").map_err(failed)?;
    drop(silent);
    match first == second {
        true => Ok(first),
        false => Err(Failure::Usage("The two are not the same".into())),
    }
}

fn line_of(mut terminal: &File, prompt: &str) -> io::Result<String> {
    terminal.write_all(prompt.as_bytes())?;
    // No buffer, which could take the next line with it. A terminal gives one line at a time.
    let (mut line, mut byte) = (Vec::new(), [0; 1]);
    while terminal.read(&mut byte)? == 1 && byte != *b"\n" {
        line.extend(byte);
    }
    terminal.write_all(b"\n")?;
    String::from_utf8(line).map_err(|_| io::Error::other("it is no text in UTF-8"))
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silent<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn begin(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(terminal, SetArg::TCSAFLUSH, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing.
        let _ = tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        for (content, password) in [("secret\n", "secret"), ("a b \r\nmore", "a b "), ("ä", "ä"), ("", "")] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read(&path).unwrap(), password);
        }
        let text = read(&folder.path().join("absent")).unwrap_err().to_string();
        assert!(text.contains("absent"), "{text}");
    }
}
