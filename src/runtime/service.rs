//! What a service manager is told (`sd_notify(3)`): readiness, reload, end, and that the
//! program is alive.
//!
//! Datagrams to the socket that `NOTIFY_SOCKET` names, a path or `@` and an abstract name.
//! Never waits: a manager that does not read loses the message. Without the variable nothing
//! is opened and nobody is woken.

use std::ffi::{OsStr, OsString};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::ipmi::Moment;

/// What the environment says about the service manager.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `NOTIFY_SOCKET`.
    pub socket: Option<OsString>,
    /// `WATCHDOG_USEC`.
    pub watchdog: Option<OsString>,
    /// `WATCHDOG_PID`.
    pub watchdog_pid: Option<OsString>,
}

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        Self {
            socket: std::env::var_os("NOTIFY_SOCKET"),
            watchdog: std::env::var_os("WATCHDOG_USEC"),
            watchdog_pid: std::env::var_os("WATCHDOG_PID"),
        }
    }
}

/// The way to the service manager, if there is one.
#[derive(Debug, Default)]
pub struct Service {
    manager: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants a sign of life, and when it gets the next.
    watchdog: Option<(Duration, Moment)>,
    status: String,
}

impl Service {
    /// The manager that `environment` names.
    pub fn new(environment: &Environment, now: Moment) -> Self {
        let manager = environment.socket.as_deref().and_then(address).and_then(|address| {
            let socket = UnixDatagram::unbound().ok()?;
            socket.set_nonblocking(true).ok()?;
            Some((socket, address))
        });
        let number = |text: &OsString| text.to_str()?.parse::<u64>().ok();
        let for_us = environment.watchdog_pid.as_ref().is_none_or(|pid| number(pid) == Some(std::process::id().into()));
        let limit = environment.watchdog.as_ref().and_then(number).filter(|limit| *limit > 0 && for_us);
        let watchdog = limit.filter(|_| manager.is_some()).map(|limit| (Duration::from_micros(limit) / 2, now));
        Self { manager, watchdog, status: String::new() }
    }

    /// Everything is open, or is again as a reload left it.
    pub fn ready(&self) {
        self.send(&format!("READY=1\nSTATUS={}", self.status));
    }

    /// Nothing is open: what the status line says, and no more.
    pub fn not_ready(&self) {
        self.send(&format!("STATUS={}", self.status));
    }

    /// What the status line says from now on.
    pub fn set_status(&mut self, status: String) {
        self.status = status;
    }

    /// A reload begins.
    pub fn reloading(&self, now: Moment) {
        let microseconds = now.since_boot().as_micros();
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}\nSTATUS=Reading the configuration"));
    }

    /// The end begins.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=Ending");
    }

    /// When the next sign of life is due; `None` when nobody wants any.
    pub fn deadline(&self) -> Option<Moment> {
        self.watchdog.map(|(_, due)| due)
    }

    /// Gives a sign of life if it is due.
    pub fn alive(&mut self, now: Moment) {
        if let Some((every, due)) = &mut self.watchdog
            && *due <= now
        {
            *due = now + *every;
            self.send("WATCHDOG=1");
        }
    }

    fn send(&self, text: &str) {
        if let Some((socket, address)) = &self.manager {
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}

/// The address in `NOTIFY_SOCKET`: an absolute path, or an abstract name behind `@`.
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::new(Duration::from_micros(7_000_001));

    fn told(receiver: &UnixDatagram) -> Option<String> {
        let mut buffer = [0; 200];
        let length = receiver.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    fn environment(socket: &str, watchdog: Option<&str>, pid: Option<String>) -> Environment {
        Environment {
            socket: Some(socket.into()),
            watchdog: watchdog.map(Into::into),
            watchdog_pid: pid.map(Into::into),
        }
    }

    #[test]
    fn a_manager_is_told_at_a_path_or_an_abstract_name() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("notify");
        let name = format!("ipmi_sim-test-{}", std::process::id());
        let receivers = [
            (path.display().to_string(), UnixDatagram::bind(&path).unwrap()),
            (
                format!("@{name}"),
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes()).unwrap()).unwrap(),
            ),
        ];
        for (name, receiver) in receivers {
            receiver.set_nonblocking(true).unwrap();
            let mut service = Service::new(&environment(&name, None, None), NOW);
            service.set_status("Serving".into());
            service.ready();
            assert_eq!(told(&receiver).unwrap(), "READY=1\nSTATUS=Serving");
            service.reloading(NOW);
            let text = told(&receiver).unwrap();
            assert!(text.starts_with("RELOADING=1\nMONOTONIC_USEC=7000001\n"), "{text}");
            service.stopping();
            assert!(told(&receiver).unwrap().starts_with("STOPPING=1"));
            assert_eq!(service.deadline(), None);
            service.alive(NOW);
            assert_eq!(told(&receiver), None);
        }
    }

    #[test]
    fn signs_of_life_come_at_half_the_time_and_only_when_they_are_meant_for_us() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("notify");
        let receiver = UnixDatagram::bind(&path).unwrap();
        receiver.set_nonblocking(true).unwrap();
        let name = path.display().to_string();
        let own = Some(std::process::id().to_string());
        for pid in [None, own.clone()] {
            let mut service = Service::new(&environment(&name, Some("3000000"), pid), NOW);
            assert_eq!(service.deadline(), Some(NOW));
            service.alive(NOW);
            assert_eq!(told(&receiver).as_deref(), Some("WATCHDOG=1"));
            let due = NOW + Duration::from_micros(1_500_000);
            assert_eq!(service.deadline(), Some(due));
            service.alive(NOW + Duration::from_secs(1));
            assert_eq!(told(&receiver), None);
            service.alive(due);
            assert_eq!(told(&receiver).as_deref(), Some("WATCHDOG=1"));
        }
        for (watchdog, pid) in [("3000000", Some("1".to_string())), ("0", own.clone()), ("x", own)] {
            assert_eq!(Service::new(&environment(&name, Some(watchdog), pid), NOW).deadline(), None);
        }
    }

    #[test]
    fn without_a_manager_nothing_is_opened_and_nobody_is_woken() {
        for environment in [Environment::default(), environment("relative", Some("1000"), None)] {
            let service = Service::new(&Environment { watchdog: Some("1000".into()), ..environment }, NOW);
            assert!(service.manager.is_none() && service.deadline().is_none());
            service.ready();
        }
    }

    #[test]
    fn a_manager_that_does_not_read_is_not_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("notify");
        let _receiver = UnixDatagram::bind(&path).unwrap();
        let service = Service::new(&environment(&path.display().to_string(), None, None), NOW);
        (0..10_000).for_each(|_| service.ready());
    }
}
