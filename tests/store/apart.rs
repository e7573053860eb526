//! What only one may have: of several that want the same at once, one gets it, and nobody else is refused.

use std::net::Ipv6Addr;

use orchestrator::model::{Holder, Reservation};
use orchestrator::store::{Apart, NewDeploy, RollOutcome, StoreError};

use crate::on_both;
use crate::place::{Place, at, duid};
use crate::services::{new, update};

on_both!(
    of_deployments_at_once_those_with_the_same_route_are_refused_but_one,
    a_version_that_a_service_may_go_back_to_keeps_its_route,
    an_address_is_reserved_or_listened_on_and_never_both,
);

/// A service with a route, which no other service may have.
fn with_route(name: &str, route: &str, seen: Option<u64>) -> NewDeploy {
    let spec = format!("{{\"name\":\"{name}\",\"route\":\"{route}\"}}");
    let own = format!("\"route\":\"{route}\"");
    NewDeploy {
        name: name.to_owned(),
        spec,
        apart: Some(Apart::new(move |held| {
            let has_it = held.version.spec.contains(&own);
            has_it.then(|| format!("{} has it, in force: {}", held.version.service, held.in_force))
        })),
        ..new("a", seen)
    }
}

async fn of_deployments_at_once_those_with_the_same_route_are_refused_but_one(place: Place) {
    let store = place.open().await;
    let all = (0..10).map(|number| {
        let (name, route) = (format!("s{number}"), format!("r{}", number % 5));
        let (store, new) = (store.clone(), with_route(&name, &route, None));
        tokio::spawn(async move { store.deploy_service(new, at(10), None).await })
    });
    let mut refused = 0;
    for deployed in all.collect::<Vec<_>>() {
        match deployed.await.unwrap() {
            Ok(_) => {}
            Err(StoreError::Taken(reason)) => {
                assert!(reason.ends_with("has it, in force: true"), "{reason}");
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(refused, 5, "two wanted each route");
    // Its own version does not count.
    let one = store.services().await.unwrap().remove(0);
    let route = format!("r{}", one.name[1..].parse::<u8>().unwrap() % 5);
    store
        .deploy_service(with_route(&one.name, &route, Some(1)), at(20), None)
        .await
        .unwrap();
}

async fn a_version_that_a_service_may_go_back_to_keeps_its_route(place: Place) {
    let store = place.open().await;
    let first = store
        .deploy_service(with_route("web", "r1", None), at(10), None)
        .await
        .unwrap();
    let good = update(&first, Vec::new(), Some(RollOutcome::Good { version: 1 }));
    store.update_service(good).await.unwrap();
    let second = store
        .deploy_service(with_route("web", "r2", Some(1)), at(20), None)
        .await
        .unwrap();
    for (route, in_force) in [("r1", false), ("r2", true)] {
        let refused = store
            .deploy_service(with_route("shop", route, None), at(30), None)
            .await;
        let expected = format!("web has it, in force: {in_force}");
        assert!(
            matches!(&refused, Err(StoreError::Taken(reason)) if *reason == expected),
            "{refused:?}"
        );
    }
    let held = store.held_service_versions().await.unwrap();
    let held: Vec<_> = held.iter().map(|held| (held.version.version, held.in_force)).collect();
    assert_eq!(held, [(2, true), (1, false)]);
    // As soon as the second one serves, nobody goes back to the first.
    let good = update(&second, Vec::new(), Some(RollOutcome::Good { version: 2 }));
    store.update_service(good).await.unwrap();
    store
        .deploy_service(with_route("shop", "r1", None), at(40), None)
        .await
        .unwrap();
}

async fn an_address_is_reserved_or_listened_on_and_never_both(place: Place) {
    let store = place.open().await;
    let address: Ipv6Addr = "fd00::5".parse().unwrap();
    let reservation = move || Reservation {
        holder: Holder::Duid(duid(1)),
        address: Some(address),
        prefix: None,
    };
    let listening = move |name: &str| NewDeploy {
        listens: [address].into(),
        ..with_route(name, "fd00::5", None)
    };
    let rule = move || with_route("none", "fd00::5", None).apart;
    let (reserves, deploys) = (store.clone(), store.clone());
    let (reserved, deployed) = tokio::join!(
        tokio::spawn(async move {
            reserves
                .add_reservation("br0", reservation(), Vec::new(), rule(), at(10))
                .await
        }),
        tokio::spawn(async move { deploys.deploy_service(listening("web"), at(10), None).await }),
    );
    let taken = |fault: &StoreError| matches!(fault, StoreError::Taken(_));
    match (reserved.unwrap(), deployed.unwrap()) {
        (Ok(reserved), Err(refused)) => {
            assert!(
                taken(&refused) && refused.to_string().contains("of link br0"),
                "{refused}"
            );
            store.remove_reservation(reserved.id).await.unwrap();
            store.deploy_service(listening("web"), at(20), None).await.unwrap();
        }
        (Err(refused), Ok(_)) => assert!(taken(&refused), "{refused}"),
        both => panic!("{both:?}"),
    }
    let refused = store
        .add_reservation("br0", reservation(), Vec::new(), rule(), at(30))
        .await;
    assert!(refused.is_err_and(|fault| taken(&fault)));
}
