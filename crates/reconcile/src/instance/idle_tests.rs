//! What a count of packets says of an instance.

use orchestrator_model::Phase;

use super::super::machine::tests::instance;
use super::*;

const NOW: Timestamp = Timestamp(10_000_000);
const LIMIT: Duration = Duration::from_secs(1_800);
const WARN: Duration = Duration::from_secs(300);

/// A ready instance with an idle limit, whose 7 packets were counted this long ago.
fn counted(ago: Duration) -> Instance {
    let mut counted = instance(Phase::Ready);
    counted.times.idle = Some(LIMIT);
    counted.times.packets = Some(7);
    counted.times.active = Some(NOW.minus(ago));
    counted
}

#[test]
fn traffic_puts_the_end_off_and_silence_does_not() {
    let busy = Verdict::Counted {
        packets: 8,
        active: true,
    };
    assert_eq!(judge(&counted(LIMIT * 2), 8, WARN, NOW), busy);
    assert_eq!(judge(&counted(Duration::ZERO), 7, WARN, NOW), Verdict::Quiet);
    assert_eq!(judge(&counted(LIMIT), 7, WARN, NOW), Verdict::Over);
}

#[test]
fn the_first_count_is_no_traffic_and_a_count_that_fell_is() {
    let mut new = counted(LIMIT);
    new.times.packets = None;
    let first = Verdict::Counted {
        packets: 100,
        active: false,
    };
    assert_eq!(judge(&new, 100, WARN, NOW), first);
    let fell = Verdict::Counted {
        packets: 0,
        active: true,
    };
    assert_eq!(judge(&counted(LIMIT), 0, WARN, NOW), fell);
}

#[test]
fn the_end_is_announced_once_for_each_deadline() {
    let mut soon = counted(LIMIT - WARN);
    let until = NOW.plus(WARN);
    assert_eq!(judge(&soon, 7, WARN, NOW), Verdict::Warn(until));
    assert_eq!(judge(&soon, 7, Duration::ZERO, NOW), Verdict::Quiet);
    soon.times.warned = Some(until);
    assert_eq!(judge(&soon, 7, WARN, NOW), Verdict::Quiet);
    // There was traffic since: the deadline is another one.
    soon.times.active = Some(NOW.plus(Duration::from_secs(1)));
    let later = NOW.plus(Duration::from_secs(1));
    assert_eq!(judge(&soon, 7, WARN, later), Verdict::Quiet);
    let later = NOW.plus(LIMIT - WARN).plus(Duration::from_secs(1));
    assert!(matches!(judge(&soon, 7, WARN, later), Verdict::Warn(_)));
}

#[test]
fn a_pinned_instance_and_one_that_is_not_ready_are_never_over() {
    let mut pinned = counted(LIMIT * 2);
    pinned.times.pinned = Some(Timestamp(1));
    assert_eq!(judge(&pinned, 7, WARN, NOW), Verdict::Quiet);
    let mut starting = counted(LIMIT * 2);
    starting.phase = Phase::Starting;
    assert_eq!(judge(&starting, 7, WARN, NOW), Verdict::Quiet);
    // The limit counts from when it became ready.
    let mut again = counted(LIMIT * 2);
    again.changed = NOW;
    assert_eq!(judge(&again, 7, WARN, NOW), Verdict::Quiet);
}
