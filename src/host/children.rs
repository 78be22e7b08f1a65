//! Which processes are ours to wait for, and who waits for the others.
//!
//! As the first process of a container, the program is the parent of everybody whose own parent has
//! ended: what a helper program or a virtual machine left behind. Nobody else can reap them. The
//! children of the program itself are left alone: whoever started one waits for its exit status.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::prctl::get_child_subreaper;
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// A process has one list of children, however many systems it simulates.
static OWN: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
/// One of them is waited for, and gone.
static GONE: Notify = Notify::const_new();

/// A child of the program, until its exit status is known.
#[derive(Debug)]
pub struct Own(i32);

impl Own {
    /// To be called with the process id when a child was started, before anything else is waited for.
    pub fn new(id: Option<u32>) -> Option<Self> {
        let id = i32::try_from(id?).ok()?;
        own().insert(id);
        Some(Self(id))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        own().remove(&self.0);
        GONE.notify_one();
    }
}

fn own() -> MutexGuard<'static, BTreeSet<i32>> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether processes whose parent has ended become children of this one.
pub fn adopts() -> bool {
    std::process::id() == 1 || get_child_subreaper().unwrap_or(false)
}

/// Reaps adopted processes, whenever one ends. Must be called inside the runtime.
pub async fn reap_orphans() {
    let Ok(mut ended) = signal(SignalKind::child()) else { return };
    loop {
        reap();
        tokio::select! {
            _ = ended.recv() => {}
            // One of ours may have stood in front of others.
            () = GONE.notified() => {}
        }
    }
}

fn reap() {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    while let Some(id) = waitid(Id::All, look).ok().and_then(|status| status.pid()) {
        if own().contains(&id.as_raw()) {
            return;
        }
        if waitpid(id, Some(WaitPidFlag::WNOHANG)).is_err() {
            return;
        }
    }
}
