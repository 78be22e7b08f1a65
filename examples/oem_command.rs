//! A BMC with commands of an OEM: `cargo run --example oem_command`.
//!
//! Network function 3Ah sets how fast the fans turn, and tells it. The client needs no socket; `virtual_time` says more
//! about that.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use ipmi_sim::client::{self, Account, Session, Way};
use ipmi_sim::oem::{CompletionCode, Context, Entry, Function, Outcome, Request, Response};
use ipmi_sim::{Bmc, ChannelNumber, Effect, Effects, Input, LanId, McAddress, Moment, Random, Simulator};

/// Network function of the OEM.
const FANS: u8 = 0x3a;
/// Under this number a BMC remembers how fast its fans turn.
const DUTY: u32 = 1;
/// As long as nobody has said: 30 %.
const QUIET: u8 = 30;

/// All there is to say about the two commands. Set Fan Duty needs a byte and an operator; Get Fan Duty a user, and a
/// client that sends it again gets the newest value. With `-d` the log shows `percent=80`.
static COMMANDS: &[Entry] = &[
    Entry::new(0x10, "Set Fan Duty", set_duty).at_least(1).operator().fields("percent:d1", ""),
    Entry::new(0x11, "Get Fan Duty", get_duty).user().reads().fields("", "percent:d1"),
];

/// Request: percent; C9h above 100.
fn set_duty(context: &mut Context<'_>, request: &Request<'_>, _: &mut Response) -> Result<Outcome, CompletionCode> {
    match *request.data {
        [percent @ 0..=100, ..] => context.set_oem_value(DUTY, &[percent])?,
        _ => return Err(CompletionCode::OUT_OF_RANGE),
    }
    Ok(Outcome::Done)
}

/// Response: percent.
fn get_duty(context: &mut Context<'_>, _: &Request<'_>, response: &mut Response) -> Result<Outcome, CompletionCode> {
    let percent = context.oem_value(DUTY).first().copied().unwrap_or(QUIET);
    response.put(&[percent])?;
    Ok(Outcome::Done)
}

/// The same numbers in every run: nothing here is a secret.
struct Dice(u64);

impl Random for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = self.0.to_be_bytes()[0];
        }
    }
}

/// Hands a datagram of the client in, and gives the one that comes back.
fn exchange(bmc: &mut Simulator, datagram: &[u8]) -> Result<Vec<u8>, client::Error> {
    let (mut bytes, mut out) = (datagram.to_vec(), Effects::default());
    let lan = LanId { mc: McAddress::BMC, channel: ChannelNumber::LAN };
    let client: SocketAddr = ([192, 0, 2, 1], 40000).into();
    bmc.handle(NOW, Input::Datagram { lan, from: client.into(), bytes: &mut bytes }, &mut out);
    let sent = out.list.iter().find_map(|effect| match effect {
        Effect::Send { start, end, .. } => out.bytes.get(*start..*end),
        _ => None,
    });
    sent.map(<[u8]>::to_vec).ok_or(client::Error::Unexpected)
}

/// No time passes here.
const NOW: Moment = Moment::new(Duration::from_secs(1000));

fn main() -> Result<(), Box<dyn Error>> {
    let builder = Bmc::builder().user("admin", "secret").commands(Function::Number(FANS), COMMANDS);
    // `start()` in place of `simulator(...)` gives one that ipmitool can ask: `ipmitool ... raw 0x3a 0x11`.
    let mut bmc = builder.simulator(Box::new(Dice(1)), NOW, &mut Effects::default())?;

    let (mut random, mut seq) = (Dice(2), 0);
    let account = Account::new("admin", "secret");
    let mut session = Session::login(Way::Suite(17), account, &mut random, |ask| exchange(&mut bmc, ask))?;
    let mut ask = |netfn, cmd, data: &[u8]| -> Result<Vec<u8>, client::Error> {
        seq += 1;
        let mut datagram = Vec::new();
        session.request((seq, netfn, cmd), data, &mut random, &mut datagram);
        let mut response = exchange(&mut bmc, &datagram)?;
        Ok(session.open(&mut response)?.response()?.done()?.data.to_vec())
    };

    // A session begins at user level.
    assert_eq!(ask(FANS, 0x11, &[])?, [QUIET]);
    assert_eq!(ask(FANS, 0x10, &[80]), Err(client::Error::Command(CompletionCode::INSUFFICIENT_PRIVILEGE)));

    ask(0x06, client::SET_SESSION_PRIVILEGE_LEVEL, &[client::ADMINISTRATOR])?;
    assert_eq!(ask(FANS, 0x10, &[101]), Err(client::Error::Command(CompletionCode::OUT_OF_RANGE)));
    ask(FANS, 0x10, &[80])?;
    let percent = ask(FANS, 0x11, &[])?;
    println!("The fans turn at {} %.", percent.first().copied().unwrap_or(0));
    Ok(())
}
