//! A stand-in for the control door, which says what a test wants, and keeps what it was asked.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use futures_util::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixListener;
use tokio::sync::oneshot;

/// What it says.
pub(super) enum Reply {
    /// A status and JSON; null is no body.
    Json(u16, Value),
    /// Text of events, and then nothing, with the connection open.
    Events(&'static str),
    /// The same, and then the connection is closed.
    EndedEvents(&'static str),
    /// Nothing, ever.
    Never,
}

/// 200 with JSON.
pub(super) fn ok(value: Value) -> Reply {
    Reply::Json(200, value)
}

/// A problem.
pub(super) fn problem(status: u16, detail: &str) -> Reply {
    Reply::Json(status, serde_json::json!({"type": "about:blank", "title": "T", "status": status, "detail": detail}))
}

type Requests = Arc<Mutex<Vec<String>>>;

/// A door on a socket of its own.
pub(super) struct StandIn {
    folder: tempfile::TempDir,
    requests: Requests,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the program did.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ran {
    pub(super) status: u8,
    pub(super) out: String,
    pub(super) err: String,
}

impl StandIn {
    /// One that answers by `answer`, which has `GET /path?query`, with the body or the last event's id behind it.
    pub(super) fn new(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = std::os::unix::net::UnixListener::bind(folder.path().join("door")).unwrap();
        listener.set_nonblocking(true).unwrap();
        let requests = Requests::default();
        let (end, ended) = oneshot::channel();
        let seen = Arc::clone(&requests);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = serve(UnixListener::from_std(listener).unwrap(), Arc::new(answer), seen) => {}
                    _ = ended => {}
                }
            });
        });
        Self { folder, requests, end: Some(end), thread: Some(thread) }
    }

    /// Its socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("door")
    }

    /// A file beside the socket.
    pub(super) fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// What it was asked.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Runs the program against it.
    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        let socket = self.socket();
        let mut all = vec!["--socket", socket.to_str().unwrap()];
        all.extend(arguments);
        run(&all)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Runs the program.
pub(super) fn run(arguments: &[&str]) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = std::iter::once("ipmi_simctl").chain(arguments.iter().copied()).map(Into::into);
    let status = super::run(arguments, &mut out, &mut err);
    Ran { status, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

async fn serve<F>(listener: UnixListener, answer: Arc<F>, seen: Requests)
where
    F: Fn(&str) -> Reply + Send + Sync + 'static,
{
    while let Ok((stream, _)) = listener.accept().await {
        let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
        let service = service_fn(move |request| respond(request, Arc::clone(&answer), Arc::clone(&seen)));
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn respond<F: Fn(&str) -> Reply>(
    request: Request<Incoming>,
    answer: Arc<F>,
    seen: Requests,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, Infallible> {
    let mut text = format!("{} {}", request.method(), request.uri());
    for header in ["last-event-id", "authorization"] {
        if let Some(value) = request.headers().get(header) {
            text.push_str(&format!(" {}", value.to_str().unwrap()));
        }
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    if !body.is_empty() {
        text.push_str(&format!(" {}", String::from_utf8(body.to_vec()).unwrap()));
    }
    seen.lock().unwrap().push(text.clone());
    let frames = |text: &'static str| stream::iter([Ok(Frame::data(Bytes::from(text)))]);
    let (status, body) = match answer(&text) {
        Reply::Json(status, Value::Null) => (status, Full::default().boxed_unsync()),
        Reply::Json(status, value) => (status, Full::from(value.to_string()).boxed_unsync()),
        Reply::Events(text) => (200, StreamBody::new(frames(text).chain(stream::pending())).boxed_unsync()),
        Reply::EndedEvents(text) => (200, StreamBody::new(frames(text)).boxed_unsync()),
        Reply::Never => std::future::pending().await,
    };
    Ok(Response::builder().status(status).body(body).unwrap())
}
