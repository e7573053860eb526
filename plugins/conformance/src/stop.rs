//! Stopping a container, and starting it again.

use orchestrator_plugin::FoundState;

use crate::support::{OWN, assert_exited, doing, fresh, new_mark, pid, spec, until};
use crate::{Act, Program, Subject};

/// Its second start finds the trace of the first.
pub async fn a_stopped_container_does_not_run_and_starts_again_with_what_it_wrote(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let once = doing(subject, Program::Once);
    let made = engine.ensure(&container, &once, &OWN).await.unwrap();
    pid(&made);
    engine.stop(&made.container()).await.unwrap();
    let stopped = engine.find(&container).await.unwrap();
    assert_eq!(stopped.as_ref().map(|found| &found.reference), Some(&made.reference));
    assert_exited(stopped);
    engine.ensure(&container, &once, &OWN).await.unwrap();
    until(engine.as_ref(), &container, |state| {
        *state == FoundState::Exited { code: 9 }
    })
    .await;
    engine.remove(&container).await.unwrap();
}

/// Also twice, and before and after its life.
pub async fn stopping_what_does_not_run_or_is_not_there_is_success(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    engine.stop(&container).await.unwrap();
    engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    engine.stop(&container).await.unwrap();
    engine.stop(&container).await.unwrap();
    engine.remove(&container).await.unwrap();
    engine.stop(&container).await.unwrap();
}

/// A frozen container cannot end by itself.
pub async fn a_paused_container_is_stopped_too(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let made = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    subject.act(&made.reference, Act::Pause).await;
    engine.stop(&container).await.unwrap();
    assert_exited(engine.find(&container).await.unwrap());
    engine.remove(&container).await.unwrap();
}

/// Another site's container is not stopped.
pub async fn a_stranger_s_container_of_that_name_runs_on(subject: &impl Subject) {
    let (owner, container) = fresh(subject);
    let stranger = subject.engine(new_mark());
    owner.ensure(&container, &spec(subject), &OWN).await.unwrap();
    stranger.stop(&container).await.unwrap();
    pid(&owner.find(&container).await.unwrap().unwrap());
    owner.remove(&container).await.unwrap();
}
