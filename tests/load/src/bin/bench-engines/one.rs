//! One client's way to its instance.

use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use orchestrator_lab::TEST_PORT;
use orchestrator_load::exchange;

use crate::stage::{LIMIT, Stage};

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
    let recorded = stage.next("instance-wanted")?;
    let text = |field: &str| {
        recorded[field]
            .as_str()
            .with_context(|| format!("no {field}: {recorded}"))
    };
    let instance = SocketAddr::from((text("address")?.parse::<Ipv6Addr>()?, TEST_PORT));
    stage.machine.within(|| knock(instance))?;
    let waited = Waited {
        solicit: solicited.elapsed(),
        lease: leased.elapsed(),
    };
    remove(stage, text("instance")?)?;
    stage.next("instance-removed")?;
    Ok(waited)
}

/// Tries again and again, until the instance answers.
fn knock(instance: SocketAddr) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        if TcpStream::connect_timeout(&instance, LIMIT).is_ok() {
            return Ok(());
        }
        thread::sleep(KNOCK);
    }
    bail!("{instance} does not answer")
}

/// Has an instance removed, and its lease freed.
pub(crate) fn remove(stage: &Stage, instance: &str) -> Result<()> {
    stage
        .daemon
        .ask("DELETE", &format!("/v1/instances/{instance}?release=true"))
        .map(drop)
}
