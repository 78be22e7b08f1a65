//! `fru`: inventories of field-replaceable units.

use clap::Args;
use serde_json::Value;

use super::{Mc, Target};
use crate::simctl::context::Context;
use crate::simctl::door::{Door, bmc_path};
use crate::simctl::failure::{Failure, Status};
use crate::simctl::model::{Fru as Told, Frus, read};
use crate::simctl::number;
use crate::simctl::output::Output;
use crate::simctl::several;
use crate::simctl::table::Table;

/// The options of `fru`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ipmi_simctl fru node1
  ipmi_simctl fru node1 --device 0 --raw | xxd -r -p >fru.bin
  ipmi_simctl fru 'node*' --json | jq -r '[.bmc, .devices[0].areas.product.serial] | @tsv'")]
pub struct Fru {
    #[command(flatten)]
    target: Target,

    /// Only this FRU device
    #[arg(long, value_name = "ID", value_parser = number::byte)]
    device: Option<u8>,

    /// The bytes in hex, a line for each device
    #[arg(long)]
    raw: bool,

    #[command(flatten)]
    mc: Mc,
}

impl Fru {
    /// Shows them.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let rest = format!("/fru{}", self.mc.query());
        let work = async |door: &Door, name: &str| {
            let mut value = door.get(&bmc_path(name, &rest)).await?;
            if let (Some(wanted), Some(devices)) = (self.device, value["devices"].as_array_mut()) {
                devices.retain(|device| device["device"] == wanted);
                if devices.is_empty() {
                    return Err(Failure::NotFound(format!("{name} has no FRU device {wanted}")));
                }
            }
            Ok(value)
        };
        several::each(context, &self.target.name, "Asking", work, |output, bmcs| self.present(output, bmcs)).await
    }

    fn present(&self, output: &mut Output<'_>, bmcs: &[(String, Value)]) -> Result<(), Failure> {
        let mut table = Table::new(&["BMC", "#DEVICE", "AREA", "FIELD", "VALUE"]);
        for (bmc, value) in bmcs {
            for device in read::<Frus>(value)?.devices {
                if self.raw {
                    output.line(&device.raw)?;
                } else {
                    rows(&mut table, bmc, &device);
                }
            }
        }
        match (self.raw, bmcs.len() > 1) {
            (true, _) => Ok(()),
            (false, true) => output.table(&table),
            (false, false) => output.table(&table.of_one()),
        }
    }
}

fn rows(table: &mut Table, bmc: &str, device: &Told) {
    let mut row = |area: &str, field: &str, value: String| {
        table.row([bmc.into(), device.device.to_string().into(), area.into(), field.into(), value.into()]);
    };
    let mut is_empty = true;
    for (area, fields) in device.areas.as_object().into_iter().flatten() {
        for (field, value) in fields.as_object().into_iter().flatten() {
            if let Some(value) = shown(value) {
                is_empty = false;
                row(area, &field.replace('_', " "), value);
            }
        }
    }
    if is_empty {
        row("", "size", format!("{} bytes", device.size));
    }
}

/// A value of an area, if there is one.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(all) => {
            let all: Vec<String> = all.iter().filter_map(shown).collect();
            (!all.is_empty()).then(|| all.join(", "))
        }
        other => Some(other.to_string()),
    }
}
