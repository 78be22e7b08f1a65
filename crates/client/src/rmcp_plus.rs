//! The messages of an RMCP+ login: IPMI 2.0 sections 13.17 to 13.23, `lan-protocol.md` section 7.

use ipmi_sim_core::ipmi::SessionId;
use ipmi_sim_core::lan::packet::Keys;
use ipmi_sim_core::wire::rakp::{
    Algorithms, OpenSessionRequest, OpenSessionResponse, Rakp1, Rakp2, Rakp3, Rakp4, Status,
};
use ipmi_sim_core::wire::session20::PayloadType;
use ipmi_sim_crypto::rakp::{Dialect, Exchange};
use ipmi_sim_crypto::{Secret, Suite};

use crate::outside::{open20, payload20};
use crate::{Account, Error, Session};

/// In a role: look the user up by name only, not by name and level.
pub const NAME_ONLY: u8 = 0x10;

/// Message tags of the three requests.
const OPEN_TAG: u8 = 7;
const RAKP1_TAG: u8 = 8;
const RAKP3_TAG: u8 = 9;

/// A login, with what is known of it so far. Its messages can be made at any time, and as often as one likes.
#[derive(Clone, Debug)]
pub struct Login {
    /// Who.
    pub account: Account,
    /// With which algorithms.
    pub suite: &'static Suite,
    /// The privilege level that Open Session asks for; 0 is the highest there is.
    pub privilege: u8,
    /// Role byte of RAKP Message 1: a privilege level, and [`NAME_ONLY`].
    pub role: u8,
    /// What keys are made of.
    pub dialect: Dialect,
    /// SIDm, the console's session id; not 0.
    pub console_id: u32,
    /// Rm, the console's random number.
    pub console_random: [u8; 16],
    /// SIDc, the BMC's session id, from its response to Open Session.
    pub bmc_id: SessionId,
    /// Rc, the BMC's random number, from RAKP Message 2.
    pub bmc_random: [u8; 16],
    /// The GUID that RAKP Message 2 tells.
    pub guid: [u8; 16],
}

impl Login {
    /// A login by user name with the usual keys.
    pub fn new(account: Account, suite: &'static Suite, role: u8, console_id: u32, console_random: [u8; 16]) -> Self {
        Self {
            account,
            suite,
            privilege: 0,
            role,
            dialect: Dialect::Common,
            console_id,
            console_random,
            bmc_id: SessionId::NONE,
            bmc_random: [0; 16],
            guid: [0; 16],
        }
    }

    /// The datagram of Open Session Request.
    pub fn open_session(&self) -> Vec<u8> {
        let request = OpenSessionRequest {
            tag: OPEN_TAG,
            privilege: self.privilege,
            console_id: self.console_id,
            algorithms: Ok(Algorithms {
                authentication: Some(self.suite.authentication as u8),
                integrity: Some(self.suite.integrity as u8),
                confidentiality: Some(self.suite.confidentiality as u8),
            }),
        };
        payload20(PayloadType::OpenSessionRequest, |out| request.emit(out))
    }

    /// Takes the BMC's session id from an Open Session Response.
    ///
    /// # Errors
    /// It is none, or refuses.
    pub fn take_open_session(&mut self, datagram: &[u8]) -> Result<(), Error> {
        let payload = open20(PayloadType::OpenSessionResponse, datagram)?;
        status("Open Session", OPEN_TAG, payload)?;
        let response = OpenSessionResponse::parse(payload)?.map_err(refused("Open Session"))?;
        if (response.tag, response.console_id) != (OPEN_TAG, self.console_id) {
            return Err(Error::Unexpected);
        }
        self.bmc_id = SessionId(response.bmc_id);
        Ok(())
    }

    /// The datagram of RAKP Message 1.
    pub fn rakp1(&self) -> Vec<u8> {
        let message = Rakp1 {
            tag: RAKP1_TAG,
            bmc_id: self.bmc_id.0,
            random: &self.console_random,
            role: self.role,
            name: Ok(&self.account.name),
        };
        payload20(PayloadType::Rakp1, |out| message.emit(out))
    }

    /// Takes the BMC's random number and GUID from RAKP Message 2; says whether its code is that of the account's
    /// password.
    ///
    /// # Errors
    /// It is none, or refuses.
    pub fn take_rakp2(&mut self, datagram: &[u8]) -> Result<bool, Error> {
        let payload = open20(PayloadType::Rakp2, datagram)?;
        status("RAKP Message 1", RAKP1_TAG, payload)?;
        let message = Rakp2::parse(payload)?.map_err(refused("RAKP Message 1"))?;
        if (message.tag, message.console_id) != (RAKP1_TAG, self.console_id) {
            return Err(Error::Unexpected);
        }
        (self.bmc_random, self.guid) = (*message.random, *message.guid);
        Ok(self.exchange().rakp2_code(&self.account.password).bytes() == message.code)
    }

    /// What both sides know after RAKP Message 2.
    pub fn exchange(&self) -> Exchange<'_> {
        Exchange {
            authentication: self.suite.authentication,
            console_id: self.console_id,
            bmc_id: self.bmc_id.0,
            console_random: &self.console_random,
            bmc_random: &self.bmc_random,
            guid: &self.guid,
            role: self.role,
            name: &self.account.name,
            dialect: self.dialect,
        }
    }

    /// The datagram of RAKP Message 3.
    pub fn rakp3(&self) -> Vec<u8> {
        self.rakp3_with(Status::OK, self.exchange().rakp3_code(&self.account.password).bytes())
    }

    /// The datagram of RAKP Message 3 with this status and code.
    pub fn rakp3_with(&self, status: Status, code: &[u8]) -> Vec<u8> {
        let message = Rakp3 { tag: RAKP3_TAG, status, bmc_id: self.bmc_id.0, code };
        payload20(PayloadType::Rakp3, |out| message.emit(out))
    }

    /// Takes RAKP Message 4; says whether its check value is right, without which the session is none.
    ///
    /// # Errors
    /// It is none, or refuses.
    pub fn take_rakp4(&self, datagram: &[u8]) -> Result<bool, Error> {
        let payload = open20(PayloadType::Rakp4, datagram)?;
        status("RAKP Message 3", RAKP3_TAG, payload)?;
        let message = Rakp4::parse(payload)?.map_err(refused("RAKP Message 3"))?;
        if (message.tag, message.console_id) != (RAKP3_TAG, self.console_id) {
            return Err(Error::Unexpected);
        }
        let exchange = self.exchange();
        let check = exchange.session_key(self.key()).map(|mut key| exchange.rakp4_check_value(&mut key));
        Ok(message.check_value == check.as_ref().map_or(&[][..], |value| value.bytes()))
    }

    /// The session that RAKP Message 4 has opened.
    ///
    /// # Errors
    /// The suite's algorithms have no keys.
    pub fn session(&self) -> Result<Session, Error> {
        let mut key = self.exchange().session_key(self.key());
        let keys = Keys::new(self.suite, key.as_mut(), self.dialect, &self.account.password).ok_or(Error::Suite)?;
        Ok(Session::rmcp_plus(self.bmc_id, self.console_id, keys))
    }

    /// What the session key is made with.
    fn key(&self) -> &Secret<20> {
        self.account.key.as_ref().unwrap_or(&self.account.password)
    }
}

/// A refusal, which some BMCs cut off behind the status.
fn status(message: &'static str, tag: u8, payload: &[u8]) -> Result<(), Error> {
    match payload {
        [told, status, ..] if *told == tag && *status != 0 => Err(Error::Refused { message, status: Status(*status) }),
        _ => Ok(()),
    }
}

fn refused(message: &'static str) -> impl FnOnce(Status) -> Error {
    move |status| Error::Refused { message, status }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_is_cut_off_is_one_all_the_same() {
        let Some(suite) = Suite::from_id(3) else { panic!("suite 3") };
        let mut login = Login::new(Account::new("admin", "secret"), suite, 4, 1, [0; 16]);
        let response =
            |payload: &[u8]| payload20(PayloadType::OpenSessionResponse, |out| out.extend_from_slice(payload));
        let refused = Err(Error::Refused { message: "Open Session", status: Status(0x04) });
        assert_eq!(login.take_open_session(&response(&[OPEN_TAG, 0x04])), refused);
        assert_eq!(login.take_open_session(&response(&[OPEN_TAG, 0x04, 0, 0, 1, 0, 0, 0])), refused);
        assert!(matches!(login.take_open_session(&response(&[OPEN_TAG, 0x00])), Err(Error::Format(_))));
    }
}
