//! Reservations as they are recorded.

use orchestrator::model::{Holder, Reservation};
use orchestrator::store::StoreError;

use crate::on_both;
use crate::place::{LINK, Place, address, at, duid, holding_client};

on_both!(
    what_is_reserved_is_read_back_in_its_order,
    what_stands_against_another_is_refused,
    what_is_removed_can_be_reserved_anew,
    the_keys_of_a_reservation_are_those_of_its_client_alone,
);

fn reservation(holder: Holder, address: Option<&str>, prefix: Option<&str>) -> Reservation {
    Reservation {
        holder,
        address: address.map(|address| address.parse().unwrap()),
        prefix: prefix.map(|prefix| prefix.parse().unwrap()),
    }
}

fn by_duid(n: u16, address: Option<&str>, prefix: Option<&str>) -> Reservation {
    reservation(Holder::Duid(duid(n)), address, prefix)
}

async fn what_is_reserved_is_read_back_in_its_order(place: Place) {
    let store = place.open().await;
    let remote = Holder::RemoteId {
        enterprise: 9,
        id: "port-7".parse().unwrap(),
    };
    let all = [
        by_duid(1, Some("fd00::7"), Some("fd01::/56")),
        reservation(
            Holder::LinkLayer("02:00:5e:10:00:01".parse().unwrap()),
            Some("fd00::8"),
            None,
        ),
        reservation(remote, None, Some("fd02::/64")),
        reservation(Holder::InterfaceId("0x0007".parse().unwrap()), Some("fd00::9"), None),
    ];
    let mut made = Vec::new();
    for (time, new) in (1..).zip(all) {
        made.push(
            store
                .add_reservation(LINK, new, Vec::new(), None, at(time))
                .await
                .unwrap(),
        );
    }
    assert_eq!(store.reservations().await.unwrap(), made);
    store.close().await;
    assert_eq!(place.open().await.reservations().await.unwrap(), made);
}

async fn what_stands_against_another_is_refused(place: Place) {
    let store = place.open().await;
    let add = async |link: &str, new| store.add_reservation(link, new, Vec::new(), None, at(1)).await;
    let first = add(LINK, by_duid(1, Some("fd00::7"), Some("fd01::/56"))).await.unwrap();
    for (link, new) in [
        (LINK, by_duid(1, Some("fd00::8"), None)),
        (LINK, by_duid(2, Some("fd00::7"), None)),
        (LINK, by_duid(2, None, Some("fd01:0:0:7::/64"))),
        ("other", by_duid(2, None, Some("fd01::/48"))),
        ("other", by_duid(1, None, Some("fd01::/56"))),
    ] {
        let refused = add(link, new.clone()).await;
        assert!(matches!(refused, Err(StoreError::Reserved(_))), "{new:?}: {refused:?}");
    }
    // The same client and address on another link are others.
    let other = add("other", by_duid(1, Some("fd00::7"), None)).await.unwrap();
    assert_eq!(store.reservations().await.unwrap().len(), 2);
    assert_ne!(first.id, other.id);
}

async fn what_is_removed_can_be_reserved_anew(place: Place) {
    let store = place.open().await;
    let new = by_duid(1, Some("fd00::7"), None);
    let made = store
        .add_reservation(LINK, new.clone(), Vec::new(), None, at(1))
        .await
        .unwrap();
    assert_eq!(store.remove_reservation(made.id).await.unwrap(), made);
    let again = store.remove_reservation(made.id).await;
    assert!(
        matches!(again, Err(StoreError::NoSuchReservation(id)) if id == made.id),
        "{again:?}"
    );
    store.add_reservation(LINK, new, Vec::new(), None, at(2)).await.unwrap();
}

async fn the_keys_of_a_reservation_are_those_of_its_client_alone(place: Place) {
    let store = place.open().await;
    let [one, other] = [holding_client(&store, 1).await, holding_client(&store, 2).await];
    let leased = Some(address(2).to_string());
    let all = [
        (by_duid(1, None, None), "by-duid"),
        (
            reservation(Holder::InterfaceId("0x0007".parse().unwrap()), leased.as_deref(), None),
            "by-port",
        ),
        (by_duid(3, Some("fd00::7"), None), "of-nobody"),
    ];
    for (time, (new, key)) in (1..).zip(all) {
        let keys = vec![key.to_owned(), format!("{key} again")];
        store.add_reservation(LINK, new, keys, None, at(time)).await.unwrap();
    }
    let recorded = store.reservations().await.unwrap();
    assert_eq!(recorded[0].authorized_keys, ["by-duid", "by-duid again"]);
    for (client, key) in [(one, "by-duid"), (other, "by-port")] {
        let holding = store.holding(client).await.unwrap().unwrap();
        let keys = store.reserved_keys(&holding).await.unwrap();
        assert_eq!(keys, [key.to_owned(), format!("{key} again")]);
    }
    // Who knows the DUID on another link is another client.
    let mut elsewhere = store.holding(one).await.unwrap().unwrap();
    elsewhere.client.link = "br9".to_owned();
    assert!(store.reserved_keys(&elsewhere).await.unwrap().is_empty());
}
