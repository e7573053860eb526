//! Addresses at which this machine serves something on a bridge.

use std::net::Ipv6Addr;

use anyhow::{Context, Result};
use orchestrator_network::{BridgeFlaw, BridgeIdentity, BridgePlan};

use crate::support::{bridge_plan, daemon, ip};

/// The addresses of `br0` that are not link-local, each with its prefix length.
fn addresses() -> Result<Vec<String>> {
    let found = ip("-6 addr show dev br0 scope global")?;
    let found = found[0]["addr_info"].as_array().context("addresses")?.iter();
    let mut found: Vec<String> = found
        .filter_map(|one| Some(format!("{}/{}", one["local"].as_str()?, one["prefixlen"])))
        .collect();
    found.sort();
    Ok(found)
}

fn plan(services: &[&str]) -> Result<BridgePlan> {
    let services: Result<Vec<Ipv6Addr>, _> = services.iter().map(|address| address.parse()).collect();
    Ok(BridgePlan {
        services: services?,
        ..bridge_plan("br0")
    })
}

const OWN: &str = "fd39:9706:2786:6333::1/64";

#[test]
fn they_come_and_go_with_the_plan_and_others_stay() -> Result<()> {
    daemon(|network| async move {
        network
            .ensure_bridge(&plan(&["fd00::1", "fd39:9706:2786:6333::d0"])?)
            .await?;
        ip("addr add fd77::1/128 dev br0 nodad")?;
        assert_eq!(
            addresses()?,
            ["fd00::1/128", OWN, "fd39:9706:2786:6333::d0/128", "fd77::1/128"]
        );
        network.ensure_bridge(&plan(&["fd00::1"])?).await?;
        assert_eq!(addresses()?, ["fd00::1/128", OWN, "fd77::1/128"]);
        Ok(())
    })
}

#[test]
fn one_that_was_removed_is_found_and_given_back() -> Result<()> {
    daemon(|network| async move {
        let plan = plan(&["fd00::1"])?;
        let known = BridgeIdentity::default();
        network.ensure_bridge(&plan).await?;
        let observed = network
            .observe_bridge(&plan, &known, &[])
            .await?
            .context("the bridge")?;
        assert_eq!(observed.flaws, []);
        ip("addr del fd00::1/128 dev br0")?;
        let observed = network
            .observe_bridge(&plan, &known, &[])
            .await?
            .context("the bridge")?;
        assert_eq!(observed.flaws, [BridgeFlaw::NoAddress("fd00::1/128".parse()?)]);
        network.repair_bridge(&plan, &known, &observed).await?;
        assert_eq!(addresses()?, ["fd00::1/128", OWN]);
        Ok(())
    })
}

#[test]
fn one_of_a_former_plan_is_found_and_removed() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&plan(&["fd00::1"])?).await?;
        let (later, known) = (plan(&[])?, BridgeIdentity::default());
        let observed = network
            .observe_bridge(&later, &known, &[])
            .await?
            .context("the bridge")?;
        assert_eq!(observed.flaws, [BridgeFlaw::StrayAddress("fd00::1".parse()?)]);
        network.repair_bridge(&later, &known, &observed).await?;
        assert_eq!(addresses()?, [OWN]);
        Ok(())
    })
}
