//! `show`: everything that is known of a BMC.

use clap::Args;
use serde_json::Value;

use super::{Target, or_dash};
use crate::simctl::context::Context;
use crate::simctl::door::bmc_path;
use crate::simctl::failure::{Failure, Status};
use crate::simctl::model::{Bmc, Controller, Summary, Watchdog, read};
use crate::simctl::output::Output;
use crate::simctl::several;
use crate::simctl::style::Style;
use crate::simctl::table::{Cell, Table};

/// The options of `show`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ipmi_simctl show node1
  ipmi_simctl show node1 --json | jq .sessions_open")]
pub struct Show {
    #[command(flatten)]
    target: Target,
}

impl Show {
    /// Shows it.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let work = async |door: &crate::simctl::door::Door, name: &str| door.get(&bmc_path(name, "")).await;
        several::each(context, &self.target.name, "Asking", work, present).await
    }
}

fn present(output: &mut Output<'_>, bmcs: &[(String, Value)]) -> Result<(), Failure> {
    for (index, (_, value)) in bmcs.iter().enumerate() {
        if index > 0 {
            output.line("")?;
        }
        one(output, &read(value)?, &read(value)?)?;
    }
    Ok(())
}

fn one(output: &mut Output<'_>, summary: &Summary, bmc: &Bmc) -> Result<(), Failure> {
    let heading = output.paint(Style::Heading, &summary.name);
    let power = output.paint(Style::of_power(&summary.power), &summary.power);
    output.line(&format!("{heading}  {}, power {power}", summary.state))?;
    let mut facts = Vec::new();
    match (bmc.boot.device.as_str(), bmc.boot.boots.as_deref()) {
        ("" | "none", _) => {}
        (device, boots) => facts.push(format!("boots from {device} ({})", boots.unwrap_or("next"))),
    }
    facts.push(format!("{} requests", bmc.counts.requests));
    facts.push(format!("{} failed logins", bmc.counts.failed_logins));
    output.line(&facts.join(", "))?;
    if summary.alarms > 0 || summary.faults > 0 {
        let text = format!("{} sensors beyond a threshold, {} faults in force", summary.alarms, summary.faults);
        let text = output.paint(Style::Bad, &text);
        output.line(&text)?;
    }
    output.section("Controllers", controllers(&bmc.controllers))?;
    output.section("LAN channels", lan(bmc))?;
    output.section("Sessions", sessions(bmc))
}

fn controllers(controllers: &[Controller]) -> Table {
    let mut table = Table::new(&["MC", "ROLE", "#SENSORS", "SEL", "FRU", "IPMI", "FIRMWARE", "WATCHDOG", "GUID"]);
    for mc in controllers {
        let role = match (mc.is_bmc, mc.enabled) {
            (true, true) => Cell::from("BMC"),
            (true, false) => Cell::styled("BMC, disabled", Style::Warning),
            (false, true) => Cell::from("satellite"),
            (false, false) => Cell::styled("satellite, disabled", Style::Warning),
        };
        let fru: Vec<String> = mc.fru_devices.iter().map(ToString::to_string).collect();
        table.row([
            format!("{:#04x}", mc.mc).into(),
            role,
            mc.sensors.to_string().into(),
            mc.sel.as_ref().map(|sel| format!("{} of {}", sel.used, sel.room)).unwrap_or_default().into(),
            fru.join(" ").into(),
            mc.ipmi_version.as_str().into(),
            mc.firmware.as_str().into(),
            mc.watchdog.as_ref().map(watchdog).unwrap_or_default().into(),
            mc.guid.clone().unwrap_or_default().into(),
        ]);
    }
    table
}

fn watchdog(watchdog: &Watchdog) -> String {
    match (watchdog.running, watchdog.remaining_seconds) {
        (true, Some(seconds)) => format!("{seconds:.1} s left"),
        (true, None) => "running".into(),
        (false, _) => "stopped".into(),
    }
}

fn lan(bmc: &Bmc) -> Table {
    let mut table = Table::new(&["MC", "#CHANNEL", "ADDRESS", "STATE", "#SESSIONS"]);
    for lan in &bmc.lan {
        let state = if lan.open { Cell::from("open") } else { Cell::styled("closed", Style::Warning) };
        table.row([
            format!("{:#04x}", lan.mc).into(),
            lan.channel.to_string().into(),
            or_dash(lan.address.as_deref().unwrap_or_default()).into(),
            state,
            lan.sessions.to_string().into(),
        ]);
    }
    table
}

fn sessions(bmc: &Bmc) -> Table {
    let mut table = Table::new(&["#HANDLE", "#CHANNEL", "USER", "PRIVILEGE", "CLIENT", "IPMI", "IDLE", "SOL"]);
    for session in &bmc.sessions_open {
        table.row([
            session.handle.to_string().into(),
            session.channel.to_string().into(),
            format!("{} ({})", session.user_name, session.user).into(),
            session.privilege.as_str().into(),
            session.client.as_str().into(),
            session.ipmi_version.as_str().into(),
            format!("{:.1} s", session.idle_seconds).into(),
            if session.sol { "yes" } else { "" }.into(),
        ]);
    }
    table
}
