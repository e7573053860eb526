//! An inside end that is not as planned any more is found so.

use anyhow::Result;
use orchestrator_network::{AttachmentPlan, Flaw, Network, NetworkError};

use crate::support::{Instance, attachment_plan, bridge_plan, daemon};

/// Wires an instance, changes it by this `ip` command within, and finds the flaw.
async fn found_after(network: &Network, change: &str) -> Result<Option<Flaw>> {
    network.ensure_bridge(&bridge_plan("br0")).await?;
    let (instance, plan) = (Instance::start()?, attachment_plan(1));
    network.ensure_attachment(&plan, &instance.netns).await?;
    instance.ip(change)?;
    let found = network.find_flaw(&plan, &instance.netns).await?;
    // Whatever it was, wiring it again mends it.
    network.ensure_attachment(&plan, &instance.netns).await?;
    assert_eq!(network.find_flaw(&plan, &instance.netns).await?, None, "after {change}");
    Ok(found)
}

#[test]
fn what_is_taken_away_inside_is_found_and_mended() -> Result<()> {
    daemon(|network| async move {
        for (change, flaw) in [
            ("addr flush dev eth1 scope global", Some(Flaw::NoAddress)),
            ("link set eth1 down", Some(Flaw::Down)),
            ("-6 route flush default", Some(Flaw::NoDefaultRoute)),
            ("link set eth1 address 02:00:00:00:77:77", Some(Flaw::OtherLinkLayer)),
            ("link delete eth1", Some(Flaw::NoInterface)),
            ("link set lo down", None),
        ] {
            assert_eq!(found_after(&network, change).await?, flaw, "after {change}");
        }
        Ok(())
    })
}

#[test]
fn what_an_instance_has_beyond_its_plan_is_no_flaw() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let (instance, plan) = (Instance::start()?, attachment_plan(1));
        network.ensure_attachment(&plan, &instance.netns).await?;
        instance.ip("addr add fd39::77/64 dev eth1 nodad")?;
        instance.ip("-6 route add fd40::/16 dev eth1")?;
        assert_eq!(network.find_flaw(&plan, &instance.netns).await?, None);
        Ok(())
    })
}

#[test]
fn a_plan_without_a_gateway_misses_no_route() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let plan = AttachmentPlan {
            gateway: None,
            ..attachment_plan(1)
        };
        let instance = Instance::start()?;
        network.ensure_attachment(&plan, &instance.netns).await?;
        assert_eq!(network.find_flaw(&plan, &instance.netns).await?, None);
        Ok(())
    })
}

#[test]
fn a_namespace_that_is_gone_is_told_as_such() -> Result<()> {
    daemon(|network| async move {
        let netns = Instance::start()?.netns.clone();
        let looked = network.find_flaw(&attachment_plan(1), &netns).await;
        assert!(matches!(looked, Err(NetworkError::NamespaceGone { .. })), "{looked:?}");
        Ok(())
    })
}
