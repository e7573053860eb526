//! What was acknowledged survives `SIGKILL`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use orchestrator::model::LeaseVerb;
use orchestrator::store::{EventFilter, Store};
use tokio::task::JoinSet;

use crate::place::{LINK, Place, address, change};

/// Tells a process of this test that it is the one to be killed, and where it writes.
const VICTIM: &str = "ORCHESTRATOR_STORE_VICTIM";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_leases_survive_sigkill_on_sqlite() {
    survive("sqlite", Place::sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_leases_survive_sigkill_on_postgres() {
    survive("postgres", Place::postgres).await;
}

async fn survive(database: &str, place: fn() -> Place) {
    if let Ok(place) = std::env::var(VICTIM) {
        return record_until_killed(&place).await;
    }
    let place = place();
    let test = format!("durability::acknowledged_leases_survive_sigkill_on_{database}");
    let mut acknowledged = Vec::new();
    for round in 0..5_u16 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &test, "--nocapture"])
            .env(VICTIM, format!("{round} {}", place.url))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let mut left = 20 + usize::from(round) * 37;
        for line in lines {
            let Ok(line) = line else { break };
            let Some(n) = line.strip_prefix("recorded ") else {
                continue;
            };
            acknowledged.push(n.parse::<u16>().unwrap());
            left = left.saturating_sub(1);
            if left == 0 {
                // What it acknowledged until it is really gone counts, too: the loop goes on to the end of the pipe.
                victim.kill().ok();
            }
        }
        victim.wait().unwrap();
        assert_eq!(left, 0, "the victim ended by itself");
    }
    let store = tokio::time::timeout(Duration::from_secs(30), place.open())
        .await
        .unwrap();
    let leases = store.leases_of_link(LINK).await.unwrap();
    for n in acknowledged {
        assert!(
            leases.iter().any(|lease| lease.leased == address(n).into()),
            "{n} was acknowledged"
        );
    }
    // No lease without its event, and no event without its lease.
    let mut events = 0;
    let mut after = None;
    loop {
        let page = store
            .events(EventFilter {
                after,
                ..EventFilter::default()
            })
            .await
            .unwrap();
        events += page.items.len();
        after = page.next.map(|next| next.parse().unwrap());
        if after.is_none() {
            break;
        }
    }
    assert_eq!(events, leases.len());
}

async fn record_until_killed(place: &str) {
    let (round, url) = place.split_once(' ').unwrap();
    let round: u16 = round.parse().unwrap();
    let store = Store::open(url).await.unwrap();
    let mut callers = JoinSet::new();
    for caller in 0..8_u16 {
        let store = store.clone();
        callers.spawn(async move {
            for n in 0..1000 {
                let n = round * 8000 + caller * 1000 + n;
                store.record_leases(vec![change(LeaseVerb::Hold, n, 0)]).await.unwrap();
                println!("\nrecorded {n}");
            }
        });
    }
    while callers.join_next().await.is_some() {}
}
