//! A port that nothing is behind: what `play:` of a `sol` line says, at its time.
//!
//! Owns how far the play has come and what stands on the line that is being typed. Knows neither power nor
//! sessions, and does nothing by itself: whoever looks gives the time.

use std::sync::Arc;

use crate::ipmi::Moment;
use crate::settings::play::{Part, Play, Prompt, Recording};

/// Most characters of a line that can be taken back again.
const LINE: usize = 4096;

const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;
const INTERRUPT: u8 = 0x03;
const KILL: u8 = 0x15;
/// One character less on the screen.
const ERASE: &[u8] = b"\x08 \x08";

/// How far a play has come.
#[derive(Debug)]
pub struct Player {
    play: Arc<Play>,
    /// What plays, unless the machine is off.
    place: Option<Place>,
}

#[derive(Debug)]
struct Place {
    /// Number of the part.
    part: usize,
    /// When it began.
    began: Moment,
    /// Its first step that has not been said to the end.
    step: usize,
    /// How many of its bytes have been said.
    said: usize,
    /// What happened at the prompt.
    line: Line,
}

/// The line that is being typed at a prompt.
#[derive(Debug, Default)]
struct Line {
    /// Whether the prompt was shown.
    greeted: bool,
    /// How many characters stand in it.
    characters: usize,
    /// Whether the last byte was CR: an LF behind it is the same key.
    after_return: bool,
}

impl Place {
    fn new(part: usize, began: Moment) -> Self {
        Self { part, began, step: 0, said: 0, line: Line::default() }
    }
}

impl Player {
    /// One that says nothing before it is [started](Self::start).
    pub fn new(play: Arc<Play>) -> Self {
        Self { play, place: None }
    }

    /// Another play, from its beginning where one is playing.
    pub fn replace(&mut self, now: Moment, play: Arc<Play>) {
        self.play = play;
        if self.is_playing() {
            self.start(now);
        }
    }

    /// Begins at the beginning.
    pub fn start(&mut self, now: Moment) {
        self.place = Some(Place::new(0, now));
    }

    /// Says nothing more.
    pub fn stop(&mut self) {
        self.place = None;
    }

    /// Whether it has been started, and not stopped since.
    pub fn is_playing(&self) -> bool {
        self.place.is_some()
    }

    /// When there is more to say. `None`: not before something is typed, or it is started.
    pub fn due(&self) -> Option<Moment> {
        let place = self.place.as_ref()?;
        match self.play.parts.get(place.part)? {
            Part::Recording { recording, .. } => match recording.step(place.step) {
                Some((at, _)) => Some(place.began + at),
                None => (place.part + 1 < self.play.parts.len()).then(|| place.began + recording.length()),
            },
            Part::Prompt(_) => (!place.line.greeted).then_some(place.began),
        }
    }

    /// Appends what is due, at most about `room` bytes of it; the rest stays due.
    pub fn say(&mut self, now: Moment, room: usize, out: &mut Vec<u8>) {
        self.go_on(now, room, &mut |bytes| out.extend_from_slice(bytes));
    }

    /// Passes over what is due: nobody heard it.
    pub fn skip(&mut self, now: Moment) {
        self.go_on(now, usize::MAX, &mut |_| {});
    }

    fn go_on(&mut self, now: Moment, mut room: usize, say: &mut impl FnMut(&[u8])) {
        let Some(place) = &mut self.place else { return };
        while let Some(part) = self.play.parts.get(place.part) {
            match part {
                Part::Recording { recording, .. } => {
                    if !place.recording(recording, now, &mut room, say) {
                        return;
                    }
                    *place = Place::new(place.part + 1, place.began + recording.length());
                }
                Part::Prompt(Prompt { banner, prompt }) => {
                    if !place.line.greeted && room > 0 && place.began <= now {
                        place.line.greeted = true;
                        say(banner);
                        say(prompt);
                    }
                    return;
                }
            }
        }
    }

    /// Takes what is typed, and appends what becomes of it on the screen. While nobody answers it is lost.
    pub fn typed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(place) = &mut self.place else { return };
        if let (Some(Part::Prompt(prompt)), true) = (self.play.parts.get(place.part), place.line.greeted) {
            bytes.iter().for_each(|byte| place.line.key(*byte, &prompt.prompt, out));
        }
    }
}

impl Place {
    /// Says what is due of a recording. Whether that was all of it.
    fn recording(&mut self, recording: &Recording, now: Moment, room: &mut usize, say: &mut impl FnMut(&[u8])) -> bool {
        while let Some((at, end)) = recording.step(self.step) {
            if self.began + at > now {
                return false;
            }
            let until = end.min(self.said.saturating_add(*room));
            say(recording.bytes().get(self.said..until).unwrap_or_default());
            *room -= until - self.said;
            self.said = until;
            if until < end {
                return false;
            }
            self.step += 1;
        }
        self.began + recording.length() <= now
    }
}

impl Line {
    fn key(&mut self, byte: u8, prompt: &[u8], out: &mut Vec<u8>) {
        let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        match byte {
            b'\n' if after_return => {}
            b'\r' | b'\n' => {
                self.characters = 0;
                out.extend_from_slice(b"\r\n");
                out.extend_from_slice(prompt);
            }
            INTERRUPT => {
                self.characters = 0;
                out.extend_from_slice(b"^C\r\n");
                out.extend_from_slice(prompt);
            }
            BACKSPACE | DELETE => {
                if let Some(fewer) = self.characters.checked_sub(1) {
                    self.characters = fewer;
                    out.extend_from_slice(ERASE);
                }
            }
            KILL => {
                for _ in 0..std::mem::take(&mut self.characters) {
                    out.extend_from_slice(ERASE);
                }
            }
            0..b' ' => {}
            _ => {
                // What continues a character of UTF-8 is none of its own.
                if byte & 0xc0 != 0x80 {
                    self.characters = (self.characters + 1).min(LINE);
                }
                out.push(byte);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::follow::Decimal;
    use crate::settings::play::Source;

    fn at(seconds: f64) -> Moment {
        Moment::new(Duration::from_secs(1000) + Duration::from_secs_f64(seconds))
    }

    fn recording(steps: &[(f64, &[u8])], length: f64) -> Part {
        let mut recording = Recording::default();
        steps.iter().for_each(|(at, bytes)| recording.push(Duration::from_secs_f64(*at), bytes));
        recording.lasts(Duration::from_secs_f64(length));
        let source = Source::Cast { file: "x".into(), speed: Decimal::default() };
        Part::Recording { source, recording: recording.into() }
    }

    fn prompt() -> Part {
        Part::Prompt(Prompt { banner: b"hello\r\n".to_vec(), prompt: b"$ ".to_vec() })
    }

    fn player(parts: Vec<Part>) -> Player {
        Player::new(Arc::new(Play { parts }))
    }

    fn said(player: &mut Player, now: f64, room: usize) -> String {
        let mut out = Vec::new();
        player.say(at(now), room, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn typed(player: &mut Player, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        player.typed(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_step_comes_at_its_time_and_the_next_part_at_the_end_of_the_last() {
        let mut player =
            player(vec![recording(&[(0.0, b"a"), (0.5, b"bc")], 2.0), recording(&[(1.0, b"d")], 1.0), prompt()]);
        assert_eq!((player.due(), said(&mut player, 9.0, 99)), (None, String::new()), "nobody has switched it on");
        player.start(at(10.0));
        let mut heard = Vec::new();
        while let Some(due) = player.due() {
            let mut out = Vec::new();
            player.say(due, 99, &mut out);
            heard.push((due, String::from_utf8(out).unwrap()));
        }
        let expected = [(10.0, "a"), (10.5, "bc"), (12.0, ""), (13.0, "dhello\r\n$ ")];
        assert_eq!(heard, expected.map(|(when, text)| (at(when), text.to_owned())));
        player.start(at(20.0));
        assert_eq!(said(&mut player, 99.0, 99), "abcdhello\r\n$ ", "all that is due at once");
        player.stop();
        assert_eq!(
            (player.due(), said(&mut player, 200.0, 99), typed(&mut player, b"x")),
            (None, String::new(), String::new())
        );
    }

    #[test]
    fn what_finds_no_room_waits_and_what_nobody_hears_is_over() {
        let mut player = player(vec![recording(&[(0.0, b"abcdef"), (1.0, b"gh")], 1.0), prompt()]);
        player.start(at(0.0));
        assert_eq!((said(&mut player, 0.0, 4), player.due()), ("abcd".into(), Some(at(0.0))));
        assert_eq!((said(&mut player, 1.0, 0), said(&mut player, 1.0, 3)), (String::new(), "efg".into()));
        assert_eq!(said(&mut player, 1.0, 1), "h");
        assert_eq!(said(&mut player, 1.0, 1), "hello\r\n$ ");
        player.start(at(5.0));
        player.skip(at(5.9));
        assert_eq!((player.due(), typed(&mut player, b"x")), (Some(at(6.0)), String::new()));
        assert_eq!(said(&mut player, 6.0, 99), "ghhello\r\n$ ");
    }

    #[test]
    fn a_prompt_echoes_and_comes_again_after_return() {
        let mut player = player(vec![prompt()]);
        player.start(at(0.0));
        player.skip(at(0.0));
        for (keys, screen) in [
            (&b"root"[..], "root"),
            (b"\r", "\r\n$ "),
            (b"\n", ""),
            (b"\n", "\r\n$ "),
            (b"\x7f", ""),
            ("\u{e4}b".as_bytes(), "\u{e4}b"),
            (b"\x08\x7f\x08", "\x08 \x08\x08 \x08"),
            (b"abc\x15", "abc\x08 \x08\x08 \x08\x08 \x08"),
            (b"x\x03", "x^C\r\n$ "),
            (b"\x7f\x1b\x00\t", ""),
        ] {
            assert_eq!(typed(&mut player, keys), screen, "{keys:?}");
        }
        assert_eq!(player.due(), None);
    }

    #[test]
    fn an_empty_play_says_nothing() {
        let mut player = player(Vec::new());
        player.start(at(0.0));
        assert_eq!(
            (player.due(), said(&mut player, 5.0, 99), typed(&mut player, b"a")),
            (None, String::new(), String::new())
        );
    }
}
