//! Several BMCs in one process and one thread: `cargo run --example many`.
//!
//! Each has a port, users, sensors and a log of its own.

use std::error::Error;
use std::process::Command;

use ipmi_sim::Bmc;
use tokio::runtime::{Builder, Handle};

const BMCS: u16 = 20;

fn main() -> Result<(), Box<dyn Error>> {
    Builder::new_current_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let runtime = Handle::current();
    let make = |number| {
        let name = format!("node{number}");
        Bmc::builder().name(&name).user("admin", name).start_in(&runtime)
    };
    let bmcs: Vec<Bmc> = (0..BMCS).map(make).collect::<Result<_, _>>()?;
    for bmc in &bmcs {
        println!("{}", bmc.address());
    }

    // One of them is asked. That waits for another process, so it is done away from the BMCs' thread.
    let address = bmcs[7].address();
    let asked = runtime.spawn_blocking(move || {
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let words = ["-I", "lanplus", "-H", &host, "-p", &port, "-U", "admin", "-P", "node7", "power", "on"];
        Command::new("ipmitool").args(words).status()
    });
    assert!(asked.await??.success());
    let on: Vec<usize> = bmcs.iter().enumerate().filter(|(_, bmc)| bmc.power()).map(|(number, _)| number).collect();
    assert_eq!(on, [7]);
    println!("Power is on in: {on:?}");

    for bmc in bmcs {
        bmc.stop().await;
    }
    Ok(())
}
