//! Keeps the names as leases, instances and endpoints are recorded.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_dns::{Book, Directory};
use orchestrator_model::{ClientId, Endpoints, Event, InstanceId, Timestamp};
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::routers::Router;
use orchestrator_settings::Settings;
use orchestrator_store::{Store, StoreError};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until};

use super::{facts, origins};
use crate::serve::Context;

/// How often everything is read again, in case that a notification was lost.
const PERIOD: Duration = Duration::from_secs(60);
/// The longest wait before the database is asked again.
const PAUSE: Duration = Duration::from_secs(2);
/// Clients and instances that are read one by one; for more, reading everything is less work.
const SINGLY: usize = 512;

/// Makes one directory of names after another.
pub(super) struct Names {
    pub(super) context: Context,
    pub(super) store: Store,
    pub(super) events: broadcast::Receiver<Event>,
    pub(super) endpoints: watch::Receiver<Arc<Endpoints>>,
    pub(super) router: Router,
    pub(super) book: Book,
    /// The number of the directory, and the last event that is in it.
    pub(super) serial: u32,
    pub(super) event: i64,
    pub(super) pending: Pending,
    /// When everything is read again.
    pub(super) due: Option<Instant>,
    pub(super) directory: watch::Sender<Arc<Directory>>,
    /// The number of the snapshot of endpoints that the book has.
    pub(super) shown: Option<u64>,
    /// Whether what is recorded was read once.
    pub(super) read: watch::Sender<bool>,
}

/// What was recorded since the last directory.
#[derive(Debug, Default)]
pub(super) struct Pending {
    clients: HashSet<ClientId>,
    instances: HashSet<InstanceId>,
    everything: bool,
    /// When the earliest of it was recorded.
    since: Option<Timestamp>,
}

impl Pending {
    /// Everything is to be read.
    pub(super) fn everything() -> Self {
        Self {
            everything: true,
            ..Self::default()
        }
    }

    fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.instances.is_empty() && !self.everything
    }

    fn take(&mut self, event: &Event) {
        match (event.client, event.instance) {
            (Some(client), _) => drop(self.clients.insert(client)),
            (None, Some(instance)) => drop(self.instances.insert(instance)),
            (None, None) => return,
        }
        self.since = Some(self.since.map_or(event.at, |since| since.min(event.at)));
    }

    /// Puts back what could not be read.
    fn restore(&mut self, other: Self) {
        self.clients.extend(other.clients);
        self.instances.extend(other.instances);
        self.everything |= other.everything;
        self.since = self.since.or(other.since);
    }
}

/// Whether there is a place at which queries are answered.
fn is_asked(settings: &Settings) -> bool {
    settings.links.iter().any(|link| link.dns) || !settings.dns.listen.is_empty()
}

#[async_trait]
impl Reconciler for Names {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        self.drain();
        let pending = std::mem::take(&mut self.pending);
        if !is_asked(&self.context.settings.get()) {
            // Everything is read when somebody can ask again.
            self.due = None;
            self.publish(None);
            return Ok(Next::Wait);
        }
        let is_due = self.due.is_none_or(|due| due <= Instant::now());
        let whole = pending.everything || is_due || pending.clients.len() + pending.instances.len() > SINGLY;
        let read = match whole {
            true => self.read_everything().await,
            false => self.read(&pending).await,
        };
        let since = pending.since;
        if let Err(fault) = &read {
            self.pending.restore(pending);
            self.pending.everything |= whole;
            tracing::debug!(fault = with_causes(fault), "names are as they were");
        }
        // Endpoints are known without the database.
        self.publish(since);
        if whole && read.is_ok() {
            // Sockets open when there is something to answer with.
            self.read.send_replace(true);
        }
        read.map_err(|fault| Failure::from(with_causes(&fault)))?;
        Ok(self.due.map_or(Next::Wait, Next::At))
    }

    async fn notified(&mut self) {
        let due = self.due;
        let is_due = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(is_due);
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Ok(event) => self.take(&event),
                    Err(RecvError::Lagged(_)) => self.pending.everything = true,
                    // The store is closed: the daemon ends.
                    Err(RecvError::Closed) => std::future::pending().await,
                },
                changed = self.endpoints.changed() => match changed {
                    Ok(()) => {
                        self.endpoints.mark_changed();
                        return;
                    }
                    Err(_closed) => std::future::pending().await,
                },
                clients = self.context.notifications.received_names() => self.pending.clients.extend(clients),
                () = &mut is_due => return,
            }
            if !self.pending.is_empty() {
                return;
            }
        }
    }
}

impl Names {
    pub(super) fn registration() -> Registration {
        Registration::new(
            "names",
            "keeps the names that DNS has as leases, instances and services are recorded",
        )
        .following_settings()
        .retrying(Backoff::constant(PAUSE))
    }

    /// Takes what is there already, so that one directory does for all of it.
    fn drain(&mut self) {
        loop {
            match self.events.try_recv() {
                Ok(event) => self.take(&event),
                Err(TryRecvError::Lagged(_)) => self.pending.everything = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
    }

    fn take(&mut self, event: &Event) {
        self.event = self.event.max(event.id);
        self.pending.take(event);
    }

    async fn read(&mut self, pending: &Pending) -> Result<(), StoreError> {
        let now = self.context.clock.now();
        for id in &pending.clients {
            let client = facts::of_client(&self.store, *id).await?;
            self.book.set_client(*id, client, now);
        }
        for id in &pending.instances {
            let instance = facts::of_instance(&self.store, *id).await?;
            self.book.set_instance(*id, instance);
        }
        Ok(())
    }

    async fn read_everything(&mut self) -> Result<(), StoreError> {
        let now = self.context.clock.now();
        let mut all = facts::of_everybody(&self.store).await?;
        for id in self.book.clients() {
            if !all.clients.contains_key(&id) {
                self.book.set_client(id, None, now);
            }
        }
        for id in self.book.instances() {
            let instance = all.instances.remove(&id);
            self.book.set_instance(id, instance);
        }
        for (id, client) in all.clients {
            self.book.set_client(id, Some(client), now);
        }
        for (id, instance) in all.instances {
            self.book.set_instance(id, Some(instance));
        }
        self.due = Some(Instant::now() + PERIOD);
        Ok(())
    }

    /// Has every place answer by the names as they are now.
    fn publish(&mut self, since: Option<Timestamp>) {
        let origins = origins(&self.context.settings.get());
        let endpoints = self.endpoints.borrow_and_update().clone();
        let is_moved = origins != *self.book.origins();
        if is_moved {
            self.book.set_origins(origins);
        }
        if is_moved || self.shown != Some(endpoints.index) {
            self.book.set_endpoints(&endpoints);
            self.shown = Some(endpoints.index);
        }
        if self.book.take_changed() {
            // Both numbers rise, also over restarts.
            let recorded = u64::try_from(self.event).unwrap_or_default();
            // A serial number wraps (RFC 1982).
            let number = recorded.wrapping_add(endpoints.index) & u64::from(u32::MAX);
            let number = u32::try_from(number).unwrap_or_default();
            self.serial = number.max(self.serial.wrapping_add(1));
            self.directory.send_replace(Arc::new(self.book.directory(self.serial)));
            let metrics = &self.context.metrics;
            let after = since.map(|since| self.context.clock.now().0.saturating_sub(since.0));
            metrics.dns_changed(
                after
                    .and_then(|after| u64::try_from(after).ok())
                    .map(Duration::from_millis),
            );
            let [services, instances, clients] = self.book.sizes();
            metrics.dns_names([("service", services), ("instance", instances), ("client", clients)]);
        }
        self.router.applied(endpoints.index);
    }
}
