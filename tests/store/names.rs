//! What clients and instances go by.

use orchestrator::model::{ClientId, InstanceId, LeaseChange, LeaseVerb};
use orchestrator::store::{ClientFilter, InstanceFilter, Name, Store};

use crate::on_both;
use crate::place::{Place, address, change, duid, plan, remove};

on_both!(
    a_client_goes_by_its_id_its_names_and_its_addresses,
    a_whole_name_goes_before_the_beginning_of_others,
    no_host_name_stands_for_the_id_of_another,
    an_instance_goes_by_what_its_client_does,
    a_name_is_looked_for_where_the_filter_looks,
);

/// A client with this host name, which holds the address of its number.
async fn named(store: &Store, n: u16, hostname: &str) -> ClientId {
    let hold = LeaseChange {
        hostname: Some(hostname.to_owned()),
        link_layer: Some(format!("02:00:5e:20:00:{:02x}", n & 0xff).parse().unwrap()),
        ..change(LeaseVerb::Hold, n, i64::from(n))
    };
    store.record_leases(vec![hold]).await.unwrap()[0].client.unwrap()
}

async fn clients(store: &Store, name: &str) -> Vec<ClientId> {
    let filter = ClientFilter {
        name: Name::new(name),
        ..ClientFilter::default()
    };
    let page = store.clients(filter).await.unwrap();
    page.items.iter().map(|client| client.id).collect()
}

async fn instances(store: &Store, name: &str, all: bool) -> Vec<InstanceId> {
    let filter = InstanceFilter {
        name: Name::new(name),
        all,
        ..InstanceFilter::default()
    };
    let page = store.instances(filter).await.unwrap();
    page.items.iter().map(|view| view.instance.id).collect()
}

async fn a_client_goes_by_its_id_its_names_and_its_addresses(place: Place) {
    let store = place.open().await;
    let laptop = named(&store, 1, "laptop.example.org").await;
    named(&store, 0x1234, "desk").await;
    let instance = plan(&store, laptop, 100).await;
    for name in [
        laptop.to_string(),
        laptop.to_string()[..11].to_owned(),
        "laptop".to_owned(),
        "LAPTOP.example.org".to_owned(),
        "lap".to_owned(),
        duid(1).to_string(),
        duid(1).to_string().to_uppercase(),
        "02:00:5e:20:00:01".to_owned(),
        "02:00:5e:20:00:01".to_owned(),
        address(1).to_string(),
        instance.address().unwrap().to_string(),
        // All groups are written.
        "fd39:9706:2786:6333:0:0:1:1".to_owned(),
    ] {
        assert_eq!(clients(&store, &name).await, [laptop], "{name}");
    }
    // DUIDs and addresses begin so too, and nothing is a pattern.
    assert_eq!(clients(&store, "00:03:00:01:").await.len(), 2);
    assert_eq!(clients(&store, "fd39:9706:2786:").await.len(), 2);
    // A whole address is not the beginning of another.
    assert!(clients(&store, "fd39:9706:2786:6333::1:12").await.is_empty());
    for name in ["%", "lap_op", "nobody", "00:04:", "0", "fd40::1"] {
        let found = clients(&store, name).await;
        assert!(
            found.iter().all(|id| id.to_string().starts_with(name)),
            "{name}: {found:?}"
        );
    }
    // An address goes by who holds it, not by who held it.
    store
        .record_leases(vec![change(LeaseVerb::Release, 1, 10)])
        .await
        .unwrap();
    assert!(clients(&store, &address(1).to_string()).await.is_empty());
}

async fn a_whole_name_goes_before_the_beginning_of_others(place: Place) {
    let store = place.open().await;
    let print = named(&store, 1, "print").await;
    let printer = named(&store, 2, "printer").await;
    let other = named(&store, 3, "printer.example.org").await;
    assert_eq!(clients(&store, "print").await, [print]);
    assert_eq!(clients(&store, "printer").await, [printer, other]);
    assert_eq!(clients(&store, "pri").await, [print, printer, other]);
    // Who has the name and no instance: nobody else's instance is meant.
    let instance = plan(&store, printer, 100).await;
    assert_eq!(instances(&store, "pri", false).await, [instance.id]);
    assert!(instances(&store, "print", false).await.is_empty());
}

async fn no_host_name_stands_for_the_id_of_another(place: Place) {
    let store = place.open().await;
    let victim = named(&store, 1, "laptop").await;
    let instance = plan(&store, victim, 100).await;
    let thief = named(&store, 2, &victim.to_string()).await;
    let other = named(&store, 3, &instance.id.to_string()).await;
    plan(&store, thief, 101).await;
    plan(&store, other, 102).await;
    assert_eq!(clients(&store, &victim.to_string()).await, [victim]);
    assert_eq!(instances(&store, &instance.id.to_string(), false).await, [instance.id]);
}

async fn an_instance_goes_by_what_its_client_does(place: Place) {
    let store = place.open().await;
    let laptop = named(&store, 1, "laptop").await;
    let gone = plan(&store, laptop, 100).await;
    remove(&store, &gone).await;
    let there = plan(&store, laptop, 101).await;
    named(&store, 2, "desk").await;
    for name in [
        "laptop",
        &laptop.to_string(),
        &duid(1).to_string(),
        &address(1).to_string(),
        &address(101).to_string(),
        &there.id.to_string()[..11],
    ] {
        assert_eq!(instances(&store, name, false).await, [there.id], "{name}");
    }
    assert_eq!(instances(&store, "laptop", true).await, [gone.id, there.id]);
    assert_eq!(instances(&store, &address(100).to_string(), true).await, [gone.id]);
    assert!(instances(&store, &address(100).to_string(), false).await.is_empty());
}

async fn a_name_is_looked_for_where_the_filter_looks(place: Place) {
    let store = place.open().await;
    let here = named(&store, 1, "laptop").await;
    let elsewhere = LeaseChange {
        link: "br1".to_owned(),
        hostname: Some("lap".to_owned()),
        ..change(LeaseVerb::Hold, 2, 2)
    };
    let there = store.record_leases(vec![elsewhere]).await.unwrap()[0].client.unwrap();
    let on = |link: Option<&str>, limit| ClientFilter {
        link: link.map(str::to_owned),
        name: Name::new("lap"),
        limit,
        ..ClientFilter::default()
    };
    for (link, client) in [(None, there), (Some("br0"), here), (Some("br1"), there)] {
        let page = store.clients(on(link, None)).await.unwrap();
        assert_eq!(page.items.iter().map(|client| client.id).collect::<Vec<_>>(), [client]);
    }
    // The way in which a name fits is the same on every page.
    for n in 3..6 {
        named(&store, n, "laptop").await;
    }
    let first = store.clients(on(Some("br0"), Some(3))).await.unwrap();
    let rest = ClientFilter {
        after: first.next.clone(),
        ..on(Some("br0"), None)
    };
    assert_eq!(
        (first.items.len(), store.clients(rest).await.unwrap().items.len()),
        (3, 1)
    );
}
