//! What whoever watches a system is told, each kind in virtual time.

use super::*;
use crate::bmc::boot::{Boots, Device};
use crate::bmc::chassis::Control;
use crate::bmc::watch::Event;
use crate::ipmi::LoginFailure;
use crate::sim::SerialId;

const BMC: McAddress = McAddress::BMC;
const ON: Event = Event::PowerDone { mc: BMC, on: true };
const OFF: Event = Event::PowerDone { mc: BMC, on: false };

fn asked(control: Control) -> Event {
    Event::PowerAsked { mc: BMC, control }
}

fn reset(control: Control) -> Event {
    Event::Reset { mc: BMC, control }
}

fn watched(conf: &str) -> Rig {
    let mut rig = Rig::new(conf, EMU);
    rig.save();
    rig.sim.watch();
    rig
}

impl Rig {
    /// What happens while this is done.
    fn events(&mut self, act: impl FnOnce(&mut Self)) -> Vec<Event> {
        self.sim.take_events();
        act(self);
        self.save();
        self.sim.take_events()
    }

    fn control(&mut self, control: Control) {
        self.call(|sim, now, out| sim.control(now, control, out).unwrap());
    }
}

#[test]
fn a_built_in_chassis_tells_what_becomes_of_the_power() {
    let mut rig = watched(CONF);
    assert_eq!(rig.sim.take_events(), [], "what is so already is no news");
    for (control, then) in [
        (Control::PowerUp, vec![ON]),
        (Control::PowerUp, vec![]),
        (Control::Reset, vec![reset(Control::Reset)]),
        (Control::SoftShutdown, vec![OFF]),
        (Control::PowerDown, vec![]),
    ] {
        assert_eq!(rig.events(|rig| rig.control(control)), [vec![asked(control)], then].concat(), "{control:?}");
    }
    rig.control(Control::PowerUp);
    let cycle = rig.events(|rig| {
        rig.control(Control::PowerCycle);
        rig.wait(10);
    });
    assert_eq!(cycle, [asked(Control::PowerCycle), OFF, reset(Control::PowerCycle), ON]);
}

#[test]
fn what_a_helper_program_says_is_told_once() {
    let mut rig = watched(WITH_SCRIPT);
    let mut client = administrator(&mut rig);
    let says = |rig: &mut Rig, request: Vec<u8>, output: &str| {
        rig.events(|rig| {
            rig.send(&request);
            let (job, _) = rig.program_job();
            rig.shell(job, 0, output);
        })
    };
    // Get Chassis Status: nobody knew before.
    assert_eq!(says(&mut rig, client.request(0, 1, &[]), "power:0\n"), [OFF]);
    assert_eq!(says(&mut rig, client.request(0, 1, &[]), "power:1\n"), [ON]);
    assert_eq!(says(&mut rig, client.request(0, 1, &[]), "power:1\n"), []);
    let reset_by_client = [asked(Control::Reset), reset(Control::Reset)];
    assert_eq!(says(&mut rig, client.request(0, 2, &[3]), ""), reset_by_client);
    assert_eq!(says(&mut rig, client.request(0, 2, &[0]), ""), [asked(Control::PowerDown), OFF]);
    let failing = rig.events(|rig| {
        let request = client.request(0, 2, &[1]);
        rig.send(&request);
        let (job, _) = rig.program_job();
        rig.shell(job, 0x100, "");
    });
    assert_eq!(failing, [asked(Control::PowerUp)]);
}

#[test]
fn a_virtual_machine_tells_its_power_by_coming_and_going() {
    let conf = format!("{CONF}serial 15 127.0.0.1 9002 codec VM\n");
    let mut rig = watched(&conf);
    let host = SerialId { mc: BMC, channel: ChannelNumber::SYSTEM_INTERFACE };
    assert_eq!(rig.events(|rig| rig.host_connects()), [ON]);
    let nmi = [asked(Control::DiagnosticInterrupt), reset(Control::DiagnosticInterrupt)];
    assert_eq!(rig.events(|rig| rig.control(Control::DiagnosticInterrupt)), nmi);
    let gone = rig.events(|rig| rig.call(|sim, now, out| sim.handle(now, Input::SerialDisconnected(host), out)));
    assert_eq!(gone, [OFF]);

    let mut rig = watched(&format!("{CONF}startcmd \"qemu\"\n"));
    assert_eq!(rig.events(|rig| rig.control(Control::PowerUp)), [asked(Control::PowerUp), ON]);
    let ended = rig.events(|rig| rig.call(|sim, now, out| sim.handle(now, Input::ProcessExited(BMC, Some(0)), out)));
    assert_eq!(ended, [OFF]);
}

#[test]
fn the_watchdog_tells_what_it_did() {
    let mut rig = watched(CONF);
    let mut client = administrator(&mut rig);
    rig.control(Control::PowerUp);
    for (action, then) in [(1, vec![reset(Control::Reset)]), (2, vec![OFF])] {
        assert_eq!(client.ask(&mut rig, 6, 0x24, &[0x84, action, 0, 0, 10, 0]), [0]);
        assert_eq!(client.ask(&mut rig, 6, 0x22, &[]), [0]);
        let events = rig.events(|rig| rig.wait(2));
        assert_eq!(events, [vec![Event::WatchdogExpired { mc: BMC }], then].concat());
    }
}

#[test]
fn logins_that_succeed_fail_and_end_are_told() {
    let mut rig = watched(CONF);
    let mut client = None;
    let events = rig.events(|rig| client = Some(administrator(rig)));
    let [Event::LoggedIn { mc, channel, user, user_name, limit, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((*mc, channel.get(), user.get(), user_name.as_str()), (BMC, 1, 2, "ipmiusr"));
    assert_eq!(*limit, Privilege::Administrator);

    let failed = |events: Vec<Event>| -> Vec<LoginFailure> {
        let reason = |event| match event {
            Event::LoginFailed { mc: BMC, channel: ChannelNumber::LAN, reason, .. } => reason,
            other => panic!("{other:?}"),
        };
        events.into_iter().map(reason).collect()
    };
    let nobody = rig.events(|rig| assert!(Login20 { user: "nobody", ..Login20::suite(3) }.run(rig).is_err()));
    assert_eq!(failed(nobody), [LoginFailure::NoSuchUser]);
    let wrong = rig.events(|rig| assert!(Login15 { password: "wrong", ..Login15::default() }.run(rig).is_err()));
    assert_eq!(failed(wrong), [LoginFailure::WrongPassword]);
    let nobody = rig.events(|rig| assert!(Login15 { user: "nobody", ..Login15::default() }.run(rig).is_err()));
    assert_eq!(failed(nobody), [LoginFailure::NoSuchUser]);

    let silent = rig.events(|rig| {
        let handshake = Login20::suite(3).open(rig).unwrap();
        rig.send(&handshake.rakp1());
        rig.wait(11);
    });
    assert_eq!(failed(silent), [LoginFailure::GivenUp]);

    let ended = rig.events(|rig| {
        let client = client.as_mut().unwrap();
        let id = client.session.to_le_bytes();
        assert_eq!(client.ask(rig, 6, 0x3c, &id), [0]);
    });
    assert_eq!(ended, [Event::LoggedOut { mc: BMC, channel: ChannelNumber::LAN }]);
}

#[test]
fn a_user_that_was_changed_is_told_when_that_is_kept() {
    let mut rig = watched(CONF);
    let mut client = administrator(&mut rig);
    let five = UserNumber::new(5).unwrap();
    let changed = Event::UserChanged { mc: BMC, user: five };
    let mut name = vec![5];
    name.extend_from_slice(b"night\0\0\0\0\0\0\0\0\0\0\0");
    let request = client.request(6, 0x45, &name);
    let events = rig.events(|rig| {
        rig.send(&request);
        assert_eq!(rig.sim.take_events(), [], "not yet");
    });
    assert_eq!(events, std::slice::from_ref(&changed));
    let set = rig.events(|rig| {
        rig.call(|sim, now, out| sim.set_user(now, five, ("owl", "secret"), Privilege::User, out).unwrap());
    });
    assert_eq!(set, [changed], "four changes of one user");
}

#[test]
fn boot_device_records_and_serial_over_lan_are_told() {
    let mut rig = watched(WITH_SOL);
    let mut client = administrator(&mut rig);
    let set = rig.events(|rig| assert_eq!(client.ask(rig, 0, 8, &[5, 0x80, 4, 0, 0, 0]), [0]));
    assert_eq!(set, [Event::BootDeviceSet { mc: BMC, device: Device::PXE, boots: Boots::Next }]);
    let added = rig.events(|rig| rig.command("sel_add 0x20 0xe0 1 2 3 4 5 6 7 8 9 10 11 12 13"));
    assert_eq!(added, [Event::RecordAdded { mc: BMC, id: 1 }]);
    let opened = rig.events(|rig| assert_eq!(client.ask(rig, 6, 0x48, &[1, 1, 0xc0, 0, 0, 0])[0], 0));
    assert_eq!(opened, [Event::ConsoleOpened { mc: BMC, instance: 1 }]);
    let closed = rig.events(|rig| assert_eq!(client.ask(rig, 6, 0x49, &[1, 1, 0, 0, 0, 0]), [0]));
    assert_eq!(closed, [Event::ConsoleClosed { mc: BMC, instance: 1 }]);
}
