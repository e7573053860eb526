//! The highest rate that a server stands.

use anyhow::Result;

/// Rates are told apart to this part of themselves.
const STEP: f64 = 0.06;
/// By how much a rate is raised while the server stands it, and lowered while it does not.
const STRIDE: f64 = 1.3;
/// The server is given up below this rate.
const LEAST: f64 = 10.0;

/// A search that is told, rate by rate, what the server stands. What it stands at a rate it is taken to stand at all
/// lower ones.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    rate: f64,
    good: Option<f64>,
    bad: Option<f64>,
}

impl Search {
    /// Begins at a guess.
    pub fn new(guess: f64) -> Self {
        Self {
            rate: guess.max(LEAST),
            good: None,
            bad: None,
        }
    }

    /// The rate to try next; nothing when all is known.
    pub fn next(&self) -> Option<f64> {
        match (self.good, self.bad) {
            (Some(good), Some(bad)) if bad - good <= STEP * good => None,
            (None, Some(_)) if self.rate < LEAST => None,
            _ => Some(self.rate),
        }
    }

    /// Takes note of whether the server stood [`Search::next`].
    pub fn tell(&mut self, stands: bool) {
        let side = if stands { &mut self.good } else { &mut self.bad };
        *side = Some(self.rate);
        self.rate = match (self.good, self.bad) {
            (Some(good), Some(bad)) => f64::midpoint(good, bad),
            (_, None) => self.rate * STRIDE,
            (None, _) => self.rate / STRIDE,
        };
    }

    /// The highest rate so far that the server stood.
    pub fn found(&self) -> Option<f64> {
        self.good
    }
}

/// The highest rate for which `stands` says yes, to some hundredths, beginning at a guess; `None` when it stands
/// none.
///
/// # Errors
///
/// The first that `stands` has.
pub fn highest(guess: f64, mut stands: impl FnMut(f64) -> Result<bool>) -> Result<Option<f64>> {
    let mut search = Search::new(guess);
    while let Some(rate) = search.next() {
        search.tell(stands(rate)?);
    }
    Ok(search.found())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_limit_from_both_sides() {
        for guess in [10.0, 900.0, 1000.0, 50_000.0] {
            let found = highest(guess, |rate| Ok(rate <= 1000.0)).unwrap().unwrap();
            assert!(
                (1000.0 / (1.0 + STEP)..=1000.0).contains(&found),
                "{found} from {guess}"
            );
        }
    }

    #[test]
    fn a_server_that_stands_nothing() {
        assert_eq!(highest(1000.0, |_| Ok(false)).unwrap(), None);
    }
}
