//! Telnet, as far as a console server needs it (RFC 854 to 858, RFC 2217; `sol.md` section 8).
//!
//! Owns the state of one connection. Offers binary without echo, as the original does, and answers
//! what the other end offers: binary and suppress-go-ahead are taken, the COM port control that a
//! console server asks for is given, everything else is refused. A response is sent only when
//! something changes (RFC 1143), so two ends cannot talk for ever.

use super::{LineEvent, ModemLines};

/// Interpret as command.
const IAC: u8 = 0xff;
const DONT: u8 = 0xfe;
const DO: u8 = 0xfd;
const WONT: u8 = 0xfc;
const WILL: u8 = 0xfb;
/// Start of a sub-negotiation.
const SB: u8 = 0xfa;
const BRK: u8 = 0xf3;
/// End of a sub-negotiation.
const SE: u8 = 0xf0;
const BINARY: u8 = 0;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;
const COM_PORT_OPTION: u8 = 44;

/// Commands of the COM port option, RFC 2217 section 3; answers are 100 higher.
mod com_port {
    pub(super) const SET_BAUDRATE: u8 = 1;
    pub(super) const SET_CONTROL: u8 = 5;
    pub(super) const SET_LINESTATE_MASK: u8 = 10;
    pub(super) const SET_MODEMSTATE_MASK: u8 = 11;
    pub(super) const NOTIFY_LINESTATE: u8 = 106;
    pub(super) const NOTIFY_MODEMSTATE: u8 = 107;
    pub(super) const DTR_ON: u8 = 8;
    pub(super) const DTR_OFF: u8 = 9;
    pub(super) const RTS_ON: u8 = 11;
    pub(super) const RTS_OFF: u8 = 12;
    /// Line state: break detected.
    pub(super) const BREAK_DETECTED: u8 = 0x10;
    /// Modem state: carrier detect, data set ready; and that they changed.
    pub(super) const CARRIER_DETECT: u8 = 0x80;
    pub(super) const DATA_SET_READY: u8 = 0x20;
    pub(super) const CHANGES: u8 = 0x0a;
}

/// Sent when the port was opened.
pub(super) const GREETING: &[u8] = &[IAC, DO, BINARY, IAC, WILL, BINARY, IAC, DONT, ECHO, IAC, WONT, ECHO];
/// A break.
pub(super) const BREAK: &[u8] = &[IAC, BRK];
/// Most bytes of a sub-negotiation that are looked at.
const LONGEST_SUB: usize = 16;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Data,
    /// Behind `FF`.
    Command,
    /// Behind `FF FB..FE`: which.
    Option(u8),
    /// Inside a sub-negotiation.
    Sub,
    /// Behind `FF` inside a sub-negotiation.
    SubCommand,
}

/// Where an option stands on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Off,
    /// We asked.
    Asked,
    On,
    /// Asked for, and refused once.
    Refused,
}

/// One side's options.
#[derive(Debug)]
struct Options([Stand; 256]);

impl Options {
    /// As the greeting leaves them.
    fn greeted() -> Self {
        let mut options = Self([Stand::Off; 256]);
        options.set(BINARY, Stand::Asked);
        options.set(ECHO, Stand::Refused);
        options
    }

    fn get(&self, option: u8) -> Stand {
        self.0.get(usize::from(option)).copied().unwrap_or(Stand::Off)
    }

    fn set(&mut self, option: u8, stand: Stand) {
        if let Some(slot) = self.0.get_mut(usize::from(option)) {
            *slot = stand;
        }
    }

    /// The other end wants the option on this side on, and `taken` says whether that is fine. What
    /// to answer, if anything: agreed or not.
    fn wanted(&mut self, option: u8, taken: bool) -> Option<bool> {
        let (stand, answer) = match (self.get(option), taken) {
            (Stand::Asked, _) => (Stand::On, None),
            (Stand::Off, true) => (Stand::On, Some(true)),
            (Stand::Off, false) => (Stand::Refused, Some(false)),
            (stand, _) => (stand, None),
        };
        self.set(option, stand);
        answer
    }

    /// The other end wants it off. Whether that must be confirmed.
    fn unwanted(&mut self, option: u8) -> bool {
        let was = self.get(option);
        if matches!(was, Stand::On | Stand::Asked) {
            self.set(option, Stand::Off);
        }
        was == Stand::On
    }
}

/// What came besides data.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// To be sent to the other end.
    pub answers: Vec<u8>,
    /// What happened on the line behind it.
    pub events: Vec<LineEvent>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    state: State,
    sub: Vec<u8>,
    ours: Options,
    theirs: Options,
}

impl Default for Connection {
    fn default() -> Self {
        Self { state: State::Data, sub: Vec::new(), ours: Options::greeted(), theirs: Options::greeted() }
    }
}

impl Connection {
    /// Appends the data in `bytes` to `data`.
    pub(super) fn decode(&mut self, mut bytes: &[u8], data: &mut Vec<u8>, aside: &mut Aside) {
        loop {
            if self.state == State::Data {
                let plain = bytes.iter().position(|&byte| byte == IAC).unwrap_or(bytes.len());
                let (run, rest) = bytes.split_at(plain);
                data.extend_from_slice(run);
                bytes = rest;
            }
            let Some((&byte, rest)) = bytes.split_first() else { return };
            bytes = rest;
            self.state = match (self.state, byte) {
                (State::Data, _) => State::Command,
                (State::Command, IAC) => {
                    data.push(IAC);
                    State::Data
                }
                // A command inside a sub-negotiation whose end got lost ends it, too.
                (State::Command | State::SubCommand, WILL | WONT | DO | DONT) => State::Option(byte),
                (State::Command, SB) => {
                    self.sub.clear();
                    State::Sub
                }
                (State::Command, _) => State::Data,
                (State::Option(verb), option) => {
                    self.negotiate(verb, option, aside);
                    State::Data
                }
                (State::Sub, IAC) => State::SubCommand,
                (State::SubCommand, SE) => {
                    self.sub_negotiation(aside);
                    State::Data
                }
                (State::Sub | State::SubCommand, _) => {
                    if self.sub.len() < LONGEST_SUB {
                        self.sub.push(byte);
                    }
                    State::Sub
                }
            };
        }
    }

    fn negotiate(&mut self, verb: u8, option: u8, aside: &mut Aside) {
        let mut answer = |verb| aside.answers.extend_from_slice(&[IAC, verb, option]);
        match verb {
            WILL => {
                if let Some(agreed) = self.theirs.wanted(option, matches!(option, BINARY | SUPPRESS_GO_AHEAD)) {
                    answer(if agreed { DO } else { DONT });
                }
            }
            DO => {
                let taken = matches!(option, BINARY | SUPPRESS_GO_AHEAD | COM_PORT_OPTION);
                if let Some(agreed) = self.ours.wanted(option, taken) {
                    answer(if agreed { WILL } else { WONT });
                    if agreed && option == COM_PORT_OPTION {
                        let modem = com_port::CARRIER_DETECT | com_port::DATA_SET_READY | com_port::CHANGES;
                        com_port_command(com_port::SET_LINESTATE_MASK, &[com_port::BREAK_DETECTED], &mut aside.answers);
                        com_port_command(com_port::SET_MODEMSTATE_MASK, &[modem], &mut aside.answers);
                    }
                }
            }
            WONT if self.theirs.unwanted(option) => answer(DONT),
            DONT if self.ours.unwanted(option) => answer(WONT),
            _ => {}
        }
    }

    fn sub_negotiation(&mut self, aside: &mut Aside) {
        match *self.sub.as_slice() {
            [COM_PORT_OPTION, com_port::NOTIFY_LINESTATE, line] if line & com_port::BREAK_DETECTED != 0 => {
                aside.events.push(LineEvent::Break);
            }
            [COM_PORT_OPTION, com_port::NOTIFY_MODEMSTATE, modem] => {
                let there = modem & (com_port::CARRIER_DETECT | com_port::DATA_SET_READY) != 0;
                aside.events.push(if there { LineEvent::Ready } else { LineEvent::NotReady });
            }
            _ => {}
        }
    }

    /// Whether the other end is a console server that lets us control its port.
    pub(super) fn controls_port(&self) -> bool {
        self.ours.get(COM_PORT_OPTION) == Stand::On
    }
}

/// Appends the commands that set the modem lines of a console server's port.
pub(super) fn modem_lines(lines: ModemLines, out: &mut Vec<u8>) {
    let ModemLines { rts, dtr } = lines;
    com_port_command(com_port::SET_CONTROL, &[if rts { com_port::RTS_ON } else { com_port::RTS_OFF }], out);
    com_port_command(com_port::SET_CONTROL, &[if dtr { com_port::DTR_ON } else { com_port::DTR_OFF }], out);
}

/// Appends the command that sets the speed of a console server's port.
pub(super) fn bit_rate(bits_per_second: u32, out: &mut Vec<u8>) {
    com_port_command(com_port::SET_BAUDRATE, &bits_per_second.to_be_bytes(), out);
}

fn com_port_command(command: u8, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[IAC, SB, COM_PORT_OPTION, command]);
    escape(value, out);
    out.extend_from_slice(&[IAC, SE]);
}

/// Appends `data` to `out` with `FF` doubled.
pub(super) fn escape(data: &[u8], out: &mut Vec<u8>) {
    for run in data.split_inclusive(|&byte| byte == IAC) {
        out.extend_from_slice(run);
        if run.last() == Some(&IAC) {
            out.push(IAC);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    /// However the stream is cut, data, answers and events are the same.
    fn heard(stream: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<LineEvent>) {
        let (mut whole, mut aside) = (Vec::new(), Aside::default());
        Connection::default().decode(stream, &mut whole, &mut aside);
        for size in 1..stream.len() {
            let mut connection = Connection::default();
            let (mut data, mut cut) = (Vec::new(), Aside::default());
            stream.chunks(size).for_each(|chunk| connection.decode(chunk, &mut data, &mut cut));
            assert_eq!((&data, &cut.answers, &cut.events), (&whole, &aside.answers, &aside.events), "pieces of {size}");
        }
        (whole, aside.answers, aside.events)
    }

    fn decoded(stream: &[u8]) -> Vec<u8> {
        heard(stream).0
    }

    fn answers(stream: &[u8]) -> Vec<u8> {
        heard(stream).1
    }

    #[test]
    fn commands_are_taken_out() {
        assert_eq!(decoded(&hex!("63 fffb01 64 fffd03 65 fff9 66 fffa1800666f6ffff0 67")), b"cdefg");
        assert_eq!(decoded(&hex!("61 ffff 62 fffe22 fffc22 63")), b"a\xffbc");
        assert_eq!(decoded(&hex!("fffbff 61")), b"a");
    }

    #[test]
    fn sub_negotiations_may_hold_anything() {
        assert_eq!(decoded(&hex!("61 fffa18ffff01fff0 62")), b"ab");
        assert_eq!(decoded(&hex!("61 fffa18fffff0f0fff0 62")), b"ab");
        assert_eq!(decoded(&hex!("61 fffa18f0fffa01fff0 62")), b"ab");
    }

    #[test]
    fn a_sub_negotiation_without_end_does_not_swallow_the_console() {
        assert_eq!(decoded(&hex!("61 fffa1801 fffb01 62")), b"ab");
    }

    #[test]
    fn what_is_offered_is_answered_once() {
        // Agreement to what the greeting asked for needs no response, and neither does a refusal of it.
        assert_eq!(answers(&hex!("fffb00 fffd00 fffb00 fffd00")), b"");
        assert_eq!(answers(&hex!("fffc00 fffe00")), b"");
        // Echo was refused in the greeting already.
        assert_eq!(answers(&hex!("fffb01 fffd01 fffb01")), b"");
        // Suppress go-ahead is fine on both sides; what is on need not be agreed to again.
        assert_eq!(answers(&hex!("fffb03 fffd03 fffb03 fffd03")), hex!("fffd03 fffb03"));
        // Off is confirmed, and may come back.
        assert_eq!(answers(&hex!("fffb03 fffc03 fffc03 fffb03")), hex!("fffd03 fffe03 fffd03"));
        assert_eq!(answers(&hex!("fffd03 fffe03 fffe03")), hex!("fffb03 fffc03"));
        // Binary may be switched off; that is confirmed when it was on.
        assert_eq!(answers(&hex!("fffd00 fffe00")), hex!("fffc00"));
        // Terminal type, window size, linemode, and an option nobody knows: no, once.
        assert_eq!(answers(&hex!("fffd18 fffd1f fffb22 fffdff fffd18 fffb22")), hex!("fffc18 fffc1f fffe22 fffcff"));
    }

    #[test]
    fn two_of_a_kind_come_to_rest() {
        let (mut ends, mut wire) = ([Connection::default(), Connection::default()], vec![GREETING.to_vec(); 2]);
        for _ in 0..3 {
            for to in [0, 1] {
                let incoming = std::mem::take(&mut wire[1 - to]);
                let (mut data, mut aside) = (Vec::new(), Aside::default());
                ends[to].decode(&incoming, &mut data, &mut aside);
                assert!(data.is_empty());
                // What the first says now is heard in this round, what it greeted with in the last.
                wire[to].extend(aside.answers);
            }
        }
        assert_eq!(wire, [b"", b""]);
        assert!(ends.iter().all(|end| end.ours.get(BINARY) == Stand::On && end.theirs.get(BINARY) == Stand::On));
    }

    #[test]
    fn a_console_server_tells_of_its_line() {
        let asked = hex!("fffd2c");
        let masks = hex!("fffb2c fffa2c0a10fff0 fffa2c0baafff0");
        assert_eq!(answers(&asked), masks);
        let (data, _, events) =
            heard(&hex!("fffd2c 61 fffa2c6a10fff0 fffa2c6a60fff0 fffa2c6b02fff0 62 fffa2c6bb0fff0 fffa2c6501fff0"));
        assert_eq!(data, b"ab");
        assert_eq!(events, [LineEvent::Break, LineEvent::NotReady, LineEvent::Ready]);
        let mut connection = Connection::default();
        assert!(!connection.controls_port());
        connection.decode(&asked, &mut Vec::new(), &mut Aside::default());
        assert!(connection.controls_port());
        let mut out = Vec::new();
        modem_lines(ModemLines { rts: true, dtr: false }, &mut out);
        bit_rate(19200, &mut out);
        bit_rate(65_280, &mut out);
        assert_eq!(
            out,
            hex!("fffa2c050bfff0 fffa2c0509fff0 fffa2c0100004b00fff0 fffa2c010000ffff00fff0"),
            "FF is doubled inside, too"
        );
    }

    #[test]
    fn ff_is_doubled() {
        let mut out = Vec::new();
        escape(&hex!("61 ff 62 ff ff"), &mut out);
        escape(b"", &mut out);
        escape(b"c", &mut out);
        assert_eq!(out, hex!("61 ffff 62 ffff ffff 63"));
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        let mut sent = Vec::new();
        escape(&all, &mut sent);
        assert_eq!(decoded(&sent), all);
    }
}
