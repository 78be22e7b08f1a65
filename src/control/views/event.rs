//! What happened.

use serde_json::{Map, Value, json};

use super::word::{self, BOOTS, CONTROLS, DEVICES, LEVELS};
use crate::bmc::watch::Event;
use crate::control::time;
use crate::runtime::door::history::{Happened, What};

/// The kinds of events.
pub(in crate::control) const KINDS: [&str; 14] = [
    "power_asked",
    "power_done",
    "reset",
    "watchdog_expired",
    "boot_device_set",
    "sel_added",
    "login",
    "login_failed",
    "logout",
    "sol_opened",
    "sol_closed",
    "user_changed",
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
            Event::LoggedIn { .. } => "login",
            Event::LoginFailed { .. } => "login_failed",
            Event::LoggedOut { .. } => "logout",
            Event::ConsoleOpened { .. } => "sol_opened",
            Event::ConsoleClosed { .. } => "sol_closed",
            Event::UserChanged { .. } => "user_changed",
            _ => "other",
        },
    }
}

/// An event as it is written.
pub(in crate::control) fn event(happened: &Happened) -> Value {
    let mut all = json!({
        "id": happened.id,
        "time": time::of(happened.time),
        "bmc": &*happened.bmc,
        "kind": kind(&happened.what),
    });
    if let (What::Event(event), Some(all)) = (&happened.what, all.as_object_mut()) {
        fields(event, all);
    }
    all
}

/// What an event of a system says besides.
fn fields(event: &Event, all: &mut Map<String, Value>) {
    let own = match event {
        Event::PowerAsked { mc, control } | Event::Reset { mc, control } => {
            json!({ "mc": mc.0, "control": word::of(&CONTROLS, control) })
        }
        Event::PowerDone { mc, on } => json!({ "mc": mc.0, "power": if *on { "on" } else { "off" } }),
        Event::WatchdogExpired { mc } => json!({ "mc": mc.0 }),
        Event::BootDeviceSet { mc, device, boots } => json!({
            "mc": mc.0,
            "device": word::of(&DEVICES, device),
            "boots": word::of(&BOOTS, boots),
        }),
        Event::RecordAdded { mc, id } => json!({ "mc": mc.0, "record": id }),
        Event::LoggedIn { mc, channel, user, user_name, limit, client } => json!({
            "mc": mc.0,
            "channel": channel.get(),
            "user": user.get(),
            "user_name": user_name,
            "limit": word::of(&LEVELS, limit),
            "client": client,
        }),
        Event::LoginFailed { mc, channel, client, reason } => {
            json!({ "mc": mc.0, "channel": channel.get(), "client": client, "reason": reason.text() })
        }
        Event::UserChanged { mc, user } => json!({ "mc": mc.0, "user": user.get() }),
        Event::LoggedOut { mc, channel } => json!({ "mc": mc.0, "channel": channel.get() }),
        Event::ConsoleOpened { mc, instance } | Event::ConsoleClosed { mc, instance } => {
            json!({ "mc": mc.0, "instance": instance })
        }
        _ => return,
    };
    if let Value::Object(own) = own {
        all.extend(own);
    }
}
