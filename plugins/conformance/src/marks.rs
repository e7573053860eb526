//! Containers of others are not changed.

use orchestrator_plugin::{Container, EngineError, Remedy};

use crate::support::{OWN, fresh, new_id, new_mark, pid, spec};
use crate::{Act, Subject};

/// A container without our mark is in the way, and is not touched.
pub async fn a_stranger_with_our_name_is_left_alone(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let stranger = subject.add_stranger(&container.key.engine_name()).await;

    let refusal = engine.ensure(&container, &spec(subject), &OWN).await.unwrap_err();
    assert!(matches!(refusal, EngineError::Refused { .. }), "{refusal}");
    assert_eq!(
        refusal.to_string(),
        format!(
            "engine refused to create {}: a container of that name is there and is not ours; remove or rename it",
            container.key.engine_name()
        )
    );
    assert_eq!(engine.find(&container).await.unwrap(), None);
    engine.stop(&container).await.unwrap();
    engine.remove(&container).await.unwrap();
    assert!(subject.has(&stranger).await);
    subject.act(&stranger, Act::Remove).await;
}

/// Neither finds, removes or takes over what bears the other's mark.
pub async fn two_sites_on_one_engine_do_not_see_each_other(subject: &impl Subject) {
    let (one, container) = fresh(subject);
    let other = subject.engine(new_mark());
    let made = one.ensure(&container, &spec(subject), &OWN).await.unwrap();

    for known in [&container, &made.container()] {
        assert_eq!(other.find(known).await.unwrap(), None);
        other.stop(known).await.unwrap();
        other.remove(known).await.unwrap();
    }
    assert_eq!(other.list().await.unwrap(), []);
    let refusal = other.ensure(&container, &spec(subject), &OWN).await.unwrap_err();
    assert_eq!(refusal.remedy(), Remedy::Operator);
    assert_eq!(one.find(&container).await.unwrap(), Some(made));
    one.remove(&container).await.unwrap();
}

/// With the reference, the copy is told from ours, and outlives it.
pub async fn a_copy_of_a_recorded_container_is_not_ours(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let made = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    let copy = subject.copy(&made.reference).await;
    let recorded = made.container();

    assert_eq!(engine.find(&recorded).await.unwrap(), Some(made.clone()));
    assert_eq!(engine.ensure(&recorded, &spec(subject), &OWN).await.unwrap(), made);
    let listed = engine.list().await.unwrap();
    assert_eq!(listed.first(), Some(&made), "the older one comes first");
    assert_eq!(listed.len(), 2, "both bear the mark");

    engine.remove(&recorded).await.unwrap();
    engine.remove(&recorded).await.unwrap();
    assert!(!subject.has(&made.reference).await);
    assert!(subject.has(&copy).await);
    subject.act(&copy, Act::Remove).await;
}

/// An updater removed ours, and put a copy in its place, under its name.
pub async fn a_copy_alone_is_neither_found_nor_removed_nor_started(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let made = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    let copy = subject.copy(&made.reference).await;
    let recorded = made.container();
    subject.act(&made.reference, Act::Remove).await;
    subject.act(&copy, Act::Rename(container.key.engine_name())).await;

    assert_eq!(engine.find(&recorded).await.unwrap(), None);
    engine.stop(&recorded).await.unwrap();
    engine.remove(&recorded).await.unwrap();
    let refusal = engine.ensure(&recorded, &spec(subject), &OWN).await.unwrap_err();
    assert_eq!(refusal.remedy(), Remedy::Operator, "{refusal}");
    let left = engine.list().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].reference, copy);
    assert!(pid(&left[0]) > 0, "nobody stopped it");
    subject.act(&copy, Act::Remove).await;
}

/// The daemon was killed after it made a container anew, and before it recorded that.
pub async fn what_took_the_place_of_a_recorded_one_is_ours_before_it_is_recorded(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let first = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    let recorded = first.container();
    subject.act(&first.reference, Act::Remove).await;
    let second = engine.ensure(&recorded, &spec(subject), &OWN).await.unwrap();
    assert_ne!(second.reference, first.reference);

    assert_eq!(engine.find(&recorded).await.unwrap(), Some(second.clone()));
    assert_eq!(engine.ensure(&recorded, &spec(subject), &OWN).await.unwrap(), second);
    assert_eq!(engine.find(&second.container()).await.unwrap(), Some(second.clone()));
    engine.remove(&recorded).await.unwrap();
    assert!(!subject.has(&second.reference).await);
}

/// Without a reference the one with our name is ours, and only that is removed.
pub async fn of_two_that_nobody_recorded_the_copy_stays(subject: &impl Subject) {
    let mark = new_mark();
    let (engine, container) = (subject.engine(mark), Container::main(new_id()));
    let made = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    let copy = subject.copy(&made.reference).await;

    assert_eq!(engine.find(&container).await.unwrap(), Some(made.clone()));
    assert_eq!(engine.ensure(&container, &spec(subject), &OWN).await.unwrap(), made);
    engine.remove(&container).await.unwrap();
    assert!(!subject.has(&made.reference).await);
    assert!(subject.has(&copy).await);
    subject.act(&copy, Act::Remove).await;
}
