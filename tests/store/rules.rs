//! The rules of leases against a model, on sequences that nobody thought of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orchestrator::model::{LeaseChange, LeaseState, LeaseVerb};
use orchestrator::store::{Outcome, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::place::{LINK, Place, address, at, change, duid};

/// One thing that happens: a change, or the clock's sweep.
#[derive(Debug, Clone)]
enum Step {
    Change {
        verb: LeaseVerb,
        client: u16,
        address: u16,
        at: i64,
        life: i64,
        replayed: bool,
    },
    Sweep {
        at: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let verb = prop_oneof![
        4 => Just(LeaseVerb::Hold),
        1 => Just(LeaseVerb::Release),
        1 => Just(LeaseVerb::Expire),
        1 => Just(LeaseVerb::Decline),
    ];
    let change = (verb, 0..3_u16, 0..3_u16, 0..40_i64, 0..12_i64, any::<bool>()).prop_map(
        |(verb, client, address, at, life, replayed)| Step::Change {
            verb,
            client,
            address,
            at,
            life,
            replayed,
        },
    );
    prop_oneof![5 => change, 1 => (0..60_i64).prop_map(|at| Step::Sweep { at })]
}

/// A lease as the model has it: whose, state, end and last event in seconds.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    client: u16,
    state: LeaseState,
    end: i64,
    changed: i64,
}

#[derive(Default)]
struct Model {
    leases: BTreeMap<u16, Row>,
    wanting: BTreeSet<u16>,
}

impl Model {
    fn hold(&mut self, client: u16, address: u16, row: Row) -> Outcome {
        let before = self.leases.insert(address, row);
        self.wanting.insert(client);
        match before {
            Some(before) if before.client == client && before.state == LeaseState::Active => Outcome::Renewed,
            _ => Outcome::Granted,
        }
    }

    fn change(&mut self, verb: LeaseVerb, client: u16, address: u16, at: i64, life: i64, replayed: bool) -> Outcome {
        let end = at + life;
        let before = self.leases.get(&address).cloned();
        let own = before.as_ref().is_some_and(|row| row.client == client);
        if verb != LeaseVerb::Hold && !own {
            return Outcome::Unknown;
        }
        let Some(before) = before else {
            return self.hold(
                client,
                address,
                Row {
                    client,
                    state: LeaseState::Active,
                    end,
                    changed: at,
                },
            );
        };
        if replayed && at < before.changed {
            return Outcome::Stale;
        }
        let same_end = (end - before.end).abs() <= 2;
        let state = match verb {
            LeaseVerb::Hold if own && replayed && same_end && before.state == LeaseState::Active => {
                return Outcome::Repeated;
            }
            LeaseVerb::Hold if own && replayed && same_end && before.state == LeaseState::Expired => {
                return Outcome::Stale;
            }
            LeaseVerb::Hold => {
                return self.hold(
                    client,
                    address,
                    Row {
                        client,
                        state: LeaseState::Active,
                        end,
                        changed: at,
                    },
                );
            }
            LeaseVerb::Lift if before.state == LeaseState::Declined => LeaseState::Released,
            LeaseVerb::Lift => return Outcome::Repeated,
            LeaseVerb::Decline if before.state == LeaseState::Declined => return Outcome::Repeated,
            LeaseVerb::Decline => LeaseState::Declined,
            _ if before.state != LeaseState::Active => return Outcome::Repeated,
            LeaseVerb::Release => LeaseState::Released,
            LeaseVerb::Expire => LeaseState::Expired,
        };
        let end = if state == LeaseState::Declined { end } else { before.end };
        self.leases.insert(
            address,
            Row {
                client,
                state,
                end,
                changed: at,
            },
        );
        Outcome::Ended
    }

    fn sweep(&mut self, now: i64) -> usize {
        let by_clock = |row: &Row| matches!(row.state, LeaseState::Active | LeaseState::Declined) && row.end <= now;
        let ended = self.leases.values_mut().filter(|row| by_clock(row));
        ended.map(|row| row.state = LeaseState::Expired).count()
    }
}

async fn follow(store: &Store, link: &str, steps: &[Step]) {
    let mut model = Model::default();
    for step in steps {
        match *step {
            Step::Change {
                verb,
                client,
                address: a,
                at: t,
                life,
                replayed,
            } => {
                let told = LeaseChange {
                    link: link.to_owned(),
                    leased: address(a).into(),
                    valid_until: at(t + life),
                    replayed,
                    ..change(verb, client, t)
                };
                let recorded = store.record_leases(vec![told]).await.unwrap();
                assert_eq!(
                    recorded.last().unwrap().outcome,
                    model.change(verb, client, a, t, life, replayed),
                    "{step:?}"
                );
            }
            Step::Sweep { at: now } => {
                let ended = store.expire_leases(at(now)).await.unwrap();
                assert_eq!(
                    ended.iter().filter(|lease| lease.link == link).count(),
                    model.sweep(now),
                    "{step:?}"
                );
            }
        }
        let rows = store.leases_of_link(link).await.unwrap();
        let rows: BTreeMap<_, _> = rows
            .iter()
            .map(|row| (row.leased, (row.duid.clone(), row.state, row.valid_until, row.changed)))
            .collect();
        let expected: BTreeMap<_, _> = model
            .leases
            .iter()
            .map(|(a, row)| {
                (
                    address(*a).into(),
                    (duid(row.client), row.state, at(row.end), at(row.changed)),
                )
            })
            .collect();
        assert_eq!(rows, expected, "after {step:?}");
    }
    let filter = orchestrator::store::ClientFilter {
        link: Some(link.to_owned()),
        ..Default::default()
    };
    let clients = store.clients(filter).await.unwrap().items;
    assert_eq!(
        clients.len(),
        model.wanting.len(),
        "only a Hold makes a client, and each has it want an instance"
    );
    assert!(clients.iter().all(|client| client.wants_instance));
}

fn run(place: &Place, cases: u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(place.open());
    let count = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let tested = runner.run(&prop::collection::vec(step(), 1..25), |steps| {
        // Each sequence has a link of its own, which is as good as an empty database.
        count.set(count.get() + 1);
        let link = format!("{LINK}-{}", count.get());
        runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(60), follow(&store, &link, &steps))
                .await
                .unwrap();
        });
        Ok(())
    });
    tested.unwrap();
    runtime.block_on(store.close());
}

#[test]
fn on_sqlite() {
    run(&Place::sqlite(), 100);
}

#[test]
fn on_postgres() {
    run(&Place::postgres(), 50);
}
