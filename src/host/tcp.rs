//! TCP as consoles, virtual machines and SOL ports use it: connections that are quiet for days, and
//! peers that may vanish without a word.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpSocket};

/// So many connections may wait to be accepted: a burst of them. The system may allow less.
const BACKLOG: u32 = 1024;
/// A peer that says nothing for so long is asked whether it is there,
const QUIET: Duration = Duration::from_secs(15);
/// and again and again,
const AGAIN: Duration = Duration::from_secs(5);
/// until it has been silent for so long. The same holds for what it does not acknowledge.
pub const VANISHED: Duration = Duration::from_secs(30);

/// Listens with an address that may be used again at once.
///
/// Must be called inside the runtime.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Has the system end a connection whose peer is not heard of for [`VANISHED`]. A peer that is only
/// quiet stays.
pub fn notice_a_peer_that_vanishes(stream: &impl AsFd) {
    watch(stream, QUIET, AGAIN, VANISHED);
}

/// Has the system find out within `limit` whether the peer is there.
pub fn ask_whether_the_peer_is_there(stream: &impl AsFd, limit: Duration) {
    let second = Duration::from_secs(1);
    watch(stream, second, second, limit);
}

/// Where one of these cannot be set, a peer that vanished is noticed later.
fn watch(stream: &impl AsFd, quiet: Duration, again: Duration, vanished: Duration) {
    let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    let milliseconds = u32::try_from(vanished.as_millis()).unwrap_or(u32::MAX);
    let probes = vanished.saturating_sub(quiet).as_secs() / again.as_secs().max(1);
    // The interval and the limit first: the time of quiet sets off the first question.
    let _ = setsockopt(stream, sockopt::TcpKeepInterval, &seconds(again));
    let _ = setsockopt(stream, sockopt::TcpKeepCount, &u32::try_from(probes.max(1)).unwrap_or(u32::MAX));
    let _ = setsockopt(stream, sockopt::TcpUserTimeout, &milliseconds);
    let _ = setsockopt(stream, sockopt::KeepAlive, &true);
    let _ = setsockopt(stream, sockopt::TcpKeepIdle, &seconds(quiet));
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::getsockopt;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn a_burst_of_connections_waits_to_be_accepted() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut burst = Vec::new();
        for _ in 0..200 {
            let connect = TcpStream::connect(address);
            burst.push(tokio::time::timeout(Duration::from_secs(1), connect).await.expect("room").unwrap());
        }
        for _ in 0..200 {
            listener.accept().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_connection_is_asked_after_and_given_up_after_half_a_minute() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        notice_a_peer_that_vanishes(&stream);
        let ask = || {
            [
                getsockopt(&stream, sockopt::TcpKeepIdle).unwrap(),
                getsockopt(&stream, sockopt::TcpKeepInterval).unwrap(),
                getsockopt(&stream, sockopt::TcpKeepCount).unwrap(),
                getsockopt(&stream, sockopt::TcpUserTimeout).unwrap(),
            ]
        };
        assert!(getsockopt(&stream, sockopt::KeepAlive).unwrap());
        assert_eq!(ask(), [15, 5, 3, 30_000]);
        ask_whether_the_peer_is_there(&stream, Duration::from_secs(3));
        assert_eq!(ask(), [1, 1, 2, 3_000]);
    }
}
