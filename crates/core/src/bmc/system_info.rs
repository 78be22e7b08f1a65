//! System info parameters: what the firmware and the operating system of the managed machine
//! tell about themselves (IPMI 2.0 section 22.14a, table 22-16c).
//!
//! Owns the texts, which are read and written in blocks, and the "set in progress" state with
//! its rollback. Knows no message and no file.

use super::unsaved::{Save, Unchanged};
use super::{At, StateFile};

/// Number of parameter 0, "set in progress".
pub const SET_IN_PROGRESS: u8 = 0;

/// The texts, parameters 1 to 7, by the names of their items in the state file.
///
/// Parameter 4 is the operating system that runs, which the specification calls volatile: a cold
/// reset clears it. It is in the file all the same, because a restart of the simulation is none
/// of the machine, and nobody would tell it again.
pub const NAMES: [&str; 7] =
    ["firmware_version", "system_name", "primary_os_name", "os_name", "os_version", "bmc_url", "hypervisor_url"];

/// Place of parameter 2, the system's name, among the texts.
const SYSTEM_NAME: usize = 1;
/// Place of parameter 4, the name of the operating system that runs, among the texts.
const OS_NAME: usize = 3;

/// Bytes of a block.
pub const BLOCK: usize = 16;
/// Bytes of the text in block 0, behind encoding and length.
const FIRST: usize = BLOCK - 2;
/// Highest encoding: 0 ASCII and Latin-1, 1 UTF-8, 2 Unicode.
const HIGHEST_ENCODING: u8 = 2;

/// Why a parameter is not read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InfoError {
    /// 80h: there is no such parameter.
    Unsupported,
    /// 81h: it is being set already.
    InProgress,
    /// C7h: bytes are missing, or too many.
    Length,
    /// C9h: the text has no such block.
    NoBlock,
    /// CCh: the value is not acceptable.
    Invalid,
}

/// A text and how its bytes are to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Text {
    /// 0 ASCII and Latin-1, 1 UTF-8, 2 Unicode.
    encoding: u8,
    /// At most 255.
    bytes: Vec<u8>,
}

impl Text {
    /// Where block `number` begins in the text, if the text reaches it. There is always a block 0.
    fn start(&self, number: u8) -> Option<usize> {
        let start = match usize::from(number).checked_sub(1) {
            None => 0,
            Some(earlier) => FIRST + earlier * BLOCK,
        };
        (number == 0 || start < self.bytes.len()).then_some(start)
    }

    fn block(&self, number: u8) -> Option<[u8; BLOCK]> {
        let rest = self.bytes.get(self.start(number)?..).unwrap_or_default();
        let mut block = [0; BLOCK];
        if number == 0 {
            block[0] = self.encoding;
            block[1] = self.bytes.len() as u8;
        }
        let places = if number == 0 { &mut block[2..] } else { &mut block[..] };
        for (place, byte) in places.iter_mut().zip(rest) {
            *place = *byte;
        }
        Some(block)
    }

    /// Block 0 says how long the text is; bytes that a block leaves out are zero.
    fn set_block(&mut self, number: u8, data: &[u8]) -> Result<(), InfoError> {
        if data.len() > BLOCK {
            return Err(InfoError::Invalid);
        }
        let data = match (number, data) {
            (0, [encoding, length, text @ ..]) => {
                if *encoding > HIGHEST_ENCODING {
                    return Err(InfoError::Invalid);
                }
                self.encoding = *encoding;
                self.bytes.resize((*length).into(), 0);
                text
            }
            (0, _) | (_, []) => return Err(InfoError::Length),
            (_, text) => text,
        };
        let room = if number == 0 { FIRST } else { BLOCK };
        let start = self.start(number).ok_or(InfoError::NoBlock)?;
        let bytes = data.iter().copied().chain(std::iter::repeat(0));
        for (place, byte) in self.bytes.iter_mut().skip(start).take(room).zip(bytes) {
            *place = byte;
        }
        Ok(())
    }
}

/// What there is to be kept, at some moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled([Text; NAMES.len()]);

/// What a parameter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Parameter 0: whether somebody is setting parameters.
    InProgress(bool),
    /// A block of a text.
    Block([u8; BLOCK]),
}

/// System info parameters of a controller.
#[derive(Debug, Default)]
pub struct SystemInfo {
    texts: Settled,
    /// Somebody is setting parameters: what they were before, or at the last commit.
    rollback: Option<Box<Settled>>,
}

impl SystemInfo {
    /// Place of a text parameter.
    fn place(parameter: u8) -> Result<usize, InfoError> {
        let place = usize::from(parameter).checked_sub(1).filter(|place| *place < NAMES.len());
        place.ok_or(InfoError::Unsupported)
    }

    /// Whether there is a parameter with this number.
    pub fn supports(parameter: u8) -> bool {
        parameter == SET_IN_PROGRESS || Self::place(parameter).is_ok()
    }

    /// Reads a parameter; `set` is the number of a block of 16 bytes: the first has encoding,
    /// length of the whole text and 14 bytes of it. While parameters are being set, what was set
    /// is read.
    pub fn get(&self, parameter: u8, set: u8) -> Result<Value, InfoError> {
        if parameter == SET_IN_PROGRESS {
            return Ok(Value::InProgress(self.rollback.is_some()));
        }
        let Settled(texts) = &self.texts;
        let text = texts.get(Self::place(parameter)?).ok_or(InfoError::Unsupported)?;
        text.block(set).map(Value::Block).ok_or(InfoError::NoBlock)
    }

    /// Writes a parameter; `data` is what follows its number.
    fn set(&mut self, parameter: u8, data: &[u8]) -> Result<Save, InfoError> {
        if parameter == SET_IN_PROGRESS {
            let [state] = *data else { return Err(InfoError::Length) };
            return self.set_in_progress(state);
        }
        let Settled(texts) = &mut self.texts;
        let text = texts.get_mut(Self::place(parameter)?).ok_or(InfoError::Unsupported)?;
        let (set, block) = data.split_first().ok_or(InfoError::Length)?;
        text.set_block(*set, block)?;
        Ok(if self.rollback.is_some() { Save::NotNeeded } else { Save::Needed })
    }

    fn set_in_progress(&mut self, state: u8) -> Result<Save, InfoError> {
        match (state, &mut self.rollback) {
            // Complete: what was not committed is gone.
            (0, _) => self.complete(),
            (1, Some(_)) => return Err(InfoError::InProgress),
            (1, None) => self.rollback = Some(Box::new(self.texts.clone())),
            (2, Some(rollback)) => {
                if **rollback != self.texts {
                    (**rollback).clone_from(&self.texts);
                    return Ok(Save::Needed);
                }
            }
            // Nothing is being set that could be committed: it was kept as it came.
            (2, None) => {}
            _ => return Err(InfoError::Invalid),
        }
        Ok(Save::NotNeeded)
    }

    /// Nobody is setting parameters any more: what was not committed is gone. A reset of the
    /// machine, or its power going off, does this, too.
    pub fn complete(&mut self) {
        if let Some(rollback) = self.rollback.take() {
            self.texts = *rollback;
        }
    }

    /// The controller starts anew: nobody is setting parameters, and no operating system has told
    /// its name. Says whether that is a change of what is kept.
    fn reset(&mut self) -> Save {
        self.complete();
        let Settled(texts) = &mut self.texts;
        match texts.get_mut(OS_NAME).map(std::mem::take) {
            Some(text) if text != Text::default() => Save::Needed,
            _ => Save::NotNeeded,
        }
    }

    /// What is kept, as of now.
    pub fn settled(&self) -> &Settled {
        self.rollback.as_deref().unwrap_or(&self.texts)
    }

    /// What was set since `before` could not be kept: it is gone, or open again for who is
    /// setting parameters.
    pub(super) fn take_back(&mut self, before: Settled) {
        match &mut self.rollback {
            Some(rollback) => **rollback = before,
            None => self.texts = before,
        }
    }

    /// Items of the state file: a byte for the encoding, then the text, of each text there is. The
    /// system's name is always among them, because an empty file counts as one that was lost.
    pub fn kept(&self) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
        let Settled(texts) = self.settled();
        let told = |place: usize, text: &Text| place == SYSTEM_NAME || *text != Text::default();
        let kept = NAMES.into_iter().zip(texts).enumerate().filter(move |(place, (_, text))| told(*place, text));
        kept.map(|(_, item)| item).map(|(name, text)| (name, [&[text.encoding], &text.bytes[..]].concat()))
    }

    /// Takes what [`kept`](Self::kept) gave, each item that is there and fits.
    pub fn restore<'f>(&mut self, item: impl Fn(&str) -> Option<&'f [u8]>) {
        let Settled(texts) = &mut self.texts;
        for (name, text) in NAMES.iter().zip(texts) {
            if let Some([encoding @ 0..=HIGHEST_ENCODING, bytes @ ..]) = item(name)
                && bytes.len() <= u8::MAX.into()
            {
                *text = Text { encoding: *encoding, bytes: bytes.to_vec() };
            }
        }
    }
}

/// A client writes a parameter; `data` is what follows its number.
///
/// # Errors
/// As [`InfoError`] has them.
pub fn set(at: &mut At<'_>, parameter: u8, data: &[u8]) -> Result<(), InfoError> {
    at.change_some(StateFile::SystemInfo, |controller| Ok((controller.system_info.set(parameter, data)?, ())))
}

/// A client has the controller start anew: nobody is setting parameters, and no operating system has told its name.
pub fn reset(at: &mut At<'_>) {
    let _ =
        at.change_some(StateFile::SystemInfo, |controller| Ok::<_, Unchanged>((controller.system_info.reset(), ())));
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: u8 = 2;

    fn set(info: &mut SystemInfo, number: u8, text: &[u8]) {
        let length = text.len() as u8;
        for (set, part) in (0..).zip(blocks(text)) {
            let head: &[u8] = if set == 0 { &[0, 1, length] } else { &[set] };
            info.set(number, &[head, part].concat()).expect("accepted");
        }
    }

    /// A text as clients cut it: 14 bytes, then 16 each.
    fn blocks(text: &[u8]) -> Vec<&[u8]> {
        let (first, rest) = text.split_at(text.len().min(FIRST));
        std::iter::once(first).chain(rest.chunks(BLOCK)).collect()
    }

    fn read(info: &SystemInfo, number: u8) -> Vec<u8> {
        let Ok(Value::Block(first)) = info.get(number, 0) else { panic!("no block 0") };
        let mut text = first[2..].to_vec();
        for set in 1..=u8::MAX {
            match info.get(number, set) {
                Ok(Value::Block(block)) => text.extend_from_slice(&block),
                other => {
                    assert_eq!(other, Err(InfoError::NoBlock));
                    break;
                }
            }
        }
        let length = usize::from(first[1]);
        assert!(text.len() - length < BLOCK || length < FIRST, "no block too many");
        assert!(text[length..].iter().all(|byte| *byte == 0), "what is behind the text is zero");
        text.truncate(length);
        text
    }

    #[test]
    fn texts_of_every_length_come_back_and_again_from_the_file() {
        for length in 0..=255u8 {
            let text: Vec<u8> = (0..length).map(|at| at ^ 0x5a).collect();
            let mut info = SystemInfo::default();
            set(&mut info, NAME, &[0xee; 255]);
            set(&mut info, NAME, &text);
            assert_eq!(read(&info, NAME), text, "{length}");
            assert_eq!(read(&info, 1), [], "the others are left alone");
            let kept: Vec<_> = info.kept().collect();
            let mut again = SystemInfo::default();
            again.restore(|name| kept.iter().find(|(item, _)| *item == name).map(|(_, bytes)| bytes.as_slice()));
            assert_eq!(read(&again, NAME), text);
            assert_eq!(again.kept().collect::<Vec<_>>(), kept);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let mut info = SystemInfo::default();
        set(&mut info, NAME, b"twenty bytes of name");
        let long = [0; BLOCK + 2];
        for (parameter, data, error) in [
            (8, &[0, 0, 1, 65][..], InfoError::Unsupported),
            (0xdd, &[0, 0, 1, 65], InfoError::Unsupported),
            (NAME, &[], InfoError::Length),
            (NAME, &[0], InfoError::Length),
            (NAME, &[0, 0], InfoError::Length),
            (NAME, &[1], InfoError::Length),
            (NAME, &[0, 3, 1, 65], InfoError::Invalid),
            (NAME, &[0, 0x10, 1, 65], InfoError::Invalid),
            (NAME, &long, InfoError::Invalid),
            (NAME, &[2, 65], InfoError::NoBlock),
            (NAME, &[255, 65], InfoError::NoBlock),
            (1, &[1, 65], InfoError::NoBlock),
            (0, &[], InfoError::Length),
            (0, &[0, 0], InfoError::Length),
            (0, &[3], InfoError::Invalid),
            (0, &[4], InfoError::Invalid),
        ] {
            assert_eq!(info.set(parameter, data), Err(error), "{parameter} {data:02x?}");
        }
        assert_eq!(read(&info, NAME), b"twenty bytes of name");
    }

    #[test]
    fn one_block_can_be_set_alone() {
        let mut info = SystemInfo::default();
        set(&mut info, NAME, b"twenty bytes of name");
        assert_eq!(info.set(NAME, b"\x01f NAME"), Ok(Save::Needed));
        assert_eq!(read(&info, NAME), b"twenty bytes of NAME");
        assert_eq!(info.set(NAME, b"\0\x02\x14TWENTY BYTES o"), Ok(Save::Needed));
        assert_eq!(read(&info, NAME), b"TWENTY BYTES of NAME");
    }

    #[test]
    fn what_is_not_committed_is_rolled_back() {
        let mut info = SystemInfo::default();
        set(&mut info, NAME, b"first");
        assert_eq!(info.set(0, &[1]), Ok(Save::NotNeeded));
        assert_eq!(info.set(0, &[1]), Err(InfoError::InProgress));
        assert_eq!(info.get(0, 0), Ok(Value::InProgress(true)));
        assert_eq!(info.set(NAME, b"\0\0\x06second"), Ok(Save::NotNeeded));
        assert_eq!(read(&info, NAME), b"second", "who is setting reads what was set");
        assert_eq!(info.kept().next(), Some(("system_name", b"\x01first".to_vec())), "and it is not kept yet");
        assert_eq!(info.set(0, &[0]), Ok(Save::NotNeeded));
        assert_eq!(read(&info, NAME), b"first");
        info.set(0, &[1]).expect("free");
        set(&mut info, NAME, b"third");
        assert_eq!(info.set(0, &[2]), Ok(Save::Needed));
        assert_eq!(info.get(0, 0), Ok(Value::InProgress(true)), "until it is complete");
        assert_eq!(info.set(0, &[2]), Ok(Save::NotNeeded), "nothing new");
        set(&mut info, NAME, b"fourth");
        info.complete();
        assert_eq!((read(&info, NAME), info.get(0, 0)), (b"third".to_vec(), Ok(Value::InProgress(false))));
        assert_eq!(info.set(0, &[2]), Ok(Save::NotNeeded));
    }

    #[test]
    fn a_reset_forgets_which_operating_system_runs() {
        let mut info = SystemInfo::default();
        for number in 1..=7 {
            set(&mut info, number, b"text");
        }
        info.set(0, &[1]).expect("free");
        assert_eq!(info.reset(), Save::Needed);
        for number in 1..=7 {
            let left: &[u8] = if number == 4 { b"" } else { b"text" };
            assert_eq!(read(&info, number), left, "{number}");
        }
        assert_eq!(info.get(0, 0), Ok(Value::InProgress(false)));
        assert_eq!(info.reset(), Save::NotNeeded);
    }

    #[test]
    fn what_could_not_be_kept_is_taken_back() {
        let mut info = SystemInfo::default();
        let before = info.settled().clone();
        set(&mut info, NAME, b"lost");
        info.take_back(before.clone());
        assert_eq!(read(&info, NAME), b"");
        info.set(0, &[1]).expect("free");
        set(&mut info, NAME, b"open");
        info.set(0, &[2]).expect("in progress");
        info.take_back(before);
        assert_eq!(info.set(0, &[2]), Ok(Save::Needed), "it can be committed once more");
        info.set(0, &[0]).expect("complete");
        assert_eq!(read(&info, NAME), b"open");
    }

    #[test]
    fn odd_items_of_a_file_are_left_out() {
        let mut info = SystemInfo::default();
        let long = [0; 257];
        info.restore(|name| match name {
            "system_name" => Some(&[]),
            "os_name" => Some(&[3, 65]),
            "bmc_url" => Some(&long),
            "os_version" => Some(&[1, 65]),
            _ => None,
        });
        assert_eq!(info.kept().collect::<Vec<_>>(), [("system_name", vec![0]), ("os_version", vec![1, 65])]);
    }
}
