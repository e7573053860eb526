//! A bridge that somebody changes is found so, and mended.

use std::net::{Ipv6Addr, UdpSocket};

use anyhow::{Context, Result};
use orchestrator_network::{
    BridgeFlaw, BridgeHazard, BridgeIdentity, BridgePlan, Network, NetworkError, ObservedBridge,
};

use crate::support::{Instance, attachment_plan, bridge_plan, daemon, ip, link};

/// A bridge of ours with a carrier, and what hosts know it by.
async fn start(network: &Network) -> Result<BridgeIdentity> {
    network.ensure_bridge(&bridge_plan("br0")).await?;
    ip("link add port type veth peer name port-peer")?;
    ip("link set port master br0 up")?;
    ip("link set port-peer up")?;
    let observed = observe(network, &bridge_plan("br0"), &BridgeIdentity::default()).await?;
    assert_eq!(observed.flaws, []);
    observed.identity.link_local.context("a link-local address")?;
    Ok(observed.identity)
}

async fn observe(network: &Network, plan: &BridgePlan, known: &BridgeIdentity) -> Result<ObservedBridge> {
    network.observe_bridge(plan, known, &[]).await?.context("the bridge")
}

/// Changes the bridge by this `ip` command; finds what is wrong, mends it, and finds nothing wrong.
async fn found_after(network: &Network, known: &BridgeIdentity, change: &str) -> Result<Vec<BridgeFlaw>> {
    let plan = bridge_plan("br0");
    ip(change)?;
    let observed = observe(network, &plan, known).await?;
    network.repair_bridge(&plan, known, &observed).await?;
    let after = observe(network, &plan, known).await?;
    assert_eq!((after.flaws, &after.identity), (vec![], known), "after {change}");
    Ok(observed.flaws)
}

#[test]
fn what_is_taken_from_a_bridge_is_found_and_given_back() -> Result<()> {
    daemon(|network| async move {
        let known = start(&network).await?;
        let address = bridge_plan("br0").address.context("an address")?;
        let before = known.mac.context("a link-layer address")?;
        let gone = || vec![BridgeFlaw::NoAddress(address), BridgeFlaw::NoLinkLocal];
        for (change, flaws) in [
            (
                "-6 addr del fd39:9706:2786:6333::1/64 dev br0",
                vec![BridgeFlaw::NoAddress(address)],
            ),
            ("-6 addr flush dev br0", gone()),
            (
                "link set br0 address 02:00:00:00:77:77",
                vec![BridgeFlaw::OtherLinkLayer { before }],
            ),
            (
                "link set br0 type bridge stp_state 1 forward_delay 400",
                vec![BridgeFlaw::Option("stp_state"), BridgeFlaw::Option("forward_delay")],
            ),
            (
                "link set br0 type bridge mcast_snooping 1",
                vec![BridgeFlaw::Option("mcast_snooping")],
            ),
        ] {
            assert_eq!(found_after(&network, &known, change).await?, flaws, "after {change}");
        }
        Ok(())
    })
}

#[test]
fn a_bridge_that_went_down_and_up_gets_its_addresses_back() -> Result<()> {
    daemon(|network| async move {
        let known = start(&network).await?;
        let address = bridge_plan("br0").address.context("an address")?;
        // The kernel makes the link-local address again by itself, and not the others.
        ip("link set br0 down")?;
        let flaws = found_after(&network, &known, "link set br0 up").await?;
        assert_eq!(flaws, [BridgeFlaw::NoAddress(address)]);
        let flaws = found_after(&network, &known, "link set br0 down").await?;
        assert_eq!(flaws, [BridgeFlaw::Down, BridgeFlaw::NoAddress(address)]);
        Ok(())
    })
}

#[test]
fn settings_that_were_changed_are_found_and_set_back() -> Result<()> {
    daemon(|network| async move {
        let known = start(&network).await?;
        for (key, value) in [("accept_ra", "2"), ("accept_dad", "1")] {
            std::fs::write(format!("/proc/sys/net/ipv6/conf/br0/{key}"), value)?;
            let flaws = found_after(&network, &known, "link show").await?;
            assert_eq!(flaws, [BridgeFlaw::Setting(key)]);
        }
        std::fs::write("/proc/sys/net/ipv6/conf/br0/disable_ipv6", "1")?;
        let flaws = found_after(&network, &known, "link show").await?;
        assert_eq!(flaws[0], BridgeFlaw::Setting("disable_ipv6"));
        Ok(())
    })
}

#[test]
fn of_somebody_elses_bridge_only_the_address_is_given_back() -> Result<()> {
    daemon(|network| async move {
        ip("link add br0 type bridge stp_state 1 forward_delay 400")?;
        let plan = BridgePlan {
            create: false,
            ..bridge_plan("br0")
        };
        network.ensure_bridge(&plan).await?;
        ip("link add port address 02:00:00:00:00:07 type veth peer name port-peer")?;
        ip("link set port master br0 up")?;
        ip("link set port-peer up")?;
        let first = observe(&network, &plan, &BridgeIdentity::default()).await?;
        assert_eq!(
            (first.flaws, &first.hazards[..]),
            (vec![], &[BridgeHazard::PortsWait(400)][..])
        );
        ip("link set br0 address 02:00:00:00:77:77")?;
        ip("-6 addr flush dev br0")?;
        let observed = observe(&network, &plan, &first.identity).await?;
        network.repair_bridge(&plan, &first.identity, &observed).await?;
        let after = observe(&network, &plan, &first.identity).await?;
        assert_eq!(after.flaws, []);
        assert_eq!(after.identity.mac, Some([2, 0, 0, 0, 0x77, 0x77]), "not ours to change");
        assert_eq!(
            after.identity.link_local, first.identity.link_local,
            "the router that hosts know"
        );
        assert_eq!(link("br0")?["linkinfo"]["info_data"]["stp_state"], 1);
        Ok(())
    })
}

#[test]
fn an_mtu_without_ipv6_is_named_and_costs_sockets_their_groups() -> Result<()> {
    daemon(|network| async move {
        let known = start(&network).await?;
        let (plan, group) = (bridge_plan("br0"), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2));
        let index = network.find_bridge("br0").await?.context("the bridge")?.index;
        let socket = UdpSocket::bind("[::]:0")?;
        socket.join_multicast_v6(&group, index)?;
        let flaws = async || -> Result<Vec<BridgeFlaw>> {
            let observed = network.observe_bridge(&plan, &known, &[group]).await?;
            Ok(observed.context("the bridge")?.flaws)
        };
        assert_eq!(flaws().await?, []);
        ip("link set br0 mtu 1000")?;
        for refused in [
            network.observe_bridge(&plan, &known, &[group]).await.map(drop),
            network.ensure_bridge(&plan).await.map(drop),
            network
                .ensure_attachment(&attachment_plan(1), &Instance::start()?.netns)
                .await,
        ] {
            assert!(
                matches!(refused, Err(NetworkError::MtuTooSmall { mtu: 1000, .. })),
                "{refused:?}"
            );
        }
        ip("link set br0 mtu 1500")?;
        let observed = network
            .observe_bridge(&plan, &known, &[group])
            .await?
            .context("the bridge")?;
        network.repair_bridge(&plan, &known, &observed).await?;
        assert_eq!(flaws().await?, [BridgeFlaw::NotMember(group)]);
        socket.leave_multicast_v6(&group, index)?;
        socket.join_multicast_v6(&group, index)?;
        assert_eq!(flaws().await?, []);
        Ok(())
    })
}

#[test]
fn a_bridge_that_was_renamed_is_not_made_again_beside_itself() -> Result<()> {
    daemon(|network| async move {
        start(&network).await?;
        ip("link set br0 name br9")?;
        let refused = network.ensure_bridge(&bridge_plan("br0")).await;
        // The mark of the tests names the bridge; the daemon's is the same for all links of a site.
        assert!(
            matches!(&refused, Err(NetworkError::BridgeRenamed { now, .. }) if now == "br9"),
            "{refused:?}"
        );
        ip("link set br9 name br0")?;
        assert!(network.ensure_bridge(&bridge_plan("br0")).await?.ours);
        Ok(())
    })
}

#[test]
fn the_address_on_another_interface_is_a_hazard() -> Result<()> {
    daemon(|network| async move {
        let known = start(&network).await?;
        ip("addr add fd39:9706:2786:6333::1/64 dev port-peer nodad")?;
        let observed = observe(&network, &bridge_plan("br0"), &known).await?;
        let elsewhere = BridgeHazard::AddressElsewhere {
            address: "fd39:9706:2786:6333::1".parse()?,
            interface: "port-peer".into(),
        };
        assert_eq!((observed.flaws, observed.hazards), (vec![], vec![elsewhere]));
        Ok(())
    })
}
