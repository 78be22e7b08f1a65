//! What people and programs around a system see of it and do to it, by values.

use std::sync::{Arc, Mutex};

use super::*;
use crate::bmc::boot::{Boots, Device};
use crate::bmc::chassis::{Control, PowerState};
use crate::bmc::fru::areas::Areas;
use crate::bmc::sensor::{SensorId, Threshold};
use crate::sim::{
    ControlFailed, Done, FruContent, LogFault, Overview, PowerDone, SdrPlace, SensorFault, SolHeld, UserAccount,
    UserChange, UserFault, UserLimit,
};

/// What an operation ended with, once it has.
struct Told<T, E>(Arc<Mutex<Option<Result<T, E>>>>);

impl<T: Send + 'static, E: Send + 'static> Told<T, E> {
    fn new() -> (Self, Done<T, E>) {
        let told = Arc::new(Mutex::new(None));
        let keeper = Arc::clone(&told);
        (Self(told), Box::new(move |result| *keeper.lock().unwrap() = Some(result)))
    }

    fn take(&self) -> Option<Result<T, E>> {
        self.0.lock().unwrap().take()
    }
}

const BMC: McAddress = McAddress::BMC;
const SATELLITE: McAddress = McAddress(0x30);

fn id(mc: McAddress, lun: u8, number: u8) -> SensorId {
    SensorId { mc, lun, number }
}

/// Sensor 1 reads `3x - 50` degrees C with upper limits 40, 200 and 250 raw; sensor 2 is a discrete one of LUN 1, and the
/// satellite has one of LUN 3.
const SENSORS: &str = "
main_sdr_add 0x20 0 0 0x51 0x01 0x2f 0x20 0 1 3 1 0x7f 0x68 1 1 0x80 0x0a 0x80 0x7a 0x38 0x38 \
 0 1 0 0 3 0 0xfb 0xc0 0 1 0 0 0 0 0xff 0 200 190 180 30 20 10 0 0 0 0 0 0xc4 'T 'e 'm 'p
sensor_add 0x20 0 1 1 1
sensor_set_threshold 0x20 0 1 settable 111000 250 200 40 0 0 0
sensor_set_event_support 0x20 0 1 enable scanning per-state 000111111111111 000111111111111 000111111111111 000111111111111
sensor_add 0x20 1 2 5 0x6f
sensor_set_event_support 0x20 1 2 enable scanning per-state 000000000001111 000000000001111 000000000001111 000000000001111
sensor_add 0x30 3 9 1 1
";

fn rig() -> Rig {
    let rig = Rig::new(CONF, &format!("{EMU}{SENSORS}"));
    assert_eq!(rig.faults, Vec::<String>::new());
    rig
}

#[test]
fn an_overview_tells_the_whole_system_in_short() {
    let mut rig = rig();
    let quiet = Overview { power: PowerState::Off, sessions: 0, alarms: 0, log_records: 0, faults: 0 };
    assert_eq!(rig.sim.overview(), quiet);
    let _client = administrator(&mut rig);
    rig.command("sensor_set_value 0x20 0 1 220 1");
    rig.call(|sim, now, out| sim.control(now, Control::PowerUp, out).unwrap());
    let busy = Overview { power: PowerState::On, sessions: 1, alarms: 1, log_records: 2, faults: 0 };
    assert_eq!(rig.sim.overview(), busy);
    // A state of a discrete sensor is no alarm.
    rig.command("sensor_set_bit 0x20 1 2 0 1 0");
    assert_eq!(rig.sim.overview(), busy);
}

#[test]
fn a_view_tells_controllers_channels_and_sessions() {
    let mut rig = Rig::new(WITH_SOL, &format!("{EMU}mc_add_fru_data 0x20 3 8 data 1 2\n"));
    rig.lan_opened("127.0.0.1:4711");
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 6, 0x48, &[1, 1, 0xc0, 0, 0, 0])[0], 0);
    assert_eq!(client.ask(&mut rig, 6, 0x24, &[4, 0, 0, 0, 0xf4, 1]), [0]);
    assert_eq!(client.ask(&mut rig, 6, 0x22, &[]), [0]);
    rig.wait(2);
    let view = rig.sim.view(rig.now);
    let [bmc, satellite] = view.controllers.as_slice() else { panic!("{view:?}") };
    assert_eq!((bmc.mc, bmc.is_bmc, bmc.enabled, bmc.added), (BMC, true, true, true));
    assert_eq!((bmc.device_id, bmc.firmware_major, bmc.firmware_minor, bmc.ipmi_version), (0, 9, 8, (2, 0)));
    assert_eq!((bmc.manufacturer, bmc.product, bmc.sensors), (0x1291, 0xf02, 1));
    assert_eq!(bmc.guid.map(|guid| guid[0]), Some(0xa1));
    assert_eq!(bmc.log.map(|log| (log.used, log.room)), Some((0, 100)));
    assert_eq!(bmc.fru_devices, [3]);
    assert_eq!(bmc.watchdog.and_then(|watchdog| watchdog.remaining), Some(Duration::from_secs(48)));
    assert_eq!((satellite.mc, satellite.is_bmc, satellite.log, satellite.watchdog), (SATELLITE, false, None, None));
    let [lan] = view.lans.as_slice() else { panic!("{view:?}") };
    assert_eq!((lan.mc, lan.channel.get(), lan.open, lan.sessions), (BMC, 1, true, 1));
    assert_eq!(lan.address.as_ref().map(ToString::to_string).as_deref(), Some("127.0.0.1:4711"));
    let [session] = view.sessions.as_slice() else { panic!("{view:?}") };
    assert_eq!((session.user.get(), session.user_name.as_str(), session.handle), (2, "ipmiusr", 1));
    assert_eq!((session.privilege, session.sol), (Privilege::Administrator, SolHeld::Port));
    assert_eq!((session.ipmi_version.name(), session.idle), ("2.0", Duration::from_secs(2)));
}

#[test]
fn sensors_of_every_controller_and_lun_are_shown_and_set() {
    let mut rig = rig();
    let temp = rig.sim.sensor(id(BMC, 0, 1)).unwrap();
    assert_eq!((temp.name.as_deref(), temp.unit.as_deref(), temp.raw), (Some("Temp"), Some("degrees C"), None));
    let thresholds = temp.thresholds.expect("it has thresholds");
    assert_eq!(thresholds[Threshold::LowerCritical.index()], None);
    let upper = thresholds[Threshold::UpperCritical.index()].expect("upper critical");
    assert_eq!((upper.raw, upper.value), (200, Some(550.0)));

    rig.call(|sim, now, out| sim.set_sensor_value(now, id(BMC, 0, 1), 551.2, out).unwrap());
    let temp = rig.sim.sensor(id(BMC, 0, 1)).unwrap();
    assert_eq!((temp.raw, temp.value), (Some(200), Some(550.0)));
    let crossed: Vec<_> = temp.crossed().collect();
    assert_eq!(crossed, [Threshold::UpperNonCritical, Threshold::UpperCritical]);
    assert_eq!(rig.sim.event_log().len(), 2);

    rig.call(|sim, now, out| sim.set_sensor_states(now, id(BMC, 1, 2), 0b1001, out).unwrap());
    rig.call(|sim, now, out| sim.set_sensor_states(now, id(BMC, 1, 2), 0b1010, out).unwrap());
    let discrete = rig.sim.sensor(id(BMC, 1, 2)).unwrap();
    assert_eq!(discrete.discrete_states().collect::<Vec<_>>(), [1, 3]);
    let events: Vec<_> = rig.sim.event_log().iter().skip(2).filter_map(|record| record.event).collect();
    let seen: Vec<_> = events.iter().map(|event| (event.sensor, event.data[0], event.asserted)).collect();
    assert_eq!(seen, [(2, 0, true), (2, 3, true), (2, 0, false), (2, 1, true)]);

    rig.call(|sim, now, out| sim.set_sensor_raw(now, id(SATELLITE, 3, 9), 7, out).unwrap());
    assert_eq!(rig.sim.sensors_of(SATELLITE).unwrap()[0].raw, Some(7));
}

#[test]
fn what_cannot_be_done_to_a_sensor_is_said() {
    let mut rig = rig();
    let mut set = |set: &dyn Fn(&mut Simulator, Moment, &mut Effects) -> Result<(), SensorFault>| {
        let mut result = Ok(());
        rig.call(|sim, now, out| result = set(sim, now, out));
        result
    };
    let nowhere = id(McAddress(0x44), 0, 1);
    assert_eq!(set(&|sim, now, out| sim.set_sensor_raw(now, nowhere, 1, out)), Err(SensorFault::NoController));
    assert_eq!(set(&|sim, now, out| sim.set_sensor_raw(now, id(BMC, 2, 1), 1, out)), Err(SensorFault::NoSensor));
    assert_eq!(set(&|sim, now, out| sim.set_sensor_value(now, id(BMC, 1, 2), 1.0, out)), Err(SensorFault::NoUnit));
    assert_eq!(
        set(&|sim, now, out| sim.set_sensor_states(now, id(BMC, 0, 1), 1, out)),
        Err(SensorFault::HasThresholds)
    );
    assert_eq!(set(&|sim, now, out| sim.set_sensor_states(now, id(BMC, 1, 2), 0x8000, out)), Err(SensorFault::NoState));
    assert!(rig.sim.event_log().is_empty());
}

#[test]
fn a_log_is_read_in_parts() {
    let mut rig = rig();
    assert_eq!(rig.sim.log_page(SATELLITE, None, 10), Err(LogFault::NoLog));
    assert_eq!(rig.sim.log_page(McAddress(0x44), None, 10), Err(LogFault::NoController));
    rig.command("sensor_set_value 0x20 0 1 50 1");
    let mut added = Ok(0);
    rig.call(|sim, now, out| added = sim.log_record_of(now, BMC, (0xe0, [9; 13]), out));
    assert_eq!(added, Ok(2));
    let page = rig.sim.log_page(BMC, None, 1).unwrap();
    assert_eq!((page.used, page.room, page.next), (2, 100, Some(1)));
    assert_eq!(page.entries[0].sensor_name.as_deref(), Some("Temp"));
    let page = rig.sim.log_page(BMC, page.next, 1).unwrap();
    assert_eq!((page.next, page.entries[0].record.record_type), (None, 0xe0));
    assert_eq!(rig.sim.log_entry(BMC, 2).as_ref(), page.entries.first());
    assert_eq!(rig.sim.log_page(BMC, Some(77), 1), Err(LogFault::NoRecord(77)));
    for _ in 0..98 {
        rig.call(|sim, now, out| added = sim.log_record_of(now, BMC, (0xe0, [9; 13]), out));
    }
    rig.call(|sim, now, out| added = sim.log_record_of(now, BMC, (0xe0, [9; 13]), out));
    assert_eq!(added, Err(LogFault::Full));
    rig.call(|sim, now, out| sim.clear_log_of(now, BMC, out).unwrap());
    assert_eq!(rig.sim.log_page(BMC, None, 10).unwrap().used, 0);
}

#[test]
fn records_and_inventory_are_shown() {
    let emu = format!(
        "{EMU}{SENSORS}device_sdr_add 0x30 1 0 0 0x51 0xc0 3 1 2 3\nmc_add_fru_data 0x20 0 8 data 1 0 0 0 0 0 0 0xff\n\
         mc_add_fru_data 0x20 1 64 file 16 \"fru.bin\"\n"
    );
    let rig = Rig::new(CONF, &emu.replace("0x30 2 no-device-sdrs", "0x30 2 has-device-sdrs"));
    assert_eq!(rig.faults, Vec::<String>::new());
    let records = rig.sim.sdr_records(BMC).unwrap();
    let record = records.iter().find(|record| record.record_type == 1).expect("a full record");
    assert_eq!((record.place, record.version, record.name.as_deref()), (SdrPlace::Repository, 0x51, Some("Temp")));
    assert_eq!(record.bytes.len(), 5 + usize::from(record.bytes[4]));
    assert_eq!(rig.sim.sdr_records(SATELLITE).unwrap()[0].place, SdrPlace::Device(1));
    let devices = rig.sim.fru_devices(BMC).unwrap();
    let FruContent::Bytes { bytes, areas } = &devices[0].content else { panic!("{devices:?}") };
    assert_eq!((bytes.len(), areas.as_ref()), (8, &Areas::default()));
    assert_eq!(devices[1].content, FruContent::File { path: "fru.bin".into(), offset: 16 });
    assert_eq!(devices[1].size, 64);
}

fn change(rig: &mut Rig, mc: McAddress, number: u8, change: &UserChange) -> Told<UserAccount, UserFault> {
    let (told, done) = Told::new();
    let user = UserNumber::new(number).unwrap();
    rig.call(|sim, now, out| sim.change_user(now, (mc, user), change, done, out));
    told
}

#[test]
fn a_user_is_changed_when_the_change_is_on_the_disk() {
    let mut rig = rig();
    rig.save();
    let new = UserChange {
        name: Some("night".into()),
        password: Some(String::from("owl").into()),
        limit: Some(UserLimit::Level(Privilege::Operator)),
        enabled: Some(true),
    };
    let told = change(&mut rig, BMC, 5, &new);
    assert!(told.take().is_none(), "not before it is written");
    let job = rig.save_job();
    rig.saved(job, Ok(()));
    rig.save();
    let user = told.take().expect("it is over").expect("it is done");
    assert_eq!((user.name.as_str(), user.privilege, user.enabled), ("night", Some(Privilege::Operator), true));
    assert_eq!(rig.sim.users_of(BMC).unwrap().len(), 2);
}

#[test]
fn a_change_of_a_user_that_cannot_be_kept_is_taken_back() {
    let mut rig = rig();
    rig.save();
    let before = rig.sim.users();
    let told = change(&mut rig, BMC, 2, &UserChange { limit: Some(UserLimit::NoAccess), ..UserChange::default() });
    while let Some(Work::Save { job, .. }) = rig.jobs().pop() {
        rig.saved(job, Err(SaveFailure::from("No space left on device")));
    }
    assert_eq!(told.take(), Some(Err(UserFault::NotKept)));
    assert_eq!(rig.sim.users(), before);
}

#[test]
fn a_change_of_a_user_ends_its_sessions_as_a_clients_does() {
    let mut rig = rig();
    let _client = administrator(&mut rig);
    rig.save();
    // The same name once more is no change.
    change(&mut rig, BMC, 2, &UserChange { name: Some("ipmiusr".into()), ..UserChange::default() });
    rig.save();
    assert_eq!(rig.sim.overview().sessions, 1);
    let told = change(&mut rig, BMC, 2, &UserChange { enabled: Some(false), ..UserChange::default() });
    rig.save();
    assert_eq!(told.take().map(|result| result.map(|user| user.enabled)), Some(Ok(false)));
    assert_eq!(rig.sim.overview().sessions, 0);
}

#[test]
fn a_change_of_a_user_that_is_wrong_changes_nothing() {
    let mut rig = rig();
    rig.save();
    let named = |name: &str| UserChange { name: Some(name.into()), enabled: Some(true), ..UserChange::default() };
    let long = UserChange { password: Some("x".repeat(21).into()), ..UserChange::default() };
    for (mc, number, wrong, fault) in [
        (BMC, 1, named("x"), UserFault::Nameless),
        (BMC, 5, named(""), UserFault::Name),
        (BMC, 5, named("seventeen letters"), UserFault::Name),
        (BMC, 5, long, UserFault::Password),
        (McAddress(0x44), 5, named("x"), UserFault::NoController),
    ] {
        assert_eq!(change(&mut rig, mc, number, &wrong).take(), Some(Err(fault)));
    }
    assert!(rig.jobs().is_empty());
}

fn control(rig: &mut Rig, mc: McAddress, control: Control) -> Told<PowerDone, ControlFailed> {
    let (told, done) = Told::new();
    rig.call(|sim, now, out| sim.control_then(now, (mc, control), done, out));
    told
}

fn powered(control: Control, power: PowerState) -> Option<Result<PowerDone, ControlFailed>> {
    Some(Ok(PowerDone { mc: BMC, control, power }))
}

#[test]
fn a_built_in_chassis_is_done_at_once() {
    let mut rig = rig();
    for (what, power) in [
        (Control::PowerUp, PowerState::On),
        (Control::Reset, PowerState::On),
        (Control::PowerCycle, PowerState::Off),
        (Control::PowerDown, PowerState::Off),
    ] {
        assert_eq!(control(&mut rig, BMC, what).take(), powered(what, power));
    }
    let nmi = control(&mut rig, BMC, Control::DiagnosticInterrupt);
    assert_eq!(nmi.take(), Some(Err(ControlFailed::NotSupported)));
    assert_eq!(control(&mut rig, McAddress(0x44), Control::Reset).take(), Some(Err(ControlFailed::NoController)));
}

#[test]
fn behind_a_program_it_is_done_when_the_program_has_ended() {
    let mut rig = Rig::new(WITH_SCRIPT, EMU);
    rig.save();
    assert_eq!(rig.sim.power_state(), PowerState::Unknown);
    let told = control(&mut rig, BMC, Control::PowerUp);
    let (job, line) = rig.program_job();
    assert_eq!((line.as_str(), told.take()), ("./control 0x20 set power \"1\"", None));
    rig.shell(job, 0, "");
    assert_eq!(told.take(), powered(Control::PowerUp, PowerState::On));

    let told = control(&mut rig, BMC, Control::PowerDown);
    let (job, _) = rig.program_job();
    rig.shell(job, 0x300, "relay is stuck\n");
    let Some(Err(ControlFailed::Program(text))) = told.take() else { panic!("it failed") };
    assert!(text.contains("exit status 3: relay is stuck"), "{text}");
    assert_eq!(rig.sim.power_state(), PowerState::On);

    let told = control(&mut rig, BMC, Control::PowerDown);
    let (job, _) = rig.program_job();
    rig.command("mc_delete 0x20");
    rig.command("mc_delete 0x20");
    rig.shell(job, 0, "");
    // What lan.conf says of the address is still there.
    assert!(matches!(told.take(), Some(Ok(_) | Err(ControlFailed::Gone))));
}

#[test]
fn a_virtual_machine_is_on_when_its_start_command_was_started() {
    let mut rig = Rig::new(&format!("{CONF}startcmd \"qemu\"\n"), EMU);
    let told = control(&mut rig, BMC, Control::PowerUp);
    assert!(rig.effects.iter().any(|effect| matches!(effect, Effect::StartProcess { .. })));
    assert_eq!(told.take(), None);
    rig.call(|sim, now, out| sim.handle(now, Input::ProcessExited(BMC, None), out));
    assert_eq!(told.take(), Some(Err(ControlFailed::NotStarted)));
    let told = control(&mut rig, BMC, Control::PowerUp);
    rig.call(|sim, now, out| sim.handle(now, Input::ProcessStarted(BMC, None), out));
    assert_eq!(told.take(), powered(Control::PowerUp, PowerState::On));
    assert_eq!(control(&mut rig, BMC, Control::PowerUp).take(), powered(Control::PowerUp, PowerState::On));
}

#[test]
fn the_boot_device_is_set_when_the_program_knows_it() {
    let set = |rig: &mut Rig, device| -> Told<Option<(Device, Boots)>, ControlFailed> {
        let (told, done) = Told::new();
        rig.call(|sim, now, out| sim.set_boot_device_then(now, (device, Boots::All), done, out));
        told
    };
    let pxe = Some((Device::PXE, Boots::All));
    assert_eq!(set(&mut rig(), Device::PXE).take(), Some(Ok(pxe)));
    assert_eq!(set(&mut rig(), Device(16)).take(), Some(Err(ControlFailed::NoDevice)));
    let mut rig = Rig::new(WITH_SCRIPT, EMU);
    rig.save();
    assert_eq!(set(&mut rig, Device::FLOPPY).take(), Some(Err(ControlFailed::NoDevice)));
    let told = set(&mut rig, Device::PXE);
    let (job, _) = rig.program_job();
    assert_eq!(told.take(), None);
    rig.shell(job, 0, "");
    assert_eq!(told.take(), Some(Ok(pxe)));
    assert_eq!(rig.sim.boot_device(), pxe);
}
