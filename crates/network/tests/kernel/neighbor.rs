//! Neighbours on a bridge are heard, and asked by the kernel.

use std::net::Ipv6Addr;
use std::time::Duration;

use anyhow::{Context, Result};
use orchestrator_network::{Bridge, NeighborChange, Network, NetworkError};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::{Instance, bridge_plan, daemon, ip};

const HOST: Ipv6Addr = Ipv6Addr::new(0xfd39, 0x9706, 0x2786, 0x6333, 0, 0, 5, 1);
const ABSENT: Ipv6Addr = Ipv6Addr::new(0xfd39, 0x9706, 0x2786, 0x6333, 0, 0, 5, 2);
const MAC: [u8; 6] = [2, 0, 0, 0, 5, 1];

/// A bridge with the watch on it, and a host at one of its ports.
async fn start(network: &Network) -> Result<(Bridge, mpsc::Receiver<NeighborChange>, Instance)> {
    let bridge = network.ensure_bridge(&bridge_plan("br0")).await?;
    let (sender, mut heard) = mpsc::channel(16);
    let (watching, on) = (network.clone(), bridge.clone());
    tokio::spawn(async move { watching.watch_neighbors(&on, sender).await });
    until(&mut heard, |change| change == NeighborChange::Everything).await?;
    let host = Instance::start()?;
    let task = host
        .netns
        .iter()
        .nth(4)
        .context("a task")?
        .to_string_lossy()
        .into_owned();
    ip(&format!("link add port type veth peer name eth0 netns {task}"))?;
    ip("link set port master br0 up")?;
    host.ip("link set eth0 address 02:00:00:00:05:01 up")?;
    Ok((bridge, heard, host))
}

async fn until(
    heard: &mut mpsc::Receiver<NeighborChange>,
    wanted: impl Fn(NeighborChange) -> bool,
) -> Result<NeighborChange> {
    let find = async {
        loop {
            let change = heard.recv().await.context("the watch ended")?;
            if wanted(change) {
                return Ok(change);
            }
        }
    };
    timeout(Duration::from_secs(20), find)
        .await
        .context("nothing was heard")?
}

#[test]
fn a_host_that_only_takes_an_address_is_heard_and_answers() -> Result<()> {
    daemon(|network| async move {
        let (bridge, mut heard, host) = start(&network).await?;
        // Duplicate address detection is all that it sends.
        host.ip(&format!("address add {HOST}/64 dev eth0"))?;
        let hinted = NeighborChange::Hinted {
            address: HOST,
            mac: MAC,
        };
        until(&mut heard, |change| change == hinted).await?;
        let reachable = NeighborChange::Reachable {
            address: HOST,
            mac: MAC,
        };
        for _ in 0..2 {
            network.verify_neighbors(&bridge, &[ABSENT, HOST]).await?;
            let answered = until(&mut heard, |change| matches!(change, NeighborChange::Reachable { .. })).await?;
            assert_eq!(answered, reachable);
        }
        Ok(())
    })
}

#[test]
fn an_entry_that_an_administrator_made_is_left_alone() -> Result<()> {
    daemon(|network| async move {
        let (bridge, _heard, _host) = start(&network).await?;
        ip(&format!(
            "neigh add {HOST} lladdr 02:00:00:00:05:09 dev br0 nud permanent"
        ))?;
        network.verify_neighbors(&bridge, &[HOST]).await?;
        let table = ip("neigh show dev br0 nud permanent")?;
        let own = |entry: &&Value| entry["dst"] == HOST.to_string();
        let entry = table
            .as_array()
            .context("a list")?
            .iter()
            .find(own)
            .context("the entry")?;
        assert_eq!(entry["lladdr"], "02:00:00:00:05:09");
        Ok(())
    })
}

#[test]
fn the_watch_ends_with_its_listener() -> Result<()> {
    daemon(|network| async move {
        let bridge = network.ensure_bridge(&bridge_plan("br0")).await?;
        let (sender, mut heard) = mpsc::channel(16);
        let watching = network.clone();
        let watch = tokio::spawn(async move { watching.watch_neighbors(&bridge, sender).await });
        until(&mut heard, |change| change == NeighborChange::Everything).await?;
        drop(heard);
        let ended = timeout(Duration::from_secs(10), watch).await??;
        assert!(matches!(ended, NetworkError::Unwatched), "{ended}");
        Ok(())
    })
}
