//! A command in many instances at once.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::alone::{self, Made};
use crate::ready::Rounds;
use crate::stage::Stage;

/// Commands at once, which is what the verb does.
const AT_ONCE: usize = 32;

pub(crate) fn measure(stage: &Stage, instances: u32, rounds: u32) -> Result<Rounds> {
    stage.deploy(&stage.service("crowd", instances, "crowd"))?;
    let made = made(stage)?;
    ensure!(made.len() == usize::try_from(instances)?, "{} instances", made.len());
    let mut all = Rounds {
        instances,
        ..Rounds::default()
    };
    for round in 0..=rounds {
        let alone = alone::exec(&stage.engine, &made, AT_ONCE)?;
        let begun = Instant::now();
        let ran = stage.daemon.cli(&["exec", "*", "--force", "--", "true"])?;
        let whole = begun.elapsed();
        ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        if round > 0 {
            all.alone.push(alone);
            all.whole.push(whole);
        }
    }
    stage.remove("crowd")?;
    Ok(all)
}

/// The containers that the daemon has made.
fn made(stage: &Stage) -> Result<Vec<Made>> {
    let identity = fs::read_to_string(stage.daemon.place().join("orchestrator.identity"))?;
    let site = identity.lines().find_map(|line| line.strip_prefix("site = "));
    let site = site.context("the daemon has not written its site down")?;
    let instances = stage.daemon.items("/v1/instances?limit=1000")?;
    let of = |instance: &serde_json::Value| {
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        Some(Made {
            instance: text(&instance["id"])?,
            reference: text(&instance["reference"])?,
            site: site.to_owned(),
        })
    };
    Ok(instances.iter().filter_map(of).collect())
}
