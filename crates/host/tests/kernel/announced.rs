//! The announcement of an instance, as a client of its link gets it.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::socket::{MsgFlags, recv};
use orchestrator_host::{Host, Progress, ReadinessPlan};
use orchestrator_plugin::Capability;

use crate::attack::lab::{ip, packets};
use crate::lab::{Lab, PORT, daemon};

/// The place of the ICMPv6 type in a frame, and that of a neighbor advertisement (RFC 4861, section 4.4).
const TYPE: usize = 54;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;

/// Whether an advertisement of this link-layer address has arrived. What has arrived is forgotten.
fn is_announced(client: &OwnedFd, mac: [u8; 6]) -> bool {
    let option = [&[2, 1][..], &mac].concat();
    let (mut room, mut found) = ([0; 4096], false);
    while let Ok(length) = recv(client.as_raw_fd(), &mut room, MsgFlags::MSG_DONTWAIT) {
        let frame = &room[..length];
        found |= frame.get(TYPE) == Some(&NEIGHBOR_ADVERTISEMENT) && frame.ends_with(&option);
    }
    found
}

async fn is_announced_although_it_does_not_answer(lab: &Lab) -> Result<()> {
    ip("link add client type veth peer name port")?;
    ip("link set port master br0 up")?;
    ip("link set client up")?;
    let client = packets("client")?;
    let (host, progress) = (&lab.host, Progress::admitted());
    let mut plan = lab.plan(1);
    let mac = plan.attachments[0].mac;
    plan.readiness = Some(ReadinessPlan {
        // Nobody listens there.
        port: PORT + 1,
        within: Duration::from_millis(300),
        reacting: true,
    });
    for verb in ["ensure", "ensure again", "adopt"] {
        let outcome = match verb {
            "adopt" => host.adopt(&plan, &progress).await,
            _ => host.ensure(&plan, &progress).await,
        };
        let fault = outcome.unwrap_err();
        ensure!(fault.code() == "not-answering", "{verb}: {fault}");
        ensure!(is_announced(&client, mac), "{verb}: it is not announced");
    }
    host.remove(&lab.removal(&plan)).await?;
    Ok(())
}

#[test]
fn an_instance_is_announced_before_it_answers() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        is_announced_although_it_does_not_answer(&lab).await
    })
}

#[test]
fn so_is_one_in_a_namespace_that_was_made_before() -> Result<()> {
    daemon(Capability::PreparedNamespace, |lab| async move {
        is_announced_although_it_does_not_answer(&lab).await
    })
}
