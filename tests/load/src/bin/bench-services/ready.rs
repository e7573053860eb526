//! A service of 20 instances, from the request until all serve.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::alone;
use crate::stage::Stage;

/// How many.
const INSTANCES: u32 = 20;

/// The times of one round each.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Rounds {
    pub(crate) instances: u32,
    pub(crate) alone: Vec<Duration>,
    pub(crate) whole: Vec<Duration>,
}

pub(crate) fn measure(stage: &Stage, rounds: u32) -> Result<Rounds> {
    let mut all = Rounds {
        instances: INSTANCES,
        ..Rounds::default()
    };
    // The first round warms up.
    for round in 0..=rounds {
        let alone = alone::start(&stage.engine, usize::try_from(INSTANCES)?)?;
        let whole = stage.deploy(&stage.service("twenty", INSTANCES, "twenty"))?;
        let serving = stage.serving("twenty")?.len();
        ensure!(serving == usize::try_from(INSTANCES)?, "{serving} serve");
        stage.remove("twenty")?;
        if round > 0 {
            all.alone.push(alone);
            all.whole.push(whole);
        }
    }
    Ok(all)
}
