//! Changes behind our back are told of.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use orchestrator_network::{LinkChange, Network, NetworkError};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::{Instance, MARK, attachment_plan, bridge_plan, daemon, ip};

/// A running watch that has told its first word.
async fn start(network: &Network) -> Result<mpsc::Receiver<LinkChange>> {
    let (changes, mut told) = mpsc::channel(16);
    let network = network.clone();
    tokio::spawn(async move { network.watch(changes).await });
    assert_eq!(next(&mut told).await?, LinkChange::Everything);
    Ok(told)
}

async fn next(told: &mut mpsc::Receiver<LinkChange>) -> Result<LinkChange> {
    timeout(Duration::from_secs(10), told.recv())
        .await?
        .context("the watch ended")
}

/// The next news that is not about a change of an attachment: its removal begins with that it goes down.
async fn next_but_changes(told: &mut mpsc::Receiver<LinkChange>) -> Result<LinkChange> {
    loop {
        match next(told).await? {
            LinkChange::AttachmentChanged { .. } => {}
            other => return Ok(other),
        }
    }
}

#[test]
fn bridges_come_and_go() -> Result<()> {
    daemon(|network| async move {
        let mut told = start(&network).await?;
        let name = || "br0".to_owned();
        ip("link add br0 type bridge")?;
        assert_eq!(next(&mut told).await?, LinkChange::BridgeDown { name: name() });
        ip("link set br0 up")?;
        assert_eq!(next(&mut told).await?, LinkChange::BridgeUp { name: name() });
        // Ports are no news.
        ip("link add port master br0 type veth peer name port-peer")?;
        ip("link set port up")?;
        ip("link del port")?;
        ip("link set br0 down")?;
        assert_eq!(next(&mut told).await?, LinkChange::BridgeDown { name: name() });
        ip("link set br0 name br1")?;
        assert_eq!(next(&mut told).await?, LinkChange::BridgeGone { name: name() });
        assert_eq!(next(&mut told).await?, LinkChange::BridgeDown { name: "br1".into() });
        ip("link del br1")?;
        assert_eq!(next(&mut told).await?, LinkChange::BridgeGone { name: "br1".into() });
        Ok(())
    })
}

#[test]
fn attachments_go() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let mut told = start(&network).await?;
        let gone = |number| LinkChange::AttachmentGone {
            host_interface: format!("o-{number}"),
            alias: format!("{MARK}{number}"),
        };
        let instance = Instance::start()?;
        network.ensure_attachment(&attachment_plan(1), &instance.netns).await?;
        // By hand, while it only leaves its bridge first.
        ip("link set o-1 nomaster")?;
        ip("link del o-1")?;
        assert_eq!(next_but_changes(&mut told).await?, gone(1));
        // With its namespace.
        network.ensure_attachment(&attachment_plan(2), &instance.netns).await?;
        drop(instance);
        assert_eq!(next_but_changes(&mut told).await?, gone(2));
        Ok(())
    })
}

#[test]
fn what_was_missed_is_everything() -> Result<()> {
    daemon(|network| async move {
        ip("link add br0 type bridge")?;
        let (changes, mut told) = mpsc::channel(1);
        let watch = tokio::spawn({
            let network = network.clone();
            async move { network.watch(changes).await }
        });
        assert_eq!(next(&mut told).await?, LinkChange::Everything);
        // Nobody listens while the kernel tells more than the socket holds; two changes fill channel and sender.
        let mut flood = std::process::Command::new("ip")
            .args(["-batch", "-"])
            .stdin(std::process::Stdio::piped())
            .spawn()?;
        let mut lines = flood.stdin.take().context("a pipe")?;
        for _ in 0..2000 {
            std::io::Write::write_all(&mut lines, b"link set br0 up\nlink set br0 down\n")?;
        }
        drop(lines);
        assert!(flood.wait()?.success());
        for _ in 0..1000 {
            if next(&mut told).await? == LinkChange::Everything {
                watch.abort();
                return Ok(());
            }
        }
        bail!("the overrun was not told of");
    })
}

#[test]
fn ends_when_nobody_listens() -> Result<()> {
    daemon(|network| async move {
        let (changes, told) = mpsc::channel(16);
        drop(told);
        let ended = timeout(Duration::from_secs(10), network.watch(changes)).await?;
        assert!(matches!(ended, NetworkError::Unwatched), "{ended}");
        Ok(())
    })
}

#[test]
fn attachments_that_are_changed_by_hand_are_told_of() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let mut told = start(&network).await?;
        let instance = Instance::start()?;
        let plan = orchestrator_network::AttachmentPlan {
            isolated: true,
            ..attachment_plan(1)
        };
        let changed = || LinkChange::AttachmentChanged {
            host_interface: "o-1".into(),
            alias: format!("{MARK}1"),
        };
        for change in [
            "link set o-1 type bridge_slave isolated off",
            "link set o-1 down",
            "link set o-1 nomaster",
        ] {
            // Making and mending it is no news, but for what mending undoes.
            network.ensure_attachment(&plan, &instance.netns).await?;
            let found = network.find_attachment("o-1", MARK).await?.context("the attachment")?;
            assert!(found.up && found.isolated, "{found:?}");
            while told.try_recv().is_ok() {}
            ip(change)?;
            assert_eq!(next(&mut told).await?, changed(), "after {change}");
        }
        Ok(())
    })
}
