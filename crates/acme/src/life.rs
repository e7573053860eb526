//! How long a certificate lives, and how long one waits after failures.

use std::time::Duration;

use orchestrator_model::Timestamp;

/// The pauses after failures in a row. Authorities count failures by the hour.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(900),
    Duration::from_secs(3600),
];
/// The longest pause that an authority may ask for.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(86_400);

/// From when until when a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

impl Life {
    /// When it is to be renewed: after two thirds.
    pub fn renewal(self) -> Timestamp {
        self.until.minus(self.until.since(self.from) / 3)
    }
}

/// The pause after so many failures in a row, or longer if the authority asks for it.
pub(crate) fn pause(failures: u32, after: Option<Duration>) -> Duration {
    let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let pause = PAUSES[index.min(PAUSES.len() - 1)];
    pause.max(after.unwrap_or_default()).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_after_two_thirds_of_its_life() {
        let life = Life {
            from: Timestamp(1_000),
            until: Timestamp(91_000),
        };
        assert_eq!(life.renewal(), Timestamp(61_000));
    }

    #[test]
    fn pauses_grow_to_an_hour_and_are_at_least_what_the_authority_asks_for() {
        let minutes = (0..7).map(|failures| pause(failures, None).as_secs() / 60);
        assert_eq!(minutes.collect::<Vec<_>>(), [1, 1, 5, 15, 60, 60, 60]);
        assert_eq!(pause(u32::MAX, None), PAUSES[3]);
        assert_eq!(pause(1, Some(Duration::from_secs(7200))).as_secs(), 7200);
        assert_eq!(pause(4, Some(Duration::from_secs(1))), PAUSES[3]);
        assert_eq!(pause(1, Some(Duration::MAX)), LONGEST_PAUSE);
    }
}
