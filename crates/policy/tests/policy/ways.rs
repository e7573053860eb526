//! The ways from balancers to services, which open by themselves.

use std::collections::BTreeSet;

use orchestrator_host::PolicyItem;
use orchestrator_model::{Access, BALANCER_SERVICE, Instance, Owner, Verdict};
use orchestrator_policy::{Asked, OwnerFacts, Party, Policy, Target, decide, explain};

use crate::fixture::{instance, links};

fn service(name: &str, all: &[(&str, &str)]) -> OwnerFacts {
    let owner = Owner::Service(name.to_owned());
    let one = |(at, open): &(&str, &str)| {
        let text = format!("[template.a]\nimage = \"a\"\nopen = [{open}]");
        let settings = orchestrator_settings::parse(&text, std::iter::empty()).unwrap();
        let access: Access = settings.templates["a"].access.clone();
        Instance {
            owner: owner.clone(),
            ..instance(1, "0", at, access)
        }
    };
    OwnerFacts {
        instances: all.iter().map(one).collect(),
        ..OwnerFacts::nothing(owner.clone())
    }
}

fn web() -> OwnerFacts {
    service(
        "web",
        &[("fd39::2:1", "\"tcp/80\", \"udp/53\""), ("fd39::2:2", "\"tcp/80\"")],
    )
}

fn balancer() -> OwnerFacts {
    service(BALANCER_SERVICE, &[("fd39::2:8", "\"tcp/80\"")])
}

/// Who may connect to what.
fn peers(policy: &Policy) -> BTreeSet<String> {
    let peer = |item: PolicyItem| match item {
        PolicyItem::Peer { from, to, traffic } => Some(format!("{} {} {traffic}", from.address, to.address)),
        _ => None,
    };
    policy.whole().into_iter().filter_map(peer).collect()
}

fn policy(all: &[OwnerFacts]) -> Policy {
    let mut policy = Policy::new(links(""));
    for facts in all {
        policy.set_owner(facts);
    }
    policy
}

#[test]
fn a_balancer_reaches_the_tcp_ports_of_services_in_whatever_order_they_come() {
    let expected = ["fd39::2:8 fd39::2:1 tcp/80", "fd39::2:8 fd39::2:2 tcp/80"].map(str::to_owned);
    assert_eq!(peers(&policy(&[web(), balancer()])), expected.clone().into());
    assert_eq!(peers(&policy(&[balancer(), web()])), expected.into());
    assert_eq!(
        peers(&policy(&[web(), service("db", &[("fd39::2:3", "\"tcp/5432\"")])])),
        [].into()
    );
}

#[test]
fn the_ways_go_with_the_balancer_and_with_the_service() {
    let mut policy = policy(&[balancer(), web()]);
    let gone = policy.set_owner(&OwnerFacts::nothing(balancer().owner));
    assert!(gone.set.is_empty() && peers(&policy).is_empty());
    let back = policy.set_owner(&balancer());
    assert!(back.remove.is_empty());
    assert_eq!(peers(&policy).len(), 2);
    policy.set_owner(&OwnerFacts::nothing(web().owner));
    assert_eq!(peers(&policy), [].into());
    policy.set_owner(&OwnerFacts::nothing(balancer().owner));
    assert_eq!(policy.owned().count(), 0);
}

#[test]
fn the_ways_are_explained_and_decided() {
    let (web, balancer) = (web(), balancer());
    let all = [web.clone(), balancer.clone()];
    let (policy, links) = (policy(&all), links(""));
    let of = |facts| Party::Instance(facts, &facts.instances[0]);
    let verdict = |from, to, ports: Option<&str>| {
        let ports = ports.map(|ports| ports.parse().unwrap());
        let to = Target::Party(to);
        decide(&Asked { from, to, ports }, &links, &policy).verdict
    };
    assert_eq!(verdict(of(&balancer), of(&web), Some("tcp/80")), Verdict::Allowed);
    assert_eq!(verdict(of(&balancer), of(&web), Some("udp/53")), Verdict::Dropped);
    assert_eq!(verdict(of(&web), of(&balancer), Some("tcp/80")), Verdict::Dropped);
    let shown = |facts| -> Vec<String> {
        let rules = explain(of(facts), &links, &policy).rules;
        rules.into_iter().map(|rule| rule.why).collect()
    };
    assert!(shown(&web).iter().any(|why| why.contains("is a balancer")));
    assert!(shown(&balancer).iter().any(|why| why.contains("is a balancer")));
}
