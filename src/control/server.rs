//! Connections of the control door: how many there may be, and how long each may take.

mod patient;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use super::guard::Way;
use super::{Control, routes};
use patient::Patient;

/// How many connections of a socket are served at once. Each socket has its own, so that strangers on the network do not
/// take those of the unix socket.
const CONNECTIONS: usize = 1024;
/// How many of them may follow events or a console.
const FOLLOWERS: usize = 256;
/// How long the head of a request may take, and a connection wait for the next one.
const HEAD: Duration = Duration::from_secs(30);
/// Longest head of a request, in bytes.
const LONGEST_HEAD: usize = 64 << 10;
/// How long whoever is turned away may take to read why.
const TURNED_AWAY: Duration = Duration::from_secs(1);
/// How long is waited where the system has no more descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// What whoever is turned away is told.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n\
connection: close\r\ncontent-length: 111\r\n\r\n\
{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\"detail\":\"There are too many connections now\"}";

/// An open socket.
#[derive(Debug)]
pub(super) enum Listener {
    /// A unix socket.
    Unix(StdUnixListener),
    /// A TCP port.
    Tcp(std::net::TcpListener),
}

/// What there may be many of at once.
#[derive(Debug)]
pub(super) struct Limits {
    /// Who follows events or a console.
    pub(super) followers: Arc<Semaphore>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { followers: Arc::new(Semaphore::new(FOLLOWERS)) }
    }
}

/// Listens on a TCP port.
pub(super) fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves all sockets for ever.
pub(super) async fn serve(listeners: Vec<Listener>, control: Control) {
    let router = routes::router(control);
    for listener in listeners {
        let (router, places) = (router.clone(), Arc::new(Semaphore::new(CONNECTIONS)));
        match listener {
            Listener::Unix(listener) => match UnixListener::from_std(listener) {
                Ok(listener) => drop(tokio::spawn(accept_unix(listener, router, places))),
                Err(error) => log::error!("The control door's socket cannot be served: {error}"),
            },
            Listener::Tcp(listener) => match TcpListener::from_std(listener) {
                Ok(listener) => drop(tokio::spawn(accept_tcp(listener, router, places))),
                Err(error) => log::error!("The control door's port cannot be served: {error}"),
            },
        }
    }
    std::future::pending::<()>().await;
}

async fn accept_unix(listener: UnixListener, router: Router, places: Arc<Semaphore>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => begin(stream, Way::Unix, &router, &places),
            Err(error) => out_of_breath(&error).await,
        }
    }
}

async fn accept_tcp(listener: TcpListener, router: Router, places: Arc<Semaphore>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Events are small, and wanted at once.
                let _ = stream.set_nodelay(true);
                begin(stream, Way::Tcp(peer), &router, &places);
            }
            Err(error) => out_of_breath(&error).await,
        }
    }
}

/// Too many descriptors are open, say: others will be closed.
async fn out_of_breath(error: &io::Error) {
    log::debug!("The control door: {error}");
    tokio::time::sleep(BREATH).await;
}

fn begin<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    mut stream: S,
    way: Way,
    router: &Router,
    places: &Arc<Semaphore>,
) {
    match Arc::clone(places).try_acquire_owned() {
        Ok(permit) => drop(tokio::spawn(connection(stream, way, router.clone(), permit))),
        Err(_) => drop(tokio::spawn(async move {
            let _ = tokio::time::timeout(TURNED_AWAY, stream.write_all(FULL)).await;
        })),
    }
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    way: Way,
    router: Router,
    permit: OwnedSemaphorePermit,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(way);
        let router = router.clone();
        async move { Ok::<Response<Body>, Infallible>(router.oneshot(request.map(Body::new)).await.unwrap_or_else(never)) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(Patient::new(stream)), service)
        .await;
    if let Err(error) = served {
        log::debug!("The control door: {error}");
    }
    drop(permit);
}

fn never<T>(error: Infallible) -> T {
    match error {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_turned_away_is_told_in_whole() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        serde_json::from_str::<serde_json::Value>(body).unwrap();
    }
}
