//! Honest clients: each gets a lease, and its instance.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use orchestrator_load::exchange;

use crate::stage::{HONEST, LIMIT, Stage};

/// How the DUIDs of honest clients begin: their link-layer addresses do so.
pub(crate) const DUIDS: &str = "00:03:00:01:02:5e";

/// How long honest clients waited that arrived at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Waited {
    /// Until the last of them had its instance.
    pub(crate) ready: Duration,
    /// Until the last of them had its lease.
    pub(crate) leased: Duration,
}

/// All honest clients arrive at once. Afterwards all their instances are gone.
pub(crate) fn arrive(stage: &Stage) -> Result<Waited> {
    let began = Instant::now();
    thread::scope(|scope| {
        let clients = (1..=HONEST).zip(&stage.honest);
        let exchange = |(number, machine): (u32, &crate::stage::Machine)| {
            machine.namespace.within(|| exchange(number, machine.interface))
        };
        let all: Vec<_> = clients.map(|client| scope.spawn(move || exchange(client))).collect();
        let joined = all
            .into_iter()
            .map(|one| one.join().map_err(|_| anyhow::anyhow!("a client panicked"))?);
        joined.collect::<Result<Vec<()>>>()
    })?;
    let leased = began.elapsed();
    let ready = || -> Result<bool> {
        let own = stage.instances(DUIDS)?;
        let ready = own.iter().filter(|instance| instance["phase"] == "ready").count();
        Ok(ready == HONEST as usize)
    };
    wait("all honest clients to have their instances", ready)?;
    let waited = Waited {
        ready: began.elapsed(),
        leased,
    };
    for instance in stage.instances(DUIDS)? {
        let id = instance["id"].as_str().context("an instance without an id")?;
        stage
            .daemon
            .ask("DELETE", &format!("/v1/instances/{id}?release=true"))?;
    }
    wait("the instances of honest clients to go", || {
        Ok(stage.instances(DUIDS)?.is_empty())
    })?;
    Ok(waited)
}

/// Looks every ten milliseconds.
fn wait(what: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !is_so()? {
        if began.elapsed() > LIMIT {
            bail!("waited in vain for {what}");
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
