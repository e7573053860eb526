//! The highest rate that a server stands.

use anyhow::Result;

/// Rates are told apart to this part of themselves.
const STEP: f64 = 0.06;
/// By how much a rate is raised while the server stands it, and lowered while it does not.
const STRIDE: f64 = 1.3;
/// The server is given up below this rate.
const LEAST: f64 = 10.0;

/// The highest rate for which `stands` says yes, to some hundredths, beginning at a guess; `None` when it stands
/// none. What it stands at a rate it is taken to stand at all lower ones.
///
/// # Errors
///
/// The first that `stands` has.
pub fn highest(guess: f64, mut stands: impl FnMut(f64) -> Result<bool>) -> Result<Option<f64>> {
    let mut rate = guess.max(LEAST);
    let (mut good, mut bad) = (None, None);
    while good.is_none() || bad.is_none() {
        if stands(rate)? {
            good = Some(rate);
            rate *= STRIDE;
        } else {
            bad = Some(rate);
            rate /= STRIDE;
            if good.is_none() && rate < LEAST {
                return Ok(None);
            }
        }
    }
    let (Some(mut good), Some(mut bad)) = (good, bad) else {
        return Ok(good);
    };
    while bad - good > STEP * good {
        let middle = f64::midpoint(good, bad);
        if stands(middle)? {
            good = middle;
        } else {
            bad = middle;
        }
    }
    Ok(Some(good))
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
