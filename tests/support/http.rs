//! A small HTTP/1.1 client for the control door, of its own: over the unix socket or TCP, one connection for each request,
//! and a reader of Server-Sent Events.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long an answer may take; far more than it ever takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where a door is.
#[derive(Clone, Debug)]
enum Place {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

/// A client.
#[derive(Clone, Debug)]
pub struct Http {
    place: Place,
    headers: Vec<(String, String)>,
}

/// A connection.
pub enum Connection {
    /// By the unix socket.
    Unix(UnixStream),
    /// By TCP.
    Tcp(TcpStream),
}

impl Connection {
    /// How long a read waits.
    pub fn set_read_timeout(&self, limit: Duration) {
        let limit = Some(limit.max(Duration::from_millis(1)));
        match self {
            Self::Unix(stream) => stream.set_read_timeout(limit).expect("a time limit"),
            Self::Tcp(stream) => stream.set_read_timeout(limit).expect("a time limit"),
        }
    }

    /// All that comes until the other end closes, or nothing has come for so long.
    pub fn read_all(&mut self, limit: Duration) -> Vec<u8> {
        self.set_read_timeout(limit);
        let (mut all, mut piece) = (Vec::new(), [0; 65_536]);
        while let Ok(count @ 1..) = self.read(&mut piece) {
            all.extend_from_slice(&piece[..count]);
        }
        all
    }
}

impl Read for Connection {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(into),
            Self::Tcp(stream) => stream.read(into),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(from),
            Self::Tcp(stream) => stream.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked.
    pub asked: String,
    /// Status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Of all the bytes that came on a connection.
    pub fn parse(asked: &str, bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("{asked}: no head in {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let body = &bytes[end + 4..];
        let body = if chunked { unchunked(body) } else { body.to_vec() };
        Self { asked: asked.to_owned(), status, headers, body }
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Fails the test unless it has this status.
    #[track_caller]
    pub fn assert(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text());
        self
    }

    /// The body as JSON, of an answer that says that it is.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{}: {}", self.asked, self.text());
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("{}: {why}: {}", self.asked, self.text()))
    }

    /// What is wrong, of an answer that has this status and says so in whole.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        self.assert(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}: {}", self.asked, self.text());
        let problem: Value = serde_json::from_slice(&self.body).expect("JSON");
        assert_eq!((&problem["status"], &problem["type"]), (&status.into(), &"about:blank".into()), "{problem}");
        assert!(problem["title"].is_string(), "{problem}");
        problem
    }

    /// The sentence of a problem with this status.
    #[track_caller]
    pub fn detail(&self, status: u16) -> String {
        self.problem(status)["detail"].as_str().expect("a sentence").to_owned()
    }
}

/// The content of chunks (RFC 9112 section 7.1).
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n").expect("the size of a chunk");
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let size = size.expect("the size of a chunk");
        if size == 0 {
            return all;
        }
        all.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
}

impl Http {
    /// By the unix socket.
    pub fn unix(path: &Path) -> Self {
        Self { place: Place::Unix(path.to_owned()), headers: Vec::new() }
    }

    /// By TCP.
    pub fn tcp(address: SocketAddr) -> Self {
        Self { place: Place::Tcp(address), headers: Vec::new() }
    }

    /// The same with one more header.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut with = self.clone();
        with.headers.push((name.to_owned(), value.to_owned()));
        with
    }

    /// Connects.
    pub fn try_connect(&self) -> io::Result<Connection> {
        let connection = match &self.place {
            Place::Unix(path) => Connection::Unix(UnixStream::connect(path)?),
            Place::Tcp(address) => Connection::Tcp(TcpStream::connect(address)?),
        };
        connection.set_read_timeout(PATIENCE);
        Ok(connection)
    }

    /// Connects.
    pub fn connect(&self) -> Connection {
        self.try_connect().unwrap_or_else(|why| panic!("{:?}: {why}", self.place))
    }

    /// The head of a request, without the empty line behind it.
    fn head(&self, method: &str, path: &str) -> String {
        let host = match &self.place {
            Place::Unix(_) => "localhost".to_owned(),
            Place::Tcp(address) => address.to_string(),
        };
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !self.headers.iter().any(|(name, _)| name == "Host") {
            head += &format!("Host: {host}\r\n");
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head
    }

    /// Sends a request and reads the answer.
    pub fn send(&self, method: &str, path: &str, body: Option<(&str, &[u8])>) -> Answer {
        let mut request = self.head(method, path) + "Connection: close\r\n";
        if let Some((kind, body)) = body {
            request += &format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
        }
        let mut request = (request + "\r\n").into_bytes();
        request.extend_from_slice(body.map(|(_, body)| body).unwrap_or_default());
        self.raw(&format!("{method} {path}"), &request)
    }

    /// Sends bytes as they are, and reads what comes until the end.
    pub fn raw(&self, asked: &str, bytes: &[u8]) -> Answer {
        let mut connection = self.connect();
        // Who refuses a body may close before it was sent.
        let _ = connection.write_all(bytes);
        Answer::parse(asked, &connection.read_all(PATIENCE))
    }

    /// GET.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None)
    }

    /// The JSON that GET has with status 200.
    #[track_caller]
    pub fn json(&self, path: &str) -> Value {
        self.get(path).assert(200).json()
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None)
    }

    /// PUT of JSON.
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, Some(("application/json", body.to_string().as_bytes())))
    }

    /// POST of JSON.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(("application/json", body.to_string().as_bytes())))
    }

    /// Follows events; the head of the answer has come when this returns.
    pub fn follow(&self, path: &str) -> Events {
        let mut connection = self.connect();
        connection.write_all((self.head("GET", path) + "\r\n").as_bytes()).expect("a request");
        let mut reader = BufReader::new(connection);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).expect("a head") > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-type: text/event-stream\r\n"), "{head}");
        Events { reader, text: Vec::new() }
    }
}

/// An event that came.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its number, if it has one.
    pub id: Option<u64>,
    /// Its kind.
    pub event: String,
    /// What it says.
    pub data: Value,
}

/// A reader of events.
pub struct Events {
    reader: BufReader<Connection>,
    /// What has come and is not read.
    text: Vec<u8>,
}

impl Events {
    /// The next event; `None` if none has come within this time.
    pub fn next_within(&mut self, limit: Duration) -> Option<Event> {
        let end = Instant::now() + limit;
        loop {
            if let Some(place) = self.text.windows(2).position(|window| window == b"\n\n") {
                let block: Vec<u8> = self.text.drain(..place + 2).collect();
                match event(&String::from_utf8_lossy(&block)) {
                    Some(event) => return Some(event),
                    // A comment.
                    None => continue,
                }
            }
            self.reader.get_ref().set_read_timeout(end.checked_duration_since(Instant::now())?);
            self.chunk()?;
        }
    }

    /// The next event.
    #[track_caller]
    pub fn next(&mut self) -> Event {
        self.next_within(PATIENCE).expect("an event")
    }

    /// The next event of a kind.
    #[track_caller]
    pub fn next_of(&mut self, kind: &str) -> Event {
        loop {
            let event = self.next();
            if event.event == kind {
                return event;
            }
        }
    }

    /// Reads a chunk.
    fn chunk(&mut self) -> Option<()> {
        let mut line = String::new();
        self.reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let size = usize::from_str_radix(line.trim_end(), 16).expect("the size of a chunk");
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk).ok()?;
        self.text.extend_from_slice(&chunk[..size]);
        Some(())
    }
}

fn event(block: &str) -> Option<Event> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data = serde_json::from_str(field("data")?).expect("JSON");
    let id = field("id").map(|id| id.parse().expect("a number"));
    Some(Event { id, event: field("event").expect("a kind").to_owned(), data })
}
