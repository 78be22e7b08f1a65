//! Which names and addresses of a fleet are taken: two BMCs cannot have the same.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::faults::Finding;
use super::make::Maker;
use crate::config::{Diagnostic, Severity};
use crate::fleet::{Row, Rows};
use crate::runtime::configuration::{LanConf, source_line};
use crate::settings::model::Address;
use crate::sim::Effect;

/// The names of BMCs and the addresses of LAN channels, and whose they are.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    names: HashMap<Arc<str>, Arc<Path>>,
    taken: HashMap<SocketAddr, (Arc<str>, u32)>,
}

impl Addresses {
    /// Takes the name and the addresses of a system, unless another one has one of them: then that is what is wrong with it.
    pub(super) fn take(
        &mut self,
        maker: &Maker<'_>,
        (rows, row): (&Rows, &Row),
        name: &Arc<str>,
        effects: &[Effect],
    ) -> Option<Finding> {
        if let Some(other) = self.names.get(name) {
            return Some(same_name(row, name, other));
        }
        let opened = || {
            effects.iter().filter_map(|effect| match effect {
                Effect::OpenLan { address, .. } => {
                    Some((address, address.literal().filter(|place| place.port() != 0)?))
                }
                _ => None,
            })
        };
        for (address, place) in opened() {
            if let Some((other, line)) = self.taken.get(&place) {
                let lan_conf = maker.lan_conf(row);
                let written = source_line(lan_conf.as_deref().map_or("", LanConf::text), address.span.line);
                return Some(twice((rows, row), (name, other, *line), (address, place), written));
            }
        }
        self.names.insert(Arc::clone(name), Arc::clone(&row.lan_conf));
        for (_, place) in opened() {
            self.taken.insert(place, (Arc::clone(name), row.place.line));
        }
        None
    }

    /// The first and the last of them, and how many there are.
    pub(super) fn span(&self) -> Option<(SocketAddr, SocketAddr, usize)> {
        Some((*self.taken.keys().min()?, *self.taken.keys().max()?, self.taken.len()))
    }
}

/// Only lan.conf can say so; in lists names are looked at before.
pub(super) fn same_name(row: &Row, name: &str, other: &Path) -> Finding {
    let (file, other) = (row.lan_conf.display(), other.display());
    Finding::Problem(format!("{file}: the name '{name}' is that of {other} already: expected another, or name $name"))
}

/// In the list if the address comes from there, else in lan.conf.
fn twice(
    (rows, row): (&Rows, &Row),
    (name, other, line): (&str, &str, u32),
    (address, place): (&Address, SocketAddr),
    written: String,
) -> Finding {
    let whose = if line > 0 { format!("'{other}' in line {line}") } else { format!("'{other}'") };
    let text = format!("'{name}' has the address {} and port {}, which are those of {whose}", place.ip(), place.port());
    if written.contains('$')
        && let Some(fault) = rows.fault(rows.place_of(row, &address.host), Severity::Error, &*text)
    {
        return Finding::Fault(fault);
    }
    let hint = if written.contains('$') { "" } else { "; expected variables, as in addr $addr $port" };
    Finding::Fault(Diagnostic {
        severity: Severity::Error,
        file: row.lan_conf.display().to_string(),
        span: address.span,
        message: text + hint,
        source_line: written,
    })
}
