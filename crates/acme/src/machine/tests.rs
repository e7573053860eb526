use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const HOUR: u64 = 3600;

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn proofs() -> BTreeSet<Proof> {
    BTreeSet::from([Proof {
        token: "a".to_owned(),
        answer: "a.b".to_owned(),
    }])
}

fn pending() -> Standing {
    Standing::Pending {
        proofs: proofs(),
        is_answered: false,
    }
}

fn no_answer(after: Option<Duration>) -> Refusal {
    Refusal {
        after,
        ..Refusal::passing("no answer").of_all()
    }
}

fn placed() -> Case {
    let mut case = Case::default();
    assert_eq!(case.next(NOW, &BTreeSet::new()), Step::Place);
    case.placed("u".to_owned(), NOW);
    case
}

fn finalized() -> Case {
    let mut case = placed();
    case.looked(Standing::Ready, NOW);
    assert_eq!(case.next(NOW, &BTreeSet::new()), Step::Finalize);
    case.finalized(NOW);
    case
}

/// Looks whenever it is due, and hears the same each time, until a failure. Returns the time and the number of looks.
fn look_until_failed(case: &mut Case, standing: &Standing, mut now: Timestamp) -> (Timestamp, usize) {
    let failures = case.failures;
    for looks in 0..100 {
        if case.failures > failures {
            return (now, looks);
        }
        if let Step::Wait(at) = case.next(now, &BTreeSet::new()) {
            now = at;
        }
        assert_eq!(case.next(now, &BTreeSet::new()), Step::Look);
        case.looked(standing.clone(), now);
    }
    panic!("it goes on for ever");
}

#[test]
fn an_order_is_answered_only_once_its_proof_is_in_force() {
    let none = BTreeSet::new();
    let mut case = placed();
    assert_eq!(case.next(NOW, &none), Step::Look);
    case.looked(pending(), NOW);
    assert_eq!(case.next(after(HOUR - 1), &none), Step::Wait(after(HOUR)));
    assert!(case.fault().unwrap().contains("every balancer"));
    assert_eq!(case.proofs().count(), 1);
    assert_eq!(case.next(NOW, &proofs()), Step::Answer);
    case.answered(NOW);
    assert_eq!(case.proofs().count(), 1, "it is shown while the authority looks");
    assert_eq!(case.next(NOW, &proofs()), Step::Wait(after(1)));
    assert_eq!(case.next(after(1), &proofs()), Step::Look);
    case.looked(Standing::Ready, after(1));
    assert_eq!(case.next(after(1), &none), Step::Finalize);
    assert_eq!(case.proofs().count(), 0);
    case.finalized(after(1));
    assert_eq!(case.next(after(1), &none), Step::Look);
    case.looked(Standing::Valid, after(1));
    assert_eq!(case.next(after(1), &none), Step::Fetch);
    let life = Life {
        from: NOW,
        until: after(90),
    };
    case.issued(life, after(2));
    assert_eq!((case.fault(), case.proofs().count()), (None, 0));
    assert_eq!(case.next(after(59), &none), Step::Wait(after(60)));
    assert_eq!(case.next(after(60), &none), Step::Place);
}

#[test]
fn an_order_whose_proof_is_never_in_force_is_looked_at_each_hour() {
    let none = BTreeSet::new();
    let mut case = placed();
    case.looked(pending(), NOW);
    assert_eq!(case.next(after(HOUR), &none), Step::Look);
    case.looked(pending(), after(HOUR));
    assert_eq!(case.next(after(HOUR), &none), Step::Wait(after(2 * HOUR)));
    case.looked(Standing::Invalid("it is too old".to_owned()), after(2 * HOUR));
    assert!(case.order.is_none() && case.fault().unwrap().contains("too old"));
}

#[test]
fn an_authority_that_does_not_decide_is_asked_ever_less_and_given_up() {
    let mut case = placed();
    case.looked(pending(), NOW);
    case.answered(NOW);
    let (now, looks) = look_until_failed(&mut case, &pending(), NOW);
    assert!(case.order.is_none());
    assert!((10..20).contains(&looks), "{looks}");
    assert!(now >= after(300) && now <= after(330));
    assert!(case.fault().unwrap().contains("did not decide within 300 s"));
    assert_eq!(case.next(now, &proofs()), Step::Wait(now.plus(Duration::from_secs(60))));
}

#[test]
fn an_order_that_is_still_ready_after_the_request_is_asked_ever_less_and_then_sent_it_again() {
    let mut case = finalized();
    let (now, looks) = look_until_failed(&mut case, &Standing::Ready, NOW);
    assert!((10..20).contains(&looks), "{looks}");
    let again = now.plus(Duration::from_secs(60));
    assert_eq!(case.next(now, &proofs()), Step::Wait(again));
    assert_eq!(case.next(again, &proofs()), Step::Look, "the same order");
    case.looked(Standing::Ready, again);
    assert_eq!(case.next(again, &proofs()), Step::Finalize);
}

#[test]
fn an_order_whose_certificate_is_being_made_is_kept_for_a_day() {
    let mut case = finalized();
    let mut now = NOW;
    while now < after(24 * HOUR) {
        assert!(case.order.is_some(), "{now}");
        (now, _) = look_until_failed(&mut case, &Standing::Processing, now);
        assert!(case.fault().unwrap().contains("did not make the certificate"));
    }
    assert!(case.order.is_none() && case.fault().unwrap().contains("the order is given up"));
}

#[test]
fn what_the_authority_says_after_the_request_is_no_new_beginning() {
    let mut case = finalized();
    case.looked(pending(), NOW);
    assert_eq!((case.next(NOW, &proofs()), case.failures), (Step::Wait(after(1)), 0));
    assert_eq!(case.proofs().count(), 0);
}

#[test]
fn the_proof_is_shown_until_the_authority_has_decided_whatever_fails() {
    let mut case = placed();
    case.looked(pending(), NOW);
    case.answered(NOW);
    case.refused(&no_answer(None), NOW);
    assert_eq!(case.proofs().count(), 1);
    assert_eq!(case.next(after(60), &proofs()), Step::Look);
    case.looked(
        Standing::Pending {
            proofs: proofs(),
            is_answered: true,
        },
        after(60),
    );
    assert_eq!(case.proofs().count(), 1);
    case.looked(Standing::Ready, after(61));
    assert_eq!(case.proofs().count(), 0);
}

#[test]
fn what_passes_is_taken_up_again_and_what_is_over_is_ordered_anew() {
    let mut case = placed();
    case.refused(&no_answer(Some(Duration::from_secs(100))), NOW);
    assert!(case.fault().unwrap().contains("no answer (failed once)"));
    assert_eq!(case.next(after(99), &proofs()), Step::Wait(after(100)));
    assert_eq!(case.next(after(100), &proofs()), Step::Look, "the same order");
    case.looked(Standing::Invalid("no such name".to_owned()), after(100));
    assert_eq!(
        case.next(after(399), &proofs()),
        Step::Wait(after(400)),
        "the second pause"
    );
    assert_eq!(case.next(after(400), &proofs()), Step::Place);
    assert!(case.fault().unwrap().contains("no such name (failed 2 times"));
    case.hurry();
    assert_eq!(case.next(after(101), &proofs()), Step::Place);
}

#[test]
fn an_order_of_which_each_question_fails_is_given_up() {
    let mut case = placed();
    for _ in 1..MOST_FAILURES {
        case.refused(&Refusal::passing("no sense"), NOW);
        assert!(case.order.is_some());
    }
    case.refused(&Refusal::passing("no sense"), NOW);
    assert!(case.order.is_none());
    let fault = case.fault().unwrap();
    assert!(fault.contains("no sense; the order is given up"), "{fault}");
}

#[test]
fn an_order_that_may_have_a_certificate_is_given_up_after_a_day_and_not_before() {
    let mut valid = placed();
    valid.looked(Standing::Valid, NOW);
    for mut case in [finalized(), valid] {
        for _ in 0..3 * MOST_FAILURES {
            case.refused(&Refusal::passing("503"), NOW);
            assert!(case.order.is_some());
        }
        case.refused(&Refusal::passing("503"), after(24 * HOUR));
        assert!(case.order.is_none());
    }
}

#[test]
fn an_order_is_not_given_up_because_our_own_record_fails() {
    let mut case = finalized();
    for _ in 0..3 * MOST_FAILURES {
        case.refused(&Refusal::ours("the disk is full"), NOW);
    }
    assert!(case.order.is_some());
}

#[test]
fn an_order_outlives_an_authority_that_is_down_for_less_than_a_day() {
    let mut case = placed();
    for hour in 0..24 {
        case.refused(&no_answer(None), after(hour * HOUR));
        assert!(case.order.is_some(), "{hour}");
    }
    case.refused(&no_answer(None), after(24 * HOUR));
    assert!(case.order.is_none());
}

#[test]
fn a_clock_that_is_set_back_holds_nothing_up() {
    let earlier = NOW.minus(Duration::from_secs(3 * 86_400));
    let none = BTreeSet::new();
    let mut case = placed();
    case.looked(pending(), NOW);
    assert_eq!(case.next(earlier, &none), Step::Look, "the wait for balancers");
    case.answered(NOW);
    assert_eq!(case.next(earlier, &none), Step::Look, "a poll");
    let (now, _) = look_until_failed(&mut case, &pending(), earlier);
    assert!(now < earlier.plus(Duration::from_secs(400)), "the patience: {now}");
    let mut case = placed();
    case.refused(&no_answer(Some(LONGEST_PAUSE)), NOW);
    assert_eq!(case.next(NOW, &none), Step::Wait(NOW.plus(LONGEST_PAUSE)));
    assert_eq!(case.next(earlier, &none), Step::Look, "the pause");
}

#[test]
fn a_certificate_that_comes_old_does_not_make_one_order_after_the_other() {
    let mut case = placed();
    let life = Life {
        from: NOW.minus(Duration::from_secs(900)),
        until: after(10),
    };
    let mut now = NOW;
    for pause in [60, 300, 900, 3600, 3600] {
        case.issued(life, now);
        assert!(case.fault().unwrap().contains("check the clock"));
        let due = now.plus(Duration::from_secs(pause));
        assert_eq!(case.next(now, &proofs()), Step::Wait(due));
        now = due;
        assert_eq!(case.next(now, &proofs()), Step::Place);
        case.placed("u".to_owned(), now);
    }
}

#[test]
fn a_certificate_of_another_authority_is_replaced_and_shown_until_then() {
    let case = Case {
        life: Some(Life {
            from: NOW,
            until: after(1000),
        }),
        is_foreign: true,
        ..Case::default()
    };
    assert_eq!(case.next(NOW, &BTreeSet::new()), Step::Place);
    assert_eq!(case.fault(), None);
}
