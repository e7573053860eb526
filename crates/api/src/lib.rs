//! REST v1: what people and programs ask of the daemon.
//!
//! It reads the store and asks the rest of the daemon through [`Control`]; it never touches an engine or a network.
//!
//! Each route is declared once, in `table`: with its path, the role that it needs, and what may go wrong. What it takes
//! and answers is read from its handler's signature. The router and the OpenAPI document ([`openapi()`]) are both made of
//! the table. Requests and answers are types of `orchestrator_api_types`; `wire` makes them of the model.
//!
//! Every request has a [`Caller`] with a [`Role`]; handlers read the store through the caller's view of it.
//!
//! Lists are `{"items": […], "next": cursor}`: `limit` bounds a page, `after` takes the cursor of the one before.
//! Whatever is wrong is answered as `application/problem+json` with a stable `code` (`problem`).
//!
//! The unix socket is for root, the daemon's user and the members of one group ([`Access`](orchestrator_runtime::access::Access)). TCP is served only where
//! the settings say so, on loopback, to requests that no foreign web page can have made (`guard`): every user of the
//! machine may do everything there.
//!
//! Peers may be many, slow and hostile. Each has a share of the connections, turns and streams (`places`); nothing
//! that others wait for is held while the daemon waits for a peer (`passage`); health and readiness are always
//! answered.

mod body;
mod caller;
mod clients;
mod connection;
mod describe;
mod events;
mod exchange;
mod follow;
mod gate;
mod guard;
mod health;
mod hooks;
mod host;
mod inside;
mod instances;
mod leases;
mod listener;
mod metrics;
mod openapi;
mod orphans;
mod params;
mod passage;
mod patience;
mod peer;
mod places;
mod problem;
mod reconfigure;
mod reservations;
mod resume;
mod role;
mod route;
mod routes;
mod screen;
mod serve;
mod settings;
mod table;
mod tag;
mod tasks;
mod templates;
mod user;
mod view;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_dhcp6::Reconfigure;
use tokio::sync::watch;

pub use caller::Caller;
pub use inside::{Answer, Coming, Inside};
pub use listener::BindError;
pub use openapi::openapi;
pub use peer::Peer;
pub use role::Role;
pub use serve::{Limits, Server};
pub use settings::{ReloadOutcome, Reloaded, SettingsView};

use orchestrator_catalog::Catalog;
use orchestrator_model::{Client, Instance, InstanceId, Orphan, Reservation, ReservationId, ReservationView};
use orchestrator_runtime::conditions::Conditions;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_runtime::tasks::Tasks;
use orchestrator_settings::Faults;
use orchestrator_source::dnsmasq::DnsmasqEvent;
use orchestrator_source::listener::{NotReconfigured, Reconfiguring};
use orchestrator_store::{Store, StoreError};

/// All that the API sees of the daemon.
#[derive(Clone)]
pub struct App {
    /// The store; `None` until its database is there.
    pub store: watch::Receiver<Option<Store>>,
    /// What the daemon waits for.
    pub conditions: Conditions,
    /// Whom to ask for a change.
    pub control: Arc<dyn Control>,
    /// The counters.
    pub metrics: Metrics,
    /// What every task of the daemon does.
    pub tasks: Tasks,
}

/// The API's requests to the daemon. Each call has a time limit; the work that it began may go on after the limit.
///
/// `by` is the caller, which the timeline records.
#[async_trait]
pub trait Control: Send + Sync + 'static {
    /// Records that an instance is on its way out, and sees to it. With `release`, its client's leases are freed, unless
    /// the instance is gone: then it fails with [`ControlError::InstanceGone`].
    async fn destroy(&self, by: &Caller, id: InstanceId, release: bool) -> Result<Instance, ControlError>;

    /// Records an event of dnsmasq. Returns when it is durable.
    async fn dnsmasq_event(&self, event: DnsmasqEvent) -> Result<(), ControlError>;

    /// The reservations: those of the settings and those made by [`reserve`](Self::reserve).
    async fn reservations(&self) -> Result<Vec<ReservationView>, ControlError>;

    /// Reserves something on a link. When it returns, nobody else is given it.
    async fn reserve(
        &self,
        by: &Caller,
        link: String,
        reservation: Reservation,
    ) -> Result<ReservationView, ControlError>;

    /// Removes what [`reserve`](Self::reserve) made.
    async fn unreserve(&self, by: &Caller, id: ReservationId) -> Result<ReservationView, ControlError>;

    /// The instances that run and that the database does not know.
    async fn orphans(&self) -> Result<Vec<Orphan>, ControlError>;

    /// Removes one of them; `None` when there is none of that id.
    async fn remove_orphan(&self, by: &Caller, id: InstanceId) -> Result<Option<Orphan>, ControlError>;

    /// Has a client ask again (RFC 9915, section 18.3.11). Returns when that has begun.
    async fn reconfigure(&self, by: &Caller, client: &Client, what: Reconfigure)
    -> Result<Reconfiguring, ControlError>;

    /// Reads the settings again and puts them in force. When it returns, what is done next is done by them.
    async fn reload(&self, by: &Caller) -> Result<Reloaded, ControlError>;

    /// The catalog, which has the templates and records those that are made through the API.
    fn catalog(&self) -> Result<Catalog, ControlError>;

    /// The settings in force, and the differences from those that are written.
    async fn settings(&self) -> Result<SettingsView, ControlError>;
}

/// Why the daemon did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The part of the daemon that does it has not started yet.
    #[error("the daemon is still starting; GET /v1/ready says what it waits for")]
    Starting,
    /// It makes no sense, and will not later.
    #[error("{reason}")]
    Refused {
        /// Why, and what to do.
        reason: String,
    },
    /// It conflicts with something that exists.
    #[error("{reason}")]
    Conflict {
        /// Against what.
        reason: String,
    },
    /// The instance is gone, so that nothing can be done through it to its client.
    #[error("instance {} is gone, and no lease was freed", .gone.id)]
    InstanceGone {
        /// The instance.
        gone: Box<Instance>,
        /// The one that its client has now.
        present: Option<InstanceId>,
    },
    /// The daemon ends before it could.
    #[error("the daemon is stopping")]
    Stopping,
    /// The written settings are wrong, and nothing was changed.
    #[error("the settings are wrong, and nothing was changed: {0}")]
    Settings(#[from] Faults),
    /// The client cannot be reconfigured.
    #[error(transparent)]
    NotReconfigured(#[from] NotReconfigured),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
}
