//! lan.conf from its file to a configuration with every name looked up. May wait for the disk
//! and for name servers, so a running program calls it away from its loop.

use std::path::Path;

use crate::config::model::{Address, Config};
use crate::config::{Diagnostic, Severity, lan_conf};
use crate::host::names::{Transport, resolve};
use crate::store::directory::message;

/// What came of reading lan.conf.
#[derive(Debug)]
pub struct Read {
    /// The configuration, unless something in it is an error.
    pub config: Option<Config>,
    /// Errors and warnings as they are told, in the order of their lines.
    pub findings: Vec<String>,
}

/// Reads lan.conf and looks its names up. With `strict` what cannot be done as written is an
/// error.
pub fn read(path: &Path, strict: bool) -> Read {
    let name = path.display().to_string();
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) => {
            let text = format!("Unable to open configuration file '{name}': {}", message(&error));
            return Read { config: None, findings: vec![text] };
        }
    };
    let (config, mut diagnostics) = lan_conf::parse(&name, &text);
    let config = config.map(|mut config| {
        let text = String::from_utf8_lossy(&text);
        diagnostics.extend(look_up_names(&mut config, &name, &text));
        if strict {
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
    Read { config: config.filter(|_| !failed), findings: diagnostics.iter().map(Diagnostic::to_string).collect() }
}

fn source_line(text: &str, line: u32) -> String {
    let index = (line as usize).saturating_sub(1);
    text.split('\n').nth(index).unwrap_or_default().to_string()
}

/// Replaces every name in the configuration by the address it stands for.
fn look_up_names(config: &mut Config, file: &str, text: &str) -> Vec<Diagnostic> {
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
