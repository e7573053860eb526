//! What only some templates and links have: front doors, masquerade, peers, rates, and clients that are kept apart.

use anyhow::{Result, ensure};
use orchestrator_host::{Door, DropCause, NetworkItem, PolicyItem, PortRate, Protocol};

use super::lab::{HOST_MAC, Lab, Who, run, run_on};
use super::{JOINED, JOINED_ALONE, JOINED_TOGETHER, LONG, apply, counted, endpoint, link, policy, traffic};
use orchestrator_wire::packet::{self, Ends};

const FRONT: &str = "fd39::d0";

/// From one to another address by way of the host.
fn by_host(from: Who, to: &str) -> Result<Ends> {
    Ok(Ends {
        from_mac: from.mac(),
        to_mac: HOST_MAC,
        from: from.address(),
        to: to.parse()?,
    })
}

fn direct(from: Who, to: Who) -> Ends {
    Ends {
        from_mac: from.mac(),
        to_mac: to.mac(),
        from: from.address(),
        to: to.address(),
    }
}

async fn arrives(lab: &Lab, from: Who, to: Who, frame: &[u8], tail: &[u8]) -> Result<bool> {
    lab.begin()?;
    lab.send(from, frame)?;
    Ok(lab.arrives(to, tail, LONG).await)
}

/// Whether a frame is counted for this cause and does not arrive.
async fn is_dropped(lab: &Lab, from: Who, to: Who, frame: &[u8], cause: DropCause) -> Result<()> {
    let before = counted(lab, cause).await?.0.packets;
    lab.begin()?;
    lab.send(from, frame)?;
    let deadline = std::time::Instant::now() + LONG;
    while counted(lab, cause).await?.0.packets == before {
        ensure!(std::time::Instant::now() < deadline, "not counted as {cause}");
    }
    ensure!(!lab.has(to, &frame[frame.len() - 8..]), "arrived");
    Ok(())
}

fn with(more: Vec<PolicyItem>) -> Result<Vec<NetworkItem>> {
    let mut all = policy(true)?;
    all.extend(more.into_iter().map(NetworkItem::Policy));
    Ok(all)
}

fn front_door(bridges_call: &'static str, joined: &'static [(Who, usize)]) -> Result<()> {
    run_on(bridges_call, joined, |lab| async move {
        super::lab::ip(&format!("address add {FRONT}/64 dev br0 nodad"))?;
        let door = |who: Who, instance: Who, port: Option<u16>| -> Result<PolicyItem> {
            Ok(PolicyItem::Door(Door {
                front: FRONT.parse()?,
                source: who.address().into(),
                traffic: port.map(|port| traffic(Protocol::Udp, port)),
                instance: instance.address(),
            }))
        };
        let doors = vec![
            door(Who::Alice, Who::Instance, None)?,
            door(Who::Alice, Who::Far, Some(8080))?,
            door(Who::Bob, Who::Other, None)?,
        ];
        apply(&lab, 1, with(doors)?).await?;
        for (from, to, port) in [
            (Who::Alice, Who::Instance, 80),
            (Who::Alice, Who::Far, 8080),
            (Who::Bob, Who::Other, 80),
        ] {
            let tail = [b"front ", &[from as u8, to as u8][..]].concat();
            let frame = packet::udp(by_host(from, FRONT)?, (7000, port), &tail);
            lab.begin()?;
            lab.send(from, &frame)?;
            let source = lab.source_of(to, &tail, LONG).await;
            ensure!(source == Some(from.address()), "{from:?} to {to:?}: {source:?}");
        }
        // The answer comes from the front door.
        let answer = packet::udp(
            by_host(Who::Instance, &Who::Alice.address().to_string())?,
            (80, 7000),
            b"the answer",
        );
        lab.begin()?;
        lab.send(Who::Instance, &answer)?;
        let source = lab.source_of(Who::Alice, b"the answer", LONG).await;
        ensure!(source == Some(FRONT.parse()?), "{source:?}");
        Ok(())
    })
}

#[test]
fn a_front_door_leads_each_client_to_its_own_instance() -> Result<()> {
    front_door("0", &[])
}

#[test]
fn so_it_does_where_bridged_frames_pass_the_rules_for_routed_packets() -> Result<()> {
    front_door("1", &[])
}

#[test]
fn a_front_door_leads_to_instances_on_joined_bridges() -> Result<()> {
    front_door("0", JOINED)
}

#[test]
fn so_it_does_to_joined_bridges_where_bridged_frames_pass_the_rules_for_routed_packets() -> Result<()> {
    front_door("1", JOINED)
}

#[test]
fn what_goes_to_the_world_has_the_hosts_address_where_it_is_masqueraded() -> Result<()> {
    masquerade("0", &[])
}

#[test]
fn so_has_what_comes_from_a_joined_bridge() -> Result<()> {
    masquerade("0", JOINED)?;
    masquerade("1", JOINED)
}

fn masquerade(bridges_call: &'static str, joined: &'static [(Who, usize)]) -> Result<()> {
    run_on(bridges_call, joined, |lab| async move {
        let address = Who::Instance.address();
        apply(&lab, 1, with(vec![PolicyItem::Nat { address }])?).await?;
        let world = packet::udp(by_host(Who::Instance, "fd50::2")?, (7100, 443), b"to the world");
        lab.begin()?;
        lab.send(Who::Instance, &world)?;
        let source = lab.source_of(Who::World, b"to the world", LONG).await;
        ensure!(source == Some("fd50::1".parse()?), "{source:?}");
        // The answer to the host's address comes back to the instance.
        let back = Ends {
            from_mac: Who::World.mac(),
            to_mac: [2, 0, 0, 0, 0, 3],
            from: Who::World.address(),
            to: "fd50::1".parse()?,
        };
        let answer = packet::udp(back, (443, 7100), b"from the world");
        ensure!(arrives(&lab, Who::World, Who::Instance, &answer, b"he world").await?);
        Ok(())
    })
}

#[test]
fn a_peer_is_reached_one_way_and_on_its_port_alone() -> Result<()> {
    peers(&[])
}

#[test]
fn so_is_a_peer_on_another_bridge_of_the_link() -> Result<()> {
    for joined in [JOINED_TOGETHER, JOINED_ALONE] {
        peers(joined)?;
    }
    Ok(())
}

fn peers(joined: &'static [(Who, usize)]) -> Result<()> {
    run_on("0", joined, |lab| async move {
        let peer = PolicyItem::Peer {
            from: endpoint(Who::Instance),
            to: endpoint(Who::Other),
            traffic: traffic(Protocol::Tcp, 5432),
        };
        apply(&lab, 1, with(vec![peer])?).await?;
        let (there, back) = (direct(Who::Instance, Who::Other), direct(Who::Other, Who::Instance));
        let asks = packet::tcp(there, (7200, 5432), 2, b"to the peer");
        ensure!(arrives(&lab, Who::Instance, Who::Other, &asks, b"the peer").await?);
        let answers = packet::tcp(back, (5432, 7200), 18, b"of the peer");
        ensure!(arrives(&lab, Who::Other, Who::Instance, &answers, b"the peer").await?);
        let begins = packet::tcp(back, (5432, 22), 2, b"peer begins");
        is_dropped(&lab, Who::Other, Who::Instance, &begins, DropCause::Pair).await?;
        let elsewhere = packet::tcp(there, (7201, 22), 2, b"another port");
        is_dropped(&lab, Who::Instance, Who::Other, &elsewhere, DropCause::Pair).await
    })
}

#[test]
fn an_instance_sends_no_more_than_its_rate() -> Result<()> {
    run("0", |lab| async move {
        let rate = PolicyItem::Rate(PortRate {
            port: Who::Instance.port().to_owned(),
            packets: Some(20),
            bytes: None,
        });
        apply(&lab, 1, with(vec![rate])?).await?;
        let frame = packet::udp(direct(Who::Instance, Who::Alice), (7300, 9), b"one of many");
        for _ in 0..2000 {
            lab.send(Who::Instance, &frame)?;
        }
        let dropped = counted(&lab, DropCause::Rate).await?.0.packets;
        ensure!(dropped > 0, "nothing was dropped");
        let other = packet::udp(direct(Who::Other, Who::Bob), (7301, 9), b"of another");
        ensure!(arrives(&lab, Who::Other, Who::Bob, &other, b"another").await?);
        Ok(())
    })
}

#[test]
fn a_port_that_floods_dhcpv6_takes_no_answer_from_others() -> Result<()> {
    run("0", |lab| async move {
        apply(&lab, 1, policy(true)?).await?;
        let solicit = |who: Who, tail: &[u8]| {
            let to = Ends {
                to_mac: packet::group_mac("ff02::1:2".parse()?),
                to: "ff02::1:2".parse()?,
                from: who.link_local(),
                ..direct(who, who)
            };
            Ok::<_, anyhow::Error>(packet::udp(to, (546, 547), &[&[1, 0, 0, 1][..], tail].concat()))
        };
        let flood = solicit(Who::Alice, b"one of many")?;
        let before = counted(&lab, DropCause::Flood).await?.0.packets;
        for _ in 0..20_000 {
            lab.send(Who::Alice, &flood)?;
        }
        let dropped = counted(&lab, DropCause::Flood).await?.0.packets - before;
        ensure!(dropped > 0, "nothing was dropped");
        let other = solicit(Who::Bob, b"of another")?;
        ensure!(arrives(&lab, Who::Bob, Who::Bridge, &other, b"another").await?);
        Ok(())
    })
}

#[test]
fn clients_are_kept_apart_where_their_link_says_so() -> Result<()> {
    run("0", |lab| async move {
        let mut items = policy(true)?;
        let PolicyItem::Link(mut apart) = link("br0", "fd39::/64", true)? else {
            anyhow::bail!("a link");
        };
        apart.clients_together = false;
        items[0] = NetworkItem::Policy(PolicyItem::Link(apart));
        apply(&lab, 1, items).await?;
        let frame = packet::udp(direct(Who::Alice, Who::Bob), (7400, 9), b"to a client");
        is_dropped(&lab, Who::Alice, Who::Bob, &frame, DropCause::Clients).await?;
        let own = packet::udp(direct(Who::Alice, Who::Instance), (7401, 9), b"to its own");
        ensure!(arrives(&lab, Who::Alice, Who::Instance, &own, b"o its own").await?);
        Ok(())
    })
}
