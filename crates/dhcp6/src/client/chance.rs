//! Pseudorandom numbers from a key. The same key gives the same numbers, so that a run can be repeated in a test.

use std::fmt;
use std::hash::Hasher;

use siphasher::sip::SipHasher24;

/// A sequence of numbers that nobody without the key can predict.
#[derive(Clone)]
pub(super) struct Chance {
    key: [u8; 16],
    drawn: u64,
}

impl Chance {
    pub(super) fn new(key: [u8; 16]) -> Self {
        Self { key, drawn: 0 }
    }

    /// A number from `least` to `most`.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = most.saturating_sub(least).max(0).unsigned_abs().saturating_add(1);
        least.saturating_add_unsigned(self.draw() % span)
    }

    /// A transaction id (RFC 9915, section 16.1).
    pub(super) fn transaction(&mut self) -> [u8; 3] {
        let [_, _, _, _, _, transaction @ ..] = self.draw().to_be_bytes();
        transaction
    }

    fn draw(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write_u64(self.drawn);
        hasher.finish()
    }
}

/// The key is a secret.
impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chance")
            .field("drawn", &self.drawn)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_within_their_bounds_and_differ() {
        let mut chance = Chance::new([7; 16]);
        let numbers: Vec<i64> = (0..1000).map(|_| chance.between(-100, 100)).collect();
        assert!(numbers.iter().all(|number| (-100..=100).contains(number)));
        assert!(numbers.contains(&-100) && numbers.contains(&100));
        assert_eq!(chance.between(5, 5), 5);
        assert_ne!(chance.transaction(), chance.transaction());
    }
}
