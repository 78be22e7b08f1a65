//! How `clone` and `compare` log in to a BMC over LAN: the options of a session, which BMC, and what failures are called.

use std::net::SocketAddr;

use clap::Args;
use ipmi_sim_client::Account;
use ipmi_sim_core::crypto::Secret;

use super::failure::Failure;
use super::number;
use crate::clone::link::{Fault, Target};

/// UDP port of RMCP.
pub(super) const PORT: u16 = 623;

/// What a session is to be like.
#[derive(Clone, Debug, Args)]
pub(super) struct Session {
    /// Cipher suite [default: the best that works, or IPMI 1.5 where there is no 2.0]
    #[arg(short = 'C', long, value_name = "NUMBER", value_parser = number::byte)]
    pub(super) suite: Option<u8>,

    /// The key K_G: text, or hexadecimal with 0x
    #[arg(short = 'k', long, value_name = "KEY", value_parser = key)]
    key: Option<Key>,

    /// Privilege level of the session: user, operator, administrator
    #[arg(short = 'L', long, value_name = "LEVEL", value_parser = level, default_value = "administrator")]
    level: u8,

    /// How often a request is sent before it counts as lost
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100), default_value_t = 16)]
    tries: u32,
}

impl Session {
    /// The session of somebody at a BMC; a key and a suite of its own come before those of the options.
    pub(super) fn target(&self, address: SocketAddr, account: Account, suite: Option<u8>) -> Target {
        let key = account.key.clone().or_else(|| self.key.as_ref().map(Key::secret));
        let account = Account { key, ..account };
        Target { address, account, suite: suite.or(self.suite), level: self.level, tries: self.tries }
    }
}

/// K_G, which nobody is shown.
#[derive(Clone)]
pub(super) struct Key([u8; 20]);

impl Key {
    /// For an account.
    pub(super) fn secret(&self) -> Secret<20> {
        Secret::new(self.0)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

pub(super) fn key(text: &str) -> Result<Key, String> {
    let bytes = match text.strip_prefix("0x") {
        Some(digits) => hexadecimal(digits).ok_or("expected hexadecimal digits, two for each byte")?,
        None => text.as_bytes().to_vec(),
    };
    let mut key = [0; 20];
    let room = key.get_mut(..bytes.len()).ok_or("a key has at most 20 bytes")?;
    room.copy_from_slice(&bytes);
    Ok(Key(key))
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let text = std::str::from_utf8(pair).ok().filter(|text| text.len() == 2 && !text.starts_with('+'))?;
        u8::from_str_radix(text, 16).ok()
    });
    pairs.collect()
}

fn level(text: &str) -> Result<u8, String> {
    match text.to_ascii_lowercase().as_str() {
        "callback" => Ok(1),
        "user" => Ok(2),
        "operator" => Ok(3),
        "admin" | "administrator" => Ok(4),
        _ => Err("expected user, operator or administrator".into()),
    }
}

/// The address of a BMC.
pub(super) async fn resolve(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let found = tokio::net::lookup_host((host, port)).await;
    let mut found = found.map_err(|error| Failure::Unreachable(format!("{host}: {error}")))?;
    found.next().ok_or_else(|| Failure::Unreachable(format!("{host} has no address")))
}

/// A fault of the link, as this program tells it.
pub(super) fn failure(fault: Fault) -> Failure {
    match fault {
        Fault::Silent(_) => Failure::Unreachable(fault.to_string()),
        Fault::Refused(why) => Failure::NotAllowed(why),
        Fault::Lost(_) | Fault::NotReached(_) | Fault::Local(_) => Failure::Local(fault.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_levels() {
        assert_eq!(key("0x0102").unwrap().0[..3], [1, 2, 0]);
        assert_eq!(&key("abc").unwrap().0[..4], b"abc\0");
        assert!(key("0x1").is_err() && key(&"x".repeat(21)).is_err() && key("0x+1").is_err());
        assert_eq!((level("ADMIN"), level("user")), (Ok(4), Ok(2)));
        assert!(level("root").is_err());
    }
}
