//! Configuration text: small ones made here, and real ones adapted to a test.
//!
//! A configuration of the project is used unchanged but for what belongs to the machine
//! it runs on: ports, devices, paths.

/// What replaces the machine's own things in a `lan.conf`.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// UDP ports for the `addr` lines, in order.
    pub lan: Vec<u16>,
    /// TCP ports for the `serial` lines, in order.
    pub serial: Vec<u16>,
    /// TCP port for the `console` line.
    pub console: Option<u16>,
    /// Device or address for the `sol` line.
    pub sol: Option<String>,
    /// Program (with its arguments) for the `chassis_control` line.
    pub chassis_control: Option<String>,
}

/// Rewrites a `lan.conf` line by line; everything not named in `places` stays as it is.
pub fn adapt(text: &str, places: &Places) -> String {
    let mut lan = places.lan.iter();
    let mut serial = places.serial.iter();
    let mut out = String::new();
    for line in text.lines() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let words: Vec<&str> = line.split_whitespace().collect();
        let new = match words.first().copied() {
            Some("addr") => lan.next().map(|port| format!("addr 127.0.0.1 {port}")),
            Some("serial") => serial.next().map(|port| {
                let options = words.get(4..).unwrap_or_default().join(" ");
                format!("serial {} 127.0.0.1 {port} {options}", words[1])
            }),
            Some("console") => places.console.map(|port| format!("console 127.0.0.1 {port}")),
            Some("sol") => places.sol.as_ref().map(|device| {
                let options = words.get(2..).unwrap_or_default().join(" ");
                format!("sol \"{device}\" {options}")
            }),
            Some("chassis_control") => places.chassis_control.as_ref().map(|p| format!("chassis_control \"{p}\"")),
            _ => None,
        };
        match new {
            Some(new) => {
                out.push_str(indent);
                out.push_str(&new);
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// A small `lan.conf`: one LAN channel that admits every authentication type, user 2
/// `admin`/`admin` as administrator; `more` goes between the channel and the users.
pub fn small_lan_conf(port: u16, more: &str) -> String {
    format!(
        "name \"small\"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
{more}
  user 2 true \"admin\" \"admin\" admin 10 none md2 md5 straight
"
    )
}

/// The command file that goes with it: a BMC with a SEL, a temperature sensor with its
/// record, and a FRU.
pub const SMALL_EMU: &str = "mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
sensor_add 0x20 0 1 0x01 0x01
sensor_set_value 0x20 0 1 0x60 0
sensor_set_threshold 0x20 0 1 settable 111000 0xa0 0x90 0x70 00 00 00
sensor_set_event_support 0x20 0 1 enable scanning per-state 000111111000000 000111111000000 000111111000000 000111111000000
mc_enable 0x20
";
