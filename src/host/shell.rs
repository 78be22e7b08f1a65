//! One helper program: `sh -c LINE` (`process.md` section 10).
//!
//! Owns the child from start to end: its own process group, nothing to read, output
//! captured and bounded, a time limit after which the group is killed. Nothing else of
//! the simulator stands still meanwhile.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::children::Own;
use crate::config::text::os_string;
use crate::sim::{OUTPUT_LIMIT, ProgramEnd};

/// Standard error kept for the log.
const COMPLAINTS: usize = 4096;
/// How long output is waited for once the shell has ended: what it wrote is in the pipe
/// already, and a job it left behind in the background may hold the pipe open for ever.
const AFTERWARDS: Duration = Duration::from_millis(50);

/// Runs a line for at most `limit`, with these variables in its environment beside the simulator's.
pub async fn run(line: &str, limit: Duration, environment: &[(&str, &str)]) -> ProgramEnd {
    let child = Command::new("/bin/sh")
        .arg("-c")
        .arg(os_string(line))
        .envs(environment.iter().map(|(name, value)| (*name, os_string(value))))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            let problem = Some(format!("cannot start a shell: {error}"));
            return ProgramEnd { status: None, output: Vec::new(), complaints: Vec::new(), problem };
        }
    };
    let _own = Own::new(child.id());
    let group = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut output, mut complaints) = (Vec::new(), Vec::new());
    let ended = {
        let reading = async {
            tokio::join!(collect(stdout, &mut output, OUTPUT_LIMIT), collect(stderr, &mut complaints, COMPLAINTS))
        };
        tokio::pin!(reading);
        let timer = tokio::time::sleep(limit);
        tokio::pin!(timer);
        let mut all_read = false;
        let ended = loop {
            tokio::select! {
                biased;
                status = child.wait() => break Some(status),
                _ = &mut reading, if !all_read => all_read = true,
                () = &mut timer => break None,
            }
        };
        if !all_read && ended.is_some() {
            let _ = tokio::time::timeout(AFTERWARDS, &mut reading).await;
        }
        ended
    };
    let (status, problem) = match ended {
        Some(Ok(status)) => (Some(std::os::unix::process::ExitStatusExt::into_raw(status)), None),
        Some(Err(error)) => (None, Some(format!("cannot wait for the shell: {error}"))),
        None => {
            if let Some(group) = group {
                let _ = killpg(group, Signal::SIGKILL);
            }
            let _ = child.wait().await;
            (None, Some(format!("ended after {} seconds without finishing", limit.as_secs_f32())))
        }
    };
    ProgramEnd { status, output, complaints, problem }
}

/// Reads to the end, keeps the first `most` bytes and throws the rest away, so that a
/// talkative program never waits for a reader.
async fn collect<R: AsyncRead + Unpin>(from: Option<R>, into: &mut Vec<u8>, most: usize) {
    let Some(mut from) = from else { return };
    let mut buffer = [0; 2048];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let room = most.saturating_sub(into.len());
        into.extend(buffer.iter().take(count.min(room)));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    async fn run(line: &str, limit: Duration) -> ProgramEnd {
        super::run(line, limit, &[]).await
    }

    #[tokio::test]
    async fn status_is_the_raw_wait_status_and_output_is_captured() {
        let outcome = run("echo power:1; echo oops >&2; exit 3", LONG).await;
        let (output, complaints) = (b"power:1\n".to_vec(), b"oops\n".to_vec());
        assert_eq!(outcome, ProgramEnd { status: Some(0x300), output, complaints, problem: None });
        assert_eq!(run("kill -9 $$", LONG).await.status, Some(9));
        assert_eq!(run("/nonexistent/program", LONG).await.status, Some(0x7f00));
    }

    #[tokio::test]
    async fn output_is_cut_one_byte_after_what_is_allowed() {
        let outcome = run("i=0; while [ $i -lt 300 ]; do echo 0123456789; i=$((i+1)); done", LONG).await;
        assert_eq!((outcome.status, outcome.output.len()), (Some(0), 2047));
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_takes_too_long_is_ended_with_all_its_children() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let line = format!("echo begun; sleep 600 > '{}' & wait", fifo.display());
        // Opening waits for the background job, and time stands still while a thread works.
        let opened = tokio::task::spawn_blocking(move || std::fs::File::open(fifo));
        let began = tokio::time::Instant::now();
        let outcome = run(&line, LONG).await;
        assert!((LONG..LONG + Duration::from_secs(1)).contains(&began.elapsed()), "{:?}", began.elapsed());
        assert_eq!(outcome.status, None);
        assert!(outcome.problem.unwrap().contains("30 seconds"));
        assert_eq!(outcome.output, b"begun\n");
        // Reading ends when nobody has the pipe open for writing any more.
        let mut rest = Vec::new();
        opened.await.unwrap().unwrap().read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"");
    }

    #[tokio::test]
    async fn a_job_left_in_the_background_does_not_prolong_the_wait() {
        let before = std::time::Instant::now();
        let outcome = run("sleep 5 & echo power:1", LONG).await;
        assert_eq!(outcome.output, b"power:1\n");
        assert!(before.elapsed() < Duration::from_secs(4));
    }

    #[tokio::test]
    async fn a_program_has_nothing_to_read() {
        assert_eq!(run("cat; echo end", LONG).await.output, b"end\n");
    }
}
