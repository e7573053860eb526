//! An interface that is lent addresses: lifetimes, duplicate address detection, and what is told of it.

use std::net::Ipv6Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use orchestrator_network::{AddressState, Network, NetworkError};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::{Instance, daemon, ip};

const ADDRESS: Ipv6Addr = Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 0, 7);

/// A cable from eth0 here to a port there, both up; its index here.
async fn cable(network: &Network, other: &Instance) -> Result<u32> {
    let task = other
        .netns
        .iter()
        .nth(4)
        .context("a task")?
        .to_string_lossy()
        .into_owned();
    ip(&format!("link add eth0 type veth peer name port netns {task}"))?;
    ip("link set eth0 address 02:00:00:00:06:01")?;
    let down = network.find_interface("eth0").await?.context("eth0")?;
    ensure!(!down.running && down.mac == Some([2, 0, 0, 0, 6, 1]));
    ip("link set eth0 up")?;
    other.ip("link set port up")?;
    Ok(down.index)
}

/// Waits until something holds that is looked at whenever there may be news.
async fn until<F: Future<Output = Result<bool>>>(network: &Network, holds: impl Fn() -> F) -> Result<()> {
    let (sender, mut changed) = mpsc::channel(1);
    let watching = network.clone();
    let watch = tokio::spawn(async move { watching.watch_interfaces(sender).await });
    let wait = async {
        while changed.recv().await.is_some() {
            if holds().await? {
                return Ok(());
            }
        }
        anyhow::bail!("the watch ended")
    };
    timeout(Duration::from_secs(20), wait)
        .await
        .context("it never held")??;
    drop(changed);
    ensure!(matches!(watch.await?, NetworkError::Unwatched));
    Ok(())
}

async fn is(network: &Network, index: u32, state: AddressState) -> Result<()> {
    until(network, || async move {
        Ok(network.address_state(index, ADDRESS).await? == state)
    })
    .await
}

/// Preferred and valid lifetime and prefix length, as iproute2 tells.
fn shown() -> Result<(u64, u64, u64)> {
    let shown = ip("-6 address show dev eth0 scope global")?;
    let address = &shown[0]["addr_info"][0];
    let number = |key: &str| address[key].as_u64().with_context(|| format!("{key} in {address}"));
    Ok((
        number("preferred_life_time")?,
        number("valid_life_time")?,
        number("prefixlen")?,
    ))
}

#[test]
fn an_address_is_lent_and_taken_back() -> Result<()> {
    daemon(|network| async move {
        let other = Instance::start()?;
        let index = cable(&network, &other).await?;
        let [short, long] = [Duration::from_secs(3600), Duration::from_secs(7200)];
        ensure!(network.address_state(index, ADDRESS).await? == AddressState::Absent);
        network.lend_address(index, ADDRESS, short, long).await?;
        is(&network, index, AddressState::Ready).await?;
        let (preferred, valid, bits) = shown()?;
        ensure!((3500..=3600).contains(&preferred) && (7100..=7200).contains(&valid) && bits == 128);
        network
            .lend_address(index, ADDRESS, Duration::MAX, Duration::MAX)
            .await?;
        ensure!(shown()?.1 == u64::from(u32::MAX));
        ensure!(network.address_state(index, ADDRESS).await? == AddressState::Ready);
        network.remove_address(index, ADDRESS).await?;
        network.remove_address(index, ADDRESS).await?;
        ensure!(network.address_state(index, ADDRESS).await? == AddressState::Absent);
        Ok(())
    })
}

#[test]
fn it_ends_by_itself() -> Result<()> {
    daemon(|network| async move {
        let other = Instance::start()?;
        let index = cable(&network, &other).await?;
        let soon = Duration::from_millis(1500);
        network.lend_address(index, ADDRESS, soon, soon).await?;
        is(&network, index, AddressState::Absent).await
    })
}

#[test]
fn an_address_that_someone_else_has_is_found_out() -> Result<()> {
    daemon(|network| async move {
        let other = Instance::start()?;
        let index = cable(&network, &other).await?;
        other.ip(&format!("address add {ADDRESS}/64 dev port nodad"))?;
        let hour = Duration::from_secs(3600);
        network.lend_address(index, ADDRESS, hour, hour).await?;
        until(&network, || async {
            let state = network.address_state(index, ADDRESS).await?;
            ensure!(state != AddressState::Ready, "it is used twice");
            Ok(matches!(state, AddressState::Duplicate | AddressState::Absent))
        })
        .await
    })
}

#[test]
fn its_carrier_and_its_own_address_are_told() -> Result<()> {
    daemon(|network| async move {
        ensure!(network.find_interface("eth0").await?.is_none());
        let other = Instance::start()?;
        let index = cable(&network, &other).await?;
        until(&network, || async { Ok(network.link_local(index).await?.is_some()) }).await?;
        let shown: Value = ip("-6 address show dev eth0 scope link")?;
        let own = network.link_local(index).await?.context("an address")?;
        ensure!(shown[0]["addr_info"][0]["local"] == own.to_string());
        ensure!(network.find_interface("eth0").await?.is_some_and(|eth0| eth0.running));
        other.ip("link set port down")?;
        until(&network, || async {
            Ok(network.find_interface("eth0").await?.is_some_and(|eth0| !eth0.running))
        })
        .await
    })
}
