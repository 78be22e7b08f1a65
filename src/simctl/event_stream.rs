//! Server-Sent Events: bytes of a body in, messages out (WHATWG HTML, section 9.2).

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::connection;
use super::failure::Failure;

/// Longest message, in bytes.
const LONGEST: usize = 4 << 20;
/// A server says something every 15 seconds; after this it is gone.
const SILENCE: Duration = Duration::from_secs(50);

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// Its id, if it or one before it has one.
    pub(super) id: Option<String>,
    /// What kind it is; `message` if it does not say.
    pub(super) event: String,
    /// Its text.
    pub(super) data: String,
}

/// Makes messages of bytes.
#[derive(Debug, Default)]
struct Decoder {
    /// What is not yet a line.
    rest: Vec<u8>,
    id: Option<String>,
    event: String,
    data: String,
}

impl Decoder {
    fn push(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    fn is_too_long(&self) -> bool {
        self.rest.len() + self.data.len() > LONGEST
    }

    /// The next message that is whole.
    fn next(&mut self) -> Option<Message> {
        let mut from = 0;
        let mut message = None;
        while let Some(length) = self.rest.get(from..)?.iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&self.rest[from..from + length]).into_owned();
            from += length + 1;
            message = self.line(line.strip_suffix('\r').unwrap_or(&line));
            if message.is_some() {
                break;
            }
        }
        self.rest.drain(..from);
        message
    }

    fn line(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let mut data = std::mem::take(&mut self.data);
            // Each line of data added its end.
            data.pop()?;
            let event = if event.is_empty() { "message".into() } else { event };
            return Some(Message { id: self.id.clone(), event, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // A comment, which begins with a colon, says that somebody is there.
            _ => {}
        }
        None
    }
}

/// Messages of a body that goes on.
pub(super) struct EventStream {
    body: Incoming,
    decoder: Decoder,
}

impl EventStream {
    /// Those of a body.
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, decoder: Decoder::default() }
    }

    /// The next one. A call that is given up loses nothing.
    ///
    /// # Errors
    /// The connection ended.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, Failure> {
        loop {
            if let Some(message) = self.decoder.next() {
                return Ok(Some(message));
            }
            if self.decoder.is_too_long() {
                return Err(Failure::Local("A message of the server has no end".into()));
            }
            let gone = |text: &str| Failure::Unreachable(format!("The control door {text}"));
            let frame = tokio::time::timeout(SILENCE, self.body.frame()).await;
            let frame = frame.map_err(|_| gone("says nothing any more"))?;
            let Some(frame) = frame else { return Ok(None) };
            if let Some(bytes) = frame.map_err(|error| connection::broken(&error))?.data_ref() {
                self.decoder.push(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All messages of a text that comes in pieces of `size` bytes.
    fn messages(text: &str, size: usize) -> Vec<(Option<String>, String, String)> {
        let mut decoder = Decoder::default();
        let mut all = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            decoder.push(piece);
            while let Some(Message { id, event, data }) = decoder.next() {
                all.push((id, event, data));
            }
        }
        all
    }

    #[test]
    fn messages_are_the_same_in_any_pieces() {
        let text = ": hello\n\nid: 17\nevent: power_done\ndata: {\"power\":\ndata: \"on\"}\n\n: \n\nevent: lost\r\ndata:x\r\n\r\n\
                    event: nothing\n\nretry: 5\ndata:  é\n\ndata: unfinished\n";
        let expected = vec![
            (Some("17".into()), "power_done".into(), "{\"power\":\n\"on\"}".into()),
            (Some("17".into()), "lost".into(), "x".into()),
            (Some("17".into()), "message".into(), " é".into()),
        ];
        for size in [1, 2, 7, 1000] {
            assert_eq!(messages(text, size), expected, "{size}");
        }
    }
}
