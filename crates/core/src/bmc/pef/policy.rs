//! Alert policies: to which destinations an alert goes, one after the other (IPMI 2.0 section 17.11 and table 17-4).
//!
//! Owns the order of destinations, and where each stands. Sends nothing.

use std::collections::VecDeque;

use crate::ipmi::ChannelNumber;

/// How an entry depends on how the destination before it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Always sent.
    Always,
    /// Not sent after a success; the next one is looked at.
    Skip,
    /// Not sent after a success, nor is any other.
    Stop,
    /// Not sent after a success; the next one on another channel is looked at.
    OtherChannel,
    /// Not sent after a success; the next one of another destination type is looked at.
    OtherType,
}

/// An entry of the alert policy table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    rule: Rule,
    /// Channel of the destination.
    pub(super) channel: ChannelNumber,
    /// Its selector on that channel, 0 to 15.
    pub(super) destination: u8,
    /// Bit 7: the string is that of filter and set. Bits 6 to 0: string, or string set.
    pub(super) string: u8,
}

impl Entry {
    /// Of the table's bytes (parameter 9): number, policy, destination, string. `None` where it is disabled, of another
    /// policy, or its rule is reserved.
    pub(super) fn of(bytes: [u8; 4], policy: u8) -> Option<Self> {
        let [_, of, destination, string] = bytes;
        let rule = match of & 0x07 {
            0 => Rule::Always,
            1 => Rule::Skip,
            2 => Rule::Stop,
            3 => Rule::OtherChannel,
            4 => Rule::OtherType,
            _ => return None,
        };
        let channel = ChannelNumber::new(destination >> 4)?;
        (of >> 4 == policy && of & 0x08 != 0).then_some(Self { rule, channel, destination: destination & 0x0f, string })
    }
}

/// How it went with a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Success {
    /// It is not known yet.
    Pending,
    /// It was sent, and acknowledged where that is asked for.
    Yes,
    /// It was not.
    No,
}

/// The destination before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Before {
    pub(super) success: Success,
    pub(super) channel: ChannelNumber,
    /// Its type.
    pub(super) kind: Option<u8>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send to this destination.
    Send(Entry),
    /// Wait until it is known how the last one went.
    Wait,
    /// There is no other.
    Over,
}

/// Takes the next step through the entries that are left. `kind` tells the type of an entry's destination.
pub(super) fn next(entries: &mut VecDeque<Entry>, before: Option<Before>, kind: impl Fn(Entry) -> Option<u8>) -> Step {
    while let Some(entry) = entries.front().copied() {
        if let Some(before) = before.filter(|_| entry.rule != Rule::Always) {
            match (before.success, entry.rule) {
                (Success::Pending, _) => return Step::Wait,
                (Success::No, _) => {}
                (Success::Yes, Rule::Stop) => {
                    entries.clear();
                    return Step::Over;
                }
                (Success::Yes, Rule::OtherChannel) => {
                    entries.pop_front();
                    skip_while(entries, |entry| entry.channel == before.channel);
                    continue;
                }
                (Success::Yes, Rule::OtherType) => {
                    entries.pop_front();
                    skip_while(entries, |entry| kind(entry) == before.kind);
                    continue;
                }
                (Success::Yes, _) => {
                    entries.pop_front();
                    continue;
                }
            }
        }
        entries.pop_front();
        return Step::Send(entry);
    }
    Step::Over
}

fn skip_while(entries: &mut VecDeque<Entry>, skipped: impl Fn(Entry) -> bool) {
    while entries.front().is_some_and(|entry| skipped(*entry)) {
        entries.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries of policy 1: rule, channel, destination.
    fn set(entries: &[(u8, u8, u8)]) -> VecDeque<Entry> {
        entries
            .iter()
            .map(|(rule, channel, destination)| {
                Entry::of([1, 0x18 | rule, channel << 4 | destination, 0], 1).expect("an entry")
            })
            .collect()
    }

    /// The destinations that are sent to when those that are named fail.
    fn sent(entries: &[(u8, u8, u8)], failing: &[u8]) -> Vec<u8> {
        let (mut entries, mut before, mut sent) = (set(entries), None, Vec::new());
        // Destinations 5 and up are of another type.
        let kind = |entry: Entry| Some(entry.destination / 5);
        while let Step::Send(entry) = next(&mut entries, before, kind) {
            sent.push(entry.destination);
            let success = if failing.contains(&entry.destination) { Success::No } else { Success::Yes };
            before = Some(Before { success, channel: entry.channel, kind: kind(entry) });
        }
        sent
    }

    #[test]
    fn only_enabled_entries_of_the_policy_count() {
        assert!(Entry::of([1, 0x18, 0x11, 0], 1).is_some());
        assert_eq!(Entry::of([1, 0x10, 0x11, 0], 1), None, "disabled");
        assert_eq!(Entry::of([1, 0x28, 0x11, 0], 1), None, "another policy");
        assert_eq!(Entry::of([1, 0x1d, 0x11, 0], 1), None, "a reserved rule");
    }

    #[test]
    fn rules_look_at_the_destination_before() {
        assert_eq!(sent(&[(0, 1, 1), (0, 1, 2)], &[]), [1, 2]);
        assert_eq!(sent(&[(0, 1, 1), (1, 1, 2), (1, 1, 3), (0, 1, 4)], &[]), [1, 4]);
        assert_eq!(sent(&[(0, 1, 1), (1, 1, 2), (1, 1, 3)], &[1]), [1, 2]);
        assert_eq!(sent(&[(0, 1, 1), (2, 1, 2), (0, 1, 3)], &[]), [1]);
        assert_eq!(sent(&[(0, 1, 1), (2, 1, 2), (0, 1, 3)], &[1]), [1, 2, 3]);
        assert_eq!(sent(&[(0, 1, 1), (3, 1, 2), (0, 1, 3), (0, 2, 4)], &[]), [1, 4]);
        assert_eq!(sent(&[(0, 1, 1), (4, 1, 2), (0, 1, 3), (0, 1, 5)], &[]), [1, 5]);
        assert_eq!(sent(&[(1, 1, 1)], &[]), [1], "nothing is before the first");
    }

    #[test]
    fn what_is_not_known_yet_is_waited_for_where_it_matters() {
        let before = Some(Before { success: Success::Pending, channel: ChannelNumber::LAN, kind: Some(0) });
        assert_eq!(next(&mut set(&[(1, 1, 2)]), before, |_| None), Step::Wait);
        assert!(matches!(next(&mut set(&[(0, 1, 2)]), before, |_| None), Step::Send(_)));
        assert_eq!(next(&mut VecDeque::new(), before, |_| None), Step::Over);
    }
}
