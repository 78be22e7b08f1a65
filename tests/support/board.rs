//! A machine behind GPIO value files: two buttons and a lamp, as plain files in a folder.
//!
//! Behaves like a personal computer: a short press of the power button switches on, or asks
//! a running system to shut down; a long press switches off; reset counts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::process::eventually;

/// A press as long as this switches off.
pub const FORCE_OFF: Duration = Duration::from_millis(300);
/// Time from the request to shut down until the machine is off.
const SHUTDOWN: Duration = Duration::from_millis(150);
/// How often the buttons are looked at.
const LOOK: Duration = Duration::from_millis(5);

/// What happened to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was switched on.
    On,
    /// It was asked to shut down.
    ShutdownRequest,
    /// It has shut down.
    Off,
    /// It was switched off by a long press.
    ForcedOff,
    /// It was reset.
    Reset,
}

/// The machine; it lives until this is dropped.
pub struct Board {
    folder: PathBuf,
    events: Arc<Mutex<Vec<Event>>>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Board {
    /// Lays out `gpioNNN/value` files in a folder (503 power button, 505 and 507 reset
    /// button, 504 power lamp, lit while it reads 0) and starts the machine, switched off.
    pub fn new(folder: &Path) -> Self {
        for pin in [503, 505, 507] {
            fs::create_dir_all(folder.join(format!("gpio{pin}"))).expect("a folder");
            fs::write(value(folder, pin), "0\n").expect("a value file");
        }
        fs::create_dir_all(folder.join("gpio504")).expect("a folder");
        lamp(folder, false);
        let events = Arc::new(Mutex::new(Vec::new()));
        let end = Arc::new(AtomicBool::new(false));
        let machine = Machine {
            folder: folder.to_owned(),
            events: events.clone(),
            on: false,
            pressed: None,
            reset: false,
            off_at: None,
        };
        let ended = end.clone();
        let thread = std::thread::spawn(move || machine.run(&ended));
        Self { folder: folder.to_owned(), events, end, thread: Some(thread) }
    }

    /// Is the lamp lit?
    pub fn is_on(&self) -> bool {
        fs::read_to_string(value(&self.folder, 504)).is_ok_and(|text| text.trim() == "0")
    }

    /// What happened since the last time this was asked.
    pub fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().expect("the events"))
    }

    /// Waits until an event happens; events before it are forgotten.
    #[track_caller]
    pub fn wait_for(&self, event: Event) {
        let found = eventually(Duration::from_secs(5), || {
            let mut events = self.events.lock().expect("the events");
            let at = events.iter().position(|seen| *seen == event)?;
            events.drain(..=at);
            Some(())
        });
        assert!(found.is_some(), "{event:?} did not happen, but {:?}", self.take_events());
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Machine {
    folder: PathBuf,
    events: Arc<Mutex<Vec<Event>>>,
    on: bool,
    /// Since when the power button is down, and whether the machine was on then.
    pressed: Option<(Instant, bool)>,
    reset: bool,
    off_at: Option<Instant>,
}

impl Machine {
    fn run(mut self, end: &AtomicBool) {
        while !end.load(Ordering::Relaxed) {
            let now = Instant::now();
            self.power_button(now);
            self.reset_button();
            if self.off_at.is_some_and(|at| now >= at) {
                self.switch(false, Event::Off);
            }
            std::thread::sleep(LOOK);
        }
    }

    fn power_button(&mut self, now: Instant) {
        match (button(&self.folder, 503), self.pressed) {
            (Some(true), None) => {
                self.pressed = Some((now, self.on));
                if !self.on {
                    self.switch(true, Event::On);
                }
            }
            (Some(true), Some((since, true))) if self.on && now - since >= FORCE_OFF => {
                self.switch(false, Event::ForcedOff);
            }
            (Some(false), Some((_, was_on))) => {
                self.pressed = None;
                if self.on && was_on && self.off_at.is_none() {
                    self.off_at = Some(now + SHUTDOWN);
                    self.tell(Event::ShutdownRequest);
                }
            }
            _ => {}
        }
    }

    fn reset_button(&mut self) {
        let down = [505, 507].iter().any(|pin| button(&self.folder, *pin) == Some(true));
        if down && !self.reset && self.on {
            self.tell(Event::Reset);
        }
        self.reset = down;
    }

    fn switch(&mut self, on: bool, event: Event) {
        self.on = on;
        self.off_at = None;
        lamp(&self.folder, on);
        self.tell(event);
    }

    fn tell(&self, event: Event) {
        self.events.lock().expect("the events").push(event);
    }
}

fn value(folder: &Path, pin: u16) -> PathBuf {
    folder.join(format!("gpio{pin}/value"))
}

/// Is a button down? `None` while somebody is just writing the file.
fn button(folder: &Path, pin: u16) -> Option<bool> {
    match fs::read_to_string(value(folder, pin)).ok()?.trim() {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

/// The lamp's file changes in one step, so that nobody reads half of it.
fn lamp(folder: &Path, lit: bool) {
    let new = folder.join("gpio504/value.new");
    fs::write(&new, if lit { "0\n" } else { "1\n" }).expect("a value file");
    fs::rename(&new, value(folder, 504)).expect("a value file");
}
