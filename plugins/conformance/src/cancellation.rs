//! Calls that are dropped half-way, at each of their requests.

use std::sync::Arc;
use std::time::Duration;

use orchestrator_plugin::{Container, Engine, EngineError, Found, Mark};
use tokio::time::timeout;

use crate::support::{OWN, PATIENCE, new_id, new_mark, pid, spec};
use crate::{Held, Subject};

/// More requests than any call makes.
const MOST: usize = 32;

/// Begins to ensure a container, and drops the call when its request after so many others has come. `None` when the call
/// ended before.
async fn cut_short(
    subject: &impl Subject,
    mark: Mark,
    container: &Container,
    after: usize,
) -> Option<(Arc<dyn Engine>, Box<dyn Held>)> {
    let (engine, held) = subject.held(mark, after);
    let call = tokio::spawn({
        let (engine, container, spec) = (engine.clone(), container.clone(), spec(subject));
        async move { engine.ensure(&container, &spec, &OWN).await }
    });
    let arrived = async {
        tokio::select! {
            () = held.arrived() => true,
            () = async { while !call.is_finished() { tokio::time::sleep(Duration::from_millis(5)).await } } => false,
        }
    };
    if !timeout(PATIENCE, arrived).await.expect("the call goes on") {
        return None;
    }
    call.abort();
    let _ = call.await;
    Some((engine, held))
}

async fn is_the_only_one(engine: &dyn Engine, made: Result<Found, EngineError>, after: usize) {
    let made = made.unwrap();
    assert!(pid(&made) > 0);
    assert_eq!(
        engine.list().await.unwrap(),
        std::slice::from_ref(&made),
        "cut short at request {after}"
    );
    engine.remove(&made.container()).await.unwrap();
    assert_eq!(engine.list().await.unwrap(), []);
}

/// The next call of the same plugin makes one container, whatever came of the first.
pub async fn a_call_that_was_cut_short_at_any_request_is_finished_by_the_next(subject: &impl Subject) {
    let mark = new_mark();
    for after in 0..MOST {
        let container = Container::main(new_id());
        let Some((engine, held)) = cut_short(subject, mark, &container, after).await else {
            assert!(after > 1, "the call made no requests");
            return subject.engine(mark).remove(&container).await.unwrap();
        };
        held.open();
        let next = engine.ensure(&container, &spec(subject), &OWN).await;
        is_the_only_one(engine.as_ref(), next, after).await;
    }
    panic!("the call makes more than {MOST} requests");
}

/// A new plugin knows nothing of the first one's calls, and makes one container all the same.
pub async fn a_daemon_that_was_killed_at_any_request_is_followed_by_one_that_goes_on(subject: &impl Subject) {
    let mark = new_mark();
    for after in 0..MOST {
        let container = Container::main(new_id());
        let Some((_, held)) = cut_short(subject, mark, &container, after).await else {
            return subject.engine(mark).remove(&container).await.unwrap();
        };
        held.open();
        let engine = subject.engine(mark);
        let next = engine.ensure(&container, &spec(subject), &OWN).await;
        is_the_only_one(engine.as_ref(), next, after).await;
    }
    panic!("the call makes more than {MOST} requests");
}

/// A removal waits for what was asked of the engine before.
pub async fn nothing_outlives_a_removal_that_came_while_it_was_made(subject: &impl Subject) {
    let mark = new_mark();
    for after in 0..MOST {
        let container = Container::main(new_id());
        let Some((engine, held)) = cut_short(subject, mark, &container, after).await else {
            return subject.engine(mark).remove(&container).await.unwrap();
        };
        let mut removal = tokio::spawn({
            let (engine, container) = (engine.clone(), container.clone());
            async move { engine.remove(&container).await }
        });
        // A removal that does not wait has the time to be done with.
        let early = timeout(Duration::from_millis(200), &mut removal).await;
        held.open();
        match early {
            Ok(removed) => removed.unwrap().unwrap(),
            Err(_) => removal.await.unwrap().unwrap(),
        }
        timeout(PATIENCE, held.served()).await.expect("the engine goes on");
        assert_eq!(engine.list().await.unwrap(), [], "cut short at request {after}");
    }
    panic!("the call makes more than {MOST} requests");
}

/// The next removal removes what the first one left.
pub async fn a_removal_that_was_cut_short_is_finished_by_the_next(subject: &impl Subject) {
    let mark = new_mark();
    let plain = subject.engine(mark);
    for after in 0..MOST {
        let container = Container::main(new_id());
        plain.ensure(&container, &spec(subject), &OWN).await.unwrap();
        let (engine, held) = subject.held(mark, after);
        let mut removal = tokio::spawn({
            let (engine, container) = (engine.clone(), container.clone());
            async move { engine.remove(&container).await }
        });
        tokio::select! {
            ended = &mut removal => {
                ended.unwrap().unwrap();
                assert!(after > 0, "the call made no requests");
                return;
            }
            () = held.arrived() => {}
        }
        removal.abort();
        held.open();
        engine.remove(&container).await.unwrap();
        assert_eq!(engine.list().await.unwrap(), [], "cut short at request {after}");
    }
    panic!("the call makes more than {MOST} requests");
}
