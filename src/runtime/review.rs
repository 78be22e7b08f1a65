//! `--check`: what is right as text and will still not do what its author meant, and what will be
//! served.
//!
//! Looks at the configuration beside what a dry run of the command file made of it, and at this machine:
//! programs, devices, addresses. Opens no port of the configuration and changes nothing.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access, geteuid};

use super::configuration::source_line;
use super::driver::Scope;
use super::driver::announce::served;
use super::lan::has_ipv6;
use crate::config::text::{os_string, quote};
use crate::config::{Diagnostic, Severity, Span};
use crate::ipmi::{ChannelNumber, McAddress, UserNumber};
use crate::settings::model::{Address, CodecKind, Config, ControllerConfig, Setting, SolTarget};
use crate::sim::{ControllerState, Effect, LanId, Login};
use crate::store::directory::message;

/// Ports below this one need a privilege, unless the system says another.
const PRIVILEGED: u16 = 1024;
/// Where the system says it.
const FIRST_PORT_FOR_ALL: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
/// What the kernel reads of a file to find its interpreter (`execve(2)`).
const FIRST_LINE: u64 = 255;
/// Bit of the capability to open privileged ports (`capabilities(7)`).
const NET_BIND_SERVICE: u32 = 10;

/// What is known of a configuration.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// Whether it is one of many.
    pub scope: Scope,
    /// What lan.conf is called.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
    /// What it says, names looked up.
    pub config: &'a Config,
    /// What a start would open.
    pub opened: &'a [Effect],
    /// What the command file made of the controllers.
    pub controllers: &'a [ControllerState],
    /// Who could log in.
    pub logins: &'a [Login],
}

struct Review<'a> {
    facts: Facts<'a>,
    findings: Vec<Diagnostic>,
}

/// What will not do what its author meant, in the order of its lines.
pub fn review(facts: Facts<'_>) -> Vec<Diagnostic> {
    let mut review = Review { facts, findings: Vec::new() };
    for controller in &facts.config.controllers {
        review.controller(controller);
    }
    review.ports();
    let channels = |mc: &ControllerConfig| !(mc.lans.is_empty() && mc.serials.is_empty() && mc.ipmbs.is_empty());
    if !facts.config.controllers.iter().any(channels) {
        let start = Span { line: 1, column: 1, length: 1 };
        review.warn(start, "there is no LAN, serial or IPMB channel: nobody can reach it, expected startlan");
    }
    let mut findings = review.findings;
    findings.sort_by_key(|found| (found.span.line, found.span.column));
    findings
}

impl Review<'_> {
    fn report(&mut self, severity: Severity, span: Span, message: String) {
        self.findings.push(Diagnostic {
            severity,
            file: self.facts.file.into(),
            span,
            message,
            source_line: source_line(self.facts.text, span.line),
        });
    }

    fn warn(&mut self, span: Span, message: impl Into<String>) {
        self.report(Severity::Warning, span, message.into());
    }

    /// How bad a closed channel is: where nothing else is open either, nothing works.
    fn closed(&self) -> Severity {
        let open = |effect: &Effect| !matches!(effect, Effect::OpenSol { .. });
        if self.facts.opened.iter().any(open) { Severity::Warning } else { Severity::Error }
    }

    fn place(&self, mc: McAddress, channel: Option<ChannelNumber>, keyword: &'static str) -> Span {
        self.facts.config.place(Setting { mc, channel, keyword })
    }

    fn controller(&mut self, controller: &ControllerConfig) {
        let mc = controller.address;
        if mc.0 & 1 == 1 {
            let span = self.place(mc, None, "set_working_mc");
            self.warn(span, format!("{mc:#04x} is odd, and IPMB addresses are even"));
        }
        self.enabling(controller);
        self.users(controller);
        for lan in &controller.lans {
            if lan.address.is_none() {
                let text = format!("LAN channel {} has no addr line: nobody can reach it", lan.channel);
                self.report(self.closed(), lan.span, text);
            }
            if let Some(command) = &lan.config_program {
                self.program(self.place(mc, Some(lan.channel), "lan_config_program"), command);
            }
        }
        if let Some(command) = &controller.chassis_control {
            self.program(self.place(mc, None, "chassis_control"), command);
        }
        if let Some(command) = &controller.start_command {
            self.program(self.place(mc, None, "startcmd"), command);
        } else if controller.start_now {
            let span = self.place(mc, None, "startnow");
            self.warn(span, format!("MC {mc:#04x} has no startcmd: there is nothing to start"));
        }
        if let Some(sol) = &controller.sol {
            let span = self.place(mc, None, "sol");
            match &sol.target {
                SolTarget::Device(name) => {
                    if let Some(why) = device_problem(name) {
                        self.warn(span, format!("no serial over LAN: {why}"));
                    }
                }
                SolTarget::Play(_) => {}
                SolTarget::Tcp { port, .. } | SolTarget::Telnet { port, .. } => {
                    if port.parse::<u128>().is_ok_and(|port| port > u16::MAX.into() || port == 0) {
                        self.warn(
                            span,
                            format!("no serial over LAN: {} is not a port, expected 1 to 65535", quote(port)),
                        );
                    }
                }
            }
            let folder = sol.backup_file.as_deref().and_then(|file| Path::new(file).parent());
            if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
                self.warn(sol.span, format!("the history is not kept: there is no folder {}", folder.display()));
            }
        }
        for ipmb in &controller.ipmbs {
            if let Some(why) = device_problem(&ipmb.device) {
                self.report(Severity::Error, ipmb.span, format!("Unable to open ipmi device file: {why}"));
            }
        }
    }

    /// Whether the command file lets the controller's channels be opened.
    fn enabling(&mut self, controller: &ControllerConfig) {
        let mc = controller.address;
        let first = controller
            .lans
            .iter()
            .map(|lan| lan.span)
            .chain(controller.serials.iter().map(|serial| serial.span))
            .chain(controller.ipmbs.iter().map(|ipmb| ipmb.span))
            .min_by_key(|span| span.line);
        let state = self.facts.controllers.iter().find(|state| state.address == mc);
        let Some(span) = first.filter(|_| state.is_none_or(|state| !state.enabled)) else { return };
        let named: Vec<String> = self
            .facts
            .controllers
            .iter()
            .filter(|state| state.enabled)
            .map(|state| format!("{:#04x}", state.address))
            .collect();
        let instead = match named.as_slice() {
            [] => String::new(),
            named => format!("; it names {}", named.join(", ")),
        };
        let text = format!("no channel of MC {mc:#04x} is opened: no mc_enable in the command file names it{instead}");
        self.report(self.closed(), span, text);
    }

    fn users(&mut self, controller: &ControllerConfig) {
        let mc = controller.address;
        for lan in &controller.lans {
            let id = LanId { mc, channel: lan.channel };
            if !self.facts.logins.iter().any(|login| login.lan == id) {
                let why = match controller.users.len() {
                    0 => format!("MC {mc:#04x} has no user line"),
                    1 => format!("the only user of MC {mc:#04x} is disabled"),
                    _ => format!("all users of MC {mc:#04x} are disabled"),
                };
                self.warn(lan.span, format!("nobody can log in on LAN channel {}: {why}", lan.channel));
            }
        }
        let mut known: BTreeMap<[u8; 16], UserNumber> = BTreeMap::new();
        for user in &controller.users {
            let number = user.number;
            if controller.lans.is_empty() {
                self.warn(user.span, format!("user {number} cannot log in: MC {mc:#04x} has no LAN channel"));
            }
            if number == UserNumber::NULL && user.name != [0; 16] {
                self.warn(user.span, "user 1 has no name, whatever this line says: clients log in with an empty name");
            }
            if !user.enabled {
                continue;
            }
            if user.password == [0; 20] {
                self.warn(user.span, format!("user {number} has an empty password"));
            }
            let name = if number == UserNumber::NULL { [0; 16] } else { user.name };
            if let Some(first) = known.insert(name, number) {
                self.warn(
                    user.span,
                    format!("user {number} has the name of user {first}: clients reach only one of them"),
                );
            }
        }
    }

    fn program(&mut self, span: Span, command: &str) {
        if let Some(why) = program_problem(command) {
            self.warn(span, why);
        }
    }

    /// The ports that a start would open: each can be opened once.
    fn ports(&mut self) {
        let mut udp: Vec<(SocketAddr, Span)> = Vec::new();
        let mut tcp: Vec<(SocketAddr, Span)> = Vec::new();
        for effect in self.facts.opened {
            match effect {
                Effect::OpenLan { address, .. } => udp.extend(places(address)),
                Effect::OpenSerial { address, connect: false, .. } => tcp.extend(places(address)),
                _ => {}
            }
        }
        tcp.extend(self.facts.config.console.iter().flat_map(places));
        for (list, bind) in [(udp, bind_udp as fn(IpAddr) -> std::io::Result<()>), (tcp, bind_tcp)] {
            for (index, (address, span)) in list.iter().enumerate() {
                let before = list.iter().take(index).find(|(other, _)| overlap(*address, *other));
                if let Some((other, first)) = before {
                    let text = format!("port {} is in use: line {} opens {other}", address.port(), first.line);
                    self.report(Severity::Error, *span, text);
                    continue;
                }
                let foreign = bind(address.ip()).is_err_and(|error| error.kind() == ErrorKind::AddrNotAvailable);
                if foreign && (address.is_ipv4() || has_ipv6()) {
                    // One socket for all addresses is there in any case.
                    let so = match self.facts.scope {
                        Scope::One => "it will not start here",
                        Scope::Fleet => {
                            "nobody reaches it, unless its prefix is routed: ip route add local PREFIX dev lo"
                        }
                    };
                    self.warn(*span, format!("{} is not an address of this machine: {so}", address.ip()));
                }
                if address.port() != 0 && address.port() < first_port() {
                    let port = address.port();
                    self.warn(*span, format!("port {port} needs root or the capability CAP_NET_BIND_SERVICE"));
                }
            }
        }
    }
}

/// What an address stands for, each with the place it was written at.
fn places(address: &Address) -> Vec<(SocketAddr, Span)> {
    let Some((first, second)) = address.literals() else { return Vec::new() };
    std::iter::once(first).chain(second).map(|place| (place, address.span)).collect()
}

fn bind_udp(ip: IpAddr) -> std::io::Result<()> {
    UdpSocket::bind((ip, 0)).map(drop)
}

fn bind_tcp(ip: IpAddr) -> std::io::Result<()> {
    TcpListener::bind((ip, 0)).map(drop)
}

/// Whether two sockets stand in each other's way. `::` is IPv4 as well.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let everything = |address: SocketAddr| address.is_ipv6() && address.ip().is_unspecified();
    let any = |address: SocketAddr| address.ip().is_unspecified();
    one.port() != 0
        && one.port() == other.port()
        && (one.ip() == other.ip()
            || everything(one)
            || everything(other)
            || (one.is_ipv4() == other.is_ipv4() && (any(one) || any(other))))
}

/// The first port that this process may open.
fn first_port() -> u16 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = effective.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    if capabilities.map_or(geteuid().is_root(), |bits| bits >> NET_BIND_SERVICE & 1 == 1) {
        return 0;
    }
    std::fs::read_to_string(FIRST_PORT_FOR_ALL).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(PRIVILEGED)
}

/// Why a device cannot be used.
fn device_problem(name: &str) -> Option<String> {
    let path = PathBuf::from(os_string(name));
    let status = match path.metadata() {
        Ok(status) => status,
        Err(error) => return Some(format!("{name}: {}", message(&error))),
    };
    if !status.file_type().is_char_device() {
        return Some(format!("{name} is not a device"));
    }
    let usable = access(&path, AccessFlags::R_OK | AccessFlags::W_OK);
    usable.err().map(|error| format!("{name}: {}", error.desc()))
}

/// Why the program of a shell command cannot be run. What only a shell can tell is left to it.
fn program_problem(command: &str) -> Option<String> {
    let mut rest = command;
    loop {
        let (word, more) = first_word(rest)?;
        match word {
            "" => return Some("the command is empty".into()),
            "exec" => rest = more,
            word if word.contains('/') => return file_problem(Path::new(&os_string(word))),
            word if BUILT_IN.contains(&word) => return None,
            word => {
                let path = std::env::var_os("PATH")?;
                let found = std::env::split_paths(&path).map(|folder| folder.join(os_string(word)));
                let found: Vec<PathBuf> = found.filter(|file| file.is_file()).collect();
                return match found.iter().find(|file| access(*file, AccessFlags::X_OK).is_ok()) {
                    Some(file) => file_problem(file),
                    None => Some(format!("{word} is in no directory of PATH")),
                };
            }
        }
    }
}

/// Words that a shell does not look for in PATH.
const BUILT_IN: [&str; 24] = [
    ".", ":", "[", "case", "cd", "command", "echo", "eval", "export", "false", "for", "if", "nohup", "printf", "read",
    "set", "sh", "test", "trap", "true", "type", "umask", "until", "while",
];

/// The first word of a shell command and what follows it; `None` where its value is not plain.
fn first_word(command: &str) -> Option<(&str, &str)> {
    let command = command.trim_start();
    let (word, rest) = match command.chars().next().filter(|c| "'\"".contains(*c)) {
        Some(quote) => command.get(1..)?.split_once(quote)?,
        None => command.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((command, "")),
    };
    let goes_on = rest.chars().next().is_some_and(|c| !c.is_ascii_whitespace()) && command.starts_with(['\'', '"']);
    let plain = !goes_on && !word.contains(|c: char| "'\"$`\\;|&<>(){}*?~=#!".contains(c));
    plain.then_some((word, rest))
}

/// Why a file cannot be run.
fn file_problem(path: &Path) -> Option<String> {
    let name = path.display();
    match path.metadata() {
        Err(error) => return Some(format!("{name} cannot be run: {}", message(&error))),
        Ok(status) if !status.is_file() => return Some(format!("{name} cannot be run: it is not a file")),
        Ok(_) => {}
    }
    if access(path, AccessFlags::X_OK).is_err() {
        return Some(format!("{name} cannot be run: it is not executable (chmod +x)"));
    }
    let mut first = Vec::new();
    std::fs::File::open(path).ok()?.take(FIRST_LINE).read_to_end(&mut first).ok()?;
    let line = first.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line).into_owned();
    if line.ends_with('\r') {
        return Some(format!("{name} cannot be run: its lines end in CR LF"));
    }
    let interpreter = line.split_whitespace().next().unwrap_or_default();
    (!Path::new(interpreter).exists()).then(|| format!("{name} cannot be run: there is no {interpreter}"))
}

/// What a start would serve, a line each.
pub fn serves(facts: Facts<'_>, state: Option<&str>) -> Vec<String> {
    let mut lines = vec![format!("Name: {}", facts.config.name)];
    for effect in facts.opened {
        match effect {
            Effect::OpenLan { lan, address } => {
                let places: Vec<String> = places(address).iter().map(|(place, _)| shown(*place)).collect();
                lines.push(served(*lan, &places.join(" and "), facts.logins));
            }
            Effect::OpenSerial { serial, address, connect } => {
                let config = facts.config.controllers.iter().find(|controller| controller.address == serial.mc);
                let line = config.and_then(|config| config.serials.iter().find(|line| line.channel == serial.channel));
                let codec = match line.map(|line| line.codec) {
                    Some(CodecKind::Vm) => ", codec VM",
                    Some(CodecKind::Direct) => ", codec Direct",
                    Some(CodecKind::TerminalMode) => ", codec TerminalMode",
                    Some(CodecKind::RadisysAscii) => ", codec RadisysAscii",
                    None => "",
                };
                let verb = if *connect { "connects to TCP" } else { "TCP" };
                let place = places(address).first().map(|(place, _)| place.to_string()).unwrap_or_default();
                lines
                    .push(format!("Serial channel {} of MC {:#04x}: {verb} {place}{codec}", serial.channel, serial.mc));
            }
            Effect::OpenIpmb { ipmb, device, .. } => {
                lines.push(format!("IPMB channel {} of MC {:#04x}: {device}", ipmb.channel, ipmb.mc));
            }
            Effect::OpenSol { mc, target, bit_rate, .. } => {
                let place = match target {
                    // Nothing is opened for it.
                    SolTarget::Play(_) => continue,
                    SolTarget::Device(name) => format!("{name}, {bit_rate} bit/s"),
                    SolTarget::Tcp { host, port } => format!("TCP {host} port {port}"),
                    SolTarget::Telnet { host, port } => format!("telnet {host} port {port}"),
                };
                lines.push(format!("Serial over LAN of MC {mc:#04x}: {place}"));
            }
            _ => {}
        }
    }
    for controller in &facts.config.controllers {
        let mc = controller.address;
        if let Some(SolTarget::Play(play)) = controller.sol.as_ref().map(|sol| &sol.target) {
            lines.push(format!("Serial over LAN of MC {mc:#04x}: plays {play}"));
        }
        let power = match (&controller.chassis_control, &controller.start_command) {
            (Some(program), _) => format!("program {}", quote(program)),
            (None, Some(command)) => format!("start command {}", quote(command)),
            (None, None) => continue,
        };
        lines.push(format!("Power of MC {mc:#04x}: {power}"));
    }
    if let Some(console) = &facts.config.console {
        let place = places(console).first().map(|(place, _)| place.to_string()).unwrap_or_default();
        lines.push(format!("Console: TCP {place}"));
    }
    lines.push(match state {
        Some(folder) => format!("State: {folder}"),
        None => "State: not kept".into(),
    });
    lines
}

fn shown(place: SocketAddr) -> String {
    match place.port() {
        0 => format!("{}, the first free port", place.ip()),
        _ => place.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_program_is_looked_for_as_a_shell_does() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, mode: u32, text: &str| {
            let path = root.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path.display().to_string()
        };
        let good = write("good", 0o755, "#!/bin/sh\n");
        let blank = write("with blank", 0o755, "#!/bin/sh -e\n");
        let plain = write("plain", 0o644, "#!/bin/sh\n");
        let other = write("other", 0o755, "#!/no/shell\n");
        let windows = write("windows", 0o755, "#!/bin/sh\r\n");
        for fine in [
            format!("{good} 0x20"),
            format!("exec {good}"),
            format!("'{blank}' 0x20"),
            format!("\"{blank}\""),
            "sleep 1".into(),
            "true".into(),
            // Only a shell knows.
            "$HOME/x".into(),
            "A=b c".into(),
            "(cd /; x)".into(),
            "~/x".into(),
            "'a'b".into(),
        ] {
            assert_eq!(program_problem(&fine), None, "{fine}");
        }
        for (command, why) in [
            ("/nowhere/x get", "/nowhere/x cannot be run: No such file or directory".to_string()),
            ("  no-such-program-here 1", "no-such-program-here is in no directory of PATH".into()),
            ("", "the command is empty".into()),
            ("/tmp", "/tmp cannot be run: it is not a file".into()),
            (&plain, format!("{plain} cannot be run: it is not executable (chmod +x)")),
            (&other, format!("{other} cannot be run: there is no /no/shell")),
            (&windows, format!("{windows} cannot be run: its lines end in CR LF")),
        ] {
            assert_eq!(program_problem(command), Some(why), "{command}");
        }
    }

    #[test]
    fn sockets_stand_in_each_others_way_as_the_system_has_it() {
        for (one, other, expected) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("0.0.0.0:1", "127.0.0.2:1", true),
            ("0.0.0.0:0", "0.0.0.0:0", false),
            ("[::]:1", "127.0.0.1:1", true),
            ("[::]:1", "[::1]:1", true),
            ("[::1]:1", "0.0.0.0:1", false),
            ("[::1]:1", "127.0.0.1:1", false),
        ] {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!((overlap(one, other), overlap(other, one)), (expected, expected), "{one} {other}");
        }
    }
}
