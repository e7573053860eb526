//! Services: how long they take against the bare engine, what a thousand of them cost, and what a roll costs its clients.
//!
//! ```text
//! bench-services ORCHESTRATOR BALANCER-IMAGE [--quick] [--engine docker|oci] [--parts NAME,…] [--json FILE]
//! ```
//!
//! - **ready**: a service of 20 instances, from the request that declares it until all serve. The engine alone: it creates
//!   and starts as many of the same containers at once, until each listens.
//! - **exec**: `orchestrator exec '*' --force -- true` in 100 instances, with the start of the program. The engine alone:
//!   the same command in the same containers by its own API, as many at once.
//! - **roll**: four instances behind a balancer are replaced one after the other while clients ask. Failed requests and
//!   closed WebSockets of another service are counted. A roll begins when the clients have made all requests that were due;
//!   those that they make while it lasts are its rate. The times of requests while nothing is rolled are the yardstick.
//! - **many**: a service with one instance, until its endpoint serves, before and after a thousand others are declared;
//!   and what declaring the first and the last of these takes.

mod alone;
mod exec;
mod many;
mod ready;
mod report;
mod roll;
mod stage;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use crate::report::Figures;
use crate::stage::Stage;

/// Measures services.
#[derive(Parser)]
struct Arguments {
    /// The daemon's binary, of a release build. The helper orchestrator-oci is beside it.
    orchestrator: PathBuf,
    /// An archive of the image orchestrator/balancer.
    balancer: PathBuf,
    /// Few and small rounds.
    #[arg(long)]
    quick: bool,
    /// What runs the containers: `docker` or `oci`.
    #[arg(long, default_value = "oci")]
    engine: String,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    parts: Vec<Part>,
    /// Where the figures are written as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Ready,
    Exec,
    Roll,
    Many,
}

/// How much is measured.
struct Extent {
    /// Rounds of `ready` and `exec`.
    rounds: u32,
    /// Instances of `exec`.
    instances: u32,
    /// Rolls.
    rolls: u32,
    /// Services of `many`.
    services: u32,
}

const FULL: Extent = Extent {
    rounds: 5,
    instances: 100,
    rolls: 20,
    services: 1000,
};

const QUICK: Extent = Extent {
    rounds: 2,
    instances: 20,
    rolls: 2,
    services: 100,
};

/// The hidden word that makes this program a web server: instances of the bench run it.
const SERVE: &str = "serve-line";

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() == Some(SERVE) {
        let line = words.next().unwrap_or_default();
        return Ok(orchestrator_lab::serve_line(stage::PORT, &line)?);
    }
    let arguments = Arguments::parse();
    let orchestrator = arguments.orchestrator.canonicalize().context("no daemon there")?;
    let extent = if arguments.quick { QUICK } else { FULL };
    let is_wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    let stage = Stage::start(&arguments.engine, &orchestrator, &arguments.balancer)?;
    let mut figures = Figures::default();
    if is_wanted(Part::Ready) {
        figures.ready = Some(ready::measure(&stage, extent.rounds).context("ready")?);
    }
    if is_wanted(Part::Exec) {
        figures.exec = Some(exec::measure(&stage, extent.instances, extent.rounds).context("exec")?);
    }
    if is_wanted(Part::Roll) {
        figures.roll = Some(roll::measure(&stage, extent.rolls).context("roll")?);
    }
    if is_wanted(Part::Many) {
        figures.many = Some(many::measure(&stage, extent.services).context("many")?);
    }
    report::print(&figures, &arguments.engine);
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&figures)?;
        fs::write(path, text).with_context(|| format!("cannot write {path:?}"))?;
    }
    Ok(())
}
