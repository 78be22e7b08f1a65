//! What happened.

use std::net::SocketAddr;

use serde::Serialize;

use super::word::{self, BOOTS, CONTROLS, DEVICES, LEVELS};
use crate::bmc::watch::Event;
use crate::control::time;
use crate::runtime::door::history::{Happened, What};

/// The kinds of events.
pub(in crate::control) const KINDS: [&str; 17] = [
    "power_asked",
    "power_done",
    "reset",
    "watchdog_expired",
    "boot_device_set",
    "sel_added",
    "alert_sent",
    "login",
    "login_failed",
    "logout",
    "sol_opened",
    "sol_closed",
    "user_changed",
    "fault_set",
    "fault_cleared",
    "bmc_added",
    "bmc_removed",
];

/// The kind of an event.
pub(in crate::control) fn kind(what: &What) -> &'static str {
    match what {
        What::Added => "bmc_added",
        What::Removed => "bmc_removed",
        What::Event(event) => match event {
            Event::PowerAsked { .. } => "power_asked",
            Event::PowerDone { .. } => "power_done",
            Event::Reset { .. } => "reset",
            Event::WatchdogExpired { .. } => "watchdog_expired",
            Event::BootDeviceSet { .. } => "boot_device_set",
            Event::RecordAdded { .. } => "sel_added",
            Event::AlertSent { .. } => "alert_sent",
            Event::LoggedIn { .. } => "login",
            Event::LoginFailed { .. } => "login_failed",
            Event::LoggedOut { .. } => "logout",
            Event::ConsoleOpened { .. } => "sol_opened",
            Event::ConsoleClosed { .. } => "sol_closed",
            Event::UserChanged { .. } => "user_changed",
            Event::FaultSet { .. } => "fault_set",
            Event::FaultEnded { .. } => "fault_cleared",
            _ => "other",
        },
    }
}

/// An event as it is written: what all have, and its own fields behind it.
#[derive(Debug, Serialize)]
pub(in crate::control) struct View<'a> {
    id: u64,
    time: String,
    bmc: &'a str,
    kind: &'static str,
    #[serde(flatten)]
    own: Own<'a>,
}

impl<'a> View<'a> {
    /// Of an event.
    pub(in crate::control) fn of(happened: &'a Happened) -> Self {
        let own = match &happened.what {
            What::Event(event) => Own::of(event),
            What::Added | What::Removed => Own::Nothing {},
        };
        let (id, time) = (happened.id, time::of(happened.time));
        Self { id, time, bmc: &happened.bmc, kind: kind(&happened.what), own }
    }

    /// As JSON.
    pub(in crate::control) fn text(&self) -> String {
        // What has no map with other keys than text and no number that is none can be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The own fields of events.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Own<'a> {
    Nothing {},
    Mc { mc: u8 },
    Control { mc: u8, control: &'static str },
    Power { mc: u8, power: &'static str },
    Boot { mc: u8, device: &'static str, boots: &'static str },
    Record { mc: u8, record: u16 },
    Alert { mc: u8, channel: u8, destination: SocketAddr, acknowledged: Option<bool> },
    Login { mc: u8, channel: u8, user: u8, user_name: &'a str, limit: &'static str, client: SocketAddr },
    LoginFailed { mc: u8, channel: u8, client: SocketAddr, reason: &'static str },
    Logout { mc: u8, channel: u8 },
    User { mc: u8, user: u8 },
    Console { mc: u8, instance: u8 },
    Fault { mc: u8, number: u32, fault: &'a str },
}

impl<'a> Own<'a> {
    fn of(event: &'a Event) -> Self {
        match event {
            Event::PowerAsked { mc, control } | Event::Reset { mc, control } => {
                Self::Control { mc: mc.0, control: word::of(&CONTROLS, control) }
            }
            Event::PowerDone { mc, on } => Self::Power { mc: mc.0, power: if *on { "on" } else { "off" } },
            Event::WatchdogExpired { mc } => Self::Mc { mc: mc.0 },
            Event::BootDeviceSet { mc, device, boots } => {
                Self::Boot { mc: mc.0, device: word::of(&DEVICES, device), boots: word::of(&BOOTS, boots) }
            }
            Event::RecordAdded { mc, id } => Self::Record { mc: mc.0, record: *id },
            Event::AlertSent { mc, channel, destination, acknowledged } => {
                Self::Alert { mc: mc.0, channel: channel.get(), destination: *destination, acknowledged: *acknowledged }
            }
            Event::LoggedIn { mc, channel, user, user_name, limit, client } => Self::Login {
                mc: mc.0,
                channel: channel.get(),
                user: user.get(),
                user_name,
                limit: word::of(&LEVELS, limit),
                client: *client,
            },
            Event::LoginFailed { mc, channel, client, reason } => {
                Self::LoginFailed { mc: mc.0, channel: channel.get(), client: *client, reason: reason.text() }
            }
            Event::UserChanged { mc, user } => Self::User { mc: mc.0, user: user.get() },
            Event::LoggedOut { mc, channel } => Self::Logout { mc: mc.0, channel: channel.get() },
            Event::ConsoleOpened { mc, instance } | Event::ConsoleClosed { mc, instance } => {
                Self::Console { mc: mc.0, instance: *instance }
            }
            Event::FaultSet { mc, number, fault } | Event::FaultEnded { mc, number, fault } => {
                Self::Fault { mc: mc.0, number: *number, fault }
            }
            _ => Self::Nothing {},
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::{ChannelNumber, LoginFailure, McAddress};

    #[test]
    fn fields_are_in_one_order() {
        let event = |what| Happened { id: 17, time: std::time::UNIX_EPOCH, bmc: "a".into(), what };
        let text = |what| View::of(&event(what)).text();
        let head = r#"{"id":17,"time":"1970-01-01T00:00:00.000Z","bmc":"a","kind":"#;
        assert_eq!(text(What::Added), format!(r#"{head}"bmc_added"}}"#));
        let mc = McAddress(0x20);
        let done = What::Event(Event::PowerDone { mc, on: true });
        assert_eq!(text(done), format!(r#"{head}"power_done","mc":32,"power":"on"}}"#));
        let failed = What::Event(Event::LoginFailed {
            mc,
            channel: ChannelNumber::new(1).unwrap(),
            client: ([127, 0, 0, 1], 9).into(),
            reason: LoginFailure::WrongPassword,
        });
        let own = r#""login_failed","mc":32,"channel":1,"client":"127.0.0.1:9","reason":"wrong password"}"#;
        assert_eq!(text(failed), format!("{head}{own}"));
    }
}
