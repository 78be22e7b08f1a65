//! The commands that a walk may send: a closed list of those that read.
//!
//! A request of a walk is made of a [`Read`], so there is no way to send a command that is not here. The three
//! reservations change nothing that anybody else sees but their own number. Send Message carries requests of this list
//! to other controllers. What a login needs, and Close Session, are the client's and no part of it.

use serde::Serialize;

use super::bytes::Bytes;
use super::model::{Controller, Request};

/// What a response is good for in a clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A fact that stays: a clone that would say something else is made to say this.
    Fact,
    /// A state that changes while the machine lives: a clone begins with it as far as it can, and then goes its own way.
    State,
    /// A step of the walk: reservations, parts of records, clocks. It is not kept as it is.
    Step,
}

macro_rules! reads {
    ($($name:ident $netfn:literal $cmd:literal $group:expr, $use:ident, $text:literal;)*) => {
        /// A command that reads.
        #[allow(missing_docs)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Read {
            $($name,)*
        }

        impl Read {
            /// All of them, by network function and number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Network function (request value), command number.
            pub const fn command(self) -> (u8, u8) {
                match self {
                    $(Self::$name => ($netfn, $cmd),)*
                }
            }

            /// The defining body, first byte of the data, of a group extension.
            pub const fn group(self) -> Option<u8> {
                match self {
                    $(Self::$name => $group,)*
                }
            }

            /// Its name in its specification.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// What its responses are good for.
            pub const fn purpose(self) -> Use {
                match self {
                    $(Self::$name => Use::$use,)*
                }
            }
        }
    };
}

/// Group of PICMG, IPMI 2.0 table 5-1.
const PICMG: Option<u8> = Some(0x00);
/// Group of DCMI.
const DCMI: Option<u8> = Some(0xdc);

reads! {
    ChassisCapabilities 0x00 0x00 None, Fact, "Get Chassis Capabilities";
    ChassisStatus 0x00 0x01 None, State, "Get Chassis Status";
    RestartCause 0x00 0x07 None, State, "Get System Restart Cause";
    BootOptions 0x00 0x09 None, State, "Get System Boot Options";
    PowerOnHours 0x00 0x0f None, State, "Get POH Counter";
    PefCapabilities 0x04 0x10 None, Fact, "Get PEF Capabilities";
    PefParameters 0x04 0x13 None, Fact, "Get PEF Configuration Parameters";
    DeviceSdrInfo 0x04 0x20 None, Step, "Get Device SDR Info";
    DeviceSdr 0x04 0x21 None, Step, "Get Device SDR";
    ReserveDeviceSdrs 0x04 0x22 None, Step, "Reserve Device SDR Repository";
    ReadingFactors 0x04 0x23 None, Fact, "Get Sensor Reading Factors";
    Hysteresis 0x04 0x25 None, State, "Get Sensor Hysteresis";
    Thresholds 0x04 0x27 None, State, "Get Sensor Thresholds";
    EventEnable 0x04 0x29 None, State, "Get Sensor Event Enable";
    EventStatus 0x04 0x2b None, State, "Get Sensor Event Status";
    SensorReading 0x04 0x2d None, State, "Get Sensor Reading";
    SensorType 0x04 0x2f None, State, "Get Sensor Type";
    DeviceId 0x06 0x01 None, Fact, "Get Device ID";
    SelfTest 0x06 0x04 None, Fact, "Get Self Test Results";
    AcpiPowerState 0x06 0x07 None, State, "Get ACPI Power State";
    DeviceGuid 0x06 0x08 None, Fact, "Get Device GUID";
    Watchdog 0x06 0x25 None, State, "Get Watchdog Timer";
    GlobalEnables 0x06 0x2f None, State, "Get BMC Global Enables";
    SystemGuid 0x06 0x37 None, Fact, "Get System GUID";
    AuthenticationCapabilities 0x06 0x38 None, State, "Get Channel Authentication Capabilities";
    ChannelAccess 0x06 0x41 None, State, "Get Channel Access";
    ChannelInfo 0x06 0x42 None, Fact, "Get Channel Info";
    UserAccess 0x06 0x44 None, State, "Get User Access";
    UserName 0x06 0x46 None, State, "Get User Name";
    UserPayloadAccess 0x06 0x4d None, State, "Get User Payload Access";
    ChannelPayloadSupport 0x06 0x4e None, Fact, "Get Channel Payload Support";
    ChannelPayloadVersion 0x06 0x4f None, Fact, "Get Channel Payload Version";
    CipherSuites 0x06 0x54 None, State, "Get Channel Cipher Suites";
    SystemInfo 0x06 0x59 None, State, "Get System Info Parameters";
    FruInfo 0x0a 0x10 None, Step, "Get FRU Inventory Area Info";
    ReadFru 0x0a 0x11 None, Step, "Read FRU Data";
    SdrInfo 0x0a 0x20 None, Step, "Get SDR Repository Info";
    SdrAllocation 0x0a 0x21 None, State, "Get SDR Repository Allocation Info";
    ReserveSdrs 0x0a 0x22 None, Step, "Reserve SDR Repository";
    Sdr 0x0a 0x23 None, Step, "Get SDR";
    SelInfo 0x0a 0x40 None, Step, "Get SEL Info";
    SelAllocation 0x0a 0x41 None, State, "Get SEL Allocation Info";
    ReserveSel 0x0a 0x42 None, Step, "Reserve SEL";
    SelEntry 0x0a 0x43 None, Step, "Get SEL Entry";
    SelTime 0x0a 0x48 None, Step, "Get SEL Time";
    SelUtcOffset 0x0a 0x5c None, State, "Get SEL Time UTC Offset";
    LanParameters 0x0c 0x02 None, Fact, "Get LAN Configuration Parameters";
    SolParameters 0x0c 0x22 None, Fact, "Get SOL Configuration Parameters";
    PicmgProperties 0x2c 0x00 PICMG, Fact, "Get PICMG Properties";
    PicmgAddress 0x2c 0x01 PICMG, Fact, "Get Address Info";
    DcmiCapabilities 0x2c 0x01 DCMI, Fact, "Get DCMI Capabilities Info";
    DcmiPowerLimit 0x2c 0x03 DCMI, State, "Get Power Limit";
    DcmiAssetTag 0x2c 0x06 DCMI, State, "Get Asset Tag";
    DcmiSensors 0x2c 0x07 DCMI, Fact, "Get DCMI Sensor Info";
    DcmiIdentifier 0x2c 0x09 DCMI, State, "Get Management Controller Identifier String";
    DcmiParameters 0x2c 0x13 DCMI, State, "Get DCMI Configuration Parameters";
}

/// Why a command cannot be recorded for `oem_add`.
///
/// What the defined network functions (00h to 0Fh) have beside this list may change the machine; what an OEM's
/// command does, only who asks for it knows.
pub fn refusal(netfn: u8, cmd: u8, data: &[u8]) -> Option<&'static str> {
    let is_read =
        |read: &&Read| read.command() == (netfn, cmd) && read.group().is_none_or(|g| data.first() == Some(&g));
    if !netfn.is_multiple_of(2) || netfn > 0x3e {
        return Some("this is no network function of a request: expected an even number of at most 0x3e");
    }
    if Read::ALL.iter().any(|read| is_read(&read)) || netfn >= 0x2e {
        return None;
    }
    Some("this is no command that reads, nor one of an OEM (network functions 0x2e to 0x3e)")
}

/// A request that a walk may send: one of a [`Read`], or one that somebody wants to have recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    channel: Option<u8>,
    request: Request,
}

impl Question {
    /// A command of the list to a LUN of a controller; `data` begin with the group where the command has one.
    pub fn read(controller: &Controller, lun: u8, read: Read, data: impl Into<Bytes>) -> Self {
        let request = Request { lun, ..Request::new(controller.address, read, data) };
        Self { channel: controller.route(), request }
    }

    /// Any request to a controller.
    ///
    /// # Errors
    /// It may change the machine: why, in a few words.
    pub fn recorded(controller: &Controller, request: Request) -> Result<Self, &'static str> {
        match refusal(request.netfn, request.cmd, &request.data) {
            Some(why) => Err(why),
            None => Ok(Self { channel: controller.route(), request }),
        }
    }

    /// The channel of the BMC that leads to the controller; `None` for the BMC itself.
    pub fn channel(&self) -> Option<u8> {
        self.channel
    }

    /// What is asked.
    pub fn request(&self) -> &Request {
        &self.request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is added to the list has to be added here as well, by somebody who has looked whether it reads.
    const MAY_BE_SENT: [(u8, &[u8]); 6] = [
        (0x00, &[0x00, 0x01, 0x07, 0x09, 0x0f]),
        (0x04, &[0x10, 0x13, 0x20, 0x21, 0x22, 0x23, 0x25, 0x27, 0x29, 0x2b, 0x2d, 0x2f]),
        (0x06, &[0x01, 0x04, 0x07, 0x08, 0x25, 0x2f, 0x37, 0x38, 0x41, 0x42, 0x44, 0x46, 0x4d, 0x4e, 0x4f, 0x54, 0x59]),
        (0x0a, &[0x10, 0x11, 0x20, 0x21, 0x22, 0x23, 0x40, 0x41, 0x42, 0x43, 0x48, 0x5c]),
        (0x0c, &[0x02, 0x22]),
        (0x2c, &[0x00, 0x01, 0x01, 0x03, 0x06, 0x07, 0x09, 0x13]),
    ];

    #[test]
    fn nothing_but_these_commands_can_be_sent() {
        let expected: Vec<(u8, u8)> =
            MAY_BE_SENT.iter().flat_map(|(netfn, cmds)| cmds.iter().map(|cmd| (*netfn, *cmd))).collect();
        let found: Vec<_> = Read::ALL.iter().map(|read| read.command()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn names_say_that_they_read() {
        for read in Read::ALL {
            let reads = ["Get ", "Reserve ", "Read "].iter().any(|verb| read.name().starts_with(verb));
            assert!(reads, "{}", read.name());
        }
    }

    #[test]
    fn what_may_change_a_machine_is_not_recorded() {
        assert_eq!(
            (refusal(0x30, 0x45, &[0]), refusal(0x06, 0x01, &[]), refusal(0x2c, 0x06, &[0xdc])),
            (None, None, None)
        );
        for (netfn, cmd, data) in
            [(0x00, 0x02, &[0x01][..]), (0x0a, 0x47, &[]), (0x2c, 0x08, &[0xdc]), (0x2c, 0x06, &[0])]
        {
            assert!(refusal(netfn, cmd, data).is_some(), "{netfn:02x} {cmd:02x}");
        }
        assert!(refusal(0x31, 0, &[]).unwrap().contains("even"));
    }
}
