//! `sdr`: sensor data records.

use clap::Args;
use serde_json::Value;

use super::{Mc, Target};
use crate::simctl::context::Context;
use crate::simctl::door::{Door, bmc_path};
use crate::simctl::failure::{Failure, Status};
use crate::simctl::model::{Sdrs, read};
use crate::simctl::output::Output;
use crate::simctl::several;
use crate::simctl::table::Table;

/// The options of `sdr`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ipmi_simctl sdr node1
  ipmi_simctl sdr node1 --raw
  ipmi_simctl sdr node1 --json | jq -r '.records[].name'")]
pub struct Sdr {
    #[command(flatten)]
    target: Target,

    /// The bytes of each record as well, in hex
    #[arg(long)]
    raw: bool,

    #[command(flatten)]
    mc: Mc,
}

impl Sdr {
    /// Lists them.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let rest = format!("/sdr{}", self.mc.query());
        let work = async |door: &Door, name: &str| door.get(&bmc_path(name, &rest)).await;
        several::each(context, &self.target.name, "Asking", work, |output, bmcs| self.present(output, bmcs)).await
    }

    fn present(&self, output: &mut Output<'_>, bmcs: &[(String, Value)]) -> Result<(), Failure> {
        let mut table = Table::new(&["BMC", "#ID", "TYPE", "NAME", "BYTES"]);
        for (bmc, value) in bmcs {
            for record in read::<Sdrs>(value)?.records {
                table.row([
                    bmc.as_str().into(),
                    record.id.to_string().into(),
                    kind(record.record_type).into(),
                    record.name.unwrap_or_default().into(),
                    if self.raw { record.raw } else { String::new() }.into(),
                ]);
            }
        }
        let table = table.without_empty_columns();
        output.table(&if bmcs.len() > 1 { table } else { table.of_one() })
    }
}

/// What a record type is (IPMI 2.0 section 43).
fn kind(record_type: u8) -> String {
    match record_type {
        0x01 => "full sensor",
        0x02 => "compact sensor",
        0x03 => "event-only sensor",
        0x08 => "entity association",
        0x09 => "device-relative entity association",
        0x10 => "generic device locator",
        0x11 => "FRU device locator",
        0x12 => "MC device locator",
        0x13 => "MC confirmation",
        0x14 => "BMC message channel info",
        0xc0 => "OEM",
        other => return format!("{other:#04x}"),
    }
    .into()
}
