//! Events without end: a stream that is opened again when its connection is lost, from where it was.

use std::time::Duration;

use tokio::time::Instant;

use super::door::Door;
use super::event_stream::{EventStream, Message};
use super::failure::{Failure, Status};

/// The first pause before another attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What comes.
#[derive(Debug)]
pub(super) enum News {
    /// A message.
    Message(Message),
    /// The connection was lost, for this reason; another attempt follows.
    Lost(Failure),
    /// There is a connection again.
    Back,
}

/// Events of a path.
pub(super) struct Feed<'a> {
    door: &'a Door,
    path: String,
    last: Option<String>,
    stream: Option<EventStream>,
    pause: Duration,
    /// When the next attempt is due, while there is no stream.
    again: Instant,
}

impl<'a> Feed<'a> {
    /// Opens it, from behind the id `last` on, if that is there.
    ///
    /// # Errors
    /// As [`Door::events`].
    pub(super) async fn open(door: &'a Door, path: String, last: Option<String>) -> Result<Self, Failure> {
        let stream = door.events(&path, last.as_deref()).await?;
        Ok(Self { door, path, last, stream: Some(stream), pause: FIRST_PAUSE, again: Instant::now() })
    }

    /// Asks for another path when the connection was lost.
    pub(super) fn go_on_with(&mut self, path: String) {
        self.path = path;
    }

    /// The next that comes. A call that is given up loses nothing.
    ///
    /// # Errors
    /// The server refuses to go on.
    pub(super) async fn next(&mut self) -> Result<News, Failure> {
        match &mut self.stream {
            Some(stream) => match stream.next().await {
                Ok(Some(message)) => {
                    self.pause = FIRST_PAUSE;
                    if message.id.is_some() {
                        self.last.clone_from(&message.id);
                    }
                    Ok(News::Message(message))
                }
                Ok(None) => Ok(self.lost(Failure::Unreachable("The control door has closed the connection".into()))),
                Err(failure @ Failure::Unreachable(_)) => Ok(self.lost(failure)),
                Err(failure) => Err(failure),
            },
            None => loop {
                tokio::time::sleep_until(self.again).await;
                match self.door.events(&self.path, self.last.as_deref()).await {
                    Ok(stream) => {
                        self.stream = Some(stream);
                        return Ok(News::Back);
                    }
                    // 503 among them: it is starting.
                    Err(failure) if matches!(failure.status(), Status::Unreachable | Status::TimedOut) => {
                        self.wait_longer();
                    }
                    Err(failure) => return Err(failure),
                }
            },
        }
    }

    fn lost(&mut self, failure: Failure) -> News {
        self.stream = None;
        self.wait_longer();
        News::Lost(failure)
    }

    fn wait_longer(&mut self) {
        self.again = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
