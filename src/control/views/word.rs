//! Words for the values of enums, as they are written and read.

use crate::bmc::boot::{Boots, Device};
use crate::bmc::chassis::Control;
use crate::ipmi::Privilege;

/// Changes of the power.
pub(in crate::control) const CONTROLS: [(&str, Control); 6] = [
    ("on", Control::PowerUp),
    ("off", Control::PowerDown),
    ("cycle", Control::PowerCycle),
    ("reset", Control::Reset),
    ("diag", Control::DiagnosticInterrupt),
    ("soft", Control::SoftShutdown),
];

/// Boot devices (IPMI 2.0 table 28-14).
pub(in crate::control) const DEVICES: [(&str, Device); 12] = [
    ("none", Device(0)),
    ("pxe", Device(1)),
    ("disk", Device(2)),
    ("safe", Device(3)),
    ("diag", Device(4)),
    ("cdrom", Device(5)),
    ("bios", Device(6)),
    ("remote_floppy", Device(7)),
    ("remote_cdrom", Device(8)),
    ("remote_primary", Device(9)),
    ("remote_disk", Device(11)),
    ("floppy", Device(15)),
];

/// For how many boots.
pub(in crate::control) const BOOTS: [(&str, Boots); 2] = [("next", Boots::Next), ("all", Boots::All)];

/// Privilege levels (IPMI 2.0 section 6.8).
pub(in crate::control) const LEVELS: [(&str, Privilege); 4] = [
    ("callback", Privilege::Callback),
    ("user", Privilege::User),
    ("operator", Privilege::Operator),
    ("administrator", Privilege::Administrator),
];

/// The word for a value; "other" where there is none.
pub(in crate::control) fn of<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, known)| known == value).map_or("other", |(word, _)| word)
}

/// The value of a word.
///
/// # Errors
/// Which words there are.
pub(in crate::control) fn value<T: Copy>(words: &[(&str, T)], word: &str, what: &str) -> Result<T, String> {
    words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("{what}: expected {}, found '{word}'", known.join(", "))
    })
}
