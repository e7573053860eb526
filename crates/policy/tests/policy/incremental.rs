//! Owner by owner gives the same as all at once.

use std::collections::BTreeMap;

use orchestrator_host::{PolicyItem, PolicyKey};
use orchestrator_model::{Access, Instance, Phase, Timestamp};
use orchestrator_policy::{Delta, OwnerFacts, Policy};
use proptest::prelude::*;

use crate::fixture::{client, facts, instance, lease, links};

const DOOR: &str = "front_door = \"fd39::d0\"\nbind_ports = true";

/// A host that applies every delta as it is.
#[derive(Default)]
struct Applied(BTreeMap<PolicyKey, PolicyItem>);

impl Applied {
    fn apply(&mut self, delta: Delta) {
        for key in delta.remove {
            assert!(self.0.remove(&key).is_some(), "{key} was never there");
        }
        for item in delta.set {
            self.0.insert(item.key(), item);
        }
    }

    fn all(self) -> Vec<PolicyItem> {
        self.0.into_values().collect()
    }
}

fn any_instance(number: u8) -> impl Strategy<Value = Instance> {
    let slot = prop::sample::select(vec![("web", "fd39::2:1"), ("db", "fd39::2:2"), ("db", "fd39::2:3")]);
    let phase = prop::sample::select(vec![Phase::Pending, Phase::Ready]);
    let access = prop::sample::select(vec![
        "",
        "open = [\"tcp/80\"]",
        "peers = [\"db\", \"web\"]",
        "egress = [\"::/0\"]\nnat = true",
    ]);
    (slot, phase, access).prop_map(move |((slot, at), phase, keys)| {
        let text = format!("[template.a]\nimage = \"a\"\n{keys}");
        let settings = orchestrator_settings::parse(&text, std::iter::empty()).unwrap();
        let access: Access = settings.templates["a"].access.clone();
        Instance {
            phase,
            ..instance(number, slot, at, access)
        }
    })
}

/// Facts of one of four clients, some of whom claim the same link-local or link-layer address.
fn any_facts() -> impl Strategy<Value = OwnerFacts> {
    (0_u8..4).prop_flat_map(|number| {
        let leases = prop::sample::subsequence(vec!["fd39::1:1", "fd39::1:2", "fd77::/64"], 0..=3);
        let places = prop::collection::vec((0_u8..3, 0_u8..3, 0_i64..3), 3);
        let instances = prop::collection::vec(any_instance(number), 0..3);
        (leases, places, instances).prop_map(move |(leases, places, instances)| {
            let leases = leases
                .into_iter()
                .zip(places)
                .map(|(leased, (mac, link_local, granted))| {
                    let mut held = lease(number, leased);
                    held.granted_to.link_layer = lease(mac, leased).granted_to.link_layer;
                    held.granted_to.link_local = lease(link_local, leased).granted_to.link_local;
                    held.granted = Timestamp(granted);
                    held
                });
            OwnerFacts {
                leases: leases.collect(),
                ..facts(number, &[], instances)
            }
        })
    })
}

proptest! {
    #[test]
    fn changes_one_by_one_lead_to_the_same_as_the_last_facts_of_all(all in prop::collection::vec(any_facts(), 0..24)) {
        let mut policy = Policy::new(links(DOOR));
        let mut applied = Applied::default();
        for item in policy.whole() {
            applied.0.insert(item.key(), item);
        }
        let mut last = BTreeMap::new();
        for facts in all {
            applied.apply(policy.set_owner(&facts));
            last.insert(facts.owner.clone(), facts);
        }
        let mut at_once = Policy::new(links(DOOR));
        // In another order than the one in which they came.
        for facts in last.values().rev() {
            at_once.set_owner(facts);
        }
        prop_assert_eq!(policy.whole(), at_once.whole());
        prop_assert_eq!(applied.all(), at_once.whole());
    }

    #[test]
    fn changes_laid_over_each_other_are_as_if_applied_one_by_one(all in prop::collection::vec(any_facts(), 0..12)) {
        let mut policy = Policy::new(links(DOOR));
        let mut whole = Delta::default();
        let mut applied: BTreeMap<_, _> = policy.whole().into_iter().map(|item| (item.key(), item)).collect();
        for facts in &all {
            whole.then(policy.set_owner(facts));
        }
        whole.remove.iter().for_each(|key| drop(applied.remove(key)));
        applied.extend(whole.set.into_iter().map(|item| (item.key(), item)));
        prop_assert_eq!(applied.into_values().collect::<Vec<_>>(), policy.whole());
    }
}

#[test]
fn what_a_client_renews_unchanged_changes_nothing() {
    let mut policy = Policy::new(links(DOOR));
    let one = facts(1, &["fd39::1:1"], Vec::new());
    assert!(!policy.set_owner(&one).is_empty());
    assert!(policy.set_owner(&one).is_empty());
}

#[test]
fn the_first_who_asked_from_a_link_local_address_has_it_until_it_goes() {
    let mut policy = Policy::new(links(""));
    policy.set_owner(&facts(1, &["fd39::1:1"], Vec::new()));
    let mut rival = facts(2, &["fd39::1:2"], Vec::new());
    rival.leases[0].granted_to.link_local = Some("fe80::1".parse().unwrap());
    let delta = policy.set_owner(&rival);
    assert_eq!((delta.set.len(), delta.remove.len()), (1, 0), "its own lease alone");
    let delta = policy.set_owner(&OwnerFacts::nothing(client(1)));
    let link_local =
        |item: &PolicyItem| matches!(item, PolicyItem::Client(of) if of.prefix.addr().is_unicast_link_local());
    assert!(delta.set.iter().any(link_local), "{delta:?}");
}

#[test]
fn the_cost_of_one_change_does_not_grow_with_the_number_of_clients() {
    let mut policy = Policy::new(links(DOOR));
    let change = |policy: &mut Policy| {
        let delta = policy.set_owner(&facts(1, &["fd39::1:1"], Vec::new()));
        policy.set_owner(&OwnerFacts::nothing(client(1)));
        delta
    };
    let alone = change(&mut policy);
    for number in 2..=255 {
        policy.set_owner(&facts(number, &[&format!("fd39::1:{number:x}")], Vec::new()));
    }
    assert_eq!(change(&mut policy), alone);
}
