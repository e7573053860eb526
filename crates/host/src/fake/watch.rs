//! Reports of a fake machine: they get lost, come twice, late, and in another order.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::FakeMachine;
use super::hands::up;
use super::state::Watcher;
use crate::{Cause, HostChange, WatchScope};

/// The fate of a report.
enum Delivery {
    Lost,
    Broken,
    /// So often, each at its moment.
    At(Vec<Instant>),
}

impl FakeMachine {
    /// Reports until the watch breaks or nobody listens. Fails at once when the engine does not answer.
    pub(super) async fn report_to(&self, scope: &WatchScope, changes: &mpsc::Sender<HostChange>) -> Cause {
        if let WatchScope::Engine(engine) = scope
            && let Err(fault) = self.answers(Some(engine), false).await
        {
            return fault;
        }
        let (sender, mut received) = mpsc::unbounded_channel();
        let first = self.begin(scope, sender);
        self.crash_points().pass().await;
        if changes.send(first).await.is_err() {
            return Cause::Unheeded;
        }
        let mut late: BTreeMap<(Instant, u64), HostChange> = BTreeMap::new();
        let mut number = 0;
        loop {
            let next = late.keys().next().copied();
            let due = async {
                match next {
                    Some((at, _)) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = changes.closed() => return Cause::Unheeded,
                () = due => {
                    let Some((_, change)) = late.pop_first() else { continue };
                    self.crash_points().pass().await;
                    if changes.send(change).await.is_err() {
                        return Cause::Unheeded;
                    }
                }
                change = received.recv() => {
                    let Some(change) = change else { return broken() };
                    match self.delivery() {
                        Delivery::Lost => {}
                        Delivery::Broken => return broken(),
                        Delivery::At(moments) => {
                            for at in moments {
                                number += 1;
                                late.insert((at, number), change.clone());
                            }
                        }
                    }
                }
            }
        }
    }

    /// What a watch reports first: anything may have happened before.
    fn begin(&self, scope: &WatchScope, sender: mpsc::UnboundedSender<HostChange>) -> HostChange {
        let scope = scope.clone();
        let first = match &scope {
            WatchScope::Networks => HostChange::Networks,
            WatchScope::Interfaces => HostChange::Interfaces,
            WatchScope::Routes => HostChange::Routes,
            WatchScope::Policy => HostChange::Policy,
            WatchScope::Engine(engine) => up(engine),
        };
        self.state().watchers.push(Watcher { scope, sender });
        first
    }

    fn delivery(&self) -> Delivery {
        let mut state = self.state();
        let faults = state.faults;
        let random = &mut state.random;
        if random.happens(faults.breaks) {
            return Delivery::Broken;
        }
        if random.happens(faults.loses) {
            return Delivery::Lost;
        }
        let times = if random.happens(faults.repeats) { 2 } else { 1 };
        let now = Instant::now();
        Delivery::At((0..times).map(|_| now + random.within(faults.late)).collect())
    }
}

fn broken() -> Cause {
    Cause::Away {
        host: "fake".to_owned(),
        reason: "the watch broke".to_owned(),
    }
}
