//! REST v1: the API of the daemon for people and programs.
//!
//! It reads the store and asks the rest of the daemon through [`Control`]; it never touches an engine or a network.
//!
//! Each route is declared once, in `table`, with its path, the role that it needs, and its problems. Its input and
//! output are read from its handler's signature. The router and the OpenAPI document ([`openapi()`]) are both made from
//! the table. Requests and answers are types of `orchestrator_api_types`; `wire` converts the model into them.
//!
//! Every request has a [`Caller`] with a [`Role`]; handlers read the store through the caller's view of it.
//!
//! Lists are `{"items": […], "next": cursor}`: `limit` bounds a page, `after` takes the cursor of the one before.
//! Every error is answered as `application/problem+json` with a stable `code` (`problem`).
//!
//! The unix socket is for root, the daemon's user and the members of one group
//! ([`Access`](orchestrator_runtime::access::Access)). TCP is served only if the settings say so. Without TLS it is only
//! for loopback, and only for requests that no foreign web page can have sent (`guard`): every user of the machine may do
//! everything there. With TLS (`tls`) it may be for everybody, and every request has a token or a signature
//! (`credentials`), whose role and scope count.
//!
//! Peers may be many, slow and hostile. Each peer has a share of the connections, turns and streams (`places`). The
//! daemon holds nothing that others need while it waits for a peer (`passage`). Health and readiness are always
//! answered.

mod body;
mod caller;
mod clients;
mod connection;
mod control;
mod credentials;
mod describe;
mod doctor;
mod engines;
mod events;
mod exchange;
mod exec;
mod follow;
mod gate;
mod guard;
mod health;
mod hooks;
mod host;
mod images;
mod inside;
mod instances;
mod keys;
mod kv;
mod leases;
mod limits;
mod listener;
mod log;
mod metrics;
mod openapi;
mod orphans;
mod params;
mod passage;
mod patience;
mod peer;
mod places;
mod policy;
mod problem;
mod quarantine;
mod reconfigure;
mod registries;
mod reservations;
mod resume;
mod revocable;
mod role;
mod route;
mod routes;
mod run_control;
mod screen;
mod serve;
mod service_control;
mod services;
mod settings;
mod shell;
mod stats;
mod table;
mod tag;
mod tasks;
mod templates;
mod times;
mod tls;
mod tokens;
mod user;
mod view;
mod volumes;
mod waiting;
mod wire;

use std::error::Error;
use std::net::Ipv6Addr;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Bytes;
use futures_util::Stream;
use orchestrator_dhcp6::Reconfigure;
use tokio::sync::watch;

pub use caller::Caller;
pub use control::{ImageControl, ListedImage, Meaning, Pruned, Prunings, TemplateImage};
pub use engines::EngineView;
pub use inside::{Answer, Coming, Inside};
pub use listener::BindError;
pub use openapi::openapi;
pub use peer::Peer;
pub use role::Role;
pub use run_control::RunControl;
pub use serve::{Limits, Server};
pub use service_control::{Deployed, NewImage, ServiceControl, ServiceError, ServiceListed};
pub use settings::{ReloadOutcome, Reloaded, SettingsView};
pub use tls::{ServerIdentity, TlsError};

use orchestrator_api_types::Doctor;
use orchestrator_catalog::Catalog;
use orchestrator_model::{
    Client, ClientId, ClientKeys, Instance, InstanceId, KeyChange, LimitsView, Orphan, PauseScope, PolicySubject,
    PolicyTarget, PolicyView, Ports, RecordedVolume, Reservation, ReservationId, ReservationView, TimeChange,
    Timestamp, VolumeId, WaitingView,
};
use orchestrator_runtime::conditions::Conditions;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_runtime::tasks::Tasks;
use orchestrator_runtime::usage::VolumeUsage;
use orchestrator_secrets::Tokens;
use orchestrator_settings::Faults;
use orchestrator_source::dnsmasq::DnsmasqEvent;
use orchestrator_source::listener::{NotReconfigured, Reconfiguring};
use orchestrator_store::{Store, StoreError};

/// The media type of the archive of a volume.
const VOLUME_ARCHIVE: &str = "application/x-tar";

/// Bytes as they come. The stream ends after its first error.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, Box<dyn Error + Send + Sync>>> + Send>>;

/// The parts of the daemon that the API uses.
#[derive(Clone)]
pub struct App {
    /// The store; `None` until its database is there.
    pub store: watch::Receiver<Option<Store>>,
    /// The conditions of readiness.
    pub conditions: Conditions,
    /// The part of the daemon that makes changes.
    pub control: Arc<dyn Control>,
    /// The metrics.
    pub metrics: Metrics,
    /// The tasks of the daemon, with their states.
    pub tasks: Tasks,
    /// The certificate of the listeners with TLS.
    pub identity: ServerIdentity,
}

/// The API's requests to the daemon. Each call has a time limit; the work that it began may go on after the limit.
///
/// `by` is the caller. The timeline records it.
#[async_trait]
pub trait Control: Send + Sync + 'static {
    /// Marks an instance for removal and starts the removal. With `release`, its client's leases are freed, too; for an
    /// instance that is gone, that fails with [`ControlError::InstanceGone`].
    async fn destroy(&self, by: &Caller, id: InstanceId, release: bool) -> Result<Instance, ControlError>;

    /// The time of the daemon's clock.
    fn now(&self) -> Timestamp;

    /// Changes the times of an instance: pins it, extends its deadlines, or ends it. Returns once that is durable.
    async fn change_times(&self, by: &Caller, id: InstanceId, change: TimeChange) -> Result<Instance, ControlError>;

    /// Records an event of dnsmasq. Returns when it is durable.
    async fn dnsmasq_event(&self, event: DnsmasqEvent) -> Result<(), ControlError>;

    /// The reservations: those of the settings and those made by [`reserve`](Self::reserve).
    async fn reservations(&self) -> Result<Vec<ReservationView>, ControlError>;

    /// Reserves an address or a prefix on a link. Once this returns, no other client gets it.
    async fn reserve(
        &self,
        by: &Caller,
        link: String,
        reservation: Reservation,
        authorized_keys: Vec<String>,
    ) -> Result<ReservationView, ControlError>;

    /// Removes a reservation that [`reserve`](Self::reserve) made.
    async fn unreserve(&self, by: &Caller, id: ReservationId) -> Result<ReservationView, ControlError>;

    /// Ends the quarantine of a declined address. Returns `false` when it is in none.
    async fn lift(&self, by: &Caller, address: Ipv6Addr) -> Result<bool, ControlError>;

    /// The orphans: instances that run but that the database does not know.
    async fn orphans(&self) -> Result<Vec<Orphan>, ControlError>;

    /// Removes an orphan; `None` when there is none with this id.
    async fn remove_orphan(&self, by: &Caller, id: InstanceId) -> Result<Option<Orphan>, ControlError>;

    /// What the packet filter allows a client or an instance, why, and what it dropped; and whether it reaches somebody, on
    /// these ports or on all.
    async fn policy(
        &self,
        of: PolicySubject,
        to: Option<(PolicyTarget, Option<Ports>)>,
    ) -> Result<PolicyView, ControlError>;

    /// What is promised, of what, and what is paused.
    fn limits(&self) -> Result<LimitsView, ControlError>;

    /// All that wait for a place, in the order of their turns.
    fn waiting(&self) -> Result<Vec<WaitingView>, ControlError>;

    /// Has no new instance made in this scope until [`resume`](Self::resume). Leases go on. Once this returns, it is so,
    /// also after a restart.
    async fn pause(&self, by: &Caller, scope: PauseScope) -> Result<LimitsView, ControlError>;

    /// Ends a pause. What waited for that is made.
    async fn resume(&self, by: &Caller, scope: PauseScope) -> Result<LimitsView, ControlError>;

    /// The SSH keys that may log in to the instances of a client.
    async fn keys(&self, client: ClientId) -> Result<ClientKeys, ControlError>;

    /// Changes the SSH keys on a client's own list. Returns them all.
    async fn change_keys(&self, by: &Caller, client: ClientId, change: KeyChange) -> Result<ClientKeys, ControlError>;

    /// Begins to send a client Reconfigures (RFC 9915, section 18.3.11). Returns once that has begun.
    async fn reconfigure(&self, by: &Caller, client: &Client, what: Reconfigure)
    -> Result<Reconfiguring, ControlError>;

    /// Reads the settings again and puts them in force. Once this returns, new work uses them.
    async fn reload(&self, by: &Caller) -> Result<Reloaded, ControlError>;

    /// The catalog, which has the templates and records those that are made through the API.
    fn catalog(&self) -> Result<Catalog, ControlError>;

    /// The tokens, by which callers prove who they are.
    fn tokens(&self) -> Result<Tokens, ControlError>;

    /// Records that a volume is to be removed, and sees to it.
    async fn destroy_volume(&self, by: &Caller, id: VolumeId) -> Result<RecordedVolume, ControlError>;

    /// What a volume took of the disk when it was measured last; `None` before that.
    fn volume_usage(&self, id: VolumeId) -> Option<VolumeUsage>;

    /// The content of a volume, as a tar archive that is read while it is sent.
    async fn export_volume(&self, id: VolumeId) -> Result<ByteStream, ControlError>;

    /// The part that has to do with images and registries.
    fn images(&self) -> Result<Arc<dyn ImageControl>, ControlError>;

    /// The part that has to do with what runs in instances.
    fn runs(&self) -> Result<Arc<dyn RunControl>, ControlError>;

    /// The part that has to do with services.
    fn services(&self) -> Result<Arc<dyn ServiceControl>, ControlError>;

    /// The engines, with what each can do.
    fn engines(&self) -> Result<Vec<EngineView>, ControlError>;

    /// Examines the whole system. Changes nothing. Works while the daemon is still starting, too.
    async fn diagnose(&self) -> Doctor;

    /// Mends what can be mended safely, and examines the whole system again.
    async fn mend(&self, by: &Caller) -> Doctor;

    /// The settings in force, and how the written ones differ from them.
    async fn settings(&self) -> Result<SettingsView, ControlError>;
}

/// Why the daemon did not make a change.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The part of the daemon that does it has not started yet.
    #[error("the daemon is still starting; GET /v1/ready says what it waits for")]
    Starting,
    /// The request makes no sense, now or later.
    #[error("{reason}")]
    Refused {
        /// The reason, and what to do.
        reason: String,
    },
    /// The request conflicts with something that exists.
    #[error("{reason}")]
    Conflict {
        /// The thing that it conflicts with.
        reason: String,
    },
    /// The instance is gone, so that its client cannot be reached through it.
    #[error("instance {} is gone, and no lease was freed", .gone.id)]
    InstanceGone {
        /// The instance.
        gone: Box<Instance>,
        /// The present instance of its client.
        present: Option<InstanceId>,
    },
    /// There is no such engine.
    #[error("there is no engine {engine:?}; the settings have {}", .engines.join(", "))]
    NoSuchEngine {
        /// The engine that was named.
        engine: String,
        /// Those there are.
        engines: Vec<String>,
    },
    /// An engine refused, failed or did not answer.
    #[error("{reason}")]
    Engine {
        /// The stable word for it.
        code: &'static str,
        /// What failed, on what, and why.
        reason: String,
    },
    /// The sealed values cannot be used.
    #[error("{reason}")]
    Secrets {
        /// Why.
        reason: String,
    },
    /// The daemon stops before it could do it.
    #[error("the daemon is stopping")]
    Stopping,
    /// The written settings are wrong, and nothing was changed.
    #[error("the settings are wrong, and nothing was changed: {0}")]
    Settings(#[from] Faults),
    /// The client cannot be reconfigured.
    #[error(transparent)]
    NotReconfigured(#[from] NotReconfigured),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
