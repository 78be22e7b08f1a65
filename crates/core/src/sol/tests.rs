//! The engine in virtual time: `bench` drives it, the others say what must come out.

mod bench;
mod history;
mod lossy;
mod packets;
mod port;
mod retry;
