//! A bare echo of datagrams: what the machine can do at most.
//!
//! One thread, one blocking system call for each datagram in and one for each out, no look at a byte.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Result;
use super::process::thread_time;

/// Ends the echo.
const END: &[u8] = b"end";

/// A running echo, which ends with this.
pub struct Echo {
    /// Its UDP port of the loopback address.
    pub port: u16,
    /// Below `/proc`.
    task: String,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    /// Starts one that responses each datagram with `answer` bytes, the first of which is the request's.
    pub fn start(answer: usize) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = socket.local_addr()?.port();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let _ = tell.send(nix::unistd::gettid());
            let mut buffer = vec![0; 1024.max(answer)];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                if &buffer[..length] == END {
                    return;
                }
                let _ = socket.send_to(&buffer[..answer], from);
            }
        });
        let task = format!("/proc/self/task/{}", told.recv()?);
        Ok(Self { port, task, thread: Some(thread) })
    }

    /// Its processor time so far.
    pub fn processor_time(&self) -> Result<Duration> {
        thread_time(&self.task)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let told = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|socket| socket.send_to(END, (Ipv4Addr::LOCALHOST, self.port)));
        if let (Ok(_), Some(thread)) = (told, self.thread.take()) {
            let _ = thread.join();
        }
    }
}
