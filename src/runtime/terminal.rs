//! Standard input and output as a console (`process.md` section 4).
//!
//! Owns the task that reads and writes them and the terminal's raw mode. Neither waits in
//! a system call, and the descriptors' own flags stay as they are: they belong to the shell
//! as well.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{SFlag, fstat, major, minor};
use nix::sys::termios::{InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use nix::unistd::{isatty, read, write};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::console::{LineEnd, PROMPT};
use super::console_port::{Command, ConsoleEvent, ConsoleWriter, Outgoing, PIECE, STANDARD};
use crate::host::duplex::{Reading, Step, step};
use crate::host::watch::watch;

/// Most bytes written at once: what a pipe that is ready for anything takes without
/// waiting.
const AT_ONCE: usize = 512;
/// How long a prompt waits for the reader of a pipe to have taken what stands before it. OpenIPMI's own
/// tests see a prompt only where a read begins; a prompt that comes with the line before it is one
/// that they wait for, for ever.
const HOLD: Duration = Duration::from_millis(250);
/// How long until the pipe is looked at again; there is nothing that would tell.
const GLANCE: Duration = Duration::from_millis(1);

/// What standard input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandardInput {
    /// A terminal.
    Terminal,
    /// A pipe, a socket or a file: commands up to its end.
    Stream,
    /// Closed, `/dev/null` or a directory: there is nobody to talk to.
    Nothing,
}

/// What a descriptor is as the input of a console.
pub fn kind_of(input: impl AsFd) -> StandardInput {
    let Ok(status) = fstat(&input) else { return StandardInput::Nothing };
    let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
    // Descriptor 0 is opened on the null device when the program is started without one.
    let null = kind == SFlag::S_IFCHR && (major(status.st_rdev), minor(status.st_rdev)) == (1, 3);
    match kind {
        _ if isatty(&input) == Ok(true) => StandardInput::Terminal,
        SFlag::S_IFDIR => StandardInput::Nothing,
        _ if null => StandardInput::Nothing,
        _ => StandardInput::Stream,
    }
}

/// The terminal in raw mode, until dropped.
#[derive(Debug)]
pub struct RawTerminal {
    terminal: Arc<OwnedFd>,
    before: Termios,
}

impl RawTerminal {
    /// Puts a terminal into raw mode: no echo, no line editing, no signals from keys, CR as it
    /// is. Output keeps its processing.
    pub fn enter(terminal: OwnedFd) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        raw.input_flags.remove(
            InputFlags::BRKINT
                | InputFlags::PARMRK
                | InputFlags::ISTRIP
                | InputFlags::INLCR
                | InputFlags::IGNCR
                | InputFlags::ICRNL
                | InputFlags::IXON,
        );
        raw.local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN);
        for (index, value) in [(SpecialCharacterIndices::VMIN, 1), (SpecialCharacterIndices::VTIME, 0)] {
            if let Some(character) = raw.control_chars.get_mut(index as usize) {
                *character = value;
            }
        }
        tcsetattr(&terminal, SetArg::TCSANOW, &raw)?;
        let terminal = Arc::new(terminal);
        // A panic ends the program without dropping anything.
        let (again, settings, hook) = (Arc::clone(&terminal), Mutex::new(before.clone()), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |info| {
            let settings = settings.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = tcsetattr(&*again, SetArg::TCSANOW, &settings);
            hook(info);
        }));
        Ok(Self { terminal, before })
    }
}

impl RawTerminal {
    /// How many columns its window has now; 0 when nobody knows, as on a serial line.
    pub fn columns(&self) -> usize {
        rustix::termios::tcgetwinsize(&*self.terminal).map_or(0, |size| size.ws_col.into())
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        let _ = tcsetattr(&*self.terminal, SetArg::TCSANOW, &self.before);
    }
}

/// The two ends of a console that is not on the network.
#[derive(Debug)]
pub struct Streams {
    /// What is typed.
    pub input: OwnedFd,
    /// What is shown.
    pub output: OwnedFd,
}

impl Streams {
    /// Standard input and output.
    pub fn standard() -> io::Result<Self> {
        Ok(Self {
            input: std::io::stdin().as_fd().try_clone_to_owned()?,
            output: std::io::stdout().as_fd().try_clone_to_owned()?,
        })
    }

    /// What the input is.
    pub fn kind(&self) -> StandardInput {
        kind_of(&self.input)
    }

    /// How lines end on the output, when there is no console on these streams.
    pub fn line_end(&self) -> LineEnd {
        match isatty(&self.output) == Ok(true) {
            true => LineEnd::Console,
            false => LineEnd::Plain,
        }
    }
}

/// Starts the task of standard input and output. StandardInput is read after the first
/// [`ConsoleWriter::more`].
pub fn start(streams: Streams, events: mpsc::Sender<ConsoleEvent>) -> io::Result<ConsoleWriter> {
    let Streams { input, output } = streams;
    let mut stream = Standard { input: Descriptor::new(input)?, output: Descriptor::new(output)? };
    let (writer, mut commands) = ConsoleWriter::new();
    let queued = writer.queued();
    tokio::spawn(async move {
        let mut outgoing = Outgoing::default();
        let mut buffer = [0; PIECE];
        let mut reading = Reading::Off;
        let mut closing = false;
        let mut heard = true;
        let mut nothing = VecDeque::new();
        let mut held: Option<Instant> = None;
        while !(closing && outgoing.is_empty()) {
            let hold = !closing && outgoing.piece == PROMPT && stream.output.is_unread();
            let next = if hold && *held.get_or_insert_with(|| Instant::now() + HOLD) > Instant::now() {
                let step = step(&mut stream, reading, &mut buffer, &mut nothing, &mut commands);
                let Ok(step) = tokio::time::timeout(GLANCE, step).await else { continue };
                step
            } else {
                held = None;
                step(&mut stream, reading, &mut buffer, &mut outgoing.piece, &mut commands).await
            };
            match next {
                Step::Command(Command::Write(bytes)) if heard => outgoing.push(bytes),
                Step::Command(Command::Write(bytes)) => {
                    queued.fetch_sub(bytes.len(), Ordering::Relaxed);
                }
                Step::Command(Command::More) => reading = Reading::On,
                Step::Command(Command::Close) => {
                    closing = true;
                    reading = Reading::Off;
                }
                Step::Received(count) => {
                    reading = Reading::Off;
                    let bytes = buffer.get(..count).unwrap_or_default().to_vec();
                    let _ = events.send(ConsoleEvent::Input(STANDARD, bytes)).await;
                }
                Step::Ended => {
                    reading = Reading::Off;
                    let _ = events.send(ConsoleEvent::Ended(STANDARD)).await;
                }
                Step::Sent(count) => {
                    queued.fetch_sub(count, Ordering::Relaxed);
                    outgoing.sent();
                }
                // Nobody listens any more, which is no reason to end.
                Step::Failed(_) if !outgoing.is_empty() => {
                    heard = false;
                    queued.fetch_sub(outgoing.clear(), Ordering::Relaxed);
                }
                Step::Failed(_) => {
                    reading = Reading::Off;
                    let _ = events.send(ConsoleEvent::Ended(STANDARD)).await;
                }
                Step::Abandoned => break,
            }
        }
    });
    Ok(writer)
}

struct Standard {
    input: Descriptor,
    output: Descriptor,
}

/// A descriptor somebody else may use as well, so it stays in blocking mode: it is asked
/// whether it is ready before each use.
enum Descriptor {
    Polled(AsyncFd<OwnedFd>),
    /// A file, which is always ready.
    Plain(OwnedFd),
}

impl Descriptor {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        // What cannot be watched is a file; the attempt takes the descriptor with it.
        let spare = fd.try_clone()?;
        let watched = watch(fd, Interest::READABLE | Interest::WRITABLE);
        Ok(watched.map_or_else(|_| Self::Plain(spare), Self::Polled))
    }
}

impl Descriptor {
    /// Whether it is a pipe in which something waits for its reader.
    fn is_unread(&self) -> bool {
        let fd = match self {
            Self::Polled(fd) => fd.get_ref(),
            Self::Plain(fd) => fd,
        };
        let is_pipe =
            fstat(fd).is_ok_and(|status| SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT == SFlag::S_IFIFO);
        is_pipe && rustix::io::ioctl_fionread(fd).is_ok_and(|count| count > 0)
    }
}

fn is_ready(fd: &OwnedFd, for_what: PollFlags) -> bool {
    let mut question = [PollFd::new(fd.as_fd(), for_what)];
    matches!(poll(&mut question, PollTimeout::ZERO), Ok(1..))
}

impl AsyncRead for Standard {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = loop {
            match &self.input {
                Descriptor::Plain(fd) => break read(fd, buf.initialize_unfilled())?,
                Descriptor::Polled(fd) => {
                    let mut guard = ready!(fd.poll_read_ready(cx))?;
                    if is_ready(fd.get_ref(), PollFlags::POLLIN) {
                        match read(fd.get_ref(), buf.initialize_unfilled()) {
                            Err(Errno::EAGAIN | Errno::EINTR) => {}
                            result => break result?,
                        }
                    }
                    guard.clear_ready();
                }
            }
        };
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Standard {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let some = match bytes.get(..AT_ONCE) {
            // LF and CR stay together.
            Some([start @ .., b'\n']) if !start.is_empty() => start,
            Some(start) => start,
            None => bytes,
        };
        loop {
            match &self.output {
                Descriptor::Plain(fd) => return Poll::Ready(Ok(write(fd, some)?)),
                Descriptor::Polled(fd) => {
                    let mut guard = ready!(fd.poll_write_ready(cx))?;
                    if is_ready(fd.get_ref(), PollFlags::POLLOUT) {
                        match write(fd.get_ref(), some) {
                            Err(Errno::EAGAIN | Errno::EINTR) => {}
                            result => return Poll::Ready(Ok(result?)),
                        }
                    }
                    guard.clear_ready();
                }
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};

    fn null() -> OwnedFd {
        File::options().read(true).write(true).open("/dev/null").unwrap().into()
    }

    #[test]
    fn kinds_of_input_are_told_apart() {
        let pty = nix::pty::openpty(None, None).unwrap();
        let (pipe, _writer) = std::io::pipe().unwrap();
        assert_eq!(kind_of(&pty.slave), StandardInput::Terminal);
        assert_eq!(kind_of(&pipe), StandardInput::Stream);
        assert_eq!(kind_of(tempfile::tempfile().unwrap()), StandardInput::Stream);
        assert_eq!(kind_of(null()), StandardInput::Nothing);
        assert_eq!(kind_of(File::open("/").unwrap()), StandardInput::Nothing);
    }

    #[test]
    fn raw_mode_ends_with_its_guard() {
        let pty = nix::pty::openpty(None, None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let raw = RawTerminal::enter(pty.slave.try_clone().unwrap()).unwrap();
        let during = tcgetattr(&pty.slave).unwrap();
        assert!(!during.local_flags.intersects(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG));
        assert_eq!(during.output_flags, before.output_flags);
        drop(raw);
        assert_eq!(tcgetattr(&pty.slave).unwrap(), before);
    }

    #[tokio::test]
    async fn a_pipe_is_read_piece_by_piece_up_to_its_end() {
        let (input, mut typist) = std::io::pipe().unwrap();
        let (mut screen, output) = std::io::pipe().unwrap();
        let (events, mut queue) = mpsc::channel(4);
        let writer = start(Streams { input: input.into(), output: output.into() }, events).unwrap();
        typist.write_all(b"help\n").unwrap();
        writer.write(b"> ".to_vec());
        let mut prompt = [0; 2];
        let (screen_read, prompt) = tokio::task::spawn_blocking(move || {
            screen.read_exact(&mut prompt).unwrap();
            (screen, prompt)
        })
        .await
        .unwrap();
        assert_eq!(&prompt, b"> ");
        assert!(queue.try_recv().is_err(), "nobody asked for input");
        writer.more();
        assert!(matches!(queue.recv().await, Some(ConsoleEvent::Input(STANDARD, bytes)) if bytes == b"help\n"));
        drop(typist);
        writer.more();
        assert!(matches!(queue.recv().await, Some(ConsoleEvent::Ended(STANDARD))));
        drop(screen_read);
        // Writing into the void does no harm and does not fill the queue.
        for _ in 0..100 {
            assert!(writer.write(vec![b'x'; 100_000]));
            tokio::task::yield_now().await;
        }
        writer.close();
        writer.closed().await;
    }

    #[tokio::test]
    async fn the_end_of_a_line_stays_in_one_piece() {
        let (mut screen, output) = std::io::pipe().unwrap();
        let (events, _queue) = mpsc::channel(4);
        let writer = start(Streams { input: null(), output: output.into() }, events).unwrap();
        writer.write([&vec![b'x'; AT_ONCE - 1][..], b"\n\ry"].concat());
        writer.close();
        writer.closed().await;
        let mut first = [0; AT_ONCE - 1];
        screen.read_exact(&mut first).unwrap();
        assert_eq!(first, [b'x'; AT_ONCE - 1]);
        let mut rest = [0; 100];
        let count = screen.read(&mut rest).unwrap();
        assert_eq!(rest[..count], *b"\n\ry");
    }

    #[tokio::test]
    async fn a_prompt_waits_until_a_pipe_is_read() {
        let (mut screen, output) = std::io::pipe().unwrap();
        let (events, _queue) = mpsc::channel(4);
        let writer = start(Streams { input: null(), output: output.into() }, events).unwrap();
        for _ in 0..20 {
            writer.write(b"line\n\r".to_vec());
            writer.write(PROMPT.to_vec());
            // Long after both could have been written, a reader of all there is gets the line.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let mut buffer = [0; 100];
            let count = screen.read(&mut buffer).unwrap();
            assert_eq!(buffer[..count], *b"line\n\r");
            tokio::time::sleep(Duration::from_millis(20)).await;
            let count = screen.read(&mut buffer).unwrap();
            assert_eq!(buffer[..count], *PROMPT);
        }
        // Who does not read at all gets both, later, and whoever says good-bye does not wait.
        writer.write(b"line\n\r".to_vec());
        writer.write(PROMPT.to_vec());
        tokio::time::sleep(HOLD + Duration::from_millis(100)).await;
        writer.write(PROMPT.to_vec());
        writer.close();
        writer.closed().await;
        drop(writer);
        let mut rest = String::new();
        screen.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "line\n\r> > ");
    }

    #[tokio::test]
    async fn a_file_is_input_and_output_as_well() {
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(b"quit\n").unwrap();
        std::io::Seek::rewind(&mut input).unwrap();
        let output = tempfile::NamedTempFile::new().unwrap();
        let (events, mut queue) = mpsc::channel(4);
        let writer = start(Streams { input: input.into(), output: output.reopen().unwrap().into() }, events).unwrap();
        writer.write(b"ready\n".to_vec());
        writer.more();
        assert!(matches!(queue.recv().await, Some(ConsoleEvent::Input(_, bytes)) if bytes == b"quit\n"));
        writer.more();
        assert!(matches!(queue.recv().await, Some(ConsoleEvent::Ended(_))));
        writer.close();
        writer.closed().await;
        assert_eq!(std::fs::read(output.path()).unwrap(), b"ready\n");
    }

    #[tokio::test]
    async fn a_screen_that_stands_still_stops_nobody() {
        let (_screen, output) = std::io::pipe().unwrap();
        let (events, _queue) = mpsc::channel(4);
        let writer = start(Streams { input: null(), output: output.into() }, events).unwrap();
        let mut room = true;
        for _ in 0..100 {
            room &= writer.write(vec![b'x'; 100_000]);
            tokio::task::yield_now().await;
        }
        assert!(!room);
    }
}
