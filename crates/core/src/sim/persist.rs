//! State files: what of which device's state stands in which file, item by item
//! (`persistence.md` section 4).
//!
//! The order of items is the original's, so that both programs read each other.

use crate::bmc::channel::Lan;
use crate::bmc::chassis::Kept;
use crate::bmc::dcmi::Settings;
use crate::bmc::sdr::Repository;
use crate::bmc::sel::Sel;
use crate::bmc::sol_parameters::{Access, Pace, Sol};
use crate::bmc::user::{Limit, Status, Users};
use crate::bmc::vm_process::Identity;
use crate::bmc::{Machine, StateFile};
use crate::ipmi::UserNumber;
use crate::state::Items;

/// How many seconds the wall clock was ahead of the machine's monotonic clock when the file of a
/// log was written. The log's clock is an offset to the monotonic one, which starts anew with the
/// machine.
pub(super) const WALL_CLOCK: &str = "wall_clock";

/// The highest number that a user of the controller can have, where it is not 63. Copies of machines have it.
pub(super) const HIGHEST_USER: &str = "highest_user";
/// Boot options that every start begins with. Copies of machines have it.
pub(super) const BOOT_OPTIONS: &str = "boot_options";
/// The watchdog timer's setting that every start begins with.
pub(super) const WATCHDOG: &str = "watchdog";
/// 0 where Get User Access does not tell whether a user is enabled.
pub(super) const USER_STATUS_TOLD: &str = "user_status_told";

/// What a state file holds as it should be now; `None` when its owner is gone. `wall_clock` is how many seconds the
/// wall clock is ahead of the monotonic one.
pub(super) fn items(machine: &Machine, file: StateFile, wall_clock: Option<i64>) -> Option<Items> {
    let mut items = Items::new();
    match file {
        StateFile::Users(mc) => users(&machine.controller(mc)?.users, &mut items),
        StateFile::Sol(mc) => sol(machine.controller(mc)?.sol.as_ref()?, &mut items),
        StateFile::Chassis(mc) => chassis(machine.controller(mc)?.chassis.kept()?, &mut items),
        StateFile::Process(mc) => process(machine.controller(mc)?.vm.identity(), &mut items),
        StateFile::SystemInfo(mc) => {
            let kept = machine.controller(mc)?.system_info.kept();
            kept.for_each(|(name, bytes)| items.push_bytes(name, bytes));
        }
        StateFile::Dcmi(mc) => dcmi(&machine.controller(mc)?.dcmi.settings, &mut items),
        StateFile::Pef(mc) => {
            let kept = machine.controller(mc)?.pef.kept();
            kept.into_iter().for_each(|(name, bytes)| items.push_bytes(name, bytes));
        }
        StateFile::Sel(mc) => sel(&machine.controller(mc)?.sel, wall_clock, &mut items),
        StateFile::Sdr(mc) => sdr(&machine.controller(mc)?.sdr, &mut items),
        StateFile::Lan { mc, channel } => lan(machine.controller(mc)?.channels.lan(channel)?, &mut items),
    }
    Some(items)
}

fn users(users: &Users, items: &mut Items) {
    for number in 0..64u8 {
        // User 0 does not exist and is written all the same: the original reads 64 users.
        let user = UserNumber::new(number).and_then(|number| users.get(number)).cloned().unwrap_or_default();
        let mut flag = |field: &str, value: i64| items.push_integer(format!("{number}.{field}"), value);
        flag("valid", i64::from(user.is_valid()));
        flag("link_auth", i64::from(user.link_auth));
        flag("cb_only", i64::from(user.callback_only));
        items.push_bytes(format!("{number}.username"), user.name);
        items.push_bytes(format!("{number}.passwd"), user.password);
        items.push_integer(format!("{number}.privilege"), i64::from(user.privilege.wire()));
        items.push_integer(format!("{number}.max_sessions"), i64::from(user.max_sessions));
        if user.session_limit != 0 {
            items.push_integer(format!("{number}.session_limit"), i64::from(user.session_limit));
        }
        // The original knows one switch, which is on when both are.
        if !user.is_valid()
            && let Some(messaging) = user.messaging
        {
            items.push_integer(format!("{number}.enabled"), i64::from(user.enabled));
            items.push_integer(format!("{number}.ipmi_msg"), i64::from(messaging));
        }
        if !user.sol_access {
            items.push_integer(format!("{number}.sol_access"), 0);
        }
        if user.password == [0; 20] && (user.has_password || user.privilege != Limit::Unset || user.name != [0; 16]) {
            items.push_integer(format!("{number}.password_set"), i64::from(user.has_password));
        }
    }
    if users.highest != UserNumber::LAST {
        items.push_integer(HIGHEST_USER, i64::from(users.highest.get()));
    }
    if users.status == Status::Untold {
        items.push_integer(USER_STATUS_TOLD, 0);
    }
}

fn sol(sol: &Sol, items: &mut Items) {
    // What the original does not know stands in the file only when it was set.
    if sol.access != Access::default() {
        items.push_integer("authentication", i64::from(sol.access.wire()));
    }
    let (pace, default) = (sol.pace, Pace::default());
    for (name, value, default) in [
        ("accumulate", pace.accumulate, default.accumulate),
        ("threshold", pace.threshold, default.threshold),
        ("retries", pace.retries, default.retries),
        ("retry_interval", pace.retry_interval, default.retry_interval),
    ] {
        if value != default {
            items.push_integer(name, i64::from(value));
        }
    }
    items.push_integer("enabled", i64::from(sol.enabled));
    items.push_integer("bitrate", i64::from(sol.nonvolatile_rate));
}

fn chassis(kept: &Kept, items: &mut Items) {
    items.push_integer("restore_policy", kept.restore_policy as i64);
    items.push_integer("power", i64::from(kept.power));
    items.push_integer("cycle_interval", i64::from(kept.cycle_interval));
    items.push_integer("disabled_buttons", i64::from(kept.disabled_buttons));
    if let Some(told) = kept.at_start.boot_options {
        items.push_bytes(BOOT_OPTIONS, told);
    }
    if let Some(told) = kept.at_start.watchdog {
        items.push_bytes(WATCHDOG, told);
    }
}

fn process(identity: Option<&Identity>, items: &mut Items) {
    match identity {
        Some(Identity { pid, started, boot }) => {
            items.push_integer("pid", i64::from(*pid));
            items.push_integer("started", i64::try_from(*started).unwrap_or(i64::MAX));
            items.push_bytes("boot", boot.as_bytes());
        }
        None => items.push_integer("pid", 0),
    }
}

fn dcmi(settings: &Settings, items: &mut Items) {
    let Settings { asset_tag, identifier, limit, thermal, dhcp } = settings;
    items.push_bytes("asset_tag", &asset_tag[..]);
    items.push_bytes("identifier", &identifier[..]);
    let thermal = thermal
        .iter()
        .flat_map(|((entity, instance), limit)| [*entity, *instance].into_iter().chain(limit.iter().copied()));
    items.push_bytes("thermal", thermal.collect::<Vec<u8>>());
    for (name, value) in [
        ("limit.action", limit.action.into()),
        ("limit.watts", limit.watts.into()),
        ("limit.correction", limit.correction.into()),
        ("limit.sampling", limit.sampling.into()),
        ("limit.active", limit.active.into()),
        ("dhcp.discovery", dhcp.discovery.into()),
        ("dhcp.initial_timeout", dhcp.initial_timeout.into()),
        ("dhcp.server_timeout", dhcp.server_timeout.into()),
        ("dhcp.retry_interval", i64::from(dhcp.retry_interval)),
    ] {
        items.push_integer(name, value);
    }
}

fn sel(sel: &Sel, wall_clock: Option<i64>, items: &mut Items) {
    items.push_integer("last_add_time", i64::from(sel.last_add_time()));
    items.push_integer("last_erase_time", i64::from(sel.last_erase_time()));
    items.push_integer("time_offset", sel.time_offset());
    // The original does not know these and leaves them out when it writes the file.
    if let Some(ahead) = wall_clock {
        items.push_integer(WALL_CLOCK, ahead);
    }
    if let Some(minutes) = sel.utc_offset() {
        items.push_integer("utc_offset", i64::from(minutes));
    }
    for record in sel.records() {
        items.push_bytes(record_name(record), *record);
    }
}

fn sdr(sdr: &Repository, items: &mut Items) {
    items.push_integer("last_add_time", i64::from(sdr.last_add_time()));
    items.push_integer("last_erase_time", i64::from(sdr.last_erase_time()));
    for record in sdr.kept() {
        items.push_bytes(record_name(record), record);
    }
}

fn lan(lan: &Lan, items: &mut Items) {
    // The original's two items come first; it skips what it does not know.
    let mut kept = lan.parameters.kept().into_iter();
    if let Some((name, bytes)) = kept.next() {
        items.push_bytes(name, bytes);
    }
    items.push_integer("privilege_limit", i64::from(lan.nonvolatile_limit.wire()));
    kept.for_each(|(name, bytes)| items.push_bytes(name, bytes));
    if lan.allowed_auths != lan.offered_auths {
        items.push_bytes("auths", lan.allowed_auths.map(|types| types.0));
    }
    if lan.nonvolatile_pef_alerting {
        items.push_integer("pef_alerting", 1);
    }
    if let Some(key) = lan.key.set() {
        items.push_bytes("bmc_key", *key);
    }
    if lan.key.is_locked() {
        items.push_integer("bmc_key_locked", 1);
    }
}

/// Entries are named by their id; the original ignores the names when it reads.
fn record_name(record: &[u8]) -> String {
    match record {
        [low, high, ..] => u16::from_le_bytes([*low, *high]).to_string(),
        _ => "0".into(),
    }
}
