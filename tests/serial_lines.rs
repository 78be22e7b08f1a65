//! Serial channels: the same bytes on a line of the installed original and on one of ours.
//!
//! Each row of a table is one connection: what is sent, what comes back, and what is
//! complained of on standard error. Where the original answers differently the row says what
//! it answers and why.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};
use support::bench::free_port;
use support::config::small_lan_conf;
use support::process::eventually;
use support::vm_host::checksum;
use support::{Bench, Ipmitool, Simulator, Stdin, Subject, namespace};

/// Far more than anything takes.
const LIMIT: Duration = Duration::from_secs(10);
/// How long nothing more must come.
const QUIET: Duration = Duration::from_millis(60);

const EMU: &str = "mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02
sel_enable 0x20 1000 0x0a
sensor_add 0x20 0 1 0x01 0x01
sensor_set_threshold 0x20 0 1 settable 111000 0xa0 0x90 0x70 00 00 00
sensor_set_event_support 0x20 0 1 enable scanning per-state \\
	000111111000000 000111111000000 000111111000000 000111111000000
mc_add 0x30 2 no-device-sdrs 0x98 0x10 1 0xa9 0x1291 0xf03
mc_enable 0x30
mc_enable 0x20
";

/// What a connection of a VM line begins with: version 1, attention off.
const GREETING: &str = "ff 01 a1 00 a1";

/// A BMC with one serial line.
struct Line {
    simulator: Simulator,
    lan: u16,
    port: u16,
    _bench: Bench,
}

impl Line {
    /// `serial CHANNEL 127.0.0.1 PORT OPTIONS`.
    fn start(subject: Subject, channel: &str, options: &str) -> Self {
        let (bench, lan, port) = (Bench::new(), free_port(), free_port());
        let simulator = Self::spawn(subject, &bench, lan, port, channel, options);
        Self { simulator, lan, port, _bench: bench }
    }

    fn spawn(subject: Subject, bench: &Bench, lan: u16, port: u16, channel: &str, options: &str) -> Simulator {
        let serial = format!("  serial {channel} 127.0.0.1 {port} {options}");
        bench.write("lan.conf", small_lan_conf(lan, &serial) + "set_working_mc 0x30\n");
        bench.write("sim.emu", EMU);
        Simulator::start(subject, bench, lan, &["-c", "lan.conf", "-f", "sim.emu", "-s", "state"])
    }

    fn connect(&self) -> TcpStream {
        let stream = eventually(LIMIT, || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok());
        let stream = stream.unwrap_or_else(|| panic!("nobody listens\n{}", self.simulator.report()));
        stream.set_nodelay(true).expect("no delay");
        stream
    }

    fn client(&self) -> Ipmitool {
        Ipmitool::new(self.lan, "admin", "admin")
    }

    /// Sends bytes on a connection of their own; what came back, and the complaints.
    fn exchange(&self, sent: &[u8], wanted: usize, complaints: &[&str]) -> (Vec<u8>, String) {
        let before = self.simulator.stderr.text().len();
        let new = || self.simulator.stderr.text().get(before..).unwrap_or_default().to_owned();
        let mut stream = self.connect();
        stream.write_all(sent).expect("the line is read");
        let answer = receive(&mut stream, wanted);
        eventually(LIMIT, || complaints.iter().all(|text| new().contains(text)).then_some(()));
        // Seen by the other side before the next row connects.
        let _ = stream.shutdown(Shutdown::Write);
        receive_until_end(&mut stream);
        (answer, new())
    }
}

/// Waits for so many bytes, and a moment for bytes that should not come.
fn receive(stream: &mut TcpStream, wanted: usize) -> Vec<u8> {
    let end = Instant::now() + LIMIT;
    let mut bytes = Vec::new();
    loop {
        let patience = if bytes.len() < wanted { end.saturating_duration_since(Instant::now()) } else { QUIET };
        if patience.is_zero() {
            return bytes;
        }
        stream.set_read_timeout(Some(patience)).expect("a time limit");
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(0) => return bytes,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(_) => return bytes,
        }
    }
}

fn receive_until_end(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
    let _ = stream.read_to_end(&mut Vec::new());
}

/// How the bytes of a table are written.
#[derive(Clone, Copy)]
enum Notation {
    /// Pairs of hexadecimal digits; `{...}` is a message, to which checksum, escapes and end
    /// are added. Each connection begins with the greeting.
    Vm,
    /// Pairs of hexadecimal digits; `{...}` is a message, to which checksum, escapes, start
    /// and stop are added.
    Direct,
    /// As they are.
    Text,
}

impl Notation {
    fn sent(self, text: &str) -> Vec<u8> {
        if let Self::Text = self {
            return text.as_bytes().to_vec();
        }
        let mut bytes = Vec::new();
        for piece in text.split_inclusive(['{', '}']) {
            match piece.strip_suffix('}') {
                Some(message) => self.frame(&hex(message), &mut bytes),
                None => bytes.extend(hex(piece.trim_end_matches('{'))),
            }
        }
        bytes
    }

    fn frame(self, message: &[u8], out: &mut Vec<u8>) {
        let (start, stop, escaped): (&[u8], u8, &[u8]) = match self {
            Self::Vm => (&[], 0xa0, &[0xa0, 0xa1, 0xaa]),
            Self::Direct | Self::Text => (&[0xa0], 0xa5, &[0xa0, 0xa5, 0xa6, 0xaa, 0x1b]),
        };
        out.extend(start);
        for byte in message.iter().copied().chain([checksum(message)]) {
            match escaped.contains(&byte) {
                true if byte == 0x1b => out.extend([0xaa, 0x3b]),
                true => out.extend([0xaa, byte | 0x10]),
                false => out.push(byte),
            }
        }
        out.push(stop);
    }

    fn received(self, text: &str) -> Vec<u8> {
        let mut bytes = if let Self::Vm = self { hex(GREETING) } else { Vec::new() };
        bytes.extend(self.sent(text));
        bytes
    }

    fn show(self, bytes: &[u8]) -> String {
        match self {
            Self::Vm | Self::Direct => bytes.iter().map(|byte| format!("{byte:02x} ")).collect(),
            Self::Text => String::from_utf8_lossy(bytes).into_owned(),
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap_or_else(|_| panic!("{text}"));
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// What the original does with the bytes of a row.
#[derive(Clone, Copy)]
enum Theirs<'a> {
    /// The same.
    Same,
    /// It writes this instead, for this reason.
    Other(&'a str, &'a str),
    /// It is not asked, for this reason.
    NotAsked(&'a str),
}
use Theirs::{NotAsked, Other, Same};

/// The original executes everything and answers only where the framing says so itself.
const MUTE: &str = "only the VM framing sets the flag that lets answers out";
const DEVELOPMENT: &str = "2.0.33; the development version answers what ours does";

/// Sent, answered, complaints, the original.
type Row<'a> = (&'a str, &'a str, &'a [&'a str], Theirs<'a>);

/// Holds ours and the original to a table.
fn hold(notation: Notation, options: &str, rows: &[Row<'_>]) {
    let original = Line::start(Subject::Original, "15", options);
    let ours = Line::start(Subject::under_test(), "15", options);
    let mut faults = String::new();
    for (sent, answer, complaints, theirs) in rows {
        let bytes = notation.sent(sent);
        let mut check = |who: &str, line: &Line, answer: &str| {
            let wanted = notation.received(answer);
            let (got, said) = line.exchange(&bytes, wanted.len(), complaints);
            // What happened is no complaint.
            let said: String = said.lines().filter(|line| !line.contains(" INFO ")).collect();
            let mut rest = said.as_str();
            let complained = complaints.iter().all(|text| {
                let at = rest.find(text);
                rest = at.map_or("", |at| &rest[at + text.len()..]);
                at.is_some()
            });
            if got != wanted || !complained || (complaints.is_empty() && !said.is_empty()) {
                let (wanted, got) = (notation.show(&wanted), notation.show(&got));
                let shown: String = sent.chars().take(80).collect();
                faults +=
                    &format!("{options}, {who}: {shown}\n  want {wanted} {complaints:?}\n  got  {got} {said:?}\n");
            }
        };
        check("ours", &ours, answer);
        match theirs {
            Same => check("the original", &original, answer),
            Other(answer, _why) => check("the original", &original, answer),
            NotAsked(_why) => {}
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

/// Data of a Get Device ID response.
const ID: &str = "00 00 03 09 08 02 9f 91 12 00 02 0f 00 00 00 00";

#[test]
fn virtual_machines() {
    let device_id = format!("{{01 1c 01 {ID}}}");
    let device_id_lun_2 = format!("{{07 1c 01 {ID}}}");
    let too_long = format!("{} a0", "55".repeat(260));
    let longest = format!("{} a0", "55".repeat(259));
    let long_command = format!("{} a1", "55".repeat(300));
    hold(
        Notation::Vm,
        "codec VM",
        &[
            ("", "", &[], Same),
            ("01 18 01 e6 a0", &device_id, &[], Same),
            ("{a0 18 ee}", "{a0 1c ee c1}", &[], Same),
            ("{a1 18 ee} {aa 18 ee}", "{a1 1c ee c1} {aa 1c ee c1}", &[], Same),
            ("{01 18 ee a0 a1 aa}", "{01 1c ee c1}", &[], Same),
            // Bit 4 of whatever follows AA is cleared, and AA AA counts as one AA.
            ("aa 11 18 ee f9 a0", "{01 1c ee c1}", &[], Same),
            ("01 18 aa aa fe f9 a0", "{01 1c ee c1}", &[], Same),
            ("01 18 aa aa aa fe f9 a0", "{01 1c ee c1}", &[], Same),
            ("18 01 a0", "", &["Message too short"], Same),
            ("01 18 01 e7 a0", "", &["Message checksum failure"], Same),
            ("01 18 01 e6 aa a0 {16 18 ee}", "{16 1c ee c1}", &["Message ended in escape"], Same),
            ("08 aa a1", "", &["Message ended in escape"], Same),
            (&too_long, "", &["Message too long"], Same),
            (&longest, "", &["Message checksum failure"], Same),
            (&long_command, "", &["Message too long"], Same),
            // Neither a message nor a command that is known.
            ("a0", "", &[], Same),
            ("a1", "", &[], Same),
            ("08 a1 77 a1 04 a1 ff 01 a1", "", &[], Same),
            // Clear Message Flags always tells the state.
            ("{01 18 30 08}", "00 a1 {01 1c 30 00}", &[], Same),
            ("{01 18 31}", "{01 1c 31 00 00}", &[], Same),
            ("{01 18 33}", "{01 1c 33 80}", &[], Same),
            ("{01 18 35}", "{01 1c 35 80}", &[], Same),
            // The host is asked to switch its interrupt from when it says that it can, also
            // by the next connection.
            ("{02 18 2e 09} {02 18 2e 08}", "{02 1c 2e 00} {02 1c 2e 00}", &[], Same),
            ("08 04 a1 {02 18 2e 0b}", "05 a1 {02 1c 2e 00}", &[], Same),
            ("{02 18 2e 08}", "06 a1 {02 1c 2e 00}", &[], Same),
            // Power, reset and the rest: only what was announced.
            ("{00 00 01}", "{00 04 01 00 01 00 00}", &[], Same),
            ("{01 00 02 03}", "{01 04 02 cc}", &[], Same),
            ("{01 00 02 04}", "{01 04 02 cc}", &[], Same),
            ("{01 00 02 05}", "{01 04 02 cc}", &[], Same),
            ("{01 00 02 00}", "03 a1 {01 04 02 00}", &[], Same),
            ("08 3f a1 {01 00 02 03}", "04 a1 {01 04 02 00}", &[], Same),
            ("{01 00 02 05}", "09 a1 {01 04 02 00}", &[], Same),
            ("{01 00 02 04}", "07 a1 {01 04 02 00}", &[], Other("{01 04 02 cc}", "never implemented there")),
            ("{07 1a 01}", "{07 1c 01 cc}", &[], Other(&device_id_lun_2, DEVELOPMENT)),
            ("{07 1c 31}", "{07 1c 31 cb}", &[], Other("{07 1c 31 00 00}", DEVELOPMENT)),
        ],
    );
}

#[test]
fn direct_mode() {
    let device_id = format!("{{81 1c 63 20 14 01 {ID}}} a6");
    let handshake = Other("a6", MUTE);
    let too_long = format!("a0 {} a5", "11".repeat(260));
    let longest = format!("a0 {} a5", "11".repeat(259));
    hold(
        Notation::Direct,
        "codec Direct",
        &[
            ("", "", &[], Same),
            ("a0 20 18 c8 81 14 01 6a a5", &device_id, &[], handshake),
            ("{20 18 c8 a0 a0 ee}", "{a0 1c 44 20 a0 ee c1} a6", &[], handshake),
            ("{24 1b c1 1b 15 ee a5 a6 aa a0}", "{1b 1d c8 24 17 ee c1} a6", &[], handshake),
            // Each handshake behind its response.
            (
                "{20 18 c8 81 14 ee} {20 18 c8 81 18 ee}",
                "{81 1c 63 20 14 ee c1} a6 {81 1c 63 20 18 ee c1} a6",
                &[],
                Other("a6 a6", MUTE),
            ),
            // A wrong header checksum is made good by the last one.
            ("a0 20 18 c9 81 14 ee 7c a5", "{81 1c 63 20 14 ee c1} a6", &[], handshake),
            ("a0 20 18 c8 81 14 ee 7c a5", "a6", &["Message checksum failure"], Same),
            ("a5", "a6", &["Empty message"], Same),
            ("61 62 a5", "a6", &["Empty message"], Same),
            ("a0 a5", "a6", &["Message too short"], Same),
            ("a0 a5 a5", "a6 a6", &["Message too short", "Empty message"], Same),
            ("a0 20 18 c8 81 14 6b a5", "a6", &["Message too short"], Same),
            ("a0 20 18 c8 81 14 01 6a aa a5", "a6", &["Message ended in escape"], Same),
            (&too_long, "a6", &["Message too long"], Same),
            (&longest, "a6", &["Message checksum failure"], Same),
            ("a0 20 aa 41 18 c8 81 14 01 6a a5", "a6", &["Invalid escape char: 0x41", "Message too long"], Same),
            (
                "a0 20 18 {20 18 c8 81 14 ee}",
                "{81 1c 63 20 14 ee c1} a6",
                &["Msg started in the middle of another"],
                handshake,
            ),
            ("a0 20 aa {20 18 c8 81 14 ee}", "{81 1c 63 20 14 ee c1} a6", &["Msg started in the middle"], handshake),
            // Handshakes and anything outside a message mean nothing.
            ("a6 01 02 a0 20 18 c8 a6 81 14 ee 7d a5 a6", "{81 1c 63 20 14 ee c1} a6", &[], handshake),
        ],
    );
}

#[test]
fn terminal_mode() {
    let device_id = "[1C040100 00 03 09 08 02 9F 91 12 00 02 0F 00 00 00 00]\n";
    let mute = Other("", MUTE);
    let too_long = format!("[{}]", "11".repeat(256));
    let endless = format!("[{}]", "1".repeat(773));
    hold(
        Notation::Text,
        "codec TerminalMode",
        &[
            ("[18 04 01]", device_id, &[], mute),
            ("[180401]", device_id, &[], mute),
            ("[18 07 01]", device_id, &[], mute),
            ("[19 04 01]", device_id, &[], mute),
            ("noise ] [ 18\t04\r\n 01 ] noise", device_id, &[], mute),
            ("[18 04 ee][18 08 EE]", "[1C04EEC1]\n[1C08EEC1]\n", &[], mute),
            ("[18 04[18 04 ee]", "[1C04EEC1]\n", &["Msg started in the middle of another"], mute),
            ("[]", "", &["Bad input data"], Same),
            ("[18 04]", "", &["Bad input data"], Same),
            ("[18 04 0]", "", &["Bad input data"], Same),
            ("[1 804 01]", "", &["Bad input data"], Same),
            ("[18 04 0x]", "", &["Bad input data"], Same),
            ("[SYS TMODE]", "", &["Bad input data"], Same),
            (&too_long, "", &["Bad input data"], Same),
            (&endless, "", &["Data overrun"], Same),
        ],
    );
}

#[test]
fn radisys_ascii() {
    let mute = Other("", MUTE);
    let endless = format!("{}\r", "1".repeat(773));
    let longest = format!("2018C88114EE{}\r", "00".repeat(252)).replace("00\r", "7D\r");
    hold(
        Notation::Text,
        "codec RadisysAscii",
        &[
            ("2018C88114016A\r", "811C632014010000030908029F911200020F0000000062\r", &[], mute),
            ("0118E78114016A\r", "811C630114010000030908029F911200020F0000000081\r", &[], mute),
            ("2018c88114ee7d\r2018C88118EE79\r", "811C632014EEC11D\r811C632018EEC119\r", &[], mute),
            ("\r", "", &["Bad input data"], Same),
            ("2018C88114016\r", "", &["Bad input data"], Same),
            ("2018C8 8114016A\r", "", &["Bad input data"], Same),
            ("2018C88114016A\n\r", "", &["Bad input data"], Same),
            ("20\r", "", &["Message too short"], Same),
            ("2018C881140169\r", "", &["Message checksum failure"], Same),
            // For other controllers: there is none, and there is one.
            ("2418C48114016A\r", "011CE30100348348\r", &[], Other("", DEVELOPMENT)),
            (
                "3018B8011401EA\r",
                "011CE3301401000208100102A9911200030F0000000040\r",
                &[],
                NotAsked("its answers through the bus lose their end and have unset bytes, or end the program"),
            ),
            // A host that ends its lines with CR LF.
            (
                "2018C88114EE7D\r\n2018C88118EE79\r\n",
                "811C632014EEC11D\r811C632018EEC119\r",
                &[],
                NotAsked("the LF spoils the next line"),
            ),
            (&longest, "811C632014EEC11D\r", &[], NotAsked("more than 256 bytes end it")),
            (&endless, "", &["Data overrun"], NotAsked("so many digits end it")),
        ],
    );
}

/// The commands of `oem`, seen on the framing in which the original answers.
#[test]
fn oem_commands() {
    hold(
        Notation::Vm,
        "codec VM oem PigeonPoint",
        &[
            ("{01 b8 01 00 40 0a 01}", "{01 bc 01 00 00 40 0a 01}", &[], Same),
            ("{02 b8 02 00 40 0a 01 00}", "{02 bc 02 00 00 40 0a}", &[], Same),
            ("{03 b8 01 00 40 0a 01}", "{03 bc 01 00 00 40 0a 00}", &[], Same),
            ("{04 b8 01 00 40 0a 00}", "{04 bc 01 00 00 40 0a 00}", &[], Same),
            ("{06 b8 02 00 40 0a 01}", "{06 bc 02 cc 00 40 0a}", &[], Same),
            ("{08 b8 03 00 40 0a 01}", "{08 bc 03 c1 00 40 0a}", &[], Same),
            ("{09 b8 01 00 40 0b 01}", "{09 bc 01 c1 00 40 0b}", &[], Same),
            ("{0a b8 01}", "{0a bc 01 c7}", &[], Same),
            ("{0b f8 12}", "{0b fc 12 c1}", &[], Same),
            ("{05 b8 01 00 40 0a}", "{05 bc 01 c7 00 40 0a}", &[], NotAsked("it reads behind the message")),
            ("{07 b8 02 00 40 0a 00 01}", "{07 bc 02 cc 00 40 0a}", &[], NotAsked("its code is unset memory")),
        ],
    );
    hold(
        Notation::Vm,
        "codec VM oem Radisys ipmb 0x24",
        &[
            ("{01 f8 12}", "{01 fc 12 00 24}", &[], Same),
            ("{02 f8 12 01 02}", "{02 fc 12 00 24}", &[], Same),
            ("{03 18 31}", "{03 1c 31 c1}", &[], Same),
            ("{04 b8 01 00 40 0a 01}", "{04 bc 01 c1 00 40 0a}", &[], Same),
            ("{05 f8 13}", "{05 fc 13 c1}", &[], Same),
        ],
    );
    hold(
        Notation::Text,
        "codec TerminalMode oem PigeonPoint",
        &[("[B8 00 01 00 40 0A 01]", "[BC000100 00 40 0A 01]\n", &[], Other("", MUTE))],
    );
    hold(
        Notation::Text,
        "codec RadisysAscii oem Radisys",
        &[("20F8E881141259\r", "81FC832014120000BA\r", &[], Other("", MUTE))],
    );
}

/// The framings in which the original is mute execute all the same, in both.
#[test]
fn what_is_sent_is_executed() {
    // Add SEL Entry.
    let record = "00 00 02 00 00 00 00 21 00 04 01 30 01 59 80 70";
    let message = format!("20 28 b8 81 14 44 {record}");
    let whole = hex(&message);
    let ascii: String =
        whole.iter().chain(&[checksum(&whole)]).map(|byte| format!("{byte:02X}")).collect::<String>() + "\r";
    let terminal = format!("[28 14 44 {record}]");
    for subject in [Subject::Original, Subject::under_test()] {
        for (codec, bytes) in [
            ("Direct", Notation::Direct.sent(&format!("{{{message}}}"))),
            ("TerminalMode", terminal.clone().into_bytes()),
            ("RadisysAscii", ascii.clone().into_bytes()),
        ] {
            let line = Line::start(subject, "15", &format!("codec {codec}"));
            line.connect().write_all(&bytes).expect("the line is read");
            let logged =
                eventually(LIMIT, || line.client().ok("sel list").stdout.contains("Temperature #0x30").then_some(()));
            assert!(logged.is_some(), "{codec}: {}", line.simulator.report());
        }
    }
}

/// `attn`: an event that waits for the host is announced by these bytes.
#[test]
fn attention_bytes() {
    for subject in [Subject::Original, Subject::under_test()] {
        for (codec, enables, attention) in [
            ("Direct", Notation::Direct.sent("{20 18 c8 81 14 2e 0f}"), &[0x1b, 0x07][..]),
            ("TerminalMode", b"[18 14 2E 0F]".to_vec(), &[0x1b, 0x07]),
            ("RadisysAscii", b"2018C881142E0F2E\r".to_vec(), &[]),
        ] {
            let (bench, lan, port) = (Bench::new(), free_port(), free_port());
            let serial = format!("  serial 15 127.0.0.1 {port} codec {codec} attn 0x1b,7");
            bench.write("lan.conf", small_lan_conf(lan, &serial) + "set_working_mc 0x30\n");
            bench.write("sim.emu", EMU);
            let files = ["-c", "lan.conf", "-f", "sim.emu", "-s", "state"];
            let mut simulator = Simulator::spawn(subject, &bench, &files, Stdin::Pipe);
            simulator.wait_until_ready(lan);
            let mut peer = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the line listens");
            peer.write_all(&enables).expect("the line is read");
            let client = Ipmitool::new(lan, "admin", "admin");
            let enabled = eventually(LIMIT, || client.ok("raw 6 0x2f").stdout.contains("0f").then_some(()));
            assert!(enabled.is_some(), "{codec}\n{}", simulator.report());
            // The response to the request, where there is one.
            receive(&mut peer, 0);
            simulator.type_in("sensor_set_value 0x20 0 1 200 1\n");
            let got = receive(&mut peer, attention.len());
            assert_eq!(got, attention, "{codec}\n{}", simulator.report());
        }
    }
}

/// Channel names with what Get Channel Info says of them, on the line and over LAN; the
/// medium where the original's release differs, `None` where it does not know the name.
#[test]
fn channel_names() {
    for (name, channel, medium, protocol, original) in [
        ("15", 15, 5, 9, Some(5)),
        ("0x0f", 15, 5, 9, Some(5)),
        ("kcs", 15, 0x0c, 5, Some(5)),
        ("bt", 15, 0x0c, 8, Some(5)),
        ("smic", 15, 0x0c, 6, Some(5)),
        ("ssif", 15, 9, 4, None),
        ("kcs-15", 15, 0x0c, 5, None),
        ("bt-3", 3, 0x0c, 8, None),
        ("smic-0x4", 4, 0x0c, 6, None),
        ("ssif-13", 13, 9, 4, None),
        ("2", 2, 5, 9, None),
    ] {
        let subjects = [(Subject::under_test(), Some(medium)), (Subject::Original, original)];
        for (subject, medium) in subjects {
            let Some(medium) = medium else { continue };
            let line = Line::start(subject, name, "codec VM");
            let info = format!("00 {channel:02x} {medium:02x} {protocol:02x} 00 f2 1b 00 00 00");
            // By its number and as "this channel".
            let sent = Notation::Vm.sent(&format!("{{01 18 42 {channel:02x}}} {{02 18 42 0e}}"));
            let wanted = Notation::Vm.sent(&format!("{{01 1c 42 {info}}} {{02 1c 42 {info}}}"));
            let (got, _) = line.exchange(&sent, wanted.len() + 3, &[]);
            assert!(got.ends_with(&wanted), "{name} {subject:?}: {got:02x?}");
            let over_lan = line.client().ok(&format!("raw 6 0x42 {channel}")).stdout;
            assert_eq!(hex(&over_lan), hex(&info)[1..], "{name} {subject:?}");
        }
    }
}

/// Lines of every framing beside each other; the machine's power is channel 15's alone.
#[test]
fn several_lines_of_one_controller() {
    let (bench, lan) = (Bench::new(), free_port());
    let ports = [free_port(), free_port(), free_port(), free_port()];
    let lines = ["15", "kcs-3", "4", "5"].iter().zip(["VM", "VM", "Direct", "TerminalMode"]).zip(ports);
    let serials: String =
        lines.map(|((channel, codec), port)| format!("  serial {channel} 127.0.0.1 {port} codec {codec}\n")).collect();
    bench.write("lan.conf", small_lan_conf(lan, &serials) + "set_working_mc 0x30\n");
    bench.write("sim.emu", EMU);
    let _simulator = Simulator::start_default(Subject::under_test(), &bench, lan);
    let client = Ipmitool::new(lan, "admin", "admin");
    let mut streams: Vec<TcpStream> = ports
        .iter()
        .rev()
        .map(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).expect("the line listens"))
        .collect();
    streams.reverse();
    let [main, second, direct, terminal] = streams.as_mut_slice() else { panic!() };
    assert_eq!(receive(main, 5), hex(GREETING));
    assert_eq!(receive(second, 3), hex("ff 01 a1"));
    client.ok("power status").assert_says("is on");
    second.write_all(&Notation::Vm.sent("08 3f a1 {01 18 ee}")).expect("read");
    assert_eq!(receive(second, 6), Notation::Vm.sent("{01 1c ee c1}"));
    direct.write_all(&Notation::Direct.sent("{20 18 c8 81 14 ee}")).expect("read");
    assert_eq!(receive(direct, 10), Notation::Direct.sent("{81 1c 63 20 14 ee c1} a6"));
    terminal.write_all(b"[18 04 EE]").expect("read");
    assert_eq!(receive(terminal, 11), b"[1C04EEC1]\n");
    client.run("power reset").assert_failed();
    main.write_all(&hex("08 02 a1")).expect("read");
    let reset = eventually(LIMIT, || client.run("power reset").succeeded().then_some(()));
    assert!(reset.is_some(), "channel 15 announced it");
    assert_eq!(receive(main, 2), hex("04 a1"));
    assert_eq!(receive(second, 0), [0; 0]);
}

/// One peer at a time: a second one is closed (here, once the first had time to show that it is
/// there), and the next is welcome.
#[test]
fn a_second_connection_is_closed() {
    for subject in [Subject::Original, Subject::under_test()] {
        let line = Line::start(subject, "15", "codec VM");
        for _ in 0..3 {
            let mut first = line.connect();
            assert_eq!(receive(&mut first, 5), hex(GREETING));
            for _ in 0..2 {
                first.write_all(&Notation::Vm.sent("{01 18 ee}")).expect("the line is read");
                assert_eq!(receive(&mut first, 6), Notation::Vm.sent("{01 1c ee c1}"), "{subject:?}");
                let mut second = line.connect();
                second.set_read_timeout(Some(LIMIT)).expect("a time limit");
                match second.read(&mut [0; 16]) {
                    Ok(0) => {}
                    Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{subject:?}"),
                    Ok(_) => panic!("{subject:?}: it is served"),
                }
            }
            let _ = first.shutdown(Shutdown::Write);
            receive_until_end(&mut first);
        }
    }
}

/// A machine whose network fails leaves without a word. When it comes back, from elsewhere, its place
/// is free within seconds, whether something was under way to it or not.
#[test]
fn a_peer_that_vanished_makes_room() {
    namespace::alone("a_peer_that_vanished_makes_room", || {
        for under_way in [false, true] {
            let elsewhere = ["address", "add", "192.0.2.7/32", "dev", "lo"];
            namespace::run("ip", &elsewhere, "iproute2");
            let line = Line::start(Subject::Ours, "15", "codec VM");
            let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
            let there = [SockaddrIn::new(192, 0, 2, 7, 0), SockaddrIn::new(127, 0, 0, 1, line.port)];
            bind(socket.as_raw_fd(), &there[0]).expect("an address of its own");
            connect(socket.as_raw_fd(), &there[1]).expect("a connection");
            let mut first = TcpStream::from(socket);
            assert_eq!(receive(&mut first, 5), hex(GREETING));
            first.write_all(&Notation::Vm.sent("{01 18 ee}")).expect("the line is read");
            assert_eq!(receive(&mut first, 6), Notation::Vm.sent("{01 1c ee c1}"));
            if under_way {
                // The response will find nobody.
                first.write_all(&Notation::Vm.sent("{01 18 ee}")).expect("the line is read");
            }
            namespace::run("ip", &["address", "del", "192.0.2.7/32", "dev", "lo"], "iproute2");
            let began = Instant::now();
            let mut next = line.connect();
            assert_eq!(receive(&mut next, 5), hex(GREETING), "after {:?}", began.elapsed());
            next.write_all(&Notation::Vm.sent("{01 18 ee}")).expect("the line is read");
            assert_eq!(receive(&mut next, 6), Notation::Vm.sent("{01 1c ee c1}"));
        }
    });
}

/// Whatever a peer sends, the next one finds a line that works, and the BMC goes on.
#[test]
fn garbage_on_a_line() {
    for (codec, sent, wanted) in [
        ("VM", Notation::Vm.sent("{01 18 ee}"), Notation::Vm.received("{01 1c ee c1}")),
        ("Direct", Notation::Direct.sent("{20 18 c8 81 14 ee}"), Notation::Direct.sent("{81 1c 63 20 14 ee c1} a6")),
        ("TerminalMode", b"[18 04 EE]".to_vec(), b"[1C04EEC1]\n".to_vec()),
        ("RadisysAscii", b"2018C88114EE7D\r".to_vec(), b"811C632014EEC11D\r".to_vec()),
    ] {
        let mut line = Line::start(Subject::under_test(), "15", &format!("codec {codec} attn 1"));
        // Once any bytes, once those that mean something to a framing, then half a message.
        for alphabet in [None, Some(&b"\xa0\xa1\xa5\xa6\xaa\x20\x18\xc8[]\r0123456789abcdefXYZ "[..])] {
            let mut state = 0x2545_f491_u32;
            let garbage: Vec<u8> = (0..200_000)
                .map(|_| {
                    // xorshift: the same garbage every time.
                    state ^= state << 13;
                    state ^= state >> 17;
                    state ^= state << 5;
                    alphabet.map_or((state >> 8) as u8, |some| some[state as usize % some.len()])
                })
                .collect();
            let mut peer = line.connect();
            // It is dropped when it does not read what it provokes.
            peer.set_write_timeout(Some(LIMIT)).expect("a time limit");
            let mut reader = peer.try_clone().expect("a second handle");
            let drain = std::thread::spawn(move || receive_until_end(&mut reader));
            let _ = peer.write_all(&garbage);
            let _ = peer.write_all(&sent[..sent.len() / 2]);
            let _ = peer.shutdown(Shutdown::Write);
            drain.join().expect("the reader");
            let (got, _) = line.exchange(&sent, wanted.len(), &[]);
            assert_eq!(got, wanted, "{codec}");
        }
        line.client().ok("mc info");
        line.simulator.assert_alive();
        let complaints = line.simulator.stderr.text().lines().count();
        assert!(complaints < 200, "{complaints} lines on standard error");
    }
}

/// `connect`: the BMC calls, greets, answers, and calls again when the peer is gone. The
/// original calls once and never says a word.
#[test]
fn a_peer_that_is_called() {
    for (options, first, sent, wanted) in [
        ("connect codec VM", GREETING, Notation::Vm.sent("{01 18 ee}"), Notation::Vm.sent("{01 1c ee c1}")),
        (
            "codec Direct connect",
            "",
            Notation::Direct.sent("{20 18 c8 81 14 ee}"),
            Notation::Direct.sent("{81 1c 63 20 14 ee c1} a6"),
        ),
    ] {
        let (bench, lan, port) = (Bench::new(), free_port(), free_port());
        // Nobody is there at first, which is no reason to end.
        let mut simulator = Line::spawn(Subject::under_test(), &bench, lan, port, "15", options);
        let client = Ipmitool::new(lan, "admin", "admin");
        client.ok("mc info");
        assert!(simulator.stderr.wait_for("Unable to connect to serial TCP port", LIMIT), "{}", simulator.report());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the peer's port");
        for _ in 0..2 {
            let (mut peer, _) = listener.accept().expect("the BMC calls");
            assert_eq!(receive(&mut peer, hex(first).len()), hex(first));
            peer.write_all(&sent).expect("the line is read");
            assert_eq!(receive(&mut peer, wanted.len()), wanted);
        }
        simulator.assert_alive();
    }
}
