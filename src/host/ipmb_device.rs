//! A Linux IPMB device (`/dev/ipmb-N`, driver ipmb-dev-int): one message per read and per
//! write (`commands-core.md` section 5.6).
//!
//! Owns the open device. Knows nothing of what a message says. Writing never waits: a device
//! that takes nothing loses messages, as a bus that is stuck does.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::fcntl::{OFlag, open as open_file};
use nix::sys::stat::Mode;
use nix::unistd::{read, write};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::watch::watch;
use super::{HostEvent, HostEvents, report};
use crate::bmc::LogLevel;
use crate::config::text::os_string;
use crate::sim::{Input, IpmbId};
use crate::store::directory::message;

/// Longest message: the length byte counts what follows it.
const LONGEST: usize = 256;
/// Most messages that wait for the device.
const QUEUE: usize = 64;
/// First and longest pause before a device that failed is opened again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// An open device.
#[derive(Debug)]
pub struct IpmbDevice {
    fd: AsyncFd<OwnedFd>,
}

impl IpmbDevice {
    /// Opens a device by its name; fails at once when that cannot be done, and for a file that
    /// is no device.
    ///
    /// Must be called inside the runtime.
    pub fn open(name: &str) -> io::Result<Self> {
        let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        Self::new(open_file(&*os_string(name), flags, Mode::empty())?)
    }

    /// A device that is open already, without blocking.
    fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { fd: watch(fd, Interest::READABLE | Interest::WRITABLE)? })
    }

    /// The next message.
    async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fd.async_io(Interest::READABLE, |fd| Ok(read(fd, buffer)?)).await?;
        if count == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(count) }
    }

    async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.fd.async_io(Interest::WRITABLE, |fd| Ok(write(fd, bytes)?)).await
    }
}

/// Serves an open device: hands in what is read, and writes what is sent here.
pub fn serve(ipmb: IpmbId, name: String, device: IpmbDevice, events: HostEvents) -> UnboundedSender<Vec<u8>> {
    let (sender, queue) = mpsc::unbounded_channel();
    tokio::spawn(run(Bus { ipmb, name, events }, device, queue));
    sender
}

struct Bus {
    ipmb: IpmbId,
    name: String,
    events: HostEvents,
}

/// Why a device is left alone.
enum Over {
    /// Nobody is interested any more.
    Abandoned,
    Failed(io::Error),
}

async fn run(bus: Bus, mut device: IpmbDevice, mut outgoing: UnboundedReceiver<Vec<u8>>) {
    let mut pause = RETRY.0;
    loop {
        match bus.talk(&device, &mut outgoing).await {
            Over::Abandoned => return,
            Over::Failed(error) => bus.warn(format!("{}; it is opened again", message(&error))).await,
        }
        drop(device);
        device = loop {
            let end = tokio::time::sleep(pause);
            tokio::pin!(end);
            loop {
                tokio::select! {
                    () = &mut end => break,
                    // Nobody is there to take it.
                    bytes = outgoing.recv() => if bytes.is_none() { return },
                }
            }
            pause = (pause * 2).min(RETRY.1);
            if let Ok(device) = IpmbDevice::open(&bus.name) {
                break device;
            }
        };
    }
}

impl Bus {
    async fn warn(&self, text: String) {
        let text = format!("ipmi device {}: {text}", self.name);
        report(&self.events, HostEvent::Log { level: LogLevel::Warning, text }).await;
    }

    /// Carries messages until the device fails.
    async fn talk(&self, device: &IpmbDevice, outgoing: &mut UnboundedReceiver<Vec<u8>>) -> Over {
        let mut buffer = [0; LONGEST];
        let mut queue: VecDeque<Vec<u8>> = VecDeque::new();
        loop {
            tokio::select! {
                biased;
                bytes = outgoing.recv() => match bytes {
                    None => return Over::Abandoned,
                    Some(bytes) if queue.len() < QUEUE => queue.push_back(bytes),
                    Some(_) => self.warn("it accepts nothing; a message is lost".into()).await,
                },
                result = device.write(queue.front().map_or(&[], Vec::as_slice)), if !queue.is_empty() => {
                    let length = queue.pop_front().map_or(0, |bytes| bytes.len());
                    match result {
                        Ok(count) if count == length => {}
                        Ok(_) => self.warn("a message was cut".into()).await,
                        // The device did not like the message, or nobody on the bus took it.
                        Err(error) => self.warn(format!("a message is lost: {}", message(&error))).await,
                    }
                },
                result = device.read(&mut buffer) => match result {
                    Ok(count) => {
                        let bytes = buffer.get(..count).unwrap_or_default().to_vec();
                        report(&self.events, HostEvent::Input(Input::IpmbData(self.ipmb, bytes.into()))).await;
                    }
                    Err(error) => return Over::Failed(error),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

    use super::*;
    use crate::host::EVENT_QUEUE;
    use crate::host::testing::events;
    use crate::ipmi::{ChannelNumber, McAddress};

    const IPMB: IpmbId = IpmbId { mc: McAddress::BMC, channel: ChannelNumber::from_wire(2) };

    /// A pair of sockets that keep messages apart, as a device does.
    fn pair() -> (IpmbDevice, IpmbDevice) {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let (near, far) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
        (IpmbDevice::new(near).unwrap(), IpmbDevice::new(far).unwrap())
    }

    #[tokio::test]
    async fn messages_go_both_ways_one_by_one() {
        let (device, far) = pair();
        let (events, mut queue) = events(EVENT_QUEUE);
        let near = serve(IPMB, "/dev/ipmb-2".into(), device, events);
        for message in [&[1, 2, 3][..], &[4]] {
            far.write(message).await.unwrap();
        }
        for expected in [&[1, 2, 3][..], &[4]] {
            let event = queue.recv().await;
            assert!(
                matches!(&event, Some(HostEvent::Input(Input::IpmbData(IPMB, bytes))) if **bytes == *expected),
                "{event:?}"
            );
        }
        near.send(vec![5, 6]).unwrap();
        near.send(vec![7]).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(far.read(&mut buffer).await.unwrap(), 2);
        assert_eq!(far.read(&mut buffer).await.unwrap(), 1);
        assert_eq!(buffer[..2], [7, 6]);
    }

    #[tokio::test]
    async fn a_device_that_takes_nothing_loses_messages_and_stops_nobody() {
        let (device, far) = pair();
        let (events, mut queue) = events(EVENT_QUEUE);
        let near = serve(IPMB, "/dev/ipmb-2".into(), device, events);
        // More than any socket buffer takes.
        for _ in 0..8192 {
            near.send(vec![0; 255]).unwrap();
        }
        let event = queue.recv().await;
        assert!(matches!(&event, Some(HostEvent::Log { text, .. }) if text.contains("is lost")), "{event:?}");
        drop(queue);
        drop(far);
    }

    #[tokio::test]
    async fn a_device_that_fails_is_told() {
        let (device, far) = pair();
        let (events, mut queue) = events(EVENT_QUEUE);
        let near = serve(IPMB, "/dev/none".into(), device, events);
        drop(far);
        let event = queue.recv().await;
        assert!(matches!(&event, Some(HostEvent::Log { text, .. }) if text.contains("opened again")), "{event:?}");
        drop(near);
    }

    #[tokio::test]
    async fn what_is_no_device_cannot_be_opened() {
        assert_eq!(IpmbDevice::open("/dev/ipmb-none").unwrap_err().kind(), io::ErrorKind::NotFound);
        let file = tempfile::NamedTempFile::new().unwrap();
        let name = file.path().to_str().unwrap();
        assert_eq!(IpmbDevice::open(name).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
