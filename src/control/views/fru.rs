//! A FRU inventory device, and what its areas say.

use serde_json::{Value, json};

use super::hex;
use crate::bmc::fru::areas::{Areas, Board, Chassis, Product};
use crate::sim::{FruContent, FruDevice};

/// A device.
pub(in crate::control) fn device(device: &FruDevice) -> Value {
    let (raw, areas, file) = match &device.content {
        FruContent::Bytes { bytes, areas } => (Some(hex(bytes)), Some(self::areas(areas)), None),
        FruContent::File { path, .. } => (None, None, Some(path)),
        FruContent::History => (None, None, None),
    };
    json!({ "device": device.device, "size": device.size, "raw": raw, "areas": areas, "file": file })
}

fn areas(areas: &Areas) -> Value {
    json!({
        "chassis": areas.chassis.as_ref().map(chassis),
        "board": areas.board.as_ref().map(board),
        "product": areas.product.as_ref().map(product),
    })
}

fn chassis(area: &Chassis) -> Value {
    json!({
        "chassis_type": area.chassis_type,
        "part_number": area.part_number,
        "serial": area.serial,
        "custom": area.custom,
    })
}

fn board(area: &Board) -> Value {
    json!({
        "manufacturer": area.manufacturer,
        "product": area.product,
        "serial": area.serial,
        "part_number": area.part_number,
        "file": area.file,
        "custom": area.custom,
    })
}

fn product(area: &Product) -> Value {
    json!({
        "manufacturer": area.manufacturer,
        "name": area.name,
        "part_number": area.part_number,
        "version": area.version,
        "serial": area.serial,
        "asset_tag": area.asset_tag,
        "file": area.file,
        "custom": area.custom,
    })
}
