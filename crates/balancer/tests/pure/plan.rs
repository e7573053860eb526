//! What the balancer is to do.

use std::sync::Arc;

use orchestrator_balancer::{Actual, ActualServer, Admin, Kind, Material, Plan, Pools, ServerName, Target, Use, plan};
use orchestrator_model::{EndpointState, Endpoints, Transport};

use crate::fixture::{certificate_for, encrypted, endpoints, id, service};

fn planned(endpoints: &Endpoints) -> Plan {
    plan(endpoints, &Material::default(), Pools::default())
}

fn routes(plan: &Plan) -> Vec<String> {
    let each = plan.desired.plain.iter();
    each.map(|(key, target)| format!("{key} {target}")).collect()
}

#[test]
fn each_port_that_is_led_to_has_a_backend_and_its_instances_are_the_servers() {
    use EndpointState::{Draining, Failing, Serving, Starting};
    let web = service(
        &[("web.example", "/"), ("*.web.example", "/api")],
        &[(1, Serving), (2, Draining), (3, Failing), (4, Starting)],
    );
    let plan = planned(&endpoints(&[("web", web), ("unseen", service(&[], &[(5, Serving)]))]));
    assert_eq!(routes(&plan), ["*.web.example/api/ spread-0", "web.example/ spread-0"]);
    let backend = plan.desired.backends.values().next().unwrap();
    let states: Vec<Use> = backend.servers.values().map(|server| server.state).collect();
    assert_eq!(states, [Use::Serve, Use::Drain, Use::Drain, Use::Drain]);
    assert_eq!((plan.desired.backends.len(), plan.desired.index), (1, 7));
    assert!(plan.refused.is_empty());
}

#[test]
fn a_route_with_tls_is_redirected_and_shows_its_certificate() {
    let web = encrypted(service(&[("web.example", "/"), ("www.web.example", "/")], &[]));
    let all = endpoints(&[("web", web)]);
    let material = certificate_for(&["web.example", "www.web.example", "other.example"]);
    let plan = plan(&all, &material, Pools::default());
    assert!(plan.desired.plain.values().all(|target| *target == Target::Redirect));
    assert_eq!(plan.desired.encrypted.len(), 2);
    let certificates: Vec<_> = plan.desired.certificates.values().collect();
    assert_eq!((certificates.len(), certificates[0].hosts.len()), (1, 2));
    assert!(
        planned(&all).desired.certificates.is_empty(),
        "a name is there before its certificate"
    );
}

#[test]
fn what_cannot_be_had_is_refused_and_the_rest_is_not_affected() {
    let mut odd = service(
        &[
            ("odd.example", "/"),
            ("Bad Host", "/"),
            ("a.example", "no-path"),
            ("b.example", "/"),
        ],
        &[],
    );
    odd.routes[3].port = "nosuch".to_owned();
    let mut udp = service(&[("udp.example", "/")], &[]);
    udp.ports.get_mut("http").unwrap().transport = Transport::Udp;
    let later = service(&[("odd.example", "//")], &[]);
    let plan = planned(&endpoints(&[("odd", odd), ("udp", udp), ("web", later)]));
    assert_eq!(routes(&plan), ["odd.example/ spread-0"]);
    let reasons: Vec<&str> = plan.refused.iter().map(|refused| refused.reason.as_str()).collect();
    assert_eq!(reasons.len(), 5);
    for (reason, word) in reasons
        .iter()
        .zip(["host name", "path", "no port", "not TCP", "service odd has it"])
    {
        assert!(reason.contains(word), "{reason}");
    }
}

#[test]
fn a_service_keeps_its_backend_while_others_come_and_go() {
    let of = |name: &str| service(&[(&format!("{name}.example"), "/")], &[]);
    let first = planned(&endpoints(&[("b", of("b")), ("c", of("c"))]));
    assert_eq!(routes(&first), ["b.example/ spread-0", "c.example/ spread-1"]);
    // A backend that was freed is given out one plan later: nobody who asks for the old service reaches the new one.
    let both = endpoints(&[("a", of("a")), ("c", of("c"))]);
    let at_once = plan(&both, &Material::default(), first.desired.pools.clone());
    assert_eq!(routes(&at_once), ["a.example/ spread-2", "c.example/ spread-1"]);
    let without = plan(&endpoints(&[("c", of("c"))]), &Material::default(), first.desired.pools);
    let idle = plan(
        &endpoints(&[("c", of("c"))]),
        &Material::default(),
        without.desired.pools,
    );
    let second = plan(&both, &Material::default(), idle.desired.pools);
    assert_eq!(routes(&second), ["a.example/ spread-0", "c.example/ spread-1"]);
    let mut sticky = of("c");
    sticky.sticky = true;
    let third = plan(&endpoints(&[("c", sticky)]), &Material::default(), second.desired.pools);
    assert_eq!(routes(&third), ["c.example/ sticky-0"]);
}

#[test]
fn a_configuration_has_spare_backends_and_grows_by_as_many_when_none_is_left() {
    let of = |n: usize| {
        let of = service(&[(&format!("s{n}.example"), "/")], &[]);
        (format!("s{n}"), Arc::new(of))
    };
    let all = |count: usize| Endpoints {
        index: 1,
        services: (0..count).map(of).collect(),
    };
    let full = plan(&all(3), &Material::default(), Pools::new(3)).desired.pools;
    assert_eq!(full.sizes()[&Kind::Spread], 3);
    let more = plan(&all(4), &Material::default(), full).desired.pools;
    assert_eq!(more.sizes()[&Kind::Spread], 7);
    let fewer = plan(&all(0), &Material::default(), more).desired.pools;
    assert_eq!(fewer.sizes()[&Kind::Spread], 7, "it does not shrink while it runs");
}

#[test]
fn after_a_restart_of_the_daemon_no_server_moves() {
    let of = |name: &str, number| {
        service(
            &[(&format!("{name}.example"), "/")],
            &[(number, EndpointState::Serving)],
        )
    };
    let all = endpoints(&[("a", of("a", 1)), ("b", of("b", 2))]);
    let mut actual = Actual {
        sizes: [(Kind::Spread, 50)].into(),
        ..Actual::default()
    };
    let server = |number: u16| ActualServer {
        address: std::net::SocketAddrV6::new(std::net::Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 0, number), 8080, 0, 0),
        admin: Admin::Ready,
        is_up: true,
        is_checked: true,
        sessions: 0,
    };
    let name = |number| ServerName {
        instance: id(number),
        proxy: false,
    };
    actual
        .servers
        .insert("spread-9".parse().unwrap(), [(name(1), server(1))].into());
    actual
        .servers
        .insert("spread-0".parse().unwrap(), [(name(2), server(2))].into());
    let mut pools = Pools::default();
    pools.adopt(&actual, &all);
    let plan = plan(&all, &Material::default(), pools);
    assert_eq!(routes(&plan), ["a.example/ spread-9", "b.example/ spread-0"]);
    assert_eq!(plan.desired.pools.sizes()[&Kind::Spread], 50);
}
