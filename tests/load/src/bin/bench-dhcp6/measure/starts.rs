//! Starts with full databases: how long to the first answer, how much memory, and how fast from there on.

use std::time::Duration;

use anyhow::{Result, ensure};
use orchestrator_lab::tail;
use orchestrator_load::{Clients, Load, Pace, Work};

use super::{START, closed};
use crate::figures::{Did, Figure, Figures};
use crate::measure::Extent;
use crate::preload;
use crate::server::{Ready, Running};
use crate::stage::Stage;

/// How long a server may take with a full database; one that takes longer is told to never answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Clients of a database that are asked whether the server knows them.
const KNOWN: u64 = 200;

pub(super) fn measure(stage: &Stage, figures: &mut Figures, extent: &Extent) -> Result<()> {
    let kind = figures.kind;
    if !kind.has_bindings() {
        return Ok(());
    }
    let (empty, _) = Ready::new(stage, kind, 0)?.start(START)?;
    let without = empty.memory()?;
    drop(empty);
    for &bindings in extent.bindings {
        let (server, took) = match Ready::new(stage, kind, bindings)?.start(PATIENCE) {
            Ok(started) => started,
            Err(fault) => {
                eprintln!("  {bindings} bindings: {fault}");
                figures.add(Figure::Start(bindings), f64::INFINITY);
                // More of them would not make it faster.
                break;
            }
        };
        let memory = server.memory()?.saturating_sub(without);
        eprintln!("  {bindings} bindings: {:.2} s to the first answer", took.as_secs_f64());
        figures.add(Figure::Start(bindings), took.as_secs_f64());
        figures.add(Figure::MemoryAt(bindings), memory as f64 / f64::from(bindings));
        let mut clients = Clients::holding(1, bindings, &server.server, preload::address);
        check_known(stage, &server, &mut clients)?;
        for did in [Did::Renew, Did::New] {
            let (outcome, _) = closed(stage, &server, &mut clients, did, extent)?;
            figures.add(Figure::Loaded(did, bindings), outcome.rate);
        }
    }
    Ok(())
}

/// It answers, but does it know them?
fn check_known(stage: &Stage, server: &Running<'_>, clients: &mut Clients) -> Result<()> {
    let load = Load {
        most: KNOWN,
        ..Load::new(Work::Renew, Pace::Window(8), Duration::from_secs(10))
    };
    let outcome = stage.load(clients, &load)?;
    ensure!(
        outcome.completed == KNOWN,
        "it knows {} of {KNOWN} clients; wrong answers: {}; {}",
        outcome.completed,
        outcome.faults,
        tail(&server.log(), 1)
    );
    Ok(())
}
