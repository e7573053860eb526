//! Bridges: made, adopted, missing, or something else.

use anyhow::{Context, Result};
use orchestrator_network::{BridgePlan, NetworkError};

use crate::support::{bridge_plan, daemon, ip, link};

#[test]
fn made_as_planned() -> Result<()> {
    daemon(|network| async move {
        let bridge = network.ensure_bridge(&bridge_plan("br0")).await?;
        assert!(bridge.ours && bridge.up);

        let found = link("br0")?;
        assert_eq!(found["ifindex"], bridge.index);
        assert_eq!(found["ifalias"], "orchestrator-test:br0");
        assert!(found["flags"].as_array().context("flags")?.contains(&"UP".into()));
        let settings = &found["linkinfo"]["info_data"];
        assert_eq!(settings["forward_delay"], 0);
        assert_eq!(settings["stp_state"], 0);
        assert_eq!(settings["mcast_snooping"], 0);

        let address = &ip("-6 addr show dev br0 scope global")?[0]["addr_info"][0];
        assert_eq!(address["local"], "fd39:9706:2786:6333::1");
        assert_eq!(address["prefixlen"], 64);
        assert_eq!(address["nodad"], true);
        // What is under /proc/sys/net belongs to the namespace of the thread that reads it.
        for key in ["accept_ra", "accept_dad", "disable_ipv6"] {
            let value = std::fs::read_to_string(format!("/proc/sys/net/ipv6/conf/br0/{key}"))?;
            assert_eq!(value.trim(), "0", "{key}");
        }
        Ok(())
    })
}

#[test]
fn made_again_is_the_same() -> Result<()> {
    daemon(|network| async move {
        let first = network.ensure_bridge(&bridge_plan("br0")).await?;
        let again = network.ensure_bridge(&bridge_plan("br0")).await?;
        assert_eq!(first, again);
        assert_eq!(network.find_bridge("br0").await?, Some(again));
        Ok(())
    })
}

#[test]
fn set_up_when_interrupted_in_making() -> Result<()> {
    daemon(|network| async move {
        // What is there when the daemon is killed right after the message that makes the bridge.
        ip(&format!(
            "link add br0 group {} type bridge",
            orchestrator_network::LINK_GROUP
        ))?;
        assert!(network.ensure_bridge(&bridge_plan("br0")).await?.ours);
        assert_eq!(link("br0")?["ifalias"], "orchestrator-test:br0");
        Ok(())
    })
}

#[test]
fn keeps_its_address_when_ports_come_and_go() -> Result<()> {
    daemon(|network| async move {
        let mac = network
            .ensure_bridge(&bridge_plan("br0"))
            .await?
            .mac
            .context("an address")?;
        // Lower than any other: an unpinned bridge would take it.
        ip("link add low address 02:00:00:00:00:00 master br0 type veth peer name low-peer")?;
        assert_eq!(network.find_bridge("br0").await?.context("the bridge")?.mac, Some(mac));
        Ok(())
    })
}

#[test]
fn adopted_as_it_is() -> Result<()> {
    daemon(|network| async move {
        ip("link add br0 type bridge forward_delay 400")?;
        ip("addr add fd00::1/64 dev br0 nodad")?;
        let accept_ra = || std::fs::read_to_string("/proc/sys/net/ipv6/conf/br0/accept_ra");
        let before = accept_ra()?;

        let plan = BridgePlan {
            create: false,
            ..bridge_plan("br0")
        };
        let bridge = network.ensure_bridge(&plan).await?;
        assert!(!bridge.ours && bridge.up);

        let found = link("br0")?;
        assert!(found["flags"].as_array().context("flags")?.contains(&"UP".into()));
        assert!(found["ifalias"].is_null());
        assert_eq!(found["linkinfo"]["info_data"]["forward_delay"], 400);
        assert_eq!(accept_ra()?, before);
        let addresses = ip("-6 addr show dev br0 scope global")?;
        let addresses: Vec<_> = addresses[0]["addr_info"]
            .as_array()
            .context("addresses")?
            .iter()
            .map(|one| one["local"].clone())
            .collect();
        assert!(addresses.contains(&"fd00::1".into()) && addresses.contains(&"fd39:9706:2786:6333::1".into()));
        Ok(())
    })
}

#[test]
fn missing_and_not_to_be_made() -> Result<()> {
    daemon(|network| async move {
        let plan = BridgePlan {
            create: false,
            ..bridge_plan("br0")
        };
        let error = network.ensure_bridge(&plan).await.unwrap_err();
        assert!(
            matches!(&error, NetworkError::BridgeMissing { bridge } if bridge == "br0"),
            "{error}"
        );
        assert_eq!(network.find_bridge("br0").await?, None);
        Ok(())
    })
}

#[test]
fn something_else_of_that_name() -> Result<()> {
    daemon(|network| async move {
        ip("link add br0 type veth peer name br0-peer")?;
        let error = network.ensure_bridge(&bridge_plan("br0")).await.unwrap_err();
        assert!(
            matches!(&error, NetworkError::NotABridge { kind, .. } if kind == "veth"),
            "{error}"
        );
        let error = network.find_bridge("lo").await.unwrap_err();
        assert!(matches!(error, NetworkError::NotABridge { .. }), "{error}");
        Ok(())
    })
}

#[test]
fn address_with_another_prefix_length() -> Result<()> {
    daemon(|network| async move {
        ip("link add br0 type bridge")?;
        ip("addr add fd39:9706:2786:6333::1/128 dev br0 nodad")?;
        let error = network.ensure_bridge(&bridge_plan("br0")).await.unwrap_err();
        assert!(
            matches!(error, NetworkError::PrefixDiffers { found: 128, .. }),
            "{error}"
        );
        Ok(())
    })
}

#[test]
fn ipv6_off() -> Result<()> {
    daemon(|network| async move {
        std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")?;
        ip("link add br0 type bridge")?;
        let error = network.ensure_bridge(&bridge_plan("br0")).await.unwrap_err();
        assert!(matches!(error, NetworkError::Ipv6Disabled { .. }), "{error}");
        // On a bridge of ours that is ours to change.
        network.ensure_bridge(&bridge_plan("br1")).await?;
        Ok(())
    })
}

#[test]
fn impossible_names() -> Result<()> {
    daemon(|network| async move {
        for name in ["", "a/b", "br%d", "sixteen-byte-nam"] {
            let error = network.ensure_bridge(&bridge_plan(name)).await.unwrap_err();
            assert!(matches!(error, NetworkError::BadPlan { .. }), "{name}: {error}");
        }
        Ok(())
    })
}
