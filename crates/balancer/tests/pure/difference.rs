//! From what is in force to what is desired.

use std::collections::BTreeMap;
use std::sync::Arc;

use orchestrator_balancer::{
    Actual, Admin, Challenge, Desired, Difference, Kind, MapKey, Material, Pools, Reload, Target, Use, difference, plan,
};
use orchestrator_model::EndpointState::{self, Draining, Failing, Serving, Starting};
use orchestrator_model::{Endpoints, ServiceEndpoints};
use proptest::prelude::*;

use crate::fixture::{encrypted, endpoints, pem, service};
use crate::model;

const FRAME: &str = "f";

/// Takes a step, whether it is done by that or not.
fn take(actual: &mut Actual, step: &orchestrator_balancer::Step) {
    let _is_done = model::take(actual, step);
}

/// A HAProxy that has just read a configuration without servers.
fn empty() -> Actual {
    Actual {
        frame: FRAME.to_owned(),
        sizes: [(Kind::Spread, 8), (Kind::Sticky, 8)].into(),
        ..Actual::default()
    }
}

fn steps(actual: &Actual, desired: &Desired) -> Vec<orchestrator_balancer::Step> {
    match difference(actual, desired, FRAME) {
        Difference::Steps(steps) => steps,
        Difference::Reload(reason) => panic!("it wants a reload: {}", reason.word()),
    }
}

/// The routes that have a server that connections may lead to.
fn served(actual: &Actual) -> Vec<String> {
    let has_server = |backend: &String| {
        let servers = backend.parse().ok().and_then(|id| actual.servers.get(&id));
        servers.is_some_and(|servers| servers.values().any(|server| server.admin == Admin::Ready))
    };
    let of = |map: &'static str, routes: &BTreeMap<MapKey, String>| -> Vec<(String, String)> {
        let each = routes.iter();
        each.map(|(key, backend)| (format!("{map} {key}"), backend.clone()))
            .collect()
    };
    let all = [of("plain", &actual.plain), of("encrypted", &actual.encrypted)].concat();
    let each = all.into_iter().filter(|(_, backend)| has_server(backend));
    each.map(|(route, _)| route).collect()
}

/// Whether everything that is desired is in force.
fn agrees(actual: &Actual, desired: &Desired) -> bool {
    let text = |map: &BTreeMap<MapKey, Target>| -> BTreeMap<MapKey, String> {
        map.iter()
            .map(|(key, target)| (key.clone(), target.to_string()))
            .collect()
    };
    let serving = |(id, backend): (&_, &orchestrator_balancer::Backend)| {
        let wanted = backend.servers.iter().filter(|(_, server)| server.state == Use::Serve);
        let mut wanted = wanted.map(|(name, server)| (*name, server.address));
        wanted.all(|(name, address)| {
            let found = actual.servers.get(id).and_then(|servers| servers.get(&name));
            found.is_some_and(|found| found.admin == Admin::Ready && found.is_checked && found.address == address)
        })
    };
    let shown = desired
        .certificates
        .keys()
        .all(|name| actual.shown.get(name).is_some_and(|lines| lines.len() == 1));
    actual.plain == text(&desired.plain)
        && actual.encrypted == text(&desired.encrypted)
        && desired.backends.iter().all(serving)
        && shown
        && actual.certificates.len() == desired.certificates.len()
}

#[test]
fn a_new_instance_is_added_checked_and_led_to_and_the_old_one_drains_before_it_goes() {
    let web = |members: &[(u8, EndpointState)]| {
        let all = endpoints(&[("web", service(&[("web.example", "/")], members))]);
        plan(&all, &Material::default(), Pools::new(8)).desired
    };
    let mut actual = empty();
    let words = |actual: &mut Actual, desired: &Desired| -> Vec<String> {
        let steps = steps(actual, desired);
        steps.iter().for_each(|step| take(actual, step));
        steps.iter().map(ToString::to_string).collect()
    };
    let (one, two) = ("spread-0/i010101010101", "spread-0/i020202020202");
    let first = web(&[(1, Serving)]);
    assert_eq!(
        words(&mut actual, &first),
        [
            &format!("add server {one}"),
            &format!("check server {one}"),
            &format!("enable server {one}"),
            "replace plain.map"
        ]
    );
    assert!(words(&mut actual, &first).is_empty());
    let second = web(&[(1, Draining), (2, Serving)]);
    actual
        .servers
        .values_mut()
        .flat_map(BTreeMap::values_mut)
        .for_each(|server| server.sessions = 3);
    assert_eq!(
        words(&mut actual, &second),
        [
            format!("add server {two}"),
            format!("check server {two}"),
            format!("enable server {two}"),
            format!("drain server {one}")
        ]
    );
    assert!(words(&mut actual, &second).is_empty(), "it has connections");
    actual
        .servers
        .values_mut()
        .flat_map(BTreeMap::values_mut)
        .for_each(|server| server.sessions = 0);
    assert_eq!(
        words(&mut actual, &second),
        [format!("disable server {one}"), format!("remove server {one}")]
    );
    assert!(words(&mut actual, &second).is_empty());
}

#[test]
fn connections_to_an_instance_that_is_gone_are_closed() {
    let web = |members: &[(u8, EndpointState)]| {
        let all = endpoints(&[("web", service(&[("web.example", "/")], members))]);
        plan(&all, &Material::default(), Pools::new(8)).desired
    };
    let mut actual = empty();
    steps(&actual.clone(), &web(&[(1, Serving)]))
        .iter()
        .for_each(|step| take(&mut actual, step));
    actual
        .servers
        .values_mut()
        .flat_map(BTreeMap::values_mut)
        .for_each(|server| server.sessions = 3);
    let steps: Vec<String> = steps(&actual, &web(&[])).iter().map(ToString::to_string).collect();
    let of = |verb: &str| format!("{verb} server spread-0/i010101010101");
    assert_eq!(
        steps,
        [
            of("drain"),
            "close the connections of server spread-0/i010101010101".to_owned(),
            of("disable"),
            of("remove")
        ]
    );
}

#[test]
fn only_a_new_frame_or_too_few_backends_want_a_reload() {
    let all = endpoints(&[("web", service(&[("web.example", "/")], &[]))]);
    let desired = plan(&all, &Material::default(), Pools::new(8)).desired;
    let reload = |actual: &Actual| match difference(actual, &desired, FRAME) {
        Difference::Reload(reason) => Some(reason),
        Difference::Steps(_) => None,
    };
    assert_eq!(reload(&empty()), None);
    assert_eq!(reload(&Actual::default()), Some(Reload::First));
    assert_eq!(
        reload(&Actual {
            frame: "g".to_owned(),
            ..empty()
        }),
        Some(Reload::Frame)
    );
    assert_eq!(
        reload(&Actual {
            sizes: BTreeMap::new(),
            ..empty()
        }),
        Some(Reload::Backends)
    );
}

fn any_service() -> impl Strategy<Value = ServiceEndpoints> {
    let state = prop::sample::select(vec![Starting, Serving, Serving, Failing, Draining]);
    let routes = prop::sample::subsequence(
        vec![("a.example", "/"), ("b.example", "/x"), ("*.c.example", "/")],
        0..=3,
    );
    let members = prop::collection::btree_map(1_u8..6, state, 0..4);
    (routes, members, any::<(bool, bool, bool)>()).prop_map(|(routes, members, (sticky, proxy, tls))| {
        let members: Vec<(u8, EndpointState)> = members.into_iter().collect();
        let mut made = service(&routes, &members);
        (made.sticky, made.proxy_protocol) = (sticky, proxy);
        match tls {
            true => encrypted(made),
            false => made,
        }
    })
}

fn any_endpoints() -> impl Strategy<Value = Endpoints> {
    prop::collection::btree_map("[a-d]", any_service().prop_map(Arc::new), 0..4)
        .prop_map(|services| Endpoints { index: 1, services })
}

fn any_material() -> impl Strategy<Value = Material> {
    let certificates = prop::collection::btree_map(
        prop::sample::select(vec!["a.example", "b.example", "*.c.example"]),
        prop::sample::select(vec!["QUJD", "QUJE", "QUJF"]),
        0..3,
    );
    (certificates, any::<bool>()).prop_map(|(certificates, challenge)| Material {
        certificates: certificates
            .into_iter()
            .map(|(host, content)| (host.parse().unwrap(), pem(content)))
            .collect(),
        challenges: challenge
            .then(|| Challenge::new("a", "a.b").unwrap())
            .into_iter()
            .collect(),
    })
}

proptest! {
    /// Through any series of desired states, the steps lead to each of them; and what is served before and after a change
    /// is served at every moment of it.
    #[test]
    fn steps_lead_to_what_is_desired(
        changes in prop::collection::vec((any_endpoints(), any_material()), 1..6),
        sessions in prop::collection::vec(0_u64..3, 16),
    ) {
        let (mut actual, mut pools) = (empty(), Pools::new(8));
        let mut sessions = sessions.into_iter().cycle();
        for (endpoints, material) in changes {
            let desired = plan(&endpoints, &material, pools).desired;
            pools = desired.pools.clone();
            for server in actual.servers.values_mut().flat_map(BTreeMap::values_mut) {
                server.sessions = sessions.next().unwrap();
            }
            let before = served(&actual);
            let mut after = actual.clone();
            let planned = steps(&actual, &desired);
            planned.iter().for_each(|step| take(&mut after, step));
            let stays: Vec<&String> = before.iter().filter(|route| served(&after).contains(route)).collect();
            for step in &planned {
                model::take(&mut actual, step);
                let now = served(&actual);
                prop_assert!(stays.iter().all(|route| now.contains(route)), "{} after {}", now.join(" "), step);
            }
            prop_assert!(agrees(&actual, &desired), "{:?} is not {:?}", actual, desired);
            // When the last connection is gone, so is what drained.
            for _ in 0..3 {
                actual.servers.values_mut().flat_map(BTreeMap::values_mut).for_each(|server| server.sessions = 0);
                steps(&actual, &desired).iter().for_each(|step| take(&mut actual, step));
            }
            prop_assert!(steps(&actual, &desired).is_empty());
            let ready = |server: &orchestrator_balancer::ActualServer| server.admin == Admin::Ready;
            prop_assert!(actual.servers.values().flatten().all(|(_, server)| ready(server)));
        }
    }
}
