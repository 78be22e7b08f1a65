//! The SOL port of one MC: a tty, or a TCP peer (`sol.md` section 8).
//!
//! Owns one task that opens the port, carries bytes both ways, and opens it again when it was lost
//! or could not be opened: soon at first, then less and less often. Bytes only: telnet is the
//! engine's.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

use super::duplex::{Reading, Step, step};
use super::lock_file::{Held, LOCK_DIRECTORY};
use super::names::{self, Transport};
use super::tty::{FlowControl, Tty};
use super::{HostEvent, HostEvents, report, tcp, workers};
use crate::bmc::LogLevel;
use crate::ipmi::McAddress;
use crate::settings::model::SolTarget;
use crate::sim::Input;
use crate::sol::{LineEvent, ModemLines};
use crate::store::directory::message;

/// Longest pause between two attempts to open a port.
pub const RETRY: Duration = Duration::from_secs(10);
/// The first pause; each further one is twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// A port that was open for so long is opened again after the first pause.
const STABLE: Duration = Duration::from_secs(1);
/// How much is read at once.
const PIECE: usize = 1024;

/// What a port is told.
#[derive(Debug)]
pub enum SolCommand {
    /// Write these bytes.
    Write(Vec<u8>),
    /// Send a break.
    Break,
    /// Set the modem lines.
    ModemLines(ModemLines),
    /// Change the speed.
    BitRate(u32),
    /// Read the port, or leave its bytes where they are.
    Read(Reading),
}

/// How a port is opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// IPMB address of its MC.
    pub mc: McAddress,
    /// Where it is.
    pub target: SolTarget,
    /// Bits per second, of a tty.
    pub bit_rate: u32,
    /// Flow control, of a tty.
    pub flow_control: FlowControl,
    /// Longest pause between two attempts.
    pub retry: Duration,
    /// Where lock files are kept.
    pub lock_directory: PathBuf,
}

impl Settings {
    /// With the usual pause and lock directory.
    pub fn new(mc: McAddress, target: SolTarget, bit_rate: u32, flow_control: FlowControl) -> Self {
        Self { mc, target, bit_rate, flow_control, retry: RETRY, lock_directory: LOCK_DIRECTORY.into() }
    }
}

/// Starts the task of a port.
pub fn start(settings: Settings, held: Held, events: HostEvents) -> UnboundedSender<SolCommand> {
    let (sender, queue) = mpsc::unbounded_channel();
    tokio::spawn(run(Port { settings, held, events, reading: Reading::On, lines: None }, queue));
    sender
}

/// What is remembered of a port while it is closed.
struct Port {
    settings: Settings,
    held: Held,
    events: HostEvents,
    reading: Reading,
    lines: Option<ModemLines>,
}

async fn run(mut port: Port, mut commands: UnboundedReceiver<SolCommand>) {
    let mc = port.settings.mc;
    let mut complaint = String::new();
    let first = FIRST_RETRY.min(port.settings.retry);
    let mut pause = first;
    loop {
        match port.open(&mut commands).await {
            None => return,
            Some(Ok(stream)) => {
                complaint.clear();
                report(&port.events, HostEvent::Input(Input::SolOpened(mc))).await;
                let opened = Instant::now();
                if port.serve(stream, &mut commands).await.is_none() {
                    return;
                }
                report(&port.events, HostEvent::Input(Input::SolClosed(mc))).await;
                // Who accepts and hangs up again and again is no better than who refuses.
                if opened.elapsed() >= STABLE {
                    pause = first;
                }
            }
            // The same trouble again and again is worth one line.
            Some(Err(text)) if text == complaint => {}
            Some(Err(text)) => {
                complaint.clone_from(&text);
                report(&port.events, HostEvent::Input(Input::SolUnavailable(mc, text.clone()))).await;
                report(&port.events, HostEvent::Log { level: LogLevel::Warning, text }).await;
            }
        }
        let wait = tokio::time::sleep(pause);
        pause = (2 * pause).min(port.settings.retry);
        tokio::pin!(wait);
        loop {
            tokio::select! {
                () = &mut wait => break,
                command = commands.recv() => match command {
                    Some(command) => port.remember(&command),
                    None => return,
                },
            }
        }
    }
}

impl Port {
    /// `None`: nobody is interested any more.
    async fn open(&mut self, commands: &mut UnboundedReceiver<SolCommand>) -> Option<Result<Stream, String>> {
        let (host, service) = match &self.settings.target {
            SolTarget::Device(device) => return Some(self.open_tty(device).await),
            SolTarget::Tcp { host, port } | SolTarget::Telnet { host, port } => (host.clone(), port.clone()),
            // Nothing outside plays; systems do not ask for it.
            SolTarget::Play(_) => return None,
        };
        let connect = connect(&host, &service);
        tokio::pin!(connect);
        loop {
            tokio::select! {
                result = &mut connect => {
                    return Some(result.map_err(|e| format!("Error connecting SOL to {host}:{service}: {}", message(&e))));
                }
                command = commands.recv() => self.remember(&command?),
            }
        }
    }

    async fn open_tty(&self, device: &str) -> Result<Stream, String> {
        let Settings { bit_rate, flow_control, lock_directory, .. } = &self.settings;
        let (mut tty, remark) =
            Tty::open(device, *bit_rate, *flow_control, lock_directory, &self.held).map_err(|e| e.to_string())?;
        if let Some(text) = remark {
            report(&self.events, HostEvent::Log { level: LogLevel::Warning, text }).await;
        }
        if !tty.has_modem_lines() {
            let text = format!("SOL device {device} has no modem lines");
            report(&self.events, HostEvent::Log { level: LogLevel::Info, text }).await;
        }
        if let Some(lines) = self.lines {
            tty.set_modem_lines(lines);
        }
        Ok(Stream::Tty(tty))
    }

    /// Keeps what still matters when the port is opened again.
    fn remember(&mut self, command: &SolCommand) {
        match command {
            SolCommand::Write(_) | SolCommand::Break => {}
            SolCommand::ModemLines(lines) => self.lines = Some(*lines),
            SolCommand::BitRate(rate) => self.settings.bit_rate = *rate,
            SolCommand::Read(reading) => self.reading = *reading,
        }
    }

    /// Tells of a modem line that changed. Nobody waits for such a change alone: it is seen when
    /// something is read or written.
    async fn look_at(&self, tty: &mut Tty) {
        if let Some(event) = tty.look_at_modem_lines() {
            report(&self.events, HostEvent::Input(Input::SolLine(self.settings.mc, event))).await;
        }
    }

    /// Carries bytes until the port is lost. `None`: nobody is interested any more.
    async fn serve(&mut self, mut stream: Stream, commands: &mut UnboundedReceiver<SolCommand>) -> Option<()> {
        let mc = self.settings.mc;
        let mut buffer = [0; PIECE];
        let mut outgoing = VecDeque::new();
        loop {
            match step(&mut stream, self.reading, &mut buffer, &mut outgoing, commands).await {
                Step::Command(command) => {
                    self.remember(&command);
                    match (command, &mut stream) {
                        (SolCommand::Write(bytes), _) => outgoing.extend(bytes),
                        (SolCommand::Break, Stream::Tty(tty)) => tty.send_break(),
                        (SolCommand::ModemLines(lines), Stream::Tty(tty)) => tty.set_modem_lines(lines),
                        (SolCommand::BitRate(rate), Stream::Tty(tty)) => {
                            if let Err(error) = tty.set_bit_rate(rate) {
                                let text = format!("SOL bit rate {rate} not set: {error}");
                                report(&self.events, HostEvent::Log { level: LogLevel::Warning, text }).await;
                            }
                        }
                        _ => {}
                    }
                }
                Step::Abandoned => return None,
                Step::Received(count) => {
                    let mut bytes = buffer.get(..count).unwrap_or_default().to_vec();
                    if let Stream::Tty(tty) = &mut stream {
                        let breaks = tty.take_marks(&mut bytes);
                        if breaks > 0 {
                            report(&self.events, HostEvent::Input(Input::SolLine(mc, LineEvent::Break))).await;
                        }
                        self.look_at(tty).await;
                    }
                    if !bytes.is_empty() {
                        report(&self.events, HostEvent::Input(Input::SolData(mc, bytes.into()))).await;
                    }
                }
                Step::Sent(count) => {
                    report(&self.events, HostEvent::Input(Input::SolWritten(mc, count))).await;
                    if let Stream::Tty(tty) = &mut stream {
                        self.look_at(tty).await;
                    }
                }
                Step::Ended | Step::Failed(_) => return Some(()),
            }
        }
    }
}

async fn connect(host: &str, service: &str) -> io::Result<Stream> {
    let port = names::service(service, Transport::Tcp).map_err(io::Error::other)?;
    let mut trouble = io::Error::new(io::ErrorKind::NotFound, format!("host {host} has no address"));
    for address in addresses(host, port).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                tcp::notice_a_peer_that_vanishes(&stream);
                return Ok(Stream::Tcp(stream));
            }
            Err(error) => trouble = error,
        }
    }
    Err(trouble)
}

/// Every address of a host. Looking a name up may take its time.
async fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let host = host.to_owned();
    let found = workers::NAMES.run(move || (host.as_str(), port).to_socket_addrs().map(Iterator::collect)).await;
    found.unwrap_or_else(|| Err(io::Error::other("the name could not be looked up")))
}

/// An open port.
enum Stream {
    Tty(Tty),
    Tcp(TcpStream),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tty(tty) => Pin::new(tty).poll_read(cx, buf),
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tty(tty) => Pin::new(tty).poll_write(cx, buf),
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
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
    use crate::host::EVENT_QUEUE;
    use crate::host::testing::events;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn settings(target: SolTarget) -> (Settings, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(McAddress::BMC, target, 115_200, FlowControl::None);
        settings.retry = Duration::from_millis(10);
        settings.lock_directory = directory.path().into();
        (settings, directory)
    }

    #[tokio::test(start_paused = true)]
    async fn a_tcp_port_carries_bytes_and_comes_back_after_a_loss() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let (mut settings, _directory) = settings(SolTarget::Tcp { host: "127.0.0.1".into(), port });
        settings.retry = RETRY;
        let (events, mut queue) = events(EVENT_QUEUE);
        let sol = start(settings, Held::default(), events);
        let began = Instant::now();
        // When it comes, in quarters of a second: whoever hangs up again and again waits longer.
        for quarters in [0, 1, 3, 7, 15, 31, 63, 103, 143] {
            let (mut peer, _) = listener.accept().await.unwrap();
            assert_eq!(began.elapsed().as_millis() / 250, quarters);
            assert!(matches!(queue.recv().await, Some(HostEvent::Input(Input::SolOpened(McAddress::BMC)))));
            peer.write_all(b"login: ").await.unwrap();
            assert!(
                matches!(queue.recv().await, Some(HostEvent::Input(Input::SolData(_, bytes))) if *bytes == *b"login: ")
            );
            sol.send(SolCommand::Write(b"root\r".to_vec())).unwrap();
            assert!(matches!(queue.recv().await, Some(HostEvent::Input(Input::SolWritten(_, 5)))));
            let mut seen = [0; 5];
            peer.read_exact(&mut seen).await.unwrap();
            assert_eq!(&seen, b"root\r");
            drop(peer);
            assert!(matches!(queue.recv().await, Some(HostEvent::Input(Input::SolClosed(McAddress::BMC)))));
        }
    }

    #[tokio::test]
    async fn a_port_that_is_not_read_holds_its_peer_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let (settings, _directory) = settings(SolTarget::Telnet { host: "localhost".into(), port });
        let (events, mut queue) = events(EVENT_QUEUE);
        let sol = start(settings, Held::default(), events);
        sol.send(SolCommand::Read(Reading::Off)).unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        assert!(matches!(queue.recv().await, Some(HostEvent::Input(Input::SolOpened(_)))));
        peer.write_all(b"held").await.unwrap();
        // An event that comes later shows that the bytes did not.
        sol.send(SolCommand::Write(b"x".to_vec())).unwrap();
        assert!(matches!(queue.recv().await, Some(HostEvent::Input(Input::SolWritten(_, 1)))));
        sol.send(SolCommand::Read(Reading::On)).unwrap();
        assert!(matches!(queue.recv().await, Some(HostEvent::Input(Input::SolData(_, bytes))) if *bytes == *b"held"));
    }

    #[tokio::test]
    async fn a_device_that_is_missing_is_reported_once_and_found_later() {
        let pair = nix::pty::openpty(None, None).unwrap();
        let place = tempfile::tempdir().unwrap();
        let link = place.path().join("tty");
        let (settings, _directory) = settings(SolTarget::Device(link.to_str().unwrap().into()));
        let (events, mut queue) = events(EVENT_QUEUE);
        let sol = start(settings, Held::default(), events);
        let Some(HostEvent::Input(Input::SolUnavailable(_, text))) = queue.recv().await else { panic!() };
        assert!(text.starts_with("Error opening SOL device"), "{text}");
        std::os::unix::fs::symlink(nix::unistd::ttyname(&pair.slave).unwrap(), &link).unwrap();
        let Some(HostEvent::Log { level: LogLevel::Warning, text: logged }) = queue.recv().await else { panic!() };
        assert_eq!(logged, text);
        let Some(HostEvent::Log { text, .. }) = queue.recv().await else { panic!() };
        assert!(text.ends_with("has no modem lines"), "{text}");
        assert!(matches!(queue.recv().await, Some(HostEvent::Input(Input::SolOpened(_)))));
        for command in
            [SolCommand::Break, SolCommand::ModemLines(ModemLines { rts: true, dtr: true }), SolCommand::BitRate(9600)]
        {
            sol.send(command).unwrap();
        }
        sol.send(SolCommand::Write(b"ok".to_vec())).unwrap();
        assert!(matches!(queue.recv().await, Some(HostEvent::Input(Input::SolWritten(_, 2)))));
    }
}
