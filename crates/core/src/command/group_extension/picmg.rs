//! PICMG commands, group 00h: AdvancedTCA (`commands-core.md` section 9, PICMG 3.0
//! chapter 3).
//!
//! Every request starts with the group byte, and every good answer but one carries it behind
//! the completion code. A field replaceable unit (FRU) is 0, the board itself; D3h for others.

use std::net::SocketAddrV4;

use super::super::{Context, Entry, Outcome};
use crate::bmc::external::FileWrite;
use crate::bmc::fru::FruKind;
use crate::bmc::hot_swap::{self, Activation};
use crate::bmc::picmg::{Led, Light, LockError, Site};
use crate::bmc::{Action, LogLevel};
use crate::ipmi::{CompletionCode, McAddress, Request, Response};

/// The group: PICMG.
pub const GROUP: u8 = 0x00;

/// The PICMG commands, by number. Minimum lengths count the group byte. Hot swap events are logged, and so kept.
#[rustfmt::skip]
pub static COMMANDS: &[Entry] = &[
    Entry::new(0x00, "Get PICMG Properties", get_properties).at_least(1).administrator().reads(),
    Entry::new(0x01, "Get Address Info", get_address_info).at_least(1).administrator().reads(),
    Entry::new(0x04, "FRU Control", fru_control).at_least(3).administrator().acts().keeps(),
    Entry::new(0x05, "Get FRU LED Properties", get_led_properties).at_least(2).administrator().reads(),
    Entry::new(0x06, "Get LED Color Capabilities", get_led_colours).at_least(3).administrator().reads(),
    Entry::new(0x07, "Set FRU LED State", set_led_state).at_least(3).administrator(),
    Entry::new(0x08, "Get FRU LED State", get_led_state).at_least(3).administrator().reads(),
    Entry::new(0x0c, "Set FRU Activation", set_activation).at_least(3).administrator().keeps(),
    Entry::new(0x1e, "FRU Control Capabilities", get_control_capabilities).at_least(2).administrator().reads(),
    Entry::new(0x1f, "FRU Inventory Device Lock Control", lock).gate(has_shelf_fru).at_least(5).administrator(),
    Entry::new(0x20, "FRU Inventory Device Write", write).gate(has_shelf_fru).at_least(6).administrator(),
    Entry::new(0x21, "Get Shelf Manager IP Addresses", get_manager_address).at_least(2).administrator().reads(),
    Entry::new(0x22, "Get Shelf Power Allocation", get_power_allocation).at_least(2).administrator().reads(),
];

/// PICMG version 2.2, highest FRU id 0, this controller's FRU id 0.
const PROPERTIES: [u8; 3] = [0x22, 0x00, 0x00];
/// The reserved byte of a response with an address.
const RESERVED: u8 = 0xff;
/// The controller that has the shelf's FRU, and its device id.
const SHELF_MANAGER: McAddress = McAddress::BMC;
const SHELF_FRU: u8 = 0xfe;
/// FRU Control: cold reset, graceful reboot and diagnostic interrupt are understood.
const CONTROL_CAPABILITIES: u8 = 0x0e;

fn byte(request: &Request<'_>, at: usize) -> Result<u8, CompletionCode> {
    request.data.get(at).copied().ok_or(CompletionCode::INVALID_LENGTH)
}

fn word(request: &Request<'_>, at: usize) -> Result<u16, CompletionCode> {
    Ok(u16::from_le_bytes([byte(request, at)?, byte(request, at + 1)?]))
}

/// Only the board itself has anything: D3h for another FRU id in byte 1.
fn board_only(request: &Request<'_>) -> Result<(), CompletionCode> {
    if byte(request, 1)? == 0 { Ok(()) } else { Err(CompletionCode::DESTINATION_UNAVAILABLE) }
}

/// Response: version, highest FRU id, own FRU id.
fn get_properties(_: &mut Context<'_>, _: &Request<'_>, response: &mut Response) -> Result<Outcome, CompletionCode> {
    response.put(&[GROUP])?;
    response.put(&PROPERTIES)?;
    Ok(Outcome::Done)
}

/// Request: FRU, key type, key, site type; without a key it is about the controller itself.
/// Response: hardware address, IPMB address, FFh, FRU, site number, site type.
fn get_address_info(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let fru = request.data.get(1).copied().unwrap_or(0);
    let shelf = &context.machine.shelf;
    let unavailable = CompletionCode::DESTINATION_UNAVAILABLE;
    let hardware_address = match *request.data.get(2..).unwrap_or_default() {
        [] => context.mc.0 >> 1,
        // A hardware address, an IPMB address, a site.
        [0x00, address, ..] => address,
        [0x01, address, ..] => address >> 1,
        [0x03, number, site_type, ..] => shelf.hardware_address(Site { site_type, number }).ok_or(unavailable)?,
        _ => return Err(CompletionCode::INVALID_FIELD),
    };
    let site = shelf.site(hardware_address).filter(|_| fru == 0).ok_or(unavailable)?;
    response.put(&[GROUP, hardware_address, hardware_address << 1, RESERVED, fru, site.number, site.site_type])?;
    Ok(Outcome::Done)
}

/// Request: FRU, option. There is nothing behind a simulated board to be reset.
fn fru_control(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    board_only(request)?;
    let option = match byte(request, 2)? {
        0 => "cold reset",
        1 => "warm reset",
        2 => "graceful reboot",
        3 => "diagnostic interrupt",
        _ => return Err(CompletionCode::INVALID_FIELD),
    };
    let text = format!("FRU Control of MC {:#04x}: {option}, which changes nothing", context.mc);
    context.machine.actions.push(Action::Log { level: LogLevel::Debug, text });
    response.put(&[GROUP])?;
    Ok(Outcome::Done)
}

/// Request: FRU. Response: a bit per light among LED 0 to 3, and how many there are beyond
/// them, which is 4 for any board with more than three lights, as in the original.
fn get_led_properties(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    board_only(request)?;
    let lights = match context.controller()?.board.leds.counted() {
        0..=2 => [0x03, 0],
        3 => [0x07, 0],
        _ => [0x0f, 4],
    };
    response.put(&[GROUP])?;
    response.put(&lights)?;
    Ok(Outcome::Done)
}

/// The light of a request: FRU in byte 1, light in byte 2; CCh for one that is not there.
fn light<'a>(context: &'a mut Context<'_>, request: &Request<'_>) -> Result<&'a mut Led, CompletionCode> {
    board_only(request)?;
    let number = byte(request, 2)?;
    context.controller()?.board.leds.get_mut(number).ok_or(CompletionCode::INVALID_FIELD)
}

/// Request: FRU, light. Response: colours, default colour of local control, of an override.
fn get_led_colours(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let light = light(context, request)?;
    response.put(&[GROUP, light.colours, light.local_colour, light.override_colour])?;
    Ok(Outcome::Done)
}

/// Request: FRU, light, function, on-duration, colour. Function FCh gives the light back to
/// the board; FBh (lamp test), FDh and FEh are refused; any other is the off-duration of an
/// override.
fn set_led_state(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let light = light(context, request)?;
    let [function, on, colour] =
        *request.data.get(3..).and_then(<[u8]>::first_chunk).ok_or(CompletionCode::INVALID_LENGTH)?;
    match function {
        0xfc if light.give_back() => {}
        0xfb..=0xfe => return Err(CompletionCode::INVALID_FIELD),
        off => light.take_over(Light { off, on, colour }),
    }
    response.put(&[GROUP])?;
    Ok(Outcome::Done)
}

/// Request: FRU, light. Response: states (bit 0 local control exists, bit 1 override), what
/// local control shows, and in override what is shown; each off-, on-duration and colour.
fn get_led_state(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let light = *light(context, request)?;
    if light.local_control {
        response.put(&[GROUP, 0x01])?;
        response.put(&bytes(light.shown))?;
    } else {
        response.put(&[GROUP, 0x02 | u8::from(light.has_local_control)])?;
        response.put(&bytes(light.local))?;
        response.put(&bytes(light.shown))?;
    }
    Ok(Outcome::Done)
}

fn bytes(light: Light) -> [u8; 3] {
    [light.off, light.on, light.colour]
}

/// Request: FRU, operation (0 deactivate, 1 activate). C1h without a hot-swap sensor.
fn set_activation(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    board_only(request)?;
    let sensor = context.controller()?.board.hot_swap_sensor().ok_or(CompletionCode::INVALID_COMMAND)?;
    let activation = match byte(request, 2)? {
        0 => Activation::Deactivate,
        1 => Activation::Activate,
        _ => return Err(CompletionCode::INVALID_FIELD),
    };
    let now = context.now;
    hot_swap::activate(&mut context.at()?, now, sensor, activation);
    response.put(&[GROUP])?;
    Ok(Outcome::Done)
}

/// Request: FRU. Response: what FRU Control understands.
fn get_control_capabilities(
    _: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    board_only(request)?;
    response.put(&[GROUP, CONTROL_CAPABILITIES])?;
    Ok(Outcome::Done)
}

/// Whether the controller has the shelf's FRU: the one at 20h does.
fn has_shelf_fru(context: &Context<'_>) -> bool {
    context.mc == SHELF_MANAGER
}

fn shelf_fru_only(request: &Request<'_>) -> Result<(), CompletionCode> {
    if byte(request, 1)? == SHELF_FRU { Ok(()) } else { Err(CompletionCode::DESTINATION_UNAVAILABLE) }
}

/// Request: FRU, operation (0 query, 1 lock, 2 unlock and discard, 3 unlock and commit), lock
/// id (2). Response: the id of a new lock, else 0 (2), and how often something was committed
/// before (4). 81h: locked, or not with this id; D5h: there is nothing to lock.
fn lock(context: &mut Context<'_>, request: &Request<'_>, response: &mut Response) -> Result<Outcome, CompletionCode> {
    shelf_fru_only(request)?;
    let operation = byte(request, 2)?;
    let id = word(request, 3)?;
    let now = context.now;
    let lock = &mut context.machine.shelf.lock;
    match operation {
        0 => lock_state(response, 0, lock.commits()),
        1 => begin_lock(context, response),
        2 => {
            lock.discard(now, id).map_err(lock_refused)?;
            lock_state(response, 0, lock.commits())
        }
        3 => {
            let (copy, commits) = lock.commit(now, id).map_err(lock_refused)?;
            commit(context, response, copy, commits)
        }
        _ => Err(CompletionCode::INVALID_FIELD),
    }
}

fn lock_state(response: &mut Response, id: u16, commits: u32) -> Result<Outcome, CompletionCode> {
    response.put(&[GROUP])?;
    response.put(&id.to_le_bytes())?;
    response.put(&commits.to_le_bytes())?;
    Ok(Outcome::Done)
}

fn lock_refused(_: LockError) -> CompletionCode {
    CompletionCode::COMMAND_SPECIFIC_81
}

/// Locks a copy of the device; one that lies in a file is read first.
fn begin_lock(context: &mut Context<'_>, response: &mut Response) -> Result<Outcome, CompletionCode> {
    if context.machine.shelf.lock.is_held(context.now) {
        return Err(CompletionCode::COMMAND_SPECIFIC_81);
    }
    match context.controller()?.frus.get(SHELF_FRU) {
        Some(FruKind::Inline(bytes)) if !bytes.is_empty() => {
            let copy = bytes.clone();
            locked(context, response, copy)
        }
        Some(device @ FruKind::File { size, .. }) if *size != 0 => {
            let size = *size as usize;
            let file = device.file_read(0, size).ok_or(CompletionCode::UNSPECIFIED)?;
            Ok(Outcome::read(file, move |context, content, response| {
                let mut bytes = content.map_err(|_| CompletionCode::UNSPECIFIED)?;
                bytes.resize(size, 0);
                locked(context, response, bytes)
            }))
        }
        _ => Err(CompletionCode::NOT_IN_PRESENT_STATE),
    }
}

fn locked(context: &mut Context<'_>, response: &mut Response, copy: Vec<u8>) -> Result<Outcome, CompletionCode> {
    let lock = &mut context.machine.shelf.lock;
    let id = lock.lock(context.now, copy).map_err(lock_refused)?;
    lock_state(response, id, lock.commits())
}

/// Puts a copy in the device's place: what fits, should the device be another by now.
fn commit(
    context: &mut Context<'_>,
    response: &mut Response,
    mut copy: Vec<u8>,
    commits: u32,
) -> Result<Outcome, CompletionCode> {
    let file: Option<FileWrite> = match context.controller()?.frus.get_mut(SHELF_FRU) {
        Some(FruKind::Inline(bytes)) => {
            let count = bytes.len().min(copy.len());
            bytes[..count].copy_from_slice(&copy[..count]);
            None
        }
        Some(device @ FruKind::File { .. }) => {
            if let FruKind::File { size, .. } = device {
                copy.truncate(*size as usize);
            }
            device.file_write(0, &copy)
        }
        Some(FruKind::History(_)) | None => None,
    };
    let Some(file) = file else { return lock_state(response, 0, commits) };
    Ok(Outcome::write(file, move |_, written, response| match written {
        Ok(count) if count == copy.len() => lock_state(response, 0, commits),
        _ => Err(CompletionCode::UNSPECIFIED),
    }))
}

/// Request: FRU, lock id (2), offset (2), data. Response: how many bytes. 80h: not locked with
/// this id.
fn write(context: &mut Context<'_>, request: &Request<'_>, response: &mut Response) -> Result<Outcome, CompletionCode> {
    shelf_fru_only(request)?;
    let (id, offset) = (word(request, 2)?, word(request, 4)?);
    let data = request.data.get(6..).unwrap_or_default();
    // A request has far fewer than 256 bytes; more could not be acknowledged.
    let count = u8::try_from(data.len()).map_err(|_| CompletionCode::LENGTH_LIMIT)?;
    let written = context.machine.shelf.lock.write(context.now, id, offset, data);
    written.map_err(|error| match error {
        LockError::NotYours => CompletionCode::COMMAND_SPECIFIC_80,
        LockError::OutOfRange => CompletionCode::OUT_OF_RANGE,
        LockError::TooLong => CompletionCode::LENGTH_LIMIT,
    })?;
    response.put(&[GROUP, count])?;
    Ok(Outcome::Done)
}

/// Request: index. Answer, without the group byte as in the original: time of the last change
/// (4), number of addresses, their site type and number, and the address. There is one, that
/// of the LAN channel opened last, if it is an IPv4 one; C9h for others.
fn get_manager_address(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    /// Number of addresses, site type (shelf manager), site number: any, size of an address
    /// with what stands around it, and its type: the active one, IPv4.
    const ENTRY: [u8; 5] = [0x01, 0x03, 0xff, 0x14, 0x80];
    let manager = context.machine.shelf.manager.filter(|_| request.data.get(1) == Some(&0));
    let manager = manager.ok_or(CompletionCode::OUT_OF_RANGE)?;
    let address: SocketAddrV4 = manager.address;
    response.put(&manager.since.to_le_bytes())?;
    response.put(&ENTRY)?;
    response.put(&address.ip().octets())?;
    response.put(&address.port().to_be_bytes())?;
    Ok(Outcome::Done)
}

/// Request: FRU. Response: constants of the original, shorter for FRU 1; D3h for others.
fn get_power_allocation(
    _: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(match byte(request, 1)? {
        0 => &[GROUP, 0x00, 0x00, 0x69, 0x00, 0xe3, 0x00],
        1 => &[GROUP, 0x00, 0x00, 0xe3, 0x00],
        _ => return Err(CompletionCode::DESTINATION_UNAVAILABLE),
    })?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::bmc::picmg::{self, ManagerAddress};
    use crate::command::testing::{BMC, Rig, SATELLITE};

    /// A shelf whose BMC has a shelf FRU and sits at site 1 of type 3.
    fn shelf() -> Rig {
        let mut rig = Rig::new();
        rig.machine.shelf.enabled = true;
        for mc in [BMC, SATELLITE] {
            let device = rig.machine.ensure(mc).device.clone();
            rig.machine.describe(mc, device);
        }
        rig.machine.shelf.set_site(0x10, picmg::Site { site_type: 3, number: 1 }).unwrap();
        rig.machine.ensure(BMC).frus.add_inline(0xfe, 4, &[1, 2, 3, 4]).unwrap();
        rig
    }

    #[test]
    fn too_short_requests_are_refused() {
        let mut rig = shelf();
        for cmd in ["04 00 00", "05 00", "06 00 00", "07 00 00", "08 00 00", "0c 00 00", "1e 00", "21 00", "22 00"] {
            rig.expect(&format!("2c {cmd} -> c7"));
        }
        rig.expect("2c 1f 00 fe 01 00 -> c7\n 2c 20 00 fe 01 00 00 -> c7");
        // The original reads the bytes behind the request.
        rig.expect("2c 07 00 00 00 -> c7\n 2c 07 00 00 00 10 20 -> c7\n 2c 08 00 00 00 -> 00 00 01 00 00 01");
    }

    #[test]
    fn addresses_are_asked_by_hardware_ipmb_and_site() {
        let mut rig = shelf();
        rig.expect(
            "2c 01 00 -> 00 00 10 20 ff 00 01 03
             2c 01 00 00 00 10 -> 00 00 10 20 ff 00 01 03
             2c 01 00 00 01 21 -> 00 00 10 20 ff 00 01 03
             2c 01 00 00 03 01 03 -> 00 00 10 20 ff 00 01 03
             2c 01 00 00 03 01 -> cc
             2c 01 00 00 03 03 01 -> d3
             2c 01 00 00 00 90 -> d3
             2c 01 00 00 01 -> cc
             2c 01 00 00 02 10 -> cc
             2c 01 00 07 01 20 -> d3",
        );
        rig.mc = SATELLITE;
        rig.expect("2c 01 00 -> d3\n 2c 01 00 00 01 20 -> 00 00 10 20 ff 00 01 03");
    }

    #[test]
    fn asking_for_the_lights_takes_none_away() {
        let mut rig = shelf();
        for (count, response) in [(2, "03 00"), (3, "07 00"), (4, "0f 04"), (5, "0f 04"), (8, "0f 04")] {
            picmg::set_led_count(&mut rig.machine.found(BMC), count).unwrap();
            rig.expect(&format!("2c 05 00 00 -> 00 00 {response}"));
            rig.expect(&format!("2c 06 00 00 {:02x} -> 00 00 02 02 02\n 2c 06 00 00 {count:02x} -> cc", count - 1));
        }
    }

    /// Observed on the original: OEM command 30 03 changes the colour that is shown.
    #[test]
    fn the_colour_of_the_hot_swap_light_is_shared_with_the_oem_command() {
        let mut rig = shelf();
        rig.expect(
            "30 04 -> 00 01
             30 03 07 -> 00
             2c 08 00 00 00 -> 00 00 01 00 00 07
             2c 07 00 00 00 10 20 0e -> 00 00
             2c 08 00 00 00 -> 00 00 03 00 00 01 10 20 07
             2c 07 00 00 00 fc 00 00 -> 00 00
             30 04 -> 00 01",
        );
    }

    #[test]
    fn a_lock_is_lost_after_20_s_and_what_was_committed_stays() {
        let mut rig = shelf();
        rig.expect(
            "2c 1f 00 fe 01 00 00 -> 00 00 01 00 00 00 00 00
             2c 20 00 fe 01 00 01 00 aa bb -> 00 00 02
             2c 20 00 fe 01 00 03 00 aa bb -> c8
             0a 11 fe 00 00 04 -> 00 04 01 02 03 04
             2c 1f 00 fe 03 01 00 -> 00 00 00 00 00 00 00 00
             0a 11 fe 00 00 04 -> 00 04 01 aa bb 04
             2c 1f 00 fe 01 00 00 -> 00 00 02 00 01 00 00 00
             2c 20 00 fe 02 00 00 00 cc -> 00 00 01",
        );
        rig.wait(Duration::from_secs(21));
        rig.expect("2c 1f 00 fe 03 02 00 -> 81\n 0a 11 fe 00 00 04 -> 00 04 01 aa bb 04");
    }

    #[test]
    fn a_shelf_fru_in_a_file_is_locked_and_committed_too() {
        let mut rig = shelf();
        rig.file = vec![0, 1, 2, 3, 4, 5];
        rig.machine.ensure(BMC).frus.add_file(0xfe, 4, 1, "shelf.bin".into()).unwrap();
        rig.expect(
            "2c 1f 00 fe 01 00 00 -> 00 00 01 00 00 00 00 00
             2c 20 00 fe 01 00 00 00 ee -> 00 00 01
             2c 20 00 fe 01 00 04 00 ee -> c9
             2c 1f 00 fe 03 01 00 -> 00 00 00 00 00 00 00 00",
        );
        assert_eq!(rig.file, [0, 0xee, 2, 3, 4, 5]);
        rig.file = vec![0, 0xee, 2];
        rig.expect(
            "2c 1f 00 fe 01 00 00 -> 00 00 02 00 01 00 00 00
             2c 1f 00 fe 02 02 00 -> 00 00 00 00 01 00 00 00",
        );
        assert_eq!(rig.file, [0, 0xee, 2], "a file that is too short reads as going on with zeros");
    }

    #[test]
    fn there_is_nothing_to_lock_without_a_shelf_fru() {
        let mut rig = shelf();
        rig.machine.ensure(BMC).frus.add_inline(0xfe, 0, &[]).unwrap();
        rig.expect("2c 1f 00 fe 01 00 00 -> d5");
        rig.mc = SATELLITE;
        rig.expect("2c 1f 00 -> c1\n 2c 20 00 -> c1");
    }

    #[test]
    fn the_shelf_manager_is_where_a_lan_channel_was_opened() {
        let mut rig = shelf();
        rig.expect("2c 21 00 00 -> c9");
        let address = "127.0.0.1:24260".parse().unwrap();
        rig.machine.shelf.manager = Some(ManagerAddress { since: 0x077d, address });
        rig.expect("2c 21 00 00 -> 00 7d 07 00 00 01 03 ff 14 80 7f 00 00 01 5e c4\n 2c 21 00 01 -> c9");
    }

    #[test]
    fn fru_control_is_understood() {
        let mut rig = shelf();
        rig.expect("2c 1e 00 00 -> 00 00 0e\n 2c 04 00 00 03 -> 00 00\n 2c 04 00 00 04 -> cc\n 2c 04 00 01 00 -> d3");
    }
}
