//! What must hold at every moment while nothing is lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orchestrator_host::FoundState;
use orchestrator_host::fake::FakeMachine;
use orchestrator_model::InstanceId;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::router::InForce;

/// How often it is looked.
const EVERY: Duration = Duration::from_millis(50);

/// Looks at the machine and the routers again and again.
#[derive(Clone)]
pub(super) struct Watch {
    machine: FakeMachine,
    routers: Vec<InForce>,
    /// How many instances of each service are promised to serve.
    promised: Arc<Mutex<BTreeMap<String, usize>>>,
    broken: Arc<Mutex<Vec<String>>>,
    looks: Arc<AtomicBool>,
}

impl Watch {
    /// Begins to look. The task that does is to be ended with the test.
    pub(super) fn begin(machine: &FakeMachine, routers: &[InForce]) -> (Self, AbortHandle) {
        let watch = Self {
            machine: machine.clone(),
            routers: routers.to_vec(),
            promised: Arc::default(),
            broken: Arc::default(),
            looks: Arc::new(AtomicBool::new(true)),
        };
        let task = watch.clone();
        let looks = tokio::spawn(async move {
            loop {
                if task.looks.load(Ordering::Relaxed) {
                    task.look();
                }
                sleep(EVERY).await;
            }
        });
        (watch, looks.abort_handle())
    }

    /// So many instances of a service are to serve from now on.
    pub(super) fn promise(&self, service: &str, count: usize) {
        self.promised.lock().unwrap().insert(service.to_owned(), count);
    }

    /// Instances are lost from now on: nothing is promised.
    pub(super) fn look_away(&self) {
        self.looks.store(false, Ordering::Relaxed);
    }

    /// What did not hold.
    pub(super) fn broken(&self) -> Vec<String> {
        self.broken.lock().unwrap().clone()
    }

    fn runs(&self, id: InstanceId) -> bool {
        self.machine.with(|state| {
            let first = state.first(id);
            let wired = state.attachments.values().any(|one| one.instance == id);
            wired && first.is_some_and(|first| first.state == FoundState::Running)
        })
    }

    fn look(&self) {
        let mut found = Vec::new();
        for router in &self.routers {
            let endpoints = router.endpoints();
            for (name, service) in &endpoints.services {
                let led: Vec<InstanceId> = service.serving().map(|(_, member)| member.instance).collect();
                for gone in led.iter().filter(|id| !self.runs(**id)) {
                    found.push(format!("a router leads to {gone} of {name}, which does not run"));
                }
                let promised = self.promised.lock().unwrap().get(name).copied().unwrap_or_default();
                if led.len() < promised {
                    found.push(format!(
                        "{} instances of {name} serve, {promised} are promised",
                        led.len()
                    ));
                }
            }
        }
        // Only one of them counts connections, and those are waited for.
        for id in self.routers[0].connected() {
            if !self.runs(id) {
                found.push(format!("clients were connected to {id}, and it was stopped"));
            }
        }
        let mut broken = self.broken.lock().unwrap();
        for one in found {
            if !broken.contains(&one) {
                broken.push(one);
            }
        }
    }
}
