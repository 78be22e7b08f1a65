//! How many log lines about one thing are written, and what is said of the others.

use std::time::Duration;

use crate::ipmi::Moment;
use crate::lan::LogLimit;

/// How long lines are left out before it is said how many.
const SUMMARY_AFTER: Duration = Duration::from_secs(10);

/// Complaints about one thing.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    limit: LogLimit,
    left_out: u64,
    summary_due: Option<Moment>,
}

impl Complaints {
    /// The line as it is to be written, or nothing when there were too many.
    pub(super) fn permit(&mut self, now: Moment, text: String) -> Option<String> {
        if self.limit.permit(now).is_some() {
            return Some(text);
        }
        self.left_out += 1;
        self.summary_due.get_or_insert(now + SUMMARY_AFTER);
        None
    }

    /// When the number of lines that were left out is to be said.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.summary_due
    }

    /// How many lines were left out, when that is to be said now.
    pub(super) fn summary(&mut self, now: Moment) -> Option<u64> {
        self.summary_due.take_if(|due| *due <= now)?;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_lines_some_are_written_and_the_rest_is_counted() {
        let at = |seconds| Moment::new(Duration::from_secs(seconds));
        let mut complaints = Complaints::default();
        let written = (0..1000).filter(|_| complaints.permit(at(100), "no".to_owned()).is_some()).count();
        assert!((10..=30).contains(&written), "{written}");
        assert_eq!(complaints.deadline(), Some(at(110)));
        assert_eq!(complaints.summary(at(109)), None);
        assert_eq!(complaints.summary(at(110)), Some(1000 - written as u64));
        assert_eq!((complaints.deadline(), complaints.summary(at(200))), (None, None));
        assert!(complaints.permit(at(200), "no".to_owned()).is_some());
    }
}
