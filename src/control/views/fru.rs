//! A FRU inventory device, and what its areas say.

use serde::Serialize;

use super::hex;
use crate::bmc::fru::areas;
use crate::sim::{FruContent, FruDevice};

/// A device.
#[derive(Debug, Serialize)]
pub(in crate::control) struct Fru {
    device: u8,
    size: usize,
    raw: Option<String>,
    areas: Option<Areas>,
    file: Option<String>,
}

impl Fru {
    /// Of a device.
    pub(in crate::control) fn of(of: FruDevice) -> Self {
        let FruDevice { device, size, content } = of;
        let (raw, areas, file) = match content {
            FruContent::Bytes { bytes, areas } => (Some(hex(&bytes)), Some(Areas::of(*areas)), None),
            FruContent::File { path, .. } => (None, None, Some(path)),
            FruContent::History => (None, None, None),
        };
        Self { device, size, raw, areas, file }
    }
}

#[derive(Debug, Serialize)]
struct Areas {
    chassis: Option<Chassis>,
    board: Option<Board>,
    product: Option<Product>,
}

impl Areas {
    fn of(areas: areas::Areas) -> Self {
        let areas::Areas { chassis, board, product } = areas;
        Self { chassis: chassis.map(Chassis::of), board: board.map(Board::of), product: product.map(Product::of) }
    }
}

#[derive(Debug, Serialize)]
struct Chassis {
    chassis_type: u8,
    part_number: Option<String>,
    serial: Option<String>,
    custom: Vec<String>,
}

impl Chassis {
    fn of(area: areas::Chassis) -> Self {
        let areas::Chassis { chassis_type, part_number, serial, custom } = area;
        Self { chassis_type, part_number, serial, custom }
    }
}

#[derive(Debug, Serialize)]
struct Board {
    manufacturer: Option<String>,
    product: Option<String>,
    serial: Option<String>,
    part_number: Option<String>,
    file: Option<String>,
    custom: Vec<String>,
}

impl Board {
    fn of(area: areas::Board) -> Self {
        let areas::Board { manufacturer, product, serial, part_number, file, custom, .. } = area;
        Self { manufacturer, product, serial, part_number, file, custom }
    }
}

#[derive(Debug, Serialize)]
struct Product {
    manufacturer: Option<String>,
    name: Option<String>,
    part_number: Option<String>,
    version: Option<String>,
    serial: Option<String>,
    asset_tag: Option<String>,
    file: Option<String>,
    custom: Vec<String>,
}

impl Product {
    fn of(area: areas::Product) -> Self {
        let areas::Product { manufacturer, name, part_number, version, serial, asset_tag, file, custom } = area;
        Self { manufacturer, name, part_number, version, serial, asset_tag, file, custom }
    }
}
