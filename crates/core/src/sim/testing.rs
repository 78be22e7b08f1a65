//! What tests of a whole system look at, and change, behind its back.

use super::return_path::ReturnPath;
use super::{Effects, LanId, SerialId, Simulator};
use crate::bmc::{Machine, StateFile};
use crate::ipmi::{McAddress, Moment, Request};
use crate::lan::LanChannel;
use crate::serial;

impl Simulator {
    /// The devices.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The devices; [`carry_out`](Self::carry_out) does what they want done.
    pub fn machine_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// Carries out what the devices want done.
    pub fn carry_out(&mut self, now: Moment, out: &mut Effects) {
        self.carry_out_actions(now, out);
    }

    /// A request of the host on a serial line.
    pub fn request_of_host(
        &mut self,
        now: Moment,
        line: (SerialId, serial::ResponseTo),
        request: &Request<'_>,
        out: &mut Effects,
    ) {
        let (serial, to) = line;
        self.request(now, serial.mc, request, ReturnPath::Serial(serial, to), out);
    }

    /// A LAN channel that lan.conf has.
    ///
    /// # Panics
    /// It has not.
    pub fn lan_channel(&self, lan: LanId) -> &LanChannel {
        self.lans.get(lan).expect("a LAN channel of lan.conf").channel()
    }

    /// When the SOL port of an MC wants to be called next.
    pub fn sol_deadline(&self, mc: McAddress) -> Option<Moment> {
        self.sols.deadline_of(mc)
    }

    /// When a state file that could not be written is tried again.
    pub fn next_save_attempt(&self) -> Option<Moment> {
        self.saves.next_attempt()
    }

    /// Name and content of a state file as it should be now; `None` when its owner is gone.
    pub fn content_of(&self, file: StateFile) -> Option<(String, Vec<u8>)> {
        Some((self.name_of(file), self.saves.items(&self.machine, file)?.emit()))
    }

    /// The name of a state file.
    pub fn name_of(&self, file: StateFile) -> String {
        self.configured.file_name(file)
    }
}
