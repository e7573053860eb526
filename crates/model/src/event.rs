//! Events of the timeline.

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
    /// A client released an address or a prefix.
    LeaseReleased,
    /// A lease ended.
    LeaseExpired,
    /// A client declined its address, because another machine uses it.
    LeaseDeclined,
    /// The quarantine of a declined address was ended before its time.
    QuarantineLifted,
    /// A message that names the client came from elsewhere than its lease, and was refused.
    MessageRefused,
    /// A client took its lease to another place on the link. Its former place did not answer any more.
    ClientMoved,
    /// Two machines use one DUID: they are one client.
    ClonedDuid,
    /// Two interfaces use one DUID with different identity associations. They may be of one machine or of two.
    SharedDuid,
    /// A client reached its limit of leases. It lost its oldest lease, or it was given no new one.
    ClientLimit,
    /// A client did not answer a Reconfigure.
    ReconfigureUnanswered,
    /// An instance waits for a place, because a limit is reached or no host can have it. The detail says which.
    InstanceWaiting,
    /// An instance was recorded for a client.
    InstanceWanted,
    /// An interface of an instance that had no address was given one.
    InstanceAddressed,
    /// An instance answers.
    InstanceReady,
    /// A step towards a running instance failed; the detail says which, why and what to do.
    InstanceFailed,
    /// An instance is not as it should be: it ended, was removed or restarted by hand, lost its wiring, or stopped
    /// answering.
    InstanceDisturbed,
    /// An instance ended or does not answer: the detail has the last lines that it wrote.
    InstanceOutput,
    /// An instance stopped answering; the daemon stops and starts it again.
    InstanceRestarted,
    /// The lease of an instance's client ended. The grace period begins.
    InstanceEnding,
    /// The client came back within the grace period, and keeps its instance.
    InstanceKept,
    /// The instance is stopped, and kept for a while.
    InstanceStopped,
    /// The instance ends soon, unless somebody extends its time.
    InstanceWarned,
    /// The time of the instance ended: its lifetime, its idle limit, or by hand.
    InstanceExpired,
    /// Somebody pinned the instance: no time ends it any more.
    InstancePinned,
    /// Somebody unpinned the instance.
    InstanceUnpinned,
    /// Somebody switched the instance off: its containers are stopped, and kept.
    InstanceSwitchedOff,
    /// Somebody switched the instance on again.
    InstanceSwitchedOn,
    /// Somebody asked for a restart of the processes of the instance.
    InstanceReset,
    /// Somebody ran a command in the instance. The detail has the program, without its arguments.
    InstanceExec,
    /// Somebody extended the time of the instance.
    InstanceExtended,
    /// An instance that the database did not know was given back to its client.
    InstanceAdopted,
    /// Somebody asked for the removal of an instance.
    InstanceDestroyed,
    /// An instance was removed, with everything that was made for it.
    InstanceRemoved,
    /// Somebody changed the daemon's kernel configuration of a link: its bridge, or routes through it. The detail names
    /// the change, and whether the daemon repaired it.
    LinkDisturbed,
    /// Packets of a client or an instance begin to be dropped, because no rule allows them. The detail has causes and
    /// counts. On a link that does not enforce its policy they pass.
    PacketsDropped,
    /// Another program had removed or changed rules of the packet filter. The daemon restored them.
    RulesRestored,
    /// Another DHCPv6 server was observed on a link.
    OtherServer,
    /// Another router was observed on a link.
    OtherRouter,
    /// A template was declared.
    TemplateCreated,
    /// A template was changed. New instances have the new version; running instances keep theirs.
    TemplateChanged,
    /// A template was removed.
    TemplateRemoved,
    /// A link or a class names a template that does not exist. Its clients get no instance.
    TemplateMissing,
    /// A volume was recorded for an owner.
    VolumeCreated,
    /// The time for which a volume is kept is over: it is removed.
    VolumeExpired,
    /// Somebody asked for the removal of a volume.
    VolumeDestroyed,
    /// A volume is gone, with all that it held.
    VolumeRemoved,
    /// Somebody asked for a client's leases to be freed.
    ReleaseRequested,
    /// Somebody asked to end the quarantine of an address.
    LiftRequested,
    /// Somebody asked for a Reconfigure of a client.
    ReconfigureRequested,
    /// Somebody reserved an address or a prefix for a client.
    Reserved,
    /// Somebody removed a reservation.
    Unreserved,
    /// More new clients came than a link admits in a minute. Further ones get no answer, and ask again.
    IdentityLimit,
    /// Somebody had no new instances made from now on: none at all, or none of a link or template.
    Paused,
    /// Somebody ended a pause.
    Resumed,
    /// Somebody replaced the SSH keys of a client.
    KeysChanged,
    /// Somebody reloaded the settings. The detail has the result.
    SettingsReloaded,
    /// Somebody removed an instance that the database did not know.
    OrphanRemoved,
    /// Somebody loaded an image from an archive.
    ImageLoaded,
    /// Somebody had an image fetched from its registry.
    ImagePulled,
    /// An image was removed, or one of its names.
    ImageRemoved,
    /// A version of a template was first used on an engine: from then on its instances have this image, whatever the
    /// image's name comes to mean.
    ImagePinned,
    /// Somebody gave the credentials for a registry.
    RegistryLogin,
    /// Somebody had the credentials for a registry forgotten.
    RegistryLogout,
    /// Somebody made a token. The detail has its name and role.
    TokenAdded,
    /// Somebody replaced the secret part of a token.
    TokenRotated,
    /// Somebody removed a token. It is refused from now on.
    TokenRemoved,
    /// A key was set. The detail has its path; no value is in the timeline.
    KvSet,
    /// A key was removed: by somebody, or because what it was bound to ended. The detail has its path.
    KvRemoved,
    /// Somebody deployed a version of a service.
    ServiceDeployed,
    /// Somebody changed the number of instances of a service.
    ServiceScaled,
    /// All instances of a service have its version, and serve.
    ServiceRolled,
    /// A version of a service failed. The service goes back to the version before. The detail has the reason.
    ServiceRolledBack,
    /// Somebody paused a service: none of its instances is replaced.
    ServicePaused,
    /// Somebody ended the pause of a service.
    ServiceResumed,
    /// Somebody asked for the removal of a service.
    ServiceRemoving,
    /// A service is gone, with all its instances.
    ServiceRemoved,
    /// A service is to have an instance in one more slot.
    SlotOpened,
    /// An instance of a service gets no new connections any more, and ends when it has none left.
    SlotDraining,
    /// An instance of a service is drained, and is removed.
    SlotClosed,
    /// An instance of a service began to answer its checks, or stopped answering them.
    HealthChanged,
    /// The wall clock was set between two runs of the daemon; every recorded end was moved by as much.
    ClockSet,
    /// The daemon refused something: an event for an unknown link, or a lease from a full pool.
    Refused,
}

words!(EventKind {
    LeaseGranted = "lease-granted",
    LeaseReleased = "lease-released",
    LeaseExpired = "lease-expired",
    LeaseDeclined = "lease-declined",
    QuarantineLifted = "quarantine-lifted",
    MessageRefused = "message-refused",
    ClientMoved = "client-moved",
    ClonedDuid = "cloned-duid",
    SharedDuid = "shared-duid",
    ClientLimit = "client-limit",
    ReconfigureUnanswered = "reconfigure-unanswered",
    InstanceWaiting = "instance-waiting",
    InstanceWanted = "instance-wanted",
    InstanceAddressed = "instance-addressed",
    InstanceReady = "instance-ready",
    InstanceFailed = "instance-failed",
    InstanceDisturbed = "instance-disturbed",
    InstanceOutput = "instance-output",
    InstanceRestarted = "instance-restarted",
    InstanceEnding = "instance-ending",
    InstanceKept = "instance-kept",
    InstanceStopped = "instance-stopped",
    InstanceWarned = "instance-warned",
    InstanceExpired = "instance-expired",
    InstancePinned = "instance-pinned",
    InstanceUnpinned = "instance-unpinned",
    InstanceSwitchedOff = "instance-switched-off",
    InstanceSwitchedOn = "instance-switched-on",
    InstanceReset = "instance-reset",
    InstanceExec = "instance-exec",
    InstanceExtended = "instance-extended",
    InstanceAdopted = "instance-adopted",
    InstanceDestroyed = "instance-destroyed",
    InstanceRemoved = "instance-removed",
    LinkDisturbed = "link-disturbed",
    PacketsDropped = "packets-dropped",
    RulesRestored = "rules-restored",
    OtherServer = "other-server",
    OtherRouter = "other-router",
    TemplateCreated = "template-created",
    TemplateChanged = "template-changed",
    TemplateRemoved = "template-removed",
    TemplateMissing = "template-missing",
    VolumeCreated = "volume-created",
    VolumeExpired = "volume-expired",
    VolumeDestroyed = "volume-destroyed",
    VolumeRemoved = "volume-removed",
    ReleaseRequested = "release-requested",
    LiftRequested = "lift-requested",
    ReconfigureRequested = "reconfigure-requested",
    Reserved = "reserved",
    Unreserved = "unreserved",
    IdentityLimit = "identity-limit",
    Paused = "paused",
    Resumed = "resumed",
    KeysChanged = "keys-changed",
    SettingsReloaded = "settings-reloaded",
    OrphanRemoved = "orphan-removed",
    ImageLoaded = "image-loaded",
    ImagePulled = "image-pulled",
    ImageRemoved = "image-removed",
    ImagePinned = "image-pinned",
    RegistryLogin = "registry-login",
    RegistryLogout = "registry-logout",
    TokenAdded = "token-added",
    TokenRotated = "token-rotated",
    TokenRemoved = "token-removed",
    KvSet = "kv-set",
    KvRemoved = "kv-removed",
    ServiceDeployed = "service-deployed",
    ServiceScaled = "service-scaled",
    ServiceRolled = "service-rolled",
    ServiceRolledBack = "service-rolled-back",
    ServicePaused = "service-paused",
    ServiceResumed = "service-resumed",
    ServiceRemoving = "service-removing",
    ServiceRemoved = "service-removed",
    SlotOpened = "slot-opened",
    SlotDraining = "slot-draining",
    SlotClosed = "slot-closed",
    HealthChanged = "health-changed",
    ClockSet = "clock-set",
    Refused = "refused",
});

/// A row of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The event's number, which rises with every event. A reader continues after the last number that it has.
    pub id: i64,
    /// When it happened.
    pub at: Timestamp,
    /// The kind of the event.
    pub kind: EventKind,
    /// The bridge of the event.
    pub link: Option<String>,
    /// The client of the event.
    pub client: Option<ClientId>,
    /// The instance of the event.
    pub instance: Option<InstanceId>,
    /// The host of the event; `None` if the event concerns no host.
    #[serde(default)]
    pub host: Option<HostId>,
    /// The service of the event.
    #[serde(default)]
    pub service: Option<String>,
    /// The leased or assigned address, or the delegated prefix; in JSON under "address" or "prefix".
    #[serde(flatten)]
    pub leased: Option<Leased>,
    /// Further details, for people.
    pub detail: Option<String>,
    /// Who asked for it; `None` for leases and for what the daemon does by itself.
    #[serde(default)]
    pub by: Option<String>,
}

/// An event that is about to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// When it happened.
    pub at: Timestamp,
    /// The kind of the event.
    pub kind: EventKind,
    /// The bridge of the event.
    pub link: Option<String>,
    /// The client of the event.
    pub client: Option<ClientId>,
    /// The instance of the event.
    pub instance: Option<InstanceId>,
    /// The host of the event; `None` if the event concerns no host.
    pub host: Option<HostId>,
    /// The service of the event.
    pub service: Option<String>,
    /// The leased or assigned address, or the delegated prefix.
    pub leased: Option<Leased>,
    /// Further details, for people.
    pub detail: Option<String>,
    /// Who asked for it; `None` for leases and for what the daemon does by itself.
    pub by: Option<String>,
}

impl NewEvent {
    /// An event with time and kind only: `NewEvent { link, ..NewEvent::new(at, kind) }`.
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
