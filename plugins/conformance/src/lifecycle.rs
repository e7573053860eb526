//! Ensure, find, list and remove: repeated, at once, and after others have meddled.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;

use futures_util::future::{join, try_join_all};
use orchestrator_plugin::{Capability, Container, ContainerSpec, EngineError, FoundState, Preparing, Remedy};
use tokio::sync::oneshot;

use crate::support::{OWN, assert_exited, can, doing, fresh, new_id, new_mark, pid, spec, until};
use crate::{Act, Program, Subject};

/// The engine names itself, and has what containers need.
pub async fn the_engine_says_who_it_is(subject: &impl Subject) {
    let (engine, _) = fresh(subject);
    let facts = engine.check().await.unwrap();
    assert!(!facts.name.is_empty() && !facts.version.is_empty(), "{facts:?}");
    assert!(!engine.name().is_empty());
    engine.ping().await.unwrap();
    engine.check_equipment().await.unwrap();
    let image = engine.check_image(&subject.image()).await.unwrap();
    assert!(!image.id.is_empty());
}

/// The way of one container; each verb twice.
pub async fn a_container_is_made_found_listed_and_removed(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    assert_eq!(engine.find(&container).await.unwrap(), None);

    let made = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    assert_eq!(made.key, container.key);
    match &made.state {
        FoundState::Running(running) => subject.check_running(running),
        other => panic!("{other:?}"),
    }
    for known in [&container, &made.container()] {
        assert_eq!(engine.ensure(known, &spec(subject), &OWN).await.unwrap(), made);
        assert_eq!(engine.find(known).await.unwrap(), Some(made.clone()));
    }
    assert_eq!(engine.list().await.unwrap(), std::slice::from_ref(&made));

    let recorded = made.container();
    engine.remove(&recorded).await.unwrap();
    assert_eq!(engine.find(&recorded).await.unwrap(), None);
    assert_eq!(engine.find(&container).await.unwrap(), None);
    assert_eq!(engine.list().await.unwrap(), []);
    engine.remove(&recorded).await.unwrap();
    engine.remove(&container).await.unwrap();
}

/// A network namespace that is shown while the container starts is the one that it runs in. What runs already shows none.
pub async fn a_network_that_is_shown_early_is_its_own(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let (sender, early) = oneshot::channel();
    // Opened at once, as by who wires it.
    let opening = async { early.await.ok().map(|path| File::open(path).unwrap()) };
    let spec = spec(subject);
    let (made, early) = join(engine.ensure_wired_early(&container, &spec, sender), opening).await;
    let made = made.unwrap();
    let FoundState::Running(running) = &made.state else {
        panic!("{made:?}");
    };
    subject.check_running(running);
    if let (Some(early), Some(netns)) = (early, running.netns()) {
        let numbers = |found: Metadata| (found.dev(), found.ino());
        let now = fs::metadata(netns).unwrap();
        assert_eq!(numbers(early.metadata().unwrap()), numbers(now));
    }

    let (sender, early) = oneshot::channel();
    let again = engine.ensure_wired_early(&container, &spec, sender).await.unwrap();
    assert_eq!(again, made);
    early.await.unwrap_err();
    engine.remove(&container).await.unwrap();
}

/// No process runs before its network is wired, and none if nobody wires it. What was created meanwhile is started later.
pub async fn one_in_a_prepared_network_starts_when_that_is_wired(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::PreparedNamespace) {
        return;
    }
    let (spec, namespace) = (spec(subject), subject.prepared().await);
    let (preparing, preparer, started) = Preparing::new(namespace.clone());
    preparer.made();
    drop(preparer);
    let given_up = engine.ensure_once_wired(&container, &spec, preparing).await;
    started.await.unwrap_err();
    assert!(matches!(given_up, Err(EngineError::Failed { .. })), "{given_up:?}");
    let left = engine.find(&container).await.unwrap();
    assert!(
        left.as_ref().is_none_or(|found| found.state == FoundState::Created),
        "{left:?}"
    );

    let (preparing, preparer, started) = Preparing::new(namespace);
    let wiring = async {
        preparer.made();
        let seen = engine.find(&container).await.unwrap();
        preparer.wired();
        // An engine that says that early says so when the container runs.
        let told = started.await.is_ok();
        if told {
            let found = engine.find(&container).await.unwrap().unwrap();
            assert!(matches!(found.state, FoundState::Running(_)), "{found:?}");
        }
        seen
    };
    let (made, seen) = join(engine.ensure_once_wired(&container, &spec, preparing), wiring).await;
    assert!(seen.is_none_or(|found| found.state == FoundState::Created));
    let made = made.unwrap();
    assert!(pid(&made) > 0);
    if let Some(left) = left {
        assert_eq!(made.reference, left.reference, "it is the one that was left");
    }
    engine.remove(&made.container()).await.unwrap();
}

/// Containers in every state are listed.
pub async fn every_state_is_listed(subject: &impl Subject) {
    let mark = new_mark();
    let engine = subject.engine(mark);
    let [runs, ended, created] = [new_id(), new_id(), new_id()].map(Container::main);
    engine.ensure(&runs, &spec(subject), &OWN).await.unwrap();
    let exits = doing(subject, Program::Exit(3));
    engine.ensure(&ended, &exits, &OWN).await.unwrap();
    until(engine.as_ref(), &ended, |state| {
        *state == FoundState::Exited { code: 3 }
    })
    .await;
    subject.add_created(mark, &created).await;

    let listed = engine.list().await.unwrap();
    let state = |container: &Container| &listed.iter().find(|found| found.key == container.key).unwrap().state;
    assert_eq!(listed.len(), 3);
    assert!(matches!(state(&runs), FoundState::Running(_)));
    assert_eq!(state(&ended), &FoundState::Exited { code: 3 });
    assert_eq!(state(&created), &FoundState::Created);

    for container in [runs, ended, created] {
        engine.remove(&container).await.unwrap();
    }
    assert_eq!(engine.list().await.unwrap(), []);
}

/// A container that a killed daemon created but did not start is started, not created again.
pub async fn one_that_was_created_and_not_started_is_started(subject: &impl Subject) {
    let mark = new_mark();
    let (engine, container) = (subject.engine(mark), Container::main(new_id()));
    let created = subject.add_created(mark, &container).await;
    let found = engine.find(&container).await.unwrap().unwrap();
    assert_eq!((found.reference, found.state), (created.clone(), FoundState::Created));

    let started = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    assert!(pid(&started) > 0);
    assert_eq!(started.reference, created);
    engine.remove(&started.container()).await.unwrap();
}

/// It is the same container with another process.
pub async fn one_that_was_stopped_by_hand_starts_again_as_another_process(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let before = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    subject.act(&before.reference, Act::Kill).await;
    let exited = |state: &FoundState| matches!(state, FoundState::Exited { .. });
    until(engine.as_ref(), &container, exited).await;

    let after = engine.ensure(&before.container(), &spec(subject), &OWN).await.unwrap();
    assert_eq!(after.reference, before.reference);
    assert_ne!(pid(&after), pid(&before));
    engine.remove(&container).await.unwrap();
}

/// It is the same process.
pub async fn one_that_was_paused_by_hand_goes_on(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let before = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    subject.act(&before.reference, Act::Pause).await;
    let paused = engine.find(&container).await.unwrap().unwrap();
    assert_eq!(paused.reference, before.reference);
    assert!(matches!(&paused.state, FoundState::Paused(running) if running.pid == pid(&before)));

    assert_eq!(engine.ensure(&container, &spec(subject), &OWN).await.unwrap(), before);
    assert_eq!(engine.find(&container).await.unwrap(), Some(before));
    engine.remove(&container).await.unwrap();
}

/// It is another container.
pub async fn one_that_was_removed_by_hand_is_made_anew(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let before = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    subject.act(&before.reference, Act::Remove).await;
    assert_eq!(engine.find(&container).await.unwrap(), None);
    assert_eq!(engine.find(&before.container()).await.unwrap(), None);

    let after = engine.ensure(&before.container(), &spec(subject), &OWN).await.unwrap();
    assert_ne!(after.reference, before.reference);
    engine.remove(&after.container()).await.unwrap();
    assert_eq!(engine.list().await.unwrap(), []);
}

/// The mark says whose it is, whatever name it goes by; no second one is made.
pub async fn one_that_was_renamed_by_hand_is_found_kept_and_removed(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let made = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    let name = format!("web-{}", container.key.instance);
    subject.act(&made.reference, Act::Rename(name)).await;

    for known in [&container, &made.container()] {
        assert_eq!(engine.find(known).await.unwrap(), Some(made.clone()));
        assert_eq!(engine.ensure(known, &spec(subject), &OWN).await.unwrap(), made);
    }
    engine.stop(&container).await.unwrap();
    assert_exited(engine.find(&container).await.unwrap());
    let again = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    assert_eq!(again.reference, made.reference);

    engine.remove(&container).await.unwrap();
    assert_eq!(engine.list().await.unwrap(), []);
}

/// A container is kept running though its image lost its name.
pub async fn a_container_outlives_its_image(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let image = format!("orchestrator/short-lived-{}", container.key.instance);
    subject.tag(&image).await;
    let of_image = ContainerSpec {
        image: image.clone(),
        ..spec(subject)
    };
    let made = engine.ensure(&container, &of_image, &OWN).await.unwrap();
    subject.untag(&image).await;
    assert_eq!(engine.check_image(&image).await.unwrap_err().code(), "image-missing");

    for known in [&container, &made.container()] {
        assert_eq!(engine.ensure(known, &of_image, &OWN).await.unwrap(), made);
    }
    engine.stop(&container).await.unwrap();
    let again = engine.ensure(&container, &of_image, &OWN).await.unwrap();
    assert_eq!(again.reference, made.reference);
    engine.remove(&container).await.unwrap();
}

/// All calls get the same container.
pub async fn many_calls_at_once_for_one_container_make_one(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let spec = spec(subject);
    let calls = (0..8).map(|_| engine.ensure(&container, &spec, &OWN));
    let made = try_join_all(calls).await.unwrap();
    let distinct: BTreeSet<_> = made.iter().map(|found| (&found.reference, pid(found))).collect();
    assert_eq!(distinct.len(), 1);
    assert_eq!(engine.list().await.unwrap().len(), 1);
    engine.remove(&container).await.unwrap();
}

/// Nobody fails because another was faster.
pub async fn many_removals_at_once_all_succeed(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    try_join_all((0..8).map(|_| engine.remove(&container))).await.unwrap();
    assert_eq!(engine.list().await.unwrap(), []);
}

/// The exit code is reported.
pub async fn one_that_ends_at_once_says_how(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let exits = doing(subject, Program::Exit(7));
    engine.ensure(&container, &exits, &OWN).await.unwrap();
    until(engine.as_ref(), &container, |state| {
        *state == FoundState::Exited { code: 7 }
    })
    .await;
    engine.remove(&container).await.unwrap();
}

/// The error names the image, and is the operator's to mend.
pub async fn a_missing_image_is_reported_and_nothing_is_left(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    for image in ["orchestrator/nowhere".to_owned(), format!("sha256:{}", "ab".repeat(32))] {
        let missing = ContainerSpec { image, ..spec(subject) };
        let faults = [
            engine.ensure(&container, &missing, &OWN).await.unwrap_err(),
            engine.check_image(&missing.image).await.unwrap_err(),
        ];
        for fault in faults {
            let named = matches!(&fault, EngineError::ImageMissing { image } if *image == missing.image);
            assert!(named, "{fault}");
            assert_eq!(fault.remedy(), Remedy::Operator);
        }
    }
    assert_eq!(engine.list().await.unwrap(), []);
}
