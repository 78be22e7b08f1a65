//! Kills the program while all BMCs are changed, again and again; what was acknowledged must be there afterwards.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ipmi_sim::ipmi::netfn;
use nix::sys::signal::Signal;

use super::super::Result;
use super::clients::{Ask, Clients};
use super::range::Range;
use super::server::Server;

const SET_USER_NAME: u8 = 0x45;
const GET_USER_NAME: u8 = 0x46;
/// Add SEL Entry and Get SEL Entry, network function Storage.
const STORAGE: u8 = 0x0a;
const ADD_SEL_ENTRY: u8 = 0x44;
const GET_SEL_ENTRY: u8 = 0x43;
/// The user whose name is changed.
const USER: u8 = 5;
/// How many BMCs are changed at once.
const AT_ONCE: usize = 64;

/// What one BMC has acknowledged.
#[derive(Clone, Debug, Default)]
struct Promised {
    name: Option<u32>,
    /// Names and records that were on their way.
    unsure_name: Option<u32>,
    records: BTreeSet<u32>,
    unsure_records: BTreeSet<u32>,
    mark: u32,
}

impl Promised {
    /// The next change, and what comes of the last one.
    fn change(&mut self, code: Option<u8>) -> Result<Ask> {
        match code {
            None => {}
            Some(0) if self.mark.is_multiple_of(2) => (self.name, self.unsure_name) = (Some(self.mark), None),
            Some(0) => {
                self.unsure_records.remove(&self.mark);
                self.records.insert(self.mark);
            }
            Some(code) => return Err(format!("a change is refused with {code:#04x}").into()),
        }
        self.mark += 1;
        if self.mark.is_multiple_of(2) {
            self.unsure_name = Some(self.mark);
            let mut data = vec![USER];
            data.extend(self.mark.to_string().bytes());
            data.resize(17, 0);
            return Ok(Ask::new(netfn::APP, SET_USER_NAME, &data));
        }
        self.unsure_records.insert(self.mark);
        // An OEM record without a time stamp: all of it is ours.
        let mut record = [0; 16];
        record[2] = 0xe0;
        record[3..7].copy_from_slice(&self.mark.to_le_bytes());
        Ok(Ask::new(STORAGE, ADD_SEL_ENTRY, &record))
    }

    /// Holds what is there against what was acknowledged; gives how much of it is lost.
    fn settle(&mut self, name: Option<u32>, records: BTreeSet<u32>) -> usize {
        let kept = name == self.name || name.is_some() && name == self.unsure_name;
        let lost = self.records.difference(&records).count() + usize::from(!kept);
        (self.name, self.unsure_name) = (name, None);
        self.records = records;
        self.unsure_records.clear();
        lost
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kills {
    /// Changes that were acknowledged.
    pub changes: usize,
    /// Those of them that were gone after a start.
    pub lost: usize,
}

/// What the BMCs show: names of the user, and the marks of all log records.
fn shown(range: Range) -> Result<Vec<(Option<u32>, BTreeSet<u32>)>> {
    let mut shown = vec![(None, BTreeSet::new()); range.count];
    let mut clients = Clients::of(range)?;
    let first = |id: [u8; 2]| Ask::new(STORAGE, GET_SEL_ENTRY, &[0, 0, id[0], id[1], 0, 0xff]);
    let mut named = vec![false; range.count];
    clients.each(0..range.count, AT_ONCE, 3, |number, answer| {
        let Some((code, data)) = answer else { return Ok(Some(Ask::new(netfn::APP, GET_USER_NAME, &[USER]))) };
        if !std::mem::replace(&mut named[number], true) {
            let text = String::from_utf8_lossy(&data);
            shown[number].0 = text.trim_end_matches('\0').parse().ok();
            return Ok(Some(first([0, 0])));
        }
        let Some(([low, high], record)) = data.split_first_chunk::<2>().filter(|_| code == 0) else { return Ok(None) };
        let ours = record.get(2) == Some(&0xe0);
        let mark = record.get(3..7).and_then(|mark| mark.try_into().ok()).ok_or("a short record")?;
        if ours {
            shown[number].1.insert(u32::from_le_bytes(mark));
        }
        Ok(((*low, *high) != (0xff, 0xff)).then(|| first([*low, *high])))
    })?;
    clients.all_out(AT_ONCE)?;
    Ok(shown)
}

/// Kills it so often. `options` say which fleet.
pub fn measure(server: &mut Server, options: &[&str], range: Range, kills: usize) -> Result<Kills> {
    let mut promised = vec![Promised::default(); range.count];
    let mut found = Kills::default();
    for round in 0..=kills {
        server.start(options, range)?;
        for (promised, (name, records)) in promised.iter_mut().zip(shown(range)?) {
            found.lost += promised.settle(name, records);
        }
        if round == kills {
            break;
        }
        let mut clients = Clients::of(range)?;
        // Not always the same ones: they begin where the last round ended, so to say.
        let from = round * range.count / kills.max(1);
        let numbers: Vec<_> = (0..range.count.min(4 * AT_ONCE)).map(|number| (from + number) % range.count).collect();
        clients.each(numbers.iter().copied(), AT_ONCE, 3, |_, _| Ok(None))?;
        let killed = AtomicBool::new(false);
        let delay = Duration::from_micros(50_000 + (round as u64 * 7919) % 300 * 1000);
        let changes = &mut found.changes;
        let running = server.running()?;
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(delay);
                let _ = running.signal(Signal::SIGKILL);
                let _ = running.kill();
                killed.store(true, Ordering::Release);
            });
            clients.each_until(
                numbers,
                4 * AT_ONCE,
                3,
                |number, answer| {
                    *changes += usize::from(answer.is_some());
                    Ok(Some(promised[number].change(answer.map(|(code, _)| code))?))
                },
                || killed.load(Ordering::Acquire),
            )
        })?;
    }
    Ok(found)
}
