//! Users of a lan.conf that was read again.

use subtle::ConstantTimeEq;

use super::Reload;
use crate::bmc::StateFile;
use crate::bmc::user::{Limit, User};
use crate::bmc::watch::Event;
use crate::ipmi::{McAddress, UserNumber};
use crate::settings::model::{ControllerConfig, UserConfig};
use crate::sim::Persistence;
use crate::state::StoredFile;

impl Reload<'_> {
    pub(super) fn reload_users(&mut self, running: &mut ControllerConfig, new: &ControllerConfig) {
        let mc = running.address;
        self.reload_anonymous(mc, new.enables_anonymous());
        let stored = self.simulator.kept_file(StateFile::Users(mc), self.files);
        for number in UserNumber::all() {
            self.reload_user(number, running, new, stored.as_ref());
        }
        running.users.clone_from(&new.users);
    }

    fn reload_anonymous(&mut self, mc: McAddress, anonymous: bool) {
        let Some(controller) = self.simulator.machine.controller_mut(mc) else { return };
        let before = std::mem::replace(&mut controller.users.anonymous, anonymous);
        if before && !anonymous {
            self.simulator.end_sessions_of_user(self.now, mc, UserNumber::NULL, None, self.out);
        }
    }

    /// What lan.conf says of a user, and above it the state file.
    fn reload_user(
        &mut self,
        number: UserNumber,
        running: &ControllerConfig,
        new: &ControllerConfig,
        stored: Option<&StoredFile>,
    ) {
        let mc = running.address;
        let users = self.simulator.machine.controller(mc).map(|controller| &controller.users);
        let Some(current) = users.and_then(|users| users.get(number)).cloned() else { return };
        let mut written = line(new, number);
        let changed = !differences(&line(running, number), &written).is_empty();
        // The first user has no name, whatever lan.conf and the users file say.
        let nameless = number == UserNumber::NULL && !running.lans.is_empty();
        if nameless {
            written.name = [0; 16];
        }
        let mut target = written.clone();
        match stored {
            Some(stored) => target.restore(&stored.items, number),
            None if self.simulator.saves.persistence() == Persistence::Off && !changed => target = current.clone(),
            None => {}
        }
        let damage = stored.and_then(|stored| stored.damaged.iter().find(|damage| damage.user == number));
        if damage.is_some() {
            target.close();
        }
        if nameless {
            target.name = [0; 16];
        }
        target.sol_access = current.sol_access;
        let file = self.simulator.configured.file_name(StateFile::Users(mc));
        if changed && !differences(&written, &target).is_empty() {
            self.report.overridden(&format!("user {number} of MC {mc:#04x}"), &file);
        }
        let what = differences(&current, &target);
        if what.is_empty() {
            return;
        }
        let name = if current.name == [0; 16] { &target.name } else { &current.name };
        let mut text = format!("user {number}{} of MC {mc:#04x}: {} changed", quoted(name), what.join(", "));
        if let Some(damage) = damage {
            text += &format!("; its record in {file} is damaged ({})", damage.what);
        }
        match self.replace_user(mc, number, &current, target) {
            0 => {}
            1 => text += "; 1 session ended",
            ended => text += &format!("; {ended} sessions ended"),
        }
        self.report.now(text);
    }

    /// Gives how many sessions end because they stood on something else.
    fn replace_user(&mut self, mc: McAddress, number: UserNumber, current: &User, target: User) -> usize {
        let stands = target.stands_as(current) && target.auths == current.auths;
        if let Some(user) = self.simulator.machine.controller_mut(mc).and_then(|mc| mc.users.get_mut(number)) {
            *user = target;
        }
        self.simulator.machine.watch.tell(|| Event::UserChanged { mc, user: number });
        if stands {
            return 0;
        }
        let sessions = self.simulator.lans.of(mc).flat_map(|slot| slot.channel().sessions());
        let ended = sessions.filter(|session| session.user == number).count();
        self.simulator.end_sessions_of_user(self.now, mc, number, None, self.out);
        ended
    }
}

/// A user as its line in lan.conf has it.
fn line(config: &ControllerConfig, number: UserNumber) -> User {
    config.users.iter().find(|user| user.number == number).map(User::from).unwrap_or_default()
}

impl From<&UserConfig> for User {
    fn from(line: &UserConfig) -> Self {
        Self {
            enabled: line.enabled,
            messaging: line.enabled.then_some(true),
            has_password: true,
            name: line.name,
            password: line.password,
            privilege: Limit::Level(line.privilege),
            max_sessions: line.max_sessions,
            auths: line.auths,
            ..Self::default()
        }
    }
}

/// What is different between two users, in words; never the password itself.
fn differences(before: &User, after: &User) -> Vec<&'static str> {
    [
        ("enabled", before.enabled != after.enabled),
        ("IPMI messaging", before.enabled == after.enabled && before.messaging != after.messaging),
        ("name", before.name != after.name),
        ("password", before.has_password != after.has_password || !bool::from(before.password.ct_eq(&after.password))),
        ("privilege", before.privilege != after.privilege),
        ("session limit", (before.max_sessions, before.session_limit) != (after.max_sessions, after.session_limit)),
        ("authentication types", before.auths != after.auths),
        ("link authentication", before.link_auth != after.link_auth),
        ("callback", before.callback_only != after.callback_only),
    ]
    .into_iter()
    .filter_map(|(what, differs)| differs.then_some(what))
    .collect()
}

/// A user's name for a report.
fn quoted(name: &[u8; 16]) -> String {
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    match name.get(..end) {
        Some([]) | None => String::new(),
        Some(name) => format!(" \"{}\"", name.escape_ascii()),
    }
}
