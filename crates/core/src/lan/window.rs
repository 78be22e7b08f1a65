//! Sequence windows: which packets of a session are new. IPMI 2.0 sections 6.12.13 and
//! 13.27.

/// Which inbound sequence numbers were seen, around the highest of them. Numbers wrap.
#[derive(Clone, Debug)]
pub(super) struct Window {
    highest: u32,
    /// Bit n: the number `highest - n` was seen.
    seen: u32,
    behind: u32,
    ahead: u32,
}

/// What a sequence number says about its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not seen before.
    Fresh,
    /// Seen before: the network doubled it, the client sent it again unchanged, or
    /// somebody replays it.
    Seen,
    /// Too old, or too far ahead.
    Outside,
}

impl Window {
    /// The window of an IPMI 1.5 session: 8 numbers on both sides. The client may use
    /// `first` itself; what lies before it is spent.
    pub(super) fn ipmi15(first: u32) -> Self {
        Self { highest: first, seen: !0b1, behind: 8, ahead: 8 }
    }

    /// The window of an RMCP+ session: 16 numbers back, 15 ahead. The first is 1, but
    /// some clients start with 0, which the original takes.
    pub(super) fn rmcp_plus() -> Self {
        Self { highest: 1, seen: !0b11, behind: 16, ahead: 15 }
    }

    /// Judges a number and remembers it. To be asked only about authenticated packets.
    pub(super) fn accept(&mut self, sequence: u32) -> Verdict {
        let forward = sequence.wrapping_sub(self.highest);
        let back = self.highest.wrapping_sub(sequence);
        if back <= self.behind {
            let bit = 1 << back;
            if self.seen & bit != 0 {
                return Verdict::Seen;
            }
            self.seen |= bit;
            Verdict::Fresh
        } else if forward <= self.ahead {
            self.seen = self.seen << forward | 1;
            self.highest = sequence;
            Verdict::Fresh
        } else {
            Verdict::Outside
        }
    }

    /// The highest number seen.
    pub(super) fn highest(&self) -> u32 {
        self.highest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rmcp_plus_takes_what_the_original_takes_at_the_start() {
        for (sequence, verdict) in
            [(0, Verdict::Fresh), (1, Verdict::Fresh), (16, Verdict::Fresh), (17, Verdict::Outside)]
        {
            assert_eq!(Window::rmcp_plus().accept(sequence), verdict, "{sequence}");
        }
        // Nothing before the start is new, and it does not become the highest.
        let mut window = Window::rmcp_plus();
        assert_eq!(window.accept(u32::MAX - 5), Verdict::Seen);
        assert_eq!(window.accept(1), Verdict::Fresh);
    }

    #[test]
    fn each_number_is_fresh_once() {
        let mut window = Window::rmcp_plus();
        for sequence in [1, 3, 2, 9, 5] {
            assert_eq!(window.accept(sequence), Verdict::Fresh, "{sequence}");
        }
        for sequence in [1, 2, 3, 5, 9] {
            assert_eq!(window.accept(sequence), Verdict::Seen, "{sequence}");
        }
        assert_eq!(window.accept(4), Verdict::Fresh);
        assert_eq!(window.highest(), 9);
    }

    #[test]
    fn edges_of_both_windows() {
        for (mut window, behind, ahead) in [(Window::ipmi15(1000), 8, 8), (Window::rmcp_plus(), 16, 15)] {
            for step in 1..=1000 {
                let sequence = window.highest().wrapping_add(step % 3 + 1);
                assert_eq!(window.accept(sequence), Verdict::Fresh);
            }
            let top = window.highest();
            assert_eq!(window.clone().accept(top.wrapping_add(ahead)), Verdict::Fresh);
            assert_eq!(window.clone().accept(top.wrapping_add(ahead + 1)), Verdict::Outside);
            assert_ne!(window.clone().accept(top.wrapping_sub(behind)), Verdict::Outside);
            assert_eq!(window.clone().accept(top.wrapping_sub(behind + 1)), Verdict::Outside);
            assert_eq!(window.accept(top.wrapping_add(1 << 31)), Verdict::Outside);
        }
    }

    #[test]
    fn numbers_wrap() {
        let mut window = Window::ipmi15(u32::MAX - 2);
        for sequence in [u32::MAX - 2, u32::MAX, 1, 2, 3, 10] {
            assert_eq!(window.accept(sequence), Verdict::Fresh, "{sequence}");
        }
        assert_eq!(window.highest(), 10);
        assert_eq!(window.accept(u32::MAX), Verdict::Outside);
        assert_eq!(window.accept(3), Verdict::Seen);
    }

    /// Against a slow and obvious model, with numbers that move back and forth.
    #[test]
    fn agrees_with_a_set() {
        let mut window = Window::rmcp_plus();
        let mut seen = std::collections::HashSet::from([]);
        let (mut highest, mut state) = (1i64, 1u32);
        for _ in 0..10_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let sequence = highest - 20 + i64::from(state >> 16) % 40;
            if sequence < 2 {
                continue;
            }
            let distance = sequence - highest;
            let expected = if !(-16..=15).contains(&distance) {
                Verdict::Outside
            } else if seen.insert(sequence) {
                highest = highest.max(sequence);
                Verdict::Fresh
            } else {
                Verdict::Seen
            };
            assert_eq!(window.accept(sequence as u32), expected, "{sequence} of {highest}");
        }
    }
}
