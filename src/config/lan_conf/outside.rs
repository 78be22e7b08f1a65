//! The statements outside of a LAN block, but for `define`.

use super::values::{
    attention_bytes, auth_named, boolean, expected, integer, integer_at, interface, privilege, sol, uint, unsigned,
};
use super::{Block, NAME_MAX, Place, Reader, channel_number};
use crate::config::arguments::{Arguments, ByteString, BytesFault, Fault, Found, byte_string};
use crate::config::grammar::Rule;
use crate::config::suggest::nearest;
use crate::config::text::quote;
use crate::config::{Span, number};
use crate::ipmi::{AuthTypes, ChannelNumber, McAddress, UserNumber};
use crate::settings::model::{
    CodecKind, ControllerConfig, IpmbConfig, LanConfig, Library, SerialConfig, SerialOem, UserConfig,
};

/// What is kept when the max-sessions column is missing: what nearly every file says there.
const SESSIONS_DEFAULT: u8 = 10;
/// Characters kept of a password. The original keeps one less, so that a password of 20,
/// which clients can send, never worked.
const PASSWORD_MAX: usize = 20;
/// Longest device name of an `ipmb` line.
const IPMB_DEVICE_MAX: usize = 15;

impl Reader<'_> {
    /// A statement outside of a LAN block.
    pub(super) fn top_statement(
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
                if self.said {
                    self.warn(place, range, "name is given twice; this one counts");
                }
                self.config.name = name;
                (self.named, self.said) = (true, true);
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
                        advertised_port: None,
                        alert_port: None,
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

    fn startlan(&mut self, a: &mut Arguments<'_>) -> Result<ChannelNumber, Fault> {
        let (channel, word) = uint(a, "a channel number from 1 to 15")?;
        match channel_number(channel) {
            None => Err(word.fault(format!("Channel number out of range: {}, expected 1 to 15", word.quoted()))),
            Some(channel) if self.taken(channel) => Err(word.fault(in_use(channel))),
            Some(channel) => Ok(channel),
        }
    }

    fn user(&mut self, place: Place<'_>, keyword: &Found<'_>, span: Span, a: &mut Arguments<'_>) -> Result<(), Fault> {
        let (number, word) = uint(a, "a user number from 1 to 63")?;
        let number = u8::try_from(number).ok().and_then(UserNumber::new).ok_or_else(|| match number {
            0 => word.fault("User number 0 is invalid: expected 1 to 63"),
            _ => word.fault(format!(
                "User number larger than the allowed number of users: {}, expected 1 to 63",
                word.quoted()
            )),
        })?;
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
    pub(super) fn bytes<const N: usize>(
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
        let channel = match channel_number(channel) {
            None => return Err(word.fault(format!("Invalid channel number, must be 0-15: found {}", word.quoted()))),
            // Channel 0 stands in for the built-in IPMB.
            Some(channel) if channel != ChannelNumber::PRIMARY_IPMB && self.taken(channel) => {
                return Err(word.fault(in_use(channel)));
            }
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
}

fn in_use(channel: ChannelNumber) -> String {
    match channel {
        ChannelNumber::PRIMARY_IPMB => "Channel already in use: channel 0 is the IPMB".to_string(),
        _ => format!("Channel already in use: channel {channel} of this controller is defined above"),
    }
}
