//! Events: the timeline that people read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::lease::words;
use super::{ClientId, HostId, InstanceId, Leased, Timestamp};

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A client holds an address that it did not hold before.
    LeaseGranted,
    /// A client gave its address back.
    LeaseReleased,
    /// A lease ended.
    LeaseExpired,
    /// A client found its address in use.
    LeaseDeclined,
    /// Two machines use one DUID: they are one client.
    ClonedDuid,
    /// Two interfaces use one DUID, each for associations of its own: of one machine, or of two.
    SharedDuid,
    /// A client was at its limit of leases: its oldest one made room, or it was given none.
    ClientLimit,
    /// A client was asked to ask again, and did not.
    ReconfigureUnanswered,
    /// An instance was recorded for a client.
    InstanceWanted,
    /// An instance answers.
    InstanceReady,
    /// A step towards a running instance failed; the detail says which, why and what to do.
    InstanceFailed,
    /// An instance is not as it should be: it ended, was removed or restarted by hand, lost its wiring, or does not
    /// answer any more.
    InstanceDisturbed,
    /// An instance stopped answering, and is stopped and started again.
    InstanceRestarted,
    /// Its client's lease ended: the grace begins.
    InstanceEnding,
    /// The client came back within the grace.
    InstanceKept,
    /// An instance that the database did not know belongs to its client again.
    InstanceAdopted,
    /// An admin asked for its removal.
    InstanceDestroyed,
    /// An instance is gone, and all that was made for it.
    InstanceRemoved,
    /// Somebody changed the kernel's state of a link: its bridge, or routes through it. The detail says what, and
    /// whether it was repaired.
    LinkDisturbed,
    /// A template was declared.
    TemplateCreated,
    /// A template was changed: what is made from now on is of the new version, and what runs stays as it is.
    TemplateChanged,
    /// A template is declared no more.
    TemplateRemoved,
    /// A link or a class names a template that is declared nowhere: its clients get nothing.
    TemplateMissing,
    /// Somebody asked for a client's leases to be freed.
    ReleaseRequested,
    /// Somebody had a client ask again.
    ReconfigureRequested,
    /// Somebody reserved an address or a prefix for a client.
    Reserved,
    /// Somebody removed a reservation.
    Unreserved,
    /// Somebody had the settings read again; the detail says what came of it.
    SettingsReloaded,
    /// Somebody removed an instance that the database did not know.
    OrphanRemoved,
    /// Something was refused: an event for an unknown link, a pool that is full.
    Refused,
}

words!(EventKind {
    LeaseGranted = "lease-granted",
    LeaseReleased = "lease-released",
    LeaseExpired = "lease-expired",
    LeaseDeclined = "lease-declined",
    ClonedDuid = "cloned-duid",
    SharedDuid = "shared-duid",
    ClientLimit = "client-limit",
    ReconfigureUnanswered = "reconfigure-unanswered",
    InstanceWanted = "instance-wanted",
    InstanceReady = "instance-ready",
    InstanceFailed = "instance-failed",
    InstanceDisturbed = "instance-disturbed",
    InstanceRestarted = "instance-restarted",
    InstanceEnding = "instance-ending",
    InstanceKept = "instance-kept",
    InstanceAdopted = "instance-adopted",
    InstanceDestroyed = "instance-destroyed",
    InstanceRemoved = "instance-removed",
    LinkDisturbed = "link-disturbed",
    TemplateCreated = "template-created",
    TemplateChanged = "template-changed",
    TemplateRemoved = "template-removed",
    TemplateMissing = "template-missing",
    ReleaseRequested = "release-requested",
    ReconfigureRequested = "reconfigure-requested",
    Reserved = "reserved",
    Unreserved = "unreserved",
    SettingsReloaded = "settings-reloaded",
    OrphanRemoved = "orphan-removed",
    Refused = "refused",
});

/// A row of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Rises with every event; where to go on reading from.
    pub id: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The bridge it happened on.
    pub link: Option<String>,
    /// The client it happened to.
    pub client: Option<ClientId>,
    /// The instance it happened to.
    pub instance: Option<InstanceId>,
    /// The host it happened on; `None` where it has nothing to do with one.
    #[serde(default)]
    pub host: Option<HostId>,
    /// The service it happened to.
    #[serde(default)]
    pub service: Option<String>,
    /// The leased or assigned address, or the delegated prefix; in JSON under "address" or "prefix".
    #[serde(flatten)]
    pub leased: Option<Leased>,
    /// What else there is to say, for people.
    pub detail: Option<String>,
    /// Who asked for it; `None` where nobody did, as with leases and what the daemon does by itself.
    #[serde(default)]
    pub by: Option<String>,
}

/// An event that is about to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The bridge it happened on.
    pub link: Option<String>,
    /// The client it happened to.
    pub client: Option<ClientId>,
    /// The instance it happened to.
    pub instance: Option<InstanceId>,
    /// The host it happened on; `None` where it has nothing to do with one.
    pub host: Option<HostId>,
    /// The service it happened to.
    pub service: Option<String>,
    /// The leased or assigned address, or the delegated prefix.
    pub leased: Option<Leased>,
    /// What else there is to say, for people.
    pub detail: Option<String>,
    /// Who asked for it; `None` where nobody did, as with leases and what the daemon does by itself.
    pub by: Option<String>,
}

impl NewEvent {
    /// An event with nothing else to say: `NewEvent { link, ..NewEvent::new(at, kind) }`.
    pub const fn new(at: Timestamp, kind: EventKind) -> Self {
        Self {
            at,
            kind,
            link: None,
            client: None,
            instance: None,
            host: None,
            service: None,
            leased: None,
            detail: None,
            by: None,
        }
    }
}
