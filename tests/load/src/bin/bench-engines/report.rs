//! The figures, as medians and ratios.

use std::time::Duration;

use crate::burst::Burst;
use crate::kind::Kind;

/// What was measured of one engine.
pub(crate) struct Figures {
    pub(crate) kind: Kind,
    /// The engine alone.
    pub(crate) alone: Vec<Duration>,
    /// From the first Solicit to the first answered connection.
    pub(crate) whole: Vec<Duration>,
    /// From the Reply with the lease to the first answered connection.
    pub(crate) leased: Vec<Duration>,
    pub(crate) bursts: Vec<Burst>,
}

impl Figures {
    pub(crate) fn of(kind: Kind) -> Self {
        Self {
            kind,
            alone: Vec::new(),
            whole: Vec::new(),
            leased: Vec::new(),
            bursts: Vec::new(),
        }
    }
}

pub(crate) fn print(all: &[&Figures], rounds: u32) {
    println!(
        "one instance, {rounds} rounds by turns, medians (least)      alone   lease to answer       added  Solicit to answer  of alone"
    );
    for figures in all {
        let (alone, leased, whole) = (median(&figures.alone), median(&figures.leased), median(&figures.whole));
        println!(
            "  {:<34} {alone:>8.1} ({:>5.1}) ms {leased:>7.1} ({:>5.1}) ms {:>5.1} ms {whole:>7.1} ({:>5.1}) ms {:>9.2}",
            figures.kind.to_string(),
            least(&figures.alone),
            least(&figures.leased),
            leased - alone,
            least(&figures.whole),
            whole / alone
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

/// The least in milliseconds: what others on the machine add is least there.
fn least(times: &[Duration]) -> f64 {
    times.iter().min().map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}

/// The median in milliseconds.
fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    times
        .get(times.len() / 2)
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}
