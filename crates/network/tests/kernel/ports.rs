//! The ports of a bridge are counted, whoever's they are.

use std::fmt::Write;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use orchestrator_network::NetworkError;

use crate::support::{Instance, attachment_plan, bridge_plan, daemon, ip};

/// Makes this many ports of `br0`, of pairs that stay down.
fn add_ports(count: usize) -> Result<()> {
    let mut batch = String::new();
    for number in 0..count.div_ceil(2) {
        writeln!(batch, "link add p{number}a type veth peer name p{number}b")?;
    }
    for number in 0..count {
        let end = if number % 2 == 0 { "a" } else { "b" };
        writeln!(batch, "link set p{}{end} master br0", number / 2)?;
    }
    let mut child = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn()?;
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), batch.as_bytes())?;
    ensure!(child.wait()?.success(), "ip took the batch");
    Ok(())
}

#[test]
fn a_bridge_takes_as_many_ports_as_it_is_said_to() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let free = network.free_ports("br0").await?;
        add_ports(free - 1)?;
        assert_eq!(network.free_ports("br0").await?, 1);
        let (instance, plan) = (Instance::start()?, attachment_plan(1));
        network.ensure_attachment(&plan, &instance.netns).await?;
        assert_eq!(network.free_ports("br0").await?, 0);
        let late = attachment_plan(2);
        let other = Instance::start()?;
        let refused = network.ensure_attachment(&late, &other.netns).await;
        assert!(matches!(refused, Err(NetworkError::BridgeFull { .. })), "{refused:?}");
        ip("link set p0a nomaster")?;
        assert_eq!(network.free_ports("br0").await?, 1);
        network.ensure_attachment(&late, &other.netns).await?;
        Ok(())
    })
}

#[test]
fn a_missing_bridge_has_no_ports_to_count() -> Result<()> {
    daemon(|network| async move {
        let counted = network.free_ports("br0").await;
        assert!(
            matches!(counted, Err(NetworkError::BridgeMissing { .. })),
            "{counted:?}"
        );
        Ok(())
    })
}
