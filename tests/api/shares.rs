//! Instances have shares of the reads that block.

use std::net::{IpAddr, Ipv6Addr};

use orchestrator::api::{Caller, Peer, Role};
use tokio::task::JoinSet;

use crate::daemon::Daemon;
use crate::http::{PATIENCE, ask_with};

/// More than anybody may have.
const TRIES: usize = 20;

/// How many one instance may have. There is room for other requests at the metadata address, which takes a few connections of
/// each instance: it answers one that wants more, instead of closing its connection.
const MOST: usize = 4;

/// The instance with this address.
fn instance(number: u16) -> Caller {
    Caller {
        peer: Peer::Host(IpAddr::V6(Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 2, number))),
        user: None,
        role: Role::Operator,
        granted: None,
    }
}

/// Reads of all, that block until something changes.
struct Reads {
    under_way: JoinSet<u16>,
    target: String,
}

impl Reads {
    async fn begin(daemon: &Daemon) -> Self {
        let page = daemon
            .inside
            .ask(&instance(0), "GET", "/v1/kv/web?recurse", Vec::new())
            .await;
        let page: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
        Self {
            under_way: JoinSet::new(),
            target: format!("/v1/kv/web?recurse&index={}&wait=10m", page["index"]),
        }
    }

    /// Has an instance try as often as that. Returns once `refused` of the tries were refused: the others block.
    async fn greedy(&mut self, daemon: &Daemon, number: u16, refused: usize) {
        for _ in 0..TRIES {
            let (inside, target) = (daemon.inside.clone(), self.target.clone());
            self.under_way.spawn(async move {
                let answer = inside.ask(&instance(number), "GET", &target, Vec::new()).await;
                let too_many = String::from_utf8_lossy(&answer.body).contains("too-many-streams");
                assert_eq!(answer.status == 503, too_many);
                answer.status
            });
        }
        for _ in 0..refused {
            let ended = tokio::time::timeout(PATIENCE, self.under_way.join_next()).await;
            assert_eq!(
                ended.expect("it is refused at once").unwrap().unwrap(),
                503,
                "of {number}"
            );
        }
    }
}

#[test]
fn an_instance_that_blocks_all_its_reads_may_still_ask() {
    assert!(MOST < orchestrator_portal::Limits::default().connections_each);
}

#[tokio::test]
async fn an_instance_blocks_few_reads_and_always_leaves_some_for_others() {
    let daemon = Daemon::start().await;
    let mut reads = Reads::begin(&daemon).await;
    for number in 1..=63 {
        reads.greedy(&daemon, number, TRIES - MOST).await;
    }
    // 4 are free. Nobody gets more than are left behind it, and the next one still gets some.
    for (number, blocked) in [(64, 2), (65, 1)] {
        reads.greedy(&daemon, number, TRIES - blocked).await;
    }
    // One with many is refused, one with none has the last one.
    reads.greedy(&daemon, 1, TRIES).await;
    reads.greedy(&daemon, 66, TRIES - 1).await;

    let put = ask_with(&daemon.unix, "PUT", "/v1/kv/web/a", "", b"x").await;
    assert_eq!(put.status, 200);
    let mut answered = 0;
    while let Some(status) = tokio::time::timeout(PATIENCE, reads.under_way.join_next())
        .await
        .expect("it wakes")
    {
        assert_eq!(status.unwrap(), 200);
        answered += 1;
    }
    assert_eq!(answered, 256);
    // All of it is free again.
    let mut reads = Reads::begin(&daemon).await;
    reads.greedy(&daemon, 1, TRIES - MOST).await;
}
