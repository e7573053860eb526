//! An attachment is what its plan says.

use anyhow::{Context, Result};
use orchestrator_network::AttachmentPlan;
use serde_json::Value;

use crate::support::{Instance, MARK, attachment_plan, bridge_plan, daemon, ip, link};

/// The names and values of flags such as `UP`.
fn flags(link: &Value) -> Vec<String> {
    link["flags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Asserts with iproute2's help that an attachment is as planned, from end to end.
pub(crate) fn assert_as_planned(plan: &AttachmentPlan, instance: &Instance) -> Result<()> {
    let host = link(&plan.host_interface)?;
    assert_eq!(host["ifalias"], plan.alias.as_str());
    assert_eq!(host["master"], plan.bridge.as_str());
    assert_eq!(host["linkinfo"]["info_kind"], "veth");
    assert_eq!(host["linkinfo"]["info_slave_data"]["isolated"], plan.isolated);
    assert!(flags(&host).contains(&"UP".into()));
    assert_eq!(host["operstate"], "UP");

    let inside = instance.ip(&format!("-d link show dev {}", plan.interface))?[0].take();
    assert_eq!(inside["link_index"], host["ifindex"]);
    assert_eq!(host["link_index"], inside["ifindex"]);
    let mac: Vec<String> = plan.mac.iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(inside["address"], mac.join(":"));
    assert!(flags(&inside).contains(&"UP".into()));
    assert_eq!(inside["operstate"], "UP");

    let addresses = instance.ip(&format!("-6 addr show dev {} scope global", plan.interface))?;
    let addresses = addresses[0]["addr_info"].as_array().context("addresses")?;
    // iproute2 leaves an empty place for each address that it filters out.
    let listed: Vec<&Value> = addresses
        .iter()
        .filter(|address| address.get("local").is_some())
        .collect();
    let [address] = listed[..] else {
        panic!("not one address: {addresses:?}")
    };
    let planned = plan.address.expect("an address");
    assert_eq!(address["local"], planned.addr().to_string());
    assert_eq!(address["prefixlen"], planned.prefix_len());
    assert_eq!(address["nodad"], true);
    assert!(address["tentative"].is_null());

    let routes = instance.ip("-6 route show default")?;
    let gateways: Vec<_> = routes
        .as_array()
        .context("routes")?
        .iter()
        .map(|route| route["gateway"].clone())
        .collect();
    let planned: Vec<Value> = plan.gateway.iter().map(|gateway| gateway.to_string().into()).collect();
    assert_eq!(gateways, planned);

    let loopback = instance.ip("link show dev lo")?[0].take();
    assert!(flags(&loopback).contains(&"UP".into()));
    Ok(())
}

#[test]
fn made_as_planned() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let (instance, plan) = (Instance::start()?, attachment_plan(1));
        network.ensure_attachment(&plan, &instance.netns).await?;
        assert_as_planned(&plan, &instance)?;

        let [found] = &network.attachments(MARK).await?[..] else {
            panic!("not one attachment")
        };
        assert_eq!(found.host_interface, plan.host_interface);
        assert_eq!(found.alias, plan.alias);
        assert_eq!(found.bridge.as_deref(), Some("br0"));
        assert_eq!(link("o-1")?["ifindex"], found.index);
        assert!(found.up);
        assert_eq!(network.find_attachment("o-1", MARK).await?.as_ref(), Some(found));
        assert_eq!(network.attachments("another:").await?, []);
        assert_eq!(network.find_attachment("o-1", "another:").await?, None);
        assert_eq!(network.find_attachment("o-2", MARK).await?, None);
        ip("link set o-1 nomaster")?;
        let found = network.find_attachment("o-1", MARK).await?;
        assert_eq!(found.map(|found| found.bridge), Some(None));
        Ok(())
    })
}

#[test]
fn isolated_without_gateway() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let plan = AttachmentPlan {
            isolated: true,
            gateway: None,
            ..attachment_plan(1)
        };
        let instance = Instance::start()?;
        network.ensure_attachment(&plan, &instance.netns).await?;
        assert_as_planned(&plan, &instance)
    })
}

#[test]
fn gateway_outside_the_prefix() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let plan = AttachmentPlan {
            address: Some("fd39:9706:2786:6333::2:1/128".parse()?),
            gateway: Some("fe80::1".parse()?),
            ..attachment_plan(1)
        };
        let instance = Instance::start()?;
        network.ensure_attachment(&plan, &instance.netns).await?;
        assert_as_planned(&plan, &instance)
    })
}

#[test]
fn host_end_has_no_address_of_its_own() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let instance = Instance::start()?;
        network.ensure_attachment(&attachment_plan(1), &instance.netns).await?;
        assert_eq!(link("o-1")?["inet6_addr_gen_mode"], "none");
        let routes = ip("-6 route show table all dev o-1")?;
        assert!(routes.as_array().is_none_or(Vec::is_empty), "no multicast: {routes}");
        let addresses = ip("-6 addr show dev o-1")?;
        assert!(
            addresses[0]["addr_info"].as_array().is_none_or(Vec::is_empty),
            "{addresses}"
        );
        Ok(())
    })
}

#[test]
fn ipv6_switched_on_inside_and_nowhere_else() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let instance = Instance::start()?;
        // As Docker leaves a container without a network.
        instance.set_sysctl("net/ipv6/conf/all/disable_ipv6", "1");
        std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")?;
        network.ensure_attachment(&attachment_plan(1), &instance.netns).await?;
        assert_as_planned(&attachment_plan(1), &instance)?;

        for interface in ["all", "default", "lo", "eth1"] {
            assert_eq!(
                instance.sysctl(&format!("net/ipv6/conf/{interface}/disable_ipv6")),
                "0",
                "{interface}"
            );
        }
        for key in ["accept_ra", "autoconf", "accept_dad"] {
            assert_eq!(instance.sysctl(&format!("net/ipv6/conf/eth1/{key}")), "0", "{key}");
        }
        assert_eq!(
            std::fs::read_to_string("/proc/sys/net/ipv6/conf/default/disable_ipv6")?.trim(),
            "1"
        );
        Ok(())
    })
}

#[test]
fn takes_the_mtu_of_the_bridge() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        // As with an overlay network among the bridge's ports.
        ip("link add narrow mtu 1430 master br0 type veth peer name narrow-peer")?;
        let instance = Instance::start()?;
        network.ensure_attachment(&attachment_plan(1), &instance.netns).await?;
        assert_eq!(link("o-1")?["mtu"], 1430);
        assert_eq!(instance.ip("link show dev eth1")?[0]["mtu"], 1430);
        assert_eq!(link("br0")?["mtu"], 1430);
        Ok(())
    })
}

#[test]
fn repeated_it_stays_the_same() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let (instance, plan) = (Instance::start()?, attachment_plan(1));
        network.ensure_attachment(&plan, &instance.netns).await?;
        let before = link("o-1")?["ifindex"].clone();
        for _ in 0..3 {
            network.ensure_attachment(&plan, &instance.netns).await?;
        }
        assert_as_planned(&plan, &instance)?;
        assert_eq!(link("o-1")?["ifindex"], before);
        Ok(())
    })
}

#[test]
fn fifty_at_once() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let instances = (0..50).map(|_| Instance::start()).collect::<Result<Vec<_>>>()?;
        let mut wired = tokio::task::JoinSet::new();
        for (number, instance) in (1..).zip(&instances) {
            let (network, netns) = (network.clone(), instance.netns.clone());
            wired.spawn(async move { network.ensure_attachment(&attachment_plan(number), &netns).await });
        }
        for outcome in wired.join_all().await {
            outcome?;
        }
        for (number, instance) in (1..).zip(&instances) {
            assert_as_planned(&attachment_plan(number), instance)?;
        }
        assert_eq!(network.attachments(MARK).await?.len(), 50);
        Ok(())
    })
}
