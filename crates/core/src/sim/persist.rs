//! State files: which device's state stands in which file, item by item
//! (`persistence.md` section 4).
//!
//! The order of items is the original's, so that both programs read each other.

use super::{Persistence, Simulator};
use crate::bmc::StateFile;
use crate::bmc::dcmi::Settings;
use crate::bmc::sol_parameters::{Access, Pace};
use crate::bmc::vm_process::Identity;
use crate::ipmi::{McAddress, Moment};
use crate::state::{GUID_FILE, Items};

/// How many seconds the wall clock was ahead of the machine's monotonic clock when the file of a
/// log was written. The log's clock is an offset to the monotonic one, which starts anew with the
/// machine.
pub(super) const WALL_CLOCK: &str = "wall_clock";
/// A wall clock before 2024 is that of a machine without a battery that nobody has set yet.
const EARLIEST_WALL_CLOCK: i64 = 1_704_067_200;

impl Simulator {
    /// What the machine's wall clock shows, in seconds since 1970. Nothing is set by it; it tells
    /// how long the machine was off between two lives of this program.
    pub(super) fn set_wall_clock(&mut self, now: Moment, wall: i64) {
        self.wall_clock = (wall >= EARLIEST_WALL_CLOCK).then(|| wall.saturating_sub_unsigned(now.seconds()));
    }

    /// Puts a state file back as it is on disk now, for whoever loads it again.
    pub(super) fn put_back(&mut self, file: StateFile) {
        if self.persistence == Persistence::On
            && !self.state.contains_key(&self.configured.file_name(file))
            && let Some(items) = self.state_items(file)
        {
            self.state.insert(self.configured.file_name(file), items.into());
        }
    }

    /// Name and content of a state file as it should be now; `None` when its owner is gone.
    pub(super) fn state_file(&self, file: StateFile) -> Option<(String, Vec<u8>)> {
        Some((self.configured.file_name(file), self.state_items(file)?.emit()))
    }

    /// What a state file holds as it should be now; `None` when its owner is gone.
    pub(super) fn state_items(&self, file: StateFile) -> Option<Items> {
        let mut items = Items::new();
        match file {
            StateFile::Users(mc) => self.users_items(mc, &mut items)?,
            StateFile::Sol(mc) => {
                let sol = self.machine.controller(mc)?.sol.as_ref()?;
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
            StateFile::Chassis(mc) => {
                let kept = self.machine.controller(mc)?.chassis.kept()?;
                items.push_integer("restore_policy", kept.restore_policy as i64);
                items.push_integer("power", i64::from(kept.power));
                items.push_integer("cycle_interval", i64::from(kept.cycle_interval));
                items.push_integer("disabled_buttons", i64::from(kept.disabled_buttons));
            }
            StateFile::Process(mc) => match self.machine.controller(mc)?.vm.identity() {
                Some(Identity { pid, started, boot }) => {
                    items.push_integer("pid", i64::from(*pid));
                    items.push_integer("started", i64::try_from(*started).unwrap_or(i64::MAX));
                    items.push_bytes("boot", boot.as_bytes());
                }
                None => items.push_integer("pid", 0),
            },
            StateFile::SystemInfo(mc) => {
                let kept = self.machine.controller(mc)?.system_info.kept();
                kept.for_each(|(name, bytes)| items.push_bytes(name, bytes));
            }
            StateFile::Dcmi(mc) => {
                let Settings { asset_tag, identifier, limit, thermal, dhcp } =
                    &self.machine.controller(mc)?.dcmi.settings;
                items.push_bytes("asset_tag", &asset_tag[..]);
                items.push_bytes("identifier", &identifier[..]);
                let thermal = thermal.iter().flat_map(|((entity, instance), limit)| {
                    [*entity, *instance].into_iter().chain(limit.iter().copied())
                });
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
            StateFile::Sel(mc) => {
                let sel = &self.machine.controller(mc)?.sel;
                items.push_integer("last_add_time", i64::from(sel.last_add_time()));
                items.push_integer("last_erase_time", i64::from(sel.last_erase_time()));
                items.push_integer("time_offset", sel.time_offset());
                // The original does not know these and leaves them out when it writes the file.
                if let Some(ahead) = self.wall_clock {
                    items.push_integer(WALL_CLOCK, ahead);
                }
                if let Some(minutes) = sel.utc_offset() {
                    items.push_integer("utc_offset", i64::from(minutes));
                }
                for record in sel.records() {
                    items.push_bytes(record_name(record), *record);
                }
            }
            StateFile::Sdr(mc) => {
                let sdr = &self.machine.controller(mc)?.sdr;
                items.push_integer("last_add_time", i64::from(sdr.last_add_time()));
                items.push_integer("last_erase_time", i64::from(sdr.last_erase_time()));
                for record in sdr.kept() {
                    items.push_bytes(record_name(record), record);
                }
            }
            StateFile::Lan { mc, channel } => {
                let lan = self.machine.controller(mc)?.channels.lan(channel)?;
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
        }
        Some(items)
    }

    fn users_items(&self, mc: McAddress, items: &mut Items) -> Option<()> {
        let users = &self.machine.controller(mc)?.users;
        for number in 0..64u8 {
            // User 0 does not exist and is written all the same: the original reads 64 users.
            let user = users.get(number).cloned().unwrap_or_default();
            let mut flag = |field: &str, value: i64| items.push_integer(format!("{number}.{field}"), value);
            flag("valid", i64::from(user.is_valid()));
            flag("link_auth", i64::from(user.link_auth));
            flag("cb_only", i64::from(user.callback_only));
            items.push_bytes(format!("{number}.username"), user.name);
            items.push_bytes(format!("{number}.passwd"), user.password);
            items.push_integer(format!("{number}.privilege"), i64::from(user.privilege));
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
            if user.password == [0; 20] && (user.has_password || user.privilege != 0 || user.name != [0; 16]) {
                items.push_integer(format!("{number}.password_set"), i64::from(user.has_password));
            }
        }
        Some(())
    }

    /// The GUID of a LAN channel without a `guid` line: made once, then kept.
    pub(super) fn kept_guid(&mut self, mc: McAddress, channel: u8) -> [u8; 16] {
        let name = format!("{mc:02x}.{channel}");
        let mut items = self.state.get(GUID_FILE).map(|file| file.items.clone()).unwrap_or_default();
        if let Some(guid) = items.bytes(&name).and_then(|bytes| bytes.try_into().ok()) {
            return guid;
        }
        let mut guid = [0; 16];
        self.random.fill(&mut guid);
        // RFC 4122 version 4, variant 1.
        guid[6] = guid[6] & 0x0f | 0x40;
        guid[8] = guid[8] & 0x3f | 0x80;
        items.push_bytes(name, guid);
        self.state.insert(GUID_FILE.into(), items.into());
        self.new_guids = true;
        guid
    }

    /// The file of the GUIDs made since the start, when there are any to be kept.
    pub(super) fn guid_file(&mut self) -> Option<(String, Vec<u8>)> {
        (std::mem::take(&mut self.new_guids) && self.persistence == Persistence::On)
            .then(|| (GUID_FILE.into(), self.state.get(GUID_FILE).map(|file| file.items.emit()).unwrap_or_default()))
    }
}

/// Entries are named by their id; the original ignores the names when it reads.
fn record_name(record: &[u8]) -> String {
    match record {
        [low, high, ..] => u16::from_le_bytes([*low, *high]).to_string(),
        _ => "0".into(),
    }
}
