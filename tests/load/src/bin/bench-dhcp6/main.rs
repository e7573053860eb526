//! This DHCPv6 server and those that people run today, in one run on one machine, with the same pool and pattern.
//!
//! ```text
//! bench-dhcp6 ORCHESTRATOR [--long] [--only NAME,…] [--json FILE]
//! ```
//!
//! - Every server gets the same link (a bridge and one cable), the same pool, errors-only logs, and a fresh lease
//!   database on the same disk for each measurement. PostgreSQL is one cluster for all, with fsync and synchronous
//!   commit on. Nothing is pinned to a processor; generator and server share what there is.
//! - All clients send from one link-local address, so that this server's limit per client is lifted.
//! - With `--long` everything is measured three times, in turns, and medians are told.

mod measure;
mod perfdhcp;
mod preload;
mod report;
mod server;
mod stage;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;

use crate::measure::{Extent, Figures, Part, measure};
use crate::server::Kind;
use crate::stage::Stage;

/// Measures this DHCPv6 server against Kea, dnsmasq and a server that does nothing.
#[derive(Parser)]
struct Arguments {
    /// The daemon's binary, of a release build.
    orchestrator: PathBuf,
    /// Three times everything, longer probes, and a million bindings for every server.
    #[arg(long)]
    long: bool,
    /// Only these servers.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    parts: Vec<Part>,
    /// Where the figures are written as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let orchestrator = arguments.orchestrator.canonicalize().context("no daemon there")?;
    let kinds = if arguments.only.is_empty() {
        &Kind::ALL[..]
    } else {
        &arguments.only
    };
    let parts = if arguments.parts.is_empty() {
        &Part::ALL[..]
    } else {
        &arguments.parts
    };
    let extent = if arguments.long { Extent::LONG } else { Extent::SHORT };
    let began = Instant::now();
    let stage = Stage::build(orchestrator)?;
    let mut rounds: Vec<Vec<Figures>> = Vec::new();
    for round in 1..=extent.rounds {
        let mut figures = Vec::new();
        for kind in kinds {
            eprintln!("round {round} of {}, {}:", extent.rounds, kind.name());
            figures.push(measure(&stage, *kind, parts, &extent)?);
        }
        rounds.push(figures);
    }
    let medians = measure::medians(&rounds);
    report::print(&medians, &extent, began.elapsed());
    if let Some(path) = &arguments.json {
        let all = serde_json::json!({ "medians": medians, "rounds": rounds });
        fs::write(path, serde_json::to_string_pretty(&all)?).with_context(|| format!("cannot write {path:?}"))?;
    }
    stage.remove()
}
