//! Disks that fail under the whole simulator: what it answers, what it shows afterwards, and
//! that it goes on.

use std::sync::Arc;

use super::*;
use crate::bmc::StateFile;
use crate::ipmi::{ChannelNumber, McAddress};
use crate::store::disk::faulty::FaultyDisk;
use crate::store::{StateDirectory, WriteError};

const LAN_FILE: StateFile = StateFile::Lan { mc: McAddress::BMC, channel: ChannelNumber::LAN };
const RECORD: &[u8] = b"\x00\x00\x51\x03\x14\x20\x00\x00\x07\x01\x23\x6f\x00\x00\x00\x00\xc8watchdog";

/// A simulator with a real state directory on a disk that can fail.
struct Machine {
    rig: Rig,
    client: Client,
    directory: StateDirectory,
    disk: Arc<FaultyDisk>,
    _base: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::default());
        let directory = StateDirectory::open(base.path(), "test").unwrap().on(Arc::clone(&disk) as _);
        let mut rig = Rig::new(WITH_SOL, EMU);
        let client = administrator(&mut rig);
        Self { rig, client, directory, disk, _base: base }
    }

    /// What the runtime does with state files, to the last.
    fn write(&mut self) {
        loop {
            let jobs = self.rig.jobs();
            if jobs.is_empty() {
                return;
            }
            for work in jobs {
                let Work::Save { job, name, content } = work else { continue };
                let saved = self.directory.write(&name, &content).map_err(|error| SaveFailure {
                    reason: error.to_string(),
                    content: match error {
                        WriteError::Untouched(_) => Content::Old,
                        WriteError::NotDurable(_) => Content::New,
                    },
                });
                self.rig.saved(job, saved);
            }
        }
    }

    /// A request and its completion code.
    fn code(&mut self, (netfn, cmd, data): Change) -> u8 {
        let packet = self.client.request(netfn, cmd, data);
        if self.rig.send(&packet).is_empty() {
            self.write();
        }
        let response =
            self.rig.sent_messages(&mut self.client).pop().unwrap_or_else(|| panic!("{netfn:02x} {cmd:02x}"));
        Message::parse(&response).unwrap().data[0]
    }

    fn in_memory(&self, file: StateFile) -> String {
        let (_, content) = self.rig.sim.content_of(file).unwrap();
        String::from_utf8(content).unwrap()
    }

    fn on_disk(&self, file: StateFile) -> Option<String> {
        std::fs::read_to_string(self.directory.path().join(self.rig.sim.name_of(file))).ok()
    }
}

/// Network function, command and data.
type Change<'a> = (u8, u8, &'a [u8]);

/// Every change of kept state that a client can make, with the file it is kept in. What a command
/// needs before it stands in front of it.
fn changes() -> Vec<(StateFile, Vec<Change<'static>>)> {
    use StateFile::{Chassis, Dcmi, Sdr, Sel, Sol, SystemInfo, Users};
    const MC: McAddress = McAddress::BMC;
    const ADD: Change = (0x0a, 0x44, &[0, 0, 2, 0, 0, 0, 0, 0x20, 0, 4, 1, 1, 1, 0x57, 0, 0]);
    const SDR: Change = (0x0a, 0x24, RECORD);
    const LIMIT: Change = (0x2c, 4, &[0xdc, 0, 0, 0, 0, 200, 0, 1, 0, 0, 0, 0, 0, 5, 0]);
    const NAME: Change = (6, 0x58, b"\x02\0\0\x04host");
    const RUNNING: Change = (6, 0x58, b"\x04\0\0\x02os");
    const LOCK: Change = (0x0c, 1, &[0x0e, 0, 1]);
    const LEVELS: Change = (0x0c, 1, &[0x0e, 24, 0, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x33]);
    vec![
        (Sel(MC), vec![ADD]),
        (Sel(MC), vec![ADD, (0x0a, 0x46, &[0, 0, 1, 0])]),
        (Sel(MC), vec![ADD, (0x0a, 0x47, &[0, 0, b'C', b'L', b'R', 0xaa])]),
        (Sel(MC), vec![(0x0a, 0x49, &[1, 2, 3, 4])]),
        (Sel(MC), vec![(0x0a, 0x5d, &[60, 0])]),
        (Sel(MC), vec![(4, 2, &[4, 1, 1, 1, 0x57, 0, 0])]),
        (Users(MC), vec![(6, 0x43, &[0x91, 3, 4])]),
        (Users(MC), vec![(6, 0x45, b"\x03second\0\0\0\0\0\0\0\0\0\0")]),
        (Users(MC), vec![(6, 0x47, b"\x03\x02secret\0\0\0\0\0\0\0\0\0\0")]),
        (Users(MC), vec![(6, 0x47, &[3, 1])]),
        (LAN_FILE, vec![(6, 0x40, &[0x0e, 0x42, 0x43])]),
        (LAN_FILE, vec![LOCK, LEVELS, (0x0c, 1, &[0x0e, 0, 2])]),
        (Sol(MC), vec![(0x0c, 0x21, &[1, 1, 0])]),
        (Sol(MC), vec![(0x0c, 0x21, &[1, 2, 4])]),
        (Sol(MC), vec![(0x0c, 0x21, &[1, 3, 9, 9])]),
        (Sol(MC), vec![(0x0c, 0x21, &[1, 4, 2, 9])]),
        (Sol(MC), vec![(0x0c, 0x21, &[1, 5, 8])]),
        (Sdr(MC), vec![SDR]),
        (Sdr(MC), vec![(0x0a, 0x25, b"\0\0\0\0\0\x01\0\0\x51\xc0\x02\x01\x02")]),
        (Sdr(MC), vec![SDR, (0x0a, 0x26, &[0, 0, 1, 0])]),
        (Sdr(MC), vec![SDR, (0x0a, 0x27, &[0, 0, b'C', b'L', b'R', 0xaa])]),
        (Chassis(MC), vec![(0, 6, &[2])]),
        (Chassis(MC), vec![(0, 0x0a, &[1])]),
        (Chassis(MC), vec![(0, 0x0b, &[9])]),
        (Dcmi(MC), vec![(0x2c, 8, b"\xdc\0\x03tag")]),
        (Dcmi(MC), vec![(0x2c, 0x0a, b"\xdc\0\x05host\0")]),
        (Dcmi(MC), vec![LIMIT]),
        (Dcmi(MC), vec![LIMIT, (0x2c, 5, &[0xdc, 1, 0, 0])]),
        (Dcmi(MC), vec![(0x2c, 0x0b, &[0xdc, 0x40, 1, 0x20, 70, 60, 0])]),
        (Dcmi(MC), vec![(0x2c, 0x12, &[0xdc, 5, 0, 9, 0])]),
        (SystemInfo(MC), vec![NAME]),
        (SystemInfo(MC), vec![(6, 0x58, &[0, 1]), NAME, (6, 0x58, &[0, 2])]),
        (SystemInfo(MC), vec![RUNNING, (6, 2, &[])]),
    ]
}

/// Each step of each write fails, alone and with everything behind it. The client hears of it,
/// memory and disk agree at once, everything else goes on, and a second later the disk is
/// written again by itself.
#[test]
fn a_change_the_disk_does_not_take_is_an_error_and_is_taken_back() {
    for (file, commands) in changes() {
        let (change, preparations) = commands.split_last().unwrap();
        let what = format!("{:02x} {:02x} {:02x?}", change.0, change.1, change.2);
        for lasting in [false, true] {
            let mut tried = 0;
            loop {
                let mut machine = Machine::new();
                for preparation in preparations {
                    assert_eq!(machine.code(*preparation), 0, "{what}");
                }
                let has_file = machine.rig.sim.content_of(file).is_some();
                let before = has_file.then(|| machine.in_memory(file));
                machine.disk.fail(tried, if lasting { usize::MAX } else { tried });
                let code = machine.code(*change);
                if machine.disk.done() <= tried {
                    assert_eq!((code, tried), (0, 7), "{what}: its seven steps failed in turn");
                    assert_eq!(machine.on_disk(file), Some(machine.in_memory(file)));
                    break;
                }
                // The last step makes it safe; it is done by then.
                let done = tried == 6;
                assert_eq!(code, if done { 0 } else { 0xff }, "{what}, step {tried}");
                assert_eq!(
                    machine.rig.logs().iter().filter(|text| text.contains("the change is done")).count(),
                    usize::from(done)
                );
                let shown = machine.rig.sim.content_of(file).is_some().then(|| machine.in_memory(file));
                match machine.on_disk(file) {
                    // What is there is what a restart shows.
                    Some(kept) => assert_eq!(shown, Some(kept), "{what}, step {tried}"),
                    None => assert_eq!(shown, before, "{what}, step {tried}"),
                }
                // It serves, and the login stands.
                assert_eq!(machine.code((6, 1, &[])), 0, "{what}");
                let told = machine.rig.logs().iter().any(|text| text.starts_with("Unable to write persistent "));
                assert!(told, "{what}");
                machine.disk.heal();
                machine.rig.wait(1);
                machine.write();
                if machine.rig.sim.content_of(file).is_some() {
                    assert_eq!(machine.on_disk(file), Some(machine.in_memory(file)), "{what}, step {tried}");
                }
                assert_eq!(machine.rig.sim.next_save_attempt(), None, "{what}");
                tried += 1;
            }
        }
    }
}

/// A first change is being written when a second one is made: both are answered with an error,
/// and both are taken back.
#[test]
fn changes_behind_one_that_fails_are_taken_back_with_it() {
    let mut machine = Machine::new();
    let before = machine.in_memory(StateFile::Users(McAddress::BMC));
    let first = machine.client.request(6, 0x45, b"\x03second\0\0\0\0\0\0\0\0\0\0");
    assert!(machine.rig.send(&first).is_empty());
    let second = machine.client.request(6, 0x43, &[0x91, 3, 4]);
    assert!(machine.rig.send(&second).is_empty());
    machine.disk.fail(0, 1);
    let job = machine.rig.save_job();
    let mut responses = Vec::new();
    machine.rig.saved(job, Err("No space left on device".into()));
    responses.extend(machine.rig.sent_messages(&mut machine.client));
    let codes: Vec<_> = responses.iter().map(|response| Message::parse(response).unwrap().data[0]).collect();
    assert_eq!(codes, [0xff, 0xff]);
    assert_eq!(machine.in_memory(StateFile::Users(McAddress::BMC)), before);
}

/// Whoever makes changes by the thousand while the disk is full fills no log.
#[test]
fn complaints_about_a_full_disk_are_limited_and_counted() {
    let mut machine = Machine::new();
    machine.disk.fail(0, usize::MAX);
    let mut told = Vec::new();
    for _ in 0..200 {
        assert_eq!(machine.code((0x0a, 0x44, &[0; 16])), 0xff);
        told.extend(machine.rig.logs().iter().map(|text| (*text).to_owned()));
        machine.rig.effects.clear();
    }
    told.retain(|text| text.starts_with("Unable to write persistent SELs"));
    assert_eq!(told.len(), 20);
    machine.rig.wait(1);
    assert_eq!(machine.code((0x0a, 0x44, &[0; 16])), 0xff);
    let told = machine.rig.logs().join("\n");
    assert!(told.contains("(180 such lines were left out before)"), "{told}");
    // Another file has lines of its own.
    assert_eq!(machine.code((6, 0x43, &[0x91, 3, 4])), 0xff);
    assert!(machine.rig.logs().iter().any(|text| text.starts_with("Unable to write persistent users")));
}

/// An event is a fact: it stays in the log, and reaches the disk when that takes it.
#[test]
fn an_event_waits_for_the_disk() {
    let mut machine = Machine::new();
    machine.disk.fail(0, usize::MAX);
    machine.rig.command("sel_add 0x20 2 0 0 0 0 0x20 0 4 1 1 1 0x57 0 0");
    machine.write();
    assert_eq!(machine.code((0x0a, 0x44, &[0; 16])), 0xff);
    assert_eq!(machine.rig.sim.machine().controller(McAddress::BMC).unwrap().sel.records().len(), 1);
    // Tried after 1, 2, 4 ... seconds, told once per change.
    let log = |machine: &Machine| machine.rig.logs().iter().filter(|text| text.starts_with("Unable to")).count();
    assert_eq!(log(&machine), 2);
    let mut waits = Vec::new();
    for _ in 0..8 {
        let due = machine.rig.sim.next_save_attempt().unwrap();
        waits.push(due.since(machine.rig.now).as_secs());
        machine.rig.wait(waits.last().copied().unwrap());
        machine.write();
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 64]);
    assert_eq!(log(&machine), 2);
    assert_eq!(machine.on_disk(StateFile::Sel(McAddress::BMC)), None);
    machine.disk.heal();
    // The end is one more occasion.
    machine.rig.call(|sim, now, out| sim.handle(now, Input::End, out));
    machine.write();
    assert!(machine.on_disk(StateFile::Sel(McAddress::BMC)).unwrap().starts_with("1:d:"));
    assert!(machine.rig.logs().contains(&"sel.20 is written again"));
}
