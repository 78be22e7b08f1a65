//! The modem lines of a tty. Without the feature `program` no tty has any.

#[cfg(not(feature = "program"))]
pub(super) use none::ModemLines;
#[cfg(feature = "program")]
pub(super) use open::ModemLines;

#[cfg(feature = "program")]
mod open {
    use std::path::Path;

    use tokio_serial::SerialPort;

    use crate::sol;

    /// A device, open once more for its modem lines. Some systems (user-mode emulators among them) do not know the
    /// calls that this needs: then there are none.
    pub(crate) struct ModemLines(Box<dyn SerialPort>);

    impl ModemLines {
        /// Opens the device once more.
        pub(crate) fn open(device: &Path, bits_per_second: u32) -> Option<Self> {
            let lines = tokio_serial::new(device.to_string_lossy(), bits_per_second).exclusive(false).open().ok()?;
            Some(Self(lines))
        }

        /// Ends a break.
        pub(crate) fn clear_break(&self) {
            let _ = self.0.clear_break();
        }

        /// Whether the other end raises its DTR, which is our DSR or DCD.
        pub(crate) fn is_ready(&mut self) -> Option<bool> {
            let data_set = self.0.read_data_set_ready().ok()?;
            let carrier = self.0.read_carrier_detect().ok()?;
            Some(data_set || carrier)
        }

        /// Sets our lines.
        pub(crate) fn set(&mut self, lines: sol::ModemLines) {
            let _ = self.0.write_request_to_send(lines.rts);
            let _ = self.0.write_data_terminal_ready(lines.dtr);
        }
    }
}

#[cfg(not(feature = "program"))]
mod none {
    use std::path::Path;

    use crate::sol;

    /// None can be had.
    pub(crate) enum ModemLines {}

    impl ModemLines {
        pub(crate) fn open(_: &Path, _: u32) -> Option<Self> {
            None
        }

        pub(crate) fn clear_break(&self) {
            match *self {}
        }

        pub(crate) fn is_ready(&mut self) -> Option<bool> {
            match *self {}
        }

        pub(crate) fn set(&mut self, _: sol::ModemLines) {
            match *self {}
        }
    }
}
