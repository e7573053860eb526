//! The figures, as medians and ratios.

use std::time::Duration;

use crate::burst::Burst;
use crate::kind::Kind;
use crate::one::Waited;

/// What was measured of one engine.
pub(crate) struct Figures {
    pub(crate) kind: Kind,
    pub(crate) rounds: Vec<Round>,
    pub(crate) bursts: Vec<Burst>,
}

/// One round: the time of the engine alone, and the time until a client's instance answers.
pub(crate) struct Round {
    pub(crate) alone: Duration,
    pub(crate) whole: Waited,
}

impl Round {
    /// The time from the Reply with the lease to the first answer, less the engine's own, in milliseconds.
    fn added(&self) -> f64 {
        milliseconds(self.whole.lease) - milliseconds(self.alone)
    }
}

impl Figures {
    pub(crate) fn of(kind: Kind) -> Self {
        Self {
            kind,
            rounds: Vec::new(),
            bursts: Vec::new(),
        }
    }
}

pub(crate) fn print(all: &[&Figures], rounds: u32) {
    println!(
        "one instance, {rounds} rounds by turns, medians (least)      alone   lease to answer       added  Solicit to answer  of alone"
    );
    for figures in all {
        let each = |time: fn(&Round) -> f64| Sorted::of(figures.rounds.iter().map(time));
        let alone = each(|round| milliseconds(round.alone));
        let leased = each(|round| milliseconds(round.whole.lease));
        let whole = each(|round| milliseconds(round.whole.solicit));
        let added = Sorted::of(figures.rounds.chunks_exact(2).map(added_on_average)).median();
        println!(
            "  {:<34} {:>8.1} ({:>5.1}) ms {:>7.1} ({:>5.1}) ms {added:>5.1} ms {:>7.1} ({:>5.1}) ms {:>9.2}",
            figures.kind.to_string(),
            alone.median(),
            alone.least(),
            leased.median(),
            leased.least(),
            whole.median(),
            whole.least(),
            whole.median() / alone.median()
        );
    }
    println!(
        "\nburst                                      all ready        each   all gone        each  processor each   memory each"
    );
    for figures in all {
        for burst in &figures.bursts {
            let (ready, gone) = (burst.ready.as_secs_f64(), burst.gone.as_secs_f64());
            let each = |seconds: f64| seconds * 1000.0 / burst.size as f64;
            println!(
                "  {:<36} {ready:>10.2} s {:>8.1} ms {gone:>8.2} s {:>8.1} ms {:>11.1} ms {:>10.2} MiB",
                format!("{} clients on {}", burst.size, figures.kind),
                each(ready),
                each(gone),
                burst.processor.as_secs_f64() * 1000.0,
                burst.memory as f64 / f64::from(1 << 20)
            );
        }
    }
}

/// The average of [`Round::added`] over these rounds.
fn added_on_average(rounds: &[Round]) -> f64 {
    rounds.iter().map(Round::added).sum::<f64>() / rounds.len() as f64
}

/// Figures in ascending order.
struct Sorted(Vec<f64>);

impl Sorted {
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }

    /// The smallest figure. Other work on the machine distorts it least.
    fn least(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    /// The middle one, or the average of the two in the middle.
    fn median(&self) -> f64 {
        let (lower, upper) = (self.0.len().saturating_sub(1) / 2, self.0.len() / 2);
        match self.0.get(lower..=upper) {
            Some(middle) => middle.iter().sum::<f64>() / middle.len() as f64,
            None => f64::NAN,
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
