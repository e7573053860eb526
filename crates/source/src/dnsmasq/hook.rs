//! Passes an event on to the daemon, or keeps it in the spool.

use super::{DnsmasqEvent, Spool, SpoolError};

/// The result of passing an event on to the daemon.
#[derive(Debug)]
pub enum Answer {
    /// The daemon recorded it.
    Taken,
    /// The daemon understood it and will never record it. The text is the daemon's reason.
    Refused(String),
    /// The daemon is down, too slow, or failed. The text says which.
    Failed(String),
}

/// The place where an event is now.
#[derive(Debug)]
pub enum Outcome {
    /// Recorded by the daemon.
    Taken,
    /// Nowhere, because the daemon will never record it. The text is the daemon's reason.
    Refused(String),
    /// In the spool until the daemon reads it. The text says why it was not passed on.
    Kept(String),
    /// Nowhere, because neither the daemon nor the spool took it.
    Lost {
        /// Why it was not passed on.
        answer: String,
        /// Why it was not kept.
        spool: SpoolError,
    },
}

/// Decides by the daemon's answer where the event is kept.
pub fn hand_over(event: &DnsmasqEvent, answer: Answer, spool: &Spool) -> Outcome {
    match answer {
        Answer::Taken => Outcome::Taken,
        Answer::Refused(reason) => Outcome::Refused(reason),
        Answer::Failed(reason) => match spool.keep(event) {
            Ok(()) => Outcome::Kept(reason),
            Err(spool) => Outcome::Lost { answer: reason, spool },
        },
    }
}

impl Answer {
    /// The answer for the status of an HTTP response.
    ///
    /// Only a daemon that understood the event can refuse it for good. Any other response may come from a daemon that
    /// starts, fails or is older than the hook, so the event is kept.
    pub fn from_status(status: u16, detail: String) -> Self {
        match status {
            200..=299 => Self::Taken,
            400 | 422 => Self::Refused(detail),
            _ => Self::Failed(format!("the daemon answered {status}: {detail}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_understood_event_is_refused_for_good() {
        for status in [100, 301, 404, 405, 409, 429, 500, 503] {
            assert!(
                matches!(Answer::from_status(status, String::new()), Answer::Failed(_)),
                "{status}"
            );
        }
        for status in [200, 202, 204] {
            assert!(
                matches!(Answer::from_status(status, String::new()), Answer::Taken),
                "{status}"
            );
        }
        for status in [400, 422] {
            assert!(
                matches!(Answer::from_status(status, String::new()), Answer::Refused(_)),
                "{status}"
            );
        }
    }
}
