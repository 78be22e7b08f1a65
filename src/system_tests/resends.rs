//! New requests and resends, through the whole simulator: what a client asks anew is done anew, what it sends again is not.

use super::*;
use ipmi_sim_client::testing::one;

/// Prometheus' exporter by way of gebn/bmc: every request has rqSeq 1, and there is no Set Session Privilege Level.
#[test]
fn a_client_whose_number_is_always_one_sees_values_change() {
    let mut rig = Rig::new(CONF, EMU);
    rig.command("sensor_add 0x20 0 1 1 1");
    rig.command("sensor_set_event_support 0x20 0 1 enable scanning per-state 000000000000000 000000000000000 000000000000000 000000000000000");
    for login in [1, 2, 3] {
        rig.command("sensor_set_value 0x20 0 1 45 0");
        let mut client = Login20::suite(login).run(&mut rig).expect("login");
        let mut read = |rig: &mut Rig| {
            client.rq_seq = 1;
            client.ask(rig, 4, 0x2d, &[1])[..2].to_vec()
        };
        assert_eq!(read(&mut rig), [0, 45]);
        rig.command("sensor_set_value 0x20 0 1 60 0");
        assert_eq!(read(&mut rig), [0, 60]);
        rig.command("sensor_set_value 0x20 0 1 61 0");
        rig.wait(2);
        assert_eq!(read(&mut rig), [0, 61]);
    }
}

const EVENT: [u8; 16] = [0, 0, 2, 0, 0, 0, 0, 0x20, 0, 4, 1, 0x30, 1, 9, 0xff, 0xff];

fn entries(rig: &mut Rig) -> u8 {
    administrator(rig).ask(rig, 0x0a, 0x40, &[])[2]
}

/// A client that numbers like FreeIPMI, adds the same event again and does not ask again itself: the event is logged when
/// silence has shown that it was no resend, and its response goes out then.
#[test]
fn the_same_event_again_is_logged_when_it_is_no_resend() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = Login20::suite(3).run(&mut rig).expect("login");
    client.rq_seq = 40;
    client.ask(&mut rig, 6, 0x3b, &[4]);
    let packet = client.request(0x0a, 0x44, &EVENT);
    rig.send(&packet);
    rig.save();
    rig.now = rig.now + Duration::from_millis(600);
    let packet = client.request(0x0a, 0x44, &EVENT);
    assert!(rig.send(&packet).is_empty(), "it may be a resend");
    rig.now = rig.now + Duration::from_millis(700);
    assert_eq!(entries(&mut rig), 1);
    assert!(rig.sim.deadline().is_some_and(|due| due <= rig.now + Duration::from_millis(200)));
    rig.wait(1);
    rig.save();
    let response = one(rig.sent.iter().map(|(_, bytes)| bytes.clone()).collect());
    assert_eq!(client.answer(&response), [0, 2, 0]);
    assert_eq!(entries(&mut rig), 2);
}
