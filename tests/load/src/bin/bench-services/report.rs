//! The figures, as medians and ratios.

use std::time::Duration;

use crate::many::Many;
use crate::ready::Rounds;
use crate::roll::Rolls;

/// What was measured.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Figures {
    pub(crate) ready: Option<Rounds>,
    pub(crate) exec: Option<Rounds>,
    pub(crate) roll: Option<Rolls>,
    pub(crate) many: Option<Many>,
}

pub(crate) fn print(figures: &Figures, engine: &str) {
    println!("\nservices, on {engine}, medians (least)");
    if let Some(ready) = &figures.ready {
        print_rounds(&format!("{} instances until all serve", ready.instances), ready);
    }
    if let Some(exec) = &figures.exec {
        print_rounds(&format!("exec '*' -- true in {}", exec.instances), exec);
    }
    if let Some(roll) = &figures.roll {
        print_roll(roll);
    }
    if let Some(many) = &figures.many {
        print_many(many);
    }
}

fn print_rounds(what: &str, rounds: &Rounds) {
    let (alone, whole) = (median(&rounds.alone), median(&rounds.whole));
    println!(
        "  {what:<32} {whole:>8.0} ({:.0}) ms   engine alone {alone:>8.0} ({:.0}) ms   ratio {:.2}",
        least(&rounds.whole),
        least(&rounds.alone),
        whole / alone
    );
}

fn print_roll(roll: &Rolls) {
    println!(
        "  {} rolls of four instances, {:.1} s each, under {:.0} requests/s (least {:.0}): {} of {} requests failed, \
         {} WebSockets of another service closed, {} reloads",
        roll.took.len(),
        median(&roll.took) / 1000.0,
        middle(&roll.rates),
        roll.rates.iter().copied().fold(f64::NAN, f64::min),
        roll.failures.len(),
        roll.requests,
        roll.closed,
        roll.reloads
    );
    let [calm, rolled] = [roll.calm, roll.rolled].map(|times| times.map(milliseconds));
    for (what, [half, most, longest]) in [("during rolls", rolled), ("otherwise", calm)] {
        println!("    a request {what:<14} median {half:>6.2} ms   p99 {most:>7.2} ms   longest {longest:>7.2} ms");
    }
    for failure in roll.failures.iter().take(5) {
        println!("    failed: {failure}");
    }
}

fn print_many(many: &Many) {
    let rows = [
        ("a service of one instance until it serves", &many.first, &many.last),
        ("declaring a service", &many.first_declared, &many.last_declared),
    ];
    for (what, first, last) in rows {
        println!(
            "  {what:<42} {:>7.1} ms as the first, {:>7.1} ms beside {} others, ratio {:.2}",
            median(first),
            median(last),
            many.services,
            median(last) / median(first)
        );
    }
}

/// The least in milliseconds: what others on the machine add is least there.
fn least(times: &[Duration]) -> f64 {
    times.iter().min().copied().map_or(f64::NAN, milliseconds)
}

/// The median in milliseconds.
fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() / 2).copied().map_or(f64::NAN, milliseconds)
}

/// The median.
fn middle(figures: &[f64]) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
