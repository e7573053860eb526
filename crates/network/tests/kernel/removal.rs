//! Removal: of what is there, of what is gone, and not of what is not ours.

use anyhow::Result;
use orchestrator_network::{LINK_GROUP, NetworkError};

use crate::support::{Instance, MARK, attachment_plan, bridge_plan, daemon, has_link, ip};

#[test]
fn removed_and_removed_again() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let instance = Instance::start()?;
        network.ensure_attachment(&attachment_plan(1), &instance.netns).await?;
        for _ in 0..2 {
            network.remove_attachment("o-1", MARK).await?;
            assert!(!has_link("o-1")?);
        }
        assert!(instance.ip("link show dev eth1").is_err());
        assert_eq!(network.attachments(MARK).await?, []);
        Ok(())
    })
}

#[test]
fn a_strangers_interface_stays() -> Result<()> {
    daemon(|network| async move {
        ip("link add o-1 type veth peer name o-1-peer")?;
        ip("link add o-2 type veth peer name o-2-peer")?;
        ip("link set o-2 alias theirs:2")?;
        for name in ["o-1", "o-2", "lo"] {
            let error = network.remove_attachment(name, MARK).await.unwrap_err();
            assert!(matches!(error, NetworkError::InterfaceTaken { .. }), "{error}");
            assert!(has_link(name)?);
        }
        Ok(())
    })
}

#[test]
fn an_unfinished_one_goes() -> Result<()> {
    daemon(|network| async move {
        ip(&format!("link add o-1 group {LINK_GROUP} type veth peer name o-1-peer"))?;
        network.remove_attachment("o-1", MARK).await?;
        assert!(!has_link("o-1")?);
        Ok(())
    })
}

#[test]
fn many_at_once() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let instances = (0..20).map(|_| Instance::start()).collect::<Result<Vec<_>>>()?;
        for (number, instance) in (1..).zip(&instances) {
            network
                .ensure_attachment(&attachment_plan(number), &instance.netns)
                .await?;
        }
        // One has gone already, one was never there, and one stays.
        network.remove_attachment("o-3", MARK).await?;
        let names: Vec<String> = (1..=19).chain([99]).map(|number| format!("o-{number}")).collect();
        for _ in 0..2 {
            network.remove_attachments(&names, MARK).await?;
            let left: Vec<_> = network
                .attachments(MARK)
                .await?
                .into_iter()
                .map(|found| found.host_interface)
                .collect();
            assert_eq!(left, ["o-20"]);
        }
        // A host end that was about to be removed is taken up again by its plan.
        network
            .ensure_attachment(&attachment_plan(1), &instances[0].netns)
            .await?;
        crate::attachment::assert_as_planned(&attachment_plan(1), &instances[0])
    })
}

#[test]
fn many_with_a_stranger_among_them() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let instances = (0..3).map(|_| Instance::start()).collect::<Result<Vec<_>>>()?;
        for (number, instance) in (1..).zip(&instances) {
            network
                .ensure_attachment(&attachment_plan(number), &instance.netns)
                .await?;
        }
        ip("link add o-9 type bridge")?;
        let error = network
            .remove_attachments(&["o-1", "o-9", "o-2", "o-3"], MARK)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, NetworkError::InterfaceTaken { interface, .. } if interface == "o-9"),
            "{error}"
        );
        assert!(has_link("o-9")?);
        assert_eq!(network.attachments(MARK).await?, [], "all others are removed");
        Ok(())
    })
}
