//! A BMC and its client without a socket, in a time that the program makes: `cargo run --example virtual_time`.
//!
//! The client logs in, sets the watchdog timer to one hour, and the hour is over at once.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use ipmi_sim::client::{self, Account, Session, Way};
use ipmi_sim::{Bmc, ChannelNumber, Control, Effect, Effects, Event, Input, McAddress, Moment, Random, Simulator};

/// The same numbers in every run: nothing here is a secret.
#[derive(Clone)]
struct Dice(u64);

impl Random for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = self.0.to_be_bytes()[0];
        }
    }
}

/// The BMC, and what time it is.
struct World {
    bmc: Simulator,
    now: Moment,
    client: SocketAddr,
}

impl World {
    /// Hands a datagram of the client in, and gives the one that comes back.
    fn exchange(&mut self, datagram: &[u8]) -> Result<Vec<u8>, client::Error> {
        let (mut bytes, mut out) = (datagram.to_vec(), Effects::default());
        let lan = ipmi_sim::LanId { mc: McAddress::BMC, channel: ChannelNumber::LAN };
        let input = Input::Datagram { lan, from: self.client.into(), bytes: &mut bytes };
        self.bmc.handle(self.now, input, &mut out);
        let sent = out.list.iter().find_map(|effect| match effect {
            Effect::Send { start, end, .. } => out.bytes.get(*start..*end),
            _ => None,
        });
        sent.map(<[u8]>::to_vec).ok_or(client::Error::Unexpected)
    }

    /// Lets time pass, from one thing that is due to the next.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.bmc.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.bmc.handle(self.now, Input::Timeout, &mut Effects::default());
        }
        self.now = end;
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let now = Moment::new(Duration::from_secs(1000));
    let bmc = Bmc::builder().user("admin", "secret");
    let bmc = bmc.simulator(Box::new(Dice(1)), now, &mut Effects::default())?;
    let mut world = World { bmc, now, client: ([192, 0, 2, 1], 40000).into() };
    world.bmc.watch();
    world.bmc.control(now, Control::PowerUp, &mut Effects::default())?;

    let mut random = Dice(2);
    let account = Account::new("admin", "secret");
    let mut session = Session::login(Way::Suite(17), account, &mut random.clone(), |ask| world.exchange(ask))?;
    let mut command = |world: &mut World, seq, netfn, cmd, data: &[u8]| -> Result<Vec<u8>, client::Error> {
        let mut datagram = Vec::new();
        session.request((seq, netfn, cmd), data, &mut random, &mut datagram);
        let mut response = world.exchange(&datagram)?;
        Ok(session.open(&mut response)?.response()?.done()?.data.to_vec())
    };

    const APP: u8 = 0x06;
    command(&mut world, 1, APP, client::SET_SESSION_PRIVILEGE_LEVEL, &[client::ADMINISTRATOR])?;
    // Set Watchdog Timer: for the operating system, power down when 36000 times 100 ms are over; then start it.
    let [low, high] = 36_000u16.to_le_bytes();
    command(&mut world, 2, APP, 0x24, &[0x04, 0x02, 0, 0, low, high])?;
    command(&mut world, 3, APP, 0x22, &[])?;

    world.pass(Duration::from_secs(3599));
    assert!(world.bmc.power());
    world.pass(Duration::from_secs(1));
    assert!(!world.bmc.power());
    println!("After an hour of {:?} the watchdog has switched off.", Duration::from_secs(3600));
    let expired = |event: &Event| matches!(event, Event::WatchdogExpired { .. });
    assert!(world.bmc.take_events().iter().any(expired));
    Ok(())
}
