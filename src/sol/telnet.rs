//! Telnet, as far as a console server needs it (RFC 854; `sol.md` section 8).
//!
//! Owns the state of one incoming stream. Offers binary without echo and never answers:
//! both ends then work with what they have.

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

/// Sent when the port was opened.
pub const GREETING: &[u8] = &[IAC, DO, BINARY, IAC, WILL, BINARY, IAC, DONT, ECHO, IAC, WONT, ECHO];
/// A break.
pub const BREAK: &[u8] = &[IAC, BRK];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Data,
    /// Behind `FF`.
    Command,
    /// Behind `FF FB..FE`.
    Option,
    /// Inside a sub-negotiation.
    Sub,
    /// Behind `FF` inside a sub-negotiation.
    SubCommand,
}

/// Takes commands out of a stream.
#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
}

impl Decoder {
    /// Appends the data in `bytes` to `data`.
    pub fn decode(&mut self, mut bytes: &[u8], data: &mut Vec<u8>) {
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
                (State::Command | State::SubCommand, WILL | WONT | DO | DONT) => State::Option,
                (State::Command, SB) => State::Sub,
                (State::Command, _) => State::Data,
                (State::Option, _) => State::Data,
                (State::Sub, IAC) => State::SubCommand,
                (State::SubCommand, SE) => State::Data,
                (State::Sub | State::SubCommand, _) => State::Sub,
            };
        }
    }
}

/// Appends `data` to `out` with `FF` doubled.
pub fn escape(data: &[u8], out: &mut Vec<u8>) {
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

    /// However the stream is cut, the data are the same.
    fn decoded(stream: &[u8]) -> Vec<u8> {
        let mut whole = Vec::new();
        Decoder::default().decode(stream, &mut whole);
        for size in 1..stream.len() {
            let mut decoder = Decoder::default();
            let mut data = Vec::new();
            stream.chunks(size).for_each(|chunk| decoder.decode(chunk, &mut data));
            assert_eq!(data, whole, "in pieces of {size}");
        }
        whole
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
