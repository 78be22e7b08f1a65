//! The end of the start: what is served, said once to people, and readiness, said to programs.
//!
//! People are told on standard error. The console's standard output is not for that: programs
//! read it.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::systems::{Driven, Scope};
use super::{Driver, FIRST};
use crate::bmc::LogLevel;
use crate::host::SystemId;
use crate::ipmi::Privilege;
use crate::runtime::log_text::printable;
use crate::runtime::logging;
use crate::runtime::reports::SERVING;
use crate::runtime::terminal::StandardInput;
use crate::sim::{LanId, Login};

/// Where standard error leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// To a log.
    #[default]
    Log,
    /// To a terminal.
    Terminal,
    /// To the terminal that standard output leads to as well.
    SameTerminal,
    /// To the file or pipe that standard output leads to as well.
    SameFile,
}

/// What is said of the start besides what the driver knows.
#[derive(Clone, Debug, Default)]
pub struct Announcement {
    /// What `name` says.
    pub name: Arc<str>,
    /// Where state is kept; `None` when it is not.
    pub state: Option<String>,
    /// A password that is no secret, for the line to copy.
    pub password: Option<&'static str>,
    /// Who reads it.
    pub audience: Audience,
    /// What to do when there is no BMC.
    pub without_bmc: Option<String>,
}

/// How far the start is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// The command file is not done.
    Starting,
    /// It is done, and no channel is open.
    NothingOpen,
    /// A channel is open, and everybody knows.
    Ready,
}

impl Driver {
    /// Everything is open that the files ask for.
    pub(super) fn announce(&mut self) {
        if !log::log_enabled!(target: SERVING, log::Level::Info) {
            return;
        }
        match self.fleet.as_ref().map(|fleet| fleet.announcement.clone()) {
            Some(announcement) => self.announce_fleet(&announcement),
            None => self.systems.ids().collect::<Vec<_>>().into_iter().for_each(|id| self.announce_one(id)),
        }
    }

    /// A fleet is told as a whole.
    fn announce_fleet(&mut self, announcement: &Announcement) {
        let version = env!("CARGO_PKG_VERSION");
        let mut facts = vec![format!("ipmi_sim {version} serves {}{}", bmcs(self.systems.count()), announcement.name)];
        let (mut places, mut count) = (None, 0);
        for (_, place) in self.lans.places() {
            let (first, last) = *places.get_or_insert((place, place));
            places = Some((first.min(place), last.max(place)));
            count += 1;
        }
        facts.push(match places {
            None => "No LAN channel is open".into(),
            Some((first, last)) => lan_fact(first, last, count),
        });
        facts.extend(self.consoles.address().map(|address| format!("Console: TCP {address}")));
        facts.extend(self.door_fact());
        facts.push(state_fact(announcement.state.as_deref()));
        let first = self.systems.ids().next();
        let line = first.and_then(|id| {
            let mut lans: Vec<(LanId, SocketAddr)> = self.lans.places_of_system(id).collect();
            lans.sort_unstable();
            client_line(&lans, &self.systems.here(id)?.seat.system.logins(), None)
        });
        self.tell_people(&facts, line, announcement.audience);
    }

    fn announce_one(&mut self, id: SystemId) {
        let mut lans: Vec<(LanId, SocketAddr)> = self.lans.places_of_system(id).collect();
        lans.sort_unstable();
        let others = self.other_places(id);
        let Some(Driven { seat, announcement, .. }) = self.systems.here(id) else { return };
        let logins = seat.system.logins();
        let facts = facts(announcement, &lans, &others, &logins);
        let (audience, client) = (announcement.audience, client_line(&lans, &logins, announcement.password));
        self.tell_people(&facts, client, audience);
    }

    fn tell_people(&self, facts: &[String], client: Option<String>, audience: Audience) {
        let console = self.consoles.standard().is_some();
        match audience {
            // A program at the console expects nothing but what it knows.
            Audience::SameFile if console => {}
            Audience::Log | Audience::SameFile => {
                for fact in facts {
                    self.reports.serving(LogLevel::Info, fact);
                }
            }
            audience @ (Audience::Terminal | Audience::SameTerminal) => {
                let mut text = facts.join("\n  ");
                if let Some(line) = client {
                    text += &format!("\n  try:  {line}");
                }
                text += match self.consoles.standard() {
                    Some(StandardInput::Terminal) => "\n  stop: quit",
                    Some(_) => "\n  stop: the end of the input",
                    None => "\n  stop: Ctrl-C",
                };
                let text = printable(&text);
                match audience {
                    // In order with what else the console shows.
                    Audience::SameTerminal => self.consoles.say(&format!("{text}\n")),
                    _ => logging::complain(&text),
                }
            }
        }
    }

    /// What is open besides LAN channels.
    fn other_places(&self, id: SystemId) -> Vec<String> {
        let (serials, ipmbs) = self.systems.get(id).map(|driven| driven.seat.lines.open()).unwrap_or_default();
        let console = self.consoles.address().filter(|_| id == FIRST).map(|address| format!("Console: TCP {address}"));
        let serials = serials.iter().map(|id| format!("Serial channel {} of MC {:#04x}: open", id.channel, id.mc));
        let ipmbs = ipmbs.iter().map(|id| format!("IPMB channel {} of MC {:#04x}: open", id.channel, id.mc));
        serials.chain(ipmbs).chain(console).chain(self.door_fact().filter(|_| id == FIRST)).collect()
    }

    /// Where the control door is.
    fn door_fact(&self) -> Option<String> {
        Some(format!("Control: {}", self.callers.as_ref()?.places.join(" and ")))
    }

    /// Says that everything is open, once something is.
    pub(super) fn tell_ready(&mut self) {
        if self.life.is_ready() {
            return;
        }
        // Where BMCs come at run time there may be none yet.
        let may_be_empty = self.scope == Scope::Fleet && self.callers.is_some() && self.systems.is_empty();
        if !may_be_empty && self.lans.is_empty() && self.systems.iter().all(|driven| driven.seat.lines.is_empty()) {
            if self.life.nothing_open() {
                self.warn_aside("Not ready: no LAN, serial or IPMB channel is open");
            }
            return;
        }
        let status = match self.scope {
            Scope::Fleet => self.fleet_status(),
            Scope::One => {
                let places: Vec<String> = self.lans.places().map(|(_, local)| local.to_string()).collect();
                match places.as_slice() {
                    [] => "Ready, without LAN".into(),
                    places => format!("Answering on {}", places.join(", ")),
                }
            }
        };
        if let Some(line) = self.life.open(status) {
            let text = match self.scope {
                Scope::One => format!("{line}\n"),
                Scope::Fleet => format!("{line} of {} is ready\n", self.systems.count()),
            };
            self.consoles.say(&text);
        }
        self.life.tell_ready();
    }

    /// A warning for people, not for consoles.
    fn warn_aside(&self, text: &str) {
        self.reports.serving(LogLevel::Warning, text);
    }
}

/// What is served, a line each.
fn facts(
    announcement: &Announcement,
    lans: &[(LanId, SocketAddr)],
    others: &[String],
    logins: &[Login],
) -> Vec<String> {
    let version = env!("CARGO_PKG_VERSION");
    let mut facts = vec![format!("ipmi_sim {version} serves \"{}\"", announcement.name)];
    let mut channels: Vec<LanId> = lans.iter().map(|(id, _)| *id).collect();
    channels.dedup();
    for id in channels {
        let places = lans.iter().filter(|(lan, _)| *lan == id).map(|(_, place)| place.to_string());
        facts.push(served(id, &places.collect::<Vec<_>>().join(" and "), logins));
    }
    facts.extend(others.iter().cloned());
    facts.push(state_fact(announcement.state.as_deref()));
    facts
}

/// Where the LAN channels of a fleet are: the first address, the last, and how many there are.
pub fn lan_fact(first: SocketAddr, last: SocketAddr, count: usize) -> String {
    match count {
        1 => format!("LAN: UDP {first}"),
        count => format!("LAN: UDP {first} to {last}, {count} addresses"),
    }
}

/// Where state is kept, if it is.
pub fn state_fact(folder: Option<&str>) -> String {
    match folder {
        Some(folder) => format!("State: {folder}"),
        None => "State: not kept".into(),
    }
}

/// So many BMCs, in words.
pub fn bmcs(count: usize) -> String {
    if count == 1 { "1 BMC".into() } else { format!("{count} BMCs") }
}

/// One LAN channel, its place, and who can log in there.
pub fn served(id: LanId, place: &str, logins: &[Login]) -> String {
    let names: Vec<String> = logins.iter().filter(|login| login.lan == id).map(name_of).collect();
    let who = match names.as_slice() {
        [] => "nobody can log in".into(),
        [one] => format!("user {one} can log in"),
        many => format!("users {} can log in", many.join(", ")),
    };
    format!("LAN channel {} of MC {:#04x}: UDP {place}; {who}", id.channel, id.mc)
}

fn name_of(login: &Login) -> String {
    match login.name.as_str() {
        "" => format!("{} (without a name)", login.number),
        name => name.into(),
    }
}

/// The command line of a client that can log in: the highest user of the first channel that has one.
fn client_line(lans: &[(LanId, SocketAddr)], logins: &[Login], password: Option<&str>) -> Option<String> {
    let (place, login) = lans.iter().find_map(|(id, place)| {
        let login =
            logins.iter().filter(|login| login.lan == *id).max_by_key(|login| (login.limit, Reverse(login.number)))?;
        Some((place, login))
    })?;
    let host = match place.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let mut line = format!("ipmitool -I lanplus -H {host} -p {} -U {}", place.port(), quoted(&login.name));
    if let Some(password) = password {
        line += &format!(" -P {}", quoted(password));
    }
    match login.limit {
        Privilege::Callback => line += " -L CALLBACK",
        Privilege::User => line += " -L USER",
        Privilege::Operator => line += " -L OPERATOR",
        Privilege::Administrator => {}
    }
    if login.key {
        // The client asks for it.
        line += " -Y";
    }
    Some(line + " mc info")
}

/// A word for a shell.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::{ChannelNumber, McAddress, UserNumber};

    const ONE: LanId = LanId { mc: McAddress::BMC, channel: ChannelNumber::LAN };
    const TWO: LanId = LanId { mc: McAddress::BMC, channel: ChannelNumber::from_wire(2) };

    fn login(lan: LanId, number: u8, name: &str, limit: Privilege) -> Login {
        Login { lan, number: UserNumber::new(number).unwrap(), name: name.into(), limit, key: false }
    }

    #[test]
    fn every_channel_is_told_with_its_users() {
        let lans = [
            (ONE, "127.0.0.1:9623".parse().unwrap()),
            (ONE, "[::1]:9623".parse().unwrap()),
            (TWO, "0.0.0.0:623".parse().unwrap()),
        ];
        let logins = [
            login(ONE, 1, "", Privilege::User),
            login(ONE, 2, "admin", Privilege::Administrator),
            login(ONE, 3, "ops", Privilege::Operator),
        ];
        let announcement =
            Announcement { name: "x".into(), state: Some("/var/ipmi_sim/x".into()), ..Default::default() };
        let facts = facts(&announcement, &lans, &["Console: TCP 127.0.0.1:9000".into()], &logins);
        assert_eq!(facts[0], format!("ipmi_sim {} serves \"x\"", env!("CARGO_PKG_VERSION")));
        assert_eq!(
            facts[1..],
            [
                "LAN channel 1 of MC 0x20: UDP 127.0.0.1:9623 and [::1]:9623; \
                 users 1 (without a name), admin, ops can log in",
                "LAN channel 2 of MC 0x20: UDP 0.0.0.0:623; nobody can log in",
                "Console: TCP 127.0.0.1:9000",
                "State: /var/ipmi_sim/x",
            ]
        );
    }

    #[test]
    fn the_line_to_copy_is_for_the_highest_user() {
        let place = |text: &str| [(ONE, text.parse().unwrap())];
        let admin = login(ONE, 2, "admin", Privilege::Administrator);
        let ops = login(ONE, 3, "it's me", Privilege::Operator);
        for (place, logins, password, line) in [
            (
                place("127.0.0.1:9623"),
                vec![ops.clone(), admin.clone()],
                Some("admin"),
                "-H 127.0.0.1 -p 9623 -U admin -P admin mc info",
            ),
            (
                place("0.0.0.0:623"),
                vec![admin.clone(), login(ONE, 4, "b", Privilege::Administrator)],
                None,
                "-H 127.0.0.1 -p 623 -U admin mc info",
            ),
            (place("[::]:623"), vec![ops], None, "-H ::1 -p 623 -U 'it'\\''s me' -L OPERATOR mc info"),
            (
                place("192.0.2.1:1"),
                vec![Login { key: true, ..login(ONE, 1, "", Privilege::User) }],
                None,
                "-H 192.0.2.1 -p 1 -U '' -L USER -Y mc info",
            ),
        ] {
            assert_eq!(client_line(&place, &logins, password), Some(format!("ipmitool -I lanplus {line}")));
        }
        assert_eq!(client_line(&place("127.0.0.1:1"), &[login(TWO, 2, "a", Privilege::User)], None), None);
    }
}
