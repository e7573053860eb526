//! An instance asks whether its rules are in force.

use std::time::Duration;

use orchestrator_host::PolicyKey;
use orchestrator_host::fake::{FakeFilter, Faults};
use orchestrator_model::Phase;
use tokio::time::{Instant, timeout};

use crate::record::{client, instance};
use crate::world::{ISOLATED, World, after};

#[tokio::test(start_paused = true)]
async fn the_answer_comes_once_the_rules_are_in_force() {
    let mut world = World::started(1, ISOLATED).await;
    world.hold(1, 1);
    // Nobody tells of the instance but the question.
    let asking = instance(&client(1), 1, Phase::Pending);
    world
        .records
        .change(&client(1), |facts| facts.instances = vec![asking.clone()]);
    assert_eq!(world.ask(&asking).await, Ok(()));
    world.is_right();
    assert!(world.policy().keys().any(|key| matches!(key, PolicyKey::Pair(_))));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_of_an_instance_that_is_followed_already_changes_nothing() {
    let mut world = World::started(2, ISOLATED).await;
    let asking = world.place(&client(1), 1, Phase::Pending);
    after(1).await;
    let (applied, wholes) = (world.machine.calls("apply"), world.records.lock().reads.0);
    let began = Instant::now();
    assert_eq!(world.ask(&asking).await, Ok(()));
    assert_eq!(began.elapsed(), Duration::ZERO, "nothing was waited for");
    assert_eq!(
        (world.machine.calls("apply"), world.records.lock().reads.0),
        (applied, wholes)
    );
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_on_a_link_without_isolation_is_answered_without_a_daemon_s_work() {
    let mut world = World::started(3, "isolation = false").await;
    let asking = world.place(&client(1), 1, Phase::Pending);
    assert_eq!(world.ask(&asking).await, Ok(()));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fails_is_the_answer_until_it_works_again() {
    let mut world = World::started(4, ISOLATED).await;
    world.machine.set_faults(Faults {
        fails_before: 1000,
        ..Faults::none()
    });
    let asking = world.place(&client(1), 1, Phase::Pending);
    for _ in 0..3 {
        let reason = world.ask(&asking).await.unwrap_err();
        assert!(reason.contains("the test has it fail"), "{reason}");
    }
    world.machine.set_faults(Faults::none());
    after(6).await;
    assert_eq!(world.ask(&asking).await, Ok(()));
    world.is_right();
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_refuses_something_of_one_owner_answers_the_others_well() {
    let mut world = World::started(5, ISOLATED).await;
    world.hold(1, 1);
    world.hold(2, 2);
    let [bad, good] = [1, 2].map(|number| world.place(&client(number), number, Phase::Pending));
    let refused = PolicyKey::Instance {
        port: bad.attachments[0].host_end(),
        prefix: "fd39::2:1/128".parse().unwrap(),
    };
    world.machine.with(|state| state.refused_policy.insert(refused.clone()));
    let (first, second) = tokio::join!(world.ask(&bad), world.ask(&good));
    assert!(first.unwrap_err().contains(&refused.to_string()));
    assert_eq!(second, Ok(()));
    assert_eq!(world.ask(&good).await, Ok(()));
    assert!(world.ask(&bad).await.is_err());
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_check_packets_keeps_instances_from_being_ready_only_where_the_link_says_so() {
    for filter in [FakeFilter::Absent, FakeFilter::Fails] {
        let mut world = World::new(6, ISOLATED);
        world.machine.with(|state| state.filter = filter);
        world.start();
        let asking = world.place(&client(1), 1, Phase::Pending);
        for _ in 0..2 {
            let reason = world.ask(&asking).await.unwrap_err();
            assert!(reason.contains("link br0 has isolation = true"), "{reason}");
        }
        world.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_no_more_is_forgotten() {
    let mut world = World::started(7, ISOLATED).await;
    world.machine.set_faults(Faults {
        latency: Duration::from_secs(5),
        ..Faults::none()
    });
    let asking = world.place(&client(1), 1, Phase::Pending);
    assert!(timeout(Duration::from_millis(1), world.ask(&asking)).await.is_err());
    world.machine.set_faults(Faults::none());
    after(60).await;
    world.is_right();
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_ends_answers_that_it_ends() {
    let mut world = World::started(8, ISOLATED).await;
    world.machine.set_faults(Faults {
        latency: Duration::from_secs(60),
        ..Faults::none()
    });
    let asking = world.place(&client(1), 1, Phase::Pending);
    after(1).await;
    let stop = world.stop();
    let end = async {
        after(1).await;
        stop.cancel();
    };
    let (answer, ()) = tokio::join!(world.ask(&asking), end);
    assert!(answer.unwrap_err().contains("the daemon ends"));
    world.kill().await;
}
