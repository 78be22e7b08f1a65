//! `--demo`: the smallest example, built in, for whoever has no files yet.

use std::net::{Ipv4Addr, UdpSocket};

/// lan.conf of the example.
const CONFIGURATION: &str = include_str!("../../examples/minimal/lan.conf");
/// Its command file.
pub const COMMANDS: &str = include_str!("../../examples/minimal/sim.emu");
/// What the command file is called in messages.
pub const COMMANDS_NAME: &str = "<demo commands>";
/// Password of its user, which everybody may know: it listens on the loopback address only.
pub const PASSWORD: &str = "admin";
/// UDP port of the example.
pub const PORT: u16 = 9623;
/// How many ports are tried from [`PORT`] on.
const PORTS: u16 = 20;

/// The configuration with another name and UDP port.
pub fn configuration(port: u16) -> Vec<u8> {
    let address = |port| format!("addr 127.0.0.1 {port}\n");
    CONFIGURATION.replace(&address(PORT), &address(port)).replace("name \"minimal\"", "name \"demo\"").into_bytes()
}

/// [`PORT`], or else one of the next that nobody has, or else 0: any.
pub fn free_port() -> u16 {
    (PORT..PORT + PORTS).find(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::lan_conf;
    use crate::settings::model::Port;

    #[test]
    fn the_example_is_on_the_loopback_address_at_any_port() {
        for port in [PORT, 9630, 0] {
            let (config, faults) = lan_conf::parse("<demo>", &configuration(port));
            assert_eq!(faults, []);
            let config = config.unwrap();
            let address = config.controllers[0].lans[0].address.clone().unwrap();
            assert_eq!((&*address.host, address.port), ("127.0.0.1", Port::Number(port)));
            assert_eq!(config.name, "demo");
            assert!(config.controllers[0].users[0].password.starts_with(PASSWORD.as_bytes()));
        }
    }
}
