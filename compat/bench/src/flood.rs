//! Datagrams of a stranger, so many a second, from an address of their own.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use ipmi_sim::lan::packet::{RMCP, outside_sessions};
use ipmi_sim::wire::session20::PayloadType;
use ipmi_sim::wire::{ipmb, session15};

use super::Result;

/// Where it comes from: users are at 127.0.0.1.
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// How many go out without a look at the clock.
const BURST: u32 = 16;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Get Channel Authentication Capabilities, which is answered
    Capabilities,
    /// Open Session, each a login of its own
    Open,
    /// RAKP message 1 for sessions that nobody opened
    Rakp1,
    /// Bytes that mean nothing behind a valid header
    Junk,
}

impl Kind {
    /// The datagram with this number.
    fn datagram(self, number: u32, out: &mut Vec<u8>) {
        out.clear();
        match self {
            Self::Capabilities => {
                let mut message = Vec::new();
                let request = ipmb::Message {
                    to: 0x20,
                    to_lun: 0,
                    netfn: 6,
                    from: ipmb::REMOTE_CONSOLE,
                    from_lun: 0,
                    seq: 1,
                    cmd: 0x38,
                    data: &[0x8e, 4],
                };
                request.emit(&mut message);
                RMCP.emit(out);
                let header = session15::Header { auth_type: session15::AuthType::None, sequence: 0, session_id: 0 };
                session15::Packet { header, code: None, message: &message }.emit(out);
            }
            Self::Open => outside_sessions(PayloadType::OpenSessionRequest, out, |out| {
                out.extend_from_slice(&[1, 0, 0, 0]);
                out.extend_from_slice(&number.wrapping_add(1).max(1).to_le_bytes());
                for kind in 0..3 {
                    out.extend_from_slice(&[kind, 0, 0, 8, 1, 0, 0, 0]);
                }
            }),
            Self::Rakp1 => outside_sessions(PayloadType::Rakp1, out, |out| {
                out.extend_from_slice(&[1, 0, 0, 0]);
                out.extend_from_slice(&number.wrapping_mul(0x9e37_79b9).to_le_bytes());
                out.extend_from_slice(&[0x5a; 16]);
                out.extend_from_slice(&[0x14, 0, 0, 5]);
                out.extend_from_slice(b"admin");
            }),
            Self::Junk => {
                RMCP.emit(out);
                out.push(6);
                out.extend((0..60).map(|at| (number >> (at % 24)) as u8 ^ at));
            }
        }
    }
}

/// Sends `target` `rate` datagrams a second for so many seconds, and says how many went out. Answers are not read.
pub fn run(target: SocketAddr, kind: Kind, rate: u32, seconds: f64) -> Result<u64> {
    let socket = UdpSocket::bind((STRANGER, 0))?;
    socket.connect(target)?;
    let (begin, mut sent, mut datagram) = (Instant::now(), 0u32, Vec::new());
    let end = Duration::from_secs_f64(seconds);
    while begin.elapsed() < end {
        let due = (begin.elapsed().as_secs_f64() * f64::from(rate)) as u32;
        if sent >= due {
            thread::sleep(Duration::from_micros(50));
            continue;
        }
        for _ in 0..BURST.min(due - sent) {
            kind.datagram(sent, &mut datagram);
            // What the system does not take is lost, as datagrams are.
            let _ = socket.send(&datagram);
            sent += 1;
        }
    }
    Ok(sent.into())
}
