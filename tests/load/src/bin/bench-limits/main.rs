//! What an attacker takes from others: somebody on a port of his own invents identities at full speed while honest clients
//! arrive, each behind a port of its own.
//!
//! ```text
//! bench-limits ORCHESTRATOR [--quick]
//! ```
//!
//! Honest clients arrive all at once, first without the attacker, then with him. Of each, the time from its first Solicit
//! until its instance is ready is measured. The daemon runs containers by runc, with the limits that are the default, but
//! without the limit for each address: the attacker would have as many as he likes. In a second part the attacker is there
//! first, and takes what he gets.
//!
//! The target: with the attacker, the slowest honest client waits at most twice as long as the slowest without him.

mod attack;
mod honest;
mod stage;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

use crate::attack::Attack;
use crate::honest::Waited;
use crate::stage::Stage;

/// Measures what an attacker takes from others.
#[derive(Parser)]
struct Arguments {
    /// The daemon's binary, of a release build. The helper orchestrator-oci is beside it.
    orchestrator: PathBuf,
    /// Fewer identities and one round.
    #[arg(long)]
    quick: bool,
}

/// How often honest clients arrive without the attacker; the median counts.
const ROUNDS: usize = 3;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let orchestrator = arguments.orchestrator.canonicalize().context("no daemon there")?;
    let (identities, rounds) = match arguments.quick {
        true => (60_000, 1),
        false => (100_000, ROUNDS),
    };
    let stage = Stage::start(&orchestrator)?;
    // The first round warms up.
    honest::arrive(&stage)?;
    let mut alone = Vec::new();
    for _ in 0..rounds {
        alone.push(honest::arrive(&stage)?);
    }
    alone.sort();
    let alone = alone[alone.len() / 2];
    println!("{} honest clients alone: {}", stage::HONEST, show(alone));

    let attack = Attack::begin(&stage, identities)?;
    let beside = honest::arrive(&stage)?;
    let said = attack.end()?;
    println!("beside an attacker: {} ({said})", show(beside));
    println!(
        "his instances: {}, and {} that wait",
        stage.attackers()?,
        stage.waiting()?
    );
    // He holds what he got, and goes on.
    let attack = Attack::begin(&stage, identities)?;
    let after = honest::arrive(&stage)?;
    let said = attack.end()?;
    println!("after he took what he gets: {} ({said})", show(after));
    for (what, took) in [("beside him", beside), ("after him", after)] {
        let ratio = took.ready.as_secs_f64() / alone.ready.as_secs_f64();
        let verdict = if ratio <= 2.0 { "within" } else { "MISSED" };
        println!("{what}: {ratio:.2} times as long as without him; target 2.00: {verdict}");
    }
    Ok(())
}

fn show(waited: Waited) -> String {
    let [leased, ready] = [waited.leased, waited.ready].map(|span| span.as_millis());
    format!("all leased after {leased} ms, all ready after {ready} ms")
}
