//! Routers under test: each puts a snapshot in force some time after it was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orchestrator_host::fake::Random;
use orchestrator_model::{EndpointState, Endpoints, InstanceId};
use orchestrator_runtime::routers::Router;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// For how long clients keep a connection to an instance that drains.
const CONNECTED: Duration = Duration::from_secs(7);

/// What a router leads to. It stays in force when the daemon ends.
#[derive(Debug, Clone, Default)]
pub(super) struct InForce(Arc<Mutex<Lead>>);

#[derive(Debug, Default)]
struct Lead {
    endpoints: Arc<Endpoints>,
    /// The instances that it has led to. No other has clients.
    led: BTreeSet<InstanceId>,
    /// When the last connection to each draining instance ends.
    connections: BTreeMap<InstanceId, Instant>,
}

impl InForce {
    /// The snapshot that is in force.
    pub(super) fn endpoints(&self) -> Arc<Endpoints> {
        self.0.lock().unwrap().endpoints.clone()
    }

    /// The instances that clients are connected to now.
    pub(super) fn connected(&self) -> Vec<InstanceId> {
        let lead = self.0.lock().unwrap();
        let open = lead.connections.iter().filter(|(_, until)| **until > Instant::now());
        open.map(|(id, _)| *id).collect()
    }

    /// When the next connection ends.
    fn next_end(&self) -> Option<Instant> {
        let lead = self.0.lock().unwrap();
        let open = lead.connections.values().copied();
        open.filter(|until| *until > Instant::now()).min()
    }

    fn put(&self, endpoints: Arc<Endpoints>) {
        let mut lead = self.0.lock().unwrap();
        let members = endpoints.services.values().flat_map(|service| service.members.values());
        for member in members {
            match member.state {
                EndpointState::Serving => {
                    lead.led.insert(member.instance);
                }
                EndpointState::Draining if lead.led.contains(&member.instance) => {
                    let until = Instant::now() + CONNECTED;
                    lead.connections.entry(member.instance).or_insert(until);
                }
                EndpointState::Starting | EndpointState::Failing | EndpointState::Draining => {}
            }
        }
        lead.endpoints = endpoints;
    }
}

/// Puts each snapshot in force after at most `lag`. One that counts says how many connections are left.
pub(super) async fn run(
    router: Router,
    mut endpoints: watch::Receiver<Arc<Endpoints>>,
    in_force: InForce,
    lag: Duration,
    mut random: Random,
    counts: bool,
) {
    loop {
        let next = endpoints.borrow_and_update().clone();
        sleep(random.within(lag)).await;
        in_force.put(next.clone());
        // The router has it, and the daemon does not know yet.
        sleep(random.within(lag)).await;
        report(&router, &in_force, counts);
        router.applied(next.index);
        while !endpoints.has_changed().unwrap_or(true) {
            let ends = in_force.next_end();
            tokio::select! {
                changed = endpoints.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return std::future::pending().await,
                },
                () = sleep_until(ends.unwrap_or_else(Instant::now)), if ends.is_some() => {
                    report(&router, &in_force, counts);
                }
            }
        }
    }
}

fn report(router: &Router, in_force: &InForce, counts: bool) {
    if counts {
        let left = in_force.connected().into_iter().map(|id| (id, 1));
        router.connections(left.collect());
    }
}
