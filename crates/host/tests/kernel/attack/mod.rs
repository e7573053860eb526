//! Every forbidden way, tried on the real kernel: each gets through without the rules, and is dropped and counted with
//! them. Honest traffic passes.

mod allowed;
mod cases;
pub(crate) mod lab;
mod taking;
mod unbound;

use std::net::Ipv6Addr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ipnet::Ipv6Net;
use orchestrator_host::{
    Applied, ClientBinding, Count, Destination, DropCause, Endpoint, Host, HostChange, InstanceBinding, LinkPolicy,
    NetworkChange, NetworkItem, NetworkKey, NetworkPart, Pair, PolicyItem, PortRole, Protocol, Traffic, WatchScope,
};
use tokio::sync::mpsc;

use self::cases::Case;
use self::lab::{Lab, Who, run, run_on};

/// What is long enough for a frame to arrive on any machine.
const LONG: Duration = Duration::from_secs(10);

fn traffic(protocol: Protocol, port: u16) -> Traffic {
    Traffic {
        protocol,
        first: port,
        last: port,
    }
}

fn endpoint(who: Who) -> Endpoint {
    Endpoint {
        port: who.port().to_owned(),
        mac: who.mac(),
        address: who.address(),
    }
}

fn link(bridge: &str, prefix: &str, enforce: bool) -> Result<PolicyItem> {
    Ok(PolicyItem::Link(LinkPolicy {
        bridge: bridge.to_owned(),
        prefix: prefix.parse()?,
        others: PortRole::Client,
        unbound: false,
        clients_together: true,
        ipv4: false,
        enforce,
    }))
}

fn client(who: Who, prefix: Ipv6Net) -> PolicyItem {
    PolicyItem::Client(ClientBinding {
        bridge: "br0".to_owned(),
        port: Some(who.port().to_owned()),
        mac: who.mac(),
        prefix,
    })
}

fn pair(who: Who, source: Ipv6Net, instance: Who) -> PolicyItem {
    PolicyItem::Pair(Pair {
        client: (instance != Who::Far).then(|| who.mac()),
        source,
        instance: endpoint(instance),
    })
}

/// The policy of the lab, with a thousand further clients in it.
fn policy(enforce: bool) -> Result<Vec<NetworkItem>> {
    let delegated: Ipv6Net = "fd40:a::/56".parse()?;
    let mut all = vec![link("br0", "fd39::/64", enforce)?, link("br1", "fd3a::/64", enforce)?];
    for (who, role) in [(Who::Router, PortRole::Router), (Who::Relay, PortRole::Relay)] {
        all.push(PolicyItem::Port {
            port: who.port().to_owned(),
            role,
        });
    }
    for (who, own) in [(Who::Alice, Who::Instance), (Who::Bob, Who::Other)] {
        for source in [who.address(), who.link_local()].map(Ipv6Net::from) {
            all.extend([client(who, source), pair(who, source, own)]);
        }
    }
    all.extend([
        client(Who::Alice, delegated),
        pair(Who::Alice, delegated, Who::Instance),
    ]);
    all.push(pair(Who::Alice, Who::Alice.address().into(), Who::Far));
    for (who, bridge) in [(Who::Instance, "br0"), (Who::Other, "br0"), (Who::Far, "br1")] {
        for address in [who.address(), who.link_local()] {
            all.push(PolicyItem::Instance(InstanceBinding {
                bridge: bridge.to_owned(),
                port: who.port().to_owned(),
                mac: who.mac(),
                prefix: address.into(),
            }));
        }
    }
    all.push(PolicyItem::Open {
        to: endpoint(Who::Instance),
        traffic: traffic(Protocol::Tcp, 443),
    });
    all.push(PolicyItem::Egress {
        address: Who::Instance.address(),
        to: vec![Destination {
            prefix: "::/0".parse()?,
            traffic: Some(traffic(Protocol::Udp, 443)),
        }],
    });
    all.push(PolicyItem::Service {
        address: Who::Bridge.address(),
        traffic: traffic(Protocol::Udp, 53),
    });
    for number in 0..1000_u16 {
        let [high, low] = number.to_be_bytes();
        all.push(PolicyItem::Client(ClientBinding {
            bridge: "br0".to_owned(),
            port: None,
            mac: [6, 0, 0, 0, high, low],
            prefix: Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 2, number).into(),
        }));
    }
    Ok(all.into_iter().map(NetworkItem::Policy).collect())
}

async fn apply(lab: &Lab, generation: u64, items: Vec<NetworkItem>) -> Result<()> {
    let whole = NetworkChange::Whole(items);
    let applied = lab.host.apply(&NetworkPart::Policy, 0, generation, &whole).await?;
    ensure!(applied == Applied::Done, "{applied:?}");
    Ok(())
}

fn tail(case: &Case) -> &[u8] {
    &case.frame[case.frame.len() - 8..]
}

async fn counted(lab: &Lab, cause: DropCause) -> Result<(Count, Count)> {
    let counts = lab.host.policy_counts().await?;
    let of = |all: Option<&Count>| all.copied().unwrap_or_default();
    let somebody = counts.ports.values().chain(counts.routed.values());
    let of_somebody = somebody.map(|causes| of(causes.get(&cause)));
    let sum = of_somebody.fold(Count::default(), |sum, one| Count {
        packets: sum.packets + one.packets,
        bytes: sum.bytes + one.bytes,
    });
    Ok((of(counts.causes.get(&cause)), sum))
}

/// Without the rules, everything arrives. It is sent again meanwhile: for a moment after the rules have gone, the kernel goes
/// on tracking connections for them, and keeps fragments back until it has the whole.
async fn arrives_without_rules(lab: &Lab) -> Result<()> {
    const AGAIN: Duration = Duration::from_millis(100);
    for case in cases::all() {
        lab.begin()?;
        let deadline = Instant::now() + LONG;
        let mut arrived = false;
        while !arrived {
            ensure!(Instant::now() < deadline, "without rules: {}", case.name);
            lab.send(case.from, &case.frame)?;
            arrived = lab.arrives(case.to, tail(&case), AGAIN).await;
        }
    }
    Ok(())
}

/// An attack is counted, in all and for its sender, and does not arrive.
async fn is_dropped(lab: &Lab, case: &Case, cause: DropCause) -> Result<()> {
    let (before, of_senders) = counted(lab, cause).await?;
    lab.begin()?;
    lab.send(case.from, &case.frame)?;
    let deadline = Instant::now() + LONG;
    loop {
        let (now, now_of_senders) = counted(lab, cause).await?;
        if now.packets > before.packets && now_of_senders.packets > of_senders.packets {
            break;
        }
        let all = lab.host.policy_counts().await?.causes;
        ensure!(
            Instant::now() < deadline,
            "{}: not counted as {cause}: {all:?}",
            case.name
        );
    }
    ensure!(!lab.has(case.to, tail(case)), "{}: was counted, and arrived", case.name);
    Ok(())
}

async fn all_is_dropped_and_the_honest_passes(lab: &Lab) -> Result<()> {
    let mut attacks = 0;
    for case in cases::all() {
        match case.cause {
            Some(cause) => {
                is_dropped(lab, &case, cause).await?;
                attacks += 1;
            }
            None => {
                let before = lab.host.policy_counts().await?.causes;
                lab.begin()?;
                lab.send(case.from, &case.frame)?;
                ensure!(
                    lab.arrives(case.to, tail(&case), LONG).await,
                    "honest, and dropped: {}",
                    case.name
                );
                let after = lab.host.policy_counts().await?.causes;
                ensure!(
                    before == after,
                    "honest, and counted: {}: {before:?} {after:?}",
                    case.name
                );
            }
        }
    }
    ensure!(attacks >= 40, "{attacks} attacks");
    Ok(())
}

fn suite(bridges_call: &'static str, joined: &'static [(Who, usize)]) -> Result<()> {
    run_on(bridges_call, joined, move |lab| async move {
        arrives_without_rules(&lab).await?;
        apply(&lab, 1, policy(true)?).await?;
        all_is_dropped_and_the_honest_passes(&lab).await?;
        let gone = lab.host.teardown().await?;
        let rules = gone.first().map(String::as_str);
        ensure!(rules == Some("the rules of the packet filter"), "{gone:?}");
        ensure!(gone.len() == 1 || !joined.is_empty(), "{gone:?}");
        arrives_without_rules(&lab).await
    })
}

/// On bridges that are joined with each other's.
const JOINED: &[(Who, usize)] = &[(Who::Instance, 0), (Who::Other, 1), (Who::Far, 2)];
/// All on one joined bridge of their link.
const JOINED_TOGETHER: &[(Who, usize)] = &[(Who::Instance, 0), (Who::Other, 0), (Who::Far, 2)];
/// One of them on the bridge of the link.
const JOINED_ALONE: &[(Who, usize)] = &[(Who::Instance, 1)];

#[test]
fn every_attack_is_dropped_and_counted_and_the_honest_pass() -> Result<()> {
    suite("0", &[])
}

#[test]
fn the_same_where_bridged_frames_pass_the_rules_for_routed_packets() -> Result<()> {
    suite("1", &[])
}

#[test]
fn every_attack_across_joined_bridges_is_dropped_and_counted_and_the_honest_pass() -> Result<()> {
    suite("0", JOINED)
}

#[test]
fn so_it_is_across_joined_bridges_where_bridged_frames_pass_the_rules_for_routed_packets() -> Result<()> {
    suite("1", JOINED)
}

#[test]
fn every_attack_on_one_joined_bridge_is_dropped_and_counted_and_the_honest_pass() -> Result<()> {
    suite("0", JOINED_TOGETHER)
}

#[test]
fn every_attack_between_a_joined_bridge_and_its_link_is_dropped_and_counted_and_the_honest_pass() -> Result<()> {
    suite("0", JOINED_ALONE)
}

#[test]
fn where_a_link_enforces_nothing_all_passes_and_is_counted() -> Result<()> {
    run("0", |lab| async move {
        apply(&lab, 1, policy(false)?).await?;
        for case in cases::all() {
            let before = lab.host.policy_counts().await?.causes;
            lab.begin()?;
            lab.send(case.from, &case.frame)?;
            ensure!(
                lab.arrives(case.to, tail(&case), LONG).await,
                "not enforced: {}",
                case.name
            );
            let after = lab.host.policy_counts().await?.causes;
            if let Some(cause) = case.cause {
                let of = |all: &std::collections::BTreeMap<DropCause, Count>| {
                    all.get(&cause).map_or(0, |count| count.packets)
                };
                ensure!(of(&after) > of(&before), "not counted: {}", case.name);
            }
        }
        Ok(())
    })
}

fn attack(name: &str) -> Result<Case> {
    let found = cases::all().into_iter().find(|case| case.name == name);
    found.ok_or_else(|| anyhow::anyhow!("no case {name}"))
}

#[test]
fn rules_that_somebody_flushed_are_back_and_a_new_port_has_its_role() -> Result<()> {
    run("0", |lab| async move {
        apply(&lab, 1, policy(true)?).await?;
        let (sender, mut changes) = mpsc::channel(64);
        let host = lab.host.clone();
        let watch = tokio::spawn(async move { host.watch(WatchScope::Policy, sender).await });
        let mut next = async || tokio::time::timeout(LONG, changes.recv()).await;
        ensure!(next().await? == Some(HostChange::Policy));
        let case = attack("a client advertises another's address")?;
        ensure!(Command::new("nft").args(["flush", "ruleset"]).status()?.success());
        ensure!(next().await? == Some(HostChange::Policy), "the flush is noticed");
        is_dropped(&lab, &case, DropCause::Neighbor).await?;
        ensure!(lab.host.policy_counts().await?.rebuilt == 1);
        // The port leaves its bridge and comes back, as a new one does.
        for (word, has_role) in [("nomaster", false), ("master br0", true)] {
            lab::ip(&format!("link set pa {word}"))?;
            let deadline = Instant::now() + LONG;
            while roles()?.contains("\"pa\"") != has_role {
                ensure!(Instant::now() < deadline, "the role of a port after {word}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        is_dropped(&lab, &case, DropCause::Neighbor).await?;
        drop(changes);
        watch.await?;
        Ok(())
    })
}

#[test]
fn the_whole_of_nothing_removes_the_tables_also_those_of_an_earlier_daemon() -> Result<()> {
    run("0", |lab| async move {
        let tables = || -> Result<String> {
            let output = Command::new("nft").args(["list", "tables"]).output()?;
            Ok(String::from_utf8(output.stdout)?)
        };
        apply(&lab, 1, policy(true)?).await?;
        ensure!(tables()?.contains("orchestrator-"));
        // One that has applied something, and one that has just begun.
        for host in [lab.host.clone(), lab.another()?] {
            let nothing = NetworkChange::Whole(Vec::new());
            ensure!(host.apply(&NetworkPart::Policy, 0, 2, &nothing).await? == Applied::Done);
            ensure!(!tables()?.contains("orchestrator-"), "{}", tables()?);
            apply(&lab, 3, policy(true)?).await?;
        }
        is_dropped(
            &lab,
            &attack("a client advertises another's address")?,
            DropCause::Neighbor,
        )
        .await
    })
}

#[test]
fn a_difference_changes_only_what_it_names_and_needs_its_generation() -> Result<()> {
    run("0", |lab| async move {
        apply(&lab, 1, policy(true)?).await?;
        let part = NetworkPart::Policy;
        let case = attack("a client connects to another's instance")?;
        let pair = pair(Who::Alice, Who::Alice.address().into(), Who::Other);
        let set = NetworkChange::Difference {
            set: vec![NetworkItem::Policy(pair.clone())],
            remove: Vec::new(),
        };
        let refused = lab.host.apply(&part, 7, 8, &set).await?;
        ensure!(refused == Applied::NeedsWhole { at: Some(1) }, "{refused:?}");
        is_dropped(&lab, &case, DropCause::Pair).await?;
        ensure!(lab.host.apply(&part, 1, 2, &set).await? == Applied::Done);
        lab.begin()?;
        lab.send(case.from, &case.frame)?;
        ensure!(lab.arrives(case.to, tail(&case), LONG).await, "it is allowed now");
        ensure!(lab.host.policy_counts().await?.used.contains_key(Who::Other.port()));
        let remove = NetworkChange::Difference {
            set: Vec::new(),
            remove: vec![NetworkKey::Policy(pair.key())],
        };
        ensure!(lab.host.apply(&part, 2, 3, &remove).await? == Applied::Done);
        is_dropped(&lab, &case, DropCause::Pair).await
    })
}

/// The ports that have a role, as `nft` shows them.
fn roles() -> Result<String> {
    let table = format!("orchestrator-{}", lab::SITE);
    let output = Command::new("nft")
        .args(["list", "map", "bridge", &table, "o_role"])
        .output()?;
    Ok(String::from_utf8(output.stdout)?)
}
