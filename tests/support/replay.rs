//! Recorded exchanges: reading them, sending them again, comparing the responses.
//!
//! A recording is a text file with tab-separated columns:
//!
//! 1. the request, `[@ADDRESS[.LUN]] NETFN COMMAND [DATA ...]`, hex bytes. Without an address
//!    it goes to the BMC itself, LUN 0; `@20.1` is the BMC's LUN 1; any other address is
//!    reached through Send Message on channel 0 with tracking.
//! 2. the response, completion code first; `-`: none comes; `SEND cc`: the Send Message itself
//!    was refused. From a VM host's view control commands that came with the response follow
//!    as ` +XX..`.
//! 3. remarks; `#volatile=MASK` in them has 1 bits where the response may differ, and `*` behind
//!    the mask frees everything after it, the length included.
//!
//! `#` begins a comment line, `!sleep SECONDS` waits, `!console COMMAND` types a command on
//! the simulator's console.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use super::bench::project;
use super::rmcp_client::{Response, RmcpClient};
use super::vm_host::VmHost;

/// One line of a recording.
#[derive(Clone, Debug)]
pub struct Row {
    /// Line number in the file, from 1.
    pub number: usize,
    /// What it asks for.
    pub step: Step,
}

/// What a line asks for.
#[derive(Clone, Debug)]
pub enum Step {
    /// Wait.
    Sleep(Duration),
    /// Type a console command.
    Console(String),
    /// Send a request and compare its response.
    Exchange {
        /// The request as written.
        text: String,
        /// Address of the controller asked.
        address: u8,
        /// Network function and LUN byte.
        netfn_lun: u8,
        /// Command.
        command: u8,
        /// Data.
        data: Vec<u8>,
        /// The recorded response.
        want: String,
        /// Remarks, with the mask.
        remarks: String,
    },
}

/// Reads a recording of `tests/data/raw`.
pub fn recording(name: &str) -> Vec<Row> {
    let path = project("tests/data/raw").join(format!("{name}.tsv"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let step = if let Some(seconds) = line.strip_prefix("!sleep ") {
            Step::Sleep(Duration::from_secs_f64(seconds.trim().parse().expect("seconds")))
        } else if let Some(command) = line.strip_prefix("!console ") {
            Step::Console(command.to_owned())
        } else if line.starts_with('#') || line.trim().is_empty() {
            continue;
        } else {
            exchange(line)
        };
        rows.push(Row { number, step });
    }
    rows
}

fn exchange(line: &str) -> Step {
    let mut columns = line.splitn(3, '\t');
    let text = columns.next().unwrap_or_default().to_owned();
    let want = columns.next().unwrap_or_default().trim().to_owned();
    let remarks = columns.next().unwrap_or_default().to_owned();
    let (mut address, mut lun) = (0x20, 0);
    let mut bytes = Vec::new();
    for word in text.split_whitespace() {
        if let Some(target) = word.strip_prefix('@') {
            let (to, at) = target.split_once('.').unwrap_or((target, "0"));
            address = u8::from_str_radix(to, 16).expect("an address");
            lun = at.parse().expect("a LUN");
        } else {
            bytes.push(u8::from_str_radix(word, 16).expect("a hex byte"));
        }
    }
    Step::Exchange {
        address,
        netfn_lun: bytes[0] << 2 | lun,
        command: bytes[1],
        data: bytes[2..].to_vec(),
        text,
        want,
        remarks,
    }
}

/// Whom the requests are sent to.
pub enum Target {
    /// Over the network, as an administrator.
    Lan(Box<RmcpClient>),
    /// Through the system interface, as a virtual machine.
    Vm(VmHost),
}

impl Target {
    fn ask(&mut self, address: u8, netfn_lun: u8, command: u8, data: &[u8], want: &str) -> String {
        match self {
            Self::Lan(client) => {
                let response = if address != 0x20 {
                    client.bridged(address, netfn_lun, command, data)
                } else if want == "-" {
                    // Silence is waited for once and briefly.
                    let brief = Duration::from_millis(200);
                    client.request_within(netfn_lun, command, data, brief, 1)
                } else {
                    client.request(netfn_lun, command, data)
                };
                match response {
                    Response::Answer(bytes) => hex(&bytes),
                    Response::SendRefused(code) => format!("SEND {code:02x}"),
                    Response::Silence => "-".to_owned(),
                }
            }
            Self::Vm(host) => {
                let answer = host.try_request(netfn_lun, command, data, Duration::from_secs(1));
                let mut text = answer.map_or_else(|| "-".to_owned(), |bytes| hex(&bytes));
                for control in host.take_controls(Duration::from_millis(20)) {
                    text.push_str(" +");
                    for byte in control {
                        let _ = write!(text, "{byte:02x}");
                    }
                }
                text
            }
        }
    }
}

/// One response that is not the recorded one.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The request as written.
    pub request: String,
    /// The recorded response.
    pub want: String,
    /// The response that came.
    pub got: String,
}

/// What a replay found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Rows whose response was the recorded one.
    pub same: usize,
    /// The others, by row number.
    pub differ: BTreeMap<usize, Difference>,
}

/// Sends all rows in order, but those that `known` has [sent last](Place::Last) after all
/// others.
pub fn replay(rows: &[Row], known: &Known, target: &mut Target, mut console: Option<Console>) -> Outcome {
    let mut outcome = Outcome::default();
    let place = |row: &&Row| known.get(&row.number).map_or(Place::InOrder, |known| known.place);
    let (last, in_order): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| place(row) == Place::Last);
    for row in in_order.into_iter().chain(last) {
        match &row.step {
            Step::Sleep(time) => std::thread::sleep(*time),
            Step::Console(command) => {
                console.as_mut().expect("a console to type on").type_in(command);
            }
            Step::Exchange { text, address, netfn_lun, command, data, want, remarks } => {
                let got = target.ask(*address, *netfn_lun, *command, data, want);
                if same(want, &got, remarks) {
                    outcome.same += 1;
                } else {
                    let difference = Difference { request: text.clone(), want: want.clone(), got };
                    outcome.differ.insert(row.number, difference);
                }
            }
        }
    }
    outcome
}

/// When a row is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In its turn.
    InOrder,
    /// After all others. What ours does where the original refuses has an effect on the rows
    /// behind it (a record that is added shifts all ids); at the end it spoils no comparison.
    Last,
}

/// A row that is known to differ.
#[derive(Clone, Debug)]
pub struct KnownDifference {
    /// When it is sent.
    pub place: Place,
    /// A test that the row of `compat/DIFFERENCES.md` names which explains it.
    pub explained_by: String,
    /// Why, in a few words.
    pub reason: String,
    /// Our response, where it is the same in every run.
    pub ours: Option<String>,
}

/// The rows known to differ, by number.
pub type Known = BTreeMap<usize, KnownDifference>;

/// Reads `tests/data/raw/NAME.differs`. A line is a row number, a tab, the name of a test in
/// `compat/DIFFERENCES.md` (with `last ` in front when the row is sent last), a tab, the
/// reason, and behind `; ours: ` our response where it is the same in every run, or `as recorded`.
#[track_caller]
pub fn known_differences(name: &str) -> Known {
    let path = project("tests/data/raw").join(format!("{name}.differs"));
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let entry = |line: &str| -> Option<(usize, KnownDifference)> {
        let mut columns = line.splitn(3, '\t');
        let row = columns.next()?.parse().ok()?;
        let explained_by = columns.next()?.trim();
        let (place, explained_by) = match explained_by.strip_prefix("last ") {
            Some(explained_by) => (Place::Last, explained_by),
            None => (Place::InOrder, explained_by),
        };
        let reason = columns.next()?.trim();
        if explained_by.is_empty() || reason.is_empty() {
            return None;
        }
        let ours = reason.split_once("; ours: ").map(|(_, ours)| ours.trim().to_owned());
        Some((row, KnownDifference { place, explained_by: explained_by.to_owned(), reason: reason.to_owned(), ours }))
    };
    let mut known = Known::new();
    for line in lines {
        let (row, difference) = entry(line).unwrap_or_else(|| panic!("{}: cannot read `{line}`", path.display()));
        assert!(known.insert(row, difference).is_none(), "{}: row {row} is listed twice", path.display());
    }
    known
}

/// In the place of our response: the recorded one, in a row that is sent last all the same.
const AS_RECORDED: &str = "as recorded";

/// Holds an outcome against the known differences. Every differing row has to be among them,
/// and every one of them has to differ as it says.
#[track_caller]
pub fn judge(name: &str, mut known: Known, outcome: &Outcome) {
    println!("{name}: same {}, differ {}", outcome.same, outcome.differ.len());
    let mut complaints = String::new();
    for (row, Difference { request, want, got }) in &outcome.differ {
        match known.remove(row) {
            None => {
                let _ = writeln!(complaints, "row {row}: {request}\n   want {want}\n   got  {got}");
            }
            Some(KnownDifference { reason, ours, .. }) => {
                if ours.is_some_and(|ours| ours != *got) {
                    let _ = writeln!(complaints, "row {row}: {request}\n   {reason}\n   got  {got}");
                }
            }
        }
    }
    for (row, KnownDifference { reason, place, ours, .. }) in known {
        if place == Place::Last && ours.as_deref() == Some(AS_RECORDED) {
            continue;
        }
        let _ = writeln!(complaints, "row {row} no longer differs: {reason}");
    }
    assert!(complaints.is_empty(), "{name} against its list of differences:\n{complaints}");
}

fn same(want: &str, got: &str, remarks: &str) -> bool {
    if want == got {
        return true;
    }
    let Some(mask) = remarks.split_once("#volatile=").map(|(_, rest)| rest) else { return false };
    if want == "-" || got == "-" {
        return false;
    }
    let mask = mask.split_whitespace().next().unwrap_or_default();
    let open_end = mask.ends_with('*');
    let mask = unhex(mask.trim_end_matches('*')).expect("a mask");
    let (Some(want), Some(got)) = (unhex(want), unhex(got)) else { return false };
    if open_end {
        if want.len().min(got.len()) < mask.len() {
            return false;
        }
    } else if want.len() != got.len() {
        return false;
    }
    let compared = if open_end { mask.len() } else { want.len() };
    (0..compared).all(|at| {
        let free = mask.get(at).copied().unwrap_or(0);
        (want[at] ^ got[at]) & !free == 0
    })
}

fn hex(bytes: &[u8]) -> String {
    let words: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    words.join(" ")
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// The simulator's console over TCP, used by a program: no echo, prompt after each command.
pub struct Console {
    stream: TcpStream,
}

impl Console {
    /// Connects and waits for the first prompt.
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a console");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a time limit");
        let mut console = Self { stream };
        console.until_prompt();
        console.type_in("noecho");
        console
    }

    /// Types a command and returns what it printed.
    pub fn type_in(&mut self, command: &str) -> String {
        self.stream.write_all(format!("{command}\n").as_bytes()).expect("the console reads");
        self.until_prompt()
    }

    fn until_prompt(&mut self) -> String {
        let mut text = Vec::new();
        let mut byte = [0];
        while !text.ends_with(b"> ") {
            match self.stream.read(&mut byte) {
                Ok(1) => text.push(byte[0]),
                other => panic!("no prompt ({other:?}): {}", String::from_utf8_lossy(&text)),
            }
        }
        text.truncate(text.len() - 2);
        String::from_utf8_lossy(&text).replace('\r', "")
    }
}
