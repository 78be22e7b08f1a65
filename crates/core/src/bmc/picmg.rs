//! What AdvancedTCA adds to a system: sites, lights, hot swap and the shelf FRU lock
//! (`commands-core.md` section 9, PICMG 3.0 chapter 3).
//!
//! Owns that state and how the hot-swap state moves the blue light. Knows no request, and
//! reads and writes no file: a shelf FRU that lies in one is copied by whoever asked.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use super::sensor_id::Place;
use super::{At, Controller, Error};
use crate::ipmi::Moment;

/// Sensor type of a hot-swap sensor, PICMG 3.0 table 3-19.
pub const HOT_SWAP_SENSOR: u8 = 0xf0;

/// How long the shelf FRU stays locked without a write.
const LOCK_TIME: Duration = Duration::from_secs(20);

/// The states of hot swap, M0 to M7, as bits of a hot-swap sensor.
pub(super) mod state {
    pub(in crate::bmc) const INACTIVE: u8 = 1;
    pub(in crate::bmc) const ACTIVATION_REQUEST: u8 = 2;
    pub(in crate::bmc) const ACTIVATION_IN_PROGRESS: u8 = 3;
    pub(in crate::bmc) const ACTIVE: u8 = 4;
    pub(in crate::bmc) const DEACTIVATION_REQUEST: u8 = 5;
    pub(in crate::bmc) const DEACTIVATION_IN_PROGRESS: u8 = 6;
}

/// Where a board sits (`atca_set_site`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Site type, PICMG 3.0 table 3-3.
    pub site_type: u8,
    /// Site number.
    pub number: u8,
}

/// What the shelf manager says of itself: the LAN channel opened last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManagerAddress {
    /// When the channel was opened, in seconds of the machine's clock.
    pub since: u32,
    /// Where it is.
    pub address: SocketAddrV4,
}

/// What belongs to the shelf and not to one of its boards.
#[derive(Debug, Default)]
pub struct Shelf {
    /// `atca_enable` was given: the PICMG commands exist.
    pub enabled: bool,
    /// The way to the shelf manager.
    pub manager: Option<ManagerAddress>,
    /// The lock of the shelf FRU.
    pub lock: FruLock,
    /// By hardware address.
    sites: BTreeMap<u8, Site>,
}

impl Shelf {
    /// `atca_set_site`. [`Error::Invalid`]: a hardware address above 127.
    pub fn set_site(&mut self, hardware_address: u8, site: Site) -> Result<(), Error> {
        if hardware_address > 0x7f {
            return Err(Error::Invalid);
        }
        self.sites.insert(hardware_address, site);
        Ok(())
    }

    /// The site with this hardware address.
    pub fn site(&self, hardware_address: u8) -> Option<Site> {
        self.sites.get(&hardware_address).copied()
    }

    /// The lowest hardware address that was given this site.
    pub fn hardware_address(&self, site: Site) -> Option<u8> {
        self.sites.iter().find_map(|(address, known)| (*known == site).then_some(*address))
    }
}

/// Why the lock of the shelf FRU cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockError {
    /// Locked by somebody, or not locked by whoever asks.
    NotYours,
    /// The write begins behind the end.
    OutOfRange,
    /// The write ends behind the end.
    TooLong,
}

/// The lock of the shelf FRU, device FEh of controller 20h. Whoever holds it writes into a
/// copy, which takes the device's place when it is committed.
#[derive(Debug, Default)]
pub struct FruLock {
    last_id: u16,
    commits: u32,
    held: Option<Locked>,
}

#[derive(Debug)]
struct Locked {
    id: u16,
    until: Moment,
    copy: Vec<u8>,
}

impl FruLock {
    /// How often a copy was committed.
    pub fn commits(&self) -> u32 {
        self.commits
    }

    /// The lock, unless its time is over; then it is forgotten.
    fn current(&mut self, now: Moment) -> Option<&mut Locked> {
        self.held.take_if(|locked| locked.until <= now);
        self.held.as_mut()
    }

    /// The lock, if it is the one with this id.
    fn held_as(&mut self, now: Moment, id: u16) -> Result<&mut Locked, LockError> {
        self.current(now).filter(|locked| locked.id == id).ok_or(LockError::NotYours)
    }

    /// Whether somebody holds it.
    pub fn is_held(&mut self, now: Moment) -> bool {
        self.current(now).is_some()
    }

    /// Takes the lock with a copy of the device; answers the lock's id.
    pub fn lock(&mut self, now: Moment, copy: Vec<u8>) -> Result<u16, LockError> {
        if self.is_held(now) {
            return Err(LockError::NotYours);
        }
        self.last_id = self.last_id.wrapping_add(1);
        self.held = Some(Locked { id: self.last_id, until: now + LOCK_TIME, copy });
        Ok(self.last_id)
    }

    /// Gives the lock back; nothing changes.
    pub fn discard(&mut self, now: Moment, id: u16) -> Result<(), LockError> {
        self.held_as(now, id)?;
        self.held = None;
        Ok(())
    }

    /// Gives the lock back, with what the device is to become and how often that was done
    /// before.
    pub fn commit(&mut self, now: Moment, id: u16) -> Result<(Vec<u8>, u32), LockError> {
        let copy = std::mem::take(&mut self.held_as(now, id)?.copy);
        self.held = None;
        let before = self.commits;
        self.commits = before.wrapping_add(1);
        Ok((copy, before))
    }

    /// Writes into the copy; the lock holds for another while.
    pub fn write(&mut self, now: Moment, id: u16, offset: u16, data: &[u8]) -> Result<(), LockError> {
        let locked = self.held_as(now, id)?;
        let room = locked.copy.get_mut(usize::from(offset)..).filter(|room| !room.is_empty());
        let room = room.ok_or(LockError::OutOfRange)?;
        room.get_mut(..data.len()).ok_or(LockError::TooLong)?.copy_from_slice(data);
        locked.until = now + LOCK_TIME;
        Ok(())
    }
}

/// What a light shows, PICMG 3.0 table 3-31.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Light {
    /// 0 dark, FFh lit, else dark for so many 10 ms: the byte "function" of an override.
    pub off: u8,
    /// Then lit for so many 10 ms.
    pub on: u8,
    /// Colour number.
    pub colour: u8,
}

/// One light of a board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Led {
    /// Bit per colour it can have.
    pub colours: u8,
    /// The colour local control gives it.
    pub local_colour: u8,
    /// The colour of an override that names none.
    pub override_colour: u8,
    /// Whether the board can control it.
    pub has_local_control: bool,
    /// Whether the board does control it.
    pub local_control: bool,
    /// What it shows under local control.
    pub local: Light,
    /// What it shows.
    pub shown: Light,
}

impl Led {
    const BLUE: u8 = 1;
    const RED: u8 = 2;
    /// "Supported colours" of every light, red ones too, as in the original.
    const COLOURS: u8 = 1 << Self::BLUE;
    /// Colours of an override: its default, and the one shown already.
    const DEFAULT_COLOUR: u8 = 0x0f;
    const SAME_COLOUR: u8 = 0x0e;

    /// LED 0, which tells the hot-swap state.
    const fn hot_swap() -> Self {
        Self { has_local_control: true, local_control: true, ..Self::of_colour(Self::BLUE) }
    }

    /// Any other: an alarm light, which only a client switches.
    const fn alarm() -> Self {
        Self::of_colour(Self::RED)
    }

    const fn of_colour(colour: u8) -> Self {
        let dark = Light { off: 0, on: 0, colour };
        Self {
            colours: Self::COLOURS,
            local_colour: colour,
            override_colour: colour,
            has_local_control: false,
            local_control: false,
            local: dark,
            shown: dark,
        }
    }

    /// Back to what the board itself shows. `false`: it shows nothing itself.
    pub fn give_back(&mut self) -> bool {
        if self.has_local_control {
            self.local_control = true;
            self.shown = self.local;
        }
        self.has_local_control
    }

    /// Shows what a client wants.
    pub fn take_over(&mut self, light: Light) {
        let colour = match light.colour {
            Self::DEFAULT_COLOUR => self.override_colour,
            Self::SAME_COLOUR => self.shown.colour,
            colour => colour,
        };
        self.local_control = false;
        self.shown = Light { colour, ..light };
    }

    /// What the board shows changes; the colour stays.
    fn blink(&mut self, off: u8, on: u8) {
        self.local = Light { off, on, ..self.local };
        if self.local_control {
            self.shown = Light { off, on, ..self.shown };
        }
    }
}

/// The lights of a board. There is memory for eight; how many there are is a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leds {
    all: [Led; Self::MOST],
    count: u8,
}

impl Leds {
    /// Most lights a board can have.
    const MOST: usize = 8;
    /// How many a board of a shelf has at least.
    const LEAST: u8 = 2;

    /// The lights of a new board of a shelf: a blue and a red one.
    pub fn of_a_board() -> Self {
        let mut all = [Led::alarm(); Self::MOST];
        all[0] = Led::hot_swap();
        Self { all, count: Self::LEAST }
    }

    /// How many there are, at least two: a board that was made before `atca_enable` has none
    /// until somebody asks, as in the original.
    pub fn counted(&mut self) -> u8 {
        self.count = self.count.max(Self::LEAST);
        self.count
    }

    /// The light with this number.
    pub fn get(&self, number: u8) -> Option<&Led> {
        self.all.get(..usize::from(self.count))?.get(usize::from(number))
    }

    /// The light with this number, to be changed.
    pub fn get_mut(&mut self, number: u8) -> Option<&mut Led> {
        self.all.get_mut(..usize::from(self.count))?.get_mut(usize::from(number))
    }

    /// Colour of LED 0, which exists on every controller.
    pub fn hot_swap_colour(&self) -> u8 {
        self.all[0].shown.colour
    }

    /// Changes the colour of LED 0.
    pub fn set_hot_swap_colour(&mut self, colour: u8) {
        self.all[0].shown.colour = colour;
    }
}

/// `mc_set_num_leds`. [`Error::Invalid`]: more than eight lights, or fewer than two with
/// `atca_enable`.
pub fn set_led_count(at: &mut At<'_>, count: u8) -> Result<(), Error> {
    let least = if at.machine().shelf.enabled { Leds::LEAST } else { 0 };
    if count < least || usize::from(count) > Leds::MOST {
        return Err(Error::Invalid);
    }
    at.board.leds.count = count;
    Ok(())
}

/// What AdvancedTCA adds to a controller.
#[derive(Debug, Default)]
pub struct Board {
    /// Its lights.
    pub leds: Leds,
    /// Its hot-swap sensors; the newest is the one that counts.
    hot_swap_sensors: Vec<Place>,
}

impl Board {
    /// The hot-swap sensor of a board; only a board that has one can be activated.
    pub fn hot_swap_sensor(&self) -> Option<Place> {
        self.hot_swap_sensors.last().copied()
    }
}

/// A sensor of type F0h was added to a board of a shelf: its values move LED 0 from now on.
pub(super) fn hot_swap_sensor_added(at: &mut At<'_>, sensor: Place) {
    if at.machine().shelf.enabled {
        at.board.hot_swap_sensors.push(sensor);
    }
}

/// A sensor got a value. That of a hot-swap sensor is the board's state, M0 to M7, and LED 0
/// tells it: off in M0, M3 and M4, on in M1, blinking else; M7 changes nothing.
pub(super) fn value_changed(controller: &mut Controller, sensor: Place, value: u8) {
    if !controller.board.hot_swap_sensors.contains(&sensor) {
        return;
    }
    let (off, on) = match value {
        0 | state::ACTIVATION_IN_PROGRESS | state::ACTIVE => (0x00, 0x00),
        state::INACTIVE => (0xff, 0x00),
        state::ACTIVATION_REQUEST => (0x0a, 0x5a),
        state::DEACTIVATION_REQUEST | state::DEACTIVATION_IN_PROGRESS => (0x5a, 0x0a),
        _ => return,
    };
    controller.board.leds.all[0].blink(off, on);
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::Machine;
    use super::super::device_id::DeviceId;
    use super::*;
    use crate::ipmi::McAddress;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    #[test]
    fn a_lock_is_one_for_all_and_ends_20_s_after_the_last_write() {
        let mut lock = FruLock::default();
        assert_eq!(lock.lock(at(0), vec![0; 4]), Ok(1));
        assert_eq!(lock.lock(at(1), vec![0; 4]), Err(LockError::NotYours));
        assert_eq!(lock.write(at(19), 1, 0, &[1]), Ok(()));
        assert!(lock.is_held(at(38)));
        assert!(!lock.is_held(at(39)));
        assert_eq!(lock.write(at(39), 1, 0, &[1]), Err(LockError::NotYours));
        assert_eq!(lock.lock(at(39), vec![0; 4]), Ok(2));
    }

    #[test]
    fn writes_stay_inside_the_device() {
        let mut lock = FruLock::default();
        lock.lock(at(0), vec![0; 4]).unwrap();
        assert_eq!(lock.write(at(0), 1, 4, &[]), Err(LockError::OutOfRange));
        assert_eq!(lock.write(at(0), 1, 0xffff, &[1]), Err(LockError::OutOfRange));
        assert_eq!(lock.write(at(0), 1, 2, &[1, 2, 3]), Err(LockError::TooLong));
        assert_eq!(lock.write(at(0), 1, 2, &[1, 2]), Ok(()));
        assert_eq!(lock.commit(at(0), 2), Err(LockError::NotYours));
        assert_eq!(lock.commit(at(0), 1), Ok((vec![0, 0, 1, 2], 0)));
        assert_eq!((lock.commits(), lock.is_held(at(0))), (1, false));
    }

    #[test]
    fn a_site_is_found_by_its_number_and_type() {
        let mut shelf = Shelf::default();
        let site = Site { site_type: 3, number: 1 };
        for address in [0x41, 0x10] {
            shelf.set_site(address, site).unwrap();
        }
        assert_eq!(shelf.set_site(0x80, site), Err(Error::Invalid));
        assert_eq!(shelf.hardware_address(site), Some(0x10));
        assert_eq!(shelf.site(0x41), Some(site));
        assert_eq!(shelf.hardware_address(Site { number: 2, ..site }), None);
    }

    pub(in crate::bmc) fn board() -> Machine {
        let mut machine = Machine::default();
        machine.shelf.enabled = true;
        machine.describe(McAddress(0x82), DeviceId::default());
        machine
    }

    #[test]
    fn two_to_eight_lights() {
        let mut machine = board();
        assert_eq!(set_led_count(&mut machine.found(McAddress(0x82)), 1), Err(Error::Invalid));
        assert_eq!(set_led_count(&mut machine.found(McAddress(0x82)), 9), Err(Error::Invalid));
        assert_eq!(set_led_count(&mut machine.found(McAddress(0x82)), 8), Ok(()));
        let leds = &mut machine.ensure(McAddress(0x82)).board.leds;
        assert_eq!((leds.counted(), leds.get(7), leds.get(8)), (8, Some(&Led::alarm()), None));
        machine.shelf.enabled = false;
        assert_eq!(set_led_count(&mut machine.found(McAddress(0x82)), 1), Ok(()));
        let leds = &mut machine.ensure(McAddress(0x82)).board.leds;
        assert!(leds.get(0).is_some() && leds.get(1).is_none());
        assert_eq!(leds.counted(), 2);
    }

    #[test]
    fn an_override_names_its_colour_or_keeps_one() {
        let mut led = Led::alarm();
        led.take_over(Light { off: 1, on: 2, colour: 3 });
        led.take_over(Light { off: 4, on: 5, colour: 0x0e });
        assert_eq!(led.shown, Light { off: 4, on: 5, colour: 3 });
        led.take_over(Light { off: 4, on: 5, colour: 0x0f });
        assert_eq!(led.shown.colour, Led::RED);
        assert!(!led.give_back());
    }
}
