//! The state files of a clone: records, log, and what a client could have set.
//!
//! The names of files and items are those of `sim::persist`; the original knows those of records, log, users and two of
//! a LAN channel, and skips the others.

use super::lan_conf;
use crate::bmc::boot::AT_START;
use crate::clone::bytes::Bytes;
use crate::clone::model::{BMC, Controller, Machine, Request, Response, Sel};
use crate::clone::reads::Read;
use crate::state::Items;

/// Every file that there is something for, by name.
pub(super) fn files(machine: &Machine) -> Vec<(String, Items)> {
    let mut files = Vec::new();
    if let Some(bmc) = machine.bmc() {
        records(bmc, &mut files);
        if let Some(sel) = &bmc.sel {
            files.push((format!("sel.{BMC:02x}"), log(machine, sel)));
        }
    }
    for channel in lan_conf::channels(machine) {
        files.push((format!("lanparm.mc{BMC:02x}.{channel}"), lan(machine, channel)));
    }
    for (name, items) in [
        ("users", users(machine)),
        ("chassis", chassis(machine)),
        ("sysinfo", system_info(machine)),
        ("pef", filters(machine)),
        ("dcmi", dcmi(machine)),
    ] {
        files.push((format!("{name}.mc{BMC:02x}"), items));
    }
    files.retain(|(_, items)| !items.is_empty());
    files
}

fn name(record: &[u8]) -> String {
    match record {
        [low, high, ..] => u16::from_le_bytes([*low, *high]).to_string(),
        _ => "0".into(),
    }
}

fn records(bmc: &Controller, files: &mut Vec<(String, Items)>) {
    let [added, erased] = bmc.repository_times;
    let mut put = |file: String, records: &[Bytes]| {
        let mut items = Items::new();
        items.push_integer("last_add_time", added.into());
        items.push_integer("last_erase_time", erased.into());
        records.iter().for_each(|record| items.push_bytes(name(record), record.to_vec()));
        files.push((file, items));
    };
    if let Some(repository) = &bmc.repository {
        put(format!("sdr.{BMC:02x}.main"), repository);
    }
    for (lun, records) in &bmc.device_sdrs {
        put(format!("sdr.{BMC:02x}.device{lun}"), records);
    }
}

fn log(machine: &Machine, sel: &Sel) -> Items {
    let mut items = Items::new();
    items.push_integer("last_add_time", sel.last_add.into());
    items.push_integer("last_erase_time", sel.last_erase.into());
    // With these two the clock of the log is ahead of the wall clock by the first, whenever the program is started.
    items.push_integer("time_offset", sel.clock.unwrap_or(0));
    items.push_integer("wall_clock", 0);
    const UNSPECIFIED: i16 = 0x07ff;
    let offset = machine.told(BMC, Read::SelUtcOffset, &[]).and_then(|told| told.first_chunk().copied());
    if let Some(minutes) = offset.map(i16::from_le_bytes).filter(|minutes| *minutes != UNSPECIFIED) {
        items.push_integer("utc_offset", minutes.into());
    }
    sel.records.iter().for_each(|record| items.push_bytes(name(record), record.to_vec()));
    items
}

/// What follows the revision in a response about a LAN parameter; not when it is shorter than that.
fn lan_parameter(machine: &Machine, channel: u8, number: u8, set: u8, length: usize) -> Option<&[u8]> {
    machine.told(BMC, Read::LanParameters, &[channel, number, set, 0])?.get(1..1 + length)
}

/// Parameters that stand in the file as they are: number, name, length, what it is without the item.
const LAN_ITEMS: [(u8, &str, usize); 10] = [
    (3, "ip_addr", 4),
    (4, "ip_addr_src", 1),
    (5, "mac_addr", 6),
    (6, "subnet_mask", 4),
    (12, "default_gw_ip_addr", 4),
    (13, "default_gw_mac_addr", 6),
    (14, "backup_gw_ip_addr", 4),
    (15, "backup_gw_mac_addr", 6),
    (7, "ipv4_header", 3),
    (26, "bad_password", 6),
];

fn lan(machine: &Machine, channel: u8) -> Items {
    let mut items = Items::new();
    let parameter = |number, length| lan_parameter(machine, channel, number, 0, length);
    if let Some(levels) = levels(machine, channel) {
        items.push_bytes("max_priv_for_cipher", levels);
    }
    items.push_integer("privilege_limit", lan_conf::limit(machine, channel).into());
    let mut put = |name: &str, bytes: &[u8]| {
        if bytes.iter().any(|byte| *byte != 0) {
            items.push_bytes(name, bytes);
        }
    };
    for (number, name, length) in LAN_ITEMS {
        put(name, parameter(number, length).unwrap_or_default());
    }
    if let (Some(&[control]), Some(&[interval])) = (parameter(10, 1), parameter(11, 1)) {
        put("arp", &[control, interval]);
    }
    put("vlan_id", parameter(20, 2).unwrap_or_default());
    put("vlan_priority", parameter(21, 1).unwrap_or_default());
    for set in 0..=4 {
        // The number of the destination stands before each.
        let of = |number, length| lan_parameter(machine, channel, number, set, length).and_then(|data| data.get(1..));
        put(&format!("destination{set}.type"), of(18, 4).unwrap_or_default());
        put(&format!("destination{set}.addresses"), of(19, 13).unwrap_or_default());
    }
    if let Some(community) = parameter(16, 18) {
        items.push_bytes("community", community);
    }
    const ALERTING_DISABLED: u8 = 0x20;
    let access = machine.told(BMC, Read::ChannelAccess, &[channel, 0x40]);
    if access.and_then(|access| access.first()).is_some_and(|access| access & ALERTING_DISABLED != 0) {
        items.push_integer("pef_alerting", 1);
    }
    items
}

/// The levels of parameter 24 in this program's order of cipher suites; those that the machine does not have are not
/// used. `None` when it tells nothing of its suites.
fn levels(machine: &Machine, channel: u8) -> Option<[u8; 9]> {
    let told = lan_parameter(machine, channel, 23, 0, 1)
        .and_then(|_| machine.told(BMC, Read::LanParameters, &[channel, 23, 0, 0])?.get(2..));
    let suites = match told {
        Some(suites) => suites.to_vec(),
        None => suites(machine, channel)?,
    };
    let set = lan_parameter(machine, channel, 24, 0, 9);
    let level = |entry: usize| match set.and_then(|set| set.get(1 + entry / 2)) {
        Some(byte) => byte >> (4 * (entry % 2)) & 0x0f,
        None => 4,
    };
    // The first byte is reserved.
    let mut levels = [0; 9];
    levels[0] = set.and_then(|set| set.first().copied()).unwrap_or_default();
    for (place, suite) in crate::bmc::lan_parameters::CIPHER_SUITES.iter().enumerate() {
        let entry = suites.iter().take(16).position(|found| found == suite);
        if let (Some(entry), Some(byte)) = (entry, levels.get_mut(1 + place / 2)) {
            *byte |= level(entry) << (4 * (place % 2));
        }
    }
    Some(levels)
}

/// The suites that Get Channel Cipher Suites tells (IPMI 2.0 table 22-18).
fn suites(machine: &Machine, channel: u8) -> Option<Vec<u8>> {
    const STANDARD: u8 = 0xc0;
    const OEM: u8 = 0xc1;
    let asked = (0..0x10).map_while(|index| machine.told(BMC, Read::CipherSuites, &[channel, 0, 0x80 | index]));
    let records: Vec<u8> = asked.flat_map(|told| told.get(1..).unwrap_or_default()).copied().collect();
    let mut suites = Vec::new();
    let mut rest = records.as_slice();
    while let [start, after @ ..] = rest {
        rest = after;
        match (start, after) {
            (&STANDARD, [suite, ..]) => suites.push(*suite),
            (&OEM, [_, _, _, _, after @ ..]) => rest = after,
            _ => {}
        }
    }
    (!records.is_empty()).then_some(suites)
}

/// What lan.conf cannot say of users.
fn users(machine: &Machine) -> Items {
    const MESSAGING: u8 = 0x10;
    const LINK: u8 = 0x20;
    const CALLBACK: u8 = 0x40;
    const NO_ACCESS: u8 = 0x0f;
    let mut items = Items::new();
    // Highest number; bits 7-6 of the next byte are whether the user is enabled.
    let told: Vec<_> = machine.all(BMC, Read::UserAccess).filter(|(_, response)| response.code == 0).collect();
    if let Some(highest) = told.first().and_then(|(_, response)| response.data.first()).map(|byte| byte & 0x3f)
        && (1..0x3f).contains(&highest)
    {
        items.push_integer("highest_user", highest.into());
    }
    let status = |response: &&Response| response.data.get(1).is_some_and(|byte| byte >> 6 != 0);
    if !told.is_empty() && !told.iter().any(|(_, response)| status(response)) {
        items.push_integer("user_status_told", 0);
    }
    for user in lan_conf::users(machine) {
        let number = user.number;
        if user.limit == 5 || user.limit == NO_ACCESS || user.limit == 0 {
            items.push_integer(format!("{number}.privilege"), user.limit.into());
        }
        for (name, bit) in [("link_auth", LINK), ("cb_only", CALLBACK)] {
            if user.flags & bit != 0 {
                items.push_integer(format!("{number}.{name}"), 1);
            }
        }
        if user.enabled != (user.flags & MESSAGING != 0) {
            items.push_integer(format!("{number}.enabled"), user.enabled.into());
            items.push_integer(format!("{number}.ipmi_msg"), (user.flags & MESSAGING != 0).into());
        }
    }
    items
}

fn chassis(machine: &Machine) -> Items {
    let mut items = Items::new();
    power(machine, &mut items);
    for (name, bytes) in [("boot_options", boot_options(machine).to_vec()), ("watchdog", watchdog(machine).to_vec())] {
        if bytes.iter().any(|byte| *byte != 0) {
            items.push_bytes(name, bytes);
        }
    }
    items
}

/// Parameters 1 to 6 of the boot options: of 4 what follows the write mask. What is not told is 0.
fn boot_options(machine: &Machine) -> [u8; AT_START] {
    // Number, where it begins behind version and number, length, place.
    const PARAMETERS: [(u8, usize, usize, usize); 6] =
        [(1, 0, 1, 0), (2, 0, 1, 1), (3, 0, 1, 2), (4, 1, 1, 3), (5, 0, 5, 4), (6, 0, 9, 9)];
    let mut options = [0; AT_START];
    for (number, from, length, place) in PARAMETERS {
        let told = machine.told(BMC, Read::BootOptions, &[number, 0, 0]).and_then(|told| told.get(2 + from..));
        let room = options.get_mut(place..place + length).unwrap_or_default();
        for (byte, told) in room.iter_mut().zip(told.unwrap_or_default()) {
            *byte = *told;
        }
    }
    options
}

/// The watchdog's setting: use without whether it runs, actions, pre-timeout, expired flags, initial countdown.
fn watchdog(machine: &Machine) -> [u8; 6] {
    const RUNNING: u8 = 0x40;
    let told = machine.told(BMC, Read::Watchdog, &[]).and_then(|told| told.first_chunk().copied());
    let [timer_use, actions, pretimeout, expired, i0, i1] = told.unwrap_or_default();
    [timer_use & !RUNNING, actions, pretimeout, expired, i0, i1]
}

fn power(machine: &Machine, items: &mut Items) {
    let Some([power, _, _, rest @ ..]) = machine.told(BMC, Read::ChassisStatus, &[]) else { return };
    const PREVIOUS: u8 = 1;
    let (policy, on) = (power >> 5 & 0x03, power & 0x01);
    // Always off, previous, always on. A machine whose power is otherwise is not to be switched at the start.
    let keeps = matches!((policy, on), (0, 0) | (1, _) | (2, 1));
    items.push_integer("restore_policy", if keeps { policy } else { PREVIOUS }.into());
    items.push_integer("power", on.into());
    items.push_integer("cycle_interval", 0);
    items.push_integer("disabled_buttons", rest.first().map_or(0, |buttons| buttons & 0x0f).into());
}

fn system_info(machine: &Machine) -> Items {
    let mut items = Items::new();
    for (number, name) in (1..).zip(crate::bmc::system_info::NAMES) {
        // Revision, set; in the first one encoding and length of the text.
        let Some([_, _, encoding, length, first @ ..]) = machine.told(BMC, Read::SystemInfo, &[0, number, 0, 0]) else {
            continue;
        };
        let more = (1..).map_while(|set| machine.told(BMC, Read::SystemInfo, &[0, number, set, 0])?.get(2..));
        let mut text: Vec<u8> = first.iter().chain(more.flatten()).copied().collect();
        text.truncate((*length).into());
        if !text.is_empty() {
            items.push_bytes(name, [&[encoding & 0x0f], &text[..]].concat());
        }
    }
    items
}

fn filters(machine: &Machine) -> Items {
    const ENTRIES: u8 = 16;
    const STRING: usize = 64;
    let mut items = Items::new();
    let parameter = |number: u8, set: u8, block: u8| {
        machine.told(BMC, Read::PefParameters, &[number, set, block]).and_then(|told| told.get(1..))
    };
    let control: Vec<u8> = (1..=4).filter_map(|number| parameter(number, 0, 0)?.first().copied()).collect();
    if let [_, _, _, _] = *control {
        items.push_bytes("control", control);
    }
    let mut put = |name: String, bytes: Option<&[u8]>| {
        if let Some(bytes) = bytes {
            items.push_bytes(name, bytes);
        }
    };
    put("guid".into(), parameter(10, 0, 0).and_then(|data| data.get(..17)));
    for number in 0..ENTRIES {
        put(format!("filter.{number}"), parameter(6, number, 0).and_then(|data| data.get(..21)));
        put(format!("policy.{number}"), parameter(9, number, 0).and_then(|data| data.get(..4)));
        put(format!("string_key.{number}"), parameter(12, number, 0).and_then(|data| data.get(..3)));
        let blocks = (1..).map_while(|block| parameter(13, number, block)?.get(2..));
        let mut string: Vec<u8> = blocks.flatten().copied().collect();
        if string.iter().any(|byte| *byte != 0) {
            string.resize(STRING, 0);
            put(format!("string.{number}"), Some(&string));
        }
    }
    items
}

/// The group that DCMI's requests and responses begin with.
const DCMI: u8 = 0xdc;

fn dcmi(machine: &Machine) -> Items {
    let mut items = Items::new();
    if machine.told(BMC, Read::DcmiCapabilities, &[DCMI, 1]).is_none() {
        return items;
    }
    items.push_bytes("asset_tag", dcmi_text(machine, Read::DcmiAssetTag));
    items.push_bytes("identifier", dcmi_text(machine, Read::DcmiIdentifier));
    // Completion code 80h: there is a limit, and it is not active.
    let limit = machine.exchanges.get(&Request::new(BMC, Read::DcmiPowerLimit, [DCMI, 0, 0]));
    if let Some(limit) = limit.filter(|limit| matches!(limit.code, 0 | 0x80))
        && let [_, _, _, action, w0, w1, c0, c1, c2, c3, _, _, s0, s1, ..] = *limit.data
    {
        items.push_integer("limit.action", action.into());
        items.push_integer("limit.watts", u16::from_le_bytes([w0, w1]).into());
        items.push_integer("limit.correction", u32::from_le_bytes([c0, c1, c2, c3]).into());
        items.push_integer("limit.sampling", u16::from_le_bytes([s0, s1]).into());
        items.push_integer("limit.active", (limit.code == 0).into());
    }
    for (number, name) in
        [(2, "dhcp.discovery"), (3, "dhcp.initial_timeout"), (4, "dhcp.server_timeout"), (5, "dhcp.retry_interval")]
    {
        let told = machine.told(BMC, Read::DcmiParameters, &[DCMI, number, 0]);
        // The group, three bytes of versions.
        match told.and_then(|told| told.get(4..)) {
            Some([low]) => items.push_integer(name, (*low).into()),
            Some([low, high, ..]) => items.push_integer(name, u16::from_le_bytes([*low, *high]).into()),
            _ => {}
        }
    }
    items
}

fn dcmi_text(machine: &Machine, read: Read) -> Vec<u8> {
    const PIECE: u8 = 16;
    let pieces = (0..4).map_while(|piece| machine.told(BMC, read, &[DCMI, piece * PIECE, PIECE]));
    let mut length = 0;
    let mut text = Vec::new();
    for piece in pieces {
        length = piece.get(1).copied().map_or(length, usize::from);
        text.extend_from_slice(piece.get(2..).unwrap_or_default());
    }
    text.truncate(length);
    text
}
