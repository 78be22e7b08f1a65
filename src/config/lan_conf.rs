//! lan.conf: text to [`Config`].
//!
//! A flat list of statements, one on a line, and LAN blocks (`lan-conf.md`). The forms of the
//! statements are in `grammar/lan_conf.pest`; their words become values in
//! `lan_conf/values.rs`; here statements become a [`Config`]. Every line is read on its own,
//! so that a fault hides no other.

mod values;

use std::ops::Range;

use super::arguments::{Arguments, ByteString, BytesFault, Fault, Found, Head, byte_string, head};
use super::command::Variables;
use super::grammar::Rule;
use super::help::{COMMANDS, Entry, LAN_STATEMENTS, STATEMENTS};
use super::suggest::nearest;
use super::text::{Line, decode, lines, quote};
use super::{Diagnostic, Severity, Span, number};
use crate::ipmi::{AuthTypes, McAddress};
use crate::settings::model::{
    Address, CodecKind, Config, ControllerConfig, IpmbConfig, LanConfig, Library, SerialConfig, SerialOem, Setting,
    UserConfig,
};
use values::{
    address, attention_bytes, auth_named, auths, boolean, expected, integer, integer_at, interface, privilege, sol,
    uint, unsigned,
};

pub use super::help::{LAN_STATEMENTS as LAN_HELP, STATEMENTS as HELP};

/// IPMB address of the controller that exists without being named.
const BMC: McAddress = McAddress::BMC;
/// UDP port when `addr` has none.
const RMCP_PORT: u16 = 623;
/// Highest channel number.
const CHANNEL_MAX: u32 = 15;
/// Highest user number.
const USER_MAX: u32 = 63;
/// What is kept when the max-sessions column is missing: what nearly every file says there.
const SESSIONS_DEFAULT: u8 = 10;
/// Characters kept of a user name, a GUID, a key: one less than their bytes, as in the original.
const NAME_MAX: usize = 15;
const KEY_MAX: usize = 19;
/// Characters kept of a password. The original keeps one less, so that a password of 20,
/// which clients can send, never worked.
const PASSWORD_MAX: usize = 20;
/// Longest device name of an `ipmb` line.
const IPMB_DEVICE_MAX: usize = 15;
/// Most attention bytes.
const ATTENTION_MAX: usize = 8;

/// Reads a whole lan.conf. All faults are reported, not only the first; a `Config` comes
/// back only when none of them is an error. Faults are in the order of their lines, a
/// missing `name` last.
pub fn parse(file: &str, text: &[u8]) -> (Option<Config>, Vec<Diagnostic>) {
    let lines: Vec<Line<'_>> = lines(text).collect();
    let mut reader = Reader {
        file,
        config: Config { controllers: vec![ControllerConfig::new(BMC)], ..Config::default() },
        current: 0,
        named: false,
        block: None,
        variables: Variables::new(),
        diagnostics: Vec::new(),
    };
    for (index, line) in lines.iter().enumerate() {
        let text = decode(line.bytes);
        let place = Place { number: line.number, text: &text };
        if line.cut {
            let end = text.len();
            reader.report(place, Severity::Warning, Fault::new(end..end, "a NUL byte hides the rest of this line"));
        }
        let following = lines.get(index + 1..).unwrap_or_default();
        reader.line(place, following);
    }
    reader.finish(lines.first().map(|line| decode(line.bytes)).unwrap_or_default())
}

/// A line being read.
#[derive(Clone, Copy)]
struct Place<'a> {
    number: u32,
    text: &'a str,
}

impl Place<'_> {
    fn span(self, range: Range<usize>) -> Span {
        Span::within(self.number, self.text, range)
    }
}

/// An open LAN block.
struct Block {
    lan: LanConfig,
    /// Whether the `startlan` line itself was right.
    usable: bool,
    /// The `startlan` line.
    line: String,
    /// Where the keyword stands in it.
    range: Range<usize>,
    /// Whether it is known that an `endlan` follows.
    closed: bool,
}

struct Reader<'f> {
    file: &'f str,
    config: Config,
    /// Index of the controller that statements are about.
    current: usize,
    named: bool,
    block: Option<Block>,
    variables: Variables,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn report(&mut self, place: Place<'_>, severity: Severity, fault: Fault) {
        self.diagnostics.push(Diagnostic {
            severity,
            file: self.file.to_string(),
            span: place.span(fault.range),
            message: fault.message,
            source_line: place.text.to_string(),
        });
    }

    fn warn(&mut self, place: Place<'_>, range: Range<usize>, message: impl Into<String>) {
        self.report(place, Severity::Warning, Fault::new(range, message));
    }

    /// Warns if the argument last asked for was a variable that does not exist, where that is
    /// not an error but means something else than its author thinks.
    fn note_unknown(&mut self, place: Place<'_>, a: &Arguments<'_>, consequence: &str) {
        if let Some((name, range)) = a.unknown_variable() {
            self.warn(place, range, format!("there is no variable {}; {consequence}", quote(name)));
        }
    }

    fn line(&mut self, place: Place<'_>, following: &[Line<'_>]) {
        // The variables are put back below; a statement may read them while it changes the rest.
        let variables = std::mem::take(&mut self.variables);
        let mut new = None;
        match head(place.text, &variables) {
            Head::Nothing { unknown_variable: Some((name, range)) } => {
                let message = format!("line ignored: there is no variable {}", quote(name));
                self.warn(place, range, message);
            }
            Head::Nothing { unknown_variable: None } => {}
            Head::Keyword(keyword) => match self.statement(place, &keyword, following, &variables) {
                Ok(definition) => new = definition,
                Err(fault) => self.report(place, Severity::Error, fault),
            },
        }
        self.variables = variables;
        if let Some((name, value)) = new {
            if self.variables.insert(name.clone(), value.clone()).is_some() {
                self.config.variables.retain(|(known, _)| *known != name);
            }
            self.config.variables.push((name, value));
        }
    }

    /// Reads one statement. The result is the variable it defines, if it is a `define`.
    fn statement(
        &mut self,
        place: Place<'_>,
        keyword: &Found<'_>,
        following: &[Line<'_>],
        variables: &Variables,
    ) -> Result<Option<(String, String)>, Fault> {
        if let Some(block) = self.block.take() {
            if let Some(form) = lan_form(keyword.text) {
                let arguments = Arguments::new(form, place.text, keyword.range.end, variables);
                return self.lan_statement(place, form, keyword, arguments, block).map(|()| None);
            }
            let Some(form) = form(keyword.text) else {
                let message = unknown(keyword, LAN_STATEMENTS);
                self.block = Some(block);
                return Err(keyword.fault(message));
            };
            // A statement that belongs outside: either it is in the wrong place, or the end
            // of the block is missing. The lines that follow tell.
            let closed = block.closed || (form != Rule::startlan && endlan_follows(following));
            let start = block.lan.span.line;
            let name = quote(keyword.text);
            if closed {
                self.block = Some(Block { closed, ..block });
                let message = format!(
                    "Invalid configuration option {name} inside the LAN block begun in line {start}, expected one of {}",
                    list(LAN_STATEMENTS)
                );
                return Err(keyword.fault(message));
            }
            let message = format!(
                "Invalid configuration option {name} inside the LAN block begun in line {start}, expected endlan before it"
            );
            self.report(place, Severity::Error, keyword.fault(message));
            self.close(block);
        }
        let Some(form) = form(keyword.text) else {
            let message = match lan_form(keyword.text) {
                Some(_) => format!(
                    "Invalid configuration option {} outside of a LAN block, expected startlan before it",
                    quote(keyword.text)
                ),
                None => unknown(keyword, STATEMENTS),
            };
            return Err(keyword.fault(message));
        };
        let mut arguments = Arguments::new(form, place.text, keyword.range.end, variables)?;
        if form == Rule::define {
            return define(&mut arguments).map(Some);
        }
        self.top_statement(place, form, keyword, &mut arguments)?;
        Ok(None)
    }

    fn finish(mut self, first_line: String) -> (Option<Config>, Vec<Diagnostic>) {
        if let Some(block) = self.block.take() {
            let line = block.line.clone();
            let place = Place { number: block.lan.span.line, text: &line };
            let message = "End of file in lan section: expected endlan for this startlan";
            self.report(place, Severity::Error, Fault::new(block.range.clone(), message));
            self.close(block);
        }
        // Only the end of the file tells of an open block; its place is earlier.
        self.diagnostics.sort_by_key(|diagnostic| diagnostic.span.line);
        if !self.named {
            let place = Place { number: 1, text: &first_line };
            let message = "name not set in config file: expected a line name \"NAME\"";
            self.report(place, Severity::Error, Fault::new(0..0, message));
        }
        let failed = self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        (if failed { None } else { Some(self.config) }, self.diagnostics)
    }

    fn controller(&mut self) -> &mut ControllerConfig {
        if self.current >= self.config.controllers.len() {
            self.config.controllers.push(ControllerConfig::new(BMC));
            self.current = self.config.controllers.len() - 1;
        }
        // In range by the lines above.
        &mut self.config.controllers[self.current]
    }

    /// Remembers where a value of the current controller stands.
    fn note(&mut self, place: Place<'_>, keyword: &'static str, range: Range<usize>) {
        let setting = Setting { mc: self.controller().address, channel: 0, keyword };
        self.config.places.push((setting, place.span(range)));
    }

    /// `HOST [PORT]`. A port that is cut to 16 bits is told.
    fn address(&mut self, place: Place<'_>, a: &mut Arguments<'_>, port: Option<u16>) -> Result<Address, Fault> {
        let (address, cut) = address(place, a, port)?;
        if let Some(fault) = cut {
            self.report(place, Severity::Warning, fault);
        }
        Ok(address)
    }

    /// Whether a channel number is taken on the current controller. Number 0 is the IPMB.
    fn taken(&mut self, channel: u8) -> bool {
        let controller = self.controller();
        channel == 0
            || controller.lans.iter().any(|lan| lan.channel == channel)
            || controller.serials.iter().any(|serial| serial.channel == channel)
            || controller.ipmbs.iter().any(|ipmb| ipmb.channel == channel)
    }

    fn close(&mut self, block: Block) {
        if block.usable {
            self.controller().lans.push(block.lan);
        }
    }

    /// A statement outside of a LAN block.
    fn top_statement(
        &mut self,
        place: Place<'_>,
        form: Rule,
        keyword: &Found<'_>,
        a: &mut Arguments<'_>,
    ) -> Result<(), Fault> {
        let span = place.span(keyword.range.start..place.text.trim_end().len());
        match form {
            Rule::name => {
                let (name, range) = a.string()?;
                if self.named {
                    self.warn(place, range, "name is given twice; this one counts");
                }
                self.config.name = name;
                self.named = true;
            }
            Rule::set_working_mc => {
                let (value, word) = integer_at(a, "the IPMB address of a management controller")?;
                let address = McAddress(number::u8_of(value));
                let known = self.config.controllers.iter().position(|controller| controller.address == address);
                self.current = known.unwrap_or(self.config.controllers.len());
                if known.is_none() {
                    self.config.controllers.push(ControllerConfig::new(address));
                }
                self.note(place, "set_working_mc", word.range);
            }
            Rule::startlan => {
                let channel = self.startlan(a);
                let (channel, fault) = match channel {
                    Ok(channel) => (Some(channel), None),
                    Err(fault) => (None, Some(fault)),
                };
                // The block is opened even if its channel is wrong, so that its lines are
                // read as what they are.
                self.block = Some(Block {
                    lan: LanConfig {
                        channel: channel.unwrap_or_default(),
                        address: None,
                        privilege_limit: None,
                        allowed_auths: [AuthTypes::default(); 4],
                        guid: None,
                        bmc_key: None,
                        config_program: None,
                        pef_alerting: false,
                        per_message_auth: false,
                        span,
                    },
                    usable: channel.is_some(),
                    line: place.text.to_string(),
                    range: keyword.range.clone(),
                    closed: false,
                });
                fault.map_or(Ok(()), Err)?;
            }
            Rule::user => self.user(place, keyword, span, a)?,
            Rule::serial => {
                let serial = self.serial(span, place, a)?;
                self.controller().serials.push(serial);
            }
            Rule::sol => {
                let (sol, range) = sol(span, a)?;
                self.note(place, "sol", range);
                if self.controller().sol.is_some() {
                    self.warn(place, keyword.range.clone(), "this controller has a sol line already; this one counts");
                }
                self.controller().sol = Some(sol);
            }
            Rule::ipmb => {
                let ipmb = self.ipmb(span, a)?;
                self.controller().ipmbs.push(ipmb);
            }
            Rule::chassis_control => {
                let (command, range) = a.string()?;
                self.note(place, "chassis_control", range);
                self.controller().chassis_control = Some(command);
            }
            Rule::startcmd => {
                let (command, range) = a.string()?;
                self.note(place, "startcmd", range);
                self.controller().start_command = Some(command);
            }
            Rule::startnow => {
                self.controller().start_now = boolean(a)?;
                self.note(place, "startnow", keyword.range.clone());
            }
            Rule::poweroff_wait => self.controller().poweroff_wait = number::u32_of(unsigned(a, "seconds")?),
            Rule::kill_wait => self.controller().kill_wait = number::u32_of(unsigned(a, "seconds")?),
            Rule::console => {
                let address = self.address(place, a, None)?;
                if self.config.console.is_some() {
                    self.warn(place, keyword.range.clone(), "console is given twice; this one counts");
                }
                self.config.console = Some(address);
            }
            Rule::loadlib => {
                let (file, range) = a.string()?;
                let (init, _) =
                    a.string().map_err(|fault| fault.inside("loadlib needs the file and the init string"))?;
                let message = format!("{} is a C plug-in, which cannot be loaded; the line is ignored", quote(&file));
                self.warn(place, range, message);
                self.config.libraries.push(Library { file, init, span });
            }
            _ => return Err(keyword.fault("this statement has no meaning yet")),
        }
        Ok(())
    }

    fn startlan(&mut self, a: &mut Arguments<'_>) -> Result<u8, Fault> {
        let (channel, word) = uint(a, "a channel number from 1 to 15")?;
        match u8::try_from(channel).ok().filter(|_| channel <= CHANNEL_MAX) {
            None => {
                Err(word.fault(format!("Channel number out of range: {}, expected 1 to {CHANNEL_MAX}", word.quoted())))
            }
            Some(channel) if self.taken(channel) => Err(word.fault(in_use(channel))),
            Some(channel) => Ok(channel),
        }
    }

    fn user(&mut self, place: Place<'_>, keyword: &Found<'_>, span: Span, a: &mut Arguments<'_>) -> Result<(), Fault> {
        let (number, word) = uint(a, "a user number from 1 to 63")?;
        let number = match number {
            0 => return Err(word.fault("User number 0 is invalid: expected 1 to 63")),
            number if number > USER_MAX => {
                return Err(word.fault(format!(
                    "User number larger than the allowed number of users: {}, expected 1 to {USER_MAX}",
                    word.quoted()
                )));
            }
            number => number as u8,
        };
        let enabled = boolean(a)?;
        let name = self.bytes(place, a, "user name", NAME_MAX, &[32])?;
        let password = self.bytes(place, a, "password", PASSWORD_MAX, &[32, 40])?;
        let privilege = privilege(a)?;
        let max_sessions = match a.next() {
            Ok(found) if found.rule == Rule::no_sessions => None,
            Ok(found) => Some(integer(&found)?),
            Err(_) => None,
        };
        if max_sessions.is_none() {
            // Point between the privilege and what follows it.
            let end = a.position().min(a.end().end);
            let end = place.text.get(..end).map_or(end, |text| text.trim_end_matches([' ', '\t']).len());
            let message = format!(
                "No integer value given: expected the number of sessions after the privilege, {SESSIONS_DEFAULT} is assumed"
            );
            self.warn(place, end..end, message);
        }
        let mut auths = None;
        while let Some(word) = a.next_if_any() {
            let Some(auth) = auth_named(word.text) else {
                if !word.text.starts_with('#') {
                    let message = format!(
                        "{} is not an authentication type ('none', 'md2', 'md5', or 'straight'); it and the words after it are ignored",
                        word.quoted()
                    );
                    self.warn(place, word.range, message);
                }
                break;
            };
            auths = Some(AuthTypes(auths.unwrap_or(AuthTypes(0)).0 | auth.0));
        }
        let max_sessions = max_sessions.map_or(SESSIONS_DEFAULT, number::u8_of);
        let user = UserConfig { number, enabled, name, password, privilege, max_sessions, auths, span };
        let users = &mut self.controller().users;
        match users.iter_mut().find(|known| known.number == number) {
            Some(known) => {
                let line = known.span.line;
                *known = user;
                let message = format!("user {number} is given in line {line} as well; this one counts");
                self.warn(place, keyword.range.clone(), message);
            }
            None => users.push(user),
        }
        Ok(())
    }

    /// `N` bytes of a name, password, GUID or key. Quoted ones are cut after `most` characters,
    /// with a warning; hexadecimal ones have one of the lengths `digits`.
    fn bytes<const N: usize>(
        &mut self,
        place: Place<'_>,
        a: &mut Arguments<'_>,
        what: &str,
        most: usize,
        digits: &[usize],
    ) -> Result<[u8; N], Fault> {
        let word =
            a.next().map_err(|missing| missing.fault(format!("Missing password or username: expected the {what}")))?;
        let mut out = [0; N];
        match byte_string(&word, digits) {
            Ok(ByteString::Quoted(bytes)) => {
                if bytes.len() > most {
                    let message = format!("the {what} has {} bytes, only the first {most} are used", bytes.len());
                    self.warn(place, word.range, message);
                }
                out.iter_mut().zip(bytes.iter().take(most)).for_each(|(to, from)| *to = *from);
            }
            Ok(ByteString::Hex(bytes)) => out.iter_mut().zip(bytes).for_each(|(to, from)| *to = from),
            Err(BytesFault::Unclosed) => {
                // A password is not repeated in a message.
                return Err(word.fault(format!(
                    "ASCII password or username doesn't end in '\"': expected the {what} in double quotes"
                )));
            }
            Err(BytesFault::Length) => {
                let lengths = digits.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
                return Err(word.fault(format!(
                    "HEX password or username not 32 HEX characters long: this {what} has {}, expected {lengths}, or \"text\" in double quotes",
                    word.text.chars().count()
                )));
            }
            Err(BytesFault::Digit(at)) => {
                let length = word.text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
                return Err(word.fault_at(
                    at..at + length,
                    format!("Invalid HEX character in password or username: expected the {what} as HEX digits, or \"text\" in double quotes"),
                ));
            }
        }
        Ok(out)
    }

    fn serial(&mut self, span: Span, place: Place<'_>, a: &mut Arguments<'_>) -> Result<SerialConfig, Fault> {
        let channel_word =
            a.next().map_err(|missing| missing.fault("No channel given: expected 15, kcs, bt, smic or ssif"))?;
        let (interface, channel) = interface(&channel_word)?;
        if self.taken(channel) {
            return Err(channel_word.fault(format!("System channel already defined: channel {channel} is in use")));
        }
        let address = self.address(place, a, None)?;
        let (mut codec, mut oem, mut attention, mut ipmb, mut connect) =
            (None, None, Vec::new(), McAddress::NONE, false);
        let mut words = a.inner();
        while let Some(option) = words.next_if_any() {
            match option.text {
                "connect" => connect = true,
                "codec" => {
                    let word = words.next().map_err(|missing| {
                        missing.fault("Missing parameter for codec: expected VM, TerminalMode, Direct or RadisysAscii")
                    })?;
                    codec = Some(match word.text {
                        "VM" => CodecKind::Vm,
                        "TerminalMode" => CodecKind::TerminalMode,
                        "Direct" => CodecKind::Direct,
                        "RadisysAscii" => CodecKind::RadisysAscii,
                        _ => {
                            let known = ["VM", "TerminalMode", "Direct", "RadisysAscii"];
                            return Err(word.fault(expected("Invalid codec", &word, known)));
                        }
                    });
                }
                "oem" => {
                    let word = words.next().map_err(|missing| {
                        missing.fault("Missing parameter for oem: expected PigeonPoint or Radisys")
                    })?;
                    oem = Some(match word.text {
                        "PigeonPoint" => SerialOem::PigeonPoint,
                        "Radisys" => SerialOem::Radisys,
                        _ => {
                            return Err(word.fault(expected("Invalid oem setting", &word, ["PigeonPoint", "Radisys"])));
                        }
                    });
                }
                "attn" => {
                    let word = words.next().map_err(|missing| {
                        missing.fault("Missing parameter for attn: expected up to eight numbers with commas between")
                    })?;
                    attention = attention_bytes(&word)?;
                }
                "ipmb" => {
                    let word = words
                        .next()
                        .map_err(|missing| missing.fault("Invalid IPMB address: missing, expected a number"))?
                        .sorted_as(Rule::uint);
                    ipmb = word
                        .number()
                        .map(|value| McAddress(number::u8_of(value)))
                        .ok_or_else(|| word.not_a_number("Invalid IPMB address"))?;
                }
                _ => {
                    let known = ["connect", "codec", "oem", "attn", "ipmb"];
                    let hint = match option.text {
                        text @ ("VM" | "TerminalMode" | "Direct" | "RadisysAscii") => {
                            Some(format!(", did you mean 'codec {text}'?"))
                        }
                        text => nearest(text, known).map(|name| format!(", did you mean '{name}'?")),
                    };
                    return Err(option.fault(format!(
                        "Invalid setting, not connect, codec, oem, attn, or ipmb: found {}{}",
                        option.quoted(),
                        hint.unwrap_or_default()
                    )));
                }
            }
        }
        let end = a.end();
        let codec = codec.ok_or_else(|| {
            Fault::new(end, "codec not specified: expected codec VM, TerminalMode, Direct or RadisysAscii")
        })?;
        Ok(SerialConfig { channel, interface, address, codec, oem, attention, ipmb, connect, span })
    }

    fn ipmb(&mut self, span: Span, a: &mut Arguments<'_>) -> Result<IpmbConfig, Fault> {
        let (channel, word) = uint(a, "a channel number from 0 to 15")?;
        let channel = match u8::try_from(channel).ok().filter(|_| channel <= CHANNEL_MAX) {
            None => return Err(word.fault(format!("Invalid channel number, must be 0-15: found {}", word.quoted()))),
            // Channel 0 stands in for the built-in IPMB.
            Some(channel) if channel != 0 && self.taken(channel) => return Err(word.fault(in_use(channel))),
            Some(channel) => channel,
        };
        let lead = "Config file missing <linux ipmb driver name>";
        let driver = a.next().map_err(|missing| missing.fault(format!("{lead}: expected ipmb_dev_int")))?;
        if driver.text != "ipmb_dev_int" {
            return Err(driver.fault(format!("{lead}: found {}, expected ipmb_dev_int", driver.quoted())));
        }
        let device =
            a.next().map_err(|missing| missing.fault("Missing device file name: expected a name like /dev/ipmb-0"))?;
        if device.text.chars().count() > IPMB_DEVICE_MAX {
            return Err(device.fault(format!("Length of device file name {} > {IPMB_DEVICE_MAX}", device.quoted())));
        }
        Ok(IpmbConfig { channel, device: device.text.to_string(), span })
    }

    /// A statement of the LAN block `block`, which is put back unless this ends it.
    fn lan_statement(
        &mut self,
        place: Place<'_>,
        form: Rule,
        keyword: &Found<'_>,
        arguments: Result<Arguments<'_>, Fault>,
        mut block: Block,
    ) -> Result<(), Fault> {
        if form == Rule::endlan {
            self.close(block);
            return Ok(());
        }
        let result = arguments.and_then(|mut a| self.lan_setting(place, form, keyword, &mut a, &mut block.lan));
        self.block = Some(block);
        result
    }

    fn lan_setting(
        &mut self,
        place: Place<'_>,
        form: Rule,
        keyword: &Found<'_>,
        a: &mut Arguments<'_>,
        lan: &mut LanConfig,
    ) -> Result<(), Fault> {
        match form {
            Rule::addr => {
                let address = self.address(place, a, Some(RMCP_PORT))?;
                self.note_unknown(place, a, "the port is 623");
                if let Some(known) = &lan.address {
                    let message = format!("LAN address already set, line {}", known.span.line);
                    return Err(keyword.fault(message));
                }
                lan.address = Some(address);
            }
            Rule::priv_limit => lan.privilege_limit = Some(privilege(a)?),
            Rule::allowed_auths => {
                let auths = auths(a)?;
                self.note_unknown(place, a, "the line ends there");
                let index = match keyword.text {
                    "allowed_auths_callback" => 0,
                    "allowed_auths_user" => 1,
                    "allowed_auths_operator" => 2,
                    _ => 3,
                };
                if let Some(slot) = lan.allowed_auths.get_mut(index) {
                    *slot = auths;
                }
            }
            Rule::guid => {
                lan.guid = Some(match a.next_if_uuid() {
                    Some(guid) => guid,
                    None => self.bytes(place, a, "GUID", NAME_MAX, &[32])?,
                });
            }
            Rule::bmc_key => {
                let key = self.bytes(place, a, "key", KEY_MAX, &[32, 40])?;
                lan.bmc_key = Some(key).filter(|key| *key != [0; 20]);
                if lan.bmc_key.is_none() {
                    self.warn(
                        place,
                        keyword.range.clone(),
                        "an empty key is none: the user's password takes its place",
                    );
                }
            }
            Rule::lan_config_program => {
                let (command, range) = a.string()?;
                let mc = self.controller().address;
                let setting = Setting { mc, channel: lan.channel, keyword: "lan_config_program" };
                self.config.places.push((setting, place.span(range)));
                lan.config_program = Some(command);
            }
            Rule::pef_alerting => lan.pef_alerting = boolean(a)?,
            Rule::per_msg_auth => lan.per_message_auth = boolean(a)?,
            _ => return Err(keyword.fault("this statement has no meaning yet")),
        }
        Ok(())
    }
}

/// The form of a statement outside of a LAN block.
fn form(keyword: &str) -> Option<Rule> {
    Some(match keyword {
        "name" => Rule::name,
        "set_working_mc" => Rule::set_working_mc,
        "startlan" => Rule::startlan,
        "user" => Rule::user,
        "serial" => Rule::serial,
        "sol" => Rule::sol,
        "ipmb" => Rule::ipmb,
        "chassis_control" => Rule::chassis_control,
        "startcmd" => Rule::startcmd,
        "startnow" => Rule::startnow,
        "poweroff_wait" => Rule::poweroff_wait,
        "kill_wait" => Rule::kill_wait,
        "console" => Rule::console,
        "loadlib" => Rule::loadlib,
        "define" => Rule::define,
        _ => return None,
    })
}

/// The form of a statement in a LAN block.
fn lan_form(keyword: &str) -> Option<Rule> {
    Some(match keyword {
        "addr" => Rule::addr,
        "priv_limit" => Rule::priv_limit,
        "allowed_auths_callback" | "allowed_auths_user" | "allowed_auths_operator" | "allowed_auths_admin" => {
            Rule::allowed_auths
        }
        "guid" => Rule::guid,
        "bmc_key" => Rule::bmc_key,
        "lan_config_program" => Rule::lan_config_program,
        "PEF_alerting" => Rule::pef_alerting,
        "per_msg_auth" => Rule::per_msg_auth,
        "endlan" => Rule::endlan,
        _ => return None,
    })
}

/// Whether the LAN block ends before another one begins.
fn endlan_follows(lines: &[Line<'_>]) -> bool {
    let word = |line: &Line<'_>| {
        line.bytes.split(|byte| b" \t".contains(byte)).find(|word| !word.is_empty()).unwrap_or_default().to_vec()
    };
    lines.iter().map(word).find(|word| word == b"endlan" || word == b"startlan").is_some_and(|word| word == b"endlan")
}

fn list(entries: &[Entry]) -> String {
    entries.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ")
}

fn unknown(keyword: &Found<'_>, entries: &'static [Entry]) -> String {
    let lead = format!("Invalid configuration option {}", keyword.quoted());
    if COMMANDS.iter().any(|entry| entry.name == keyword.text) {
        return format!("{lead}: it belongs in the command file");
    }
    match nearest(keyword.text, entries.iter().map(|entry| entry.name)) {
        Some(name) => format!("{lead}, did you mean '{name}'? Expected one of {}", list(entries)),
        None => format!("{lead}, expected one of {}", list(entries)),
    }
}

fn in_use(channel: u8) -> String {
    match channel {
        0 => "Channel already in use: channel 0 is the IPMB".to_string(),
        _ => format!("Channel already in use: channel {channel} of this controller is defined above"),
    }
}

fn define(a: &mut Arguments<'_>) -> Result<(String, String), Fault> {
    let name = a.next().map_err(|missing| missing.fault("No variable supplied for define: expected a name"))?;
    Ok((name.text.to_string(), a.string()?.0))
}

#[cfg(test)]
mod tests;
