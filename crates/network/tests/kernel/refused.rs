//! What is refused, and left as it was.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::unistd::gettid;
use orchestrator_network::{AttachmentPlan, NetworkError};

use crate::support::{Instance, attachment_plan, bridge_plan, daemon, has_link, ip, link};

#[test]
fn the_daemons_own_namespace() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let here = format!("/proc/{}/task/{}/ns/net", std::process::id(), gettid());
        // The last is that of the process, which this thread has left.
        for own in [here.as_str(), "/proc/thread-self/ns/net", "/proc/self/ns/net"] {
            let error = network
                .ensure_attachment(&attachment_plan(1), Path::new(own))
                .await
                .unwrap_err();
            assert!(matches!(error, NetworkError::NotSeparate { .. }), "{error}");
        }
        assert!(!has_link("o-1")? && !has_link("eth1")?);
        Ok(())
    })
}

#[test]
fn a_namespace_that_is_gone_or_none() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let gone = Instance::start()?.netns.clone();
        let error = network.ensure_attachment(&attachment_plan(1), &gone).await.unwrap_err();
        assert!(matches!(error, NetworkError::NamespaceGone { .. }), "{error}");
        let error = network
            .ensure_attachment(&attachment_plan(1), Path::new("/proc/self/status"))
            .await
            .unwrap_err();
        assert!(matches!(error, NetworkError::NotANamespace { .. }), "{error}");
        // A namespace, but not of the network.
        let error = network
            .ensure_attachment(&attachment_plan(1), Path::new("/proc/self/ns/mnt"))
            .await
            .unwrap_err();
        assert!(matches!(error, NetworkError::NotANamespace { .. }), "{error}");
        assert!(!has_link("o-1")?);
        Ok(())
    })
}

#[test]
fn a_missing_bridge() -> Result<()> {
    daemon(|network| async move {
        let instance = Instance::start()?;
        let error = network
            .ensure_attachment(&attachment_plan(1), &instance.netns)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, NetworkError::BridgeMissing { bridge } if bridge == "br0"),
            "{error}"
        );
        ip("link add br0 type veth peer name br0-peer")?;
        let error = network
            .ensure_attachment(&attachment_plan(1), &instance.netns)
            .await
            .unwrap_err();
        assert!(matches!(error, NetworkError::NotABridge { .. }), "{error}");
        Ok(())
    })
}

#[test]
fn a_strangers_interface() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let instance = Instance::start()?;
        ip("link add o-1 type bridge")?;
        ip("link set o-1 alias theirs")?;
        let before = link("o-1")?;
        let error = network
            .ensure_attachment(&attachment_plan(1), &instance.netns)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, NetworkError::InterfaceTaken { alias, .. } if alias == "theirs"),
            "{error}"
        );
        assert_eq!(link("o-1")?, before);

        // Of our kind, but neither with our alias nor in our group.
        ip("link add o-2 type veth peer name o-2-peer")?;
        let error = network
            .ensure_attachment(&attachment_plan(2), &instance.netns)
            .await
            .unwrap_err();
        assert!(matches!(error, NetworkError::InterfaceTaken { .. }), "{error}");
        assert!(has_link("o-2")?);
        Ok(())
    })
}

#[test]
fn another_instances_interface() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let (instance, other) = (Instance::start()?, Instance::start()?);
        network.ensure_attachment(&attachment_plan(1), &instance.netns).await?;
        let clash = AttachmentPlan {
            host_interface: "o-1".into(),
            ..attachment_plan(2)
        };
        let error = network.ensure_attachment(&clash, &other.netns).await.unwrap_err();
        assert!(matches!(error, NetworkError::InterfaceTaken { .. }), "{error}");
        crate::attachment::assert_as_planned(&attachment_plan(1), &instance)
    })
}

#[test]
fn a_name_that_is_taken_inside() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let instance = Instance::start()?;
        instance.ip("link add eth1 type bridge")?;
        let error = network
            .ensure_attachment(&attachment_plan(1), &instance.netns)
            .await
            .unwrap_err();
        assert!(matches!(error, NetworkError::InsideTaken { .. }), "{error}");
        assert!(!has_link("o-1")?);
        Ok(())
    })
}

#[test]
fn one_port_too_many() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let mut batch = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn()?;
        let mut lines = batch.stdin.take().context("a pipe")?;
        // Both ends of a pair are ports; all but one of the last.
        for number in 1..=512 {
            writeln!(lines, "link add p{number} master br0 type veth peer name q{number}")?;
            if number < 512 {
                writeln!(lines, "link set q{number} master br0")?;
            }
        }
        drop(lines);
        ensure!(batch.wait()?.success());

        let instance = Instance::start()?;
        let error = network
            .ensure_attachment(&attachment_plan(1), &instance.netns)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, NetworkError::BridgeFull { bridge } if bridge == "br0"),
            "{error}"
        );
        assert!(!has_link("o-1")?);
        assert!(instance.ip("link show dev eth1").is_err());

        ip("link set p1 nomaster")?;
        network.ensure_attachment(&attachment_plan(1), &instance.netns).await?;
        Ok(())
    })
}
