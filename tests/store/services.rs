//! Services as they are recorded: versions, slots, operations.

use orchestrator::model::{
    EventKind, Health, HostId, OperationKind, OperationState, ServiceSlot, ServiceState, SlotState, service_template,
};
use orchestrator::store::{
    Deployed, EventFilter, NewDeploy, NewPin, OperationFilter, Pinning, RollOutcome, ServiceChange, ServiceUpdate,
    SlotChange, Store, StoreError, Waits,
};

use crate::on_both;
use crate::place::{Place, at};

on_both!(
    a_service_is_deployed_with_its_version_its_template_and_its_operation,
    two_operators_do_not_overwrite_each_other,
    what_changes_nothing_is_not_recorded,
    a_decision_for_an_earlier_generation_is_refused,
    a_good_version_ends_the_operation_and_a_failed_one_goes_back,
    a_later_operation_replaces_an_earlier_one,
    slots_stay_where_the_instances_are_the_same,
    an_operation_says_what_it_waits_for_until_it_ends,
    those_who_wait_for_an_end_are_woken_by_it_alone,
    a_service_is_forgotten_once_it_is_being_removed,
    a_service_that_is_being_removed_is_not_changed_otherwise,
    templates_and_operations_go_with_their_service_and_not_before,
    the_images_of_a_version_that_may_be_started_are_in_use,
);

pub(crate) fn new(image: &str, seen: Option<u64>) -> NewDeploy {
    NewDeploy {
        name: "web".to_owned(),
        kind: OperationKind::Deploy,
        spec: format!("{{\"name\":\"web\",\"image\":\"{image}\"}}"),
        template: format!("{{\"image\":\"{image}\"}}"),
        instances: Some(2),
        seen,
        keeps_instances: false,
        apart: None,
        listens: Default::default(),
        detail: format!("image {image}"),
    }
}

pub(crate) async fn deploy(store: &Store, image: &str, seen: Option<u64>) -> Deployed {
    let by = Some("ada".to_owned());
    store.deploy_service(new(image, seen), at(10), by).await.unwrap()
}

pub(crate) fn update(deployed: &Deployed, slots: Vec<ServiceSlot>, outcome: Option<RollOutcome>) -> ServiceUpdate {
    let change = |slot| SlotChange {
        slot,
        gone: false,
        event: None,
    };
    ServiceUpdate {
        service: "web".to_owned(),
        generation: deployed.service.generation,
        slots: slots.into_iter().map(change).collect(),
        failures: None,
        settled: matches!(outcome, Some(RollOutcome::Good { .. })),
        outcome,
        waits: None,
        at: at(20),
    }
}

async fn template_names(store: &Store) -> Vec<String> {
    let templates = store.service_templates().await.unwrap().into_iter();
    templates.map(|template| template.name).collect()
}

async fn kinds(store: &Store) -> Vec<EventKind> {
    let events = store.events(EventFilter::default()).await.unwrap().items;
    let of_service = events
        .into_iter()
        .filter(|event| event.service.as_deref() == Some("web"));
    of_service.map(|event| event.kind).collect()
}

async fn a_service_is_deployed_with_its_version_its_template_and_its_operation(place: Place) {
    let store = place.open().await;
    let deployed = deploy(&store, "a", None).await;
    assert_eq!((deployed.service.generation, deployed.service.version), (1, 1));
    assert_eq!(deployed.operation.state, OperationState::Running);
    assert_eq!(deployed.operation.by.as_deref(), Some("ada"));
    assert_eq!(store.service("web").await.unwrap(), Some(deployed.service.clone()));
    let all = store.services().await.unwrap();
    assert_eq!(all, vec![deployed.service.clone()]);
    let templates = store.service_templates().await.unwrap();
    assert_eq!((templates[0].name.as_str(), templates[0].version), ("service:web:1", 1));
    assert_eq!(templates[0].spec, "{\"image\":\"a\"}");
    assert!(store.templates().await.unwrap().is_empty(), "no operator declared it");
    let found = store.operation(deployed.operation.id).await.unwrap();
    assert_eq!(found, Some(deployed.operation));
    assert_eq!(kinds(&store).await, [EventKind::ServiceDeployed]);
    let second = deploy(&store, "b", Some(1)).await;
    assert_eq!((second.service.generation, second.service.version), (2, 2));
    let versions: Vec<u64> = store
        .service_versions("web")
        .await
        .unwrap()
        .iter()
        .map(|version| version.version)
        .collect();
    assert_eq!(versions, [2, 1]);
    // The first one is only kept, so that somebody can go back to it, until a slot has it.
    assert_eq!(template_names(&store).await, [service_template("web", 2)]);
    let slots = vec![ServiceSlot::open(0, 1, at(20))];
    store.update_service(update(&second, slots, None)).await.unwrap();
    assert_eq!(
        template_names(&store).await,
        [1, 2].map(|version| service_template("web", version))
    );
}

async fn two_operators_do_not_overwrite_each_other(place: Place) {
    let store = place.open().await;
    deploy(&store, "a", None).await;
    for seen in [None, Some(2)] {
        let late = store.deploy_service(new("b", seen), at(11), None).await;
        assert!(
            matches!(late, Err(StoreError::ServiceChanged { generation: 1, .. })),
            "{late:?}"
        );
    }
    let late = store
        .change_service("web", ServiceChange::Pause, Some(7), at(12), None)
        .await;
    assert!(matches!(late, Err(StoreError::ServiceChanged { expected: 7, .. })));
    let none = store
        .change_service("api", ServiceChange::Pause, None, at(12), None)
        .await;
    assert!(matches!(none, Err(StoreError::NoSuchService(_))));
    assert_eq!(store.service("web").await.unwrap().unwrap().version, 1);
}

async fn what_changes_nothing_is_not_recorded(place: Place) {
    let store = place.open().await;
    deploy(&store, "a", None).await;
    let scale = |instances| ServiceChange::Scale {
        instances,
        oldest_first: false,
    };
    let (service, same) = store.change_service("web", scale(2), None, at(11), None).await.unwrap();
    assert_eq!(service.generation, 1);
    // What already runs towards this is what can be waited for.
    assert_eq!(same.unwrap().operation.kind, OperationKind::Deploy);
    let (service, scaled) = store.change_service("web", scale(5), None, at(12), None).await.unwrap();
    assert_eq!((service.generation, service.instances), (2, Some(5)));
    assert_eq!(scaled.unwrap().operation.kind, OperationKind::Scale);
    for change in [ServiceChange::Pause, ServiceChange::Pause] {
        let (service, operation) = store.change_service("web", change, None, at(13), None).await.unwrap();
        assert_eq!((service.generation, service.paused), (3, Some(at(13))));
        assert_eq!(operation, None);
    }
    store
        .change_service("web", ServiceChange::Resume, None, at(14), None)
        .await
        .unwrap();
    let expected = [
        EventKind::ServiceDeployed,
        EventKind::ServiceScaled,
        EventKind::ServicePaused,
        EventKind::ServiceResumed,
    ];
    assert_eq!(kinds(&store).await, expected);
}

async fn a_decision_for_an_earlier_generation_is_refused(place: Place) {
    let store = place.open().await;
    let first = deploy(&store, "a", None).await;
    let mut slot = ServiceSlot::open(0, 1, at(20));
    slot.health = Health::Passing;
    store
        .update_service(update(&first, vec![slot.clone()], None))
        .await
        .unwrap();
    deploy(&store, "b", Some(1)).await;
    let late = update(&first, vec![ServiceSlot::open(1, 1, at(20))], None);
    let late = store.update_service(late).await;
    assert!(matches!(late, Err(StoreError::ServiceChanged { generation: 2, .. })));
    let situation = store.service_situation("web").await.unwrap().unwrap();
    assert_eq!(situation.slots, [slot.clone()]);
    assert_eq!(situation.versions.len(), 2, "that in force, and that of the slot");
    assert_eq!(store.service_slots().await.unwrap()["web"], [slot]);
}

async fn a_good_version_ends_the_operation_and_a_failed_one_goes_back(place: Place) {
    let store = place.open().await;
    let first = deploy(&store, "a", None).await;
    let mut settled = store.settled();
    store.update_service(update(&first, Vec::new(), None)).await.unwrap();
    assert!(!settled.has_changed().unwrap(), "it runs on");
    let finished = RollOutcome::Good { version: 1 };
    for _ in 0..2 {
        let update = update(&first, Vec::new(), Some(finished.clone()));
        store.update_service(update).await.unwrap();
    }
    assert!(settled.has_changed().unwrap(), "its end is told at once");
    settled.mark_unchanged();
    let done = store.operation(first.operation.id).await.unwrap().unwrap();
    assert_eq!((done.state, done.ended), (OperationState::Done, Some(at(20))));
    let second = deploy(&store, "b", Some(1)).await;
    let gave_up = RollOutcome::GaveUp {
        version: 2,
        back_to: Some(1),
        reason: "it never answered".to_owned(),
    };
    let update = update(&second, Vec::new(), Some(gave_up));
    store.update_service(update).await.unwrap();
    let failed = store.operation(second.operation.id).await.unwrap().unwrap();
    assert_eq!(failed.state, OperationState::Failed);
    assert!(failed.detail.unwrap().contains("it never answered"));
    let service = store.service("web").await.unwrap().unwrap();
    assert_eq!(
        (service.version, service.good_version, service.generation),
        (1, Some(1), 3)
    );
    assert!(service.reason.unwrap().contains("goes back to version 1"));
    let expected = [
        EventKind::ServiceDeployed,
        EventKind::ServiceRolled,
        EventKind::ServiceDeployed,
        EventKind::ServiceRolledBack,
    ];
    assert_eq!(kinds(&store).await, expected);
    // The number of a version that failed is not given again.
    assert_eq!(deploy(&store, "c", Some(3)).await.service.version, 3);
}

async fn a_later_operation_replaces_an_earlier_one(place: Place) {
    let store = place.open().await;
    let first = deploy(&store, "a", None).await;
    let second = deploy(&store, "b", Some(1)).await;
    let first = store.operation(first.operation.id).await.unwrap().unwrap();
    assert_eq!((first.state, first.ended), (OperationState::Replaced, Some(at(10))));
    let running = OperationFilter {
        service: Some("web".to_owned()),
        state: Some(OperationState::Running),
        ..OperationFilter::default()
    };
    let running = store.operations(running).await.unwrap().items;
    assert_eq!(running, [second.operation]);
}

async fn slots_stay_where_the_instances_are_the_same(place: Place) {
    let store = place.open().await;
    let first = deploy(&store, "a", None).await;
    let mut draining = ServiceSlot::open(1, 1, at(20));
    draining.state = SlotState::Draining;
    let slots = vec![ServiceSlot::open(0, 1, at(20)), draining];
    store.update_service(update(&first, slots, None)).await.unwrap();
    let other_routes = NewDeploy {
        keeps_instances: true,
        ..new("a", Some(1))
    };
    store.deploy_service(other_routes, at(30), None).await.unwrap();
    let slots = store.service_situation("web").await.unwrap().unwrap().slots;
    let versions: Vec<u64> = slots.iter().map(|slot| slot.version).collect();
    assert_eq!(versions, [2, 1]);
}

async fn an_operation_says_what_it_waits_for_until_it_ends(place: Place) {
    let store = place.open().await;
    let first = deploy(&store, "a", None).await;
    let detail = async || store.operation(first.operation.id).await.unwrap().unwrap().detail;
    let waits = |reason: Option<&str>| ServiceUpdate {
        waits: Some(Waits(reason.map(str::to_owned))),
        ..update(&first, Vec::new(), None)
    };
    store.update_service(waits(Some("slot 0 waits"))).await.unwrap();
    assert_eq!(detail().await.as_deref(), Some("slot 0 waits"));
    store.update_service(update(&first, Vec::new(), None)).await.unwrap();
    assert_eq!(
        detail().await.as_deref(),
        Some("slot 0 waits"),
        "nothing was said of it"
    );
    store.update_service(waits(None)).await.unwrap();
    assert_eq!(detail().await, None);
    store.update_service(waits(Some("slot 0 waits"))).await.unwrap();
    let done = update(&first, Vec::new(), Some(RollOutcome::Good { version: 1 }));
    store.update_service(done).await.unwrap();
    assert_eq!(detail().await, None, "it is done");
}

async fn those_who_wait_for_an_end_are_woken_by_it_alone(place: Place) {
    let store = place.open().await;
    let first = deploy(&store, "a", None).await;
    let settled = store.settled();
    store.update_service(update(&first, Vec::new(), None)).await.unwrap();
    assert!(!settled.has_changed().unwrap());
    let good = update(&first, Vec::new(), Some(RollOutcome::Good { version: 1 }));
    store.update_service(good).await.unwrap();
    assert!(settled.has_changed().unwrap());
}

async fn a_service_is_forgotten_once_it_is_being_removed(place: Place) {
    let store = place.open().await;
    let first = deploy(&store, "a", None).await;
    let slots = vec![ServiceSlot::open(0, 1, at(20))];
    store.update_service(update(&first, slots, None)).await.unwrap();
    assert!(
        !store.forget_service("web", at(30)).await.unwrap(),
        "nobody asked for it"
    );
    let (service, removal) = store
        .change_service("web", ServiceChange::Remove, None, at(31), None)
        .await
        .unwrap();
    assert_eq!(service.state, ServiceState::Removing);
    assert!(store.forget_service("web", at(32)).await.unwrap());
    assert!(store.forget_service("web", at(33)).await.unwrap(), "nothing to forget");
    assert_eq!(store.services().await.unwrap(), []);
    assert!(store.service_slots().await.unwrap().is_empty());
    assert!(store.service_templates().await.unwrap().is_empty());
    let removal = store.operation(removal.unwrap().operation.id).await.unwrap().unwrap();
    assert_eq!(removal.state, OperationState::Done);
    assert_eq!(deploy(&store, "b", None).await.service.version, 1);
}

async fn a_service_that_is_being_removed_is_not_changed_otherwise(place: Place) {
    let store = place.open().await;
    deploy(&store, "a", None).await;
    let change = async |change| store.change_service("web", change, None, at(31), None).await;
    change(ServiceChange::Remove).await.unwrap();
    let scale = ServiceChange::Scale {
        instances: 5,
        oldest_first: false,
    };
    for other in [scale, ServiceChange::Pause, ServiceChange::Resume] {
        let refused = change(other).await;
        assert!(matches!(refused, Err(StoreError::ServiceRemoving(_))), "{refused:?}");
    }
    let (_, again) = change(ServiceChange::Remove).await.unwrap();
    assert_eq!(again.unwrap().operation.kind, OperationKind::Remove);
    let again = deploy(&store, "b", Some(2)).await;
    assert_eq!(again.service.state, ServiceState::Active, "a file makes it anew");
}

async fn templates_and_operations_go_with_their_service_and_not_before(place: Place) {
    let store = place.open().await;
    let first = deploy(&store, "a", None).await;
    let second = deploy(&store, "b", Some(1)).await;
    let pruned = store.prune(at(10_000)).await.unwrap();
    assert_eq!((pruned.templates, pruned.operations), (0, 0), "both versions are kept");
    store
        .change_service("web", ServiceChange::Remove, None, at(31), None)
        .await
        .unwrap();
    assert!(store.forget_service("web", at(32)).await.unwrap());
    // The same name again: its first version has a template of its own.
    let other = deploy(&store, "c", None).await;
    let pruned = store.prune(at(10_000)).await.unwrap();
    assert_eq!(pruned.templates, 2, "those of both versions that are gone");
    assert_eq!(template_names(&store).await, [service_template("web", 1)]);
    assert_eq!(store.service_templates().await.unwrap()[0].spec, "{\"image\":\"c\"}");
    assert_eq!(pruned.operations, 0, "the service is there again");
    store
        .change_service("web", ServiceChange::Remove, None, at(33), None)
        .await
        .unwrap();
    assert!(store.forget_service("web", at(34)).await.unwrap());
    assert_eq!(store.prune(at(5)).await.unwrap().operations, 0, "it is too early");
    let pruned = store.prune(at(10_000)).await.unwrap();
    assert_eq!((pruned.templates, pruned.operations), (1, 5));
    for gone in [first, second, other] {
        assert_eq!(store.operation(gone.operation.id).await.unwrap(), None);
    }
}

async fn the_images_of_a_version_that_may_be_started_are_in_use(place: Place) {
    let store = place.open().await;
    deploy(&store, "a", None).await;
    let second = deploy(&store, "b", Some(1)).await;
    for version in [1, 2] {
        let pin = NewPin {
            host: HostId::local(),
            engine: "docker".to_owned(),
            image: "image".to_owned(),
            digest: format!("sha256:{version}"),
        };
        let template = service_template("web", version);
        let pinned = store.pin_image(&template, 1, pin, at(12)).await.unwrap();
        assert!(matches!(pinned, Pinning::Pinned(_)));
    }
    let used = async || {
        let pins = store.image_uses().await.unwrap().pins;
        pins.into_iter().map(|pin| pin.digest).collect::<Vec<_>>()
    };
    assert_eq!(used().await, ["sha256:2"], "that of the version in force");
    let slots = vec![ServiceSlot::open(0, 1, at(20))];
    store.update_service(update(&second, slots, None)).await.unwrap();
    assert_eq!(used().await, ["sha256:1", "sha256:2"], "and that of a slot");
}
