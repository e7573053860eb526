//! What runs an instance, side by side: Docker, Podman and runc by the helper, in one run by turns.
//!
//! ```text
//! bench-engines ORCHESTRATOR [--quick] [--only NAME,…]
//! ```
//!
//! - Every engine has a machine, a state and a daemon of its own, with the same image and the same limits.
//! - **One**: from a client's lease, and from its first Solicit, to the first connection that its instance answers, against
//!   the engine alone: it creates and starts the same container, until that listens.
//! - **Added**: the time from the lease to the answer minus the time of the engine alone. It is what the record, the wiring
//!   and the probe add. It can be negative, because the daemon does a part of the engine's work, such as making the network
//!   namespace. It is computed within each round, because the speed of the machine changes between rounds. A removal slows
//!   down what is measured next, so the engine alone and the daemon take turns in going first. Each figure is the average of
//!   two consecutive rounds, one of each order. The report shows the median figure.
//! - **Burst**: so many clients at once, until all have their instance ready; then until all instances are gone.
//! - **Memory**: what an idle instance costs: its processes, with those that watch it (proportional set size). What the
//!   engine's own daemon needs more for it is not counted: it comes and goes with other work.
//!
//! - **Processor time**: what making an instance costs, whoever else uses the machine: daemon, engine and all that they
//!   start. No burst is ready sooner than this divided by the processors.
//!
//! In a round each part is measured of one engine after the other: what else happens on the machine happens to all.

mod alone;
mod burst;
mod kind;
mod one;
mod processes;
mod report;
mod stage;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::kind::Kind;
use crate::report::{Figures, Round};
use crate::stage::Stage;

/// Measures the engines against themselves and one another.
#[derive(Parser)]
struct Arguments {
    /// The daemon's binary, of a release build. The helper orchestrator-oci is beside it.
    orchestrator: PathBuf,
    /// Few rounds and small bursts.
    #[arg(long)]
    quick: bool,
    /// Only these engines.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
}

/// How much is measured.
struct Extent {
    /// The number of rounds. It must be even, so that each order occurs equally often.
    rounds: u32,
    /// Sizes of the bursts.
    bursts: &'static [usize],
}

const FULL: Extent = Extent {
    rounds: 50,
    bursts: &[50, 150],
};

const QUICK: Extent = Extent {
    rounds: 6,
    bursts: &[20],
};

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let orchestrator = arguments.orchestrator.canonicalize().context("no daemon there")?;
    let extent = if arguments.quick { QUICK } else { FULL };
    let kinds = match arguments.only.is_empty() {
        true => Kind::ALL.to_vec(),
        false => arguments.only,
    };
    let mut all = Vec::new();
    for kind in kinds {
        match Stage::start(kind, &orchestrator) {
            Ok(stage) => all.push((stage, Figures::of(kind))),
            // The others can be measured all the same.
            Err(fault) => eprintln!("{kind} does not start here, and is left out: {fault:#}"),
        }
    }
    ensure!(!all.is_empty(), "no engine starts here");
    measure(&mut all, &extent)?;
    let figures: Vec<&Figures> = all.iter().map(|(_, figures)| figures).collect();
    report::print(&figures, extent.rounds);
    Ok(())
}

fn measure(all: &mut [(Stage, Figures)], extent: &Extent) -> Result<()> {
    // The first round of each warms up.
    for round in 0..=extent.rounds {
        for (stage, figures) in &mut *all {
            let alone = || alone::measure(stage).with_context(|| format!("{} alone", figures.kind));
            let whole = || one::measure(stage, round).with_context(|| format!("one on {}", figures.kind));
            let (alone, whole) = match round % 2 {
                0 => (alone()?, whole()?),
                _ => {
                    let whole = whole()?;
                    (alone()?, whole)
                }
            };
            if round > 0 {
                figures.rounds.push(Round { alone, whole });
            }
        }
    }
    for size in extent.bursts {
        for (stage, figures) in &mut *all {
            let burst = burst::measure(stage, *size).with_context(|| format!("{size} on {}", figures.kind))?;
            figures.bursts.push(burst);
        }
    }
    Ok(())
}
