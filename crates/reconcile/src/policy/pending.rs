//! What reached the policy reconciler since its last run.

use std::collections::HashSet;

use orchestrator_host::HostChange;
use orchestrator_model::{Event, InstanceId, Owner};
use orchestrator_runtime::notifications::Notifications;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc};

use super::rules::Request;

/// The ways to the policy reconciler.
pub(super) struct Inbox {
    pub(super) events: broadcast::Receiver<Event>,
    pub(super) notifications: Notifications,
    pub(super) requests: mpsc::UnboundedReceiver<Request>,
    pub(super) changes: mpsc::Receiver<HostChange>,
}

/// What reached the policy reconciler since its last run.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Owners of whom something was recorded.
    pub(super) owners: HashSet<Owner>,
    /// Instances of other owners than clients of which something was recorded.
    pub(super) instances: HashSet<InstanceId>,
    /// Whether all facts are to be read.
    pub(super) everything: bool,
    /// The questions that are not answered yet.
    pub(super) requests: Vec<Request>,
}

impl Inbox {
    /// Waits for something that concerns the policy. Cancel-safe.
    pub(super) async fn receive(&mut self, pending: &mut Pending) {
        while pending.is_empty() {
            self.receive_one(pending).await;
        }
    }

    /// Waits for one message, which may be about something else.
    pub(super) async fn receive_one(&mut self, pending: &mut Pending) {
        tokio::select! {
            event = self.events.recv() => match event {
                Ok(event) => pending.take(event),
                Err(RecvError::Lagged(_)) => pending.everything = true,
                // The store is closed: the daemon ends.
                Err(RecvError::Closed) => std::future::pending().await,
            },
            owners = self.notifications.received_places() => pending.owners.extend(owners.into_iter().map(Owner::Client)),
            Some(request) = self.requests.recv() => pending.ask(request),
            Some(_) = self.changes.recv() => pending.everything = true,
        }
    }

    /// Takes what is there already, so that one change of the rules does for all of it.
    pub(super) fn drain(&mut self, pending: &mut Pending) {
        loop {
            match self.events.try_recv() {
                Ok(event) => pending.take(event),
                Err(TryRecvError::Lagged(_)) => pending.everything = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        while let Ok(request) = self.requests.try_recv() {
            pending.ask(request);
        }
        while self.changes.try_recv().is_ok() {
            pending.everything = true;
        }
    }
}

impl Pending {
    /// Whether nothing is to be done.
    pub(super) fn is_empty(&self) -> bool {
        self.owners.is_empty() && self.instances.is_empty() && !self.everything && self.requests.is_empty()
    }

    fn take(&mut self, event: Event) {
        match (event.client, event.instance) {
            (Some(client), _) => drop(self.owners.insert(Owner::Client(client))),
            (None, Some(instance)) => drop(self.instances.insert(instance)),
            (None, None) => {}
        }
    }

    fn ask(&mut self, request: Request) {
        self.owners.insert(request.owner.clone());
        self.requests.push(request);
    }
}
