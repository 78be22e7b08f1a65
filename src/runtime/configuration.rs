//! lan.conf from its file to a configuration with every name looked up. May wait for the disk
//! and for name servers, so a running program calls it away from its loop.

use std::fmt;
use std::path::PathBuf;

use super::demo;
use super::recordings::Recordings;
use crate::config::lan_conf::{Given, Template};
use crate::config::{Diagnostic, Severity};
use crate::host::names::{Transport, resolve};
use crate::settings::model::{Address, Config};
use crate::store::directory::message;

/// What came of reading lan.conf.
#[derive(Debug)]
pub struct Read {
    /// The configuration, unless something in it is an error.
    pub config: Option<Config>,
    /// Errors and warnings, in the order of their lines.
    pub findings: Vec<Finding>,
    /// The text, as it was read.
    pub text: String,
}

/// What was found when lan.conf was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Something is wrong in the file.
    Fault(Diagnostic),
    /// The file cannot be read, for this reason.
    Unreadable(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(diagnostic) => diagnostic.fmt(f),
            Self::Unreadable(text) => text.fmt(f),
        }
    }
}

/// Where the configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The program itself, with this UDP port.
    Demo(u16),
}

impl Source {
    /// What it is called in messages.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Demo(_) => "<demo>".into(),
        }
    }

    fn read(&self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::File(path) => std::fs::read(path),
            Self::Demo(port) => Ok(demo::configuration(*port)),
        }
    }
}

/// What it means that something cannot be done as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// It is a warning.
    Lenient,
    /// It is an error (`--strict`).
    Strict,
}

/// Reads lan.conf and looks its names up.
pub fn read(source: &Source, strictness: Strictness) -> Read {
    let name = source.name();
    let text = match source.read() {
        Ok(text) => text,
        Err(error) => {
            let findings = vec![Finding::Unreadable(unreadable(&name, &error))];
            return Read { config: None, findings, text: String::new() };
        }
    };
    let lan_conf = LanConf::new(name, text);
    let (config, findings) = lan_conf.read(Given::default(), strictness, &Recordings::default());
    let findings = findings.into_iter().map(Finding::Fault).collect();
    Read { config, findings, text: lan_conf.text }
}

/// Why a file is not read.
pub(super) fn unreadable(name: &str, error: &std::io::Error) -> String {
    format!("Unable to open configuration file '{name}': {}", message(error))
}

/// A lan.conf as it was read, for any number of systems.
#[derive(Debug)]
pub(super) struct LanConf {
    name: String,
    text: String,
    template: Template,
}

impl LanConf {
    /// `name` is what it is called in messages.
    pub(super) fn new(name: String, text: Vec<u8>) -> Self {
        let template = Template::new(&name, &text);
        // Without a copy, mostly.
        let text = String::from_utf8(text).unwrap_or_else(|text| String::from_utf8_lossy(text.as_bytes()).into_owned());
        Self { name, text, template }
    }

    /// The text, as far as it can be shown.
    #[cfg(feature = "program")]
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What it says for a system that something is known of, names looked up and files that are played read.
    pub(super) fn read(
        &self,
        given: Given,
        strictness: Strictness,
        recordings: &Recordings,
    ) -> (Option<Config>, Vec<Diagnostic>) {
        let (config, mut diagnostics) = self.template.config(given);
        let config = config.map(|mut config| {
            diagnostics.extend(look_up_names(&mut config, &self.name, &self.text));
            diagnostics.extend(recordings.load(&mut config, &self.name, &self.text));
            if strictness == Strictness::Strict {
                // C plug-ins cannot be loaded, which otherwise is a warning.
                for library in &config.libraries {
                    let lines = diagnostics.iter_mut().filter(|found| found.span.line == library.span.line);
                    lines.for_each(|found| found.severity = Severity::Error);
                }
            }
            config
        });
        diagnostics.sort_by_key(|diagnostic| (diagnostic.span.line, diagnostic.span.column));
        let failed = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        (config.filter(|_| !failed), diagnostics)
    }
}

/// The line of a text with this number, from 1.
pub fn source_line(text: &str, line: u32) -> String {
    let index = (line as usize).saturating_sub(1);
    text.split('\n').nth(index).unwrap_or_default().to_string()
}

/// Replaces every name in the configuration by the address it stands for.
pub(crate) fn look_up_names(config: &mut Config, file: &str, text: &str) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let mut look_up = |address: &mut Address, transport| {
        if let Err(message) = resolve(address, transport) {
            faults.push(Diagnostic {
                severity: Severity::Error,
                file: file.to_string(),
                span: address.span,
                message,
                source_line: source_line(text, address.span.line),
            });
        }
    };
    if let Some(address) = &mut config.console {
        look_up(address, Transport::Tcp);
    }
    for controller in &mut config.controllers {
        for address in controller.lans.iter_mut().filter_map(|lan| lan.address.as_mut()) {
            look_up(address, Transport::Udp);
        }
        for serial in &mut controller.serials {
            look_up(&mut serial.address, Transport::Tcp);
        }
    }
    faults
}
