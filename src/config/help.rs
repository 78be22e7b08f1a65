//! The keywords of both languages with their arguments and one line each: for `help`, for
//! the documents, and for "did you mean".

/// One keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The keyword.
    pub name: &'static str,
    /// Its arguments: `UPPER` stands for a value, `[..]` may be left out, `|` is a choice.
    pub arguments: &'static str,
    /// What it does.
    pub summary: &'static str,
}

/// What the command `help` prints: the command `about`, or else all that begin with that.
pub fn commands(about: &str) -> String {
    let is_one = COMMANDS.iter().any(|entry| entry.name == about);
    let asked = |entry: &&Entry| if is_one { entry.name == about } else { entry.name.starts_with(about) };
    let shown = |entry: &Entry| {
        let usage = format!("{} {}", entry.name, entry.arguments);
        format!("{}\n    {}\n", usage.trim_end(), entry.summary)
    };
    match COMMANDS.iter().filter(asked).map(shown).collect::<String>() {
        none if none.is_empty() => "There is no such command; help lists them all\n".into(),
        some => some,
    }
}

const fn entry(name: &'static str, arguments: &'static str, summary: &'static str) -> Entry {
    Entry { name, arguments, summary }
}

/// The commands of command files and consoles (`emu.md` section 6), and `help`.
pub const COMMANDS: &[Entry] = &[
    entry("atca_enable", "", "turn on ATCA mode; before mc_add"),
    entry("atca_set_site", "HWADDR TYPE NUMBER", "set the site of a hardware address"),
    entry("bmc", "[NAME]", "of a fleet, choose the BMC that this console talks to, or show which it is"),
    entry("bmcs", "[TEXT]", "list the BMCs of a fleet, or those with a text in their names"),
    entry("debug", "[raw] [msg] [sol]", "log raw LAN bytes, messages, serial over LAN; without arguments: nothing"),
    entry("define", "NAME \"VALUE\"", "set a variable, used as $NAME"),
    entry("device_sdr_add", "MC LUN BYTE...", "add a record to the device SDRs"),
    entry(
        "fault",
        "KIND [VALUE] [OPTION...]|profile NAME [OPTION...]|end NUMBER|all",
        "have something go wrong on purpose; kinds: lose, delay MS, duplicate, reorder MS, corrupt, truncate, wrong_code, hang, code CODE, slow MS, power_ignored, power_fails MS, drop_session, refuse_session, offline_after_reset MS, sel_full, sdr_busy, sensor_unavailable, sensor_disabled, clock SECONDS, sol_lose, sol_duplicate, sol_stall; options: in, out, mc MC, channel NUMBER, from ADDRESS[/BITS], command NETFN[/CMD], chance PERCENT, count NUMBER, for MS, jitter MS, sensor NUMBER",
    ),
    entry("faults", "", "list what goes wrong on purpose, how often it struck, and how much longer it is in force"),
    entry("help", "[COMMAND]", "list the commands, or say what one of them does"),
    entry("include", "\"FILE\"", "read commands from a file"),
    entry("main_sdr_add", "MC BYTE...", "add a record to the main SDR repository; its record id is replaced"),
    entry(
        "mc_add",
        "MC DEVICE_ID has-device-sdrs|no-device-sdrs REVISION MAJOR MINOR SUPPORT MANUFACTURER PRODUCT [dynsens] [persist_sdr]",
        "configure a management controller",
    ),
    entry(
        "mc_add_fru_data",
        "MC DEVICE SIZE data BYTE...|file OFFSET \"FILE\"|text [FIELD \"TEXT\"]...",
        "give a FRU device its content",
    ),
    entry("mc_delete", "MC", "remove a management controller"),
    entry("mc_disable", "MC", "stop a management controller from answering"),
    entry("mc_disable_dcmi", "MC", "remove the Data Center Manageability Interface from a management controller"),
    entry("mc_dump_fru_data", "MC DEVICE", "print the content of a FRU device"),
    entry("mc_enable", "MC", "start a management controller and open its channels"),
    entry("mc_load", "MC none|SIGNAL", "set the load of a machine in percent, as a signal over time"),
    entry(
        "mc_power_model",
        "MC none|idle WATTS max WATTS [standby WATTS]",
        "have DCMI's power follow the load of a machine (mc_load), and be the standby power, by default 8, while it is off",
    ),
    entry("mc_set_dcmi_power", "MC LUN SENSOR", "name the sensor whose reading is DCMI's power, in watts"),
    entry("mc_set_guid", "MC \"TEXT\"|HEX|UUID", "set the GUID of a management controller"),
    entry("mc_set_num_leds", "MC COUNT", "set the number of ATCA LEDs"),
    entry("mc_set_power", "MC POWER EVENT", "set the ATCA power level; EVENT 1 logs it"),
    entry("mc_setbmc", "MC", "name the management controller that is the BMC; before its mc_add"),
    entry("noecho", "", "stop the echo of this console"),
    entry(
        "oem_add",
        "MC NETFN COMMAND [data BYTE...] [privilege callback|user|operator|admin] response CODE [ITEM...]|run \"PROGRAM\"",
        "answer an OEM's command; items: BYTE text \"TEXT\" sensor=[MC,]LUN,SENSOR count=FIRST[,BYTES] power=ON,OFF energy=BYTES[,JOULES] request=OFFSET[,COUNT] remember=SLOT,OFFSET recall=SLOT,BYTE",
    ),
    entry(
        "oem_remove",
        "MC NETFN COMMAND [data BYTE...]",
        "no longer answer an OEM's command, or what begins with these data",
    ),
    entry("persist", "[on|off]", "start or stop reading and writing state files"),
    entry("power", "[MC]", "show whether the power is on, by default of the BMC"),
    entry("quit", "", "end the program; over TCP to a program without another console (-n): only the connection"),
    entry("read_cmds", "\"FILE\"", "the same as include"),
    entry("seed", "NUMBER", "set what is drawn by lot from here on, so that it is the same in each run"),
    entry("sel", "[MC]", "show the newest 50 records of the event log, by default of the BMC"),
    entry("sel_add", "MC TYPE BYTE1 ... BYTE13", "add a record to the event log"),
    entry("sel_enable", "MC MAX_RECORDS FLAGS", "empty the event log and load the saved one"),
    entry(
        "sel_fill",
        "MC none|every SECONDS [jitter SECONDS] [count NUMBER] [repeat] file \"FILE\"|record BYTE... [record BYTE...]...",
        "have the event log fill from a list, a record at a time, or no longer; a record has 7, 13, 14 or 16 bytes",
    ),
    entry("sel_fills", "", "list the event logs that fill, how far they have come, and when the next record comes"),
    entry(
        "sensor_add",
        "MC LUN SENSOR TYPE CODE [event-only] [poll MILLISECONDS file \"FILE\" [OPTION...]]",
        "add a sensor; poll options: div= mult= sub= base= mask= offset= length= raw ascii depends=MC,LUN,SENSOR,BIT initstate=",
    ),
    entry(
        "sensor_follow",
        "MC LUN SENSOR none|SIGNAL [min VALUE] [max VALUE] [load VALUE] [add MC LUN SENSOR FACTOR] [off VALUE [tau SECONDS]]",
        "have the reading of a sensor follow a signal over time: constant VALUE, line from VALUE to VALUE over SECONDS, sine mean VALUE amplitude VALUE period SECONDS [phase SECONDS], walk or noise mean VALUE amplitude VALUE [step SECONDS], csv \"FILE\" column COLUMN time COLUMN|every SECONDS [linear] [repeat]",
    ),
    entry("sensor_set_bit", "MC LUN SENSOR BIT VALUE EVENT", "set or clear a state bit; EVENT 1 generates an event"),
    entry("sensor_set_bit_clr_rest", "MC LUN SENSOR BIT EVENT", "set a state bit and clear all others"),
    entry(
        "sensor_set_event_support",
        "MC LUN SENSOR enable|disable scanning|no-scanning per-state|entire-sensor|global|none ASSERT DEASSERT ASSERT_ENABLED DEASSERT_ENABLED",
        "set which events a sensor generates; four masks of 15 bits",
    ),
    entry(
        "sensor_set_hysteresis",
        "MC LUN SENSOR none|readable|settable|fixed POSITIVE NEGATIVE",
        "set the hysteresis of a sensor",
    ),
    entry(
        "sensor_set_threshold",
        "MC LUN SENSOR none|readable|settable|fixed MASK UNR UC UNC LNR LC LNC",
        "set the thresholds of a sensor; a mask of 6 bits and six values, upper non-recoverable first",
    ),
    entry("sensor_set_value", "MC LUN SENSOR VALUE EVENT", "set the raw reading of a sensor"),
    entry("sensors", "[MC]", "show the sensors with their readings and states, by default of the BMC"),
    entry("sessions", "[MC]", "show who is logged in over LAN, by default to the BMC"),
    entry("sleep", "MILLISECONDS", "wait before the next command"),
    entry("status", "", "show what the program serves now"),
];

/// The statements of lan.conf outside of a LAN block (`lan-conf.md` section 3).
pub const STATEMENTS: &[Entry] = &[
    entry("name", "\"NAME\"", "name of the instance; required"),
    entry("set_working_mc", "MC", "the management controller that the lines below configure; default 0x20"),
    entry("startlan", "CHANNEL", "begin a LAN channel, up to endlan"),
    entry(
        "user",
        "NUMBER ENABLED NAME PASSWORD callback|user|operator|admin MAX_SESSIONS [none] [md2] [md5] [straight]",
        "a user, and the authentication types the user may log in with",
    ),
    entry(
        "serial",
        "15|kcs|bt|smic|ssif[-CHANNEL] HOST PORT codec VM|Direct|TerminalMode|RadisysAscii [oem PigeonPoint|Radisys] [attn BYTE,...] [ipmb ADDRESS] [connect]",
        "a system interface or serial channel over TCP",
    ),
    entry(
        "sol",
        "\"DEVICE\"|\"tcp:HOST:PORT\"|\"telnet:HOST:PORT\"|\"play:PART[, PART]...\" BITRATE [history=BYTES[,backupfile=FILE]] [historyfru=DEVICE] [nortscts] [readclear]",
        "the serial console that serial over LAN shows",
    ),
    entry("ipmb", "CHANNEL ipmb_dev_int DEVICE", "bridge a channel to an IPMB device"),
    entry("chassis_control", "\"COMMAND\"", "program that switches the power"),
    entry("startcmd", "\"COMMAND\"", "command that starts the virtual machine"),
    entry("startnow", "BOOLEAN", "start the virtual machine with its management controller"),
    entry("poweroff_wait", "SECONDS", "how long a power-off waits for the virtual machine; default 60"),
    entry("kill_wait", "SECONDS", "how long until the virtual machine is killed; default 20"),
    entry("console", "HOST PORT", "a command console on TCP"),
    entry("loadlib", "\"FILE\" \"INIT\"", "a C plug-in of the original; it cannot be loaded and is ignored"),
    entry("define", "NAME \"VALUE\"", "set a variable, used as $NAME"),
];

/// The statements of a LAN block (`lan-conf.md` section 4).
pub const LAN_STATEMENTS: &[Entry] = &[
    entry("addr", "HOST [PORT]", "address of the UDP socket; port 623 if not given"),
    entry("advertised_port", "PORT", "the UDP port that clients are told, where another one leads to the socket"),
    entry("alert_port", "PORT", "the UDP port that alerts are sent to; 162 if not given"),
    entry("priv_limit", "callback|user|operator|admin", "highest privilege on the channel"),
    entry("allowed_auths_callback", "[none] [md2] [md5] [straight]", "IPMI 1.5 authentication types for callback"),
    entry("allowed_auths_user", "[none] [md2] [md5] [straight]", "IPMI 1.5 authentication types for users"),
    entry("allowed_auths_operator", "[none] [md2] [md5] [straight]", "IPMI 1.5 authentication types for operators"),
    entry("allowed_auths_admin", "[none] [md2] [md5] [straight]", "IPMI 1.5 authentication types for administrators"),
    entry("guid", "\"TEXT\"|HEX|UUID", "GUID of the system, 16 bytes"),
    entry("bmc_key", "\"TEXT\"|HEX", "the key K_G of RMCP+, 20 bytes"),
    entry("lan_config_program", "\"COMMAND\"", "program that keeps the LAN parameters"),
    entry("PEF_alerting", "BOOLEAN", "the alerting bit of the channel access"),
    entry("per_msg_auth", "BOOLEAN", "the per-message authentication bit of the channel access"),
    entry("endlan", "", "end of the LAN channel"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_texts_are_there() {
        for list in [COMMANDS, STATEMENTS, LAN_STATEMENTS] {
            for (i, entry) in list.iter().enumerate() {
                assert!(!entry.summary.is_empty() && !entry.summary.ends_with('.'), "{}", entry.name);
                assert!(list.iter().skip(i + 1).all(|other| other.name != entry.name), "{} twice", entry.name);
            }
        }
        assert!(COMMANDS.windows(2).all(|pair| pair[0].name < pair[1].name), "in alphabetical order");
    }
}
