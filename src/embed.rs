//! A BMC inside another program: set up by values or texts, on a thread of its own or in the caller's tokio runtime, and
//! gone with the value.
//!
//! Owns the life of such a BMC and what its owner can do with it. The system behind it is the same
//! [`Simulator`] that the program runs.

mod builder;
mod error;
mod events;
mod lan;
mod seat;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use builder::Builder;
pub use error::{Faults, RunError, StartError};
pub use events::Events;

use crate::bmc::Error;
use crate::bmc::boot::{Boots, Device};
use crate::bmc::chassis::Control;
use crate::config::command::Statement;
use crate::config::{Diagnostic, Severity};
use crate::ipmi::{ChannelNumber, McAddress, Moment, Privilege, UserNumber};
use crate::runtime::script::{Folders, Script};
use crate::runtime::statement::{ONE_BMC, STATEMENTS, StatementOutcome};
use crate::sim::{Effects, LogRecord, SensorState, Simulator, UserAccount};
use seat::Shared;

/// A BMC that responses IPMI over LAN as long as this value lives.
///
/// Made by [`Bmc::builder`]. All functions return at once: they take a turn between two commands of clients, in async
/// code as well. When the value is dropped the socket is closed; on a thread of its own everything that was to
/// be kept is on the disk then, and in a runtime of the caller [`stop`](Self::stop) waits for it.
///
/// ```
/// use ipmi_sim::{Bmc, BootDevice, Boots, Control, Event};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bmc = Bmc::builder().user("admin", "admin").start()?;
/// let mut events = bmc.events();
///
/// bmc.control(Control::PowerUp)?;
/// assert!(bmc.power());
/// bmc.set_boot_device(BootDevice::PXE, Boots::Next)?;
/// assert!(matches!(events.next(), Some(Event::PowerAsked { control: Control::PowerUp, .. })));
///
/// bmc.set_sensor_value(1, 92.0)?;
/// let entry = bmc.event_log().last().and_then(|record| record.event).expect("an event");
/// assert_eq!((entry.sensor, entry.asserted), (1, true));
///
/// let fault = bmc.run("sensor_set_value 0x20 0 99 1 1").unwrap_err();
/// assert!(fault.to_string().contains("<statements>:1:"), "{fault}");
/// # Ok(())
/// # }
/// ```
pub struct Bmc {
    shared: Arc<Shared>,
    address: SocketAddr,
    life: Life,
}

/// What serves the BMC.
enum Life {
    Thread(Option<JoinHandle<()>>),
    Task(Option<tokio::task::JoinHandle<()>>),
}

impl Bmc {
    /// A BMC that has still to be set up.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where clients reach the LAN channel that was opened first.
    ///
    /// A login with the [client](crate::client) of this project, which leaves sockets to its caller:
    ///
    /// ```
    /// use std::net::UdpSocket;
    /// use std::time::Duration;
    ///
    /// use ipmi_sim::client::{Account, GET_DEVICE_ID, Session, Way};
    /// use ipmi_sim::{Bmc, SystemRandom};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bmc = Bmc::builder().user("admin", "secret").start()?;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.connect(bmc.address())?;
    /// socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    /// let exchange = |datagram: &[u8]| -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    ///     let mut response = [0; 1024];
    ///     socket.send(datagram)?;
    ///     let length = socket.recv(&mut response)?;
    ///     Ok(response[..length].to_vec())
    /// };
    ///
    /// let mut random = SystemRandom::new()?;
    /// let mut session = Session::login(Way::Suite(17), Account::new("admin", "secret"), &mut random, exchange)?;
    /// let mut datagram = Vec::new();
    /// session.request((1, 0x06, GET_DEVICE_ID), &[], &mut random, &mut datagram);
    /// let mut response = exchange(&datagram)?;
    /// let device = session.open(&mut response)?.response()?.done()?;
    /// assert_eq!(device.data.len(), 15);
    /// # Ok(())
    /// # }
    /// ```
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where clients reach each LAN channel: IPMB address of the controller, channel number, address.
    pub fn addresses(&self) -> Vec<(McAddress, ChannelNumber, SocketAddr)> {
        self.shared.seat().places().into_iter().map(|(lan, address)| (lan.mc, lan.channel, address)).collect()
    }

    /// Whether the power is on as far as is known: behind a `chassis_control` program, what it said last.
    pub fn power(&self) -> bool {
        self.look(Simulator::power)
    }

    /// Asks for a change of the power, as a Chassis Control of a client does (IPMI 2.0 section 28.3). A helper program
    /// that does it goes on when this has returned.
    ///
    /// # Errors
    /// The chassis cannot do that.
    pub fn control(&self, control: Control) -> Result<(), Error> {
        self.call(|system, now, out| system.control(now, control, out))
    }

    /// The boot device that clients have set, and for how many boots; `None` when none is, or its 60 s are over.
    pub fn boot_device(&self) -> Option<(Device, Boots)> {
        self.look(Simulator::boot_device)
    }

    /// Sets the boot device, as Set System Boot Options does.
    ///
    /// # Errors
    /// There is no such device, or a helper program has no name for it.
    pub fn set_boot_device(&self, device: Device, boots: Boots) -> Result<(), Error> {
        self.call(|system, now, out| system.set_boot_device(now, device, boots, out))
    }

    /// The sensors of the BMC, by LUN and number.
    pub fn sensors(&self) -> Vec<SensorState> {
        self.call(|system, now, out| {
            system.refresh_sensors(now, out);
            system.sensors()
        })
    }

    /// The sensor with this number, of the lowest LUN that has it.
    pub fn sensor(&self, number: u8) -> Option<SensorState> {
        self.sensors().into_iter().find(|sensor| sensor.number == number)
    }

    /// Gives a sensor of LUN 0 a raw reading. Events follow, as its thresholds say.
    ///
    /// # Errors
    /// There is no such sensor.
    pub fn set_sensor(&self, number: u8, raw: u8) -> Result<(), Error> {
        self.call(|system, now, out| system.set_sensor(now, number, raw, out))
    }

    /// Gives a sensor of LUN 0 the reading nearest to this value, in the unit of its record. Events follow, as its
    /// thresholds say.
    ///
    /// # Errors
    /// There is no such sensor, or no full record says what its readings mean.
    pub fn set_sensor_value(&self, number: u8, value: f64) -> Result<(), Error> {
        self.call(|system, now, out| {
            let raw = system.raw_reading(number, value)?;
            system.set_sensor(now, number, raw, out)
        })
    }

    /// Has a state of a discrete sensor of LUN 0 hold, 0 to 14 (IPMI 2.0 table 42-3 says what they mean). An event
    /// follows, as the sensor's masks say.
    ///
    /// # Errors
    /// There is no such sensor, or no such state.
    pub fn set_sensor_state(&self, number: u8, state: u8) -> Result<(), Error> {
        self.call(|system, now, out| system.set_sensor_state(now, number, state, out))
    }

    /// Has a state of a discrete sensor hold no longer.
    ///
    /// # Errors
    /// As [`set_sensor_state`](Self::set_sensor_state).
    pub fn clear_sensor_state(&self, number: u8, state: u8) -> Result<(), Error> {
        self.call(|system, now, out| system.clear_sensor_state(now, number, state, out))
    }

    /// The system event log, oldest record first.
    pub fn event_log(&self) -> Vec<LogRecord> {
        self.look(Simulator::event_log)
    }

    /// Adds a record to the log, and gives its id. `data` is what follows the record type: for types below E0h the first
    /// four bytes become the time.
    ///
    /// # Errors
    /// The log is full, or there is none.
    pub fn log_record(&self, record_type: u8, data: [u8; 13]) -> Result<u16, Error> {
        self.call(|system, now, out| system.log_record(now, record_type, data, out))
    }

    /// Clears the log.
    pub fn clear_event_log(&self) {
        self.call(Simulator::clear_event_log);
    }

    /// The users that have a name or are enabled, by number.
    pub fn users(&self) -> Vec<UserAccount> {
        self.look(Simulator::users)
    }

    /// Gives a user name, password and highest privilege, and lets it log in. Its sessions end if they stood on
    /// something else.
    ///
    /// # Errors
    /// The number is that of user 1, or the name is empty or has more than 16 bytes, or the password more than 20.
    pub fn set_user(&self, number: UserNumber, name: &str, password: &str, privilege: Privilege) -> Result<(), Error> {
        self.call(|system, now, out| system.set_user(now, number, (name, password), privilege, out))
    }

    /// Shuts a user out; its sessions end.
    pub fn disable_user(&self, number: UserNumber) {
        self.call(|system, now, out| system.disable_user(now, number, out));
    }

    /// Runs statements of the command language, and gives what they print. Those behind a faulty one run as well. Their
    /// slow work, such as the first poll of a file, is not waited for; `sleep` waits in the caller's thread.
    ///
    /// # Errors
    /// Statements are wrong, or were refused: each with line and column, beside what the others printed.
    pub fn run(&self, text: &str) -> Result<String, RunError> {
        let mut script = Script::default();
        script.push_file(STATEMENTS, text.as_bytes());
        // A turn for each: clients are served in between.
        let (printed, faults) =
            run(script, |statement, includes| self.shared.seat().execute(statement, includes), thread::sleep);
        if faults.is_empty() { Ok(printed) } else { Err(RunError { printed, faults: Faults(faults) }) }
    }

    /// What happens from now on. Any number of watchers may look.
    pub fn events(&self) -> Events {
        self.shared.seat().watch()
    }

    /// Calls the system itself, for what has no function here. It must not wait for anything.
    pub fn call<T>(&self, call: impl FnOnce(&mut Simulator, Moment, &mut Effects) -> T) -> T {
        self.shared.seat().call(call)
    }

    fn look<T>(&self, look: impl FnOnce(&Simulator) -> T) -> T {
        self.shared.seat().look(look)
    }

    /// Ends the BMC, and waits until everything that is to be kept is on the disk.
    pub async fn stop(mut self) {
        self.shared.seat().end();
        if let Life::Task(task) = &mut self.life
            && let Some(task) = task.take()
        {
            let _ = task.await;
        }
    }
}

impl fmt::Debug for Bmc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bmc").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Bmc {
    fn drop(&mut self) {
        self.shared.seat().end();
        if let Life::Thread(thread) = &mut self.life
            && let Some(thread) = thread.take()
        {
            // It has nothing to say; if it panicked that was said already.
            let _ = thread.join();
        }
    }
}

/// Runs statements, each by way of `execute`; gives what they printed, and what is wrong with them.
fn run(
    mut script: Script,
    mut execute: impl FnMut(&Statement, &Folders) -> (StatementOutcome, String),
    sleep: impl Fn(Duration),
) -> (String, Vec<Diagnostic>) {
    // Files that statements name are looked for as named, and beside the one that names them.
    let includes = Folders::default();
    let (mut printed, mut faults) = (String::new(), Vec::new());
    while let Some(statement) = script.next_statement() {
        let (outcome, text) = execute(&statement, &includes);
        printed += &text;
        match outcome {
            StatementOutcome::Done | StatementOutcome::NoEcho => {}
            StatementOutcome::Failed(diagnostic) => faults.push(diagnostic),
            StatementOutcome::Bmc(_) | StatementOutcome::Bmcs(_) => {
                faults.push(statement.refused(Severity::Error, ONE_BMC));
            }
            StatementOutcome::Include(path) => {
                if let Err(diagnostic) = script.include(&path, &statement, &includes) {
                    faults.push(*diagnostic);
                }
            }
            StatementOutcome::Sleep(milliseconds) => sleep(Duration::from_millis(milliseconds.into())),
            StatementOutcome::Quit => break,
        }
    }
    (printed, faults)
}
