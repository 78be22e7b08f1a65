//! A BMC in a test of yours: `cargo run --example embed_in_a_test`.
//!
//! What is tested here is ipmitool; put your own client in its place.

use std::error::Error;
use std::process::Command;
use std::time::Duration;

use ipmi_sim::{Bmc, BootDevice, Boots, Control, Event, McAddress};

fn main() -> Result<(), Box<dyn Error>> {
    let bmc = Bmc::builder().user("admin", "secret").start()?;
    let mut events = bmc.events();

    // The client under test.
    ipmitool(&bmc, &["chassis", "bootdev", "pxe"])?;
    ipmitool(&bmc, &["chassis", "power", "on"])?;

    // What it did, in order. What is of no interest here, such as its logins, is skipped.
    let mut next = || {
        std::iter::from_fn(|| events.wait(Duration::from_secs(5)))
            .find(|event| matches!(event, Event::BootDeviceSet { .. } | Event::PowerAsked { .. }))
    };
    assert_eq!(next(), Some(Event::BootDeviceSet { mc: McAddress::BMC, device: BootDevice::PXE, boots: Boots::Next }));
    assert_eq!(next(), Some(Event::PowerAsked { mc: McAddress::BMC, control: Control::PowerUp }));
    assert!(bmc.power());

    // What it is to find: the processor is too hot, and the event log says so.
    let sensor = bmc.sensors().into_iter().find(|sensor| sensor.name.as_deref() == Some("CPU Temp"));
    let number = sensor.ok_or("no such sensor")?.number;
    bmc.set_sensor_value(number, 92.0)?;
    print!("{}", ipmitool(&bmc, &["sdr", "get", "CPU Temp"])?);
    print!("{}", ipmitool(&bmc, &["sel", "elist"])?);
    Ok(())
}

fn ipmitool(bmc: &Bmc, words: &[&str]) -> Result<String, Box<dyn Error>> {
    let (host, port) = (bmc.address().ip().to_string(), bmc.address().port().to_string());
    let output = Command::new("ipmitool")
        .args(["-I", "lanplus", "-H", &host, "-p", &port, "-U", "admin", "-P", "secret"])
        .args(words)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
