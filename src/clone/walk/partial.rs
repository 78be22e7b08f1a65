//! Reading something in parts, with boards that give fewer bytes at once than others, lose their reservations, or are
//! busy for a moment.

use std::time::Duration;

use super::super::link::Fault;
use super::super::model::Response;
use super::super::reads::Read;
use super::{Walk, code};

/// The fewest bytes that are asked for at once.
const LEAST: u8 = 4;
/// How often a part is asked for when it is refused without a reason that could be helped.
const PATIENCE: u32 = 8;
/// How long is waited before that.
const PAUSE: Duration = Duration::from_millis(30);

/// What becomes of a part.
pub(super) enum Part {
    /// The response to it.
    Done(Response),
    /// The same once more with fewer bytes.
    Shorter,
    /// It is refused for good, with this code.
    Refused(u8),
    /// There is no response.
    Lost,
}

/// Half as many bytes.
pub(super) fn fewer(limit: u8) -> u8 {
    (limit / 2).max(LEAST)
}

impl Walk<'_> {
    /// A part of something; `count` bytes are asked for. What says that the length is wrong, or says nothing at all,
    /// makes it shorter, as long as that goes.
    pub(super) async fn part(&mut self, place: (u8, u8), read: Read, data: &[u8], count: u8) -> Result<Part, Fault> {
        const FRU_BUSY: u8 = 0x81;
        let mut last = code::UNSPECIFIED;
        for _ in 0..PATIENCE {
            let unread = self.machine.unread.len();
            let Some(response) = self.ask(place, read, data).await? else {
                if count > LEAST {
                    self.machine.unread.truncate(unread);
                    return Ok(Part::Shorter);
                }
                return Ok(Part::Lost);
            };
            last = response.code;
            match response.code {
                0 => return Ok(Part::Done(response)),
                code::LENGTH | code::LENGTH_LIMIT | code::TOO_MANY if count > LEAST => return Ok(Part::Shorter),
                code::RESERVATION | code::INVALID_COMMAND | code::PRIVILEGE | code::RANGE => break,
                code::LENGTH | code::LENGTH_LIMIT | code::TOO_MANY | code::NOT_PRESENT => {}
                code::NO_RESPONSE | code::STATE | code::UNSPECIFIED | FRU_BUSY => {}
                _ => break,
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(Part::Refused(last))
    }
}
