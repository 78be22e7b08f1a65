//! One connection to the door: a Unix socket or TCP, with HTTP/1.1 on it.

use std::io;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::failure::Failure;
use super::place::Place;

/// Where requests go in.
pub(super) type Requests = SendRequest<Full<Bytes>>;

/// Opens one.
///
/// # Errors
/// Nobody is there, with what to do about it.
pub(super) async fn open(place: &Place) -> Result<Requests, Failure> {
    match place {
        Place::Socket(path) => {
            handshake(UnixStream::connect(path).await.map_err(|error| unreachable(place, &error))?).await
        }
        Place::Http(base) => {
            let stream = TcpStream::connect((base.host.as_str(), base.port)).await;
            let stream = stream.map_err(|error| unreachable(place, &error))?;
            // Requests are small, and somebody waits for each of them. Without it they are slower, not wrong.
            let _ = stream.set_nodelay(true);
            handshake(stream).await
        }
    }
}

async fn handshake(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Requests, Failure> {
    let (requests, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    // How it ends is told to whoever waits for a response.
    tokio::spawn(connection);
    Ok(requests)
}

/// A connection that ended before its response.
pub(super) fn broken(error: &hyper::Error) -> Failure {
    match error.is_parse() {
        true => Failure::Local(format!("Whoever answers there does not speak HTTP: {error}")),
        false => Failure::Unreachable(format!("The connection to the control door is lost: {error}")),
    }
}

/// Why nobody could be connected to.
fn unreachable(place: &Place, error: &io::Error) -> Failure {
    let option = match place {
        Place::Socket(_) => format!("start ipmi_sim with --control {place}"),
        Place::Http(base) => format!("start ipmi_sim with --http {}", base.authority),
    };
    match error.kind() {
        io::ErrorKind::NotFound => Failure::Unreachable(format!("There is no socket {place}: {option}")),
        io::ErrorKind::ConnectionRefused => Failure::Unreachable(format!("Nobody listens at {place}: {option}")),
        io::ErrorKind::PermissionDenied => Failure::NotAllowed(format!(
            "{place} belongs to another user: run this as the user who runs ipmi_sim, or as root"
        )),
        _ => Failure::Unreachable(format!("Unable to connect to {place}: {error}")),
    }
}
