//! What is measured of each server.

mod calm;
mod crowd;
mod durable;
mod highest;
mod starts;

use std::time::Duration;

use anyhow::Result;
use orchestrator_load::{Clients, Load, Outcome, Pace, Usage};

use crate::figures::{Did, Figure, Figures, Party};
use crate::noise::Noise;
use crate::perfdhcp::perfdhcp;
use crate::server::{Ready, Running};
use crate::stage::Stage;

/// Exchanges under way at the same time in a closed loop.
pub(crate) const WINDOW: usize = 128;
/// Latency is measured at this rate, and processor time at the other.
pub(crate) const LOW_RATE: f64 = 100.0;
pub(crate) const MIDDLE_RATE: f64 = 1000.0;
/// Loss below this is none.
const LOSS: f64 = 0.01;
/// How long a server may take to its first answer.
const START: Duration = Duration::from_secs(20);
/// A rate that perfdhcp keeps up with.
const FASTEST_CHECK: f64 = 8000.0;
/// Numbers of clients that are not in any database.
const FIRST: u32 = 0x1000_0000;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// New clients, renewals and releases in a closed loop.
    Crowd,
    /// Latency and processor time at fixed rates.
    Calm,
    /// The highest rate of new clients in an open loop.
    Highest,
    /// What perfdhcp says.
    Perfdhcp,
    /// Starts with full databases, and rates with them.
    Starts,
    /// Whether what clients were told is on disk.
    Durable,
}

impl Part {
    pub(crate) const ALL: [Self; 6] = [
        Self::Crowd,
        Self::Calm,
        Self::Highest,
        Self::Perfdhcp,
        Self::Starts,
        Self::Durable,
    ];

    /// Whether every round does it; the others are done once, in the last.
    const fn repeats(self) -> bool {
        matches!(self, Self::Crowd | Self::Calm)
    }
}

/// How much is measured.
pub(crate) struct Extent {
    pub(crate) rounds: usize,
    /// How long one probe lasts, and one look at latency.
    pub(crate) probe: Duration,
    pub(crate) look: Duration,
    /// Bindings in the database at a start.
    pub(crate) bindings: &'static [u32],
}

impl Extent {
    pub(crate) const QUICK: Self = Self {
        rounds: 1,
        probe: Duration::from_millis(1000),
        look: Duration::from_secs(2),
        bindings: &[100_000],
    };
    pub(crate) const FULL: Self = Self {
        rounds: 3,
        probe: Duration::from_millis(2000),
        look: Duration::from_secs(4),
        bindings: &[100_000, 1_000_000],
    };
}

/// Measures these parts of all servers, server by server within each part of a round. What went wrong is told, and
/// given back in words.
pub(crate) fn measure(stage: &Stage, all: &mut [Figures], parts: &[Part], extent: &Extent) -> Vec<String> {
    let mut faults = Vec::new();
    for round in 1..=extent.rounds {
        for part in parts.iter().filter(|part| part.repeats() || round == extent.rounds) {
            eprintln!("round {round} of {}: {part:?}", extent.rounds);
            if *part == Part::Highest {
                faults.extend(
                    highest::measure(stage, all, extent)
                        .err()
                        .map(|fault| format!("{part:?}: {fault:#}")),
                );
                continue;
            }
            for figures in &mut *all {
                if let Err(fault) = measure_part(stage, *part, figures, extent) {
                    let words = format!("{part:?} of {}: {fault:#}", figures.kind.name());
                    eprintln!("  {words}");
                    faults.push(words);
                }
            }
        }
    }
    faults
}

fn measure_part(stage: &Stage, part: Part, figures: &mut Figures, extent: &Extent) -> Result<()> {
    eprintln!(" {}", figures.kind.name());
    let noise = Noise::begin(stage)?;
    match part {
        Part::Crowd => crowd::measure(stage, figures, extent)?,
        Part::Calm => calm::measure(stage, figures, extent)?,
        Part::Highest => {}
        Part::Perfdhcp => check(stage, figures, extent)?,
        Part::Starts => starts::measure(stage, figures, extent)?,
        Part::Durable => durable::measure(stage, figures)?,
    }
    if part.repeats() {
        figures.add(Figure::Others, noise.end(stage)?);
    }
    Ok(())
}

/// perfdhcp, a little below what this generator found and no faster than it can.
fn check(stage: &Stage, figures: &mut Figures, extent: &Extent) -> Result<()> {
    let (_server, _) = Ready::new(stage, figures.kind, 0)?.start(START)?;
    let found = match figures.get(Figure::Highest) {
        rate if rate > LOW_RATE => rate,
        _ => LOW_RATE,
    };
    let said = perfdhcp(stage, found.min(FASTEST_CHECK) * 0.9, extent.look)?;
    for (what, value) in said {
        figures.add(Figure::Perfdhcp(what), value);
    }
    Ok(())
}

/// A closed loop, with what it cost.
fn closed(
    stage: &Stage,
    server: &Running<'_>,
    clients: &mut Clients,
    did: Did,
    extent: &Extent,
) -> Result<(Outcome, Cost)> {
    costly(
        stage,
        server,
        clients,
        &Load::new(did.work(), Pace::Window(WINDOW), extent.probe),
    )
}

/// Processor time of each party, in microseconds an exchange.
struct Cost([(Party, f64); 3]);

impl Cost {
    fn add_to(&self, figures: &mut Figures, figure: impl Fn(Party) -> Figure) {
        for (party, time) in self.0 {
            figures.add(figure(party), time);
        }
    }
}

/// Puts a load on a server, and looks what it costs.
fn costly(stage: &Stage, server: &Running<'_>, clients: &mut Clients, load: &Load) -> Result<(Outcome, Cost)> {
    let before = server.usage()?;
    let outcome = stage.load(clients, load)?;
    let after = server.usage()?;
    tell(load, &outcome);
    let each = |used: Usage| used.total().as_secs_f64() * 1e6 / outcome.completed.max(1) as f64;
    let cost = [
        (Party::Server, each(after.0 - before.0)),
        (Party::Database, each(after.1 - before.1)),
        (Party::Generator, outcome.processor),
    ];
    Ok((outcome, Cost(cost)))
}

fn tell(load: &Load, outcome: &Outcome) {
    let pace = match load.pace {
        Pace::Rate(rate) => format!("{rate:.0} a second"),
        Pace::Window(window) => format!("{window} at a time"),
    };
    eprintln!(
        "  {:?}, {pace}: {:.0} a second, {:.2} % lost, wrong answers: {}",
        load.work,
        outcome.rate,
        100.0 * outcome.loss(),
        outcome.faults
    );
}
