//! lan.conf as values: what the whole file says, ready for the simulation.
//!
//! Defaults are those of `lan-conf.md` sections 3 and 4.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::Span;
use super::play::Play;
use crate::ipmi::{AuthTypes, ChannelNumber, McAddress, Privilege, UserNumber};

/// A whole lan.conf.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `name`: instance name, part of the state directory and of the default command file.
    pub name: String,
    /// `console HOST PORT`: the TCP console.
    pub console: Option<Address>,
    /// One entry per `set_working_mc` address (20h always exists), in order of appearance.
    pub controllers: Vec<ControllerConfig>,
    /// `define NAME STRING`: variables, handed on to the command file.
    pub variables: Vec<(String, String)>,
    /// `loadlib` lines: C plug-ins, which cannot be loaded.
    pub libraries: Vec<Library>,
    /// Where the values of some statements stand, for what is found out about them later.
    pub places: Vec<(Setting, Span)>,
}

/// A statement whose value may turn out to be wrong on a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Setting {
    /// IPMB address of its controller.
    pub mc: McAddress,
    /// Number of its LAN channel; `None` outside of a LAN block.
    pub channel: Option<ChannelNumber>,
    /// `set_working_mc`, `chassis_control`, `startcmd`, `startnow`, `lan_config_program`, `sol`.
    pub keyword: &'static str,
}

impl Config {
    /// Where the value of a statement stands that was given, the last one if there are several.
    pub fn place(&self, setting: Setting) -> Span {
        let found = self.places.iter().rfind(|(known, _)| *known == setting);
        found.map(|(_, span)| *span).unwrap_or_default()
    }
}

/// A `loadlib` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Path of the shared object.
    pub file: String,
    /// The init string.
    pub init: String,
    /// Where the line stands.
    pub span: Span,
}

/// A `HOST PORT` pair, not yet looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Host name, literal address, or `*` for any.
    pub host: String,
    /// The port, as written.
    pub port: Port,
    /// Where it stands, for errors at look-up and bind.
    pub span: Span,
    /// What the host's name stands for besides `host`, once it was looked up: its first
    /// address of the other family.
    pub other_family: Option<IpAddr>,
}

/// A port as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Port {
    /// A decimal number, taken modulo 65536.
    Number(u16),
    /// A service name.
    Service(String),
}

impl Address {
    /// The socket address, when host and port are literal and need no look-up.
    pub fn literal(&self) -> Option<SocketAddr> {
        let Port::Number(port) = self.port else { return None };
        match self.host.as_str() {
            "*" => Some(SocketAddr::from(([0, 0, 0, 0], port))),
            host => host.parse().ok().map(|ip| SocketAddr::new(ip, port)),
        }
    }

    /// All of a looked-up name: one address, or one of each family.
    pub fn literals(&self) -> Option<(SocketAddr, Option<SocketAddr>)> {
        let first = self.literal()?;
        Some((first, self.other_family.map(|ip| SocketAddr::new(ip, first.port()))))
    }
}

/// Everything said about one management controller.
#[derive(Clone, Debug, PartialEq)]
pub struct ControllerConfig {
    /// IPMB address.
    pub address: McAddress,
    /// `startlan` blocks.
    pub lans: Vec<LanConfig>,
    /// `user` lines, last one per number.
    pub users: Vec<UserConfig>,
    /// `serial` lines.
    pub serials: Vec<SerialConfig>,
    /// The `sol` line.
    pub sol: Option<SolConfig>,
    /// `ipmb` lines.
    pub ipmbs: Vec<IpmbConfig>,
    /// `chassis_control`: shell command prefix.
    pub chassis_control: Option<String>,
    /// `startcmd`: shell command.
    pub start_command: Option<String>,
    /// `startnow`.
    pub start_now: bool,
    /// `poweroff_wait` in seconds.
    pub poweroff_wait: u32,
    /// `kill_wait` in seconds.
    pub kill_wait: u32,
}

impl ControllerConfig {
    /// Whether user 1, the one without a name, may log in.
    pub fn enables_anonymous(&self) -> bool {
        self.users.iter().rfind(|user| user.number == UserNumber::NULL).is_some_and(|user| user.enabled)
    }

    /// A controller nothing has been said about yet.
    pub fn new(address: McAddress) -> Self {
        Self {
            address,
            lans: Vec::new(),
            users: Vec::new(),
            serials: Vec::new(),
            sol: None,
            ipmbs: Vec::new(),
            chassis_control: None,
            start_command: None,
            start_now: false,
            poweroff_wait: 60,
            kill_wait: 20,
        }
    }
}

/// A `user` line.
#[derive(Clone, PartialEq, Eq)]
pub struct UserConfig {
    /// User number.
    pub number: UserNumber,
    /// Whether the user may log in.
    pub enabled: bool,
    /// Name, zero padded.
    pub name: [u8; 16],
    /// Password, zero padded.
    pub password: [u8; 20],
    /// Maximum privilege.
    pub privilege: Privilege,
    /// Session limit; reported, not enforced.
    pub max_sessions: u8,
    /// The authentication types listed at the end of the line, if the line lists any.
    pub auths: Option<AuthTypes>,
    /// Where the line stands.
    pub span: Span,
}

impl std::fmt::Debug for UserConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserConfig")
            .field("number", &self.number)
            .field("enabled", &self.enabled)
            .field("privilege", &self.privilege)
            .finish_non_exhaustive()
    }
}

/// A `startlan ... endlan` block.
#[derive(Clone, PartialEq)]
pub struct LanConfig {
    /// Channel number, 1 to 15.
    pub channel: ChannelNumber,
    /// `addr`.
    pub address: Option<Address>,
    /// `advertised_port`: the UDP port that clients are told; that of the socket when absent.
    pub advertised_port: Option<u16>,
    /// `alert_port`: the UDP port that Platform Event Traps are sent to; 162 when absent.
    pub alert_port: Option<u16>,
    /// `priv_limit`; administrator when absent.
    pub privilege_limit: Option<Privilege>,
    /// `allowed_auths_callback`, `_user`, `_operator`, `_admin`, indexed by privilege - 1.
    pub allowed_auths: [AuthTypes; 4],
    /// `guid`.
    pub guid: Option<[u8; 16]>,
    /// `bmc_key`: K_G.
    pub bmc_key: Option<[u8; 20]>,
    /// `lan_config_program`: shell command prefix.
    pub config_program: Option<String>,
    /// `PEF_alerting`.
    pub pef_alerting: bool,
    /// `per_msg_auth`.
    pub per_message_auth: bool,
    /// Where `startlan` stands.
    pub span: Span,
}

impl std::fmt::Debug for LanConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LanConfig")
            .field("channel", &self.channel)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// What Get Channel Info says of a `serial` channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SerialInterface {
    /// A plain number: RS-232, terminal mode.
    Rs232,
    /// `kcs`.
    Kcs,
    /// `bt`.
    Bt,
    /// `smic`.
    Smic,
    /// `ssif`.
    Ssif,
}

/// How messages are framed on a serial channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodecKind {
    /// The VM protocol (QEMU's ipmi-bmc-extern).
    Vm,
    /// Direct mode.
    Direct,
    /// Terminal mode.
    TerminalMode,
    /// Radisys ASCII.
    RadisysAscii,
}

/// OEM command set of a serial channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SerialOem {
    /// Pigeon Point.
    PigeonPoint,
    /// Radisys.
    Radisys,
}

/// A `serial` line.
#[derive(Clone, Debug, PartialEq)]
pub struct SerialConfig {
    /// Channel number, 1 to 15.
    pub channel: ChannelNumber,
    /// What kind of interface it stands for.
    pub interface: SerialInterface,
    /// Where to listen, or to connect.
    pub address: Address,
    /// Framing.
    pub codec: CodecKind,
    /// OEM command set.
    pub oem: Option<SerialOem>,
    /// Attention bytes, at most eight.
    pub attention: Vec<u8>,
    /// Reported IPMB address.
    pub ipmb: McAddress,
    /// Connect out instead of listening.
    pub connect: bool,
    /// Where the line stands.
    pub span: Span,
}

/// Where the console of a `sol` line leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SolTarget {
    /// A tty or pty.
    Device(String),
    /// A raw TCP stream.
    Tcp {
        /// Host name or literal.
        host: String,
        /// Port number or service name.
        port: String,
    },
    /// A TCP stream with telnet escaping.
    Telnet {
        /// Host name or literal.
        host: String,
        /// Port number or service name.
        port: String,
    },
    /// Nothing outside: a console that plays (`play:`).
    Play(Arc<Play>),
}

/// A `sol` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SolConfig {
    /// Where the console is.
    pub target: SolTarget,
    /// 9600, 19200, 38400, 57600 or 115200.
    pub bit_rate: u32,
    /// `history=N`: bytes kept.
    pub history: usize,
    /// `backupfile=`.
    pub backup_file: Option<String>,
    /// `historyfru=N`.
    pub history_fru: Option<u8>,
    /// Hardware flow control; off with `nortscts`.
    pub rts_cts: bool,
    /// `readclear`.
    pub read_clear: bool,
    /// Where the line stands.
    pub span: Span,
}

/// An `ipmb` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpmbConfig {
    /// Channel number, 0 to 15.
    pub channel: ChannelNumber,
    /// Path of the ipmb-dev-int device.
    pub device: String,
    /// Where the line stands.
    pub span: Span,
}
