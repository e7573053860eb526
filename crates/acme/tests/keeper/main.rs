//! Certificates of names from an authority in memory: issued, renewed, refused, and interrupted at every call.

mod failures;
mod world;

use std::sync::atomic::Ordering;
use std::time::Duration;

use orchestrator_acme::Event;
use orchestrator_model::Timestamp;
use world::{BEGIN, DIRECTORY, End, LIFE, World, fresh, hurried};

const NAME: &str = "web.example";

fn after(time: Duration) -> Timestamp {
    Timestamp(BEGIN).plus(time)
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_certificate_is_issued_and_renewed_and_the_old_one_is_shown_until_then() {
    let world = World::new();
    let mut keeper = fresh();
    let turn = world.begin(&mut keeper, &[NAME]).await;
    assert_eq!(turn.events, [(NAME.to_owned(), Event::Ordered)]);
    assert!(turn.faults[NAME].contains("is being ordered"), "{:?}", turn.faults);
    let turn = world.run(&mut keeper, &[NAME], after(MINUTE)).await;
    assert!(turn.faults.is_empty() && turn.proofs.is_empty(), "{turn:?}");
    let first = turn.shown[NAME].clone();
    assert!(first.key().contains("PRIVATE KEY"));
    // The authority was asked a second later.
    let due = turn.next.unwrap().since(Timestamp(BEGIN));
    assert_eq!(due.as_secs(), LIFE.as_secs() / 3 * 2 + 1, "nothing is due before");

    world.wait_until(turn.next.unwrap());
    let turn = world.turn(&mut keeper, &[NAME], true).await;
    assert_eq!(turn.events, [(NAME.to_owned(), Event::Ordered)]);
    assert_eq!(turn.shown[NAME], first);
    let turn = world.run(&mut keeper, &[NAME], world.now().plus(MINUTE)).await;
    assert_ne!(turn.shown[NAME].chain, first.chain);
    assert_ne!(turn.shown[NAME].key(), first.key(), "the key is another one, too");
    assert_eq!(world.state.lock().unwrap().issued, 2);
}

#[tokio::test]
async fn the_authority_is_told_to_look_only_once_the_proof_is_in_force() {
    let world = World::new();
    let mut keeper = fresh();
    for _ in 0..5 {
        let turn = world.turn(&mut keeper, &[NAME], false).await;
        assert!(turn.shown.is_empty());
    }
    let asked = world.state.lock().unwrap().asked;
    let due = after(MINUTE * 60);
    world.wait_until(after(MINUTE * 59));
    let turn = world.turn(&mut keeper, &[NAME], false).await;
    assert!(turn.faults[NAME].contains("every balancer shows the proof"));
    assert_eq!((turn.next, world.state.lock().unwrap().asked), (Some(due), asked));
    // The order may have ended meanwhile.
    world.wait_until(due);
    let turn = world.turn(&mut keeper, &[NAME], true).await;
    assert_eq!(
        (turn.next, world.state.lock().unwrap().asked),
        (Some(after(MINUTE * 120)), asked + 1)
    );
    let turn = world.run(&mut keeper, &[NAME], world.now().plus(MINUTE)).await;
    assert!(turn.shown.contains_key(NAME));
}

#[tokio::test]
async fn wherever_it_is_killed_one_certificate_is_issued_and_kept() {
    let whole = World::new();
    whole.run(&mut fresh(), &[NAME], after(MINUTE)).await;
    let calls = whole.calls.load(Ordering::Relaxed);
    assert!(calls > 10, "{calls}");
    for call in 0..calls {
        for is_done in [false, true] {
            let world = World::new();
            *world.end.lock().unwrap() = Some(End { call, is_done });
            let mut keeper = fresh();
            for _ in 0..20 {
                world.turn(&mut keeper, &[NAME], true).await;
            }
            *world.end.lock().unwrap() = None;
            // Balancers go on; who shows nothing yet is asked again.
            let mut keeper = fresh();
            let turn = world.run(&mut keeper, &[NAME], world.now().plus(MINUTE)).await;
            let state = world.state.lock().unwrap();
            let at = format!("call {call}, done {is_done}");
            assert!(
                turn.shown.contains_key(NAME) && turn.faults.is_empty(),
                "{at}: {turn:?}"
            );
            assert_eq!(state.issued, 1, "{at}");
            assert!(state.orders.len() <= 2, "{at}");
            let rows = world.rows.lock().unwrap();
            assert_eq!(
                rows.keys().collect::<Vec<_>>(),
                [&format!("certificate/acme/{NAME}")],
                "{at}"
            );
        }
    }
}

#[tokio::test]
async fn a_restart_with_a_good_certificate_asks_nobody() {
    let world = World::new();
    let turn = world.run(&mut fresh(), &[NAME], after(MINUTE)).await;
    let asked = world.state.lock().unwrap().asked;
    let again = world.run(&mut fresh(), &[NAME], after(MINUTE * 60)).await;
    assert_eq!(again.shown, turn.shown);
    assert_eq!(world.state.lock().unwrap().asked, asked);
}

#[tokio::test]
async fn an_authority_that_is_down_is_asked_once_for_all_and_ever_less() {
    let world = World::new();
    world.state.lock().unwrap().is_down = true;
    let names = ["a.example", "b.example", "c.example"];
    let mut keeper = fresh();
    let turn = world.begin(&mut keeper, &names).await;
    assert_eq!((turn.faults.len(), world.state.lock().unwrap().asked), (3, 1));
    assert_eq!(turn.next, Some(after(MINUTE)));
    // A restart does not ask sooner.
    let mut keeper = fresh();
    let turn = world.turn(&mut keeper, &names, true).await;
    assert_eq!((turn.next, world.state.lock().unwrap().asked), (Some(after(MINUTE)), 1));
    assert!(
        turn.faults["a.example"].contains("no answer (failed once)"),
        "{:?}",
        turn.faults
    );
    let mut pauses = Vec::new();
    for _ in 0..5 {
        let begin = world.now();
        world.wait_until(world.turn(&mut keeper, &names, true).await.next.unwrap());
        pauses.push(world.now().since(begin).as_secs() / 60);
    }
    assert_eq!(pauses, [1, 5, 15, 60, 60]);
    world.state.lock().unwrap().is_down = false;
    let turn = world.run(&mut keeper, &names, world.now().plus(MINUTE)).await;
    assert_eq!((turn.shown.len(), turn.faults.len()), (3, 0));
}

#[tokio::test]
async fn what_the_authority_asks_for_is_waited_for_unless_the_operator_changes_something() {
    let world = World::new();
    {
        let mut state = world.state.lock().unwrap();
        (state.is_down, state.after) = (true, Some(MINUTE * 100));
    }
    let turn = world.begin(&mut fresh(), &[NAME]).await;
    assert_eq!(turn.next, Some(after(MINUTE * 100)));
    world.state.lock().unwrap().is_down = false;
    let turn = world.run(&mut fresh(), &[NAME], after(MINUTE)).await;
    assert!(turn.shown.is_empty());
    let mut keeper = hurried(DIRECTORY);
    let turn = world.run(&mut keeper, &[NAME], after(MINUTE)).await;
    assert!(turn.shown.contains_key(NAME));
}

#[tokio::test]
async fn a_name_that_is_refused_stops_no_other_one() {
    let world = World::new();
    world.state.lock().unwrap().refused.insert("a.example".to_owned());
    let mut keeper = fresh();
    let turn = world
        .run(&mut keeper, &["a.example", "b.example"], after(MINUTE / 2))
        .await;
    assert!(turn.faults["a.example"].contains("the name is refused"));
    assert!(turn.shown.contains_key("b.example") && turn.faults.len() == 1);
    world.state.lock().unwrap().refused.clear();
    let turn = world
        .run(&mut keeper, &["a.example", "b.example"], after(MINUTE * 2))
        .await;
    assert_eq!((turn.shown.len(), turn.faults.len()), (2, 0));
}

#[tokio::test]
async fn a_failed_renewal_keeps_the_old_certificate() {
    let world = World::new();
    let mut keeper = fresh();
    let first = world.run(&mut keeper, &[NAME], after(MINUTE)).await;
    world.state.lock().unwrap().is_down = true;
    world.wait_until(after(LIFE));
    let turn = world.turn(&mut keeper, &[NAME], true).await;
    assert_eq!(turn.shown, first.shown);
    assert!(turn.faults[NAME].contains("no answer"));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_taken() {
    let world = World::new();
    world.state.lock().unwrap().wrong_name = Some("other.example".to_owned());
    let mut keeper = fresh();
    let turn = world.run(&mut keeper, &[NAME], after(MINUTE / 2)).await;
    assert!(turn.shown.is_empty());
    assert!(
        turn.faults[NAME].contains("the certificate of the authority cannot be used"),
        "{:?}",
        turn.faults
    );
}

#[tokio::test]
async fn another_authority_issues_anew_and_what_is_there_is_shown_until_then() {
    let world = World::new();
    let first = world.run(&mut fresh(), &[NAME], after(MINUTE)).await;
    let mut keeper = hurried("https://other.example/directory");
    let turn = world.begin(&mut keeper, &[NAME]).await;
    assert_eq!((&turn.shown, turn.events.len()), (&first.shown, 1));
    let turn = world.run(&mut keeper, &[NAME], world.now().plus(MINUTE)).await;
    assert_ne!(turn.shown[NAME].chain, first.shown[NAME].chain);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_made_anew() {
    let world = World::new();
    for row in [format!("certificate/acme/{NAME}"), format!("acme/order/{NAME}")] {
        let secret = orchestrator_secrets::Secret::from("not what is expected".to_owned());
        world.rows.lock().unwrap().insert(row, secret);
    }
    let turn = world.run(&mut fresh(), &[NAME], after(MINUTE)).await;
    assert!(turn.shown.contains_key(NAME));
}

#[tokio::test]
async fn a_row_that_does_not_open_stops_no_other_name() {
    let world = World::new();
    world
        .unreadable
        .lock()
        .unwrap()
        .insert("certificate/acme/a.example".to_owned());
    let mut keeper = fresh();
    let turn = world.run(&mut keeper, &["a.example", NAME], after(MINUTE)).await;
    assert!(
        turn.faults["a.example"].contains("cannot be read: it does not open"),
        "{turn:?}"
    );
    assert!(turn.shown.contains_key(NAME));
    world.unreadable.lock().unwrap().clear();
    let turn = world
        .run(&mut keeper, &["a.example", NAME], world.now().plus(MINUTE))
        .await;
    assert_eq!((turn.shown.len(), turn.faults.len()), (2, 0));
}
