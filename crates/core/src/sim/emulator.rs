//! The command language carried out: what each command does to the machine
//! (`emu.md` section 7).

use std::sync::Arc;
use std::time::Duration;

use super::effect::{ConsoleId, Effect, Effects};
use super::operations::ControlFailed;
use super::show;
use super::trace::Debug;
use super::waiting::Reader;
use super::{Persistence, Simulator};
use crate::bmc::device_id::{DeviceId, support};
use crate::bmc::sensor::{
    self, Coupling, Curve, EventSettings, EventSupport, FollowFault, Hysteresis, Off, Place, Reporting, SensorId,
    Signal, Support, Thresholds,
};
use crate::bmc::{At, Controller, Error, StateFile, dcmi, fill, fru, oem, picmg, sdr, sel};
use crate::ipmi::{McAddress, Moment};
use crate::settings::command::{Command, Device, SensorAddress, SensorPoll, Variables};
use crate::settings::follow::{Following, PowerModel, Random, Shape};

/// Why a command was not carried out.
struct Refusal {
    /// For whoever wrote it: one line, no final period.
    message: String,
}

impl Refusal {
    fn error(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// What the original prints when a device refuses: `Unable to ..., error 0x16`.
    fn unable(what: &str, error: Error) -> Self {
        Self::error(format!("Unable to {what}, error {:#x}: {error}", error.errno()))
    }
}

/// What a device did, or why a command was not carried out.
trait OrUnable<T> {
    fn or_unable_to(self, what: &str) -> Result<T, Refusal>;
}

impl<T> OrUnable<T> for Result<T, Error> {
    fn or_unable_to(self, what: &str) -> Result<T, Refusal> {
        self.map_err(|error| Refusal::unable(what, error))
    }
}

impl Simulator {
    /// Variables made by `define`, here and in lan.conf.
    pub fn variables(&self) -> &Variables {
        self.configured.variables()
    }

    /// Carries out a command of the command file (`console` is `None`) or of a console. What came before a
    /// fault is done.
    pub(super) fn command(&mut self, now: Moment, console: Option<ConsoleId>, command: &Command, out: &mut Effects) {
        let result = self.execute(now, console, command, out);
        self.carry_out_actions(now, out);
        if let Err(refusal) = result {
            out.list.push(Effect::Refused(refusal.message));
        }
    }

    fn execute(
        &mut self,
        now: Moment,
        console: Option<ConsoleId>,
        command: &Command,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        if let Some(mc) = command.required_mc() {
            self.named(mc)?;
        }
        let mut print = |text: String| out.list.push(Effect::Print { console, text });
        match *command {
            Command::Status => print(self.show_status(now)),
            Command::Sessions { mc } => print(self.show_sessions(now, self.shown(mc)?)),
            Command::Sensors { mc } => {
                let mc = self.shown(mc)?.address;
                self.look_at_sensors(now, mc);
                print(self.show_sensors(self.shown(Some(mc))?));
            }
            Command::Sel { mc } => print(show::event_log(self.shown(mc)?)),
            Command::Power { mc } => {
                let (mc, mut text) = {
                    let controller = self.shown(mc)?;
                    (controller.address, show::power(controller))
                };
                // What is the same for all that say nothing of it is not told.
                if self.named(mc).is_ok_and(|at| dcmi::is_metered(&at))
                    && let Ok(Some(meter)) = self.power_meter(now, mc)
                {
                    text.push_str(&show::power_meter(&meter));
                }
                print(text);
            }
            Command::Faults => print(show::faults(&self.faults(now))),
            Command::Fault(ref fault) => {
                let text = self.fault(now, fault, out).map_err(Refusal::error)?;
                if !text.is_empty() {
                    out.list.push(Effect::Print { console, text });
                }
            }
            Command::Define { ref name, ref value } => self.configured.define(name.clone(), value.clone()),
            Command::Debug { raw, messages, sol } => {
                self.debug = Debug { raw, messages, sol };
                self.lans.set_debug(self.debug);
            }
            Command::Persist { on: None } => {}
            Command::Persist { on: Some(true) } => self.saves.set_persistence(Persistence::On),
            Command::Persist { on: Some(false) } => self.saves.set_persistence(Persistence::Off),
            Command::McAdd { mc, device } => self.mc_add(now, mc, device.into()).map_err(Refusal::error)?,
            Command::McSetBmc { mc } => self.set_bmc(mc),
            Command::McDelete { mc } => self.mc_delete(now, mc, out),
            Command::McDisable { mc } => self.named(mc)?.enabled = false,
            Command::McEnable { mc } => self.mc_enable(now, mc, out),
            Command::McSetGuid { mc, guid } => self.set_guid(mc, guid),
            Command::McAddFruData { mc, device, size, ref data } => {
                self.named(mc)?.frus.add_inline(device, size, data).or_unable_to("add FRU data")?;
            }
            Command::McAddFruFile { mc, device, size, offset, ref path } => {
                self.named(mc)?.frus.add_file(device, size, offset, path.clone()).or_unable_to("add FRU data")?;
            }
            Command::McDumpFruData { mc, device } => self.dump_fru(mc, device, console, out)?,
            Command::McDisableDcmi { mc } => self.named(mc)?.dcmi.disabled = true,
            Command::McSetDcmiPower { mc, lun, sensor } => {
                if lun > 3 {
                    return Err(Refusal::unable("set the DCMI power sensor", Error::Invalid));
                }
                dcmi::set_sensor(&mut self.named(mc)?, now, Place { lun, number: sensor });
            }
            Command::McSetNumLeds { mc, count } => {
                picmg::set_led_count(&mut self.named(mc)?, count).or_unable_to("set number of LEDs")?;
            }
            Command::McSetPower { mc, power, event } => {
                let report = if event { oem::Report::Event } else { oem::Report::Silent };
                oem::set_power(&mut self.named(mc)?, now, power, report);
            }
            Command::SelEnable { mc, max_records, flags } => self.sel_enable(now, mc, max_records, flags)?,
            Command::SelAdd { mc, record_type, data } => {
                let added = sel::add_entry(&mut self.named(mc)?, now, record_type, data);
                print(format!("Added record {}\n", added.or_unable_to("add to sel")?));
            }
            Command::SelFill { mc, ref fill } => {
                let seed = self.seed();
                fill::set(&mut self.named(mc)?, now, seed, fill.as_deref()).or_unable_to("fill sel")?;
            }
            Command::SelFills => print(show::fills(now, &self.machine)),
            Command::MainSdrAdd { mc, ref data } => {
                sdr::add_main(&mut self.named(mc)?, now, data).or_unable_to("add to sdr")?;
            }
            Command::DeviceSdrAdd { mc, lun, ref data } => {
                sdr::add_device(&mut self.named(mc)?, now, lun, data).or_unable_to("add to sdr")?;
            }
            Command::SensorAdd { .. }
            | Command::SensorSetBit { .. }
            | Command::SensorSetBitClearRest { .. }
            | Command::SensorSetValue { .. }
            | Command::SensorSetHysteresis { .. }
            | Command::SensorSetThreshold { .. }
            | Command::SensorSetEventSupport { .. } => self.execute_on_sensor(now, command)?,
            Command::OemAdd { mc, ref command } => self.oem_add(mc, command).map_err(Refusal::error)?,
            Command::OemRemove { mc, netfn, cmd, ref data } => {
                self.oem_remove(mc, netfn, cmd, data).map_err(Refusal::error)?;
            }
            Command::SensorFollow { sensor, ref following } => self.sensor_follow(now, sensor, following.as_deref())?,
            Command::McLoad { mc, ref shape } => {
                let seed = self.seed();
                let load = shape.as_ref().map(signal).transpose()?;
                sensor::set_load(&mut self.named(mc)?, now, seed, load);
            }
            Command::McPowerModel { mc, model } => dcmi::set_model(&mut self.named(mc)?, now, model.map(power_model)),
            Command::Seed { seed } => self.machine.seed = Some(seed),
            Command::AtcaEnable => self.machine.shelf.enabled = true,
            Command::AtcaSetSite { hardware_address, site_type, site_number } => {
                let site = picmg::Site { site_type, number: site_number };
                self.machine.shelf.set_site(hardware_address, site).or_unable_to("set site type")?;
            }
        }
        Ok(())
    }

    fn execute_on_sensor(&mut self, now: Moment, command: &Command) -> Result<(), Refusal> {
        let Some(SensorAddress { mc, lun, number }) = command.sensor() else { return Ok(()) };
        let adds = matches!(command, Command::SensorAdd { .. });
        let bit = match *command {
            Command::SensorSetBit { bit, .. } | Command::SensorSetBitClearRest { bit, .. } => Some(bit),
            _ => None,
        };
        let mut at = self.named(mc)?;
        let place = Place { lun, number };
        let known = at.sensors.get(place).is_some();
        let (what, done) = change_sensor(&mut at, now, place, command);
        done.map_err(|error| {
            let place = format!("MC {mc:#04x}, LUN {lun}");
            let why = match (error, known) {
                (Error::Invalid, _) if lun > 3 => format!("LUN {lun} does not exist, expected 0 to 3"),
                (Error::Invalid, true) if bit.is_some_and(|bit| bit > 14) => "expected a bit from 0 to 14".into(),
                (Error::Invalid, true) if adds => format!("sensor {number} of {place} is added twice"),
                (Error::Invalid, false) if !adds => format!("there is no sensor {number} of {place}"),
                _ => format!("{error} ({place}, sensor {number})"),
            };
            Refusal::error(format!("Unable to {what}, error {:#x}: {why}", error.errno()))
        })
    }

    /// `sensor_follow`
    fn sensor_follow(
        &mut self,
        now: Moment,
        sensor: SensorAddress,
        following: Option<&Following>,
    ) -> Result<(), Refusal> {
        let (seed, place) = (self.seed(), id(sensor).place());
        let curve = following.map(curve).transpose()?;
        let at = &mut self.named(sensor.mc)?;
        let done = match curve {
            Some(curve) => sensor::follow(at, now, place, seed, curve),
            None => sensor::unfollow(at, now, place).map_err(|_| FollowFault::NoSensor),
        };
        let SensorAddress { mc, lun, number } = sensor;
        done.map_err(|fault| Refusal::error(format!("Sensor {number} of MC {mc:#04x}, LUN {lun}: {fault}")))
    }

    /// What everything draws by lot from that is not about secrets: the number that `seed` gave, else one from the random
    /// source, the same from then on.
    pub fn seed(&mut self) -> u64 {
        *self.machine.seed.get_or_insert_with(|| {
            let mut seed = [0; 8];
            self.lans.random().fill(&mut seed);
            u64::from_le_bytes(seed)
        })
    }

    /// `sel_enable`: the log keeps what it has.
    fn sel_enable(&mut self, now: Moment, mc: McAddress, max_records: u32, flags: u8) -> Result<(), Refusal> {
        self.saves.put_back(&self.machine, &self.configured, StateFile::Sel(mc));
        self.named(mc)?.sel.enable(max_records, flags);
        self.load_sel(now, mc);
        Ok(())
    }

    /// `mc_dump_fru_data`: a device in a file is printed when the file has been read.
    fn dump_fru(
        &mut self,
        mc: McAddress,
        device: u8,
        console: Option<ConsoleId>,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let unable = |error| Refusal::unable("dump FRU data", error);
        let controller = self.named(mc)?;
        if !controller.device.supports(support::FRU_INVENTORY) {
            return Err(unable(Error::NoDevice));
        }
        match controller.frus.dump(device).map_err(unable)? {
            fru::Dump::Bytes(bytes) => out.list.push(Effect::Print { console, text: fru::dump_text(bytes) }),
            fru::Dump::File { read, size } => self.pending.read(read, Reader::Dump { console, size }, out),
        }
        Ok(())
    }

    /// The controller that a command shows: the one that is named, else the BMC.
    fn shown(&self, mc: Option<McAddress>) -> Result<&Controller, Refusal> {
        let found = mc.or(self.machine.bmc).and_then(|address| self.machine.controller(address));
        found.ok_or_else(|| Refusal::error("There is no BMC: mc_setbmc names it; or give the address of an MC"))
    }

    /// The controller a command is about. Those that lan.conf names exist before `mc_add`.
    fn named(&mut self, mc: McAddress) -> Result<At<'_>, Refusal> {
        self.machine.at(mc).ok_or_else(|| {
            Refusal::error(format!(
                "Invalid MC address {mc:#04x}: neither mc_add nor lan.conf's set_working_mc names it"
            ))
        })
    }

    /// `mc_delete`: what `mc_add` and later commands made is gone; what lan.conf says of the
    /// address stays, as before `mc_add`.
    fn mc_delete(&mut self, now: Moment, mc: McAddress, out: &mut Effects) {
        self.end_sessions(now, mc, out);
        let files = [
            StateFile::Users(mc),
            StateFile::Sol(mc),
            StateFile::Chassis(mc),
            StateFile::SystemInfo(mc),
            StateFile::Dcmi(mc),
            StateFile::Pef(mc),
            StateFile::Sel(mc),
            StateFile::Sdr(mc),
        ];
        let lans = self.lans.of(mc).map(|slot| StateFile::Lan { mc, channel: slot.id().channel });
        for file in files.into_iter().chain(lans) {
            self.saves.put_back(&self.machine, &self.configured, file);
        }
        self.machine.remove(mc);
        self.commands.defined.forget(mc);
        self.starting.over(mc, &Err(ControlFailed::Gone));
        if let Some(config) = self.configured.controller(mc).cloned() {
            self.configure_controller(&config);
            self.identify_lans(mc);
            self.hold_for_new(now, mc);
        }
    }
}

impl From<Device> for DeviceId {
    fn from(device: Device) -> Self {
        Self {
            id: device.id,
            has_device_sdrs: device.has_device_sdrs != 0,
            revision: device.revision,
            major: device.major,
            minor: device.minor,
            device_support: device.device_support,
            manufacturer: device.manufacturer,
            // The low 16 bits, as the response has no room for more.
            product: device.product as u16,
            dynamic_sensors: device.dynamic_sensors,
            persist_sdr: device.persist_sdr,
            ..Self::default()
        }
    }
}

fn id(sensor: SensorAddress) -> SensorId {
    SensorId { mc: sensor.mc, lun: sensor.lun, number: sensor.number }
}

/// A command about the sensor at `place`: what it is to do, in the original's words, and what came of it.
fn change_sensor(at: &mut At<'_>, now: Moment, place: Place, command: &Command) -> (&'static str, Result<(), Error>) {
    match *command {
        Command::SensorAdd { sensor: _, sensor_type, event_reading_code, event_only, ref poll } => {
            let poll = poll.as_ref().map(poll_spec);
            let description = sensor::Description { sensor_type, event_reading_code, event_only, poll };
            ("add to sensor", sensor::add(at, now, place, description))
        }
        Command::SensorSetBit { sensor: _, bit, value, event } => {
            ("set sensor bit", sensor::set_bit(at, now, place, bit, value, reporting(event)))
        }
        Command::SensorSetBitClearRest { sensor: _, bit, event } => {
            ("set sensor bit", sensor::set_bit_clear_rest(at, now, place, bit, reporting(event)))
        }
        Command::SensorSetValue { sensor: _, value, event } => {
            ("set sensor value", sensor::set_value(at, now, place, value, reporting(event)))
        }
        Command::SensorSetHysteresis { sensor: _, support, positive, negative } => {
            let hysteresis = Hysteresis { support: Support::from_number(support), positive, negative };
            ("set sensor hysteresis", sensor::set_hysteresis(at, place, hysteresis))
        }
        Command::SensorSetThreshold { sensor: _, support, enabled, values } => {
            let thresholds = Thresholds::of_mask(Support::from_number(support), enabled, values);
            ("set sensor thresholds", sensor::set_thresholds(at, place, thresholds))
        }
        Command::SensorSetEventSupport {
            sensor: _,
            events_enabled,
            scanning,
            support,
            assert_support,
            deassert_support,
            assert_enabled,
            deassert_enabled,
        } => {
            let settings = EventSettings {
                events_enabled,
                scanning_enabled: scanning,
                support: EventSupport::from_number(support),
                assert_supported: assert_support,
                deassert_supported: deassert_support,
                assert_enabled,
                deassert_enabled,
            };
            // The original's words, although no threshold is touched.
            ("set sensor thresholds", sensor::set_event_support(at, now, place, settings))
        }
        _ => ("set sensor", Ok(())),
    }
}

fn signal(shape: &Shape) -> Result<Signal, Refusal> {
    let random = |random: Random| (random.mean.into(), random.amplitude.into(), random.step.into());
    Ok(match *shape {
        Shape::Constant(value) => Signal::Constant(value.into()),
        Shape::Line { from, to, over } => Signal::Line { from: from.into(), to: to.into(), over: over.into() },
        Shape::Sine { mean, amplitude, period, phase } => {
            Signal::Sine { mean: mean.into(), amplitude: amplitude.into(), period: period.into(), phase: phase.into() }
        }
        Shape::Walk(shape) => {
            let (mean, amplitude, step) = random(shape);
            Signal::Walk { mean, amplitude, step }
        }
        Shape::Noise(shape) => {
            let (mean, amplitude, step) = random(shape);
            Signal::Noise { mean, amplitude, step }
        }
        Shape::Csv(ref csv) => match &csv.recording {
            Some(recording) => Signal::Recording(Arc::clone(recording)),
            None => return Err(Refusal::error(format!("{} has not been read", csv.source.path))),
        },
    })
}

fn curve(following: &Following) -> Result<Curve, Refusal> {
    let alone = Curve::new(signal(&following.shape)?);
    Ok(Curve {
        load_gain: following.load_gain.into(),
        coupling: following.add.map(|(other, factor)| Coupling { sensor: id(other), factor: factor.into() }),
        lowest: following.lowest.map_or(alone.lowest, f64::from),
        highest: following.highest.map_or(alone.highest, f64::from),
        off: following.off.map(|value| Off { value: value.into(), tau: following.tau.into() }),
        ..alone
    })
}

fn power_model(model: PowerModel) -> dcmi::PowerModel {
    let PowerModel { idle, highest, standby } = model;
    dcmi::PowerModel { idle: idle.into(), highest: highest.into(), standby: standby.into() }
}

fn reporting(event: bool) -> Reporting {
    if event { Reporting::Events } else { Reporting::Silent }
}

fn poll_spec(poll: &SensorPoll) -> sensor::PollSpec {
    sensor::PollSpec {
        interval: Duration::from_millis(poll.interval.into()),
        path: poll.path.clone(),
        content: if poll.raw { sensor::Content::Raw } else { sensor::Content::Ascii },
        offset: poll.offset,
        length: poll.length,
        base: poll.base,
        mask: poll.mask,
        subtract: poll.subtract,
        multiplier: poll.multiplier,
        divisor: poll.divisor,
        depends: poll.depends.map(|other| sensor::Dependency { sensor: id(other.sensor), bit: other.bit }),
        initial_state: poll.initial_state,
    }
}
