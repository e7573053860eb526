//! Groups of changes of many sizes: each is one commit, whatever texts it takes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use orchestrator::model::{EventKind, LeaseChange, LeaseState, LeaseVerb};
use orchestrator::store::{EventFilter, LeaseFilter, Outcome, Store};

use crate::on_both;
use crate::place::{LINK, Place, at, change};

on_both!(a_group_of_any_size_is_recorded_whole, a_group_may_be_of_every_kind);

/// About the sizes of the statements.
const SIZES: [u16; 14] = [1, 2, 3, 4, 5, 8, 9, 31, 64, 97, 129, 384, 512, 1100];

async fn record(store: &Store, changes: Vec<LeaseChange>) -> BTreeSet<&'static str> {
    let count = changes.len();
    let recorded = store.record_leases(changes).await.unwrap();
    assert_eq!(recorded.len(), count);
    recorded.into_iter().map(|recorded| recorded.outcome.word()).collect()
}

async fn a_group_of_any_size_is_recorded_whole(place: Place) {
    let store = place.open().await;
    let mut first = 0;
    for size in SIZES {
        let group = |verb, seconds| (first..first + size).map(|n| change(verb, n, seconds)).collect();
        let words = [
            (record(&store, group(LeaseVerb::Hold, 0)).await, Outcome::Granted),
            (record(&store, group(LeaseVerb::Hold, 60)).await, Outcome::Renewed),
            (record(&store, group(LeaseVerb::Release, 120)).await, Outcome::Ended),
            (record(&store, group(LeaseVerb::Hold, 180)).await, Outcome::Granted),
        ];
        for (words, expected) in words {
            assert_eq!(words, [expected.word()].into(), "{size}");
        }
        first += size;
    }
    let leases = store.leases_of_link(LINK).await.unwrap();
    assert_eq!(leases.len(), usize::from(first));
    assert!(leases.iter().all(|lease| {
        (lease.state, lease.granted, lease.changed, lease.valid_until)
            == (LeaseState::Active, at(180), at(180), at(180 + 3600))
    }));
    let (mut events, mut after) = (0, None);
    loop {
        let filter = EventFilter {
            after,
            ..EventFilter::default()
        };
        let page = store.events(filter).await.unwrap();
        events += page.items.len();
        let Some(next) = page.next else { break };
        after = Some(next.parse().unwrap());
    }
    assert_eq!(events, usize::from(first) * 3, "granted, released, granted");
}

async fn a_group_may_be_of_every_kind(place: Place) {
    let store = place.open().await;
    record(&store, (0..300).map(|n| change(LeaseVerb::Hold, n, 0)).collect()).await;
    let mixed = (0..400).map(|n| match n {
        0..100 => change(LeaseVerb::Hold, n, 60),
        100..180 => change(LeaseVerb::Release, n, 60),
        180..185 => change(LeaseVerb::Decline, n, 60),
        // For less than it was promised.
        185..200 => LeaseChange {
            valid_until: at(100),
            ..change(LeaseVerb::Hold, n, 60)
        },
        _ => change(LeaseVerb::Hold, n, 60),
    });
    let words = record(&store, mixed.collect()).await;
    assert_eq!(words, ["ended", "granted", "renewed"].into());
    let count = async |state| {
        let filter = LeaseFilter {
            state: Some(state),
            ..LeaseFilter::default()
        };
        store.leases(filter).await.unwrap().items.len()
    };
    assert_eq!(count(LeaseState::Active).await, 315);
    assert_eq!(count(LeaseState::Released).await, 80);
    assert_eq!(count(LeaseState::Declined).await, 5);
    assert_eq!(store.expire_leases(at(100)).await.unwrap().len(), 15);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_is_brought_up_to_date_while_it_is_written() {
    let place = Place::sqlite();
    let store = place.open().await;
    let file = place.url.strip_prefix("sqlite://").unwrap();
    let size = || std::fs::metadata(file).unwrap().len();
    let empty = size();
    for round in 0..5_u16 {
        let group = (0..1000)
            .map(|n| change(LeaseVerb::Hold, round * 1000 + n, 0))
            .collect();
        record(&store, group).await;
    }
    // No commit had to do it: the log is not half as long as that.
    let deadline = Instant::now() + Duration::from_secs(30);
    while size() == empty {
        assert!(Instant::now() < deadline, "nothing but the log has grown");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let events = store.events(EventFilter::default()).await.unwrap().items;
    assert!(events.iter().all(|event| event.kind == EventKind::LeaseGranted));
}
