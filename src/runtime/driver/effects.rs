//! What a system wants done, beyond what its seat does alone.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::consoles::Consoles;
use super::door::{Callers, is_caller};
use super::reload::{self, Reload};
use super::statements::Begun;
use super::systems::{Driven, Scope};
use super::unserved::{Extent, Unserved};
use super::{Driver, Ending, Failures};
use crate::bmc::LogLevel;
use crate::config::Span;
use crate::host::SystemId;
use crate::host::vm::Stdin;
use crate::runtime::lan::PortId;
use crate::runtime::lan_ports::{LanPorts, Notice};
use crate::runtime::log_text::printable;
use crate::runtime::logging::complain;
use crate::runtime::reports::Reports;
use crate::runtime::seat::{Seat, Surroundings};
use crate::settings::model::{Address, Port};
use crate::sim::{Change, ConsoleId, Effect, Input, LanId, Work};

/// What is around the seat of one system in the loop.
pub(super) struct Around<'a> {
    id: SystemId,
    scope: Scope,
    name: &'a str,
    /// What the program cannot go on without ends it.
    is_strict: bool,
    failed: &'a mut Vec<SystemId>,
    unserved: &'a mut Unserved,
    taken: &'a mut Vec<(PortId, SocketAddr, PortId)>,
    reload: &'a mut Option<Reload>,
    /// What to do when there is no BMC.
    without_bmc: Option<&'a str>,
    lans: &'a mut LanPorts,
    consoles: &'a mut Consoles,
    callers: &'a mut Option<Box<Callers>>,
    reports: &'a Reports,
    inputs: &'a mut VecDeque<(SystemId, Input<'static>)>,
    begun: &'a mut Option<Begun>,
    ending: &'a mut Option<Ending>,
}

impl Driver {
    /// Carries out what a system that was called wants done.
    pub(super) fn carry_out(&mut self, id: SystemId) {
        self.called(id);
        self.carry_out_all();
    }

    /// What is wanted since the last call of this is that of a system.
    pub(super) fn called(&mut self, id: SystemId) {
        let end = self.effects.list.len();
        match self.called.last_mut() {
            Some((last, until)) if *last == id => *until = end,
            _ => self.called.push((id, end)),
        }
    }

    /// Carries out what all systems that were called want done.
    pub(super) fn carry_out_all(&mut self) {
        // Taken out so that carrying out may use the rest of the driver; both keep their
        // memory.
        let mut called = std::mem::take(&mut self.called);
        for (id, _) in &called {
            self.arm(*id);
        }
        if self.callers.is_some() {
            called.iter().for_each(|(id, _)| self.tell_callers(*id));
        }
        if self.effects.list.is_empty() {
            called.clear();
            self.called = called;
            return;
        }
        let mut effects = std::mem::take(&mut self.effects);
        let mut systems = called.drain(..);
        let mut whose = systems.next();
        for (effect, number) in effects.list.drain(..).zip(0..) {
            while whose.is_some_and(|(_, end)| number >= end) {
                whose = systems.next();
            }
            let Some((id, _)) = whose else { break };
            match effect {
                Effect::Send { lan, to, start, end } => {
                    self.lans.send(PortId { system: id, lan }, to, (start, end), &effects.bytes);
                }
                other => {
                    self.lans.flush(&effects.bytes);
                    self.effect(id, other);
                }
            }
        }
        drop(systems);
        self.lans.flush(&effects.bytes);
        effects.clear();
        (self.effects, self.called) = (effects, called);
        while let Some((port, address, by)) = self.taken.pop() {
            let other = self.systems.get(by.system).map_or("", Driven::name);
            let text = format!("Unable to bind to LAN port: {address} is that of {other} ({by})");
            self.with(port.system, |_, mut around| around.fatal(&text));
        }
    }

    pub(super) fn effect(&mut self, id: SystemId, effect: Effect) {
        self.with(id, |seat, mut around| seat.carry_out(effect, &mut around));
    }

    /// Does something with a seat and what is around it.
    pub(super) fn with<T>(&mut self, id: SystemId, call: impl FnOnce(&mut Seat, Around<'_>) -> T) -> Option<T> {
        let Self {
            scope,
            systems,
            failed,
            unserved,
            taken,
            lans,
            consoles,
            callers,
            reports,
            inputs,
            begun,
            ending,
            ..
        } = self;
        let is_strict = *scope == Scope::One || (self.failures == Failures::Fatal && self.life.is_starting());
        let Driven { seat, announcement, reload, .. } = systems.get_mut(id)?;
        let around = Around {
            id,
            scope: *scope,
            name: &announcement.name,
            is_strict,
            failed,
            unserved,
            taken,
            reload,
            without_bmc: announcement.without_bmc.as_deref(),
            lans,
            consoles,
            callers,
            reports,
            inputs,
            begun,
            ending,
        };
        Some(call(seat, around))
    }
}

impl Around<'_> {
    /// With the name of the system, where there are many.
    fn said<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.scope {
            Scope::One => text.into(),
            Scope::Fleet => format!("{}: {text}", self.name).into(),
        }
    }

    /// The system cannot be served as it is set up; for the most part because of this address.
    fn not_served(&mut self, text: String, about: Option<IpAddr>) {
        if let Some(callers) = self.callers {
            callers.trouble(self.id, &text);
        }
        self.unserved(Extent::System, text, about);
        if self.is_strict {
            // The first reason to end counts.
            self.ending.get_or_insert(Ending::Status(1));
        } else {
            self.failed.push(self.id);
        }
    }

    /// Of a fleet it is told later, once for all with the same reason.
    fn unserved(&mut self, extent: Extent, text: String, about: Option<IpAddr>) {
        match (self.scope, extent) {
            (Scope::Fleet, _) => self.unserved.add(self.name, extent, text, about),
            (Scope::One, Extent::System) => self.reports.fatal(&text),
            (Scope::One, Extent::Part(level)) => self.reports.report(level, &text),
        }
    }
}

impl Surroundings for Around<'_> {
    fn tell(&mut self, input: Input<'static>) {
        self.inputs.push_back((self.id, input));
    }

    fn open_lan(&mut self, lan: LanId, address: &Address) {
        let id = PortId { system: self.id, lan };
        let about = address.literal().map(|address| address.ip());
        for notice in self.lans.open(id, address) {
            match notice {
                Notice::Say(text) if self.scope == Scope::One => self.consoles.say(&text),
                Notice::Say(_) => {}
                Notice::Report(level, text) => self.unserved(Extent::Part(level), text, about),
                Notice::Opened(local) => {
                    let served = self.lans.served(id);
                    self.tell(Input::LanOpened(lan, local, served));
                }
                Notice::Stays(asked) => {
                    let (host, port) = (asked.ip().to_string(), Port::Number(asked.port()));
                    let address = Address { host, port, span: Span::default(), other_family: None };
                    self.tell(Input::LanStays(lan, Some(address)));
                }
                Notice::Fatal(text) => self.not_served(text, about),
                Notice::Taken(address, by) => self.taken.push((id, address, by)),
            }
        }
    }

    fn print(&mut self, console: Option<ConsoleId>, text: &str) {
        match console {
            Some(console) if is_caller(console) => {
                if let Some(callers) = self.callers {
                    callers.print(console, text);
                }
            }
            Some(console) => self.consoles.print(console, text),
            None if self.scope == Scope::One => self.consoles.print_standard(text),
            // Nobody reads what the command files of thousands print.
            None => {}
        }
    }

    fn log(&mut self, level: LogLevel, text: &str) {
        self.reports.log(level, &self.said(text));
    }

    fn log_on_consoles(&mut self, level: LogLevel, text: &str) {
        let text = self.said(text);
        let text = &*printable(&text);
        self.reports.log(level, text);
        self.consoles.tell(text);
    }

    fn fatal(&mut self, text: &str) {
        self.not_served(text.into(), None);
    }

    fn no_bmc(&mut self, text: &str) {
        if self.scope == Scope::One {
            // The original logs it, and its console shows the log.
            self.consoles.print_standard(&format!("{text}\n"));
        }
        self.fatal(text);
        if let Some(hint) = self.without_bmc {
            complain(hint);
        }
    }

    fn listens(&mut self, address: SocketAddr) {
        self.reports.warn_of_an_open_port("serial port", address);
    }

    fn begins(&mut self, work: &Work) {
        if let Work::Save { name, .. } = work
            && let Some(reload) = self.reload
        {
            reload.outdated(name);
        }
        if let Some(begun) = self.begun.as_mut().filter(|begun| begun.system == self.id) {
            let list = if matches!(work, Work::Save { .. }) { &mut begun.saves } else { &mut begun.work };
            list.push(work.id());
        }
    }

    fn reloaded(&mut self, changes: &[Change]) {
        match self.scope {
            Scope::One => reload::tell_changes(self.reports, changes),
            Scope::Fleet => {
                for change in changes {
                    self.reports.report(LogLevel::Info, &self.said(&format!("SIGHUP: {change}")));
                }
            }
        }
    }

    fn stdin(&self) -> Stdin {
        if self.consoles.standard().is_some() { Stdin::Nothing } else { Stdin::Inherited }
    }
}
