//! A machine with an IPMB device: requests from the bus, and Send Message to it.

use super::*;
use crate::ipmi::{ChannelNumber, McAddress};

const IPMB: IpmbId = IpmbId { mc: McAddress::BMC, channel: ChannelNumber::from_wire(5) };

fn with_device(channel: ChannelNumber) -> Rig {
    Rig::new(&format!("{CONF}\nset_working_mc 0x20\nipmb {channel} ipmb_dev_int /dev/ipmb-5\n"), EMU)
}

impl Rig {
    /// What was written to the bus, messages with their length bytes.
    fn bus(&mut self) -> Vec<Vec<u8>> {
        let (bus, others) =
            std::mem::take(&mut self.effects).into_iter().partition(|e| matches!(e, Effect::Ipmb { .. }));
        self.effects = others;
        bus.into_iter().filter_map(|e| if let Effect::Ipmb { bytes, .. } = e { Some(bytes) } else { None }).collect()
    }

    fn hear(&mut self, ipmb: IpmbId, message: Message<'_>) -> Vec<Vec<u8>> {
        let mut bytes = vec![0];
        message.emit(&mut bytes);
        self.call(|sim, now, out| sim.handle(now, Input::IpmbData(ipmb, (&bytes).into()), out));
        self.bus()
    }
}

fn message(to: u8, netfn: u8, from: u8, seq: u8, cmd: u8, data: &[u8]) -> Message<'_> {
    Message { to, to_lun: 0, netfn, from, from_lun: 0, seq, cmd, data }
}

/// A message as it stands on the bus.
fn on_bus(message: Message<'_>) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(message.length()).unwrap()];
    message.emit(&mut bytes);
    bytes
}

#[test]
fn the_device_is_opened_with_its_controller() {
    let rig = with_device(ChannelNumber::from_wire(5));
    let opened: Vec<_> = rig.effects.iter().filter(|e| matches!(e, Effect::OpenIpmb { .. })).collect();
    let [Effect::OpenIpmb { ipmb: IPMB, device, span }] = opened[..] else { panic!("{opened:?}") };
    let lines = CONF.lines().count() as u32;
    assert_eq!((device.as_str(), span.line > lines), ("/dev/ipmb-5", true));
}

/// `commands-core.md` section 5.6: checksums count, the receiver's address does not.
#[test]
fn a_request_from_the_bus_is_answered_on_the_bus() {
    let mut rig = with_device(ChannelNumber::from_wire(5));
    let response = rig.hear(IPMB, message(0x20, 6, 0x72, 9, 0x37, &[]));
    let mut guid = vec![0];
    guid.extend_from_slice(&hex_literal::hex!("a123456789abcdefa123456789abcdef"));
    assert_eq!(response, [on_bus(message(0x72, 7, 0x20, 9, 0x37, &guid))]);
    assert_eq!(
        rig.hear(IPMB, message(0x55, 6, 0x72, 9, 0x2f, &[])),
        [on_bus(message(0x72, 7, 0x55, 9, 0x2f, &[0, 8]))]
    );
    // This channel is an IPMB.
    assert_eq!(rig.hear(IPMB, message(0x20, 6, 0x72, 9, 0x42, &[0x0e]))[0][7..11], [0, 5, 1, 1]);
    for bytes in [&[][..], &[7, 0x20, 0x18, 0xc8, 0x72, 0x24, 0x01, 0x00], &[7, 0x20, 0x18, 0xc8]] {
        rig.call(|sim, now, out| sim.handle(now, Input::IpmbData(IPMB, bytes.into()), out));
        assert_eq!(rig.bus(), [[0; 0]; 0]);
    }
    assert_eq!(rig.logs().iter().filter(|text| text.starts_with("/dev/ipmb-5: a message is left out")).count(), 3);
}

#[test]
fn requests_from_the_bus_for_the_host_are_refused() {
    let mut rig = with_device(ChannelNumber::from_wire(5));
    let request = Message { to_lun: 2, ..message(0x20, 6, 0x72, 1, 1, &[]) };
    let response = Message { from_lun: 2, ..message(0x72, 7, 0x20, 1, 1, &[0xcc]) };
    assert_eq!(rig.hear(IPMB, request), [on_bus(response)]);
}

#[test]
fn a_session_reaches_a_controller_on_the_bus_and_gets_its_answer() {
    let mut rig = with_device(ChannelNumber::from_wire(5));
    let mut client = administrator(&mut rig);
    let mut data = carried(0x72, 6, 1, &[]);
    data[0] = 0x45;
    assert_eq!(client.ask(&mut rig, 6, 0x34, &data), [0]);
    let carried_message = Message::parse(&data[1..]).unwrap();
    let (seq, from) = (carried_message.seq, carried_message.from);
    // On the bus it is the BMC who asks, under a number of its own.
    assert_eq!(rig.bus(), [on_bus(message(0x72, 6, 0x20, 0, 1, &[]))]);
    // Somebody else's response, and one to another command, are not meant.
    for wrong in
        [message(0x20, 7, 0x74, 0, 1, &[0]), message(0x20, 7, 0x72, 0, 2, &[0]), message(0x20, 7, 0x72, 1, 1, &[0])]
    {
        rig.hear(IPMB, wrong);
        assert!(rig.sent.is_empty());
    }
    rig.hear(IPMB, message(0x20, 7, 0x72, 0, 1, &[0, 0xaa]));
    let mut expected = Vec::new();
    message(from, 7, 0x72, seq, 1, &[0, 0xaa]).emit(&mut expected);
    assert_eq!(rig.sent_messages(&mut client), [expected]);
    // It is answered once.
    rig.hear(IPMB, message(0x20, 7, 0x72, 0, 1, &[0, 0xaa]));
    assert!(rig.sent.is_empty());
}

#[test]
fn an_answer_that_comes_too_late_is_nobodys() {
    let mut rig = with_device(ChannelNumber::from_wire(5));
    let mut client = administrator(&mut rig);
    let mut data = carried(0x72, 6, 1, &[]);
    data[0] = 0x45;
    client.ask(&mut rig, 6, 0x34, &data);
    rig.wait(5);
    rig.hear(IPMB, message(0x20, 7, 0x72, 0, 1, &[0]));
    assert!(rig.sent.is_empty());
}

#[test]
fn bridging_to_the_bus_gives_nobody_more_than_the_level_allows() {
    let mut rig = with_device(ChannelNumber::from_wire(5));
    let mut client = client_of(&mut rig, 2);
    let mut data = carried(0x72, 0, 2, &[0]);
    data[0] = 0x45;
    assert_eq!(client.ask(&mut rig, 6, 0x34, &data), [0xd4]);
    assert_eq!(rig.bus(), [[0; 0]; 0]);
}

/// A device on channel 0 takes the place of the simulated IPMB.
#[test]
fn channel_0_can_be_a_device() {
    let mut rig = with_device(ChannelNumber::PRIMARY_IPMB);
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 6, 0x34, &carried(0x30, 6, 1, &[])), [0]);
    assert_eq!(rig.bus(), [on_bus(message(0x30, 6, 0x20, 0, 1, &[]))]);
    assert!(rig.sent.len() == 1, "the simulated MC 30h does not answer");
}

/// Send Message from the bus to a simulated controller: its response goes back to the bus.
#[test]
fn the_bus_reaches_simulated_controllers() {
    let mut rig = with_device(ChannelNumber::from_wire(5));
    let mut inner = vec![0];
    message(0x30, 6, 0x72, 3, 0x2f, &[]).emit(&mut inner);
    let written = rig.hear(IPMB, message(0x20, 6, 0x72, 9, 0x34, &inner));
    let outer = on_bus(message(0x72, 7, 0x20, 9, 0x34, &[0]));
    assert_eq!(written, [outer, on_bus(message(0x72, 7, 0x30, 3, 0x2f, &[0, 8]))]);
}

/// The host asks for the response at its own LUN 2 and finds it in the queue, with the channel.
#[test]
fn the_host_reaches_a_controller_on_the_bus() {
    let mut rig = with_device(ChannelNumber::from_wire(5));
    let mut data = vec![5];
    Message { from_lun: 2, ..message(0x72, 6, 0x20, 7, 1, &[]) }.emit(&mut data);
    let origin = Origin {
        channel: ChannelNumber::SYSTEM_INTERFACE,
        medium: Medium::System,
        privilege: None,
        session: None,
        bridged: false,
        requester: 0,
        requester_lun: 0,
    };
    let request = Request { netfn: 6, cmd: 0x34, lun: 0, origin, data: &data };
    let to = crate::serial::ResponseTo {
        rs_addr: 0x20,
        rq_addr: 0,
        netfn: 6,
        rs_lun: 0,
        rq_lun: 0,
        sequence: 1,
        cmd: 0x34,
        forwarded: false,
        connection: 0,
    };
    rig.call(|sim, now, out| sim.request_of_host(now, (HOST, to), &request, out));
    assert_eq!(rig.bus(), [on_bus(message(0x72, 6, 0x20, 0, 1, &[]))]);
    rig.hear(IPMB, message(0x20, 7, 0x72, 0, 1, &[0, 0xaa]));
    let queued = crate::bmc::messaging::fetch(&mut rig.sim.machine_mut().found(McAddress::BMC)).expect("an answer");
    assert_eq!((queued.channel, &queued.data[2..7]), (ChannelNumber::from_wire(5), &[0x72, 0x1c, 1, 0, 0xaa][..]));
}
