//! Questions to the policy reconciler: whether the rules of an instance are in force.

use std::collections::BTreeSet;

use async_trait::async_trait;
use orchestrator_model::{Instance, Owner};
use orchestrator_settings::Current;
use tokio::sync::{mpsc, oneshot};

use crate::instance::PacketRules;

/// Asks the policy reconciler. A cheap handle.
#[derive(Debug, Clone)]
pub struct Rules {
    settings: Current,
    requests: mpsc::UnboundedSender<Request>,
}

/// Where the policy reconciler is asked.
#[derive(Debug)]
pub struct Requests(pub(super) mpsc::UnboundedReceiver<Request>);

/// A question whether what is recorded of an owner is in force.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) owner: Owner,
    /// The networks of the instance that asks.
    pub(super) networks: BTreeSet<String>,
    pub(super) answer: oneshot::Sender<Result<(), String>>,
}

impl Rules {
    /// A handle, and the end of it that the reconciler takes.
    pub fn new(settings: Current) -> (Self, Requests) {
        // Bounded by the number of instances that are being brought up: each waits for its answer.
        let (requests, received) = mpsc::unbounded_channel();
        (Self { settings, requests }, Requests(received))
    }
}

#[async_trait]
impl PacketRules for Rules {
    async fn in_force(&self, instance: &Instance) -> Result<(), String> {
        let settings = self.settings.get();
        let checked = settings.links.iter().filter(|link| link.isolation.is_some());
        let networks = instance.attachments.iter().map(|one| one.network.clone());
        let networks: BTreeSet<String> = networks.collect();
        if !checked.map(|link| &link.name).any(|name| networks.contains(name)) {
            return Ok(());
        }
        let (answer, answered) = oneshot::channel();
        let request = Request {
            owner: instance.owner.clone(),
            networks,
            answer,
        };
        let ended = || "nobody keeps the rules of the packet filter any more: the daemon ends".to_owned();
        self.requests.send(request).map_err(|_| ended())?;
        answered.await.unwrap_or_else(|_| Err(ended()))
    }
}
