//! Ids for the clients of one burst.
//!
//! An id is random, so that its first digits identify a client. The ids of a burst share their first random digits. So
//! they lie close together in every index, and the database writes few pages instead of one for each client.

use std::sync::Arc;

use crate::StoreError;
use orchestrator_model::ClientId;

/// The number of consecutive ids with one origin: twelve bits.
const TOGETHER: u64 = 1 << 12;
/// The number of low bits that only look random and distinguish nothing.
const LOW: u32 = 20;
const LOW_MASK: u64 = (1 << LOW) - 1;
/// The step between two ids. It is odd, so that all values of the low bits occur.
const STEP: u64 = 0x9e3b1;

/// Generates ids, each once.
#[derive(Default)]
pub(super) struct Names {
    origin: u64,
    given: u64,
}

impl Names {
    /// A new id.
    pub(super) fn next(&mut self) -> Result<ClientId, StoreError> {
        if self.given.is_multiple_of(TOGETHER) {
            self.origin = getrandom::u64().map_err(|error| StoreError::Random {
                source: Arc::new(std::io::Error::other(error)),
            })?;
        }
        let (number, origin) = (self.given % TOGETHER, self.origin);
        self.given += 1;
        Ok(name(origin, number))
    }
}

/// Combines sixteen bits of the origin, the number on top of the origin's next twelve bits, and the rest.
fn name(origin: u64, number: u64) -> ClientId {
    let herd = origin >> 48 << 32;
    let place = (origin >> LOW).wrapping_add(number) % TOGETHER;
    let low = origin.wrapping_add(number.wrapping_mul(STEP)) & LOW_MASK;
    let [_, _, bytes @ ..] = (herd | place << LOW | low).to_be_bytes();
    ClientId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_of_a_herd_differ_and_lie_together() {
        let mut names = Names::default();
        let given: Vec<ClientId> = (0..TOGETHER + 1).map(|_| names.next().unwrap()).collect();
        let herd = &given[..given.len() - 1];
        assert_eq!(herd.iter().collect::<BTreeSet<_>>().len(), herd.len());
        assert!(herd.iter().all(|id| id.bytes()[..2] == herd[0].bytes()[..2]));
    }

    #[test]
    fn who_comes_alone_has_an_id_like_no_other() {
        let alone = |origin| name(origin, 0);
        assert_ne!(alone(1 << 48), alone(2 << 48));
        assert_ne!(alone(1 << 20), alone(2 << 20));
        assert_ne!(alone(1), alone(2));
        assert_eq!(name(u64::MAX, 0).to_string(), "ffffffffffff");
    }
}
