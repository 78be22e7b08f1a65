//! The control door: HTTP and JSON for programs, people and browsers, to drive and watch the BMCs of the process.
//!
//! Owns the sockets, who may come in, and how things are written. Runs on a thread of its own; what it asks of BMCs
//! it asks by way of [`Door`], so that nobody who speaks IPMI waits for it. Knows no device: what changes something
//! is an operation of `sim` or a statement of the command language.

mod bmcs;
mod body;
mod console;
mod document;
mod events;
mod guard;
mod health;
mod inventory;
mod log;
mod metrics;
mod page;
mod pattern;
mod power;
mod problem;
mod query;
mod routes;
mod sensors;
mod server;
mod socket;
mod statements;
mod time;
mod users;
mod views;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crate::runtime::door::Door;
use guard::Guard;
use guard::token::Token;
use server::Listener;
pub use socket::SocketFile;

/// What a door is opened with.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// A unix socket.
    pub socket: Option<PathBuf>,
    /// A TCP port.
    pub http: Option<SocketAddr>,
    /// The file with the token that whoever comes by TCP has to have.
    pub token: Option<PathBuf>,
}

/// A door that is open, and closed with this value.
#[derive(Debug)]
pub struct Open {
    /// What is worth a line in the log.
    pub notes: Vec<String>,
    /// Where it is, for people.
    pub places: Vec<String>,
    page: Option<String>,
    listeners: Vec<Listener>,
    guard: Guard,
    file: Option<SocketFile>,
}

/// What whoever answers requests has at hand.
#[derive(Clone, Debug)]
struct Control {
    door: Door,
    guard: Arc<Guard>,
    limits: Arc<server::Limits>,
    /// Where a browser finds the page.
    page: Option<Arc<str>>,
}

impl Settings {
    /// Whether there is to be a door.
    pub fn is_asked_for(&self) -> bool {
        self.socket.is_some() || self.http.is_some()
    }

    /// Opens the sockets; nobody is answered before [`Open::serve`].
    ///
    /// # Errors
    /// What cannot be had, in one line.
    pub fn open(&self) -> Result<Open, String> {
        let mut open = Open {
            notes: Vec::new(),
            places: Vec::new(),
            page: None,
            listeners: Vec::new(),
            guard: Guard::new(self.token.as_deref().map(Token::read).transpose()?),
            file: None,
        };
        if let Some(path) = &self.socket {
            open.listen_at(path)?;
        }
        if let Some(address) = self.http {
            open.listen_on(address)?;
        }
        Ok(open)
    }
}

impl Open {
    fn listen_at(&mut self, path: &Path) -> Result<(), String> {
        let (listener, file) = socket::listen(path)?;
        self.places.push(path.display().to_string());
        self.listeners.push(Listener::Unix(listener));
        self.file = Some(file);
        Ok(())
    }

    fn listen_on(&mut self, address: SocketAddr) -> Result<(), String> {
        let is_here = address.ip().to_canonical().is_loopback();
        if !self.guard.asks_for_a_token() && !is_here {
            return Err(format!(
                "--http {address}: others reach this address, so a token has to keep them out: \
                 --http-token-file FILE names a file with one"
            ));
        }
        let listener = server::listen(address).map_err(|error| format!("--http {address}: {error}"))?;
        let address = listener.local_addr().map_err(|error| format!("--http {address}: {error}"))?;
        if !self.guard.asks_for_a_token() {
            self.notes.push(format!(
                "The control door at http://{address}/ asks for no token: everybody on this machine controls the BMCs"
            ));
        }
        let page = format!("http://{address}/");
        self.places.push(page.clone());
        self.page = Some(page);
        self.listeners.push(Listener::Tcp(listener));
        Ok(())
    }

    /// Answers requests on a thread of its own as long as the process lives; whoever keeps what this gives has the socket's
    /// file removed at the end.
    ///
    /// # Errors
    /// There is no thread, or no runtime on it, in one line.
    pub fn serve(self, door: Door) -> Result<Option<SocketFile>, String> {
        let Self { listeners, guard, file, page, .. } = self;
        let control = Control { door, guard: Arc::new(guard), limits: Arc::default(), page: page.map(Arc::from) };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("Unable to open the control door: {error}"))?;
        let serve = move || runtime.block_on(server::serve(listeners, control));
        thread::Builder::new()
            .name("control".into())
            .spawn(serve)
            .map_err(|error| format!("Unable to open the control door: {error}"))?;
        Ok(file)
    }
}
