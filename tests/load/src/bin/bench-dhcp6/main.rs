//! This DHCPv6 server and those that people run today, in one run on one machine, with the same pool and pattern.
//!
//! ```text
//! bench-dhcp6 ORCHESTRATOR [--quick] [--only NAME,…] [--parts NAME,…] [--json FILE]
//! ```
//!
//! - Every server gets the same link (a bridge and one cable), the same pool, errors-only logs, and a fresh lease
//!   database on the same disk for each measurement. PostgreSQL is one cluster for all, with fsync and synchronous
//!   commit on. Nothing is pinned to a processor; generator and server share what there is.
//! - All clients send from one link-local address, so that this server's limit per client is lifted.
//! - In a round each part is measured of one server after the other, and medians of three rounds are told: what else
//!   happens on the machine happens to all. How much that was, is told too.

mod figures;
mod measure;
mod noise;
mod perfdhcp;
mod preload;
mod report;
mod server;
mod stage;
mod syncs;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::figures::Figures;
use crate::measure::{Extent, Part, measure};
use crate::server::Kind;
use crate::stage::Stage;

/// Measures this DHCPv6 server against Kea, dnsmasq and a server that does nothing.
#[derive(Parser)]
struct Arguments {
    /// The daemon's binary, of a release build.
    orchestrator: PathBuf,
    /// One round, short probes, and no million bindings.
    #[arg(long)]
    quick: bool,
    /// Only these servers.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    parts: Vec<Part>,
    /// Where the figures of each round are written as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let orchestrator = arguments.orchestrator.canonicalize().context("no daemon there")?;
    let kinds = or_all(arguments.only, &Kind::ALL);
    let parts = or_all(arguments.parts, &Part::ALL);
    let extent = if arguments.quick { Extent::QUICK } else { Extent::FULL };
    let began = Instant::now();
    let stage = Stage::build(orchestrator)?;
    let sync = stage.time_of_a_sync()?;
    let mut all: Vec<Figures> = kinds.into_iter().map(Figures::of).collect();
    let faults = measure(&stage, &mut all, &parts, &extent);
    report::print(&all, &extent, sync, began.elapsed());
    if let Some(path) = &arguments.json {
        let all: Vec<_> = all.iter().map(Figures::json).collect();
        fs::write(path, serde_json::to_string_pretty(&all)?).with_context(|| format!("cannot write {path:?}"))?;
    }
    stage.remove()?;
    ensure!(
        faults.is_empty(),
        "not everything could be measured:\n{}",
        faults.join("\n")
    );
    Ok(())
}

fn or_all<T: Copy>(chosen: Vec<T>, all: &[T]) -> Vec<T> {
    if chosen.is_empty() { all.to_vec() } else { chosen }
}
