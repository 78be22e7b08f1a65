//! The line editor of a console: bytes to lines, echo, and telnet (`process.md`
//! sections 4 and 5, `emu.md` section 9).
//!
//! Owns what has been typed so far. Pure: bytes come in, lines and bytes to be written
//! come out.

/// Longest command, in bytes.
pub const LINE: usize = 1023;
/// What a console says when it waits for a command.
pub const PROMPT: &[u8] = b"> ";
/// What a TCP console says first: IAC WILL SUPPRESS-GO-AHEAD, IAC WILL ECHO, IAC DONT ECHO.
pub const GREETING: [u8; 9] = [IAC, WILL, SUPPRESS_GO_AHEAD, IAC, WILL, ECHO, IAC, DONT, ECHO];

/// The original's words, placeholder included.
const TOO_LONG: &[u8] = b"\nCommand is too long, max of %d characters\n";

const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SB: u8 = 250;
const SE: u8 = 240;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;

const END_OF_TRANSMISSION: u8 = 4;
const BACKSPACE: u8 = 8;
const DELETE: u8 = 127;

/// Where a console is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Standard input and output: Enter is echoed as LF, the terminal adds what it needs.
    Terminal,
    /// A TCP connection: telnet, and Enter is echoed as LF CR.
    Telnet,
}

/// What the user has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A command, in whatever encoding the user's terminal has.
    Line(Vec<u8>),
    /// The end of input: byte 4 on an empty line.
    End,
}

/// Where in a telnet command the input is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Telnet {
    #[default]
    Data,
    Command,
    Option(u8),
    Subnegotiation,
    SubnegotiationCommand,
}

/// The editor of one console.
#[derive(Debug)]
pub struct Editor {
    kind: Kind,
    echo: bool,
    line: Vec<u8>,
    telnet: Telnet,
}

impl Editor {
    /// With nothing typed and echo on.
    pub fn new(kind: Kind) -> Self {
        Self { kind, echo: true, line: Vec::new(), telnet: Telnet::Data }
    }

    /// Switches the echo off for good (`noecho`).
    pub fn stop_echo(&mut self) {
        self.echo = false;
    }

    /// Takes input up to the first thing that needs to be acted on: how many bytes were
    /// taken, and that thing. What is to be written back is appended to `out`.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, Option<Typed>) {
        for (index, &byte) in input.iter().enumerate() {
            let typed = match self.kind {
                Kind::Terminal => self.byte(byte, out),
                Kind::Telnet => self.telnet_byte(byte, out),
            };
            if typed.is_some() {
                return (index + 1, typed);
            }
        }
        (input.len(), None)
    }

    fn telnet_byte(&mut self, byte: u8, out: &mut Vec<u8>) -> Option<Typed> {
        self.telnet = match (self.telnet, byte) {
            (Telnet::Data, IAC) => Telnet::Command,
            (Telnet::Data, byte) => return self.byte(byte, out),
            (Telnet::Command, IAC) => {
                self.telnet = Telnet::Data;
                return self.byte(IAC, out);
            }
            (Telnet::Command, SB) => Telnet::Subnegotiation,
            (Telnet::Command, WILL | WONT | DO | DONT) => Telnet::Option(byte),
            (Telnet::Command, _) => Telnet::Data,
            (Telnet::Option(verb), option) => {
                match (verb, option) {
                    (DO, ECHO | SUPPRESS_GO_AHEAD) => {}
                    (DO, _) => out.extend([IAC, WONT, option]),
                    (WILL, _) => out.extend([IAC, DONT, option]),
                    _ => {}
                }
                Telnet::Data
            }
            (Telnet::Subnegotiation, IAC) => Telnet::SubnegotiationCommand,
            (Telnet::SubnegotiationCommand, SE) => Telnet::Data,
            (Telnet::Subnegotiation | Telnet::SubnegotiationCommand, _) => Telnet::Subnegotiation,
        };
        None
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) -> Option<Typed> {
        match byte {
            0 => None,
            b'\n' | b'\r' => {
                if self.echo {
                    self.write(b"\n", out);
                }
                Some(Typed::Line(std::mem::take(&mut self.line)))
            }
            BACKSPACE | DELETE => {
                if self.line.pop().is_some() && self.echo {
                    out.extend(b"\x08 \x08");
                }
                None
            }
            END_OF_TRANSMISSION if self.line.is_empty() => {
                if self.echo {
                    self.write(b"\n", out);
                }
                Some(Typed::End)
            }
            END_OF_TRANSMISSION => None,
            _ if self.line.len() >= LINE => {
                // Without carriage returns on every console.
                out.extend(TOO_LONG);
                None
            }
            byte => {
                self.line.push(byte);
                if self.echo {
                    self.echo_byte(byte, out);
                }
                None
            }
        }
    }

    fn echo_byte(&self, byte: u8, out: &mut Vec<u8>) {
        if self.kind == Kind::Telnet && byte == IAC {
            out.push(IAC);
        }
        out.push(byte);
    }

    fn write(&self, text: &[u8], out: &mut Vec<u8>) {
        match self.kind {
            Kind::Terminal => out.extend(text),
            Kind::Telnet => with_carriage_returns(text, out),
        }
    }
}

/// How lines end on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    /// LF CR, as the original writes and programs at its console expect.
    Console,
    /// LF: a journal, file or pipe with no console.
    Plain,
}

impl LineEnd {
    /// The bytes of a text whose lines end in LF.
    pub fn apply(self, text: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(text.len() + 8);
        match self {
            Self::Console => with_carriage_returns(text, &mut bytes),
            Self::Plain => bytes.extend(text),
        }
        bytes
    }
}

/// Text of commands and logs: every LF becomes LF CR, on every console.
fn with_carriage_returns(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        out.push(byte);
        if byte == b'\n' {
            out.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything typed and everything written back.
    fn type_in(editor: &mut Editor, mut input: &[u8]) -> (Vec<Typed>, Vec<u8>) {
        let (mut all, mut out) = (Vec::new(), Vec::new());
        while !input.is_empty() {
            let (taken, typed) = editor.feed(input, &mut out);
            all.extend(typed);
            input = &input[taken..];
        }
        (all, out)
    }

    fn terminal(input: &[u8]) -> (Vec<Typed>, Vec<u8>) {
        type_in(&mut Editor::new(Kind::Terminal), input)
    }

    fn telnet(input: &[u8]) -> (Vec<Typed>, Vec<u8>) {
        type_in(&mut Editor::new(Kind::Telnet), input)
    }

    fn line(text: &str) -> Typed {
        Typed::Line(text.as_bytes().to_vec())
    }

    #[test]
    fn enter_is_cr_or_lf_each_by_itself() {
        assert_eq!(terminal(b"foo\r"), (vec![line("foo")], b"foo\n".to_vec()));
        assert_eq!(terminal(b"a\r\nb"), (vec![line("a"), line("")], b"a\n\nb".to_vec()));
        assert_eq!(telnet(b"a\n"), (vec![line("a")], b"a\n\r".to_vec()));
    }

    #[test]
    fn input_is_taken_up_to_the_first_line() {
        let mut editor = Editor::new(Kind::Terminal);
        let mut out = Vec::new();
        assert_eq!(editor.feed(b"ab\ncd", &mut out), (3, Some(line("ab"))));
        assert_eq!(out, b"ab\n");
    }

    #[test]
    fn both_erase_keys_erase() {
        assert_eq!(terminal(b"abc\x08\x7fd\n"), (vec![line("ad")], b"abc\x08 \x08\x08 \x08d\n".to_vec()));
        assert_eq!(terminal(b"\x08\x7f\n"), (vec![line("")], b"\n".to_vec()));
    }

    #[test]
    fn end_of_input_counts_on_an_empty_line_only() {
        assert_eq!(terminal(b"\x04"), (vec![Typed::End], b"\n".to_vec()));
        assert_eq!(terminal(b"a\x04\n"), (vec![line("a")], b"a\n".to_vec()));
    }

    #[test]
    fn nul_is_ignored_and_control_c_is_text() {
        assert_eq!(terminal(b"a\0b\x03\n"), (vec![line("ab\x03")], b"ab\x03\n".to_vec()));
    }

    #[test]
    fn a_long_line_keeps_its_first_1023_bytes() {
        let mut input = vec![b'x'; LINE + 2];
        input.push(b'\n');
        let (typed, out) = terminal(&input);
        assert_eq!(typed, [line(&"x".repeat(LINE))]);
        let complaint = "\nCommand is too long, max of %d characters\n";
        assert_eq!(String::from_utf8(out).unwrap(), format!("{}{complaint}{complaint}\n", "x".repeat(LINE)));
    }

    #[test]
    fn without_echo_nothing_comes_back() {
        let mut editor = Editor::new(Kind::Telnet);
        editor.stop_echo();
        assert_eq!(type_in(&mut editor, b"ab\x08\n\x04"), (vec![line("a"), Typed::End], vec![]));
    }

    #[test]
    fn options_are_refused_and_ours_are_not_discussed() {
        assert_eq!(telnet(&[IAC, DO, 3, IAC, DO, 1]).1, Vec::<u8>::new());
        assert_eq!(telnet(&[IAC, DO, 24, IAC, WILL, 31]).1, [IAC, WONT, 24, IAC, DONT, 31]);
        assert_eq!(telnet(&[IAC, WONT, 1, IAC, DONT, 3, IAC, 241]).1, Vec::<u8>::new());
    }

    #[test]
    fn subnegotiation_and_escapes_leave_no_trace_in_the_line() {
        let input = [&[b'a', IAC, SB, 24, 0, b'x', IAC, IAC, SE, b'y', IAC, SE, b'b'][..], b"\n"].concat();
        assert_eq!(telnet(&input).0, [line("ab")]);
        let (typed, out) = telnet(&[IAC, IAC, b'\r', 0]);
        assert_eq!(typed, [Typed::Line(vec![IAC])]);
        assert_eq!(out, [IAC, IAC, b'\n', b'\r']);
    }

    #[test]
    fn telnet_commands_may_be_cut_anywhere() {
        let input = [IAC, DO, 24, b'q', IAC, SB, 1, IAC, SE, IAC, WILL, 5, b'\n'];
        for cut in 0..input.len() {
            let mut editor = Editor::new(Kind::Telnet);
            let (mut typed, mut out) = type_in(&mut editor, &input[..cut]);
            let rest = type_in(&mut editor, &input[cut..]);
            typed.extend(rest.0);
            out.extend(rest.1);
            assert_eq!(typed, [line("q")]);
            assert_eq!(out, [IAC, WONT, 24, b'q', IAC, DONT, 5, b'\n', b'\r']);
        }
    }

    #[test]
    fn line_feeds_get_their_carriage_return() {
        let mut out = Vec::new();
        with_carriage_returns(b"a\n\nb", &mut out);
        assert_eq!(out, b"a\n\r\n\rb");
    }

    #[test]
    fn the_greeting_is_the_originals() {
        assert_eq!(GREETING, [0xff, 0xfb, 3, 0xff, 0xfb, 1, 0xff, 0xfe, 1]);
    }
}
