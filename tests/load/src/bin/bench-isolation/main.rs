//! What isolation costs: the same traffic with the rules and without them, and the rules of many clients.
//!
//! ```text
//! bench-isolation ORCHESTRATOR [--quick] [--json FILE]
//! ```
//!
//! - **Traffic**: two hosts, each with a daemon, one client and its instance in a container. One host has the rules, the
//!   other has none. One TCP connection carries as much as it can, each way; one carries a small message to and fro; many
//!   are opened. Once as bridges are by default in a new network, with `bridge-nf-call-ip6tables` 0, and once with 1.
//! - **Front door**: on a third host, which has rules and a front door: to the instance's own address, and through the
//!   front door. The first is beside the host without rules, too.
//! - **One more client**: a client with an address, a link-local address and an instance is added to the kernel's sets
//!   when 10, 1,000 and 10,000 such clients are there.
//! - **Rebuild**: all rules and elements of 10,000 clients, into a kernel that has none of them, and into one that has
//!   them already.
//!
//! What is compared is measured by turns in each round, so that what else happens on the machine happens to both. The
//! rounds are short, as the speed of a machine may change within seconds. Medians of the rounds are printed; a ratio is the
//! median of the ratios of all rounds.

mod figures;
mod kernel;
mod policy;
mod report;
mod stage;
mod traffic;
mod within;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use orchestrator_lab::Lab;

use crate::figures::{Figure, Figures, Way};
use crate::stage::{Rules, Site};

/// Measures what the rules of isolation cost.
#[derive(Parser)]
struct Arguments {
    /// The daemon's binary, of a release build.
    orchestrator: PathBuf,
    /// Few and short rounds, and at most 1,000 clients.
    #[arg(long)]
    quick: bool,
    /// Where the figures of each round are written as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// How much is measured.
pub(crate) struct Extent {
    pub(crate) rounds: usize,
    /// How long a stream flows.
    pub(crate) stream: Duration,
    /// Messages to and fro in a round.
    pub(crate) round_trips: usize,
    /// Connections that are opened in a round.
    pub(crate) connections: usize,
    /// How many clients there are already.
    pub(crate) clients: &'static [u32],
    /// Clients that are added one by one.
    pub(crate) added: u32,
}

const FULL: Extent = Extent {
    rounds: 21,
    stream: Duration::from_millis(500),
    round_trips: 6_000,
    connections: 300,
    clients: &[10, 1_000, 10_000],
    added: 500,
};

const QUICK: Extent = Extent {
    rounds: 3,
    stream: Duration::from_millis(500),
    round_trips: 2_000,
    connections: 200,
    clients: &[10, 1_000],
    added: 100,
};

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let orchestrator = arguments.orchestrator.canonicalize().context("no daemon there")?;
    let extent = if arguments.quick { QUICK } else { FULL };
    let mut figures = Figures::default();
    let lab = Lab::new()?;
    traffic(&lab, &orchestrator, &extent, &mut figures)?;
    kernel::measure(&lab, &extent, &mut figures)?;
    report::print(&figures, &extent);
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&figures.json())?;
        fs::write(path, text).with_context(|| format!("cannot write {path:?}"))?;
    }
    Ok(())
}

fn traffic(lab: &Lab, orchestrator: &std::path::Path, extent: &Extent, figures: &mut Figures) -> Result<()> {
    let engine = stage::engine(lab)?;
    let without = Site::start(&engine, orchestrator, Rules::Without)?;
    let with = Site::start(&engine, orchestrator, Rules::With)?;
    let door = Site::start(&engine, orchestrator, Rules::Door)?;
    for calls in [false, true] {
        for site in [&without, &with] {
            site.let_bridges_call(calls)?;
        }
        // The first round warms up.
        for round in 0..=extent.rounds {
            for (rules, site) in in_turn(round, [(Rules::Without, &without), (Rules::With, &with)]) {
                let way = Way::Direct { rules, calls };
                let measured = traffic::measure(&site.ends(site.instance), extent)?;
                if round > 0 {
                    measured
                        .into_iter()
                        .for_each(|(what, value)| figures.add(Figure::Traffic(way, what), value));
                }
            }
        }
    }
    without.let_bridges_call(false)?;
    for round in 0..=extent.rounds {
        let ways = [
            (Way::NoRules, &without, without.instance),
            (Way::OwnAddress, &door, door.instance),
            (Way::FrontDoor, &door, stage::FRONT_DOOR),
        ];
        for (way, site, address) in in_turn(round, ways) {
            let measured = traffic::measure(&site.ends(address), extent)?;
            if round > 0 {
                measured
                    .into_iter()
                    .for_each(|(what, value)| figures.add(Figure::Traffic(way, what), value));
            }
        }
    }
    Ok(())
}

/// Things in this order, or in the other one in every second round: none always has what another leaves.
fn in_turn<T, const N: usize>(round: usize, mut things: [T; N]) -> [T; N] {
    if round % 2 == 1 {
        things.reverse();
    }
    things
}
