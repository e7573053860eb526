//! Open loop: the highest rate of new clients that a server stands. The searches of all servers go on in turns.

use anyhow::Result;
use orchestrator_load::{Clients, Load, Pace, Search, Work};

use super::{FIRST, LOSS, MIDDLE_RATE, START, tell};
use crate::figures::{Did, Figure, Figures};
use crate::measure::Extent;
use crate::server::{Kind, Ready};
use crate::stage::Stage;

/// The part of its rate in a closed loop with which a search begins.
const GUESS: f64 = 0.85;
/// Who loses less than this is given a second chance.
const NEAR: f64 = 0.1;
/// What is put off until nobody asks any more is not stood either: this part has to be done in time.
const IN_TIME: f64 = 0.95;

pub(super) fn measure(stage: &Stage, all: &mut [Figures], extent: &Extent) -> Result<()> {
    let guess = |figures: &Figures| match figures.get(Figure::Closed(Did::New)) {
        rate if rate.is_nan() => MIDDLE_RATE,
        rate => rate * GUESS,
    };
    let mut searches: Vec<Search> = all.iter().map(|figures| Search::new(guess(figures))).collect();
    let mut going = true;
    while going {
        going = false;
        for (figures, search) in all.iter().zip(&mut searches) {
            let Some(rate) = search.next() else { continue };
            going = true;
            search.tell(stands(stage, figures.kind, rate, extent)?);
        }
    }
    for (figures, search) in all.iter_mut().zip(&searches) {
        figures.add(Figure::Highest, search.found().unwrap_or_default());
    }
    Ok(())
}

fn stands(stage: &Stage, kind: Kind, rate: f64, extent: &Extent) -> Result<bool> {
    let attempt = || {
        // A fresh server for every probe: each rate begins with an empty database.
        let (_server, _) = Ready::new(stage, kind, 0)?.start(START)?;
        let load = Load::new(Work::New, Pace::Rate(rate), extent.probe);
        let outcome = stage.load(&mut Clients::new(FIRST, 0), &load)?;
        eprint!(" {}", kind.name());
        tell(&load, &outcome);
        let stood = outcome.loss() < LOSS && outcome.rate > IN_TIME * rate;
        anyhow::Ok((stood, outcome.loss()))
    };
    let (stood, loss) = attempt()?;
    Ok(stood || (loss < NEAR && attempt()?.0))
}
