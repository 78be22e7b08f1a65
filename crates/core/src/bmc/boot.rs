//! System boot options (IPMI 2.0 section 28.12 and table 28-14), and how long boot flags are
//! valid.
//!
//! There is no BIOS that could use the flags up, so that is modelled: a start of the machine
//! takes flags that are meant for the next boot only.

use std::time::Duration;

use crate::ipmi::Moment;

/// How long flags are valid when no Chassis Control follows.
const VALIDITY: Duration = Duration::from_secs(60);

/// Bit 7 of the first byte of the boot flags: they are valid.
pub const VALID: u8 = 0x80;
/// Bit 6 of the first byte of the boot flags: they are for all future boots.
pub const PERSISTENT: u8 = 0x40;

/// Parameter 3: "do not clear the valid bit ...".
mod keep {
    /// ... on a reset or power cycle by the watchdog.
    pub(super) const ON_WATCHDOG: u8 = 1 << 2;
    /// ... when no Chassis Control comes within 60 seconds.
    pub(super) const ON_TIMEOUT: u8 = 1 << 3;
}

/// The boot device selector in boot flags: bits 5-2 of the second byte.
pub fn device(flags: &[u8; 5]) -> u8 {
    flags[1] >> 2 & 0x0f
}

/// A boot device selector, 0 to 15: IPMI 2.0 table 28-14, parameter 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Device(pub u8);

impl Device {
    /// No override: as the firmware is set up.
    pub const DEFAULT: Self = Self(0);
    /// The network.
    pub const PXE: Self = Self(1);
    /// The default disk.
    pub const DISK: Self = Self(2);
    /// The default CD or DVD.
    pub const CD: Self = Self(5);
    /// The firmware's set-up.
    pub const BIOS_SETUP: Self = Self(6);
    /// A floppy disk, or the primary removable medium.
    pub const FLOPPY: Self = Self(15);
}

/// For how many boots a boot device holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Boots {
    /// For the next one.
    Next,
    /// For all from now on.
    All,
}

/// Boot flags that are valid, with this device and nothing else.
pub fn flags_for(device: Device, boots: Boots) -> [u8; 5] {
    let persistent = if boots == Boots::All { PERSISTENT } else { 0 };
    [VALID | persistent, (device.0 & 0x0f) << 2, 0, 0, 0]
}

/// For how many boots the device of these flags holds, if they are valid.
pub fn boots(flags: &[u8; 5]) -> Option<Boots> {
    (flags[0] & VALID != 0).then_some(if flags[0] & PERSISTENT != 0 { Boots::All } else { Boots::Next })
}

/// Blocks of 16 bytes of the boot initiator mailbox.
pub const MAILBOX_BLOCKS: u8 = 5;
/// Bytes of a block of the mailbox.
pub const MAILBOX_BLOCK: usize = 16;

/// What made the machine boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootCause {
    /// A Chassis Control, or power coming back.
    Control,
    /// The watchdog.
    Watchdog,
}

/// Bytes of boot options that a state file has a machine begin with, as Get System Boot Options tells them: parameters 1, 2
/// and 3 (a byte each), 4 without its write mask (1), 5 (5), 6 (9).
pub const AT_START: usize = 18;

/// The boot options, parameters 0 to 7.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootOptions {
    /// Parameter 0: whether a client is setting them.
    pub set_in_progress: bool,
    /// Parameter 1: service partition selector.
    pub service_partition: u8,
    /// Parameter 2: service partition scan.
    pub service_partition_scan: u8,
    /// Parameter 3: when the boot flags do not lose their validity.
    pub valid_bit_clearing: u8,
    /// Parameter 4: boot info acknowledge, a bit per party.
    pub acknowledge: u8,
    /// Parameter 6: boot initiator: channel, session id (4), time (4).
    pub initiator: [u8; 9],
    mailbox: [[u8; MAILBOX_BLOCK]; MAILBOX_BLOCKS as usize],
    flags: [u8; 5],
    expires: Option<Moment>,
}

impl BootOptions {
    /// Parameter 5: the boot flags.
    pub fn flags(&self) -> [u8; 5] {
        self.flags
    }

    /// Sets the boot flags; the 60 seconds begin.
    pub fn set_flags(&mut self, now: Moment, flags: [u8; 5]) {
        self.flags = flags;
        self.renew(now);
    }

    /// Begins with these instead of those of a machine that nobody has told anything. The 60 seconds of boot flags do not
    /// run before somebody sets something.
    pub fn begin_with(&mut self, told: &[u8; AT_START]) {
        let [selector, scan, clearing, acknowledge, f0, f1, f2, f3, f4, initiator @ ..] = *told;
        (self.service_partition, self.service_partition_scan) = (selector, scan);
        (self.valid_bit_clearing, self.acknowledge) = (clearing, acknowledge);
        self.flags = [f0, f1, f2, f3, f4];
        self.initiator = initiator;
    }

    /// Sets the bits of parameter 4 that `mask` names.
    pub fn acknowledged(&mut self, mask: u8, bits: u8) {
        self.acknowledge = self.acknowledge & !mask | bits & mask;
    }

    /// A program says which boot device there is. While it is the one that was set, the flags
    /// are what was set; else nobody knows more than the device.
    pub fn device_is(&mut self, number: u8) {
        if device(&self.flags) != number {
            self.flags = [0, (number & 0x0f) << 2, 0, 0, 0];
            self.expires = None;
        }
    }

    /// Sets parameter 3.
    pub fn set_valid_bit_clearing(&mut self, now: Moment, bits: u8) {
        self.valid_bit_clearing = bits;
        self.renew(now);
    }

    /// Parameter 7: a block of the mailbox.
    pub fn mailbox(&self, block: u8) -> Option<&[u8; MAILBOX_BLOCK]> {
        self.mailbox.get(usize::from(block))
    }

    /// Sets the front of a block of the mailbox; false if there is no such block.
    pub fn set_mailbox(&mut self, block: u8, data: &[u8]) -> bool {
        let Some(block) = self.mailbox.get_mut(usize::from(block)) else { return false };
        for (place, byte) in block.iter_mut().zip(data) {
            *place = *byte;
        }
        true
    }

    /// When the flags lose their validity.
    pub fn deadline(&self) -> Option<Moment> {
        self.expires
    }

    /// Clears the valid bit when its time is over.
    pub fn timeout(&mut self, now: Moment) {
        if self.expires.is_some_and(|expires| expires <= now) {
            self.invalidate();
        }
    }

    /// A Chassis Control came: the 60 seconds begin anew.
    pub fn control_received(&mut self, now: Moment) {
        self.renew(now);
    }

    /// The machine boots. Flags for all future boots stay.
    pub fn booted(&mut self, cause: BootCause) {
        let kept = match cause {
            BootCause::Control => 0,
            BootCause::Watchdog => self.valid_bit_clearing & keep::ON_WATCHDOG,
        };
        if kept == 0 && self.flags[0] & PERSISTENT == 0 {
            self.invalidate();
        }
    }

    fn invalidate(&mut self) {
        self.flags[0] &= !VALID;
        self.expires = None;
    }

    /// Only valid flags for the next boot run out.
    fn renew(&mut self, now: Moment) {
        let runs_out = self.flags[0] & (VALID | PERSISTENT) == VALID && self.valid_bit_clearing & keep::ON_TIMEOUT == 0;
        self.expires = runs_out.then(|| now + VALIDITY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PXE: [u8; 5] = [0x80, 0x04, 0, 0, 0];
    const USED: [u8; 5] = [0x00, 0x04, 0, 0, 0];

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    #[test]
    fn flags_are_valid_for_sixty_seconds_after_the_last_command() {
        let mut boot = BootOptions::default();
        assert_eq!(boot.deadline(), None);
        boot.set_flags(at(10), PXE);
        assert_eq!(boot.deadline(), Some(at(70)));
        boot.control_received(at(30));
        boot.timeout(at(89));
        assert_eq!(boot.flags(), PXE);
        boot.timeout(at(90));
        assert_eq!((boot.flags(), boot.deadline()), (USED, None));
        boot.control_received(at(100));
        assert_eq!(boot.deadline(), None, "nothing is valid that could run out");
    }

    #[test]
    fn what_a_machine_begins_with_runs_out_once_somebody_uses_it() {
        let mut boot = BootOptions::default();
        boot.begin_with(&[1, 2, 0x03, 0x04, 0x80, 0x08, 5, 6, 7, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
        assert_eq!((boot.service_partition, boot.service_partition_scan), (1, 2));
        assert_eq!((boot.valid_bit_clearing, boot.acknowledge), (0x03, 0x04));
        assert_eq!((boot.flags(), boot.initiator), ([0x80, 0x08, 5, 6, 7], [11, 12, 13, 14, 15, 16, 17, 18, 19]));
        assert_eq!(boot.deadline(), None);
        boot.control_received(at(30));
        assert_eq!(boot.deadline(), Some(at(90)));
    }

    #[test]
    fn a_client_can_turn_the_time_limit_off_before_or_after() {
        let mut boot = BootOptions::default();
        boot.set_valid_bit_clearing(at(1), 0x08);
        boot.set_flags(at(1), PXE);
        assert_eq!(boot.deadline(), None);
        boot.set_valid_bit_clearing(at(5), 0x00);
        assert_eq!(boot.deadline(), Some(at(65)));
        boot.set_valid_bit_clearing(at(6), 0x1f);
        assert_eq!(boot.deadline(), None);
    }

    #[test]
    fn one_boot_uses_them_up_unless_they_are_persistent() {
        let mut boot = BootOptions::default();
        boot.set_flags(at(1), PXE);
        boot.booted(BootCause::Control);
        assert_eq!((boot.flags(), boot.deadline()), (USED, None));
        let persistent = [0xc0, 0x04, 0, 0, 0];
        boot.set_flags(at(2), persistent);
        assert_eq!(boot.deadline(), None);
        boot.booted(BootCause::Control);
        boot.booted(BootCause::Watchdog);
        assert_eq!(boot.flags(), persistent);
    }

    #[test]
    fn the_watchdog_takes_them_unless_told_not_to() {
        let mut boot = BootOptions::default();
        boot.set_flags(at(1), PXE);
        boot.set_valid_bit_clearing(at(1), 0x04);
        boot.booted(BootCause::Watchdog);
        assert_eq!(boot.flags(), PXE);
        boot.set_valid_bit_clearing(at(1), 0x00);
        boot.booted(BootCause::Watchdog);
        assert_eq!(boot.flags(), USED);
    }

    #[test]
    fn another_device_than_the_one_that_was_set_takes_the_flags_away() {
        let mut boot = BootOptions::default();
        boot.set_flags(at(1), PXE);
        boot.device_is(1);
        assert_eq!((boot.flags(), boot.deadline()), (PXE, Some(at(61))));
        boot.device_is(2);
        assert_eq!((boot.flags(), boot.deadline()), ([0, 0x08, 0, 0, 0], None));
        // It is not the one that was set even when it has the same name again.
        boot.device_is(1);
        assert_eq!(boot.flags(), USED);
    }

    #[test]
    fn the_mailbox_has_five_blocks() {
        let mut boot = BootOptions::default();
        assert!(boot.set_mailbox(4, &[1, 2]));
        assert!(!boot.set_mailbox(5, &[1]));
        assert_eq!(boot.mailbox(4).map(|block| block[..3].to_vec()), Some(vec![1, 2, 0]));
        assert_eq!(boot.mailbox(5), None);
    }
}
