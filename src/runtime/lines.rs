//! The lines of systems: peers of serial channels, IPMB devices and SOL ports.
//!
//! Owns their tasks; what they bring comes as [`HostEvent`](crate::host::HostEvent)s.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::sync::mpsc::UnboundedSender;

use crate::host::ipmb_device::{self, IpmbDevice};
use crate::host::serial_peer::Outgoing;
use crate::host::sol_port::{self, SolCommand};
use crate::host::tty::FlowControl;
use crate::host::{HostEvents, lock_file, serial_peer, tcp};
use crate::ipmi::McAddress;
use crate::settings::model::{Address, SolTarget};
use crate::sim::{IpmbId, SerialId};
use crate::store::directory::message;

/// All lines.
pub struct Lines {
    /// Serial channels, each with the number of the present connection.
    serials: BTreeMap<SerialId, (UnboundedSender<Outgoing>, u64)>,
    ipmbs: BTreeMap<IpmbId, UnboundedSender<Vec<u8>>>,
    sols: BTreeMap<McAddress, UnboundedSender<SolCommand>>,
    events: HostEvents,
}

impl Lines {
    /// None yet.
    pub fn new(events: HostEvents) -> Self {
        Self { serials: BTreeMap::new(), ipmbs: BTreeMap::new(), sols: BTreeMap::new(), events }
    }

    /// Whether no channel is open.
    pub fn is_empty(&self) -> bool {
        self.serials.is_empty() && self.ipmbs.is_empty()
    }

    /// The serial channels and the IPMB channels that are open, in order.
    pub fn open(&self) -> (Vec<SerialId>, Vec<IpmbId>) {
        let (mut serials, mut ipmbs): (Vec<_>, Vec<_>) =
            (self.serials.keys().copied().collect(), self.ipmbs.keys().copied().collect());
        serials.sort_unstable();
        ipmbs.sort_unstable();
        (serials, ipmbs)
    }

    /// Listens for the peer of a serial channel; does nothing when that is so already. Gives the address where
    /// everybody may connect.
    ///
    /// # Errors
    /// The address is none, or cannot be had.
    pub fn listen_serial(&mut self, serial: SerialId, address: &Address) -> Result<Option<SocketAddr>, String> {
        if self.serials.contains_key(&serial) {
            return Ok(None);
        }
        let address = serial_address(address)?;
        let listener = tcp::listen(address)
            .map_err(|error| format!("Unable to bind to serial TCP port: {}: {address}", message(&error)))?;
        let peer = serial_peer::serve(serial, listener, self.events.clone());
        self.serials.insert(serial, (peer, 0));
        Ok(Some(address))
    }

    /// Connects to the peer of a serial channel, now and whenever it is gone; does nothing when that is so already.
    ///
    /// # Errors
    /// The address is none.
    pub fn connect_serial(&mut self, serial: SerialId, address: &Address) -> Result<(), String> {
        if self.serials.contains_key(&serial) {
            return Ok(());
        }
        let peer = serial_peer::connect(serial, serial_address(address)?, self.events.clone());
        self.serials.insert(serial, (peer, 0));
        Ok(())
    }

    /// What is written from now on is for the peer of this connection.
    pub fn connected(&mut self, serial: SerialId, connection: u64) {
        if let Some((_, present)) = self.serials.get_mut(&serial) {
            *present = connection;
        }
    }

    /// Writes to the peer of a serial channel.
    pub fn write_serial(&self, serial: SerialId, bytes: Vec<u8>) {
        if let Some((peer, connection)) = self.serials.get(&serial) {
            let _ = peer.send(Outgoing { connection: *connection, bytes });
        }
    }

    /// Opens an IPMB device, unless it is open.
    ///
    /// # Errors
    /// The operating system's.
    pub fn open_ipmb(&mut self, ipmb: IpmbId, name: &str) -> Result<(), String> {
        if self.ipmbs.contains_key(&ipmb) {
            return Ok(());
        }
        let device = IpmbDevice::open(name)
            .map_err(|error| format!("Unable to open ipmi device file: {name}: {}", message(&error)))?;
        self.ipmbs.insert(ipmb, ipmb_device::serve(ipmb, name.to_owned(), device, self.events.clone()));
        Ok(())
    }

    /// Writes a message to an IPMB device.
    pub fn write_ipmb(&self, ipmb: IpmbId, bytes: Vec<u8>) {
        if let Some(device) = self.ipmbs.get(&ipmb) {
            let _ = device.send(bytes);
        }
    }

    /// Closes all.
    pub fn close(&mut self) {
        self.serials = BTreeMap::new();
        self.ipmbs = BTreeMap::new();
        self.sols = BTreeMap::new();
    }

    /// Opens the SOL port of an MC, now and whenever it is lost.
    pub fn open_sol(&mut self, mc: McAddress, target: SolTarget, bit_rate: u32, flow_control: FlowControl) {
        let events = &self.events;
        self.sols.entry(mc).or_insert_with(|| {
            let settings = sol_port::Settings::new(mc, target, bit_rate, flow_control);
            sol_port::start(settings, lock_file::held(), events.clone())
        });
    }

    /// Tells the SOL port of an MC something.
    pub fn sol(&self, mc: McAddress, command: SolCommand) {
        if let Some(port) = self.sols.get(&mc) {
            let _ = port.send(command);
        }
    }
}

fn serial_address(address: &Address) -> Result<SocketAddr, String> {
    address.literal().ok_or_else(|| format!("Unable to bind to serial TCP port: {} is not an address", address.host))
}
