//! Instances: uniqueness, guards, views.

use std::time::Duration;

use orchestrator::model::{
    Attachment, Container, EventKind, HostState, Id, LeaseChange, LeaseVerb, Leased, Owner, Phase, Slot, SlotKey,
};
use orchestrator::store::{
    AttachedPrefix, ClientFilter, EventFilter, InstanceFilter, InstanceUpdate, NewInstance, Pruned, Resolved,
    StoreError,
};

use crate::on_both;
use crate::place::{
    LINK, Place, address, at, attachment, change, duid, event, holding_client, new_instance, of_two_containers, plan,
    remove, slot, update, wanting,
};

on_both!(
    an_instance_is_recorded_as_it_was_planned,
    an_address_leads_to_no_removed_instance,
    an_instance_of_several_containers_is_recorded_whole,
    a_client_has_one_live_instance,
    an_address_has_one_live_holder,
    one_of_two_plans_for_one_address_is_recorded,
    an_owner_has_an_instance_in_each_of_its_slots,
    a_client_holds_each_lease_and_each_slot_once,
    an_owner_of_another_kind_has_numbered_slots,
    an_instance_has_several_containers_and_attachments,
    a_pending_address_is_given_once_and_to_one_holder,
    prefixes_of_live_instances_are_routed,
    this_host_is_known_from_the_first_start,
    this_host_has_the_name_and_the_roles_that_it_was_last_given,
    when_a_host_was_last_seen_never_goes_back,
    no_instance_without_a_client,
    the_way_out_is_one_way,
    an_update_replaces_what_was_recorded,
    destroying_unwants_and_may_be_repeated,
    destroying_what_is_gone_changes_nothing,
    the_situation_is_what_reconcile_needs,
    an_instance_is_found_by_the_beginning_of_its_id,
    instances_are_listed_and_filtered,
    an_engine_that_is_back_ends_the_waits_for_it,
    a_bridge_with_ports_again_ends_the_waits_on_its_link,
    what_is_old_is_forgotten,
);

async fn an_instance_is_recorded_as_it_was_planned(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let new = NewInstance {
        phase: Phase::Starting,
        ..new_instance(client, 100)
    };
    let planned = store
        .plan_instance(new.clone(), event(EventKind::InstanceWanted, client))
        .await
        .unwrap();
    let view = store.instance(new.id).await.unwrap().unwrap();
    assert_eq!(view.instance, planned);
    let live = async |owner: Owner| store.live_instances_of(&owner).await.unwrap();
    assert_eq!(live(Owner::Client(client)).await, std::slice::from_ref(&planned));
    assert_eq!(live(Owner::Service("web".to_owned())).await, []);
    assert_eq!(
        (planned.spec, planned.phase, planned.created),
        (new.spec, Phase::Starting, new.at)
    );
    assert_eq!(view.duid, Some(duid(1)));
    assert_eq!(store.taken_addresses(LINK).await.unwrap(), [address(100)].into());
    assert_eq!(
        store.last_address(&slot(client), LINK).await.unwrap(),
        Some(address(100))
    );
    assert_eq!(store.last_address(&slot(client), "br1").await.unwrap(), None);
    let at = async |network: &str, last| store.instance_at(network, address(last)).await.unwrap();
    assert_eq!(at(LINK, 100).await, Some(view));
    assert_eq!((at(LINK, 101).await, at("br1", 100).await), (None, None));
}

async fn an_address_leads_to_no_removed_instance(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let first = plan(&store, client, 100).await;
    remove(&store, &first).await;
    assert_eq!(store.instance_at(LINK, address(100)).await.unwrap(), None);
    let second = plan(&store, client, 100).await;
    let found = store.instance_at(LINK, address(100)).await.unwrap().unwrap();
    assert_eq!(found.instance.id, second.id);
}

async fn an_instance_of_several_containers_is_recorded_whole(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let new = of_two_containers(new_instance(client, 100));
    let wanted = event(EventKind::InstanceWanted, client);
    store.plan_instance(new.clone(), wanted).await.unwrap();
    let recorded = store.instance(new.id).await.unwrap().unwrap().instance;
    assert_eq!((recorded.spec, recorded.containers), (new.spec, new.containers));
}

async fn a_client_has_one_live_instance(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let first = plan(&store, client, 100).await;
    let wanted = || event(EventKind::InstanceWanted, client);
    let second = store.plan_instance(new_instance(client, 101), wanted()).await;
    assert!(
        matches!(second, Err(StoreError::AlreadyThere { instance, .. }) if instance == first.id),
        "{second:?}"
    );
    remove(&store, &first).await;
    assert!(store.plan_instance(new_instance(client, 101), wanted()).await.is_ok());
    assert_eq!(
        store.last_address(&slot(client), LINK).await.unwrap(),
        Some(address(101))
    );
    assert_eq!(store.taken_addresses(LINK).await.unwrap(), [address(101)].into());
}

async fn an_address_has_one_live_holder(place: Place) {
    let store = place.open().await;
    let [one, two] = [holding_client(&store, 1).await, holding_client(&store, 2).await];
    let first = plan(&store, one, 100).await;
    let wanted = || event(EventKind::InstanceWanted, two);
    let second = store.plan_instance(new_instance(two, 100), wanted()).await;
    assert!(
        matches!(second, Err(StoreError::AddressTaken { instance, .. }) if instance == first.id),
        "{second:?}"
    );
    let mut elsewhere = new_instance(two, 100);
    elsewhere.attachments[0].network = "br1".to_owned();
    assert!(store.plan_instance(elsewhere, wanted()).await.is_ok());
    // What was refused left nothing behind.
    let wanted = store.events(EventFilter::default()).await.unwrap().items;
    assert_eq!(
        wanted
            .iter()
            .filter(|event| event.kind == EventKind::InstanceWanted)
            .count(),
        2
    );
}

async fn one_of_two_plans_for_one_address_is_recorded(place: Place) {
    let store = place.open().await;
    let [one, two] = [holding_client(&store, 1).await, holding_client(&store, 2).await];
    let plan = |client| store.plan_instance(new_instance(client, 100), event(EventKind::InstanceWanted, client));
    let (first, second) = tokio::join!(plan(one), plan(two));
    let first = first.unwrap();
    assert!(
        matches!(second, Err(StoreError::AddressTaken { instance, .. }) if instance == first.id),
        "{second:?}"
    );
    assert_eq!(store.live_instances().await.unwrap(), [first]);
}

async fn a_client_holds_each_lease_and_each_slot_once(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let again = |verb, n| LeaseChange {
        duid: duid(1),
        ..change(verb, n, 20)
    };
    store.record_leases(vec![again(LeaseVerb::Hold, 2)]).await.unwrap();
    let shell = NewInstance {
        slot: Slot::new("shell"),
        ..new_instance(client, 101)
    };
    let wanted = event(EventKind::InstanceWanted, client);
    let shell = store.plan_instance(shell, wanted).await.unwrap();
    let web = plan(&store, client, 100).await;
    let slots = [web.slot.clone(), shell.slot.clone()].into();
    let holding = store.holding(client).await.unwrap().unwrap();
    let held: Vec<Leased> = holding.active_leases.iter().map(|lease| lease.leased).collect();
    assert_eq!(held, [1, 2].map(|n| change(LeaseVerb::Hold, n, 0).leased));
    assert_eq!(holding.slots, slots);
    // Without a lease, the client's slots are still found, even by more callers than there are connections.
    let ended = vec![again(LeaseVerb::Release, 1), again(LeaseVerb::Release, 2)];
    store.record_leases(ended).await.unwrap();
    let callers: Vec<_> = (0..16)
        .map(|_| {
            tokio::spawn({
                let store = store.clone();
                async move { store.holding(client).await }
            })
        })
        .collect();
    for caller in callers {
        let without = caller.await.unwrap().unwrap().unwrap();
        assert_eq!((without.active_leases, &without.slots), (Vec::new(), &slots));
        assert_eq!(without.client.id, holding.client.id);
    }
}

async fn an_owner_has_an_instance_in_each_of_its_slots(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let web = plan(&store, client, 100).await;
    let shell = NewInstance {
        slot: Slot::new("shell"),
        ..new_instance(client, 101)
    };
    let key = SlotKey::new(client, shell.slot.clone());
    let wanted = || event(EventKind::InstanceWanted, client);
    let shell = store.plan_instance(shell, wanted()).await.unwrap();
    let situation = store.situation(&key).await.unwrap().unwrap();
    assert_eq!(situation.instance.as_ref(), Some(&shell));
    let slots = [web.slot.clone(), shell.slot.clone()].into();
    assert_eq!(situation.holding.unwrap().slots, slots);
    assert_eq!(store.live_slots(&client.into()).await.unwrap(), slots);
    // Each slot has an address of its own to return to.
    assert_eq!(
        store.last_address(&slot(client), LINK).await.unwrap(),
        Some(address(100))
    );
    assert_eq!(store.last_address(&key, LINK).await.unwrap(), Some(address(101)));
    remove(&store, &shell).await;
    assert_eq!(store.live_instances().await.unwrap(), [web]);
}

async fn an_owner_of_another_kind_has_numbered_slots(place: Place) {
    let store = place.open().await;
    let owner = Owner::Service("web".to_owned());
    let nobody = Id::from_bytes([9; 6]);
    for n in [0, 1] {
        let new = NewInstance {
            owner: owner.clone(),
            slot: Slot::numbered(n.into()),
            ..new_instance(nobody, 100 + n)
        };
        let planned = store
            .plan_instance(new, event(EventKind::InstanceWanted, nobody))
            .await
            .unwrap();
        let situation = store.situation(&planned.key()).await.unwrap().unwrap();
        assert_eq!((situation.instance, situation.holding), (Some(planned), None));
    }
    let views = store.instances(InstanceFilter::default()).await.unwrap().items;
    assert!(
        views
            .iter()
            .all(|view| view.instance.owner == owner && view.duid.is_none())
    );
    assert_eq!(store.live_slots(&owner).await.unwrap().len(), 2);
    // An admin's removal of one asks no client.
    let destroyed = store
        .destroy_instance(views[0].instance.id, at(10), None, None)
        .await
        .unwrap();
    assert_eq!(destroyed.phase, Phase::Removing);
}

async fn an_instance_has_several_containers_and_attachments(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let mut new = new_instance(client, 100);
    new.containers.push(Container {
        name: "a-sidecar".to_owned(),
        ..new.containers[0].clone()
    });
    new.attachments.push(Attachment {
        network: "storage".to_owned(),
        interface: "eth2".to_owned(),
        gateway: None,
        routed: vec!["fd40::/56".parse().unwrap()],
        ..attachment(new.id, address(7))
    });
    new.attachments.push(Attachment {
        network: "pending".to_owned(),
        address: None,
        ..attachment(new.id, address(8))
    });
    let planned = store
        .plan_instance(new.clone(), event(EventKind::InstanceWanted, client))
        .await
        .unwrap();
    assert_eq!(
        (&planned.containers, &planned.attachments),
        (&new.containers, &new.attachments)
    );
    assert_eq!(store.live_instances().await.unwrap(), std::slice::from_ref(&planned));
    let view = store.instance(new.id).await.unwrap().unwrap();
    assert_eq!(view.instance, planned);
    // The first container and the first attachment are what people see first.
    assert_eq!((planned.address(), planned.link()), (Some(address(100)), LINK));
    for link in [LINK, "storage"] {
        let filter = InstanceFilter {
            link: Some(link.to_owned()),
            ..InstanceFilter::default()
        };
        assert_eq!(store.instances(filter).await.unwrap().items.len(), 1, "{link}");
    }
    let ready = InstanceUpdate {
        references: Some([("a-sidecar".to_owned(), "c2".to_owned())].into()),
        ..update(Phase::Ready, 10)
    };
    assert!(store.update_instance(new.id, ready, None).await.unwrap());
    let kept = InstanceUpdate {
        references: None,
        ..update(Phase::Ready, 11)
    };
    assert!(store.update_instance(new.id, kept, None).await.unwrap());
    let now = store.instance(new.id).await.unwrap().unwrap().instance;
    let references: Vec<_> = now
        .containers
        .iter()
        .map(|container| container.reference.as_deref())
        .collect();
    assert_eq!(references, [None, Some("c2")]);
    // Each address has one holder, on its own network.
    let other = holding_client(&store, 2).await;
    let mut taken = new_instance(other, 101);
    taken.attachments.push(Attachment {
        network: "storage".to_owned(),
        ..attachment(taken.id, address(7))
    });
    let refused = store
        .plan_instance(taken, event(EventKind::InstanceWanted, other))
        .await;
    assert!(
        matches!(refused, Err(StoreError::AddressTaken { instance, .. }) if instance == new.id),
        "{refused:?}"
    );
    remove(&store, &planned).await;
    assert_eq!(store.taken_addresses("storage").await.unwrap(), [].into());
    assert_eq!(store.prune(at(10_000)).await.unwrap().instances, 1);
}

async fn this_host_is_known_from_the_first_start(place: Place) {
    let store = place.open().await;
    let hosts = store.hosts().await.unwrap();
    assert_eq!(hosts.len(), 1);
    assert!(hosts[0].id.is_local() && hosts[0].state == HostState::Active);
    store.close().await;
    assert_eq!(place.open().await.hosts().await.unwrap(), hosts);
}

async fn this_host_has_the_name_and_the_roles_that_it_was_last_given(place: Place) {
    let store = place.open().await;
    for (name, roles) in [
        ("edge", vec!["public", "batch"]),
        ("edge", vec![]),
        ("inner", vec!["batch"]),
    ] {
        let given = roles.iter().map(|role| (*role).to_owned()).collect();
        store.declare_local_host(name.to_owned(), given).await.unwrap();
        let host = store.hosts().await.unwrap().remove(0);
        assert!(host.id.is_local());
        assert_eq!(
            (host.name.as_str(), host.roles),
            (name, roles.iter().map(|role| (*role).to_owned()).collect())
        );
    }
}

async fn a_pending_address_is_given_once_and_to_one_holder(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let mut new = new_instance(client, 100);
    let pending = Attachment {
        network: "storage".to_owned(),
        bridge: "br-store".to_owned(),
        address: None,
        ..attachment(new.id, address(8))
    };
    new.attachments.push(pending.clone());
    let wanted = event(EventKind::InstanceWanted, client);
    store.plan_instance(new.clone(), wanted.clone()).await.unwrap();
    let waits = InstanceUpdate {
        due: Some(at(500)),
        ..update(Phase::Starting, 10)
    };
    store.update_instance(new.id, waits, None).await.unwrap();
    let given = store.give_address(pending.id, address(8), at(11)).await.unwrap();
    assert_eq!((given.attachments[1].address, given.due), (Some(address(8)), None));
    assert_eq!(store.live_instances().await.unwrap(), std::slice::from_ref(&given));
    let again = store.give_address(pending.id, address(8), at(12)).await.unwrap();
    assert_eq!(again, given);
    let events = store.events(EventFilter::default()).await.unwrap().items;
    let told: Vec<_> = events
        .iter()
        .filter(|event| event.kind == EventKind::InstanceAddressed)
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].detail, Some(format!("{} on storage", address(8))));
    for (attachment, other) in [(pending.id, address(9)), (Id::random().unwrap(), address(9))] {
        let refused = store.give_address(attachment, other, at(13)).await;
        assert!(
            matches!(refused, Err(StoreError::NotPending(id)) if id == attachment),
            "{refused:?}"
        );
    }
    // Another instance waits for an address there: it does not get this one.
    let other = holding_client(&store, 2).await;
    let mut second = new_instance(other, 101);
    let waiting = Attachment {
        id: Id::random().unwrap(),
        instance: second.id,
        ..pending
    };
    second.attachments.push(waiting.clone());
    let second = store
        .plan_instance(second, event(EventKind::InstanceWanted, other))
        .await
        .unwrap();
    let taken = store.give_address(waiting.id, address(8), at(14)).await;
    assert!(
        matches!(taken, Err(StoreError::AddressTaken { instance, .. }) if instance == new.id),
        "{taken:?}"
    );
    // What is gone waits for nothing.
    remove(&store, &second).await;
    let gone = store.give_address(waiting.id, address(9), at(30)).await;
    assert!(matches!(gone, Err(StoreError::NotPending(_))), "{gone:?}");
}

async fn prefixes_of_live_instances_are_routed(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let mut new = new_instance(client, 100);
    new.attachments[0].routed = vec!["fd60::/64".parse().unwrap(), "fd61::/64".parse().unwrap()];
    new.attachments.push(Attachment {
        network: "pending".to_owned(),
        address: None,
        routed: vec!["fd62::/64".parse().unwrap()],
        ..attachment(new.id, address(8))
    });
    store
        .plan_instance(new.clone(), event(EventKind::InstanceWanted, client))
        .await
        .unwrap();
    let routed = store.attached_prefixes().await.unwrap();
    let expected: Vec<_> = new.attachments[0]
        .routed
        .iter()
        .map(|prefix| AttachedPrefix {
            prefix: *prefix,
            address: address(100),
            bridge: LINK.to_owned(),
        })
        .collect();
    assert_eq!(routed, expected);
    store
        .update_instance(new.id, update(Phase::Removing, 10), None)
        .await
        .unwrap();
    assert_eq!(
        store.attached_prefixes().await.unwrap(),
        [],
        "its host removes the routes with it"
    );
}

async fn when_a_host_was_last_seen_never_goes_back(place: Place) {
    let store = place.open().await;
    let first = store.hosts().await.unwrap().remove(0);
    let later = first.first_seen.plus(Duration::from_secs(30));
    for (at, seen) in [(later, later), (first.first_seen, later), (later, later)] {
        store.saw_host(first.id.clone(), at).await.unwrap();
        let host = store.hosts().await.unwrap().remove(0);
        assert_eq!((host.first_seen, host.last_seen), (first.first_seen, seen));
    }
}

async fn no_instance_without_a_client(place: Place) {
    let store = place.open().await;
    let nobody = Id::from_bytes([9; 6]);
    let planned = store
        .plan_instance(new_instance(nobody, 100), event(EventKind::InstanceWanted, nobody))
        .await;
    assert!(
        matches!(planned, Err(StoreError::NoSuchClient(id)) if id == nobody),
        "{planned:?}"
    );
}

async fn the_way_out_is_one_way(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let instance = plan(&store, client, 100).await;
    let phase = async || store.instance(instance.id).await.unwrap().unwrap().instance.phase;
    let go = async |phase| {
        store
            .update_instance(instance.id, update(phase, 5), None)
            .await
            .unwrap()
    };
    let back = [Phase::Pending, Phase::Starting, Phase::Ready, Phase::Ending];
    for there in back {
        assert!(go(there).await, "{there}");
    }
    assert!(go(Phase::Removing).await);
    for there in back {
        assert!(!go(there).await, "{there}");
        assert_eq!(phase().await, Phase::Removing);
    }
    assert!(go(Phase::Removing).await);
    assert!(go(Phase::Removed).await);
    for there in back.into_iter().chain([Phase::Removing, Phase::Removed]) {
        let told = Some(event(EventKind::InstanceReady, client));
        assert!(
            !store
                .update_instance(instance.id, update(there, 6), told)
                .await
                .unwrap(),
            "{there}"
        );
        assert_eq!(phase().await, Phase::Removed);
    }
    let nobody = Id::from_bytes([9; 6]);
    assert!(
        !store
            .update_instance(nobody, update(Phase::Ready, 5), None)
            .await
            .unwrap()
    );
    // A barred way tells no event.
    let events = store.events(EventFilter::default()).await.unwrap().items;
    assert!(events.iter().all(|event| event.kind != EventKind::InstanceReady));
}

async fn an_update_replaces_what_was_recorded(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let instance = plan(&store, client, 100).await;
    let ready = InstanceUpdate {
        phase: Phase::Ready,
        reason: Some("because".to_owned()),
        attempts: 3,
        due: Some(at(50)),
        references: Some([(Container::MAIN.to_owned(), "container".to_owned())].into()),
        ready: Some(at(10)),
        kept_until: None,
        reset: None,
        at: at(10),
    };
    let told = event(EventKind::InstanceReady, client);
    assert!(
        store
            .update_instance(instance.id, ready.clone(), Some(told))
            .await
            .unwrap()
    );
    let again = InstanceUpdate {
        ready: Some(at(20)),
        at: at(20),
        ..update(Phase::Ready, 20)
    };
    assert!(store.update_instance(instance.id, again, None).await.unwrap());
    let now = store.instance(instance.id).await.unwrap().unwrap().instance;
    assert_eq!(
        (now.reason.as_deref(), now.attempts, now.due, now.reference()),
        (None, 0, None, None)
    );
    // When it first answered, and when its phase last changed.
    assert_eq!((now.ready, now.changed), (Some(at(10)), at(10)));
}

async fn destroying_unwants_and_may_be_repeated(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let instance = plan(&store, client, 100).await;
    let why = Some("asked for by an admin".to_owned());
    let first = store
        .destroy_instance(instance.id, at(10), why.clone(), None)
        .await
        .unwrap();
    assert_eq!(
        (first.phase, first.reason.clone(), first.changed),
        (Phase::Removing, why.clone(), at(10))
    );
    assert_eq!(
        store.destroy_instance(instance.id, at(11), None, None).await.unwrap(),
        first
    );
    assert_eq!(store.instance(instance.id).await.unwrap().unwrap().instance, first);
    assert!(!store.client(client).await.unwrap().unwrap().wants_instance);
    let filter = EventFilter {
        instance: Some(instance.id),
        ..EventFilter::default()
    };
    let events = store.events(filter).await.unwrap().items;
    assert_eq!(
        events.iter().map(|event| event.kind).collect::<Vec<_>>(),
        [EventKind::InstanceDestroyed]
    );
    assert_eq!(events[0].detail, why);
    // It goes on being looked at until it is gone; and the client rests until its next lease event.
    assert_eq!(store.live_instances().await.unwrap().len(), 1);
    assert!(store.wanting(LINK).await.unwrap().is_empty());
    assert!(
        store
            .update_instance(instance.id, update(Phase::Removed, 12), None)
            .await
            .unwrap()
    );
    assert!(store.live_instances().await.unwrap().is_empty());
    assert!(store.wanting(LINK).await.unwrap().is_empty());
    store.record_leases(vec![change(LeaseVerb::Hold, 1, 20)]).await.unwrap();
    assert_eq!(wanting(&store, LINK).await, [client]);
    assert!(store.wanting("another").await.unwrap().is_empty());
}

async fn destroying_what_is_gone_changes_nothing(place: Place) {
    let store = place.open().await;
    let nobody = Id::from_bytes([9; 6]);
    let unknown = store.destroy_instance(nobody, at(0), None, None).await;
    assert!(matches!(unknown, Err(StoreError::NoSuchInstance(id)) if id == nobody));
    let client = holding_client(&store, 1).await;
    let gone = plan(&store, client, 100).await;
    remove(&store, &gone).await;
    assert_eq!(
        store
            .destroy_instance(gone.id, at(200), None, None)
            .await
            .unwrap()
            .phase,
        Phase::Removed
    );
    assert!(store.client(client).await.unwrap().unwrap().wants_instance);
}

async fn the_situation_is_what_reconcile_needs(place: Place) {
    let store = place.open().await;
    assert_eq!(store.situation(&slot(Id::from_bytes([9; 6]))).await.unwrap(), None);
    let client = holding_client(&store, 1).await;
    let situation = store.situation(&slot(client)).await.unwrap().unwrap();
    let holding = situation.holding.unwrap();
    assert_eq!(
        (holding.client.id, holding.active_leases.len(), situation.instance),
        (client, 1, None)
    );
    let instance = plan(&store, client, 100).await;
    assert_eq!(
        store.situation(&slot(client)).await.unwrap().unwrap().instance,
        Some(instance.clone())
    );
    assert_eq!(store.live_instances().await.unwrap(), std::slice::from_ref(&instance));
    store
        .record_leases(vec![change(LeaseVerb::Release, 1, 5)])
        .await
        .unwrap();
    let situation = store.situation(&slot(client)).await.unwrap().unwrap();
    assert!(situation.holding.unwrap().active_leases.is_empty() && situation.instance.is_some());
    assert!(store.wanting(LINK).await.unwrap().is_empty());
    remove(&store, &instance).await;
    assert_eq!(store.situation(&slot(client)).await.unwrap().unwrap().instance, None);
    assert!(store.live_instances().await.unwrap().is_empty());
}

async fn an_instance_is_found_by_the_beginning_of_its_id(place: Place) {
    let store = place.open().await;
    let ids = [
        [0x3f, 0x9a, 0, 0, 0, 1],
        [0x3f, 0x9b, 0, 0, 0, 2],
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ];
    for (n, bytes) in (1..).zip(ids) {
        let client = holding_client(&store, n).await;
        let new = NewInstance {
            id: Id::from_bytes(bytes),
            ..new_instance(client, 100 + n)
        };
        store
            .plan_instance(new, event(EventKind::InstanceWanted, client))
            .await
            .unwrap();
    }
    let [one, two, last] = ids.map(Id::from_bytes);
    let resolve = async |prefix| store.resolve_instance(prefix).await.unwrap();
    assert_eq!(resolve("3f9a").await, Resolved::One(one));
    assert_eq!(resolve("3f9b00000002").await, Resolved::One(two));
    assert_eq!(resolve("3f").await, Resolved::Several(vec![one, two]));
    assert_eq!(resolve("f").await, Resolved::One(last));
    for nothing in ["", "0", "3f9a000000010", "3F", "%", "3f_"] {
        assert_eq!(resolve(nothing).await, Resolved::None, "{nothing:?}");
    }
}

async fn instances_are_listed_and_filtered(place: Place) {
    let store = place.open().await;
    let mut planned = Vec::new();
    for n in 0..5 {
        let client = holding_client(&store, n).await;
        planned.push(plan(&store, client, 100 + n).await);
    }
    remove(&store, &planned[0]).await;
    let list = async |filter| {
        let page = store.instances(filter).await.unwrap();
        (
            page.items.into_iter().map(|view| view.instance.id).collect::<Vec<_>>(),
            page.next,
        )
    };
    let ids: Vec<_> = planned.iter().map(|instance| instance.id).collect();
    let every = InstanceFilter::default;
    assert_eq!(list(every()).await, (ids[1..].to_vec(), None));
    assert_eq!(list(InstanceFilter { all: true, ..every() }).await.0, ids);
    let (first, next) = list(InstanceFilter {
        limit: Some(2),
        ..every()
    })
    .await;
    assert_eq!(first, ids[1..3]);
    assert_eq!(
        list(InstanceFilter { after: next, ..every() }).await,
        (ids[3..].to_vec(), None)
    );
    assert_eq!(
        list(InstanceFilter {
            client: planned[2].client(),
            ..every()
        })
        .await
        .0,
        [ids[2]]
    );
    assert!(
        list(InstanceFilter {
            link: Some("br1".to_owned()),
            ..every()
        })
        .await
        .0
        .is_empty()
    );
    assert!(
        list(InstanceFilter {
            phase: Some(Phase::Ready),
            ..every()
        })
        .await
        .0
        .is_empty()
    );
    let removed = InstanceFilter {
        phase: Some(Phase::Removed),
        all: true,
        ..every()
    };
    assert_eq!(list(removed).await.0, [ids[0]]);
    let clients = store
        .clients(ClientFilter {
            limit: Some(3),
            ..ClientFilter::default()
        })
        .await
        .unwrap();
    let rest = ClientFilter {
        after: clients.next,
        ..ClientFilter::default()
    };
    assert_eq!(clients.items.len() + store.clients(rest).await.unwrap().items.len(), 5);
}

async fn an_engine_that_is_back_ends_the_waits_for_it(place: Place) {
    let store = place.open().await;
    for (n, phase) in (0..).zip([Phase::Pending, Phase::Ending, Phase::Removing]) {
        let client = holding_client(&store, n).await;
        let instance = plan(&store, client, 100 + n).await;
        let waiting = InstanceUpdate {
            due: Some(at(500)),
            ..update(phase, 5)
        };
        assert!(store.update_instance(instance.id, waiting, None).await.unwrap());
    }
    let due = async || {
        let live = store.live_instances().await.unwrap();
        live.into_iter().map(|instance| instance.due).collect::<Vec<_>>()
    };
    store.hurry_instances("another").await.unwrap();
    assert_eq!(due().await, [Some(at(500)); 3]);
    store.hurry_instances("docker").await.unwrap();
    // A grace is no wait for an engine.
    assert_eq!(due().await, [None, Some(at(500)), None]);
}

async fn a_bridge_with_ports_again_ends_the_waits_on_its_link(place: Place) {
    let store = place.open().await;
    for (n, phase) in (0..).zip([Phase::Pending, Phase::Starting, Phase::Ending, Phase::Removing]) {
        let client = holding_client(&store, n).await;
        let instance = plan(&store, client, 100 + n).await;
        let waiting = InstanceUpdate {
            due: Some(at(500)),
            ..update(phase, 5)
        };
        assert!(store.update_instance(instance.id, waiting, None).await.unwrap());
    }
    let due = async || {
        let live = store.live_instances().await.unwrap();
        live.into_iter()
            .map(|instance| (instance.phase, instance.due))
            .collect::<std::collections::HashMap<_, _>>()
    };
    store.hurry_link("another").await.unwrap();
    assert!(due().await.values().all(|due| *due == Some(at(500))));
    store.hurry_link(LINK).await.unwrap();
    // A removal gives a port back, and waits for none.
    let (due, waits) = (due().await, Some(at(500)));
    let of = |phase| due[&phase];
    assert_eq!([of(Phase::Pending), of(Phase::Starting)], [None, None]);
    assert_eq!([of(Phase::Ending), of(Phase::Removing)], [waits, waits]);
}

async fn what_is_old_is_forgotten(place: Place) {
    let store = place.open().await;
    let changes = (0..1200).map(|n| change(LeaseVerb::Hold, n, 0)).collect();
    store.record_leases(changes).await.unwrap();
    let kept = holding_client(&store, 0).await;
    let returning = holding_client(&store, 1).await;
    let gone = plan(&store, returning, 100).await;
    remove(&store, &gone).await;
    store
        .record_leases(vec![change(LeaseVerb::Hold, 0, 9000)])
        .await
        .unwrap();
    assert_eq!(store.prune(at(-1)).await.unwrap(), Pruned::default());
    store.expire_leases(at(9000)).await.unwrap();
    let pruned = store.prune(at(8000)).await.unwrap();
    assert_eq!((pruned.leases, pruned.clients, pruned.instances), (1199, 1199, 1));
    assert_eq!(pruned.events, 1201);
    assert_eq!(store.clients(ClientFilter::default()).await.unwrap().items[0].id, kept);
    // Ids rise on from the last event, which is never forgotten.
    let last = store
        .events(EventFilter {
            latest: true,
            limit: Some(1),
            ..EventFilter::default()
        })
        .await
        .unwrap();
    store.prune(at(100_000)).await.unwrap();
    let next = store.append_event(event(EventKind::Refused, kept)).await.unwrap();
    assert_eq!(next.id, last.items[0].id + 1);
}
