//! What was interrupted, or changed since, is brought to the plan.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use anyhow::Result;
use orchestrator_network::{AttachmentPlan, LINK_GROUP};

use crate::attachment::assert_as_planned;
use crate::support::{Instance, attachment_plan, bridge_plan, daemon, has_link, ip, link};

#[test]
fn restarted_with_a_new_namespace() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let (before, plan) = (Instance::start()?, attachment_plan(1));
        network.ensure_attachment(&plan, &before.netns).await?;
        // The old namespace is still there, as when something in it outlives the container.
        let after = Instance::start()?;
        network.ensure_attachment(&plan, &after.netns).await?;
        assert_as_planned(&plan, &after)?;
        assert!(before.ip("link show dev eth1").is_err());
        Ok(())
    })
}

#[test]
fn restarted_while_the_old_namespace_goes() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let plan = attachment_plan(1);
        let mut instance = Instance::start()?;
        for _ in 0..20 {
            network.ensure_attachment(&plan, &instance.netns).await?;
            // The kernel takes the old namespace down in its own time, and the old host end with it.
            instance = Instance::start()?;
        }
        network.ensure_attachment(&plan, &instance.netns).await?;
        assert_as_planned(&plan, &instance)
    })
}

#[test]
fn moved_to_another_bridge() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        network.ensure_bridge(&bridge_plan("br1")).await?;
        let instance = Instance::start()?;
        network.ensure_attachment(&attachment_plan(1), &instance.netns).await?;
        let plan = AttachmentPlan {
            bridge: "br1".into(),
            ..attachment_plan(1)
        };
        network.ensure_attachment(&plan, &instance.netns).await?;
        assert_as_planned(&plan, &instance)
    })
}

#[test]
fn replanned_in_every_respect() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let instance = Instance::start()?;
        network.ensure_attachment(&attachment_plan(1), &instance.netns).await?;
        let changes: [fn(&mut AttachmentPlan); 5] = [
            |plan| plan.address = "fd39:9706:2786:6333::3:1/64".parse().ok(),
            |plan| plan.address = "fd39:9706:2786:6333::2:1/112".parse().ok(),
            |plan| plan.mac = [0x06, 1, 2, 3, 4, 5],
            |plan| plan.gateway = Some("fd39:9706:2786:6333::ffff".parse().expect("an address")),
            |plan| plan.isolated = true,
        ];
        let mut plan = attachment_plan(1);
        for change in changes {
            change(&mut plan);
            network.ensure_attachment(&plan, &instance.netns).await?;
            assert_as_planned(&plan, &instance)?;
        }
        Ok(())
    })
}

#[test]
fn taken_apart_by_hand() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let (instance, plan) = (Instance::start()?, attachment_plan(1));
        network.ensure_attachment(&plan, &instance.netns).await?;
        for deed in [
            "link set o-1 down",
            "link set o-1 nomaster",
            "link set o-1 group default",
            "link del o-1",
        ] {
            ip(deed)?;
            network.ensure_attachment(&plan, &instance.netns).await?;
            assert_as_planned(&plan, &instance)?;
        }
        for deed in [
            "link set eth1 down",
            "-6 route del default",
            "link set eth1 name eth9",
            "link del eth1",
        ] {
            instance.ip(deed)?;
            network.ensure_attachment(&plan, &instance.netns).await?;
            assert_as_planned(&plan, &instance)?;
        }
        Ok(())
    })
}

#[test]
fn interrupted_right_after_the_pair_was_made() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let (instance, plan) = (Instance::start()?, attachment_plan(1));
        let pid = instance.netns.display().to_string();
        let holder = pid.split('/').nth(4).expect("the thread's number").to_owned();
        ip(&format!(
            "link add o-1 group {LINK_GROUP} master br0 type veth peer name eth1 address 02:00:00:00:00:01 netns {holder}"
        ))?;
        let before = link("o-1")?["ifindex"].clone();
        network.ensure_attachment(&plan, &instance.netns).await?;
        assert_as_planned(&plan, &instance)?;
        assert_eq!(link("o-1")?["ifindex"], before, "what was right is kept");
        Ok(())
    })
}

#[test]
fn dropped_at_any_moment() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        for number in 1..60 {
            let (instance, plan) = (Instance::start()?, attachment_plan(number));
            {
                let mut begun = pin!(network.ensure_attachment(&plan, &instance.netns));
                std::future::poll_fn(|context| Poll::Ready(begun.as_mut().poll(context).is_ready())).await;
                // The thread that wires gets this far; where that is does not matter, only that it is elsewhere each time.
                std::thread::sleep(Duration::from_micros(50) * number.into());
            }
            network.ensure_attachment(&plan, &instance.netns).await?;
            assert_as_planned(&plan, &instance)?;
        }
        Ok(())
    })
}

#[test]
fn goes_with_its_namespace() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let (instance, plan) = (Instance::start()?, attachment_plan(1));
        network.ensure_attachment(&plan, &instance.netns).await?;
        drop(instance);
        // Nothing of ours holds the namespace open.
        crate::support::eventually("the attachment is gone", || Ok(!has_link("o-1")?)).await?;
        network.remove_attachment("o-1", crate::support::MARK).await?;
        Ok(())
    })
}
