//! Descriptors the runtime watches for us.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Types that are one open descriptor, the same one for their whole life.
pub trait Descriptor: AsRawFd {}

impl Descriptor for OwnedFd {}
impl Descriptor for UdpSocket {}

/// Watches a descriptor for what is of interest. Must be called inside the runtime.
///
/// # Errors
/// What is always ready, such as a file, cannot be watched.
pub fn watch<T: Descriptor>(descriptor: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    // Deprecated because a type may lie about its descriptor, which those above do not. What
    // replaces it is unsafe for the same reason.
    #[allow(deprecated)]
    AsyncFd::with_interest(descriptor, interest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pipe_can_be_watched_and_a_file_can_not() {
        let (pipe, writer) = std::io::pipe().unwrap();
        let pipe = watch(OwnedFd::from(pipe), Interest::READABLE).unwrap();
        drop(writer);
        assert!(pipe.readable().await.is_ok());
        assert!(watch(OwnedFd::from(tempfile::tempfile().unwrap()), Interest::READABLE).is_err());
    }
}
