//! One byte stream in both directions, driven together with a queue of commands.
//!
//! Owns nothing: a task keeps the stream, its outgoing bytes and its command queue, and
//! asks here what happens next. Reading stops and starts at will, which is how flow
//! control reaches the peer.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc::UnboundedReceiver;

/// What happened next on a stream.
#[derive(Debug)]
pub enum Step<C> {
    /// A command for the task.
    Command(C),
    /// Nobody can send commands any more.
    Abandoned,
    /// So many bytes are in the buffer.
    Received(usize),
    /// The peer closed the stream.
    Ended,
    /// The stream took so many of the outgoing bytes; they are no longer in the queue.
    Sent(usize),
    /// The stream is broken.
    Failed(io::Error),
}

/// Whether the stream is read at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Yes.
    On,
    /// No: bytes stay with the peer.
    Off,
}

/// Waits for the next thing to happen: a command first, then writing, then reading.
pub async fn step<P, C>(
    stream: &mut P,
    reading: Reading,
    buffer: &mut [u8],
    outgoing: &mut VecDeque<u8>,
    commands: &mut UnboundedReceiver<C>,
) -> Step<C>
where
    P: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|cx| {
        if let Poll::Ready(command) = commands.poll_recv(cx) {
            return Poll::Ready(command.map_or(Step::Abandoned, Step::Command));
        }
        if !outgoing.is_empty()
            && let Poll::Ready(result) = Pin::new(&mut *stream).poll_write(cx, outgoing.as_slices().0)
        {
            return Poll::Ready(match result {
                Ok(0) => Step::Failed(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    outgoing.drain(..count);
                    Step::Sent(count)
                }
                Err(error) => Step::Failed(error),
            });
        }
        if reading == Reading::On {
            let mut space = ReadBuf::new(buffer);
            if let Poll::Ready(result) = Pin::new(&mut *stream).poll_read(cx, &mut space) {
                return Poll::Ready(match result {
                    Ok(()) if space.filled().is_empty() => Step::Ended,
                    Ok(()) => Step::Received(space.filled().len()),
                    Err(error) => Step::Failed(error),
                });
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn commands_come_before_writing_and_writing_before_reading() {
        let (mut near, mut far) = tokio::io::duplex(64);
        let (commands, mut queue) = mpsc::unbounded_channel();
        let mut outgoing = VecDeque::from(b"out".to_vec());
        let mut buffer = [0; 16];
        far.write_all(b"in").await.unwrap();
        commands.send(7).unwrap();
        assert!(matches!(step(&mut near, Reading::On, &mut buffer, &mut outgoing, &mut queue).await, Step::Command(7)));
        assert!(matches!(step(&mut near, Reading::On, &mut buffer, &mut outgoing, &mut queue).await, Step::Sent(3)));
        assert!(outgoing.is_empty());
        assert!(matches!(
            step(&mut near, Reading::On, &mut buffer, &mut outgoing, &mut queue).await,
            Step::Received(2)
        ));
        assert_eq!(&buffer[..2], b"in");
    }

    #[tokio::test]
    async fn a_stream_that_is_not_read_keeps_its_bytes() {
        let (mut near, mut far) = tokio::io::duplex(64);
        let (commands, mut queue) = mpsc::unbounded_channel();
        let mut outgoing = VecDeque::new();
        let mut buffer = [0; 16];
        far.write_all(b"in").await.unwrap();
        drop(far);
        commands.send(()).unwrap();
        drop(commands);
        let mut next = async |reading| step(&mut near, reading, &mut buffer, &mut outgoing, &mut queue).await;
        assert!(matches!(next(Reading::Off).await, Step::Command(())));
        assert!(matches!(next(Reading::Off).await, Step::Abandoned));
    }

    #[tokio::test]
    async fn the_end_of_the_stream_is_seen_after_its_bytes() {
        let (mut near, mut far) = tokio::io::duplex(64);
        let (_commands, mut queue) = mpsc::unbounded_channel::<()>();
        let mut outgoing = VecDeque::new();
        let mut buffer = [0; 16];
        far.write_all(b"last").await.unwrap();
        drop(far);
        let mut next = async || step(&mut near, Reading::On, &mut buffer, &mut outgoing, &mut queue).await;
        assert!(matches!(next().await, Step::Received(4)));
        assert!(matches!(next().await, Step::Ended));
    }
}
