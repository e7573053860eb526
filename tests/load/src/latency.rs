//! Times from a message to its answer.

use serde::Serialize;

/// Times that were measured, in nanoseconds; what takes longer than four seconds counts as that.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<u32>);

/// What is told of them, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latency {
    /// How many there were.
    pub count: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Half took no longer.
    pub p50: f64,
    /// Nine in ten took no longer.
    pub p90: f64,
    /// 99 in a hundred took no longer.
    pub p99: f64,
    /// None took longer.
    pub max: f64,
}

impl Samples {
    /// Adds one.
    pub fn add(&mut self, nanoseconds: u64) {
        self.0.push(u32::try_from(nanoseconds).unwrap_or(u32::MAX));
    }

    /// All of them together.
    pub fn latency(&self) -> Latency {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let Some(&most) = sorted.last() else {
            return Latency::default();
        };
        let at = |part: usize| milliseconds(f64::from(sorted[(sorted.len() * part / 100).min(sorted.len() - 1)]));
        let sum: f64 = sorted.iter().map(|time| f64::from(*time)).sum();
        Latency {
            count: sorted.len(),
            mean: milliseconds(sum / sorted.len() as f64),
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max: milliseconds(f64::from(most)),
        }
    }
}

fn milliseconds(nanoseconds: f64) -> f64 {
    nanoseconds / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let mut samples = Samples::default();
        (1..=100).rev().for_each(|time| samples.add(time * 1_000_000));
        let latency = samples.latency();
        assert_eq!((latency.count, latency.mean), (100, 50.5));
        assert_eq!(
            (latency.p50, latency.p90, latency.p99, latency.max),
            (51.0, 91.0, 100.0, 100.0)
        );
        assert_eq!(Samples::default().latency(), Latency::default());
    }
}
