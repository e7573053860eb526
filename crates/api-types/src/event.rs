//! The timeline.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_model::{ClientId, InstanceId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;
use crate::word::words;

words! {
    /// What happened.
    pub enum EventKind {
        /// A client holds an address or a prefix that it did not hold before.
        LeaseGranted = "lease-granted",
        /// A client gave back what it held.
        LeaseReleased = "lease-released",
        /// A lease ended.
        LeaseExpired = "lease-expired",
        /// A client found its address in use.
        LeaseDeclined = "lease-declined",
        /// Two machines use one DUID: they are one client.
        ClonedDuid = "cloned-duid",
        /// Two interfaces use one DUID, each for associations of its own: of one machine, or of two.
        SharedDuid = "shared-duid",
        /// A client was at its limit of leases: its oldest one made room, or it was given none.
        ClientLimit = "client-limit",
        /// A client was sent a Reconfigure, and did not answer.
        ReconfigureUnanswered = "reconfigure-unanswered",
        /// An instance was recorded for a client.
        InstanceWanted = "instance-wanted",
        /// An instance answers.
        InstanceReady = "instance-ready",
        /// A step towards a running instance failed; the detail says which, why and what to do.
        InstanceFailed = "instance-failed",
        /// An instance is not as it should be: it ended, was removed or restarted by hand, lost its wiring, or does not
        /// answer any more.
        InstanceDisturbed = "instance-disturbed",
        /// An instance stopped answering, and is stopped and started again.
        InstanceRestarted = "instance-restarted",
        /// The lease of an instance's client ended: the grace begins.
        InstanceEnding = "instance-ending",
        /// The client came back within the grace.
        InstanceKept = "instance-kept",
        /// An instance that the database did not know belongs to its client again.
        InstanceAdopted = "instance-adopted",
        /// Somebody asked for the removal of an instance.
        InstanceDestroyed = "instance-destroyed",
        /// An instance is gone, and all that was made for it.
        InstanceRemoved = "instance-removed",
        /// Somebody changed what the daemon set up of a link in the kernel: its bridge, or routes through it. The detail
        /// says what, and whether it was mended.
        LinkDisturbed = "link-disturbed",
        /// A template was declared.
        TemplateCreated = "template-created",
        /// A template was changed: what is made from now on is of the new version, and what runs stays as it is.
        TemplateChanged = "template-changed",
        /// A template is declared no more.
        TemplateRemoved = "template-removed",
        /// A link or a class names a template that is declared nowhere: its clients get nothing.
        TemplateMissing = "template-missing",
        /// Somebody asked for a client's leases to be freed.
        ReleaseRequested = "release-requested",
        /// Somebody had a client ask again.
        ReconfigureRequested = "reconfigure-requested",
        /// Somebody reserved an address or a prefix for a client.
        Reserved = "reserved",
        /// Somebody removed a reservation.
        Unreserved = "unreserved",
        /// Somebody had the settings read again; the detail says what came of it.
        SettingsReloaded = "settings-reloaded",
        /// Somebody removed an instance that the database did not know.
        OrphanRemoved = "orphan-removed",
        /// Something was refused: an event for an unknown link, a pool that is full.
        Refused = "refused",
    }
}

/// A row of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Its number, which rises with every event. Reading goes on from it.
    pub id: i64,
    /// When it happened.
    #[schemars(with = "scalar::Timestamp")]
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The link that it happened on.
    pub link: Option<String>,
    /// The client that it happened to.
    #[schemars(with = "Option<scalar::Id>")]
    pub client: Option<ClientId>,
    /// The instance that it happened to.
    #[schemars(with = "Option<scalar::Id>")]
    pub instance: Option<InstanceId>,
    /// The host that it happened on; `null` where it has nothing to do with one.
    #[serde(default)]
    pub host: Option<String>,
    /// The service that it happened to.
    #[serde(default)]
    pub service: Option<String>,
    /// The address that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "scalar::Ipv6Address")]
    pub address: Option<Ipv6Addr>,
    /// The prefix that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "scalar::Ipv6Prefix")]
    pub prefix: Option<Ipv6Net>,
    /// What else there is to say, for people.
    pub detail: Option<String>,
    /// Who asked for it; `null` where nobody did.
    #[serde(default)]
    pub by: Option<String>,
}
