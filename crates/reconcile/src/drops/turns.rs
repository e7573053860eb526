//! Which senders get an event.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::sender::Sender;

/// How long a sender must have been without a drop to begin anew.
pub(super) const QUIET: Duration = Duration::from_secs(3600);
/// Events in a minute, over all senders.
pub(super) const IN_A_MINUTE: usize = 20;
/// Senders that are remembered. Those beyond get no event: only an attack has so many.
const REMEMBERED: usize = 4096;
const MINUTE: Duration = Duration::from_secs(60);

/// When each sender was last dropped, and how many events were raised lately.
#[derive(Debug, Default)]
pub(super) struct Turns {
    dropped: BTreeMap<Sender, Instant>,
    since: Option<Instant>,
    raised: usize,
}

/// What becomes of a sender that was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It begins to be dropped: an event is due.
    Begins,
    /// It was dropped before.
    Goes,
    /// It begins, but there were too many events.
    HeldBack,
}

impl Turns {
    /// A sender was dropped.
    pub(super) fn dropped(&mut self, sender: &Sender, now: Instant) -> Turn {
        self.dropped.retain(|_, last| now.duration_since(*last) < QUIET);
        if let Some(last) = self.dropped.get_mut(sender) {
            *last = now;
            return Turn::Goes;
        }
        if self.since.is_none_or(|since| now.duration_since(since) >= MINUTE) {
            (self.since, self.raised) = (Some(now), 0);
        }
        if self.raised >= IN_A_MINUTE || self.dropped.len() >= REMEMBERED {
            return Turn::HeldBack;
        }
        self.raised += 1;
        self.dropped.insert(sender.clone(), now);
        Turn::Begins
    }

    /// A sender is nobody: its place is given to others.
    pub(super) fn give_back(&mut self) {
        self.raised = self.raised.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(number: u16) -> Sender {
        Sender::Port(format!("or{number}"))
    }

    #[test]
    fn a_sender_begins_once_and_again_after_an_hour_without() {
        let mut turns = Turns::default();
        let start = Instant::now();
        assert_eq!(turns.dropped(&sender(1), start), Turn::Begins);
        let mut last = start;
        for _ in 0..5 {
            last += QUIET / 2;
            assert_eq!(turns.dropped(&sender(1), last), Turn::Goes);
        }
        assert_eq!(turns.dropped(&sender(1), last + QUIET), Turn::Begins);
    }

    #[test]
    fn many_at_once_are_held_back_until_the_next_minute() {
        let mut turns = Turns::default();
        let start = Instant::now();
        let most = u16::try_from(IN_A_MINUTE).unwrap();
        for number in 0..most {
            assert_eq!(turns.dropped(&sender(number), start), Turn::Begins);
        }
        assert_eq!(turns.dropped(&sender(most), start), Turn::HeldBack);
        turns.give_back();
        assert_eq!(turns.dropped(&sender(most), start), Turn::Begins);
        assert_eq!(turns.dropped(&sender(most + 1), start + MINUTE), Turn::Begins);
    }
}
