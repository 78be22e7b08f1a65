//! lan.conf: text to [`Config`].
//!
//! A flat list of statements, one on a line, and LAN blocks (`lan-conf.md`). The forms of the
//! statements are in `grammar/lan_conf.pest`; their words become values in
//! `lan_conf/values.rs`, those of the forms in `lan_conf/outside.rs` and `lan_conf/block.rs` a [`Config`]. Every line is read on its own,
//! so that a fault hides no other.

mod block;
mod outside;
mod values;

use std::ops::Range;

use super::arguments::{Arguments, Fault, Found, Head, head};
use super::command::Variables;
use super::grammar::Rule;
use super::help::{COMMANDS, Entry, LAN_STATEMENTS, STATEMENTS};
use super::suggest::nearest;
use super::text::{Line, decode, lines, quote};
use super::words::{Forms, Source};
use super::{Diagnostic, Severity, Span};
use crate::ipmi::{ChannelNumber, McAddress};
use crate::settings::model::{Address, Config, ControllerConfig, LanConfig, Setting};
use values::address;

pub use super::help::{LAN_STATEMENTS as LAN_HELP, STATEMENTS as HELP};

/// IPMB address of the controller that exists without being named.
const BMC: McAddress = McAddress::BMC;
/// Characters kept of a user name or a GUID: one less than their bytes, as in the original.
const NAME_MAX: usize = 15;

/// Reads a whole lan.conf. All faults are reported, not only the first; a `Config` comes
/// back only when none of them is an error. Faults are in the order of their lines, a
/// missing `name` last.
pub fn parse(file: &str, text: &[u8]) -> (Option<Config>, Vec<Diagnostic>) {
    parse_for(file, text, Given::default())
}

/// What is known of a system before its lan.conf is read.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Its name, where lan.conf has none.
    pub name: Option<String>,
    /// Variables that are there from the first line on, in the order in which the [`Config`] has them.
    pub variables: Vec<(String, String)>,
}

/// The same for a system that something is known of.
pub fn parse_for(file: &str, text: &[u8], given: Given) -> (Option<Config>, Vec<Diagnostic>) {
    Template::new(file, text).config(given)
}

/// A lan.conf for any number of systems: its lines are cut into words once. What a word means is looked up for each
/// system, because it may be a variable.
#[derive(Debug)]
pub struct Template {
    file: String,
    lines: Vec<TemplateLine>,
}

/// A line of a [`Template`].
#[derive(Debug)]
struct TemplateLine {
    number: u32,
    text: String,
    /// Whether a NUL cut it off.
    cut: bool,
    forms: Forms,
}

impl Template {
    /// `file` is its name for diagnostics.
    pub fn new(file: &str, text: &[u8]) -> Self {
        let line = |line: Line<'_>| TemplateLine {
            number: line.number,
            text: decode(line.bytes),
            cut: line.cut,
            forms: Forms::default(),
        };
        Self { file: file.into(), lines: lines(text).map(line).collect() }
    }

    /// What it says for a system that something is known of; faults as [`parse`] has them.
    pub fn config(&self, given: Given) -> (Option<Config>, Vec<Diagnostic>) {
        let config = Config { controllers: vec![ControllerConfig::new(BMC)], ..Config::default() };
        let mut reader = Reader {
            file: &self.file,
            named: given.name.is_some(),
            variables: given.variables.iter().cloned().collect(),
            config: Config { name: given.name.unwrap_or_default(), variables: given.variables, ..config },
            current: 0,
            said: false,
            block: None,
            diagnostics: Vec::new(),
        };
        for (index, line) in self.lines.iter().enumerate() {
            let place = Place { number: line.number, text: &line.text };
            if line.cut {
                let end = line.text.len();
                reader.report(place, Severity::Warning, Fault::new(end..end, "a NUL byte hides the rest of this line"));
            }
            let following = self.lines.get(index + 1..).unwrap_or_default();
            reader.line(place, &line.forms, following);
        }
        reader.finish(self.lines.first().map_or("", |line| &line.text))
    }
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
    /// Whether it has a name.
    named: bool,
    /// Whether a line gave it one.
    said: bool,
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

    fn line(&mut self, place: Place<'_>, forms: &Forms, following: &[TemplateLine]) {
        let source = Source::kept(place.text, forms);
        // The variables are put back below; a statement may read them while it changes the rest.
        let variables = std::mem::take(&mut self.variables);
        let mut new = None;
        match head(source, &variables) {
            Head::Nothing { unknown_variable: Some((name, range)) } => {
                let message = format!("line ignored: there is no variable {}", quote(name));
                self.warn(place, range, message);
            }
            Head::Nothing { unknown_variable: None } => {}
            Head::Keyword(keyword) => match self.statement(place, source, &keyword, following, &variables) {
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
        source: Source<'_>,
        keyword: &Found<'_>,
        following: &[TemplateLine],
        variables: &Variables,
    ) -> Result<Option<(String, String)>, Fault> {
        if let Some(block) = self.block.take() {
            if let Some(form) = lan_form(keyword.text) {
                let arguments = Arguments::new(form, source, keyword.range.end, variables);
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
        let mut arguments = Arguments::new(form, source, keyword.range.end, variables)?;
        if form == Rule::define {
            return define(&mut arguments).map(Some);
        }
        self.top_statement(place, form, keyword, &mut arguments)?;
        Ok(None)
    }

    fn finish(mut self, first_line: &str) -> (Option<Config>, Vec<Diagnostic>) {
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
            let place = Place { number: 1, text: first_line };
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
        let setting = Setting { mc: self.controller().address, channel: None, keyword };
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

    /// Whether a channel number is taken on the current controller. The primary IPMB always is.
    fn taken(&mut self, channel: ChannelNumber) -> bool {
        let controller = self.controller();
        channel == ChannelNumber::PRIMARY_IPMB
            || controller.lans.iter().any(|lan| lan.channel == channel)
            || controller.serials.iter().any(|serial| serial.channel == channel)
            || controller.ipmbs.iter().any(|ipmb| ipmb.channel == channel)
    }

    fn close(&mut self, block: Block) {
        if block.usable {
            let lans = &mut self.controller().lans;
            // Most controllers have one.
            lans.reserve_exact(1);
            lans.push(block.lan);
        }
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
        "advertised_port" => Rule::advertised_port,
        "alert_port" => Rule::alert_port,
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
fn endlan_follows(lines: &[TemplateLine]) -> bool {
    let mut words = lines.iter().filter_map(|line| line.text.split([' ', '\t']).find(|word| !word.is_empty()));
    words.find(|word| ["endlan", "startlan"].contains(word)) == Some("endlan")
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

fn define(a: &mut Arguments<'_>) -> Result<(String, String), Fault> {
    let name = a.next().map_err(|missing| missing.fault("No variable supplied for define: expected a name"))?;
    Ok((name.text.to_string(), a.string()?.0))
}

/// From a number in lan.conf; `None` is too high.
fn channel_number(number: impl TryInto<u8>) -> Option<ChannelNumber> {
    ChannelNumber::new(number.try_into().ok()?)
}

#[cfg(test)]
mod tests;
