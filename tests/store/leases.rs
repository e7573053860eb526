//! What lease events write.

use orchestrator::model::{
    EventKind, GrantedTo, Iaid, Lease, LeaseChange, LeaseState, LeaseVerb, LinkLayerAddress, Timestamp,
};
use orchestrator::store::{ClientFilter, EventFilter, LeaseFilter, Outcome, Recalled, Store};

use crate::on_both;
use crate::place::{LINK, Place, address, at, change, duid, holding_client, wanting};

on_both!(
    a_hold_makes_client_lease_and_event,
    however_many_leases_a_link_has_each_is_recalled_once,
    a_prefix_is_leased_like_an_address,
    a_renewal_extends_and_tells_nothing,
    a_renewal_records_what_is_known_of_where_its_client_is,
    of_renewals_in_one_group_the_last_place_is_recorded,
    a_renewal_and_an_end_in_one_group_are_both_recorded,
    a_lease_keeps_the_place_of_its_client_and_follows_it,
    a_quarantine_is_lifted,
    a_lease_that_ended_is_remembered,
    the_end_of_what_nobody_has_makes_no_row,
    a_replay_is_no_lease_event,
    a_renewal_matters_to_who_wants_no_instance,
    an_address_moves_to_whom_its_source_gives_it,
    an_address_belongs_to_one_association_at_a_time,
    a_declined_address_is_kept_back_until_its_quarantine_ends,
    a_renewal_told_late_revives_a_lease_that_the_clock_ended,
    a_client_is_one_on_each_link,
    nothing_to_record_is_recorded_at_once,
    leases_are_listed_in_portions,
    text_from_strangers_is_kept_as_it_is,
);

async fn outcome(store: &Store, change: LeaseChange) -> Outcome {
    store.record_leases(vec![change]).await.unwrap()[0].outcome
}

async fn kinds(store: &Store) -> Vec<EventKind> {
    store
        .events(EventFilter::default())
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|event| event.kind)
        .collect()
}

async fn a_hold_makes_client_lease_and_event(place: Place) {
    let store = place.open().await;
    let hold = LeaseChange {
        link_layer: Some("02:00:5e:10:00:01".parse().unwrap()),
        hostname: Some("laptop".to_owned()),
        ..change(LeaseVerb::Hold, 1, 0)
    };
    let recorded = store.record_leases(vec![hold.clone()]).await.unwrap();
    assert_eq!(recorded[0].outcome, Outcome::Granted);
    let id = recorded[0].client.unwrap();

    let client = store.client(id).await.unwrap().unwrap();
    assert_eq!(
        (client.duid, client.hostname, client.link_layer),
        (hold.duid, hold.hostname, hold.link_layer)
    );
    assert_eq!(
        (client.first_seen, client.last_seen, client.wants_instance),
        (at(0), at(0), true)
    );

    let leases = store.leases_of_link(LINK).await.unwrap();
    assert_eq!(leases.len(), 1);
    assert_eq!(
        (leases[0].client, leases[0].iaid, leases[0].state),
        (id, Iaid(7), LeaseState::Active)
    );
    assert_eq!((leases[0].preferred_until, leases[0].valid_until), (at(1800), at(3600)));
    let mut recalled = Vec::new();
    let recall = store.recall(LINK).await.unwrap();
    assert_eq!(recall.count(), 1);
    recall.each(|lease| recalled.push(lease)).await.unwrap();
    let lease = &leases[0];
    let expected = Recalled {
        leased: lease.leased,
        duid: lease.duid.clone(),
        iaid: lease.iaid,
        source: lease.source,
        state: lease.state,
        preferred_until: lease.preferred_until,
        valid_until: lease.valid_until,
        changed: lease.changed,
        place: Default::default(),
    };
    assert_eq!(recalled, [expected]);
    let elsewhere = store.recall("another").await.unwrap();
    assert_eq!(elsewhere.count(), 0);
    elsewhere
        .each(|lease| panic!("{lease:?} is of another link"))
        .await
        .unwrap();

    let event = &store.events(EventFilter::default()).await.unwrap().items[0];
    assert_eq!(
        (event.id, event.kind, event.client),
        (1, EventKind::LeaseGranted, Some(id))
    );
    assert_eq!(
        (event.leased, event.link.as_deref()),
        (Some(address(1).into()), Some(LINK))
    );
}

async fn however_many_leases_a_link_has_each_is_recalled_once(place: Place) {
    let store = place.open().await;
    let many: Vec<LeaseChange> = (0..4000).map(|n| change(LeaseVerb::Hold, n, 0)).collect();
    store.record_leases(many.clone()).await.unwrap();
    let mut recalled = Vec::new();
    let recall = store.recall(LINK).await.unwrap();
    assert_eq!(recall.count(), many.len());
    recall
        .each(|lease| recalled.push((lease.leased, lease.duid)))
        .await
        .unwrap();
    let mut told: Vec<_> = many.into_iter().map(|change| (change.leased, change.duid)).collect();
    recalled.sort();
    told.sort();
    assert_eq!(recalled, told);
}

async fn a_prefix_is_leased_like_an_address(place: Place) {
    let store = place.open().await;
    let delegated = LeaseChange {
        leased: "fd39:1::/64".parse().unwrap(),
        next_hop: Some("fe80::7".parse().unwrap()),
        class: Some("phone".to_owned()),
        ..change(LeaseVerb::Hold, 1, 0)
    };
    let recorded = store.record_leases(vec![delegated.clone()]).await.unwrap();
    assert_eq!(recorded[0].outcome, Outcome::Granted);
    let lease = store.leases_of_link(LINK).await.unwrap().remove(0);
    assert_eq!((lease.leased, lease.next_hop), (delegated.leased, delegated.next_hop));
    let client = store.client(recorded[0].client.unwrap()).await.unwrap().unwrap();
    assert_eq!(client.class, delegated.class);
    let event = store.events(EventFilter::default()).await.unwrap().items.remove(0);
    assert_eq!(event.leased, Some(delegated.leased));
    let shown = serde_json::to_value(&event).unwrap();
    assert_eq!(
        (shown["prefix"].as_str(), shown.get("address")),
        (Some("fd39:1::/64"), None)
    );
}

async fn a_renewal_extends_and_tells_nothing(place: Place) {
    let store = place.open().await;
    let id = holding_client(&store, 1).await;
    let named = LeaseChange {
        hostname: Some("x".to_owned()),
        ..change(LeaseVerb::Hold, 1, 10)
    };
    assert_eq!(outcome(&store, named).await, Outcome::Renewed);
    // What the client does not say again is not forgotten.
    assert_eq!(outcome(&store, change(LeaseVerb::Hold, 1, 20)).await, Outcome::Renewed);
    let client = store.client(id).await.unwrap().unwrap();
    assert_eq!(
        (client.hostname.as_deref(), client.first_seen, client.last_seen),
        (Some("x"), at(0), at(20))
    );
    let lease = &store.leases_of_link(LINK).await.unwrap()[0];
    assert_eq!(
        (lease.granted, lease.changed, lease.valid_until),
        (at(0), at(20), at(3620))
    );
    assert_eq!(kinds(&store).await, [EventKind::LeaseGranted]);
}

fn granted_to(link_layer: Option<&str>, link_local: &str, port: Option<&str>) -> GrantedTo {
    GrantedTo {
        link_layer: link_layer.map(|address| address.parse().unwrap()),
        link_local: Some(link_local.parse().unwrap()),
        port: port.map(str::to_owned),
        relay: None,
    }
}

async fn only_lease(store: &Store) -> Lease {
    let leases = store.leases_of_link(LINK).await.unwrap();
    assert_eq!(leases.len(), 1);
    leases[0].clone()
}

async fn a_renewal_records_what_is_known_of_where_its_client_is(place: Place) {
    let store = place.open().await;
    let at_port_3 = granted_to(Some("02:00:5e:10:00:01"), "fe80::1", Some("tap3"));
    let hold = |seconds, granted_to: &GrantedTo| LeaseChange {
        granted_to: granted_to.clone(),
        ..change(LeaseVerb::Hold, 1, seconds)
    };
    assert_eq!(outcome(&store, hold(0, &at_port_3)).await, Outcome::Granted);

    let unknown = granted_to(None, "fe80::1", None);
    let at_port_4 = granted_to(Some("02:00:5e:10:00:01"), "fe80::1", Some("tap4"));
    let elsewhere = granted_to(None, "fe80::2", None);
    let renewals = [
        (10, &at_port_3, &at_port_3),
        (20, &unknown, &at_port_3),
        (30, &GrantedTo::default(), &at_port_3),
        (40, &at_port_4, &at_port_4),
        // What is recorded of another place says nothing of this one.
        (50, &elsewhere, &elsewhere),
        (60, &at_port_3, &at_port_3),
    ];
    for (seconds, said, recorded) in renewals {
        assert_eq!(outcome(&store, hold(seconds, said)).await, Outcome::Renewed);
        let lease = only_lease(&store).await;
        assert_eq!(&lease.granted_to, recorded, "{seconds}");
        assert_eq!(
            (lease.preferred_until, lease.valid_until, lease.changed, lease.granted),
            (at(seconds + 1800), at(seconds + 3600), at(seconds), at(0))
        );
    }
}

async fn of_renewals_in_one_group_the_last_place_is_recorded(place: Place) {
    let store = place.open().await;
    let at_port = |port| granted_to(Some("02:00:5e:10:00:01"), "fe80::1", Some(port));
    let hold = |seconds, granted_to: &GrantedTo| LeaseChange {
        granted_to: granted_to.clone(),
        ..change(LeaseVerb::Hold, 1, seconds)
    };
    store.record_leases(vec![hold(0, &at_port("tap3"))]).await.unwrap();
    let back = vec![hold(10, &at_port("tap4")), hold(11, &at_port("tap3"))];
    store.record_leases(back).await.unwrap();
    assert_eq!(only_lease(&store).await.granted_to, at_port("tap3"));
    let unknown = granted_to(None, "fe80::1", None);
    let away = vec![hold(20, &at_port("tap4")), hold(21, &unknown)];
    store.record_leases(away).await.unwrap();
    assert_eq!(only_lease(&store).await.granted_to, at_port("tap4"));
}

async fn a_renewal_and_an_end_in_one_group_are_both_recorded(place: Place) {
    let store = place.open().await;
    let hold = |seconds, port: &str| LeaseChange {
        granted_to: granted_to(Some("02:00:5e:10:00:01"), "fe80::1", Some(port)),
        ..change(LeaseVerb::Hold, 1, seconds)
    };
    store.record_leases(vec![hold(0, "tap3")]).await.unwrap();
    for (seconds, port) in [(10, "tap3"), (20, "tap4")] {
        let group = vec![hold(seconds, port), change(LeaseVerb::Release, 1, seconds + 1)];
        let recorded = store.record_leases(group).await.unwrap();
        let outcomes: Vec<Outcome> = recorded.iter().map(|recorded| recorded.outcome).collect();
        assert_eq!(outcomes, [Outcome::Renewed, Outcome::Ended]);
        let lease = only_lease(&store).await;
        assert_eq!((lease.state, lease.changed), (LeaseState::Released, at(seconds + 1)));
        assert_eq!(lease.preferred_until, at(seconds + 1800), "the renewal before the end");
        assert_eq!(lease.granted_to.port.as_deref(), Some(port));
        assert_eq!(store.next_lease_due().await.unwrap(), None::<Timestamp>);

        assert_eq!(outcome(&store, hold(seconds + 2, port)).await, Outcome::Granted);
    }
}

async fn a_lease_that_ended_is_remembered(place: Place) {
    let store = place.open().await;
    let id = holding_client(&store, 1).await;
    assert_eq!(outcome(&store, change(LeaseVerb::Release, 1, 10)).await, Outcome::Ended);
    assert_eq!(
        outcome(&store, change(LeaseVerb::Release, 1, 11)).await,
        Outcome::Repeated
    );
    assert_eq!(
        outcome(&store, change(LeaseVerb::Expire, 1, 12)).await,
        Outcome::Repeated
    );
    let lease = &store.leases_of_link(LINK).await.unwrap()[0];
    assert_eq!(
        (lease.client, lease.state, lease.changed),
        (id, LeaseState::Released, at(10))
    );
    assert!(store.wanting(LINK).await.unwrap().is_empty());
    assert_eq!(outcome(&store, change(LeaseVerb::Hold, 1, 20)).await, Outcome::Granted);
    assert_eq!(wanting(&store, LINK).await, [id]);
    assert_eq!(outcome(&store, change(LeaseVerb::Expire, 1, 30)).await, Outcome::Ended);
    let granted = EventKind::LeaseGranted;
    assert_eq!(
        kinds(&store).await,
        [granted, EventKind::LeaseReleased, granted, EventKind::LeaseExpired]
    );
}

async fn the_end_of_what_nobody_has_makes_no_row(place: Place) {
    let store = place.open().await;
    for verb in [LeaseVerb::Release, LeaseVerb::Expire, LeaseVerb::Decline] {
        let recorded = store.record_leases(vec![change(verb, 1, 0)]).await.unwrap();
        assert_eq!((recorded[0].client, recorded[0].outcome), (None, Outcome::Unknown));
    }
    // Another client's lease is not this client's to end.
    holding_client(&store, 1).await;
    for verb in [LeaseVerb::Release, LeaseVerb::Expire, LeaseVerb::Decline] {
        let stranger = LeaseChange {
            duid: duid(2),
            ..change(verb, 1, 1)
        };
        assert_eq!(outcome(&store, stranger).await, Outcome::Unknown);
    }
    assert_eq!(store.clients(ClientFilter::default()).await.unwrap().items.len(), 1);
    assert_eq!(store.leases_of_link(LINK).await.unwrap()[0].state, LeaseState::Active);
    assert_eq!(kinds(&store).await, [EventKind::LeaseGranted]);
}

async fn a_replay_is_no_lease_event(place: Place) {
    let store = place.open().await;
    let id = holding_client(&store, 1).await;
    let instance = crate::place::plan(&store, id, 100).await;
    store.destroy_instance(instance.id, at(5), None, None).await.unwrap();
    let replay = |seconds, end| LeaseChange {
        replayed: true,
        valid_until: at(end),
        ..change(LeaseVerb::Hold, 1, seconds)
    };
    let wants = async || store.client(id).await.unwrap().unwrap().wants_instance;
    assert_eq!(outcome(&store, replay(50, 3602)).await, Outcome::Repeated);
    assert!(!wants().await);
    assert_eq!(outcome(&store, replay(-1, 9000)).await, Outcome::Stale);
    assert!(!wants().await);
    assert_eq!(store.leases_of_link(LINK).await.unwrap()[0].valid_until, at(3600));
    assert_eq!(outcome(&store, replay(50, 3650)).await, Outcome::Renewed);
    assert!(wants().await);
}

async fn a_renewal_matters_to_who_wants_no_instance(place: Place) {
    let store = place.open().await;
    let id = holding_client(&store, 1).await;
    let matters = async |verb, seconds| store.record_leases(vec![change(verb, 1, seconds)]).await.unwrap()[0].matters;
    assert!(!matters(LeaseVerb::Hold, 10).await);
    let instance = crate::place::plan(&store, id, 100).await;
    store.destroy_instance(instance.id, at(15), None, None).await.unwrap();
    assert!(matters(LeaseVerb::Hold, 20).await);
    assert!(!matters(LeaseVerb::Hold, 30).await);
    assert!(matters(LeaseVerb::Release, 40).await);
    assert!(!matters(LeaseVerb::Release, 50).await);
    assert!(matters(LeaseVerb::Hold, 60).await);
}

async fn an_address_moves_to_whom_its_source_gives_it(place: Place) {
    let store = place.open().await;
    let old = holding_client(&store, 1).await;
    let taken = LeaseChange {
        duid: duid(2),
        ..change(LeaseVerb::Hold, 1, 10)
    };
    let recorded = store.record_leases(vec![taken]).await.unwrap();
    // The one who lost it is told of as well: somebody has to look after it.
    let [ousted, granted] = recorded[..] else {
        panic!("{recorded:?}")
    };
    assert_eq!(
        (ousted.client, ousted.outcome, ousted.matters),
        (Some(old), Outcome::Ended, true)
    );
    assert_eq!((granted.outcome, granted.matters), (Outcome::Granted, true));
    let new = granted.client.unwrap();
    assert!(store.holding(old).await.unwrap().unwrap().active_leases.is_empty());
    let leases = store.holding(new).await.unwrap().unwrap().active_leases;
    assert_eq!((leases.len(), leases[0].granted), (1, at(10)));
    let events = store.events(EventFilter::default()).await.unwrap().items;
    let told: Vec<_> = events.iter().map(|event| (event.kind, event.client)).collect();
    let expected = [
        (EventKind::LeaseGranted, old),
        (EventKind::LeaseExpired, old),
        (EventKind::LeaseGranted, new),
    ];
    assert_eq!(told, expected.map(|(kind, client)| (kind, Some(client))));
    assert!(events[1].detail.as_deref().unwrap().contains(&duid(2).to_string()));
}

/// Two interfaces of one client: one DUID, and an IAID for each. What is told of the association that had the address
/// before does not end the lease of the one that has it.
async fn an_address_belongs_to_one_association_at_a_time(place: Place) {
    let store = place.open().await;
    let of = |iaid, verb, at| LeaseChange {
        iaid: Iaid(iaid),
        ..change(verb, 1, at)
    };
    assert_eq!(outcome(&store, of(1, LeaseVerb::Hold, 0)).await, Outcome::Granted);
    assert_eq!(outcome(&store, of(2, LeaseVerb::Hold, 10)).await, Outcome::Renewed);
    for (verb, at) in [
        (LeaseVerb::Release, 11),
        (LeaseVerb::Expire, 12),
        (LeaseVerb::Decline, 13),
    ] {
        assert_eq!(outcome(&store, of(1, verb, at)).await, Outcome::Unknown, "{verb:?}");
    }
    // A source tells again what it holds: that is news, where another association holds it by then.
    let again = LeaseChange {
        replayed: true,
        valid_until: change(LeaseVerb::Hold, 1, 10).valid_until,
        ..of(3, LeaseVerb::Hold, 14)
    };
    assert_eq!(outcome(&store, again).await, Outcome::Renewed);
    let leases = store.leases_of_link(LINK).await.unwrap();
    assert_eq!(leases.len(), 1);
    assert_eq!((leases[0].iaid, leases[0].state), (Iaid(3), LeaseState::Active));
    assert_eq!(outcome(&store, of(3, LeaseVerb::Release, 15)).await, Outcome::Ended);
    // Whoever had it before holds it again: it is granted.
    assert_eq!(outcome(&store, of(1, LeaseVerb::Hold, 16)).await, Outcome::Granted);
    store.close().await;
}

async fn a_quarantine_is_lifted(place: Place) {
    let store = place.open().await;
    let lift = LeaseChange {
        verb: LeaseVerb::Lift,
        ..change(LeaseVerb::Release, 1, 20)
    };
    store.record_leases(vec![change(LeaseVerb::Hold, 1, 0)]).await.unwrap();
    let early = store.record_leases(vec![lift.clone()]).await.unwrap();
    assert_eq!(early[0].outcome, Outcome::Repeated, "it is in use");
    store
        .record_leases(vec![change(LeaseVerb::Decline, 1, 10)])
        .await
        .unwrap();
    let lifted = store.record_leases(vec![lift]).await.unwrap();
    assert_eq!(lifted[0].outcome, Outcome::Ended);
    let lease = &store.leases_of_link(LINK).await.unwrap()[0];
    assert_eq!(lease.state, LeaseState::Released);
    let events = store.events(EventFilter::default()).await.unwrap().items;
    assert_eq!(events.last().unwrap().kind, EventKind::QuarantineLifted);
    assert_eq!(store.next_lease_due().await.unwrap(), None);
    store.close().await;
}

/// The place that the store has recorded for the one lease, as a list and a server read it.
async fn recorded_place(store: &Store) -> GrantedTo {
    let granted_to = store.leases_of_link(LINK).await.unwrap()[0].granted_to.clone();
    let mut recalled = Vec::new();
    let recall = store.recall(LINK).await.unwrap();
    recall.each(|lease| recalled.push(lease.place)).await.unwrap();
    let link_layer = recalled[0]
        .link_layer
        .map(|bytes| LinkLayerAddress::new(bytes).unwrap());
    assert_eq!(
        (link_layer, recalled[0].link_local, recalled[0].relay),
        (granted_to.link_layer.clone(), granted_to.link_local, granted_to.relay)
    );
    granted_to
}

async fn a_lease_keeps_the_place_of_its_client_and_follows_it(place: Place) {
    let store = place.open().await;
    let at_place =
        |link_layer: Option<&str>, link_local: Option<&str>, port: Option<&str>, relay: Option<&str>| GrantedTo {
            link_layer: link_layer.map(|text| text.parse().unwrap()),
            link_local: link_local.map(|text| text.parse().unwrap()),
            port: port.map(str::to_owned),
            relay: relay.map(|text| text.parse().unwrap()),
        };
    let whole = at_place(Some("02:00:00:00:00:01"), Some("fe80::1"), Some("p1"), None);
    let moved = at_place(None, Some("fe80::2"), None, None);
    let relayed = at_place(None, Some("fe80::2"), None, Some("fe80::9"));
    for (seconds, verb, given, recorded, is_moved) in [
        (0, LeaseVerb::Hold, &whole, &whole, false),
        // What a message does not show stays recorded.
        (
            10,
            LeaseVerb::Hold,
            &at_place(None, Some("fe80::1"), None, None),
            &whole,
            false,
        ),
        (20, LeaseVerb::Hold, &GrantedTo::default(), &whole, false),
        // A client that is elsewhere has left its port and its link-layer address behind.
        (30, LeaseVerb::Hold, &moved, &moved, true),
        (40, LeaseVerb::Hold, &relayed, &relayed, true),
        (50, LeaseVerb::Hold, &moved, &moved, true),
        (60, LeaseVerb::Hold, &whole, &whole, true),
        (70, LeaseVerb::Release, &GrantedTo::default(), &whole, false),
        // A new lease has only what its message shows.
        (80, LeaseVerb::Hold, &moved, &moved, false),
    ] {
        let granted_to = given.clone();
        let change = LeaseChange {
            granted_to,
            ..change(verb, 1, seconds)
        };
        let outcomes = store.record_leases(vec![change]).await.unwrap();
        assert_eq!(outcomes[0].moved, is_moved, "{seconds}");
        assert_eq!(recorded_place(&store).await, *recorded, "{seconds}");
    }
    store.close().await;
}

async fn a_declined_address_is_kept_back_until_its_quarantine_ends(place: Place) {
    let store = place.open().await;
    holding_client(&store, 1).await;
    let decline = LeaseChange {
        valid_until: at(600),
        ..change(LeaseVerb::Decline, 1, 10)
    };
    assert_eq!(outcome(&store, decline).await, Outcome::Ended);
    let lease = &store.leases_of_link(LINK).await.unwrap()[0];
    assert_eq!((lease.state, lease.valid_until), (LeaseState::Declined, at(600)));
    assert_eq!(store.next_lease_due().await.unwrap(), Some(at(600)));
    assert!(store.expire_leases(at(599)).await.unwrap().is_empty());
    assert_eq!(
        store.expire_leases(at(600)).await.unwrap()[0].state,
        LeaseState::Expired
    );
    assert_eq!(kinds(&store).await, [EventKind::LeaseGranted, EventKind::LeaseDeclined]);
}

async fn a_renewal_told_late_revives_a_lease_that_the_clock_ended(place: Place) {
    let store = place.open().await;
    let id = holding_client(&store, 1).await;
    store.expire_leases(at(4000)).await.unwrap();
    // The hold that ended does not come back by being told again …
    let replay = LeaseChange {
        replayed: true,
        ..change(LeaseVerb::Hold, 1, 0)
    };
    assert_eq!(outcome(&store, replay).await, Outcome::Stale);
    // … but a renewal that waited in the spool while the daemon was down is news.
    let renewal = LeaseChange {
        replayed: true,
        ..change(LeaseVerb::Hold, 1, 3000)
    };
    assert_eq!(outcome(&store, renewal).await, Outcome::Granted);
    assert_eq!(
        store.holding(id).await.unwrap().unwrap().active_leases[0].valid_until,
        at(6600)
    );
}

async fn a_client_is_one_on_each_link(place: Place) {
    let store = place.open().await;
    let here = holding_client(&store, 1).await;
    let elsewhere = LeaseChange {
        link: "br1".to_owned(),
        ..change(LeaseVerb::Hold, 1, 5)
    };
    let there = store.record_leases(vec![elsewhere]).await.unwrap()[0].client.unwrap();
    assert_ne!(here, there);
    assert_eq!(store.leases_of_link("br1").await.unwrap().len(), 1);
    let filter = ClientFilter {
        link: Some("br1".to_owned()),
        ..ClientFilter::default()
    };
    assert_eq!(store.clients(filter).await.unwrap().items[0].id, there);
}

async fn nothing_to_record_is_recorded_at_once(place: Place) {
    assert!(place.open().await.record_leases(Vec::new()).await.unwrap().is_empty());
}

async fn leases_are_listed_in_portions(place: Place) {
    let store = place.open().await;
    store
        .record_leases((0..7).map(|n| change(LeaseVerb::Hold, n, 0)).collect())
        .await
        .unwrap();
    let gone = store
        .record_leases(vec![change(LeaseVerb::Release, 3, 1)])
        .await
        .unwrap()[0]
        .client;
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store
            .leases(LeaseFilter {
                after,
                limit: Some(3),
                ..LeaseFilter::default()
            })
            .await
            .unwrap();
        assert!(page.items.len() <= 3);
        seen.extend(page.items.into_iter().map(|view| view.lease.leased));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..7).map(|n| address(n).into()).collect::<Vec<_>>());
    let released = LeaseFilter {
        state: Some(LeaseState::Released),
        ..LeaseFilter::default()
    };
    assert_eq!(
        store.leases(released).await.unwrap().items[0].lease.client,
        gone.unwrap()
    );
    let of_client = LeaseFilter {
        client: gone,
        ..LeaseFilter::default()
    };
    assert_eq!(store.leases(of_client).await.unwrap().items.len(), 1);
    let bad = LeaseFilter {
        after: Some("nonsense".to_owned()),
        ..LeaseFilter::default()
    };
    assert_eq!(store.leases(bad).await.unwrap_err().code(), "bad-cursor");
}

async fn text_from_strangers_is_kept_as_it_is(place: Place) {
    let store = place.open().await;
    let name = "'; drop table leases; -- \u{1f9a5}\0";
    let hold = LeaseChange {
        hostname: Some(name.to_owned()),
        ..change(LeaseVerb::Hold, 1, 0)
    };
    let id = store.record_leases(vec![hold]).await.unwrap()[0].client.unwrap();
    // Only the zero byte goes: PostgreSQL's text has none.
    assert_eq!(
        store.client(id).await.unwrap().unwrap().hostname.as_deref(),
        Some(name.trim_end_matches('\0'))
    );
}
