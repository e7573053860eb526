//! Links whose hosts form addresses by themselves: one that nobody has may be used, one that somebody has may not.

use anyhow::{Result, ensure};
use orchestrator_host::{DropCause, Host, LinkPolicy, NetworkItem, PolicyItem};

use super::lab::{Lab, Who, run};
use super::{Case, LONG, apply, is_dropped, policy, tail};
use orchestrator_wire::packet::{self, Ends, Mac};

/// The policy of the lab, where the hosts of the first link form addresses by themselves.
fn with_unbound() -> Result<Vec<NetworkItem>> {
    let mut all = policy(true)?;
    for item in &mut all {
        if let NetworkItem::Policy(PolicyItem::Link(LinkPolicy { bridge, unbound, .. })) = item {
            *unbound = bridge == "br0";
        }
    }
    Ok(all)
}

/// A datagram to Bob from this link-layer and network address.
fn to_bob(mac: Mac, source: &str) -> Result<Vec<u8>> {
    let ends = Ends {
        from_mac: mac,
        to_mac: Who::Bob.mac(),
        from: source.parse()?,
        to: Who::Bob.address(),
    };
    Ok(packet::udp(ends, (7000, 7000), b"unbound!"))
}

/// A neighbour advertisement to Bob for this address, from it.
fn advert(mac: Mac, target: &str) -> Result<Vec<u8>> {
    let ends = Ends {
        from_mac: mac,
        to_mac: Who::Bob.mac(),
        from: target.parse()?,
        to: Who::Bob.address(),
    };
    Ok(packet::advert(ends, target.parse()?, Some(mac)))
}

fn case(name: &'static str, from: Who, frame: Vec<u8>, cause: Option<DropCause>) -> Case {
    Case {
        name,
        from,
        to: Who::Bob,
        cause,
        frame,
    }
}

fn cases() -> Result<Vec<Case>> {
    let (alice, stranger) = (Who::Alice.mac(), Who::Stranger.mac());
    let source = Some(DropCause::Source);
    Ok(vec![
        case(
            "an address of its own making",
            Who::Stranger,
            to_bob(stranger, "fd39::77")?,
            None,
        ),
        case(
            "a link-local address",
            Who::Stranger,
            to_bob(stranger, "fe80::77")?,
            None,
        ),
        case("it is announced", Who::Stranger, advert(stranger, "fd39::77")?, None),
        case(
            "a client's further address",
            Who::Alice,
            to_bob(alice, "fd39::78")?,
            None,
        ),
        case(
            "a client's address",
            Who::Stranger,
            to_bob(stranger, &Who::Alice.address().to_string())?,
            source,
        ),
        case(
            "a client's link-local address",
            Who::Stranger,
            to_bob(stranger, &Who::Alice.link_local().to_string())?,
            source,
        ),
        case(
            "an instance's address",
            Who::Stranger,
            to_bob(stranger, &Who::Instance.address().to_string())?,
            source,
        ),
        case(
            "the host's address",
            Who::Stranger,
            to_bob(stranger, "fd39::1")?,
            source,
        ),
        case(
            "an address of elsewhere",
            Who::Stranger,
            to_bob(stranger, "fd77::1")?,
            source,
        ),
        case(
            "a client's address is announced",
            Who::Stranger,
            advert(stranger, &Who::Alice.address().to_string())?,
            Some(DropCause::Neighbor),
        ),
        case(
            "an instance's address is announced",
            Who::Stranger,
            advert(stranger, &Who::Instance.address().to_string())?,
            Some(DropCause::Neighbor),
        ),
        case(
            "a free address from a client's link-layer address at another port",
            Who::Stranger,
            to_bob(alice, "fd39::79")?,
            Some(DropCause::Place),
        ),
    ])
}

async fn passes(lab: &Lab, case: &Case) -> Result<()> {
    let before = lab.host.policy_counts().await?.causes;
    lab.begin()?;
    lab.send(case.from, &case.frame)?;
    ensure!(lab.arrives(case.to, tail(case), LONG).await, "dropped: {}", case.name);
    ensure!(
        lab.host.policy_counts().await?.causes == before,
        "counted: {}",
        case.name
    );
    Ok(())
}

fn suite(bridges_call: &'static str) -> Result<()> {
    run(bridges_call, |lab| async move {
        apply(&lab, 1, with_unbound()?).await?;
        for case in cases()? {
            match case.cause {
                Some(cause) => is_dropped(&lab, &case, cause).await?,
                None => passes(&lab, &case).await?,
            }
        }
        // Where nothing says that hosts form addresses by themselves, they may not use them.
        apply(&lab, 2, policy(true)?).await?;
        for case in cases()?.into_iter().filter(|case| case.cause.is_none()) {
            let cause = match case.name {
                "it is announced" => DropCause::Neighbor,
                _ => DropCause::Source,
            };
            is_dropped(&lab, &case, cause).await?;
        }
        Ok(())
    })
}

#[test]
fn an_address_that_nobody_has_may_be_used_and_one_that_somebody_has_may_not() -> Result<()> {
    suite("0")
}

#[test]
fn the_same_where_bridged_frames_pass_the_rules_for_routed_packets() -> Result<()> {
    suite("1")
}
