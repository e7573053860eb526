//! Instances of several containers.

use orchestrator_plugin::{Capability, Container, ContainerName, EngineError, FoundState, NetworkMode, RunningNetwork};

use crate::support::{OWN, assert_exited, can, fresh, pid, spec};
use crate::{Act, Subject};

/// Another container of the same instance.
fn sibling(of: &Container, name: &str) -> Container {
    of.key.sibling(&name.parse().unwrap()).into()
}

/// Each is found, stopped and removed by itself, under a name of its own.
pub async fn containers_of_one_instance_are_kept_apart(subject: &impl Subject) {
    let (engine, main) = fresh(subject);
    let (proxy, log) = (sibling(&main, "proxy"), sibling(&main, "log"));
    let mut made = Vec::new();
    for container in [&main, &proxy, &log] {
        made.push(engine.ensure(container, &spec(subject), &OWN).await.unwrap());
    }
    assert_eq!(engine.list().await.unwrap(), made);
    for (container, made) in [&main, &proxy, &log].into_iter().zip(&made) {
        assert_eq!(made.key, container.key);
        assert_eq!(engine.find(container).await.unwrap().as_ref(), Some(made));
    }
    engine.stop(&proxy).await.unwrap();
    assert_exited(engine.find(&proxy).await.unwrap());
    assert_eq!(engine.find(&main).await.unwrap().as_ref(), Some(&made[0]));

    engine.remove(&main).await.unwrap();
    assert_eq!(engine.find(&main).await.unwrap(), None);
    assert_eq!(engine.find(&log).await.unwrap().as_ref(), Some(&made[2]));
    for container in [&proxy, &log] {
        engine.remove(container).await.unwrap();
    }
    assert_eq!(engine.list().await.unwrap(), []);
}

/// There is nothing to wire in it.
pub async fn later_containers_share_the_network_of_the_first(subject: &impl Subject) {
    let (engine, main) = fresh(subject);
    if !can(engine.as_ref(), Capability::SharedNamespace) {
        return;
    }
    let first = engine.ensure(&main, &spec(subject), &OWN).await.unwrap();
    let shared = NetworkMode::Shared(first.container());
    let proxy = sibling(&main, "proxy");
    let second = engine.ensure(&proxy, &spec(subject), &shared).await.unwrap();
    let FoundState::Running(running) = &second.state else {
        panic!("{second:?}");
    };
    assert_eq!(running.network, RunningNetwork::Shared(ContainerName::MAIN));
    assert_eq!(running.netns(), None);
    subject.check_shared(pid(&first), running.pid);
    assert_eq!(engine.ensure(&proxy, &spec(subject), &shared).await.unwrap(), second);
    assert_eq!(engine.find(&proxy).await.unwrap(), Some(second));
    for container in [&proxy, &main] {
        engine.remove(container).await.unwrap();
    }
}

/// The first has a new namespace then; the other one joins it with a new process.
pub async fn one_that_shares_follows_the_first_when_that_starts_again(subject: &impl Subject) {
    let (engine, main) = fresh(subject);
    if !can(engine.as_ref(), Capability::SharedNamespace) {
        return;
    }
    let first = engine.ensure(&main, &spec(subject), &OWN).await.unwrap();
    let shared = NetworkMode::Shared(first.container());
    let proxy = sibling(&main, "proxy");
    let before = engine.ensure(&proxy, &spec(subject), &shared).await.unwrap();
    engine.stop(&main).await.unwrap();
    let again = engine.ensure(&main, &spec(subject), &OWN).await.unwrap();
    let after = engine.ensure(&proxy, &spec(subject), &shared).await.unwrap();
    assert_eq!(after.reference, before.reference);
    assert_ne!(pid(&after), pid(&before));
    subject.check_shared(pid(&again), pid(&after));
    for container in [&proxy, &main] {
        engine.remove(container).await.unwrap();
    }
}

/// Then it is made anew too: its first container is gone for ever.
pub async fn one_that_shares_follows_the_first_when_that_is_made_anew(subject: &impl Subject) {
    let (engine, main) = fresh(subject);
    if !can(engine.as_ref(), Capability::SharedNamespace) {
        return;
    }
    let first = engine.ensure(&main, &spec(subject), &OWN).await.unwrap();
    let proxy = sibling(&main, "proxy");
    let shared = NetworkMode::Shared(first.container());
    let before = engine.ensure(&proxy, &spec(subject), &shared).await.unwrap();
    subject.act(&first.reference, Act::Remove).await;
    let anew = engine.ensure(&first.container(), &spec(subject), &OWN).await.unwrap();
    let shared = NetworkMode::Shared(anew.container());
    let after = engine
        .ensure(&before.container(), &spec(subject), &shared)
        .await
        .unwrap();
    subject.check_shared(pid(&anew), pid(&after));
    assert_eq!(engine.list().await.unwrap().len(), 2);
    for container in [&after.container(), &anew.container()] {
        engine.remove(container).await.unwrap();
    }
    assert_eq!(engine.list().await.unwrap(), []);
}

/// Nor that of another instance, nor its own.
pub async fn nothing_shares_the_network_of_what_does_not_run(subject: &impl Subject) {
    let (engine, main) = fresh(subject);
    if !can(engine.as_ref(), Capability::SharedNamespace) {
        return;
    }
    let proxy = sibling(&main, "proxy");
    let shared = NetworkMode::Shared(main.clone());
    for _ in 0..2 {
        let fault = engine.ensure(&proxy, &spec(subject), &shared).await.unwrap_err();
        assert!(matches!(fault, EngineError::NotRunning { .. }), "{fault}");
        assert_eq!(engine.find(&proxy).await.unwrap(), None, "nothing is left");
        engine.ensure(&main, &spec(subject), &OWN).await.unwrap();
        engine.stop(&main).await.unwrap();
    }
    let (_, other) = fresh(subject);
    let foreign = engine.ensure(&other, &spec(subject), &shared).await.unwrap_err();
    assert!(matches!(foreign, EngineError::Refused { .. }), "{foreign}");
    let own = engine.ensure(&main, &spec(subject), &shared).await.unwrap_err();
    assert!(matches!(own, EngineError::Refused { .. }), "{own}");
    engine.remove(&main).await.unwrap();
}
