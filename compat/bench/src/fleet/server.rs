//! The program with a fleet, its files, and what it has said.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::super::Result;
use super::super::start::Running;
use super::clients::ping;
use super::range::Range;

/// How long anything may take before it is given up.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How many pings are on their way at once, and how soon one is sent again.
const PINGS: (usize, Duration) = (128, Duration::from_millis(100));

/// Which program, which files, and where its BMCs are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The program.
    pub program: PathBuf,
    /// Folder of the example's files.
    pub example: PathBuf,
    /// UDP port of all BMCs.
    pub port: u16,
}

/// A folder for a fleet's files, and who runs there.
pub struct Server {
    places: Places,
    folder: TempDir,
    running: Option<Running>,
}

impl Server {
    /// Nobody runs yet.
    pub fn new(places: &Places) -> Result<Self> {
        let places = Places {
            program: fs::canonicalize(&places.program)?,
            example: fs::canonicalize(&places.example)?,
            port: places.port,
        };
        Ok(Self { places, folder: tempfile::tempdir()?, running: None })
    }

    /// The file of this name in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        fs::write(self.path(name), text)?;
        Ok(self.path(name))
    }

    /// A file of the example.
    pub fn example(&self, name: &str) -> Result<String> {
        Ok(fs::read_to_string(self.places.example.join(name))?)
    }

    /// Starts it with these options and asks all of `range`, which may be a part of it, until they answer; gives how long that
    /// took.
    pub fn start(&mut self, options: &[&str], range: Range) -> Result<Duration> {
        self.running = None;
        let file = |name: &str| self.places.example.join(name).into_os_string();
        let mut command = Command::new(&self.places.program);
        command.arg("-n").args(options).args(["-s", "state"]).arg("-c").arg(file("lan.conf"));
        command.arg("-f").arg(file("sim.emu")).current_dir(self.folder.path()).env_remove("RUST_LOG");
        let start = Instant::now();
        self.running = Some(Running::start_with_log(&mut command, &self.path("log"))?);
        // The first one alone: pings to a port that is closed cost the machine what the start needs.
        let left = ping(range.part(0, 1), 1, Duration::from_millis(2), start + PATIENCE)?;
        if left > 0 || self.silent(range)? > 0 {
            return Err(format!("not all of {} BMCs answer:\n{}", range.count, self.said()).into());
        }
        Ok(start.elapsed())
    }

    /// How many of these do not answer pings within [`PATIENCE`].
    pub fn silent(&self, range: Range) -> Result<usize> {
        ping(range, PINGS.0, PINGS.1, Instant::now() + PATIENCE)
    }

    /// The program.
    pub fn running(&mut self) -> Result<&mut Running> {
        Ok(self.running.as_mut().ok_or("nobody runs")?)
    }

    /// Its process id.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.running.as_ref().ok_or("nobody runs")?.pid())
    }

    /// The last lines that it has said.
    pub fn said(&self) -> String {
        let said = fs::read_to_string(self.path("log")).unwrap_or_default();
        said.lines().skip(said.lines().count().saturating_sub(10)).collect::<Vec<_>>().join("\n")
    }

    /// Whether it has said something `times` times.
    pub fn has_said(&self, what: &str, times: usize) -> bool {
        fs::read_to_string(self.path("log")).is_ok_and(|said| said.matches(what).count() >= times)
    }

    /// The folder of its states.
    pub fn state(&self) -> PathBuf {
        self.path("state")
    }
}

/// Makes a file executable.
pub fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}
