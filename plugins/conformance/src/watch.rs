//! Changes that others make are reported.

use std::sync::Arc;

use orchestrator_plugin::{Change, Container, ContainerKey, Engine, FoundState};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::{OWN, PATIENCE, fresh, new_id, new_mark, spec, until};
use crate::{Act, Subject};

/// Watches until nobody listens. The begin of the watch was already reported.
async fn watch(engine: &Arc<dyn Engine>) -> mpsc::Receiver<Change> {
    let (sender, mut receiver) = mpsc::channel(16);
    let engine = Arc::clone(engine);
    tokio::spawn(async move { engine.watch(sender).await });
    assert_eq!(next(&mut receiver).await, Change::Everything);
    receiver
}

async fn next(changes: &mut mpsc::Receiver<Change>) -> Change {
    let change = timeout(PATIENCE, changes.recv()).await;
    change.expect("a change in time").expect("the watch goes on")
}

async fn next_of(changes: &mut mpsc::Receiver<Change>, key: &ContainerKey) {
    while next(changes).await != Change::Container(key.clone()) {}
}

/// When the change is reported, the container is gone.
pub async fn a_removal_by_hand_is_reported(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let made = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    let mut changes = watch(&engine).await;
    subject.act(&made.reference, Act::Remove).await;
    while engine.find(&container).await.unwrap().is_some() {
        next_of(&mut changes, &container.key).await;
    }
}

/// Each of both.
pub async fn an_end_and_a_start_by_hand_are_reported(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let made = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    let mut changes = watch(&engine).await;
    subject.act(&made.reference, Act::Kill).await;
    next_of(&mut changes, &container.key).await;
    let killed = |state: &FoundState| *state == FoundState::Exited { code: 137 };
    until(engine.as_ref(), &container, killed).await;
    subject.act(&made.reference, Act::Start).await;
    next_of(&mut changes, &container.key).await;
    engine.remove(&container).await.unwrap();
}

/// Nothing is lost between the beginning of a watch and its first change, in the second watch as in the first.
pub async fn what_happens_as_soon_as_the_watch_began_is_reported(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    for _ in 0..4 {
        let made = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
        let mut changes = watch(&engine).await;
        subject.act(&made.reference, Act::Remove).await;
        next_of(&mut changes, &container.key).await;
    }
    engine.remove(&container).await.unwrap();
}

/// The engine reports in order: the first to arrive would be theirs.
pub async fn another_site_s_containers_are_not_reported(subject: &impl Subject) {
    let (ours, theirs) = (subject.engine(new_mark()), subject.engine(new_mark()));
    let mut changes = watch(&ours).await;
    let (their, our) = (Container::main(new_id()), Container::main(new_id()));
    theirs.ensure(&their, &spec(subject), &OWN).await.unwrap();
    theirs.remove(&their).await.unwrap();
    ours.ensure(&our, &spec(subject), &OWN).await.unwrap();
    assert_eq!(next(&mut changes).await, Change::Container(our.key.clone()));
    ours.remove(&our).await.unwrap();
}

/// It ends with an error that says so.
pub async fn a_watch_that_nobody_listens_to_ends(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let (sender, mut receiver) = mpsc::channel(1);
    let watching = tokio::spawn({
        let engine = engine.clone();
        async move { engine.watch(sender).await }
    });
    assert_eq!(next(&mut receiver).await, Change::Everything);
    drop(receiver);
    engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    let end = timeout(PATIENCE, watching).await.expect("the watch ends").unwrap();
    assert_eq!(end.code(), "engine-failed");
    engine.remove(&container).await.unwrap();
}

/// Each container of an instance by its own name.
pub async fn several_containers_are_reported_by_their_names(subject: &impl Subject) {
    let (engine, main) = fresh(subject);
    let proxy = Container::from(main.key.sibling(&"proxy".parse().unwrap()));
    engine.ensure(&main, &spec(subject), &OWN).await.unwrap();
    let made = engine.ensure(&proxy, &spec(subject), &OWN).await.unwrap();
    let mut changes = watch(&engine).await;
    subject.act(&made.reference, Act::Remove).await;
    assert_eq!(next(&mut changes).await, Change::Container(proxy.key));
    engine.remove(&main).await.unwrap();
}
