//! The files that consoles play (`play:` of a `sol` line), read when a configuration is.
//!
//! Each file is read once for all systems that play it. Looks nothing up again: whoever reads a configuration anew
//! begins with none.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::configuration::source_line;
use crate::config::text::os_string;
use crate::config::{Diagnostic, Severity, play};
use crate::settings::model::{Config, Setting, SolTarget};
use crate::settings::play::{Part, Play, Recording, Source};
use crate::store::directory::message;

/// Longest file that is played, in bytes.
const LONGEST: u64 = 16 << 20;

/// Why there is no recording.
#[derive(Clone, Debug)]
enum Trouble {
    /// A file cannot be read: its name as written, and why.
    Unreadable(String),
    /// Something is wrong in it.
    Fault(Box<Diagnostic>),
}

type Known = Result<Arc<Recording>, Trouble>;

/// What was read so far.
#[derive(Debug, Default)]
pub(crate) struct Recordings {
    /// By folder of the configuration and source.
    files: Mutex<HashMap<(PathBuf, Source), Known>>,
    /// Plays that are the same for several systems, files read.
    plays: Mutex<Vec<Arc<Play>>>,
}

/// Most plays that are held beside each other.
const MOST_PLAYS: usize = 16;

impl Recordings {
    /// Reads what the consoles of a configuration play. `file` and `text` are its name and text, for what is wrong. A file
    /// is looked for as named, from the working directory, and then beside the configuration.
    pub(crate) fn load(&self, config: &mut Config, file: &str, text: &str) -> Vec<Diagnostic> {
        let mut faults = Vec::new();
        for index in 0..config.controllers.len() {
            let Some(controller) = config.controllers.get_mut(index) else { continue };
            let mc = controller.address;
            let Some(SolTarget::Play(play)) = controller.sol.as_mut().map(|sol| &mut sol.target) else { continue };
            let troubles = self.play(play, Path::new(file).parent().unwrap_or(Path::new("")));
            let span = config.place(Setting { mc, channel: None, keyword: "sol" });
            faults.extend(troubles.into_iter().map(|trouble| match trouble {
                Trouble::Fault(fault) => *fault,
                Trouble::Unreadable(message) => Diagnostic {
                    severity: Severity::Error,
                    file: file.into(),
                    span,
                    message,
                    source_line: source_line(text, span.line),
                },
            }));
        }
        faults
    }

    fn play(&self, play: &mut Arc<Play>, folder: &Path) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        for part in &mut Arc::make_mut(play).parts {
            if let Part::Recording { source, recording } = part {
                match self.recording(source, folder) {
                    Ok(read) => *recording = read,
                    Err(trouble) => troubles.push(trouble),
                }
            }
        }
        let mut plays = self.plays.lock().unwrap_or_else(PoisonError::into_inner);
        match plays.iter().find(|known| **known == *play) {
            Some(known) => play.clone_from(known),
            None => {
                plays.truncate(MOST_PLAYS - 1);
                plays.insert(0, Arc::clone(play));
            }
        }
        troubles
    }

    fn recording(&self, source: &Source, folder: &Path) -> Known {
        let key = (folder.to_owned(), source.clone());
        let mut known = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&key) {
            return known.clone();
        }
        let read = record(source, folder).map(Arc::new);
        known.insert(key, read.clone());
        read
    }
}

fn record(source: &Source, folder: &Path) -> Result<Recording, Trouble> {
    let (name, text) = read(source.file(), folder)?;
    match source {
        Source::Log { rate, .. } => Ok(play::log(&text, *rate)),
        Source::Typescript { timing, speed, .. } => {
            let (timing_name, timing) = read(timing, folder)?;
            play::typescript(&text, &timing, &timing_name, *speed).map_err(Trouble::Fault)
        }
        Source::Cast { speed, .. } => play::cast(&text, &name, *speed).map_err(Trouble::Fault),
    }
}

/// A file, and the name under which it was found.
fn read(path: &str, folder: &Path) -> Result<(String, Vec<u8>), Trouble> {
    let named = PathBuf::from(os_string(path));
    let beside = folder.join(&named);
    let found = match read_file(&named) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && beside != named => {
            read_file(&beside).map(|text| (beside.display().to_string(), text)).map_err(|_| error)
        }
        read => read.map(|text| (path.to_owned(), text)),
    };
    found.map_err(|error| Trouble::Unreadable(format!("{path} cannot be played: {}", message(&error))))
}

/// What is in a file that is no pipe and no device, if that is not too much.
pub(super) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    // Before it is opened: a pipe nobody writes to would wait for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other(format!("it has more than {} MiB", LONGEST >> 20)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::lan_conf;

    fn load(recordings: &Recordings, folder: &Path, line: &str) -> (Arc<Play>, Vec<Diagnostic>) {
        let text = format!("name \"x\"\n{line}\n");
        let (config, faults) = lan_conf::parse("lan.conf", text.as_bytes());
        let mut config = config.unwrap_or_else(|| panic!("{faults:?}"));
        let faults = recordings.load(&mut config, &folder.join("lan.conf").display().to_string(), &text);
        let Some(SolTarget::Play(play)) = config.controllers[0].sol.take().map(|sol| sol.target) else { panic!() };
        (play, faults)
    }

    fn bytes(part: &Part) -> &[u8] {
        let Part::Recording { recording, .. } = part else { panic!() };
        recording.bytes()
    }

    #[test]
    fn a_file_is_in_memory_once_for_all_who_play_it() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("boot.log"), "hello\n").unwrap();
        std::fs::write(root.path().join("a.cast"), "{\"version\": 2}\n[1, \"o\", \"x\"]\n").unwrap();
        let recordings = Recordings::default();
        let line = |login: &str| format!("sol \"play:log boot.log, cast a.cast, prompt '{login}'\" 9600");
        let (first, faults) = load(&recordings, root.path(), &line("a"));
        assert_eq!(
            (faults, bytes(&first.parts[0]), bytes(&first.parts[1])),
            (Vec::new(), &b"hello\r\n"[..], &b"x"[..])
        );
        let [(same, _), (other, _)] = ["a", "b"].map(|login| load(&recordings, root.path(), &line(login)));
        assert!(Arc::ptr_eq(&first, &same) && !Arc::ptr_eq(&first, &other));
        let [Part::Recording { recording: one, .. }, Part::Recording { recording: two, .. }] =
            [&first, &other].map(|play| &play.parts[0])
        else {
            panic!()
        };
        assert!(Arc::ptr_eq(one, two));
    }

    #[test]
    fn what_cannot_be_played_is_told_where_it_is_named_or_where_it_is_wrong() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("bad.cast"), "{\"version\": 2}\nnonsense\n").unwrap();
        let recordings = Recordings::default();
        let line = "sol \"play:log none.log, cast bad.cast, log /dev/zero\" 9600";
        let (_, faults) = load(&recordings, root.path(), line);
        let said: Vec<_> =
            faults.iter().map(|fault| (fault.span.line, fault.span.column, fault.message.as_str())).collect();
        let expected = [
            (2, 5, "none.log cannot be played: No such file or directory"),
            (2, 1, "expected an event such as [1.5, \"o\", \"text\"]"),
            (2, 5, "/dev/zero cannot be played: it is no file"),
        ];
        assert_eq!(said, expected);
        assert_eq!((faults[0].source_line.as_str(), faults[1].source_line.as_str()), (line, "nonsense"));
        assert!(faults[1].file.ends_with("bad.cast"), "{}", faults[1].file);
    }
}
