//! Whose queries are answered, and how many.

use std::net::Ipv6Addr;
use std::sync::{Mutex, PoisonError};

use orchestrator_dhcp6::SenderLimiter;
use tokio::time::Instant;

use super::Place;

/// Admits queries to one place.
pub(super) struct Admission {
    place: Place,
    start: Instant,
    limiter: Option<Mutex<SenderLimiter>>,
}

impl Admission {
    /// The key must be secret.
    pub(super) fn new(place: &Place, key: [u8; 16]) -> Self {
        Self {
            place: place.clone(),
            start: Instant::now(),
            limiter: place.rate.map(|rate| Mutex::new(SenderLimiter::new(key, rate))),
        }
    }

    /// Counts a query from this source; the error is a word for a counter.
    pub(super) fn admit(&self, source: Ipv6Addr) -> Result<(), &'static str> {
        if !self.place.serves(source) {
            return Err("stranger");
        }
        let Some(limiter) = self.limiter.as_ref().filter(|_| !source.is_loopback()) else {
            return Ok(());
        };
        let now = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        let mut limiter = limiter.lock().unwrap_or_else(PoisonError::into_inner);
        match limiter.admit(self.place.share(source), now) {
            true => Ok(()),
            false => Err("too-often"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_source_of_the_link_has_its_rate_and_strangers_have_none() {
        let place = Place {
            bridge: None,
            address: Ipv6Addr::LOCALHOST,
            port: 53,
            clients: Some(vec!["fd39::/64".parse().unwrap()]),
            rate: NonZeroU32::new(5),
            forward: Vec::new(),
        };
        let admission = Admission::new(&place, [7; 16]);
        let count = |source: &str| {
            let source = source.parse().unwrap();
            (0..50).filter(|_| admission.admit(source).is_ok()).count()
        };
        assert_eq!((count("fd39::1"), count("fd39::1"), count("fd39::2")), (10, 0, 10));
        assert_eq!(admission.admit("2001:db8::1".parse().unwrap()), Err("stranger"));
        assert_eq!(admission.admit("fd39::1".parse().unwrap()), Err("too-often"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(count("fd39::1"), 5);
    }
}
