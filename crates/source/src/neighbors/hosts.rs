//! The known hosts of a link. Decides which address to verify next, and which answers to record. Pure; times are
//! milliseconds since 1970.
//!
//! ```text
//!              hint                    answers
//!   (unknown) ──────▶ asked, twice at most ──────▶ known ──▶ asked thrice a lifetime, recorded when it answers
//!                       │ no answer                  │ no answer for a lifetime
//!                       ▼                            ▼
//!                   (forgotten)                  (forgotten; its lease ends by the clock)
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::time::Duration;

/// The time until a host is first asked, in milliseconds. It answers only after duplicate address detection, which
/// takes a second. A host that asks for a lease or registers its address has usually done so by then, and is not asked.
const FIRST_QUESTION: i64 = 3000;
/// The time after that until it is asked again, and later forgotten.
const SECOND_QUESTION: i64 = 5000;
/// The number of addresses that are asked for the first time at the same time. Each needs an entry in the kernel's
/// table.
const ASKED: usize = 128;
/// The share of these that one host may use, so that some are left for others.
const ASKED_OF_ONE: usize = 8;
/// The number of addresses of one host: its own, and the temporary ones of a week (RFC 8981).
const ADDRESSES: usize = 16;
/// How often a known host is asked within a lifetime.
const QUESTIONS: i64 = 3;

/// A link-layer address.
pub(super) type Mac = [u8; 6];

/// The hosts of one link.
#[derive(Debug)]
pub(super) struct Hosts {
    lifetime: i64,
    most: usize,
    known: BTreeMap<Ipv6Addr, Known>,
    asked: BTreeMap<Ipv6Addr, Asked>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    mac: Mac,
    seen: i64,
    recorded: i64,
    next: i64,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    /// The link-layer address of the hint.
    mac: Mac,
    next: i64,
    /// The number of further questions.
    left: u8,
}

/// The reason why a host is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The link has reached its limit of hosts.
    TooManyHosts,
    /// The host has reached its limit of addresses.
    TooManyAddresses,
}

impl Refusal {
    /// The word for it, for counters and logs.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::TooManyHosts => "too-many-hosts",
            Self::TooManyAddresses => "too-many-addresses",
        }
    }
}

impl Hosts {
    /// No hosts. Each will be known for `lifetime` after its answer; `most` is the largest number of hosts.
    pub(super) fn new(lifetime: Duration, most: usize) -> Self {
        Self {
            lifetime: i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX),
            most,
            known: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    /// Adds a recorded host.
    pub(super) fn load(&mut self, address: Ipv6Addr, mac: Mac, now: i64) {
        let known = Known {
            mac,
            seen: now,
            recorded: 0,
            next: now,
        };
        self.known.insert(address, known);
    }

    /// Handles a hint that a host uses an address. Returns whether there was room to ask.
    pub(super) fn hint(&mut self, address: Ipv6Addr, mac: Mac, now: i64) -> bool {
        if self.known.contains_key(&address) || self.asked.contains_key(&address) {
            return true;
        }
        let of_one = self.asked.values().filter(|asked| asked.mac == mac).count();
        if of_one >= ASKED_OF_ONE || self.asked.len() >= ASKED {
            return false;
        }
        let asked = Asked {
            mac,
            next: now.saturating_add(FIRST_QUESTION),
            left: 2,
        };
        self.asked.insert(address, asked);
        true
    }

    /// Makes all known hosts due now.
    pub(super) fn ask_all(&mut self, now: i64) {
        self.known.values_mut().for_each(|known| known.next = now);
    }

    /// When the next host is due.
    pub(super) fn next(&self) -> Option<i64> {
        let known = self.known.values().map(|known| known.next);
        known.chain(self.asked.values().map(|asked| asked.next)).min()
    }

    /// The addresses to ask now. Hosts that did not answer in time are forgotten.
    pub(super) fn due(&mut self, now: i64) -> Vec<Ipv6Addr> {
        let (lifetime, pause) = (self.lifetime, self.lifetime / QUESTIONS);
        self.known.retain(|_, known| now.saturating_sub(known.seen) < lifetime);
        self.asked.retain(|_, asked| asked.next > now || asked.left > 0);
        let mut due = Vec::new();
        for (address, known) in self.known.iter_mut().filter(|(_, known)| known.next <= now) {
            known.next = now.saturating_add(pause);
            due.push(*address);
        }
        for (address, asked) in self.asked.iter_mut().filter(|(_, asked)| asked.next <= now) {
            asked.next = now.saturating_add(SECOND_QUESTION);
            asked.left = asked.left.saturating_sub(1);
            due.push(*address);
        }
        due
    }

    /// Handles an answer. Returns whether it is to be recorded.
    ///
    /// # Errors
    ///
    /// When the address is new and there is no room for it.
    pub(super) fn answered(&mut self, address: Ipv6Addr, mac: Mac, now: i64) -> Result<bool, Refusal> {
        self.asked.remove(&address);
        let pause = self.lifetime / QUESTIONS;
        if let Some(known) = self.known.get_mut(&address).filter(|known| known.mac == mac) {
            known.seen = now;
            known.next = now.saturating_add(pause);
            let news = now.saturating_sub(known.recorded) >= pause / 2;
            if news {
                known.recorded = now;
            }
            return Ok(news);
        }
        let own = self.known.values().filter(|known| known.mac == mac).count();
        if own >= ADDRESSES {
            return Err(Refusal::TooManyAddresses);
        }
        let hosts: BTreeSet<Mac> = self.known.values().map(|known| known.mac).collect();
        if own == 0 && hosts.len() >= self.most {
            return Err(Refusal::TooManyHosts);
        }
        let known = Known {
            mac,
            seen: now,
            recorded: now,
            next: now.saturating_add(pause),
        };
        self.known.insert(address, known);
        Ok(true)
    }

    /// Records that an answer could not be stored, so that the next one is.
    pub(super) fn not_recorded(&mut self, address: Ipv6Addr) {
        if let Some(known) = self.known.get_mut(&address) {
            known.recorded = 0;
        }
    }

    /// Forgets an address that belongs to another lease source.
    pub(super) fn forget(&mut self, address: Ipv6Addr) {
        self.known.remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn hosts() -> Hosts {
        Hosts::new(Duration::from_secs(600), 2)
    }

    fn address(number: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 1, number)
    }

    fn mac(number: u8) -> Mac {
        [2, 0, 0, 0, 0, number]
    }

    #[test]
    fn a_hint_is_asked_twice_and_then_forgotten() {
        let mut hosts = hosts();
        assert!(hosts.hint(address(1), mac(1), NOW) && hosts.hint(address(1), mac(1), NOW + 100));
        assert_eq!(hosts.next(), Some(NOW + 3000));
        assert_eq!(hosts.due(NOW + 3000), [address(1)]);
        assert!(hosts.due(NOW + 7999).is_empty());
        assert_eq!(hosts.due(NOW + 8000), [address(1)]);
        assert!(hosts.due(NOW + 13_000).is_empty());
        assert_eq!(hosts.next(), None);
    }

    #[test]
    fn who_answers_is_known_asked_again_and_forgotten_after_a_lifetime_of_silence() {
        let mut hosts = hosts();
        assert_eq!(hosts.answered(address(1), mac(1), NOW), Ok(true));
        assert_eq!(hosts.answered(address(1), mac(1), NOW + 1000), Ok(false), "it is known");
        assert_eq!(hosts.next(), Some(NOW + 201_000));
        assert_eq!(hosts.due(NOW + 201_000), [address(1)]);
        assert_eq!(hosts.answered(address(1), mac(1), NOW + 202_000), Ok(true));
        assert_eq!(hosts.due(NOW + 402_000), [address(1)]);
        assert_eq!(hosts.due(NOW + 602_000), [address(1)]);
        assert!(hosts.due(NOW + 802_000).is_empty());
        assert_eq!(hosts.next(), None);
    }

    #[test]
    fn strangers_cost_a_bounded_amount() {
        let mut hosts = hosts();
        for number in 0..1000 {
            hosts.hint(address(number), mac(1), NOW);
        }
        assert_eq!(hosts.asked.len(), ASKED_OF_ONE);
        for number in 0..1000 {
            hosts.hint(address(number), mac((number % 256) as u8), NOW);
        }
        assert_eq!(hosts.asked.len(), ASKED);
        for number in 0..16 {
            assert_eq!(hosts.answered(address(number), mac(1), NOW), Ok(true));
        }
        assert_eq!(hosts.answered(address(16), mac(1), NOW), Err(Refusal::TooManyAddresses));
        assert_eq!(hosts.answered(address(17), mac(2), NOW), Ok(true));
        assert_eq!(hosts.answered(address(18), mac(3), NOW), Err(Refusal::TooManyHosts));
        assert_eq!(hosts.answered(address(17), mac(1), NOW), Err(Refusal::TooManyAddresses));
    }

    #[test]
    fn an_address_that_moves_is_the_new_hosts() {
        let mut hosts = hosts();
        hosts.answered(address(1), mac(1), NOW).unwrap();
        assert_eq!(hosts.answered(address(1), mac(2), NOW + 1), Ok(true));
        assert_eq!(hosts.answered(address(1), mac(2), NOW + 2), Ok(false));
    }

    #[test]
    fn what_could_not_be_recorded_is_news_again() {
        let mut hosts = hosts();
        hosts.answered(address(1), mac(1), NOW).unwrap();
        hosts.not_recorded(address(1));
        assert_eq!(hosts.answered(address(1), mac(1), NOW + 1), Ok(true));
    }

    proptest! {
        /// Any hints and answers at any time: nothing grows without bound, and time goes on.
        #[test]
        fn whatever_is_heard(steps in prop::collection::vec((0u8..3, 0u16..200, 0u8..6, 0i64..400_000), 0..300)) {
            let (mut hosts, mut now) = (hosts(), NOW);
            for (what, number, host, wait) in steps {
                now += wait;
                match what {
                    0 => drop(hosts.hint(address(number), mac(host), now)),
                    1 => drop(hosts.answered(address(number), mac(host), now)),
                    _ => drop(hosts.due(now)),
                }
                prop_assert!(hosts.asked.len() <= ASKED && hosts.known.len() <= 2 * ADDRESSES);
                hosts.due(now);
                prop_assert!(hosts.next().is_none_or(|next| next > now));
            }
        }
    }
}
