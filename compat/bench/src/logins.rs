//! What a login costs: open, RAKP Messages 1 to 4 (or challenge and activation), Set Session
//! Privilege Level, Close Session, again and again.

use std::time::{Duration, Instant};

use super::client::Result;
use super::connection::{Connection, Target, connect};
use super::process::processor_time;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Logins {
    /// Logins in a second, one after the other.
    pub per_second: f64,
    /// Microseconds of the server's processor time for each.
    pub processor: Option<f64>,
}

/// Logs in and out for some time.
pub fn measure(target: &Target, seconds: f64, pid: Option<u32>) -> Result<Logins> {
    let mut socket = connect(target.port)?;
    for _ in 0..10 {
        socket = Connection::open_on(socket, target)?.close()?;
    }
    let before = pid.map(processor_time).transpose()?;
    let (start, length) = (Instant::now(), Duration::from_secs_f64(seconds));
    let mut count = 0.0;
    while start.elapsed() < length || count == 0.0 {
        socket = Connection::open_on(socket, target)?.close()?;
        count += 1.0;
    }
    let elapsed = start.elapsed();
    let after = pid.map(processor_time).transpose()?;
    let processor = before.zip(after).map(|(before, after)| (after - before).as_secs_f64() * 1e6 / count);
    Ok(Logins { per_second: count / elapsed.as_secs_f64(), processor })
}
