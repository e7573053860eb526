//! Latency at a rate that every server stands, and what an exchange costs at a higher one.

use std::time::Duration;

use anyhow::Result;
use orchestrator_load::{Clients, Load, Pace, Work};

use super::{FIRST, LOW_RATE, MIDDLE_RATE, START, costly};
use crate::figures::{Figure, Figures, Statistic};
use crate::measure::Extent;
use crate::server::Ready;
use crate::stage::Stage;

/// What happens once, such as preparing statements, is not of every exchange: so long is not counted.
const WARM: Duration = Duration::from_millis(300);

pub(super) fn measure(stage: &Stage, figures: &mut Figures, extent: &Extent) -> Result<()> {
    let (server, _) = Ready::new(stage, figures.kind, 0)?.start(START)?;
    let mut clients = Clients::new(FIRST, 0);
    stage.load(&mut clients, &Load::new(Work::New, Pace::Rate(LOW_RATE), WARM))?;
    let low = Load::new(Work::New, Pace::Rate(LOW_RATE), extent.look);
    let (low, _) = costly(stage, &server, &mut clients, &low)?;
    for statistic in Statistic::ALL {
        figures.add(Figure::Advertise(statistic), statistic.of(&low.advertise));
        figures.add(Figure::Reply(statistic), statistic.of(&low.reply));
    }
    figures.add(Figure::Exchange, low.exchange.mean);
    let middle = Load::new(Work::New, Pace::Rate(MIDDLE_RATE), extent.look);
    let (_, cost) = costly(stage, &server, &mut clients, &middle)?;
    cost.add_to(figures, Figure::Calm);
    Ok(())
}
