//! One client's way to its instance.

use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use orchestrator_lab::TEST_PORT;
use orchestrator_load::exchange;
use serde_json::Value;

use crate::stage::{LIMIT, Stage};

/// The pause before the API is asked again. It is well before the instance answers that it is recorded, and each question
/// costs the daemon the time that it has for the instance: no client asks like that.
pub(crate) const ASK: Duration = Duration::from_millis(5);
/// The pause before the next connection, with the whole and with the engine alone.
pub(crate) const KNOCK: Duration = Duration::from_micros(200);

/// How long a new client waits for the first connection that its instance answers.
pub(crate) struct Waited {
    /// From its first Solicit.
    pub(crate) solicit: Duration,
    /// From the Reply with its lease.
    pub(crate) lease: Duration,
}

/// Has a new client come. Afterwards its instance is gone.
pub(crate) fn measure(stage: &Stage, client: u32) -> Result<Waited> {
    let solicited = Instant::now();
    let leased = stage
        .machine
        .within(|| exchange(client, stage.interface).map(|()| Instant::now()))?;
    let address = until("the instance to be recorded", ASK, || {
        stage.instances().first().and_then(address)
    })?;
    let instance = SocketAddr::from((address, TEST_PORT));
    stage.machine.within(|| {
        until("the instance to answer", KNOCK, || {
            TcpStream::connect_timeout(&instance, LIMIT).ok().map(drop)
        })
    })?;
    let waited = Waited {
        solicit: solicited.elapsed(),
        lease: leased.elapsed(),
    };
    remove_all(stage)?;
    until("the instance to go", ASK, || stage.instances().is_empty().then_some(()))?;
    Ok(waited)
}

pub(crate) fn address(instance: &Value) -> Option<Ipv6Addr> {
    instance["address"].as_str()?.parse().ok()
}

/// Has every instance removed, and its lease freed.
pub(crate) fn remove_all(stage: &Stage) -> Result<()> {
    for instance in stage.instances() {
        let id = instance["id"].as_str().context("an instance without an id")?;
        stage
            .daemon
            .ask("DELETE", &format!("/v1/instances/{id}?release=true"))?;
    }
    Ok(())
}

/// Looks again and again, with this pause before each time.
pub(crate) fn until<T>(what: &str, pause: Duration, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        thread::sleep(pause);
        if let Some(seen) = look() {
            return Ok(seen);
        }
    }
    bail!("waited in vain for {what}")
}
