//! A whole login, with a function that carries datagrams.

use std::fmt;
use std::str::FromStr;

use ipmi_sim_core::ipmi::Random;
use ipmi_sim_core::wire::session15::AuthType;
use ipmi_sim_crypto::Suite;

use crate::{ADMINISTRATOR, Account, Error, Session, ipmi15, rmcp_plus};

/// The kind of session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// RMCP+ with this cipher suite.
    Suite(u8),
    /// IPMI 1.5 with MD5.
    Md5,
}

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "md5" {
            return Ok(Self::Md5);
        }
        text.parse().map(Self::Suite).map_err(|_| "the number of a cipher suite, or md5".into())
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suite(suite) => write!(f, "suite {suite}"),
            Self::Md5 => f.write_str("IPMI 1.5 md5"),
        }
    }
}

impl Session {
    /// Logs in as an administrator; `ask` sends a datagram and gives the one that responses it.
    ///
    /// # Errors
    /// The BMC refuses, or is none; or those of `ask`.
    pub fn login<E: From<Error>>(
        way: Way,
        account: Account,
        random: &mut dyn Random,
        mut ask: impl FnMut(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        match way {
            Way::Suite(suite) => {
                let suite = Suite::from_id(suite).ok_or(Error::Suite)?;
                let (mut id, mut console_random) = ([0; 4], [0; 16]);
                random.fill(&mut id);
                random.fill(&mut console_random);
                let role = rmcp_plus::NAME_ONLY | ADMINISTRATOR;
                let console_id = u32::from_le_bytes(id) | 1;
                let mut login = rmcp_plus::Login::new(account, suite, role, console_id, console_random);
                login.privilege = ADMINISTRATOR;
                login.take_open_session(&ask(&login.open_session())?)?;
                if !login.take_rakp2(&ask(&login.rakp1())?)? || !login.take_rakp4(&ask(&login.rakp3())?)? {
                    return Err(Error::Code.into());
                }
                Ok(login.session()?)
            }
            Way::Md5 => {
                let mut login = ipmi15::Login::new(account, AuthType::Md5, ADMINISTRATOR, 1);
                login.take_challenge(&ask(&login.get_challenge())?)?;
                let (session, _) = login.take_activation(&ask(&login.activate())?)?;
                Ok(session)
            }
        }
    }
}
