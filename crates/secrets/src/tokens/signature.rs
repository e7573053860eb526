//! Signatures of requests, and the nonces that were used.
//!
//! A request is accepted once. Its nonce is remembered for as long as its time would be accepted. What was accepted before
//! the daemon started is not remembered: so after a start only requests count that were signed later than any that may
//! have been accepted before.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use orchestrator_model::{Id, Timestamp};
use ring::digest::{SHA256, digest};

use super::Denied;
use crate::hex;

/// How long after its time a request is accepted.
pub(super) const BEHIND: Duration = Duration::from_secs(60);
/// How long before its time a request is accepted.
pub(super) const AHEAD: Duration = Duration::from_secs(5);
/// The most nonces that are remembered for one token.
const MOST: usize = 8192;
/// The shortest and the longest nonce, in characters.
const NONCE: std::ops::RangeInclusive<usize> = 16..=64;

/// A signed request.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The id of the token whose key signs it.
    pub token: Id,
    /// Its method: `POST`.
    pub method: &'a str,
    /// Its path with its query, as it is sent.
    pub target: &'a str,
    /// When it was signed, in seconds since 1970.
    pub time: i64,
    /// A text that no other request of the token has: 16 to 64 of A-Z, a-z, 0-9, "-" and "_".
    pub nonce: &'a str,
    /// Its body.
    pub body: &'a [u8],
    /// The signature: HMAC-SHA-256 in hexadecimal digits.
    pub signature: &'a str,
}

impl SignedRequest<'_> {
    /// The text that is signed: method, target, time, nonce, and SHA-256 of the body in hexadecimal digits, with line
    /// feeds between them.
    pub(super) fn text(&self) -> String {
        let body = hex::encode(digest(&SHA256, self.body).as_ref());
        format!(
            "{}\n{}\n{}\n{}\n{body}",
            self.method, self.target, self.time, self.nonce
        )
    }

    /// Whether the nonce is one.
    pub(super) fn has_nonce(&self) -> bool {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        NONCE.contains(&self.nonce.len()) && self.nonce.bytes().all(is_letter)
    }
}

/// The nonces that were used, by token.
#[derive(Debug)]
pub(super) struct Nonces {
    started: Timestamp,
    /// The latest time that was seen here. A clock that is set back makes no old request new.
    latest: Timestamp,
    of: HashMap<Id, Used>,
}

#[derive(Debug, Default)]
struct Used {
    known: HashSet<String>,
    /// In the order in which they came, with their times.
    order: VecDeque<(Timestamp, String)>,
}

impl Nonces {
    /// No nonce, at the start of the daemon.
    pub(super) fn new(started: Timestamp) -> Self {
        Self {
            started,
            latest: started,
            of: HashMap::new(),
        }
    }

    /// Accepts a request whose signature is right, once. `now` is the wall clock's time.
    pub(super) fn accept(&mut self, request: &SignedRequest<'_>, now: Timestamp) -> Result<(), Denied> {
        self.latest = self.latest.max(now);
        let now = self.latest;
        let signed = Timestamp(request.time.saturating_mul(1000));
        // Seconds are whole: a request of this second has its beginning as its time.
        if signed.plus(BEHIND) < now || signed > now.plus(AHEAD) {
            return Err(Denied::Untimely {
                signed: request.time,
                now: now.0 / 1000,
            });
        }
        if signed <= self.started.plus(AHEAD) {
            return Err(Denied::BeforeStart);
        }
        let used = self.of.entry(request.token).or_default();
        used.forget_before(now);
        if used.known.contains(request.nonce) {
            return Err(Denied::Replayed);
        }
        if used.order.len() >= MOST {
            return Err(Denied::TooMany);
        }
        used.known.insert(request.nonce.to_owned());
        used.order.push_back((now, request.nonce.to_owned()));
        Ok(())
    }

    /// Forgets the nonces of a token that is gone.
    pub(super) fn forget(&mut self, token: Id) {
        self.of.remove(&token);
    }
}

impl Used {
    /// Forgets the nonces of requests that are too old by now.
    fn forget_before(&mut self, now: Timestamp) {
        while let Some((came, _)) = self.order.front()
            && came.plus(BEHIND).plus(AHEAD) < now
        {
            if let Some((_, nonce)) = self.order.pop_front() {
                self.known.remove(&nonce);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_800_000_000;

    fn request<'a>(time: i64, nonce: &'a str) -> SignedRequest<'a> {
        SignedRequest {
            token: Id::from_bytes([1; 6]),
            method: "POST",
            target: "/v1/pause?x=1",
            time,
            nonce,
            body: b"{}",
            signature: "",
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1000)
    }

    #[test]
    fn the_text_has_everything_that_counts() {
        let text = request(START, "0123456789abcdef").text();
        let expected = "POST\n/v1/pause?x=1\n1800000000\n0123456789abcdef\n\
                        44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_request_is_accepted_once_for_as_long_as_its_time_is_accepted() {
        let mut nonces = Nonces::new(at(START));
        let signed = START + 100;
        let request = request(signed, "0123456789abcdef");
        assert_eq!(nonces.accept(&request, at(signed - 5)), Ok(()));
        for later in [signed - 5, signed, signed + 30, signed + 60] {
            assert_eq!(nonces.accept(&request, at(later)), Err(Denied::Replayed), "{later}");
        }
        let too_late = nonces.accept(&request, at(signed + 61));
        assert!(matches!(too_late, Err(Denied::Untimely { .. })), "{too_late:?}");
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_old_request_new() {
        let mut nonces = Nonces::new(at(START));
        let request = request(START + 100, "0123456789abcdef");
        assert_eq!(nonces.accept(&request, at(START + 100)), Ok(()));
        // The clock goes far ahead, another request has the nonce forgotten, and the clock is set back.
        let later = self::request(START + 9000, "fedcba9876543210");
        assert_eq!(nonces.accept(&later, at(START + 9000)), Ok(()));
        let again = nonces.accept(&request, at(START + 100));
        assert!(matches!(again, Err(Denied::Untimely { .. })), "{again:?}");
    }

    #[test]
    fn what_may_have_been_accepted_before_the_start_is_refused() {
        let mut nonces = Nonces::new(at(START));
        // The daemon before accepted requests of up to five seconds ahead.
        for signed in [START - 1, START, START + 5] {
            let request = request(signed, "0123456789abcdef");
            assert_eq!(
                nonces.accept(&request, at(START + 1)),
                Err(Denied::BeforeStart),
                "{signed}"
            );
        }
        assert_eq!(
            nonces.accept(&request(START + 6, "0123456789abcdef"), at(START + 6)),
            Ok(())
        );
    }

    #[test]
    fn requests_that_are_too_early_or_too_late_are_refused() {
        let mut nonces = Nonces::new(at(START));
        for (signed, now) in [(START + 106, START + 100), (START + 39, START + 100)] {
            let refused = nonces.accept(&request(signed, "0123456789abcdef"), at(now));
            assert!(matches!(refused, Err(Denied::Untimely { .. })), "{refused:?}");
        }
    }

    #[test]
    fn one_token_fills_only_its_own_memory() {
        let mut nonces = Nonces::new(at(START));
        let now = START + 100;
        for n in 0..MOST {
            assert_eq!(nonces.accept(&request(now, &format!("{n:016}")), at(now)), Ok(()));
        }
        assert_eq!(
            nonces.accept(&request(now, "another-nonce-is-full"), at(now)),
            Err(Denied::TooMany)
        );
        let other = SignedRequest {
            token: Id::from_bytes([2; 6]),
            ..request(now, "0000000000000001")
        };
        assert_eq!(nonces.accept(&other, at(now)), Ok(()));
        // A minute later there is room again.
        assert_eq!(
            nonces.accept(&request(now + 66, "another-nonce-is-full"), at(now + 66)),
            Ok(())
        );
    }

    #[test]
    fn nonces_are_long_and_plain() {
        let long = "a".repeat(65);
        for (nonce, is_one) in [
            ("0123456789abcdef", true),
            ("0123456789abcde", false),
            (&long, false),
            ("0123456789abcde\n", false),
        ] {
            assert_eq!(request(START, nonce).has_nonce(), is_one, "{nonce:?}");
        }
    }
}
