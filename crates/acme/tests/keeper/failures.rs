//! Authorities, balancers and records that misbehave.

use std::collections::BTreeSet;
use std::time::Duration;

use orchestrator_acme::{Event, Reach, Refusal};

use crate::world::{LIFE, World, fresh, hurried};
use crate::{MINUTE, NAME, after};

const TWO: [&str; 2] = ["a.example", "b.example"];

fn failures(events: &[(String, Event)]) -> usize {
    let failed = events.iter().filter(|(_, event)| matches!(event, Event::Failed(_)));
    failed.count()
}

#[tokio::test]
async fn an_authority_that_repeats_its_chain_is_asked_again_only_after_a_pause() {
    let world = World::new();
    let mut keeper = fresh();
    let first = world.run(&mut keeper, &[NAME], after(MINUTE)).await;
    world.state.lock().unwrap().repeated = Some(first.shown[NAME].chain.clone());
    world.wait_until(first.next.unwrap());
    let begin = world.now();
    let turn = world.run(&mut keeper, &[NAME], begin.plus(MINUTE / 2)).await;
    assert!(
        turn.faults[NAME].contains("the certificate that is to be renewed"),
        "{turn:?}"
    );
    assert_eq!(turn.shown, first.shown);
    assert!(turn.next.unwrap() >= begin.plus(MINUTE));
    assert_eq!(world.state.lock().unwrap().orders.len(), 2);
    world.state.lock().unwrap().repeated = None;
    let turn = world.run(&mut keeper, &[NAME], begin.plus(MINUTE * 2)).await;
    assert_ne!(turn.shown, first.shown);
}

#[tokio::test]
async fn a_certificate_that_takes_hours_is_issued_once() {
    let world = World::new();
    let mut first = fresh();
    world.begin(&mut first, &[NAME]).await;
    world.run(&mut first, &[NAME], world.now()).await;
    world.state.lock().unwrap().is_slow = true;
    let turn = world.run(&mut first, &[NAME], after(MINUTE * 60)).await;
    assert!(turn.faults[NAME].contains("did not"), "{turn:?}");
    world.state.lock().unwrap().is_slow = false;
    // Also over a restart.
    let turn = world.run(&mut fresh(), &[NAME], after(MINUTE * 240)).await;
    assert!(turn.shown.contains_key(NAME) && turn.faults.is_empty(), "{turn:?}");
    let state = world.state.lock().unwrap();
    assert_eq!((state.issued, state.orders.len()), (1, 1));
}

#[tokio::test]
async fn a_proof_is_shown_while_the_authority_checks_it_even_if_it_cannot_be_asked() {
    let world = World::new();
    let mut first = fresh();
    world.state.lock().unwrap().is_slow = true;
    world.run(&mut first, &[NAME], after(Duration::from_secs(2))).await;
    let proofs = world.state.lock().unwrap().shown.clone();
    assert_eq!(proofs.len(), 1);
    let hiccup = ("look", "0".to_owned(), Refusal::passing("a hiccup"));
    world.state.lock().unwrap().refusals.push(hiccup);
    let turn = world.run(&mut first, &[NAME], after(MINUTE / 2)).await;
    assert!(turn.faults[NAME].contains("a hiccup"), "{turn:?}");
    assert_eq!(turn.proofs, proofs);
    // The first turn after a kill knows it, before anybody is asked.
    let mut second = fresh();
    assert_eq!(world.turn(&mut second, &[NAME], true).await.proofs, proofs);
    {
        let mut state = world.state.lock().unwrap();
        (state.is_slow, state.refusals) = (false, Vec::new());
    }
    let turn = world.run(&mut second, &[NAME], after(MINUTE * 3)).await;
    assert!(turn.shown.contains_key(NAME) && turn.proofs.is_empty(), "{turn:?}");
    assert_eq!(world.state.lock().unwrap().orders.len(), 1);
}

#[tokio::test]
async fn a_proof_is_shown_after_a_kill_while_the_authority_checks_it() {
    let world = World::new();
    world.state.lock().unwrap().is_slow = true;
    world.run(&mut fresh(), &[NAME], after(Duration::from_secs(2))).await;
    let turn = world.turn(&mut fresh(), &[NAME], true).await;
    assert_eq!((turn.proofs.len(), world.state.lock().unwrap().orders.len()), (1, 1));
}

#[tokio::test]
async fn an_order_that_hangs_holds_up_no_other_name() {
    let world = World::new();
    for order in ["0", "1"] {
        let hangs = ("look", order.to_owned(), Refusal::passing("no answer within 20 s"));
        world.state.lock().unwrap().refusals.push(hangs);
    }
    let mut keeper = fresh();
    world.run(&mut keeper, &["a.example"], after(MINUTE / 2)).await;
    let turn = world.run(&mut keeper, &TWO, after(MINUTE / 2)).await;
    assert_eq!(turn.faults.len(), 2, "the second order hangs, too: {turn:?}");
    world.state.lock().unwrap().refusals.pop();
    let turn = world.run(&mut keeper, &TWO, after(MINUTE * 2)).await;
    assert_eq!(turn.shown.keys().collect::<Vec<_>>(), ["b.example"]);
}

#[tokio::test]
async fn a_name_that_was_refused_is_asked_last() {
    let world = World::new();
    let refusal = Refusal::passing("the account is locked").of_all();
    world.state.lock().unwrap().refusals = vec![("place", "a.example".to_owned(), refusal)];
    let mut keeper = fresh();
    let turn = world.begin(&mut keeper, &TWO).await;
    assert_eq!((failures(&turn.events), world.state.lock().unwrap().asked), (2, 1));
    let turn = world.run(&mut keeper, &TWO, after(MINUTE * 2)).await;
    assert!(turn.shown.contains_key("b.example"), "{turn:?}");
    assert!(turn.faults["a.example"].contains("the account is locked"));
}

#[tokio::test]
async fn an_account_that_is_not_accepted_ends_no_order() {
    let world = World::new();
    let mut keeper = fresh();
    world.begin(&mut keeper, &TWO).await;
    {
        let mut state = world.state.lock().unwrap();
        let refusal = Refusal::over("the contact is refused").of_all();
        state.refusals = ["0", "1"]
            .map(|order| ("look", order.to_owned(), refusal.clone()))
            .to_vec();
    }
    let asked = world.state.lock().unwrap().asked;
    let turn = world.run(&mut keeper, &TWO, after(MINUTE * 600)).await;
    assert_eq!(turn.faults.len(), 2);
    assert!(world.state.lock().unwrap().asked < asked + 20, "one name asks for both");
    world.state.lock().unwrap().refusals.clear();
    let turn = world.run(&mut keeper, &TWO, after(MINUTE * 700)).await;
    assert_eq!((turn.shown.len(), world.state.lock().unwrap().orders.len()), (2, 2));
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_given_up_and_placed_anew() {
    let world = World::new();
    let nonsense = ("look", "0".to_owned(), Refusal::passing("no JSON"));
    world.state.lock().unwrap().refusals.push(nonsense);
    let mut keeper = fresh();
    let turn = world.run(&mut keeper, &[NAME], after(MINUTE * 60)).await;
    assert!(turn.shown.is_empty() && turn.faults[NAME].contains("no JSON"));
    let turn = world.run(&mut keeper, &[NAME], after(MINUTE * 60 * 5)).await;
    assert!(turn.shown.contains_key(NAME) && turn.faults.is_empty(), "{turn:?}");
    assert_eq!(world.state.lock().unwrap().orders.len(), 2);
}

#[tokio::test]
async fn a_good_certificate_is_not_replaced_by_one_that_cannot_be_shown() {
    let world = World::new();
    let mut first = fresh();
    let before = world.run(&mut first, &[NAME], after(MINUTE)).await;
    world.state.lock().unwrap().is_unfit = true;
    world.wait_until(before.next.unwrap());
    let turn = world.run(&mut first, &[NAME], world.now().plus(MINUTE / 2)).await;
    assert!(turn.faults[NAME].contains("cannot be used: it is unfit"), "{turn:?}");
    assert_eq!(turn.shown, before.shown);
    let issued = world.state.lock().unwrap().issued;
    world.run(&mut first, &[NAME], world.now().plus(MINUTE * 60 * 23)).await;
    assert_eq!(world.state.lock().unwrap().issued, issued, "authorities limit them");
    let turn = world.turn(&mut fresh(), &[NAME], true).await;
    assert_eq!(turn.shown, before.shown, "it is on record, too");
}

#[tokio::test]
async fn an_order_that_cannot_be_read_hides_no_certificate_and_is_not_replaced() {
    let world = World::new();
    let mut first = fresh();
    let before = world.run(&mut first, &[NAME], after(MINUTE)).await;
    let order = format!("acme/order/{NAME}");
    world.unreadable.lock().unwrap().insert(order.clone());
    let asked = world.state.lock().unwrap().asked;
    let turn = world.turn(&mut fresh(), &[NAME], true).await;
    assert_eq!(turn.shown, before.shown);
    assert!(turn.faults[NAME].contains("it does not open") && turn.next.is_some());
    assert_eq!(world.state.lock().unwrap().asked, asked);
}

#[tokio::test]
async fn without_an_authority_what_is_on_record_is_shown_and_nothing_is_asked() {
    let world = World::new();
    let mut first = fresh();
    let before = world.run(&mut first, &[NAME], after(MINUTE)).await;
    world.begin(&mut first, &[NAME, "new.example"]).await;
    let order = world.rows.lock().unwrap().clone();
    world.wait_until(after(LIFE));
    let asked = world.state.lock().unwrap().asked;
    let mut idle = hurried("");
    for _ in 0..3 {
        let turn = world.rest(&mut idle, &[NAME, "new.example"]).await;
        assert_eq!((&turn.shown, turn.next), (&before.shown, None));
        assert!(turn.events.is_empty() && turn.proofs.is_empty());
    }
    assert_eq!(world.state.lock().unwrap().asked, asked);
    assert_eq!(
        *world.rows.lock().unwrap(),
        order,
        "an order goes on with the authority"
    );
    world
        .unreadable
        .lock()
        .unwrap()
        .insert("certificate/acme/x.example".to_owned());
    let turn = world.rest(&mut idle, &["x.example"]).await;
    assert!(turn.faults["x.example"].contains("it does not open") && turn.next.is_some());
}

#[tokio::test]
async fn many_names_are_certified_a_few_at_a_time_and_the_first_ones_are_told_early() {
    let world = World::new();
    let names: Vec<String> = (0..30).map(|number| format!("n{number:02}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.state.lock().unwrap().duration = Duration::from_secs(1);
    let mut keeper = fresh();
    let (mut turns, mut first) = (0, None);
    loop {
        let asked = world.state.lock().unwrap().asked;
        let turn = world.turn(&mut keeper, &names, true).await;
        turns += 1;
        assert!(world.state.lock().unwrap().asked <= asked + 8);
        if !turn.shown.is_empty() {
            first.get_or_insert((turns, turn.shown.len()));
        }
        if turn.shown.len() == names.len() {
            break;
        }
        world.wait_until(turn.next.unwrap());
        assert!(turns < 200, "{turn:?}");
    }
    let (when, many) = first.unwrap();
    assert!(
        when < turns / 3 && many <= 8,
        "the first {many} after {when} of {turns} turns"
    );
}

#[tokio::test]
async fn after_a_limit_on_orders_no_more_are_placed_in_that_turn_and_the_others_do_not_wait_as_long() {
    let world = World::new();
    let names = ["a.example", "b.example", "c.example"];
    let mut keeper = fresh();
    world.begin(&mut keeper, &["c.example"]).await;
    let limit = Refusal {
        reach: Reach::Orders,
        after: Some(MINUTE * 600),
        ..Refusal::passing("too many")
    };
    world.state.lock().unwrap().refusals = vec![("place", "a.example".to_owned(), limit)];
    world.turn(&mut keeper, &names, true).await;
    world.state.lock().unwrap().subjects.clear();
    let turn = world.turn(&mut keeper, &names, true).await;
    let asked: BTreeSet<String> = world.state.lock().unwrap().subjects.drain(..).collect();
    // The order of c goes on, and b is not placed.
    assert_eq!(asked, ["0", "a.example"].map(str::to_owned).into());
    assert_eq!(failures(&turn.events), 2);
    let turn = world.run(&mut keeper, &names, after(MINUTE * 2)).await;
    assert_eq!(turn.shown.keys().collect::<Vec<_>>(), ["b.example", "c.example"]);
    assert!(turn.faults["a.example"].contains("too many (failed once)"), "{turn:?}");
}

#[tokio::test]
async fn a_clock_that_is_set_back_stops_no_retry() {
    let world = World::new();
    world.state.lock().unwrap().is_down = true;
    let mut keeper = fresh();
    world.begin(&mut keeper, &[NAME]).await;
    world.state.lock().unwrap().is_down = false;
    world.set_back(MINUTE * 60 * 24 * 30);
    let turn = world.run(&mut keeper, &[NAME], world.now().plus(MINUTE)).await;
    assert!(turn.shown.contains_key(NAME), "{turn:?}");
}

#[tokio::test]
async fn an_order_that_cannot_be_recorded_is_not_completed() {
    let world = World::new();
    world.unwritable.lock().unwrap().insert(format!("acme/order/{NAME}"));
    let mut keeper = fresh();
    let turn = world.run(&mut keeper, &[NAME], after(MINUTE * 60 * 6)).await;
    assert!(turn.faults[NAME].contains("the disk is full"), "{turn:?}");
    assert_eq!(world.state.lock().unwrap().issued, 0);
    world.unwritable.lock().unwrap().clear();
    let turn = world.run(&mut keeper, &[NAME], after(MINUTE * 60 * 8)).await;
    assert!(turn.shown.contains_key(NAME) && turn.faults.is_empty(), "{turn:?}");
    assert_eq!(world.state.lock().unwrap().orders.len(), 1, "the same order");
}

#[tokio::test]
async fn an_order_that_cannot_be_removed_from_the_record_is_no_failure() {
    let world = World::new();
    let mut first = fresh();
    world.begin(&mut first, &[NAME]).await;
    let order = format!("acme/order/{NAME}");
    let certificate = format!("certificate/acme/{NAME}");
    // The certificate cannot be kept at first: it is fetched again.
    world.unwritable.lock().unwrap().insert(certificate.clone());
    let turn = world.run(&mut first, &[NAME], after(MINUTE / 2)).await;
    assert!(
        turn.faults[NAME].contains("the disk is full") && turn.shown.is_empty(),
        "{turn:?}"
    );
    *world.unwritable.lock().unwrap() = BTreeSet::from([order.clone()]);
    let turn = world.run(&mut first, &[NAME], after(MINUTE * 2)).await;
    assert!(turn.shown.contains_key(NAME) && turn.faults.is_empty(), "{turn:?}");
    assert!(world.rows.lock().unwrap().contains_key(&order));
    world.unwritable.lock().unwrap().clear();
    world.turn(&mut fresh(), &[NAME], true).await;
    assert_eq!(world.rows.lock().unwrap().keys().collect::<Vec<_>>(), [&certificate]);
    assert_eq!(world.state.lock().unwrap().issued, 1);
}
