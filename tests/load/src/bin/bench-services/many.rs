//! What a service costs when there are a thousand others.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::stage::Stage;

/// How often each is measured.
const ROUNDS: u32 = 5;

#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Many {
    pub(crate) services: u32,
    /// Until a service of one instance serves: alone, and beside all others.
    pub(crate) first: Vec<Duration>,
    pub(crate) last: Vec<Duration>,
    /// Declaring a service without instances, of the first ten and the last ten.
    pub(crate) first_declared: Vec<Duration>,
    pub(crate) last_declared: Vec<Duration>,
}

pub(crate) fn measure(stage: &Stage, services: u32) -> Result<Many> {
    let mut all = Many {
        services,
        first: serve(stage)?,
        ..Many::default()
    };
    let mut declared = Vec::new();
    for number in 1..=services {
        let service = stage.service(&format!("other{number}"), 0, "other");
        let begun = Instant::now();
        let (status, answer) = stage
            .daemon
            .send("PUT", &format!("/v1/services/other{number}"), &service)?;
        ensure!(status < 300, "service {number}: {answer}");
        declared.push(begun.elapsed());
    }
    all.first_declared = declared.iter().take(10).copied().collect();
    all.last_declared = declared.iter().rev().take(10).copied().collect();
    all.last = serve(stage)?;
    Ok(all)
}

/// Times until a service of one instance serves.
fn serve(stage: &Stage) -> Result<Vec<Duration>> {
    let times = (0..=ROUNDS).map(|_| {
        let took = stage.deploy(&stage.service("one", 1, "one"))?;
        stage.remove("one")?;
        Ok(took)
    });
    // The first round warms up.
    Ok(times.collect::<Result<Vec<_>>>()?.split_off(1))
}
