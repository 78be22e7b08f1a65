//! State files on their way to the disk: which are being written, who waits for them, and what
//! becomes of those that cannot be written.
//!
//! A client's change that cannot be kept is answered FFh and taken back, so that the memory
//! shows what a restart would: FFh means not done. What stands in the file and may only not survive a
//! loss of power is done, and told as a trouble in the log. What did not come from a client stays.
//! Whatever is not safe on the disk is tried again until it is.
//!
//! The format of these files has the newest entry first, so a file is written whole or not at all.
//! Changes that come together share one write, and a large file rests after each, the longer the
//! larger it is: a client that adds entries without end costs the disk some megabytes a second.

use std::collections::BTreeMap;
use std::time::Duration;

use super::effect::{Content, Effect, Effects, SaveFailure, SaveJob, Saved, Work};
use super::{Persistence, Simulator};
use crate::bmc::{LogLevel, StateFile};
use crate::ipmi::{McAddress, Moment};
use crate::lan::LogLimit;

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

/// A state file that is being written, or was a moment ago.
#[derive(Debug)]
pub(super) struct Saving {
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
    pub(super) fn is_pending(&self) -> bool {
        self.next.is_some() || matches!(self.stage, Stage::Writing(_))
    }

    /// When the next write is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
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
pub(super) enum Attempt {
    /// Something in it changed.
    Change,
    /// It could not be written before.
    Again,
}

/// State files that could not be written: when they are tried again, and how long that was put
/// off.
#[derive(Debug, Default)]
pub(super) struct Unwritten(BTreeMap<StateFile, (Moment, Duration)>);

/// What is told of the troubles of one state file.
#[derive(Debug, Default)]
pub(super) struct Faults {
    limit: LogLimit,
    /// Of a trouble that is not over.
    told: bool,
}

impl Unwritten {
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.0.values().map(|(due, _)| *due).min()
    }

    pub(super) fn contains(&self, file: StateFile) -> bool {
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

impl Simulator {
    /// Asks for a state file to be written; nothing with persistence off. While it is being
    /// written, or rests, whatever else changes waits for one more write, made when that is done: each
    /// change would carry the whole file otherwise.
    pub(super) fn save(&mut self, file: StateFile, out: &mut Effects) -> Option<SaveJob> {
        if self.persistence == Persistence::Off {
            return None;
        }
        if let Some(next) = self.saving.get(&file).map(|saving| saving.next) {
            let next = next.unwrap_or_else(|| self.pending.new_save());
            if let Some(saving) = self.saving.get_mut(&file) {
                saving.next = Some(next);
            }
            return Some(next);
        }
        let id = self.pending.new_save();
        self.begin_save(id, file, Attempt::Change, out).then_some(id)
    }

    /// Asks for a file to be written that belongs to no device and that nobody waits for.
    pub(super) fn save_apart(&mut self, name: String, content: Vec<u8>, out: &mut Effects) {
        let job = self.pending.new_save();
        out.list.push(Effect::Run(Work::Save { job, name, content }));
    }

    /// Has a state file written as it is now; false when its owner is gone.
    fn begin_save(&mut self, job: SaveJob, file: StateFile, attempt: Attempt, out: &mut Effects) -> bool {
        let Some((name, content)) = self.state_file(file) else { return false };
        self.saving.insert(file, Saving { next: None, stage: Stage::Writing(content.len()) });
        out.list.push(Effect::Run(Work::Save { job, name, content }));
        self.saves.insert(job, (file, attempt));
        self.machine.unsaved.writing(file);
        true
    }

    /// A state file was written, or could not be. What changed meanwhile is written now, or when
    /// the file had its rest.
    pub(super) fn saved(&mut self, now: Moment, id: SaveJob, result: Saved, out: &mut Effects) {
        let Some((file, attempt)) = self.saves.remove(&id) else { return };
        let (mut next, rest) = match self.saving.remove(&file) {
            Some(Saving { next, stage: Stage::Writing(length) }) => (next, rest(length)),
            Some(Saving { next, stage: Stage::Resting(_) }) => (next, None),
            None => (None, None),
        };
        let failure = result.err();
        match &failure {
            None => {
                self.machine.unsaved.written(file);
                if self.unwritten.0.remove(&file).is_some()
                    && std::mem::take(&mut self.save_faults.entry(file).or_default().told)
                {
                    let text = format!("{} is written again", self.configured.file_name(file));
                    out.list.push(Effect::Log { level: LogLevel::Info, text });
                }
            }
            Some(SaveFailure { reason, content }) => {
                // Somebody waits for it.
                if attempt == Attempt::Change || next.is_some() {
                    self.tell_of_unsaved(now, file, reason, *content, out);
                }
                self.unwritten.put_off(now, file, attempt);
                match content {
                    Content::New => self.machine.unsaved.written(file),
                    Content::Old => {
                        self.machine.take_back(file);
                        if let StateFile::Sol(mc) = file {
                            self.sol_timing(mc);
                        }
                        // What came meanwhile is taken back as well.
                        if let Some(next) = next.take() {
                            self.release(now, next, true, out);
                        }
                    }
                }
            }
        }
        let mut without_owner = None;
        if let Some(rest) = rest {
            self.saving.insert(file, Saving { next, stage: Stage::Resting(now + rest) });
        } else {
            without_owner = next.filter(|next| !self.begin_save(*next, file, Attempt::Change, out));
        }
        let undone = failure.is_some_and(|failure| failure.content == Content::Old);
        self.release(now, id, undone, out);
        if let Some(next) = without_owner {
            self.release(now, next, false, out);
        }
    }

    /// Writes what changed in files that had their rest.
    pub(super) fn end_rests(&mut self, now: Moment, out: &mut Effects) {
        let due = |saving: &Saving| saving.deadline().is_some_and(|until| until <= now);
        while let Some(file) = self.saving.iter().find_map(|(file, saving)| due(saving).then_some(*file)) {
            if let Some(next) = self.saving.remove(&file).and_then(|saving| saving.next)
                && !self.begin_save(next, file, Attempt::Change, out)
            {
                self.release(now, next, false, out);
            }
        }
    }

    /// Writes what changed in all files that rest: there is no later.
    pub(super) fn end_all_rests(&mut self, now: Moment, out: &mut Effects) {
        for saving in self.saving.values_mut() {
            if let Stage::Resting(until) = &mut saving.stage {
                *until = now;
            }
        }
        self.end_rests(now, out);
    }

    /// Says that a file could not be written: whoever makes changes by the thousand does not fill the
    /// log by it.
    fn tell_of_unsaved(&mut self, now: Moment, file: StateFile, reason: &str, content: Content, out: &mut Effects) {
        let faults = self.save_faults.entry(file).or_default();
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

    /// Tries the files again that are due.
    pub(super) fn write_again(&mut self, now: Moment, out: &mut Effects) {
        let mut files = Vec::new();
        for (file, (due, wait)) in self.unwritten.0.iter_mut().filter(|(_, (due, _))| *due <= now) {
            // How the write under way ends says when the next is due.
            *due = now + *wait;
            files.push(*file);
        }
        for file in files {
            self.try_again(file, out);
        }
    }

    /// Tries all of them again, for the last time.
    pub(super) fn write_all_again(&mut self, out: &mut Effects) {
        for file in self.unwritten.0.keys().copied().collect::<Vec<_>>() {
            self.try_again(file, out);
        }
    }

    fn try_again(&mut self, file: StateFile, out: &mut Effects) {
        if self.persistence == Persistence::Off {
            self.unwritten.0.remove(&file);
        } else if !self.saving.get(&file).is_some_and(Saving::is_pending) {
            let job = self.pending.new_save();
            if !self.begin_save(job, file, Attempt::Again, out) {
                self.unwritten.0.remove(&file);
            }
        }
    }

    /// A write is over: the answers held for it alone go out.
    fn release(&mut self, now: Moment, id: SaveJob, failed: bool, out: &mut Effects) {
        for held in self.pending.settle(id, failed) {
            self.let_held_go(now, held, out);
        }
    }
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
        StateFile::Process(McAddress(mc)) => {
            format!("Unable to write the process of the start command for MC {mc}: {reason}")
        }
        StateFile::Sol(McAddress(mc)) => format!("Unable to write persistent SOL parameters for MC {mc}: {reason}"),
        StateFile::Lan { mc: McAddress(mc), channel } => {
            format!("Unable to write persistent LAN parameters of channel {channel} for MC {mc}: {reason}")
        }
    }
}
