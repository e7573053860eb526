//! A client that sends with an instance's link-layer address as the source takes none of its frames: no bridge learns it.

use std::net::Ipv6Addr;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use orchestrator_host::{DropCause, Host, LinkPolicy, NetworkItem, PolicyItem};
use serde_json::Value;

use super::lab::{Lab, Who, run, run_on, text};
use super::{Case, JOINED_ALONE, apply, is_dropped, policy};
use orchestrator_wire::packet::{self, Ends, group_mac};

/// The policy of the lab, where clients also speak IPv4 and form addresses by themselves.
fn open_link() -> Result<Vec<NetworkItem>> {
    let mut all = policy(true)?;
    for item in &mut all {
        if let NetworkItem::Policy(PolicyItem::Link(LinkPolicy { ipv4, unbound, .. })) = item {
            (*ipv4, *unbound) = (true, true);
        }
    }
    Ok(all)
}

/// What passes from a machine that nobody knows yet, with the link-layer address of an instance.
fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let to = |from: &str, to: &str| Ends {
        from_mac: Who::Instance.mac(),
        to_mac: group_mac(to.parse().unwrap()),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
    };
    let routed = Ends {
        to_mac: Who::Bridge.mac(),
        to: Who::Bridge.address(),
        ..to("fd39::77", "ff02::1")
    };
    let wanted: Ipv6Addr = "fd39::77".parse().unwrap();
    vec![
        (
            "asks for a lease",
            packet::udp(to("fe80::77", "ff02::1:2"), (546, 547), b"attack 1"),
        ),
        (
            "looks for a duplicate",
            packet::solicit(to("::", "ff02::1:ff00:77"), wanted, None),
        ),
        (
            "looks for routers",
            packet::icmp(to("::", "ff02::2"), 133, 255, b"\0\0\0\0attack 3"),
        ),
        (
            "joins a group",
            packet::icmp(to("::", "ff02::16"), 143, 1, b"\0\0\0\0attack 4"),
        ),
        (
            "has an address of its own making",
            packet::udp(routed, (4000, 4000), b"attack 5"),
        ),
        (
            "speaks IPv4",
            packet::ethernet(routed, 0x0800, b"\x45 and more than that: attack 6"),
        ),
        (
            "sends ARP",
            packet::ethernet(routed, 0x0806, b"\0\x01 and more than that: attack 7"),
        ),
    ]
}

/// The port of the link's bridge at which it has the instance.
fn learned() -> Result<String> {
    let output = Command::new("bridge")
        .args(["-j", "fdb", "show", "br", "br0"])
        .output()?;
    let all: Vec<Value> = serde_json::from_slice(&output.stdout)?;
    let is_it = |entry: &&Value| entry["mac"] == text(Who::Instance.mac()).as_str();
    let port = all.iter().find(is_it).and_then(|entry| entry["ifname"].as_str());
    Ok(port.context("an entry")?.to_owned())
}

async fn nothing_is_taken(lab: &Lab) -> Result<()> {
    lab.begin()?;
    let before = learned()?;
    for (name, frame) in frames() {
        lab.begin()?;
        lab.send(Who::Stranger, &frame)?;
        ensure!(learned()? == Who::Stranger.port(), "without rules: {name}");
    }
    lab.begin()?;
    ensure!(learned()? == before);
    apply(lab, 1, open_link()?).await?;
    for (name, frame) in frames() {
        for from in [Who::Stranger, Who::Relay] {
            let case = Case {
                name,
                from,
                to: Who::Bridge,
                frame: frame.clone(),
                cause: Some(DropCause::Source),
            };
            is_dropped(lab, &case, DropCause::Source).await?;
            ensure!(learned()? == before, "{name}, from {from:?}");
        }
    }
    lab.host.teardown().await?;
    Ok(())
}

#[test]
fn no_frame_of_a_client_moves_the_entry_of_an_instance() -> Result<()> {
    run("0", |lab| async move { nothing_is_taken(&lab).await })
}

#[test]
fn nor_that_of_an_instance_on_a_joined_bridge() -> Result<()> {
    run_on("0", JOINED_ALONE, |lab| async move { nothing_is_taken(&lab).await })
}
