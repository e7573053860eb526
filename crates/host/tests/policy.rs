//! The policy as plain values, and as a fake host keeps it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use orchestrator_host::fake::{FakeMachine, MachineSettings};
use orchestrator_host::{
    Applied, ClientBinding, Destination, Door, DropCause, Endpoint, Host, InstanceBinding, LinkPolicy, NetworkChange,
    NetworkItem, NetworkKey, NetworkPart, Pair, PolicyItem, PolicyKey, PortRate, PortRole, Protocol, Traffic,
};

const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 0xc1];

fn web() -> Traffic {
    Traffic {
        protocol: Protocol::Tcp,
        first: 80,
        last: 80,
    }
}

fn endpoint(number: u8) -> Endpoint {
    Endpoint {
        port: format!("or{number}"),
        mac: [2, 0, 0, 0, 0, number],
        address: format!("fd39::1:{number:x}").parse().unwrap(),
    }
}

fn pair(number: u8) -> Pair {
    Pair {
        client: Some(CLIENT),
        source: "fd39::c1/128".parse().unwrap(),
        instance: endpoint(number),
    }
}

/// One item of each kind.
fn items() -> Vec<PolicyItem> {
    let address = endpoint(1).address;
    vec![
        PolicyItem::Link(LinkPolicy {
            bridge: "br0".to_owned(),
            prefix: "fd39::/64".parse().unwrap(),
            others: PortRole::Client,
            unbound: false,
            clients_together: true,
            ipv4: false,
            enforce: true,
        }),
        PolicyItem::Port {
            port: "eth0".to_owned(),
            role: PortRole::Router,
        },
        PolicyItem::Client(ClientBinding {
            bridge: "br0".to_owned(),
            port: Some("tap1".to_owned()),
            mac: CLIENT,
            prefix: "fd39::c1/128".parse().unwrap(),
        }),
        PolicyItem::Instance(InstanceBinding {
            bridge: "br0".to_owned(),
            port: "or1".to_owned(),
            mac: endpoint(1).mac,
            prefix: address.into(),
        }),
        PolicyItem::Pair(pair(1)),
        PolicyItem::Peer {
            from: endpoint(1),
            to: endpoint(2),
            traffic: web(),
        },
        PolicyItem::Open {
            to: endpoint(1),
            traffic: web(),
        },
        PolicyItem::Egress {
            address,
            to: vec![Destination {
                prefix: "::/0".parse().unwrap(),
                traffic: Some(web()),
            }],
        },
        PolicyItem::Nat { address },
        PolicyItem::Rate(PortRate {
            port: "or1".to_owned(),
            packets: Some(1000),
            bytes: None,
        }),
        PolicyItem::Service {
            address: "fd39::1".parse().unwrap(),
            traffic: web(),
        },
        PolicyItem::Door(Door {
            front: "fd39::d0".parse().unwrap(),
            source: "fd39::c1/128".parse().unwrap(),
            traffic: None,
            instance: address,
        }),
    ]
}

fn all(items: &[PolicyItem]) -> Vec<NetworkItem> {
    items.iter().cloned().map(NetworkItem::Policy).collect()
}

#[test]
fn every_item_survives_a_wire_and_has_a_key_and_a_name_of_its_own() -> Result<()> {
    let items = items();
    for item in &items {
        let written = serde_json::to_string(&NetworkItem::Policy(item.clone()))?;
        let read: NetworkItem = serde_json::from_str(&written)?;
        assert_eq!(read, NetworkItem::Policy(item.clone()), "{written}");
        let key = serde_json::to_string(&read.key())?;
        assert_eq!(serde_json::from_str::<NetworkKey>(&key)?, read.key(), "{key}");
    }
    let keys: BTreeSet<_> = items.iter().map(PolicyItem::key).collect();
    let names: BTreeSet<_> = keys.iter().map(ToString::to_string).collect();
    assert_eq!((keys.len(), names.len()), (items.len(), items.len()));
    Ok(())
}

#[test]
fn every_cause_has_a_word_of_its_own() {
    let words: BTreeSet<_> = DropCause::ALL.iter().map(|cause| cause.code()).collect();
    assert_eq!(words.len(), DropCause::ALL.len());
}

#[tokio::test]
async fn a_fake_host_keeps_the_policy() -> Result<()> {
    let machine = FakeMachine::new(MachineSettings::default());
    let host = machine.host("local");
    let part = NetworkPart::Policy;
    let more = PolicyItem::Pair(pair(2));
    let difference = NetworkChange::Difference {
        set: all(std::slice::from_ref(&more)),
        remove: vec![NetworkKey::Policy(pair_key())],
    };
    let refused = host.apply(&part, 1, 2, &difference).await?;
    assert_eq!(refused, Applied::NeedsWhole { at: None });
    host.apply(&part, 0, 1, &NetworkChange::Whole(all(&items()))).await?;
    assert_eq!(policy(&machine).len(), items().len());
    assert_eq!(host.apply(&part, 1, 2, &difference).await?, Applied::Done);
    let kept = policy(&machine);
    assert!(
        kept.contains_key(&more.key()) && !kept.contains_key(&pair_key()),
        "{kept:?}"
    );
    // The whole also removes what it does not have.
    let whole = NetworkChange::Whole(all(std::slice::from_ref(&more)));
    host.apply(&part, 2, 3, &whole).await?;
    assert_eq!(policy(&machine).into_values().collect::<Vec<_>>(), [more]);
    assert_eq!(host.teardown().await?, ["the policy"]);
    assert!(policy(&machine).is_empty());
    assert_eq!(
        host.apply(&part, 3, 4, &difference).await?,
        Applied::NeedsWhole { at: None }
    );
    Ok(())
}

fn pair_key() -> PolicyKey {
    PolicyItem::Pair(pair(1)).key()
}

fn policy(machine: &FakeMachine) -> BTreeMap<PolicyKey, PolicyItem> {
    machine.with(|state| state.policy.clone())
}
