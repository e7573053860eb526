//! Trouble that tests make.

use std::time::Duration;

use orchestrator_plugin::{Change, Container, ContainerSpec, Engine, FoundState, Id, Mark, NetworkMode, Remedy};
use orchestrator_plugin_fake::{FakeEngine, FakeWorld, LIMIT, Trouble, Verb};
use tokio::sync::mpsc;
use tokio::time::Instant;

const OWN: NetworkMode = NetworkMode::EngineNamespace;

fn engine() -> (FakeWorld, FakeEngine, Container, ContainerSpec) {
    let world = FakeWorld::default();
    world.add_image("image", None);
    let engine = FakeEngine::new("fake", world.clone(), Mark { site: world.id() });
    let container = Container::main(Id::from_bytes([1; 6]));
    let spec = ContainerSpec {
        image: "image".to_owned(),
        ..ContainerSpec::default()
    };
    (world, engine, container, spec)
}

#[tokio::test]
async fn a_request_that_is_lost_does_nothing_and_one_whose_answer_is_lost_does_all() {
    let (world, engine, container, spec) = engine();
    world.trouble(Verb::Create, Trouble::Lost);
    let lost = engine.ensure(&container, &spec, &OWN).await.unwrap_err();
    assert_eq!(lost.remedy(), Remedy::Engine);
    assert_eq!(world.count(), 0);
    world.trouble(Verb::Create, Trouble::AnswerLost);
    engine.ensure(&container, &spec, &OWN).await.unwrap_err();
    assert_eq!(world.count(), 1);
    let made = engine.ensure(&container, &spec, &OWN).await.unwrap();
    assert_eq!(engine.list().await.unwrap(), [made]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_is_waited_for_no_longer_than_the_limit() {
    let (world, engine, container, spec) = engine();
    let began = Instant::now();
    world.trouble(None, Trouble::Hangs);
    let fault = engine.find(&container).await.unwrap_err();
    assert_eq!((fault.code(), fault.remedy()), ("engine-timeout", Remedy::Retry));
    assert_eq!(began.elapsed(), LIMIT);
    // A creation that hangs is waited for by the removal, and no longer either.
    world.trouble(Verb::Create, Trouble::Hangs);
    engine.ensure(&container, &spec, &OWN).await.unwrap_err();
    let fault = engine.remove(&container).await.unwrap_err();
    assert_eq!(fault.code(), "engine-timeout", "{fault}");
}

#[tokio::test(start_paused = true)]
async fn a_request_is_delayed_failed_or_refused_as_it_is_told() {
    let (world, engine, container, spec) = engine();
    let began = Instant::now();
    world.trouble(Verb::Start, Trouble::Delayed(Duration::from_secs(7)));
    engine.ensure(&container, &spec, &OWN).await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(7));
    world.trouble(Verb::Stop, Trouble::Fails("no space".to_owned()));
    world.trouble(Verb::Stop, Trouble::Refused("never".to_owned()));
    let [failed, refused] = [engine.stop(&container).await, engine.stop(&container).await].map(Result::unwrap_err);
    assert_eq!(failed.to_string(), "engine could not stop a container: no space");
    assert_eq!(refused.remedy(), Remedy::Operator);
    engine.stop(&container).await.unwrap();
}

#[tokio::test]
async fn an_engine_that_stops_ends_its_containers_and_watches() {
    let (world, engine, container, spec) = engine();
    let made = engine.ensure(&container, &spec, &OWN).await.unwrap();
    let (sender, mut changes) = mpsc::channel(4);
    let stop = async {
        assert_eq!(changes.recv().await, Some(Change::Everything));
        world.stop();
        std::future::pending::<()>().await
    };
    let ended = tokio::select! {
        fault = engine.watch(sender) => fault,
        () = stop => unreachable!("it waits for ever"),
    };
    assert_eq!(ended.remedy(), Remedy::Engine);
    assert_eq!(engine.check().await.unwrap_err().remedy(), Remedy::Engine);
    world.resume();
    let found = engine.find(&made.container()).await.unwrap().unwrap();
    assert_eq!(found.state, FoundState::Exited { code: 137 });
    assert_eq!(
        engine.ensure(&container, &spec, &OWN).await.unwrap().reference,
        made.reference
    );
}

#[tokio::test]
async fn requests_are_counted_and_what_was_sent_is_carried_out_without_its_caller() {
    let (world, engine, container, spec) = engine();
    let held = world.hold(2);
    tokio::select! {
        _ = engine.ensure(&container, &spec, &OWN) => unreachable!("it is held back"),
        () = held.arrived() => {}
    }
    assert_eq!(world.requests(), [Verb::List, Verb::InspectImage, Verb::Create]);
    assert_eq!(world.count(), 0);
    held.open();
    held.served().await;
    assert_eq!(world.count(), 1);
}
