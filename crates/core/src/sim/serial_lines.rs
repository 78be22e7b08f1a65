//! Serial channels: their lines joined to the machine, and the host behind channel 15.

use super::Simulator;
use super::effect::{Effect, Effects, SerialId};
use super::return_path::ReturnPath;
use crate::bmc::{self, LogLevel};
use crate::ipmi::{ChannelNumber, CompletionCode, HostSignal, McAddress, Medium, Moment, Origin, Request, Response};
use crate::lan::LogLimit;
use crate::serial::{self, Fault, Inbound, Line};
use crate::settings::model::SerialConfig;

/// One serial channel.
struct SerialSlot {
    id: SerialId,
    config: SerialConfig,
    /// Whether it was asked to be opened.
    open: bool,
    line: Line,
    /// Whoever is at the line can send nothing but faults.
    faults: LogLimit,
}

impl SerialSlot {
    fn new(mc: McAddress, config: SerialConfig) -> Self {
        let line = Line::new(serial::Settings {
            codec: config.codec,
            oem: config.oem,
            attention: config.attention.clone(),
            ipmb: config.ipmb,
            controller: mc,
        });
        Self { id: SerialId { mc, channel: config.channel }, config, open: false, line, faults: LogLimit::default() }
    }
}

/// The serial channels of all controllers.
#[derive(Default)]
pub(super) struct SerialLines {
    slots: Vec<SerialSlot>,
}

impl SerialLines {
    /// One more, not open yet.
    pub(super) fn add(&mut self, mc: McAddress, config: SerialConfig) {
        self.slots.push(SerialSlot::new(mc, config));
    }

    /// Has the lines of a controller opened, unless that was asked for before.
    pub(super) fn open(&mut self, mc: McAddress, out: &mut Effects) {
        for slot in self.slots.iter_mut().filter(|slot| slot.id.mc == mc && !slot.open) {
            slot.open = true;
            out.list.push(Effect::OpenSerial {
                serial: slot.id,
                address: slot.config.address.clone(),
                connect: slot.config.connect,
            });
        }
    }

    fn get_mut(&mut self, serial: SerialId) -> Option<&mut SerialSlot> {
        self.slots.iter_mut().find(|slot| slot.id == serial)
    }

    /// Sends what `write` has a line say; a line nobody is connected to says nothing.
    fn say(&mut self, serial: SerialId, out: &mut Effects, write: impl FnOnce(&mut Line, &mut Vec<u8>)) {
        let Some(slot) = self.get_mut(serial) else { return };
        let mut bytes = Vec::new();
        write(&mut slot.line, &mut bytes);
        if !bytes.is_empty() {
            out.list.push(Effect::Serial { serial, bytes });
        }
    }
}

impl Simulator {
    /// The peer of a serial channel connected.
    pub(super) fn serial_connected(&mut self, now: Moment, serial: SerialId, out: &mut Effects) {
        let Some(slot) = self.serials.get_mut(serial) else { return };
        let mut bytes = Vec::new();
        slot.line.connected(&mut bytes);
        out.list.push(Effect::Serial { serial, bytes });
        if serial.channel == ChannelNumber::SYSTEM_INTERFACE {
            if let Some(mut at) = self.machine.at(serial.mc) {
                bmc::host_connected(&mut at, now);
            }
            self.carry_out_actions(now, out);
        }
    }

    /// The peer of a serial channel is gone.
    pub(super) fn serial_disconnected(&mut self, now: Moment, serial: SerialId, out: &mut Effects) {
        let Some(slot) = self.serials.get_mut(serial) else { return };
        slot.line.disconnected();
        if serial.channel == ChannelNumber::SYSTEM_INTERFACE {
            if let Some(mut at) = self.machine.at(serial.mc) {
                bmc::host_disconnected(&mut at, now);
            }
            self.carry_out_actions(now, out);
        }
    }

    /// Bytes came from the peer of a serial channel.
    pub(super) fn serial_data(&mut self, now: Moment, serial: SerialId, bytes: &[u8], out: &mut Effects) {
        let Some(slot) = self.serials.get_mut(serial) else { return };
        let mut inbound = Vec::new();
        slot.line.receive(bytes, &mut inbound);
        for item in inbound {
            match item {
                Inbound::Message { response_to, data } => self.serial_message(now, serial, response_to, &data, out),
                Inbound::Capabilities(capabilities) => {
                    if serial.channel == ChannelNumber::SYSTEM_INTERFACE
                        && let Some(mut at) = self.machine.at(serial.mc)
                    {
                        bmc::host_announced(&mut at, capabilities.bits);
                    }
                }
                Inbound::HostReset => {}
                Inbound::Write(bytes) => out.list.push(Effect::Serial { serial, bytes }),
                Inbound::Fault(fault) => self.log_fault(now, serial, fault, out),
            }
        }
    }

    fn log_fault(&mut self, now: Moment, serial: SerialId, fault: Fault, out: &mut Effects) {
        let Some(slot) = self.serials.get_mut(serial) else { return };
        let Some(held_back) = slot.faults.permit(now) else { return };
        let mut text = format!("Serial channel {} of MC {:#04x}: {fault}", serial.channel, serial.mc);
        if held_back > 0 {
            text.push_str(&format!(" ({held_back} such lines were left out before)"));
        }
        out.list.push(Effect::Log { level: LogLevel::Warning, text });
    }

    fn serial_message(
        &mut self,
        now: Moment,
        serial: SerialId,
        to: serial::ResponseTo,
        data: &[u8],
        out: &mut Effects,
    ) {
        let origin = Origin {
            channel: serial.channel,
            medium: Medium::System,
            privilege: None,
            session: None,
            bridged: false,
            requester: to.rq_addr,
            requester_lun: to.rq_lun,
        };
        let path = ReturnPath::Serial(serial, to);
        let refusal = if to.netfn & 1 != 0 {
            // A response to a forwarded request; the host answers those by Send Message.
            Some(CompletionCode::NOT_PRESENT)
        } else if to.rs_lun == 2 {
            Some(CompletionCode::INVALID_FIELD)
        } else {
            None
        };
        match refusal {
            Some(code) => self.answer(now, path, &Response::with_code(&origin, code), out),
            None => {
                let request = Request { netfn: to.netfn, cmd: to.cmd, lun: to.rs_lun, origin, data };
                self.request(now, serial.mc, &request, path, out);
            }
        }
    }

    pub(super) fn serial_response(
        &mut self,
        serial: SerialId,
        to: &serial::ResponseTo,
        response: &[u8],
        out: &mut Effects,
    ) {
        self.serials.say(serial, out, |line, bytes| line.respond(to, response, bytes));
    }

    /// The message in the buffer goes out on a line that forwarded its request.
    pub(super) fn line_bridged_response(&mut self, serial: SerialId, out: &mut Effects) {
        let message = &self.message;
        self.serials.say(serial, out, |line, bytes| line.bridged_response(message, bytes));
    }

    /// Tells the host of a controller something, if one is connected.
    pub(super) fn signal_host(&mut self, mc: McAddress, signal: HostSignal, out: &mut Effects) {
        let serial = SerialId { mc, channel: ChannelNumber::SYSTEM_INTERFACE };
        self.serials.say(serial, out, |line, bytes| line.signal(signal, bytes));
    }
}
