//! When checks are made and what they come to, with fakes in place of instances and on a paused clock.

use std::collections::{HashMap, HashSet};
use std::future::{Future, pending, ready};
use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::super::schedule::Schedule;
use super::super::{Subject, Target};
use super::*;
use orchestrator_host::Socket;
use orchestrator_model::{HostId, Id, InstanceId, Slot, SlotKey};

const EVERY: Duration = Duration::from_secs(10);

fn id(number: u64) -> InstanceId {
    let [_, _, bytes @ ..] = number.to_be_bytes();
    Id::from_bytes(bytes)
}

fn subject(number: u64) -> Subject {
    Subject {
        key: SlotKey::new(id(number | 1 << 40), Slot::new("default")),
        host: HostId::local(),
        target: Target::Socket(Socket::Tcp {
            address: Ipv6Addr::from(u128::from(number)),
            port: 80,
            bridge: "br0".to_owned(),
        }),
        every: EVERY,
        failures: 3,
    }
}

/// Runs checks for a while, and returns the slots whose workers were to look.
async fn run_for<F>(span: Duration, checks: &Checks, probe: impl Fn(Check) -> F) -> Vec<SlotKey>
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let (mut round, mut looks) = (Round::default(), Vec::new());
    let run = async {
        loop {
            let due = round.begin_due(checks, &probe);
            let due = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                failed = round.changed(checks) => looks.extend(failed.map(|check| check.subject.key)),
                () = due => {}
            }
        }
    };
    let _ = tokio::time::timeout(span, run).await;
    looks
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_checked_soon_after_it_became_ready_and_then_again_and_again() {
    let checks = Checks::default();
    checks.begin(id(1), subject(1));
    let count = AtomicUsize::new(0);
    let probe = |_| {
        count.fetch_add(1, Ordering::Relaxed);
        ready(Outcome::Reacted)
    };
    assert_eq!(run_for(Duration::from_secs(1), &checks, probe).await, []);
    assert_eq!(count.load(Ordering::Relaxed), 1);
    run_for(EVERY * 100, &checks, probe).await;
    let checked = count.load(Ordering::Relaxed);
    assert!((95..=112).contains(&checked), "{checked}");
}

#[tokio::test(start_paused = true)]
async fn only_failures_in_a_row_make_an_instance_silent() {
    let checks = Checks::default();
    checks.begin(id(1), subject(1));
    let outcomes = [
        Outcome::Reacted,
        Outcome::Silent("it refuses connections"),
        Outcome::Silent("it refuses connections"),
        Outcome::Unknown,
        Outcome::Reacted,
        Outcome::Silent("it refuses connections"),
        Outcome::Silent("it takes no connection"),
        Outcome::Unknown,
    ];
    let turn = AtomicUsize::new(0);
    let probe = |_| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        let silent = Outcome::Silent("it takes no connection");
        ready(outcomes.get(turn).copied().unwrap_or(silent))
    };
    while turn.load(Ordering::Relaxed) < outcomes.len() {
        run_for(Duration::from_secs(1), &checks, probe).await;
        assert_eq!(
            checks.mute(id(1)),
            None,
            "after {} checks",
            turn.load(Ordering::Relaxed)
        );
    }
    // Its worker is told of each that fails, to look at its wiring; what is not known is no failure.
    let looks = run_for(EVERY * 2, &checks, probe).await;
    assert!(!looks.is_empty() && looks.iter().all(|key| *key == subject(1).key));
    let silence = checks.mute(id(1)).unwrap();
    assert!(
        silence.checks >= 3 && silence.how == "it takes no connection",
        "{silence:?}"
    );
    checks.pause(id(1));
    assert_eq!(checks.mute(id(1)), None);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_only_the_kernel_takes_counts_against_those_that_reacted_before() {
    let checks = Checks::default();
    for number in [1, 2] {
        checks.begin(id(number), subject(number));
    }
    let odd = |check: Check| check.id == id(1);
    let probe = move |check| ready(if odd(check) { Outcome::Reacted } else { Outcome::Taken });
    run_for(EVERY * 5, &checks, probe).await;
    assert!(checks.reacts(id(1)) && !checks.reacts(id(2)));
    let looks = run_for(EVERY * 5, &checks, |_| ready(Outcome::Taken)).await;
    assert!(checks.mute(id(1)).is_some());
    assert_eq!(checks.mute(id(2)), None, "it is not of the kind that reacts");
    assert!(looks.iter().all(|key| *key == subject(1).key));
    // It is held to it also after it was wired again, and no longer when it was restarted.
    checks.pause(id(1));
    checks.begin(id(1), subject(1));
    assert!(checks.reacts(id(1)));
    checks.renew(id(1));
    checks.begin(id(1), subject(1));
    assert!(!checks.reacts(id(1)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_remembered_for_the_question_alone() {
    let checks = Checks::default();
    let other_port = |number| match subject(number) {
        Subject {
            target: Target::Socket(Socket::Tcp { bridge, address, .. }),
            ..
        } => Subject {
            target: Target::Socket(Socket::Tcp {
                bridge,
                address,
                port: 81,
            }),
            ..subject(number)
        },
        other => other,
    };
    let live = HashSet::from([id(1), id(2)]);
    // One has just become ready, the other was there before.
    checks.begin(id(1), subject(1));
    checks.reconcile(
        &live,
        HashMap::from([(id(1), Some(subject(1))), (id(2), Some(subject(2)))]),
    );
    assert_eq!([1, 2].map(|n| checks.answered(id(n))), [true, false]);
    run_for(EVERY * 2, &checks, |_| ready(Outcome::Taken)).await;
    assert_eq!([1, 2].map(|n| checks.answered(id(n))), [true, true]);
    // A restart and a pause take nothing away, another question does.
    checks.renew(id(1));
    checks.pause(id(1));
    assert!(checks.answered(id(1)));
    checks.reconcile(
        &live,
        HashMap::from([(id(1), Some(other_port(1))), (id(2), Some(other_port(2)))]),
    );
    run_for(EVERY * 5, &checks, |_| ready(Outcome::Silent("it refuses connections"))).await;
    assert_eq!([1, 2].map(|n| checks.answered(id(n))), [false, false]);
    assert!(checks.mute(id(1)).is_some());
}

#[tokio::test(start_paused = true)]
async fn one_that_never_reacts_is_not_waited_for() {
    let checks = Checks::default();
    checks.begin(id(1), subject(1));
    let waited = Arc::new(AtomicUsize::new(0));
    let probe = |check: Check| {
        waited.fetch_add(usize::from(check.reacting), Ordering::Relaxed);
        ready(Outcome::Taken)
    };
    run_for(EVERY * 20, &checks, probe).await;
    assert_eq!(waited.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_is_spread_over_the_time_between_two_checks() {
    let checks = Checks::default();
    let live: HashSet<InstanceId> = (0..1000).map(id).collect();
    checks.reconcile(&live, (0..1000).map(|n| (id(n), Some(subject(n)))).collect());
    let seconds = Mutex::new(HashMap::<u64, u32>::new());
    let began = Instant::now();
    let probe = |_| {
        let second = began.elapsed().as_secs();
        *seconds.lock().unwrap().entry(second).or_default() += 1;
        ready(Outcome::Reacted)
    };
    run_for(EVERY * 3, &checks, probe).await;
    let seconds = seconds.into_inner().unwrap();
    let busiest = seconds.values().max().unwrap();
    // A hundred a second would be even.
    assert!(*busiest < 200, "{seconds:?}");
}

#[tokio::test(start_paused = true)]
async fn no_more_checks_are_under_way_than_may_be() {
    let checks = Checks::default();
    for number in 0..500 {
        checks.begin(id(number), subject(number));
    }
    let under_way = Arc::new(AtomicUsize::new(0));
    let probe = |_| {
        under_way.fetch_add(1, Ordering::Relaxed);
        pending()
    };
    run_for(EVERY, &checks, probe).await;
    assert_eq!(under_way.load(Ordering::Relaxed), AT_ONCE);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_panics_is_made_again() {
    let checks = Checks::default();
    checks.begin(id(1), subject(1));
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let probe = move |_| {
        let counted = counted.clone();
        async move {
            counted.fetch_add(1, Ordering::Relaxed);
            panic!("a defect");
        }
    };
    run_for(EVERY * 5, &checks, probe).await;
    assert!(count.load(Ordering::Relaxed) >= 4);
    assert_eq!(checks.mute(id(1)), None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_a_pause_is_not_counted() {
    let mut schedule = Schedule::default();
    schedule.begin(id(1), subject(1), Instant::now());
    tokio::time::advance(Duration::from_secs(1)).await;
    let check = schedule.take_due(Instant::now()).unwrap();
    schedule.pause(id(1));
    assert!(!schedule.report(&check, Outcome::Silent(""), Instant::now()));
    assert_eq!(schedule.next_due(), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_reconciled_is_checked_and_nothing_else() {
    let mut schedule = Schedule::default();
    let now = Instant::now();
    for number in [1, 2, 3] {
        schedule.begin(id(number), subject(number), now);
    }
    // The first is gone, the second not ready, of the third nothing is known to check, the fourth is new.
    let live = HashSet::from([id(2), id(3), id(4)]);
    let ready = HashMap::from([(id(3), None), (id(4), Some(subject(4)))]);
    schedule.reconcile(&live, ready, now);
    let mut checked = Vec::new();
    while let Some(check) = schedule.take_due(now + EVERY) {
        checked.push(check.id);
    }
    checked.sort_unstable();
    assert_eq!(checked, [id(3), id(4)]);
}

#[derive(Debug, Clone)]
enum Act {
    Begin(u64),
    Pause(u64),
    Forget(u64),
    Reconcile(Vec<u64>, Vec<u64>),
    Wait(u64),
    Report(Outcome),
}

fn acts() -> impl Strategy<Value = Act> {
    let outcome = prop::sample::select(vec![
        Outcome::Reacted,
        Outcome::Taken,
        Outcome::AsPlanned,
        Outcome::Silent("it takes no connection"),
        Outcome::Unknown,
    ]);
    let numbers = || prop::collection::vec(0u64..4, 0..4);
    prop_oneof![
        (0u64..4).prop_map(Act::Begin),
        (0u64..4).prop_map(Act::Pause),
        (0u64..4).prop_map(Act::Forget),
        (numbers(), numbers()).prop_map(|(live, ready)| Act::Reconcile(live, ready)),
        (0u64..30).prop_map(Act::Wait),
        outcome.prop_map(Act::Report),
    ]
}

proptest! {
    /// Whatever happens, an instance is never asked twice at once, and one that is begun is asked again.
    #[test]
    fn each_instance_has_one_check_at_a_time(acts in prop::collection::vec(acts(), 0..80)) {
        let mut schedule = Schedule::default();
        let mut now = Instant::now();
        let mut asked: Vec<Check> = Vec::new();
        for act in acts {
            match act {
                Act::Begin(number) => {
                    schedule.begin(id(number), subject(number), now);
                    asked.retain(|check| check.id != id(number));
                }
                Act::Pause(number) => {
                    schedule.pause(id(number));
                    asked.retain(|check| check.id != id(number));
                }
                Act::Forget(number) => {
                    schedule.forget(id(number));
                    asked.retain(|check| check.id != id(number));
                }
                Act::Reconcile(live, ready) => {
                    let ready: HashMap<_, _> = ready.iter().map(|n| (id(*n), Some(subject(*n)))).collect();
                    let live: HashSet<_> = live.into_iter().map(id).chain(ready.keys().copied()).collect();
                    asked.retain(|check| ready.contains_key(&check.id));
                    schedule.reconcile(&live, ready, now);
                }
                Act::Wait(seconds) => now += Duration::from_secs(seconds),
                Act::Report(outcome) => {
                    if let Some(check) = asked.pop() {
                        schedule.report(&check, outcome, now);
                    }
                }
            }
            while let Some(check) = schedule.take_due(now) {
                prop_assert!(asked.iter().all(|other| other.id != check.id), "{check:?} is asked twice");
                asked.push(check);
            }
        }
        // What is neither paused nor gone is due, or asked now.
        schedule.begin(id(9), subject(9), now);
        prop_assert!(schedule.next_due().is_some());
    }
}
