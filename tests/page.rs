//! The page for the eye, in a real browser against the real program: what a person does there, how it bears ten thousand BMCs,
//! and whether it can be used without a mouse and without eyes.

#[path = "page/access.rs"]
mod access;
#[path = "page/bmc.rs"]
mod bmc;
#[path = "page/fleet.rs"]
mod fleet;
#[path = "page/pictures.rs"]
mod pictures;
#[path = "page/pieces.rs"]
mod pieces;
mod support;
#[path = "page/token.rs"]
mod token;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use support::bench::free_port;
use support::browser::Browser;
use support::door::{write_fleet, write_one};
use support::{Bench, Simulator, Stdin, Subject};

/// Ten thousand BMCs of a program that was not optimised, beside other tests.
const START: Duration = Duration::from_secs(120);

/// A fleet that serves the page.
struct Served {
    simulator: Option<Simulator>,
    bench: Bench,
    arguments: Vec<String>,
    url: String,
    /// The UDP port of the BMCs.
    port: u16,
    _alone: MutexGuard<'static, ()>,
}

impl Served {
    /// The example's fleet with so many BMCs, from bmc00001.
    fn fleet(count: u32) -> Self {
        Self::with(count, &[])
    }

    /// One BMC, bmc00001, with more in its lan.conf.
    fn one(more: &str) -> Self {
        let mut served = Self::with_arguments(&["-c", "lan.conf", "-f", "sim.emu"]);
        write_one(&served.bench, served.port, more);
        served.start();
        served
    }

    /// A fleet with more arguments.
    fn with(count: u32, more: &[&str]) -> Self {
        let mut served = Self::with_arguments(more);
        write_fleet(&served.bench);
        let (count, ports) = (count.to_string(), served.port.to_string());
        let fleet =
            ["-c", "lan.conf", "-f", "sim.emu", "--addresses", "127.90.0.0/16", "--count", &count, "--ports", &ports];
        served.arguments.extend(fleet.map(String::from));
        served.start();
        served
    }

    fn with_arguments(more: &[&str]) -> Self {
        // A browser and a fleet are enough for a machine at a time.
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (http, port) = (free_port(), free_port());
        let door = format!("127.0.0.1:{http}");
        let arguments =
            ["-n", "--ready-line", "-p", "--http", &door].iter().chain(more).map(ToString::to_string).collect();
        let url = format!("http://{door}/");
        Self { simulator: None, bench: Bench::new(), arguments, url, port, _alone: alone }
    }

    /// Starts it, or starts it again.
    fn start(&mut self) {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let simulator = Simulator::spawn(Subject::under_test(), &self.bench, &arguments, Stdin::Null);
        assert!(simulator.stdout.wait_for("is ready\n", START), "{}", simulator.report());
        self.simulator = Some(simulator);
    }

    /// Ends it; the page is alone.
    fn stop(&mut self) {
        if let Some(simulator) = self.simulator.take() {
            simulator.stop();
        }
    }

    /// A browser that shows the page.
    fn browser(&self) -> Browser {
        let browser = Browser::open(1280, 800);
        browser.go(&self.url);
        browser
    }

    /// Opens the page of a BMC, or of one of its tabs.
    fn open(&self, browser: &Browser, path: &str) {
        browser.go(&format!("{}#/bmc/{path}", self.url));
    }
}

/// The text of the first element that is found.
fn text(css: &str) -> String {
    format!("(document.querySelector({css:?})?.textContent ?? '')")
}
