//! Slow work: helper programs and files, in lanes.
//!
//! Jobs of one lane run one after the other, in order; lanes run side by side. Helper
//! programs have one lane per MC, files one per path, state files one per name. A lane has a task while there is work in
//! it. Owns the lanes; knows nothing of what a job is for.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::fcntl::OFlag;

use super::programs::Programs;
use super::{HostEvent, HostEvents, report, shell, workers};
use crate::bmc::external::{FileContent, FileRead, FileWrite, FileWritten};
use crate::config::text::os_string;
use crate::ipmi::McAddress;
use crate::settings::model::Config;
use crate::sim::{Content, Input, ProgramEnd, SaveFailure, Saved, Work, WorkDone};
use crate::store::WriteError;
use crate::store::directory::{as_far_as_it_goes, message};

/// Replaces a state file durably: name and content.
pub type StateWriter = Arc<dyn Fn(&str, &[u8]) -> Result<(), WriteError> + Send + Sync>;

/// What orders a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum LaneKey {
    Program(McAddress),
    File(String),
    State(String),
}

/// How helper programs of a system run.
#[derive(Clone, Debug)]
pub struct Helpers {
    /// What they share with those of other systems.
    pub programs: Arc<Programs>,
    /// The name of the system, in their environment.
    pub name: Arc<str>,
    /// Its number in the configuration of a fleet, in their environment; 0 where there is only one.
    pub index: usize,
}

/// The name of a system, in the environment of its helper programs.
const NAME: &str = "IPMI_SIM_NAME";
/// Its number.
const INDEX: &str = "IPMI_SIM_INDEX";

/// The work of a system.
pub struct Jobs(Arc<Lanes>);

/// All lanes.
struct Lanes {
    /// What waits in those that have a task; `None` when the system is gone.
    waiting: Mutex<Option<HashMap<LaneKey, VecDeque<Work>>>>,
    events: HostEvents,
    state: Option<StateWriter>,
    helpers: Helpers,
}

impl Jobs {
    /// No work yet. Without `state` saving succeeds and keeps nothing.
    pub fn new(events: HostEvents, state: Option<StateWriter>, mut helpers: Helpers) -> Self {
        // Nothing else cannot stand in an environment.
        if helpers.name.contains('\0') {
            helpers.name = helpers.name.replace('\0', "").into();
        }
        Self(Arc::new(Lanes { waiting: Mutex::new(Some(HashMap::new())), events, state, helpers }))
    }

    /// Puts a job into its lane. Its result comes as [`Input::WorkDone`].
    pub fn run(&mut self, work: Work) {
        let key = match &work {
            Work::Program { lane, .. } => LaneKey::Program(*lane),
            Work::Read { read, .. } => LaneKey::File(read.path.clone()),
            Work::Write { write, .. } => LaneKey::File(write.path().to_owned()),
            Work::Save { name, .. } => LaneKey::State(name.clone()),
        };
        let mut waiting = self.0.waiting();
        let Some(lanes) = &mut *waiting else { return };
        match lanes.entry(key) {
            Entry::Occupied(mut lane) => lane.get_mut().push_back(work),
            Entry::Vacant(lane) => {
                tokio::spawn(serve(Arc::clone(&self.0), lane.key().clone()));
                lane.insert([work].into());
            }
        }
    }
}

impl Drop for Jobs {
    /// What runs is left to finish; what waits is given up.
    fn drop(&mut self) {
        *self.0.waiting() = None;
    }
}

impl Lanes {
    fn waiting(&self) -> MutexGuard<'_, Option<HashMap<LaneKey, VecDeque<Work>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next of a lane, which ends when there is none.
    fn next(&self, key: &LaneKey) -> Option<Work> {
        let mut waiting = self.waiting();
        let lanes = waiting.as_mut()?;
        let next = lanes.get_mut(key)?.pop_front();
        if next.is_none() {
            lanes.remove(key);
            if lanes.is_empty() {
                // Its memory goes as well.
                *lanes = HashMap::new();
            }
        }
        next
    }

    /// Takes everything that waits in a lane.
    fn rest(&self, key: &LaneKey) -> VecDeque<Work> {
        self.waiting().as_mut().and_then(|lanes| lanes.get_mut(key)).map(std::mem::take).unwrap_or_default()
    }

    async fn report(&self, done: WorkDone) {
        report(&self.events, HostEvent::Input(Input::WorkDone(done))).await;
    }

    /// Runs a helper program when it is the system's turn; `None` when the system has gone meanwhile.
    async fn run_program(&self, line: &str) -> Option<ProgramEnd> {
        let Helpers { programs, name, index } = &self.helpers;
        let turn = programs.turn(self.events.system).await;
        self.waiting().as_ref()?;
        let end = shell::run(line, programs.limit, &[(NAME, name), (INDEX, &index.to_string())]).await;
        drop(turn);
        Some(end)
    }

    async fn save(&self, name: String, content: Vec<u8>) -> Saved {
        match self.state.clone() {
            Some(write) => save(move || write(&name, &content)).await,
            None => Ok(()),
        }
    }
}

/// Does the work of a lane until there is none.
async fn serve(lanes: Arc<Lanes>, key: LaneKey) {
    while let Some(next) = lanes.next(&key) {
        let done = match next {
            Work::Program { job, line, .. } => match lanes.run_program(&line).await {
                Some(end) => WorkDone::Program(job, end),
                None => return,
            },
            Work::Read { job, read } => WorkDone::Read(job, run_read(read).await),
            Work::Write { job, write } => WorkDone::Written(job, run_write(write).await),
            Work::Save { mut job, name, mut content } => {
                // Only the newest content matters; the jobs it replaces are done once it
                // is on the disk.
                let mut replaced = Vec::new();
                for next in lanes.rest(&key) {
                    if let Work::Save { job: newer, content: newest, .. } = next {
                        replaced.push(std::mem::replace(&mut job, newer));
                        content = newest;
                    }
                }
                let saved = lanes.save(name, content).await;
                for job in replaced {
                    lanes.report(WorkDone::Saved(job, saved.clone())).await;
                }
                WorkDone::Saved(job, saved)
            }
        };
        lanes.report(done).await;
    }
}

async fn run_read(FileRead { path, offset, length }: FileRead) -> FileContent {
    blocking(move || read_file(&path, offset, length)).await.map_err(|e| message(&e))
}

async fn run_write(write: FileWrite) -> FileWritten {
    let written = blocking(move || match write {
        FileWrite::At { path, offset, data } => write_file(&path, offset, &data),
        FileWrite::Replace { path, content } => replace_file(&path, &content),
    });
    written.await.map_err(|e| message(&e))
}

async fn save(write: impl FnOnce() -> Result<(), WriteError> + Send + 'static) -> Saved {
    let written =
        done(workers::STATE.run(move || Ok(write())).await).unwrap_or_else(|error| Err(WriteError::Untouched(error)));
    written.map_err(|error| {
        let content = match error {
            WriteError::Untouched(_) => Content::Old,
            WriteError::NotDurable(_) => Content::New,
        };
        SaveFailure { reason: error.to_string(), content }
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    done(workers::FILES.run(work).await)
}

fn done<T>(result: Option<io::Result<T>>) -> io::Result<T> {
    result.unwrap_or_else(|| Err(io::Error::other("the file could not be handled")))
}

/// Reads at most `length` bytes at `offset`, fewer at the end of the file. A named pipe
/// nobody writes to gives nothing instead of waiting.
fn read_file(path: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(os_string(path))?;
    let mut bytes = Vec::new();
    if offset == 0 {
        // Pipes and some files of the kernel cannot be read at an offset.
        file.take(length as u64).read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    // Read in pieces: a length that is too large takes no memory.
    let mut piece = [0; 4096];
    while bytes.len() < length {
        let wanted = piece.len().min(length - bytes.len());
        let place = offset.checked_add(bytes.len() as u64).ok_or(io::ErrorKind::InvalidInput)?;
        let count = file.read_at(piece.get_mut(..wanted).unwrap_or_default(), place)?;
        if count == 0 {
            break;
        }
        bytes.extend(piece.iter().take(count));
    }
    Ok(bytes)
}

fn write_file(path: &str, offset: u64, data: &[u8]) -> io::Result<usize> {
    let path = os_string(path);
    if !std::fs::metadata(&path)?.is_file() {
        // A pipe nobody reads is not waited for; there is nothing to keep.
        let mut file = OpenOptions::new().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path)?;
        if offset == 0 {
            file.write_all(data)?;
        } else {
            file.write_all_at(data, offset)?;
        }
        return Ok(data.len());
    }
    // One that cannot be read cannot be put back either.
    let open = |read| OpenOptions::new().read(read).write(true).open(&path);
    let file = open(true).or_else(|_| open(false))?;
    let length = file.metadata()?.len();
    let before = read_back(&file, offset, data.len()).unwrap_or_default();
    // What is acknowledged survives a loss of power.
    let written = file.write_all_at(data, offset).and_then(|()| as_far_as_it_goes(file.sync_data()));
    if written.is_err() {
        // Whoever is told that nothing was written must not find a part of it.
        let _ = file.write_all_at(&before, offset).and_then(|()| file.set_len(length)).and_then(|()| file.sync_data());
    }
    written.map(|()| data.len())
}

/// What stands at `offset`, as far as the file goes.
fn read_back(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut count = 0;
    while let Some(rest @ [_, ..]) = bytes.get_mut(count..) {
        match file.read_at(rest, offset.saturating_add(count as u64))? {
            0 => break,
            more => count += more,
        }
    }
    bytes.truncate(count);
    Ok(bytes)
}

/// Writes a new file beside the old one and gives it its name when it is safe on the disk. A link
/// stays one, and what is no regular file is written as it is.
fn replace_file(path: &str, content: &[u8]) -> io::Result<usize> {
    let path = PathBuf::from(os_string(path));
    let path = std::fs::canonicalize(&path).unwrap_or(path);
    let old = std::fs::metadata(&path).ok();
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        let mut file = OpenOptions::new().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path)?;
        file.write_all(content)?;
        return Ok(content.len());
    }
    let temporary = temporary_of(&path);
    // A leftover, or something planted there, is not written through.
    remove_if_there(&temporary)?;
    let written = OpenOptions::new().write(true).create_new(true).open(&temporary).and_then(|mut file| {
        if let Some(old) = &old {
            file.set_permissions(old.permissions())?;
        }
        file.write_all(content)?;
        as_far_as_it_goes(file.sync_all())?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new(".")))?;
        std::fs::rename(&temporary, &path)?;
        as_far_as_it_goes(folder.sync_all())
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written.map(|()| content.len())
}

/// Where the new content of a file is written.
fn temporary_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes what backups of console histories left behind that were being written when the program ended. Gives what
/// cannot be removed, a text each.
pub fn remove_leftovers(config: &Config) -> Vec<String> {
    let sols = config.controllers.iter().filter_map(|controller| controller.sol.as_ref());
    let unremoved = |path: &str| {
        let error = remove_leftover(path).err()?;
        Some(format!("{path}.new: left over from an earlier run and cannot be removed: {}", message(&error)))
    };
    sols.filter_map(|sol| sol.backup_file.as_deref()).filter_map(unremoved).collect()
}

/// Removes what a replacement of this file that did not end left behind.
fn remove_leftover(path: &str) -> io::Result<()> {
    let path = PathBuf::from(os_string(path));
    remove_if_there(&temporary_of(&std::fs::canonicalize(&path).unwrap_or(path)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_file_is_replaced_whole_with_its_mode_and_a_link_stays_a_link() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let (file, link) = (place.path().join("file"), place.path().join("link"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        std::fs::write(&file, "a longer old text").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(replace_file(link.to_str().unwrap(), b"new").unwrap(), 3);
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        let fresh = place.path().join("fresh");
        replace_file(fresh.to_str().unwrap(), b"x").unwrap();
        assert_eq!(std::fs::read(&fresh).unwrap(), b"x");
        assert!(replace_file(place.path().join("no/such/folder").to_str().unwrap(), b"x").is_err());
        assert_eq!(replace_file("/dev/null", b"gone").unwrap(), 4);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 3, "nothing is left behind");
    }

    use super::*;
    use crate::host::testing::{Queue, events};
    use crate::sim::{ProgramJob, ReadJob, SaveJob, WriteJob};
    use std::time::Duration;

    fn jobs(events: HostEvents, state: Option<StateWriter>) -> Jobs {
        let programs = Programs::new(Duration::from_secs(30), 64);
        Jobs::new(events, state, Helpers { programs, name: "a name".into(), index: 7 })
    }

    async fn next(queue: &mut Queue) -> WorkDone {
        loop {
            match queue.recv().await {
                Some(HostEvent::Input(Input::WorkDone(done))) => return done,
                Some(_) => {}
                None => panic!("no more events"),
            }
        }
    }

    fn program(job: u64, lane: McAddress, line: &str) -> Work {
        Work::Program { job: ProgramJob(job), line: line.into(), lane }
    }

    #[tokio::test]
    async fn programs_of_one_lane_run_in_order_and_lanes_side_by_side() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let (events, mut queue) = events(8);
        let mut jobs = jobs(events, None);
        // The first of lane 20h cannot end before lane 30h has run.
        jobs.run(program(1, McAddress::BMC, &format!("cat '{}'", fifo.display())));
        jobs.run(program(2, McAddress::BMC, "echo two"));
        jobs.run(program(3, McAddress(0x30), &format!("echo three; echo go > '{}'", fifo.display())));
        let mut order = Vec::new();
        for _ in 0..3 {
            let WorkDone::Program(job, result) = next(&mut queue).await else { panic!() };
            assert_eq!(result.status, Some(0));
            order.push((job.0, String::from_utf8(result.output).unwrap()));
        }
        let of = |n| order.iter().position(|(job, _)| *job == n).unwrap();
        assert!(of(1) < of(2), "{order:?}");
        assert_eq!(order[of(1)].1, "go\n");
        assert_eq!(order[of(3)].1, "three\n");
    }

    #[tokio::test]
    async fn a_file_is_read_and_written_at_its_offset_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fru").to_str().unwrap().to_string();
        std::fs::write(&path, b"0123456789").unwrap();
        let (events, mut queue) = events(8);
        let mut jobs = jobs(events, None);
        let read = |job, offset, length| Work::Read {
            job: ReadJob(job),
            read: FileRead { path: path.clone(), offset, length },
        };
        let write = FileWrite::At { path: path.clone(), offset: 2, data: b"XY".to_vec() };
        jobs.run(Work::Write { job: WriteJob(1), write });
        jobs.run(read(2, 1, 4));
        jobs.run(read(3, 8, 100));
        jobs.run(read(4, 0, 3));
        jobs.run(read(5, 50, 3));
        assert_eq!(next(&mut queue).await, WorkDone::Written(WriteJob(1), Ok(2)));
        assert_eq!(next(&mut queue).await, WorkDone::Read(ReadJob(2), Ok(b"1XY4".to_vec())));
        assert_eq!(next(&mut queue).await, WorkDone::Read(ReadJob(3), Ok(b"89".to_vec())));
        assert_eq!(next(&mut queue).await, WorkDone::Read(ReadJob(4), Ok(b"01X".to_vec())));
        assert_eq!(next(&mut queue).await, WorkDone::Read(ReadJob(5), Ok(Vec::new())));
        assert_eq!(std::fs::read(&path).unwrap(), b"01XY456789");
    }

    #[test]
    fn what_could_not_be_written_whole_is_put_back() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("fru");
        let name = path.to_str().unwrap();
        std::fs::write(&path, "0123456789").unwrap();
        // No file reaches so far: refused after nothing, or a part, was written.
        assert!(write_file(name, u64::MAX >> 1, b"xy").is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"0123456789");
        assert_eq!(write_file(name, 8, b"abcd").unwrap(), 4);
        assert_eq!(std::fs::read(&path).unwrap(), b"01234567abcd");
        let pipe = place.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(write_file(pipe.to_str().unwrap(), 0, b"x").is_err(), "nobody reads it");
    }

    #[tokio::test]
    async fn a_missing_file_and_a_silent_pipe_do_not_wait() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let (events, mut queue) = events(8);
        let mut jobs = jobs(events, None);
        let missing = directory.path().join("missing").to_str().unwrap().to_string();
        let read = |job, path| Work::Read { job: ReadJob(job), read: FileRead { path, offset: 0, length: 1 } };
        let none = || "No such file or directory".to_owned();
        jobs.run(read(1, missing.clone()));
        assert_eq!(next(&mut queue).await, WorkDone::Read(ReadJob(1), Err(none())));
        let write = FileWrite::At { path: missing.clone(), offset: 0, data: vec![1] };
        jobs.run(Work::Write { job: WriteJob(2), write });
        assert_eq!(next(&mut queue).await, WorkDone::Written(WriteJob(2), Err(none())));
        assert!(!std::path::Path::new(&missing).exists());
        jobs.run(read(3, fifo.to_str().unwrap().into()));
        assert_eq!(next(&mut queue).await, WorkDone::Read(ReadJob(3), Ok(Vec::new())));
    }

    #[tokio::test]
    async fn the_newest_state_wins_and_every_save_is_answered() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&written);
        let writer: StateWriter = Arc::new(move |name, content| {
            log.lock().unwrap().push((name.to_string(), content.to_vec()));
            let full = || WriteError::NotDurable(io::Error::from_raw_os_error(28));
            if name == "bad" { Err(full()) } else { Ok(()) }
        });
        let (events, mut queue) = events(8);
        let mut jobs = jobs(events, Some(writer));
        let save =
            |name: &str, byte: u8| Work::Save { job: SaveJob(byte.into()), name: name.into(), content: vec![byte] };
        for byte in 1..=3 {
            jobs.run(save("sel.20", byte));
        }
        for job in 1..=3 {
            assert_eq!(next(&mut queue).await, WorkDone::Saved(SaveJob(job), Ok(())));
        }
        // All three were in the lane before it first ran.
        assert_eq!(*written.lock().unwrap(), [("sel.20".to_string(), vec![3])]);
        jobs.run(save("bad", 4));
        let failure = SaveFailure { reason: "No space left on device".into(), content: Content::New };
        assert_eq!(next(&mut queue).await, WorkDone::Saved(SaveJob(4), Err(failure)));
    }

    #[tokio::test]
    async fn a_program_knows_whose_it_is() {
        let (events, mut queue) = events(8);
        jobs(events.clone(), None).run(program(1, McAddress::BMC, "echo never"));
        tokio::task::yield_now().await;
        assert!(queue.try_recv().is_err(), "that system has gone");
        let mut jobs = jobs(events, None);
        jobs.run(program(1, McAddress::BMC, "echo $IPMI_SIM_NAME:$IPMI_SIM_INDEX"));
        let WorkDone::Program(_, end) = next(&mut queue).await else { panic!() };
        assert_eq!(end.output, b"a name:7\n");
    }

    #[tokio::test]
    async fn a_lane_without_work_is_no_more() {
        let (events, mut queue) = events(8);
        let mut jobs = jobs(events, None);
        for job in 1..=3 {
            jobs.run(Work::Save { job: SaveJob(job), name: "sel.20".into(), content: Vec::new() });
            assert_eq!(next(&mut queue).await, WorkDone::Saved(SaveJob(job), Ok(())));
            tokio::task::yield_now().await;
            assert_eq!(jobs.0.waiting().as_ref().map(HashMap::capacity), Some(0));
            assert_eq!(Arc::strong_count(&jobs.0), 1);
        }
    }
}
