//! What the controllers of several systems have in common, so that it is in memory once.
//!
//! It is copied by the system that changes it first ([`Shared`](crate::shared::Shared)).

use super::Controller;
use super::fru::FruKind;
use super::records::Records;
use super::sdr::Record;
use super::sensor::{Place, Sensor};
use super::user::User;
use crate::shared::Known;

/// What systems that were set up have, for others with the same.
#[derive(Debug, Default)]
pub struct Pool {
    users: Known<Vec<User>>,
    records: Known<Records<Record>>,
    sensors: Known<Vec<(Place, Sensor)>>,
    frus: Known<Vec<(u8, FruKind)>>,
}

impl Controller {
    /// Has what others have, too, in memory once.
    pub(crate) fn share(&mut self, pool: &mut Pool) {
        self.users.share(&mut pool.users);
        self.sdr.share(&mut pool.records);
        self.sensors.share(&mut pool.sensors);
        self.frus.share(&mut pool.frus);
    }
}
