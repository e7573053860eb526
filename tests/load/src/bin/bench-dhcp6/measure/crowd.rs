//! Closed loop: a crowd that waits for its answers, and asks again at once.

use anyhow::Result;
use orchestrator_load::Clients;

use super::{FIRST, START, closed};
use crate::figures::{Did, Figure, Figures};
use crate::measure::Extent;
use crate::server::Ready;
use crate::stage::Stage;

pub(super) fn measure(stage: &Stage, figures: &mut Figures, extent: &Extent) -> Result<()> {
    let (server, _) = Ready::new(stage, figures.kind, 0)?.start(START)?;
    let mut clients = Clients::new(FIRST, 0);
    let before = server.memory()?;
    for did in Did::ALL {
        let (outcome, cost) = closed(stage, &server, &mut clients, did, extent)?;
        figures.add(Figure::Closed(did), outcome.rate);
        if did == Did::New {
            cost.add_to(figures, Figure::Full);
            let grown = server.memory()?.saturating_sub(before);
            figures.add(Figure::Memory, grown as f64 / outcome.completed.max(1) as f64);
        }
    }
    Ok(())
}
