//! State files: what they held when the last run ended, which are being written, and what becomes of those that
//! cannot be written.
//!
//! Owns neither what stands in them, which [`persist`](super::persist) takes from the devices, nor who waits.
//!
//! A client's change that cannot be kept is answered FFh and taken back, so that the memory
//! shows what a restart would: FFh means not done. What stands in the file and may only not survive a
//! loss of power is done, and told as a trouble in the log. What did not come from a client stays.
//! Whatever is not safe on the disk is tried again until it is.
//!
//! The format of these files has the newest entry first, so a file is written whole or not at all.
//! Changes that come together share one write, and a large file rests after each, the longer the
//! larger it is: a client that adds entries without end costs the disk some megabytes a second.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::Persistence;
use super::configured::Configured;
use super::effect::{Content, Effect, Effects, SaveFailure, SaveJob, Saved, Work};
use super::persist;
use crate::bmc::{LogLevel, Machine, StateFile};
use crate::ipmi::{ChannelNumber, McAddress, Moment, Random};
use crate::lan::LogLimit;
use crate::state::{Files, GUID_FILE, Items, StoredFile};

/// How long after a failure the file is tried again, the first time; then twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest of these waits.
const LONGEST_WAIT: Duration = Duration::from_secs(64);

/// A file of this size or more rests after it was written,
const LARGE: usize = 64 << 10;
/// as long as it would take at this pace, in bytes a second,
const PACE: u32 = 8 << 20;
/// and no longer than this, because somebody waits for the next change.
const LONGEST_REST: Duration = Duration::from_millis(500);

/// A wall clock before 2024 is that of a machine without a battery that nobody has set yet.
const EARLIEST_WALL_CLOCK: i64 = 1_704_067_200;

/// A state file that is being written, or was a moment ago.
#[derive(Debug)]
struct Saving {
    /// The job that will write it once more.
    next: Option<SaveJob>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// So many bytes are on their way.
    Writing(usize),
    /// It is not written before this.
    Resting(Moment),
}

impl Saving {
    /// Whether a write is under way or to come.
    fn is_pending(&self) -> bool {
        self.next.is_some() || matches!(self.stage, Stage::Writing(_))
    }

    /// When the next write is due.
    fn deadline(&self) -> Option<Moment> {
        match self.stage {
            Stage::Resting(until) if self.next.is_some() => Some(until),
            _ => None,
        }
    }
}

/// How long a file of `length` bytes rests.
fn rest(length: usize) -> Option<Duration> {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    (length as usize >= LARGE).then(|| (Duration::from_secs(1) * length / PACE).min(LONGEST_REST))
}

/// Why a file is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// Something in it changed.
    Change,
    /// It could not be written before.
    Again,
}

/// State files that could not be written: when they are tried again, and how long that was put
/// off.
#[derive(Debug, Default)]
struct Unwritten(BTreeMap<StateFile, (Moment, Duration)>);

/// What is told of the troubles of one state file.
#[derive(Debug, Default)]
struct Faults {
    limit: LogLimit,
    /// Of a trouble that is not over.
    told: bool,
}

impl Unwritten {
    fn deadline(&self) -> Option<Moment> {
        self.0.values().map(|(due, _)| *due).min()
    }

    fn contains(&self, file: StateFile) -> bool {
        self.0.contains_key(&file)
    }

    /// It could not be written.
    fn put_off(&mut self, now: Moment, file: StateFile, attempt: Attempt) {
        let wait = match (self.0.get(&file), attempt) {
            (None, _) => FIRST_WAIT,
            (Some((_, wait)), Attempt::Change) => *wait,
            (Some((_, wait)), Attempt::Again) => (*wait * 2).min(LONGEST_WAIT),
        };
        self.0.insert(file, (now + wait, wait));
    }
}

/// What a write that is over means for whoever waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// What changed is done.
    Done,
    /// It was taken back.
    Undone,
}

/// A write that is over.
pub(super) struct Ended {
    /// What clients changed in this file was taken back.
    pub(super) taken_back: Option<StateFile>,
    /// The writes that are over with it, in order.
    pub(super) fates: Vec<(SaveJob, Fate)>,
}

/// The state files of one system.
pub(super) struct Saves {
    persistence: Persistence,
    /// Files of the last run, by name; taken when their owner appears.
    stored: Files,
    /// What the file of GUIDs holds, or is to hold.
    guids: Items,
    /// GUIDs were made that are not in their file yet.
    new_guids: bool,
    /// How many seconds the wall clock is ahead of the monotonic one, when it is known.
    wall_clock: Option<i64>,
    next_job: u64,
    /// The files being written, or resting from it.
    saving: HashMap<StateFile, Saving>,
    /// Which write is of which of them, and why.
    jobs: HashMap<SaveJob, (StateFile, Attempt)>,
    /// Files that could not be written and are tried again.
    unwritten: Unwritten,
    faults: BTreeMap<StateFile, Faults>,
}

impl Saves {
    /// With the files of the last run.
    pub(super) fn new(mut stored: Files, persistence: Persistence) -> Self {
        Self {
            persistence,
            guids: stored.remove(GUID_FILE).map(|file| file.items).unwrap_or_default(),
            stored,
            new_guids: false,
            wall_clock: None,
            next_job: 0,
            saving: HashMap::new(),
            jobs: HashMap::new(),
            unwritten: Unwritten::default(),
            faults: BTreeMap::new(),
        }
    }

    pub(super) fn persistence(&self) -> Persistence {
        self.persistence
    }

    /// `persist` of a statement.
    pub(super) fn set_persistence(&mut self, persistence: Persistence) {
        self.persistence = persistence;
    }

    /// What the machine's wall clock shows, in seconds since 1970. Nothing is set by it; it tells
    /// how long the machine was off between two lives of this program.
    pub(super) fn set_wall_clock(&mut self, now: Moment, wall: i64) {
        self.wall_clock = (wall >= EARLIEST_WALL_CLOCK).then(|| wall.saturating_sub_unsigned(now.seconds()));
    }

    /// How many seconds the wall clock is ahead of the monotonic one, when it is known.
    pub(super) fn wall_clock(&self) -> Option<i64> {
        self.wall_clock
    }

    /// Takes a state file that nobody has taken since the start, or since it was
    /// [put back](Self::put_back).
    pub(super) fn take(&mut self, name: &str) -> Option<StoredFile> {
        match self.persistence {
            Persistence::On => {
                let file = self.stored.remove(name);
                if self.stored.is_empty() {
                    // An empty map keeps its memory.
                    self.stored = Files::new();
                }
                file
            }
            Persistence::Off => None,
        }
    }

    /// Puts a state file back as it is on disk now, for whoever loads it again.
    pub(super) fn put_back(&mut self, machine: &Machine, configured: &Configured, file: StateFile) {
        let name = configured.file_name(file);
        if self.persistence == Persistence::On
            && !self.stored.contains_key(&name)
            && let Some(items) = self.items(machine, file)
        {
            self.stored.insert(name, items.into());
        }
    }

    /// The GUID of a LAN channel without a `guid` line: made once, then kept.
    pub(super) fn guid(&mut self, mc: McAddress, channel: ChannelNumber, random: &mut dyn Random) -> [u8; 16] {
        let name = format!("{mc:02x}.{channel}");
        if let Some(guid) = self.guids.bytes(&name).and_then(|bytes| bytes.try_into().ok()) {
            return guid;
        }
        let mut guid = [0; 16];
        random.fill(&mut guid);
        // RFC 4122 version 4, variant 1.
        guid[6] = guid[6] & 0x0f | 0x40;
        guid[8] = guid[8] & 0x3f | 0x80;
        self.guids.push_bytes(name, guid);
        self.guids.shrink_to_fit();
        self.new_guids = true;
        guid
    }

    /// Asks for the GUIDs made since the last time to be written, when there are any to be kept. They belong to no
    /// device, and nobody waits.
    pub(super) fn save_guids(&mut self, out: &mut Effects) {
        if std::mem::take(&mut self.new_guids) && self.persistence == Persistence::On {
            let content = self.guids.emit();
            let job = self.new_job();
            out.list.push(Effect::Run(Work::Save { job, name: GUID_FILE.into(), content }));
        }
    }

    /// What a state file holds as it should be now; `None` when its owner is gone.
    pub(super) fn items(&self, machine: &Machine, file: StateFile) -> Option<Items> {
        persist::items(machine, file, self.wall_clock)
    }

    /// Whether a write of the file is under way or to come.
    pub(super) fn is_pending(&self, file: StateFile) -> bool {
        self.saving.get(&file).is_some_and(Saving::is_pending)
    }

    /// Whether the devices may hold something that is not on the disk yet.
    pub(super) fn is_ahead_of_disk(&self, file: StateFile) -> bool {
        self.is_pending(file) || self.unwritten.contains(file)
    }

    /// When [`write_due`](Self::write_due) is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.saving.values().filter_map(Saving::deadline).chain(self.unwritten.deadline()).min()
    }

    /// When a file that could not be written is tried again.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn next_attempt(&self) -> Option<Moment> {
        self.unwritten.deadline()
    }

    /// Asks for a state file to be written; nothing with persistence off. While it is being
    /// written, or rests, whatever else changes waits for one more write, made when that is done: each
    /// change would carry the whole file otherwise.
    pub(super) fn save(
        &mut self,
        machine: &mut Machine,
        configured: &Configured,
        file: StateFile,
        out: &mut Effects,
    ) -> Option<SaveJob> {
        if self.persistence == Persistence::Off {
            return None;
        }
        if let Some(saving) = self.saving.get_mut(&file) {
            return Some(*saving.next.get_or_insert_with(|| new_job(&mut self.next_job)));
        }
        let id = self.new_job();
        self.begin(machine, configured, id, (file, Attempt::Change), out).then_some(id)
    }

    /// Has a state file written as it is now; false when its owner is gone.
    fn begin(
        &mut self,
        machine: &mut Machine,
        configured: &Configured,
        job: SaveJob,
        (file, attempt): (StateFile, Attempt),
        out: &mut Effects,
    ) -> bool {
        let Some(items) = self.items(machine, file) else { return false };
        let (name, content) = (configured.file_name(file), items.emit());
        self.saving.insert(file, Saving { next: None, stage: Stage::Writing(content.len()) });
        out.list.push(Effect::Run(Work::Save { job, name, content }));
        self.jobs.insert(job, (file, attempt));
        machine.unsaved.writing(file);
        true
    }

    /// A state file was written, or could not be. What changed meanwhile is written now, or when
    /// the file had its rest.
    pub(super) fn ended(
        &mut self,
        machine: &mut Machine,
        configured: &Configured,
        now: Moment,
        (id, result): (SaveJob, Saved),
        out: &mut Effects,
    ) -> Option<Ended> {
        let (file, attempt) = self.jobs.remove(&id)?;
        let (mut next, rest) = match self.saving.remove(&file) {
            Some(Saving { next, stage: Stage::Writing(length) }) => (next, rest(length)),
            Some(Saving { next, stage: Stage::Resting(_) }) => (next, None),
            None => (None, None),
        };
        let mut ended = Ended { taken_back: None, fates: Vec::new() };
        let mut fate = Fate::Done;
        match result {
            Ok(()) => {
                machine.unsaved.written(file);
                self.tell_of_success(configured, file, out);
            }
            Err(SaveFailure { reason, content }) => {
                // Somebody waits for it.
                if attempt == Attempt::Change || next.is_some() {
                    self.tell_of_failure(now, file, &reason, content, out);
                }
                self.unwritten.put_off(now, file, attempt);
                match content {
                    Content::New => machine.unsaved.written(file),
                    Content::Old => {
                        machine.take_back(file);
                        ended.taken_back = Some(file);
                        fate = Fate::Undone;
                        // What came meanwhile is taken back as well.
                        ended.fates.extend(next.take().map(|next| (next, fate)));
                    }
                }
            }
        }
        ended.fates.push((id, fate));
        if let Some(rest) = rest {
            self.saving.insert(file, Saving { next, stage: Stage::Resting(now + rest) });
        } else if let Some(next) = next
            && !self.begin(machine, configured, next, (file, Attempt::Change), out)
        {
            ended.fates.push((next, Fate::Done));
        }
        self.give_back();
        Some(ended)
    }

    /// An empty map keeps its memory, and most of the time nothing is written.
    fn give_back(&mut self) {
        if self.jobs.is_empty() {
            self.jobs = HashMap::new();
        }
        if self.saving.is_empty() {
            self.saving = HashMap::new();
        }
    }

    /// Tries the files again that are due, and writes what changed in those that had their rest. Gives the writes
    /// that nobody needs to wait for any more: the owner of the file is gone.
    pub(super) fn write_due(
        &mut self,
        machine: &mut Machine,
        configured: &Configured,
        now: Moment,
        out: &mut Effects,
    ) -> Vec<SaveJob> {
        let mut files = Vec::new();
        for (file, (due, wait)) in self.unwritten.0.iter_mut().filter(|(_, (due, _))| *due <= now) {
            // How the write under way ends says when the next is due.
            *due = now + *wait;
            files.push(*file);
        }
        for file in files {
            self.try_again(machine, configured, file, out);
        }
        self.end_rests(machine, configured, now, out)
    }

    /// The same for all of them: there is no later.
    pub(super) fn write_all(
        &mut self,
        machine: &mut Machine,
        configured: &Configured,
        now: Moment,
        out: &mut Effects,
    ) -> Vec<SaveJob> {
        for saving in self.saving.values_mut() {
            if let Stage::Resting(until) = &mut saving.stage {
                *until = now;
            }
        }
        let without_owner = self.end_rests(machine, configured, now, out);
        for file in self.unwritten.0.keys().copied().collect::<Vec<_>>() {
            self.try_again(machine, configured, file, out);
        }
        without_owner
    }

    fn end_rests(
        &mut self,
        machine: &mut Machine,
        configured: &Configured,
        now: Moment,
        out: &mut Effects,
    ) -> Vec<SaveJob> {
        let mut without_owner = Vec::new();
        let due = |saving: &Saving| saving.deadline().is_some_and(|until| until <= now);
        while let Some(file) = self.saving.iter().find_map(|(file, saving)| due(saving).then_some(*file)) {
            if let Some(next) = self.saving.remove(&file).and_then(|saving| saving.next)
                && !self.begin(machine, configured, next, (file, Attempt::Change), out)
            {
                without_owner.push(next);
            }
        }
        self.give_back();
        without_owner
    }

    fn try_again(&mut self, machine: &mut Machine, configured: &Configured, file: StateFile, out: &mut Effects) {
        if self.persistence == Persistence::Off {
            self.unwritten.0.remove(&file);
        } else if !self.is_pending(file) {
            let job = self.new_job();
            if !self.begin(machine, configured, job, (file, Attempt::Again), out) {
                self.unwritten.0.remove(&file);
            }
        }
    }

    /// Says that a file is written again, if it was said that it was not.
    fn tell_of_success(&mut self, configured: &Configured, file: StateFile, out: &mut Effects) {
        if self.unwritten.0.remove(&file).is_some() && std::mem::take(&mut self.faults.entry(file).or_default().told) {
            let text = format!("{} is written again", configured.file_name(file));
            out.list.push(Effect::Log { level: LogLevel::Info, text });
        }
    }

    /// Says that a file could not be written: whoever makes changes by the thousand does not fill the
    /// log by it.
    fn tell_of_failure(&mut self, now: Moment, file: StateFile, reason: &str, content: Content, out: &mut Effects) {
        let faults = self.faults.entry(file).or_default();
        let Some(held_back) = faults.limit.permit(now) else { return };
        faults.told = true;
        let mut text = complaint(file, reason);
        if content == Content::New {
            text.push_str("; the change is done, but a loss of power may undo it");
        }
        if held_back > 0 {
            text.push_str(&format!(" ({held_back} such lines were left out before)"));
        }
        out.list.push(Effect::Log { level: LogLevel::Error, text });
    }

    fn new_job(&mut self) -> SaveJob {
        new_job(&mut self.next_job)
    }
}

fn new_job(next: &mut u64) -> SaveJob {
    let job = SaveJob(*next);
    *next += 1;
    job
}

fn complaint(file: StateFile, reason: &str) -> String {
    match file {
        StateFile::Sel(McAddress(mc)) => format!("Unable to write persistent SELs for MC {mc}: {reason}"),
        StateFile::Sdr(McAddress(mc)) => format!("Unable to write persistent SDRs for MC {mc}: {reason}"),
        StateFile::Users(McAddress(mc)) => format!("Unable to write persistent users for MC {mc}: {reason}"),
        StateFile::Chassis(McAddress(mc)) => {
            format!("Unable to write persistent chassis settings for MC {mc}: {reason}")
        }
        StateFile::SystemInfo(McAddress(mc)) => format!("Unable to write persistent system info for MC {mc}: {reason}"),
        StateFile::Dcmi(McAddress(mc)) => format!("Unable to write persistent DCMI settings for MC {mc}: {reason}"),
        StateFile::Pef(McAddress(mc)) => format!("Unable to write persistent event filters for MC {mc}: {reason}"),
        StateFile::Process(McAddress(mc)) => {
            format!("Unable to write the process of the start command for MC {mc}: {reason}")
        }
        StateFile::Sol(McAddress(mc)) => format!("Unable to write persistent SOL parameters for MC {mc}: {reason}"),
        StateFile::Lan { mc: McAddress(mc), channel } => {
            format!("Unable to write persistent LAN parameters of channel {channel} for MC {mc}: {reason}")
        }
    }
}
