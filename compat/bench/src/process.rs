//! What the system knows of a running program.

use std::fs;
use std::time::Duration;

use super::Result;

/// The text of every thread's file of this name.
fn of_threads(pid: u32, name: &str) -> Result<Vec<String>> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))?;
    threads.map(|thread| Ok(fs::read_to_string(thread?.path().join(name))?)).collect()
}

/// Time on a processor in a `schedstat`: nanoseconds on a processor, nanoseconds waiting for one, slices.
fn on_processor(schedstat: &str) -> Result<Duration> {
    let nanoseconds = schedstat.split_whitespace().next().ok_or("no schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// Processor time of all living threads of a process, system calls included.
pub fn processor_time(pid: u32) -> Result<Duration> {
    of_threads(pid, "schedstat")?.iter().map(|text| on_processor(text)).sum()
}

/// Processor time of one thread of this process, by its entry below `/proc/self/task`.
pub fn thread_time(path: &str) -> Result<Duration> {
    on_processor(&fs::read_to_string(format!("{path}/schedstat"))?)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// How often the threads of a process have gone to sleep of their own.
pub fn wake_ups(pid: u32) -> Result<u64> {
    Ok(of_threads(pid, "status")?.iter().filter_map(|text| field(text, "voluntary_ctxt_switches")).sum())
}

/// How many descriptors a process has open.
pub fn descriptors(pid: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// Memory of a process in KiB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// `VmRSS`: all pages in memory, those of shared libraries too.
    pub resident: u64,
    /// `RssAnon`: what is only the program's own.
    pub private: u64,
}

impl Memory {
    /// Of a running process.
    pub fn of(pid: u32) -> Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field = |name| field(&text, name).ok_or_else(|| format!("no {name} of process {pid}"));
        Ok(Self { resident: field("VmRSS")?, private: field("RssAnon")? })
    }
}
