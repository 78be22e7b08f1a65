//! State files of the last run, loaded into the devices (`persistence.md` section 4).
//!
//! Loading takes what is there and usable, item by item; nothing in a file can stop the start.

use subtle::ConstantTimeEq;

use super::Simulator;
use super::persist::{BOOT_OPTIONS, HIGHEST_USER, USER_STATUS_TOLD, WALL_CLOCK, WATCHDOG};
use crate::bmc::chassis::{AtStart, Kept, RestorePolicy};
use crate::bmc::dcmi::MOST_TEXT;
use crate::bmc::sel::Record;
use crate::bmc::sol_parameters::{Access, Sol};
use crate::bmc::user::{Limit, Status, User};
use crate::bmc::vm_process::Identity;
use crate::bmc::{Action, LogLevel, StateFile};
use crate::ipmi::{AuthTypes, ChannelNumber, McAddress, Moment, Privilege, UserNumber};
use crate::state::{Damage, Items, StoredFile};

/// How many things wrong with one state file are told one by one.
const MOST_WARNINGS: usize = 8;
/// Why records of the SDR repository are left out.
const NOT_WHOLE: &str = "blank, shorter than their header, or without a free record id";

impl Simulator {
    /// [Takes](super::saves::Saves::take) a state file. Lines that are left out are logged.
    fn stored(&mut self, name: &str) -> Option<StoredFile> {
        let file = self.saves.take(name)?;
        self.warn_of_each(file.dropped.iter(), name, |line| {
            format!("{name}:{}:{}: line left out, {}", line.line, line.column, line.reason)
        });
        Some(file)
    }

    /// The items of a state file that is [taken](Self::stored).
    fn items(&mut self, name: &str) -> Option<Items> {
        self.stored(name).map(|file| file.items)
    }

    /// Warns of each of the things wrong with a state file, as long as they are few.
    fn warn_of_each<T>(&mut self, mut wrong: impl Iterator<Item = T>, name: &str, text: impl Fn(T) -> String) {
        let texts: Vec<String> = wrong.by_ref().take(MOST_WARNINGS).map(text).collect();
        let more = wrong.count();
        let summary = (more > 0).then(|| format!("{name}: {more} more like these"));
        for text in texts.into_iter().chain(summary) {
            self.machine.actions.push(Action::Log { level: LogLevel::Warning, text });
        }
    }

    /// `users.mcXX` on top of lan.conf: each usable item replaces that field.
    pub(super) fn load_users(&mut self, mc: McAddress) {
        let name = self.configured.file_name(StateFile::Users(mc));
        let Some(StoredFile { items, damaged, .. }) = self.stored(&name) else { return };
        let Some(controller) = self.machine.controller_mut(mc) else { return };
        let highest = items.integer(HIGHEST_USER).and_then(|number| u8::try_from(number).ok());
        if let Some(highest) = highest.and_then(UserNumber::new) {
            controller.users.highest = highest;
        }
        if items.integer(USER_STATUS_TOLD) == Some(0) {
            controller.users.status = Status::Untold;
        }
        let mut closed = Vec::new();
        for number in UserNumber::all() {
            let Some(user) = controller.users.get_mut(number) else { continue };
            user.restore(&items, number);
            if let Some(damage) = damaged.iter().find(|damage| damage.user == number) {
                if user.is_valid() {
                    closed.push(damage);
                }
                user.close();
            }
        }
        let remedy = "stays closed until its password is set and it is enabled, or the file is mended or removed";
        self.warn_of_each(closed.into_iter(), &name, |Damage { user, what, line }| {
            let line = line.map(|line| format!(":{line}")).unwrap_or_default();
            format!("{name}{line}: the record of user {user} is damaged ({what}): the user {remedy}")
        });
    }

    /// `sol.mcXX` on top of the `sol` line.
    pub(super) fn load_sol(&mut self, mc: McAddress) {
        let Some(items) = self.items(&self.configured.file_name(StateFile::Sol(mc))) else { return };
        let Some(sol) = self.machine.controller_mut(mc).and_then(|controller| controller.sol.as_mut()) else { return };
        sol.restore(&items);
        self.sol_timing(mc);
    }

    /// `chassis.mcXX`.
    pub(super) fn load_chassis(&mut self, mc: McAddress) {
        let Some(items) = self.items(&self.configured.file_name(StateFile::Chassis(mc))) else { return };
        let Some(controller) = self.machine.controller_mut(mc) else { return };
        let byte = |name: &str| items.integer(name).and_then(|value| u8::try_from(value).ok());
        controller.chassis.restore(Kept {
            restore_policy: byte("restore_policy").and_then(RestorePolicy::from_number).unwrap_or_default(),
            power: byte("power").is_some_and(|on| on != 0),
            cycle_interval: byte("cycle_interval").unwrap_or_default(),
            disabled_buttons: byte("disabled_buttons").unwrap_or_default() & 0x0f,
            at_start: AtStart {
                boot_options: items.bytes(BOOT_OPTIONS).and_then(|told| told.try_into().ok()),
                watchdog: items.bytes(WATCHDOG).and_then(|told| told.try_into().ok()),
            },
        });
    }

    /// `sysinfo.mcXX`.
    pub(super) fn load_system_info(&mut self, mc: McAddress) {
        let Some(items) = self.items(&self.configured.file_name(StateFile::SystemInfo(mc))) else { return };
        if let Some(controller) = self.machine.controller_mut(mc) {
            controller.system_info.restore(|name| items.bytes(name));
        }
    }

    /// `dcmi.mcXX`: each usable item replaces that field.
    pub(super) fn load_dcmi(&mut self, mc: McAddress) {
        let Some(items) = self.items(&self.configured.file_name(StateFile::Dcmi(mc))) else { return };
        let Some(controller) = self.machine.controller_mut(mc) else { return };
        let settings = &mut controller.dcmi.settings;
        fn take<T: TryFrom<i64>>(items: &Items, name: &str, field: &mut T) {
            if let Some(value) = items.integer(name).and_then(|value| T::try_from(value).ok()) {
                *field = value;
            }
        }
        let text = |name: &str| items.bytes(name).filter(|text| text.len() <= MOST_TEXT).unwrap_or_default().to_vec();
        settings.asset_tag = text("asset_tag");
        settings.identifier = text("identifier");
        take(&items, "limit.action", &mut settings.limit.action);
        take(&items, "limit.watts", &mut settings.limit.watts);
        take(&items, "limit.correction", &mut settings.limit.correction);
        take(&items, "limit.sampling", &mut settings.limit.sampling);
        settings.limit.active = settings.limit.watts != 0 && items.integer("limit.active").is_some_and(|it| it != 0);
        take(&items, "dhcp.discovery", &mut settings.dhcp.discovery);
        take(&items, "dhcp.initial_timeout", &mut settings.dhcp.initial_timeout);
        take(&items, "dhcp.server_timeout", &mut settings.dhcp.server_timeout);
        take(&items, "dhcp.retry_interval", &mut settings.dhcp.retry_interval);
        for entry in items.bytes("thermal").unwrap_or_default().chunks_exact(6) {
            if let [entity, instance, limit @ ..] = entry
                && let Ok(limit) = limit.try_into()
            {
                settings.thermal.insert((*entity, *instance), limit);
            }
        }
    }

    /// `pef.mcXX`: each usable item replaces that parameter.
    pub(super) fn load_pef(&mut self, mc: McAddress) {
        let Some(items) = self.items(&self.configured.file_name(StateFile::Pef(mc))) else { return };
        if let Some(controller) = self.machine.controller_mut(mc) {
            controller.pef.restore(|name| items.bytes(name));
        }
    }

    /// `process.mcXX`: the process of the start command when this program ended.
    pub(super) fn load_process(&mut self, mc: McAddress) {
        let Some(items) = self.items(&self.configured.file_name(StateFile::Process(mc))) else { return };
        let pid = items.integer("pid").and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
        let started = items.integer("started").and_then(|ticks| u64::try_from(ticks).ok());
        let boot = items.bytes("boot").and_then(|boot| String::from_utf8(boot.to_vec()).ok());
        if let (Some(pid), Some(started), Some(boot), Some(controller)) =
            (pid, started, boot, self.machine.controller_mut(mc))
        {
            controller.vm.restore(Identity { pid, started, boot });
        }
    }

    /// `lanparm.mcXX.N`. A limit that is no privilege level is left as lan.conf has it.
    pub(super) fn load_lan(&mut self, mc: McAddress, channel: ChannelNumber) {
        let Some(items) = self.items(&self.configured.file_name(StateFile::Lan { mc, channel })) else { return };
        let Some(lan) = self.machine.controller_mut(mc).and_then(|c| c.channels.lan_mut(channel)) else { return };
        let limit = items.integer("privilege_limit").and_then(|value| u8::try_from(value).ok());
        if let Some(limit) = limit.and_then(Privilege::from_wire) {
            lan.volatile_limit = limit;
            lan.nonvolatile_limit = limit;
        }
        lan.parameters.restore(|name| items.bytes(name));
        if let Some(auths) = items.bytes("auths").and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()) {
            // A stored type that lan.conf does not allow any more is gone.
            lan.restrict_auths(auths.map(AuthTypes));
        }
        lan.key.restore(items.bytes("bmc_key"), items.integer("bmc_key_locked"));
        let lost = items.iter().any(|item| item.name == b"bmc_key") && lan.key.set().is_none();
        if let Some(alerting) = items.integer("pef_alerting") {
            lan.pef_alerting = alerting != 0;
            lan.nonvolatile_pef_alerting = alerting != 0;
        }
        if lost {
            let name = self.configured.file_name(StateFile::Lan { mc, channel });
            let text = format!("{name}: bmc_key has not 20 bytes: what lan.conf says of it holds");
            self.machine.actions.push(Action::Log { level: LogLevel::Warning, text });
        }
    }

    /// `sel.XX`. Its clock goes on as if this program, and the machine it runs on, had never
    /// stood still.
    pub(super) fn load_sel(&mut self, now: Moment, mc: McAddress) {
        let name = self.configured.file_name(StateFile::Sel(mc));
        let Some(items) = self.items(&name) else { return };
        let (mut records, mut invalid): (Vec<Record>, _) = (Vec::new(), Vec::new());
        for (item, bytes) in items.list_entries() {
            match bytes.try_into() {
                Ok(record) => records.push(record),
                Err(_) => invalid.push(item),
            }
        }
        self.warn_of_each(invalid.into_iter(), &name, |item| {
            format!("{name}: Got invalid SEL entry for {mc:x}, name is {}", item.name_text())
        });
        let Some(controller) = self.machine.controller_mut(mc) else { return };
        let utc_offset = items.list_integer("utc_offset").and_then(|minutes| i16::try_from(minutes).ok());
        controller.sel.set_utc_offset(utc_offset);
        let offset = items.list_integer("time_offset").unwrap_or(0);
        let moved = match (items.list_integer(WALL_CLOCK), self.saves.wall_clock()) {
            (Some(before), Some(ahead)) => ahead.saturating_sub(before),
            _ => 0,
        };
        let left_out = controller.sel.restore(
            records,
            time(&items, "last_add_time"),
            time(&items, "last_erase_time"),
            // Both are whole seconds: one is no difference.
            if moved.unsigned_abs() > 1 { offset.saturating_add(moved) } else { offset },
        );
        controller.sel.catch_up(now);
        self.tell_left_out(&self.configured.file_name(StateFile::Sel(mc)), left_out, "no record id is free");
    }

    /// Says how many records of a file are not loaded, and so are gone once it is rewritten.
    fn tell_left_out(&mut self, file: &str, count: usize, reason: &str) {
        if count > 0 {
            let records = if count == 1 { "record is" } else { "records are" };
            let text = format!("{file}: {count} {records} left out: {reason}");
            self.machine.actions.push(Action::Log { level: LogLevel::Warning, text });
        }
    }

    /// `sdr.XX.main` and `sdr.XX.device0` to `3`.
    pub(super) fn load_sdrs(&mut self, mc: McAddress) {
        let Some(controller) = self.machine.controller(mc) else { return };
        let device_sdrs = controller.device.has_device_sdrs;
        if device_sdrs {
            for lun in 0..4u8 {
                let name = format!("sdr.{mc:02x}.device{lun}");
                if let Some(items) = self.items(&name)
                    && let Some(controller) = self.machine.controller_mut(mc)
                {
                    let records = items.list_entries().map(|(_, bytes)| bytes);
                    let left_out = controller.device_sdrs.restore(lun, records);
                    self.tell_left_out(&name, left_out, NOT_WHOLE);
                }
            }
        }
        let name = self.configured.file_name(StateFile::Sdr(mc));
        if let Some(items) = self.items(&name)
            && let Some(controller) = self.machine.controller_mut(mc)
        {
            let left_out = controller.sdr.restore(
                items.list_entries().map(|(_, bytes)| bytes),
                time(&items, "last_add_time"),
                time(&items, "last_erase_time"),
            );
            self.tell_left_out(&name, left_out, NOT_WHOLE);
        }
    }
}

impl Sol {
    /// Takes the usable items of a SOL file: each replaces that field.
    pub(super) fn restore(&mut self, items: &Items) {
        if let Some(enabled) = items.integer("enabled") {
            self.enabled = enabled != 0;
        }
        if let Some(rate) = items.integer("bitrate") {
            self.nonvolatile_rate = rate as u8;
            self.volatile_rate = rate as u8;
        }
        let byte = |name| items.integer(name).and_then(|value| u8::try_from(value).ok());
        if let Some(access) = byte("authentication").and_then(Access::from_wire) {
            self.access = access;
        }
        let fields = [
            ("accumulate", &mut self.pace.accumulate),
            ("threshold", &mut self.pace.threshold),
            ("retries", &mut self.pace.retries),
            ("retry_interval", &mut self.pace.retry_interval),
        ];
        for (name, field) in fields {
            *field = byte(name).unwrap_or(*field);
        }
        self.pace.retries &= 0x07;
    }
}

impl User {
    /// Takes the usable items of a users file: each replaces that field.
    pub(super) fn restore(&mut self, items: &Items, number: UserNumber) {
        // Small numbers are stored as the low 8 bits of the integer.
        let byte = |field: &str| items.integer(&format!("{number}.{field}")).map(|value| value as u8);
        if let Some(link_auth) = byte("link_auth") {
            self.link_auth = link_auth != 0;
        }
        if let Some(callback_only) = byte("cb_only") {
            self.callback_only = callback_only != 0;
        }
        if let Some(name) = items.bytes(&format!("{number}.username")).and_then(|name| name.try_into().ok()) {
            self.name = name;
        }
        if let Some(password) = items.bytes(&format!("{number}.passwd")).and_then(|word| word.try_into().ok()) {
            self.password = password;
            // A file of the original does not say whether an empty password was set.
            let set = byte("password_set").map_or(self.has_password, |set| set != 0);
            self.has_password = set || bool::from(self.password.ct_ne(&[0; 20]));
        }
        if let Some(privilege) = byte("privilege") {
            self.privilege = Limit::from_wire(privilege);
        }
        if let Some(valid) = byte("valid") {
            // Off in a file of the original: enabling the account is enough, as there.
            self.enabled = valid != 0;
            self.messaging = (valid != 0).then_some(true);
        }
        if let Some(enabled) = byte("enabled") {
            self.enabled = enabled != 0;
        }
        if let Some(messaging) = byte("ipmi_msg") {
            self.messaging = Some(messaging != 0);
        }
        if let Some(max_sessions) = byte("max_sessions") {
            self.max_sessions = max_sessions;
        }
        if let Some(allowed) = byte("sol_access") {
            self.sol_access = allowed != 0;
        }
        if let Some(limit) = byte("session_limit") {
            self.session_limit = limit;
        }
    }
}

fn time(items: &Items, name: &str) -> u32 {
    items.list_integer(name).map_or(0, |seconds| seconds as u32)
}
