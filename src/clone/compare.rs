//! What two machines have that is not the same.
//!
//! Everything that a walk takes is compared by what it means: records of sensors and devices by their keys and fields, inventories by
//! their parts, logs by their order, parameters by their numbers. What nobody here knows the meaning of is compared as bytes.

mod fields;
mod inventory;
mod log;
mod records;
mod sensors;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::model::{BMC, Controller, Machine, Request, Response};
use super::reads::{Read, Use};
use crate::bmc::lan_parameters::number::PRIMARY_PORT;

/// What a difference is about, so that some can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Times, and counters that run.
    Time,
    /// GUIDs.
    Guid,
    /// What sensors read, and the states that they have seen.
    Readings,
    /// The records of event logs, and how full these are.
    Log,
    /// What tells machines of one kind apart: serial numbers, asset tags, MAC and IP addresses, host and system names.
    Identity,
    /// Everything else.
    Settings,
}

impl Class {
    /// Those that can be left out.
    pub const NAMED: [Self; 5] = [Self::Time, Self::Guid, Self::Readings, Self::Log, Self::Identity];
    /// Those that are left out unless somebody asks for them: nobody can make them the same.
    pub const USUALLY_IGNORED: [Self; 3] = [Self::Time, Self::Guid, Self::Readings];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Guid => "guid",
            Self::Readings => "readings",
            Self::Log => "log",
            Self::Identity => "identity",
            Self::Settings => "settings",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Of what: a sensor, an inventory, a channel.
    pub subject: String,
    /// What of it.
    pub what: String,
    /// What the first machine has; `None`: it is not there.
    pub a: Option<String>,
    /// What the second has.
    pub b: Option<String>,
    /// What it is about.
    pub class: Class,
}

/// Something of a machine that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// What it is.
    pub what: String,
    /// As it is shown.
    pub shown: String,
    /// What a difference in it is about.
    pub class: Class,
}

impl Value {
    fn new(what: impl Into<String>, shown: impl Into<String>, class: Class) -> Self {
        Self { what: what.into(), shown: shown.into(), class }
    }
}

/// The differences of two machines, in the order of their subjects.
pub fn compare(a: &Machine, b: &Machine) -> Vec<Difference> {
    let mut found = Found::default();
    exchanges(a, b, &mut found);
    let addresses: BTreeSet<u8> = a.controllers.iter().chain(&b.controllers).map(|it| it.address).collect();
    for address in addresses {
        let of = |machine: &Machine| machine.controllers.iter().position(|it| it.address == address);
        let [in_a, in_b] = [(a, of(a)), (b, of(b))].map(|(machine, at)| at.and_then(|at| machine.controllers.get(at)));
        match (in_a, in_b) {
            (Some(a), Some(b)) => controllers(a, b, &mut found),
            (a, b) => found.presence(&subject(address, "controller"), a.is_some(), b.is_some()),
        }
    }
    found.0
}

fn controllers(a: &Controller, b: &Controller, found: &mut Found) {
    let mc = a.address;
    records::compare(&subject(mc, "SDR"), a.repository.as_deref(), b.repository.as_deref(), found);
    let luns: BTreeSet<&u8> = a.device_sdrs.keys().chain(b.device_sdrs.keys()).collect();
    for lun in luns {
        let [a, b] = [a, b].map(|controller| controller.device_sdrs.get(lun).map(Vec::as_slice));
        records::compare(&subject(mc, &format!("device SDR of LUN {lun}")), a, b, found);
    }
    sensors::compare(mc, &a.sensors, &b.sensors, found);
    inventory::compare(mc, &a.frus, &b.frus, found);
    log::compare(&subject(mc, "event log"), a.sel.as_ref(), b.sel.as_ref(), found);
}

/// Requests whose responses are kept, one by one.
fn exchanges(a: &Machine, b: &Machine, found: &mut Found) {
    let all: BTreeSet<&Request> = a.exchanges.keys().chain(b.exchanges.keys()).collect();
    for request in all {
        let read = request.read();
        if read.is_some_and(|read| read.purpose() == Use::Step) || is_port(request) {
            continue;
        }
        let subject = subject(request.mc, &fields::subject(request));
        let of = |machine: &Machine| machine.exchanges.get(request).cloned();
        match (of(a), of(b)) {
            (Some(a), Some(b)) if a == b => {}
            (Some(Response { code: 0, data: a }), Some(Response { code: 0, data: b })) => {
                found.values(&subject, fields::values(request, &a), fields::values(request, &b));
            }
            // One has room for more users.
            (Some(Response { code: 0, data }), None) | (None, Some(Response { code: 0, data }))
                if fields::is_nobody(request, &data) => {}
            (a, b) => refused(&subject, request, [a, b], found),
        }
    }
}

/// One of two says nothing, or that it cannot.
fn refused(subject: &str, request: &Request, told: [Option<Response>; 2], found: &mut Found) {
    let mut class = Class::Settings;
    let [a, b] = told.map(|response| {
        let response = response?;
        if response.code != 0 {
            return Some(format!("completion code {:02x}h", response.code));
        }
        let values = fields::values(request, &response.data);
        class = values.iter().map(|value| value.class).find(|class| *class != Class::Settings).unwrap_or(class);
        Some(match values.as_slice() {
            [only] => only.shown.clone(),
            _ => values.iter().map(|value| format!("{} {}", value.what, value.shown)).collect::<Vec<_>>().join(", "),
        })
    });
    found.push(subject, &fields::name(request), a, b, class);
}

/// Whether it asks for the UDP port that the BMC listens at, which is a matter of where it is.
fn is_port(request: &Request) -> bool {
    request.is(Read::LanParameters) && request.data.get(1) == Some(&PRIMARY_PORT)
}

/// Whose it is: of the BMC nothing is said.
fn subject(mc: u8, what: &str) -> String {
    if mc == BMC { what.to_owned() } else { format!("{what} at {mc:#04x}") }
}

/// Differences that were found.
#[derive(Default)]
struct Found(Vec<Difference>);

impl Found {
    fn push(&mut self, subject: &str, what: &str, a: Option<String>, b: Option<String>, class: Class) {
        self.0.push(Difference { subject: subject.to_owned(), what: what.to_owned(), a, b, class });
    }

    /// A value of the first, and what the second has in its place, which is different.
    fn one(&mut self, subject: &str, a: Value, b: String) {
        self.push(subject, &a.what, Some(a.shown), Some(b), a.class);
    }

    /// One of two has it.
    fn presence(&mut self, subject: &str, a: bool, b: bool) {
        let shown = |is_there: bool| is_there.then(|| "there".to_owned());
        self.push(subject, "is there", shown(a), shown(b), Class::Settings);
    }

    /// Values of the same thing, by what they are. One that is there more than once is compared in order.
    fn values(&mut self, subject: &str, a: Vec<Value>, b: Vec<Value>) {
        let mut rest: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for value in b.into_iter().rev() {
            rest.entry(value.what.clone()).or_default().push(value);
        }
        for value in a {
            match rest.get_mut(&value.what).and_then(Vec::pop) {
                Some(other) if other.shown == value.shown => {}
                Some(other) => self.one(subject, value, other.shown),
                None => self.push(subject, &value.what, Some(value.shown), None, value.class),
            }
        }
        for value in rest.into_values().flat_map(|values| values.into_iter().rev()) {
            self.push(subject, &value.what, None, Some(value.shown), value.class);
        }
    }
}

/// Bytes as two digits each, with blanks.
fn hexadecimal(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "no bytes".into();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone::model::{Fru, Sel, Sensor};
    use crate::clone::scrub;

    fn machine() -> Machine {
        let mut machine = Machine::new("a");
        machine.keep(Request::new(BMC, Read::UserName, [2]), Response::done(*b"admin\0\0\0\0\0\0\0\0\0\0\0"));
        machine.keep(Request::new(BMC, Read::LanParameters, [1, 3, 0, 0]), Response::done([0x11, 10, 0, 0, 1]));
        machine.keep(Request::new(BMC, Read::SystemGuid, []), Response::done([7; 16]));
        machine.keep(Request::new(BMC, Read::SelInfo, []), Response::done([1]));
        let bmc = machine.controller_mut(BMC).unwrap();
        let sensor = Sensor {
            number: 1,
            name: "CPU Temp".into(),
            sensor_type: 1,
            event_reading_code: 1,
            reading: Some([40, 0xc0, 0xc0].into()),
            thresholds: Some([0x18, 0, 0, 0, 80, 90, 0].into()),
            ..Sensor::default()
        };
        bmc.sensors.push(sensor);
        bmc.frus.push(Fru { lun: 0, device: 0, data: scrub::fru::tests::whole().into() });
        let record: &[u8] = b"\x01\x00\x51\x12\x0f\x20\x00\x80\xbf\x00\x00\x00\x2e\x01\x00\xc4Main";
        let maker: &[u8] = b"\x02\x00\x51\xc0\x04\xd9\x7e\x00\x01";
        bmc.repository = Some(vec![record.into(), maker.into()]);
        let logged = [1, 2, 3].map(|id| [id, 0, 2, id, 0, 0, 0, 0x20, 0, 4, 1, 1, 1, 0x57, id, 0]);
        bmc.sel = Some(Sel {
            records: logged.map(|record| record.into()).to_vec(),
            free: 1600,
            support: 2,
            ..Sel::default()
        });
        machine
    }

    fn changed(change: impl FnOnce(&mut Machine)) -> Vec<Difference> {
        let (a, mut b) = (machine(), machine());
        change(&mut b);
        let there = compare(&a, &b);
        let back = compare(&b, &a);
        assert_eq!(there.len(), back.len());
        there
    }

    #[track_caller]
    fn one(change: impl FnOnce(&mut Machine), subject: &str, what: &str, a: &str, b: &str, class: Class) {
        let found = changed(change);
        let text = |text: &str| (text != "-").then(|| text.to_owned());
        let expected = Difference { subject: subject.into(), what: what.into(), a: text(a), b: text(b), class };
        assert_eq!(found, [expected]);
    }

    fn bmc(machine: &mut Machine) -> &mut Controller {
        machine.controller_mut(BMC).unwrap()
    }

    #[test]
    fn the_same_is_the_same_and_steps_are_not_compared() {
        assert_eq!(changed(|_| ()), []);
        assert_eq!(changed(|it| it.keep(Request::new(BMC, Read::SelInfo, []), Response::done([2]))), []);
        assert_eq!(changed(|it| it.name = "b".into()), []);
    }

    #[test]
    fn what_is_different_is_named() {
        one(
            |it| it.keep(Request::new(BMC, Read::UserName, [2]), Response::done(*b"root\0\0\0\0\0\0\0\0\0\0\0\0")),
            "user 2",
            "name",
            "admin",
            "root",
            Class::Settings,
        );
        one(
            |it| it.keep(Request::new(BMC, Read::LanParameters, [1, 3, 0, 0]), Response::done([0x11, 10, 0, 0, 2])),
            "LAN channel 1",
            "IP address",
            "10.0.0.1",
            "10.0.0.2",
            Class::Identity,
        );
        one(
            |it| it.keep(Request::new(BMC, Read::SystemGuid, []), Response::refused(0xc1)),
            "system",
            "System GUID",
            "07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07",
            "completion code c1h",
            Class::Guid,
        );
        one(
            |it| bmc(it).sensors[0].thresholds = Some([0x18, 0, 0, 0, 80, 91, 0].into()),
            "sensor CPU Temp (0.1)",
            "upper critical",
            "5ah (90)",
            "5bh (91)",
            Class::Settings,
        );
        one(
            |it| bmc(it).sensors[0].reading = Some([41, 0xc0, 0xc0].into()),
            "sensor CPU Temp (0.1)",
            "reading",
            "28h (40)",
            "29h (41)",
            Class::Readings,
        );
        one(
            |it| bmc(it).sensors[0].reading = Some([40, 0x80, 0xc0].into()),
            "sensor CPU Temp (0.1)",
            "scanning",
            "enabled",
            "disabled",
            Class::Settings,
        );
        one(|it| bmc(it).sensors.clear(), "sensor CPU Temp (0.1)", "is there", "there", "-", Class::Settings);
        one(
            |it| it.controllers.push(Controller { address: 0x82, ..Controller::default() }),
            "controller at 0x82",
            "is there",
            "-",
            "there",
            Class::Settings,
        );
    }

    #[test]
    fn a_byte_of_an_inventory_is_found_wherever_it_is() {
        let length = machine().controllers[0].frus[0].data.len();
        for at in 0..length {
            let found = changed(|it| bmc(it).frus[0].data.0[at] ^= 0x01);
            assert!(!found.is_empty(), "byte {at}");
            assert!(found.iter().all(|it| it.subject == "inventory 0"), "byte {at}: {found:?}");
        }
        let serial = machine().controllers[0].frus[0].data.windows(8).rposition(|it| it == b"CS-40417").unwrap();
        one(
            |it| bmc(it).frus[0].data.0[serial + 7] = b'8',
            "inventory 0",
            "chassis serial number",
            "CS-40417",
            "CS-40418",
            Class::Identity,
        );
    }

    #[test]
    fn records_are_compared_by_their_fields() {
        one(
            |it| bmc(it).repository.as_mut().unwrap()[0].0[16] = b'm',
            "SDR Main",
            "id_string",
            "\"Main\"",
            "\"main\"",
            Class::Settings,
        );
        one(
            |it| bmc(it).repository.as_mut().unwrap()[1].0[8] = 2,
            "SDR of type c0h",
            "bytes",
            "d9 7e 00 01",
            "d9 7e 00 02",
            Class::Settings,
        );
        one(
            |it| {
                bmc(it).repository.as_mut().unwrap().remove(0);
            },
            "SDR Main",
            "is there",
            "there",
            "-",
            Class::Settings,
        );
        one(
            |it| bmc(it).repository.as_mut().unwrap().swap(0, 1),
            "SDR",
            "order",
            "18, 192",
            "192, 18",
            Class::Settings,
        );
        one(|it| bmc(it).repository.as_mut().unwrap()[0].0[0] = 9, "SDR Main", "record id", "1", "9", Class::Settings);
        one(|it| bmc(it).repository = None, "SDR", "is there", "there", "-", Class::Settings);
    }

    #[test]
    fn logs_are_compared_by_their_order() {
        let records = |it: &mut Machine| std::mem::take(&mut bmc(it).sel.as_mut().unwrap().records);
        one(
            |it| {
                let mut all = records(it);
                all.remove(1);
                bmc(it).sel.as_mut().unwrap().records = all;
            },
            "event log",
            "record",
            "02 20 00 04 01 01 01 57 02 00",
            "-",
            Class::Log,
        );
        one(
            |it| bmc(it).sel.as_mut().unwrap().records[0].0[4] = 9,
            "event log",
            "times of records",
            "1 different",
            "1 different",
            Class::Time,
        );
        one(|it| bmc(it).sel.as_mut().unwrap().free = 0, "event log", "free bytes", "1600", "0", Class::Log);
        one(
            |it| bmc(it).sel.as_mut().unwrap().support = 0x0a,
            "event log",
            "operations",
            "02h",
            "0ah",
            Class::Settings,
        );
    }
}
