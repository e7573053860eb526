//! What was measured.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::stage::Rules;

/// The meaning of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// Traffic between a client and its instance.
    Traffic(Way, What),
    /// Microseconds that one more client takes, when so many are there.
    Added(u32),
    /// Seconds that all rules and elements of so many clients take.
    Rebuilt(u32),
    /// The same where the kernel has them already.
    Compared(u32),
}

/// The way that traffic takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// To the instance's own address.
    Direct {
        /// Whether the host has the rules.
        rules: Rules,
        /// Whether bridged frames pass the rules for routed packets, too.
        calls: bool,
    },
    /// To an instance on a host without rules, measured beside the front door.
    NoRules,
    /// To the own address of an instance on a host with a front door.
    OwnAddress,
    /// To the front door.
    FrontDoor,
}

/// What is measured of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// Bytes a second from the client to its instance.
    Up,
    /// Bytes a second from the instance to its client.
    Down,
    /// Microseconds of a message to and fro.
    RoundTrip(Quantile),
    /// Microseconds until a connection is open.
    Connect(Quantile),
}

/// A quantile of what is measured many times in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Quantile {
    Median,
    P99,
}

impl Quantile {
    pub(crate) const ALL: [Self; 2] = [Self::Median, Self::P99];

    /// This quantile of values in any order; not a number when there are none.
    pub(crate) fn of(self, values: &[f64]) -> f64 {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let place = match self {
            Self::Median => values.len() / 2,
            Self::P99 => values.len() * 99 / 100,
        };
        values.get(place).copied().unwrap_or(f64::NAN)
    }
}

/// All figures, each as often as it was measured.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<Figure, Vec<f64>>);

impl Figures {
    pub(crate) fn add(&mut self, figure: Figure, value: f64) {
        self.0.entry(figure).or_default().push(value);
    }

    /// A quantile; not a number when it was not measured.
    pub(crate) fn quantile(&self, figure: Figure, quantile: Quantile) -> f64 {
        self.0.get(&figure).map_or(f64::NAN, |values| quantile.of(values))
    }

    pub(crate) fn median(&self, figure: Figure) -> f64 {
        self.quantile(figure, Quantile::Median)
    }

    /// The median of how much of one value another one is, of those of the same round; not a number when they were not
    /// measured.
    pub(crate) fn ratio(&self, of: Figure, to: Figure) -> f64 {
        let values = |figure| self.0.get(&figure).map(Vec::as_slice).unwrap_or_default();
        let ratios: Vec<f64> = values(of).iter().zip(values(to)).map(|(of, to)| of / to).collect();
        Quantile::Median.of(&ratios)
    }

    /// Everything, with what each round gave.
    pub(crate) fn json(&self) -> Value {
        let all: BTreeMap<String, &Vec<f64>> = self
            .0
            .iter()
            .map(|(key, values)| (format!("{key:?}"), values))
            .collect();
        json!(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_values_in_any_order() {
        let mut figures = Figures::default();
        for value in (1..=100).rev() {
            figures.add(Figure::Added(10), f64::from(value));
        }
        assert_eq!(figures.median(Figure::Added(10)), 51.0);
        assert_eq!(figures.quantile(Figure::Added(10), Quantile::P99), 100.0);
        assert!(figures.median(Figure::Added(11)).is_nan());
        for (slow, fast) in [(1.0, 2.0), (10.0, 20.0), (3.0, 9.0)] {
            figures.add(Figure::Rebuilt(1), slow);
            figures.add(Figure::Compared(1), fast);
        }
        assert_eq!(figures.ratio(Figure::Compared(1), Figure::Rebuilt(1)), 2.0);
        assert!(figures.ratio(Figure::Compared(2), Figure::Rebuilt(1)).is_nan());
    }
}
