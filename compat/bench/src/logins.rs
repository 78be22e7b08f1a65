//! What a login costs: open, RAKP Messages 1 to 4 (or challenge and activation), Set Session
//! Privilege Level, Close Session, again and again: five requests.

use std::thread;
use std::time::{Duration, Instant};

use super::Result;
use super::connection::{Connection, Target, connect};
use super::process::processor_time;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Logins {
    /// Logins in a second.
    pub per_second: f64,
    /// Microseconds of the server's processor time for each.
    pub processor: Option<f64>,
}

/// Logs in and out until `end`, at least once; gives how often.
fn log_in_and_out(target: &Target, end: Instant) -> Result<u32> {
    let mut socket = connect(target.port)?;
    let mut count = 0;
    while Instant::now() < end || count == 0 {
        socket = Connection::open_on(socket, target)?.close()?;
        count += 1;
    }
    Ok(count)
}

/// Some clients log in and out for some time, each of them all the time.
pub fn measure(target: &Target, clients: usize, seconds: f64, pid: Option<u32>) -> Result<Logins> {
    log_in_and_out(target, Instant::now())?;
    let before = pid.map(processor_time).transpose()?;
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(seconds);
    let counts: Result<Vec<u32>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..clients.max(1)).map(|_| scope.spawn(|| log_in_and_out(target, end))).collect();
        clients.into_iter().map(|client| client.join().map_err(|_| "a client has failed")?).collect()
    });
    let count = f64::from(counts?.iter().sum::<u32>());
    let elapsed = start.elapsed();
    let after = pid.map(processor_time).transpose()?;
    let processor = before.zip(after).map(|(before, after)| (after - before).as_secs_f64() * 1e6 / count);
    Ok(Logins { per_second: count / elapsed.as_secs_f64(), processor })
}
