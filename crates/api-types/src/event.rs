//! The timeline.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_model::{ClientId, InstanceId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;
use crate::word::words;

words! {
    /// The kind of an event.
    pub enum EventKind {
        /// A client holds an address or a prefix that it did not hold before.
        LeaseGranted = "lease-granted",
        /// A client released an address or a prefix.
        LeaseReleased = "lease-released",
        /// A lease ended.
        LeaseExpired = "lease-expired",
        /// A client declined its address, because another machine uses it.
        LeaseDeclined = "lease-declined",
        /// The quarantine of a declined address was ended before its time.
        QuarantineLifted = "quarantine-lifted",
        /// A message that names the client came from elsewhere than its lease, and was refused.
        MessageRefused = "message-refused",
        /// A client took its lease to another place on the link. Its former place did not answer any more.
        ClientMoved = "client-moved",
        /// Two machines use one DUID: they are one client.
        ClonedDuid = "cloned-duid",
        /// Two interfaces use one DUID with different identity associations. They may be of one machine or of two.
        SharedDuid = "shared-duid",
        /// A client reached its limit of leases. It lost its oldest lease, or it was given no new one.
        ClientLimit = "client-limit",
        /// A client did not answer a Reconfigure.
        ReconfigureUnanswered = "reconfigure-unanswered",
        /// An instance waits for a place, because a limit is reached. The detail names the limit.
        InstanceWaiting = "instance-waiting",
        /// An instance was recorded for a client.
        InstanceWanted = "instance-wanted",
        /// An interface of an instance that had no address was given one.
        InstanceAddressed = "instance-addressed",
        /// An instance answers.
        InstanceReady = "instance-ready",
        /// A step towards a running instance failed; the detail says which, why and what to do.
        InstanceFailed = "instance-failed",
        /// An instance is not as it should be: it ended, was removed or restarted by hand, lost its wiring, or stopped
        /// answering.
        InstanceDisturbed = "instance-disturbed",
        /// An instance ended or does not answer: the detail has the last lines that it wrote, 20 at most, separated by line
        /// feeds. Other characters that act on a terminal are written out, as `\u{1b}`.
        InstanceOutput = "instance-output",
        /// An instance stopped answering; the daemon stops and starts it again.
        InstanceRestarted = "instance-restarted",
        /// The lease of an instance's client ended. The grace period begins.
        InstanceEnding = "instance-ending",
        /// The client came back within the grace period, and keeps its instance.
        InstanceKept = "instance-kept",
        /// The instance is stopped, and kept for a while.
        InstanceStopped = "instance-stopped",
        /// The instance ends soon, unless somebody extends its time.
        InstanceWarned = "instance-warned",
        /// The time of the instance ended: its lifetime, its idle limit, or by hand.
        InstanceExpired = "instance-expired",
        /// Somebody pinned the instance: no time ends it any more.
        InstancePinned = "instance-pinned",
        /// Somebody unpinned the instance.
        InstanceUnpinned = "instance-unpinned",
        /// Somebody switched the instance off: its containers are stopped, and kept.
        InstanceSwitchedOff = "instance-switched-off",
        /// Somebody switched the instance on again.
        InstanceSwitchedOn = "instance-switched-on",
        /// Somebody asked for a restart of the processes of the instance.
        InstanceReset = "instance-reset",
        /// Somebody ran a command in the instance. The detail has the program, without its arguments.
        InstanceExec = "instance-exec",
        /// Somebody extended the time of the instance.
        InstanceExtended = "instance-extended",
        /// An instance that the database did not know was given back to its client.
        InstanceAdopted = "instance-adopted",
        /// Somebody asked for the removal of an instance.
        InstanceDestroyed = "instance-destroyed",
        /// An instance was removed, with everything that was made for it.
        InstanceRemoved = "instance-removed",
        /// Somebody changed the daemon's kernel configuration of a link: its bridge, or routes through it. The detail
        /// names the change, and whether the daemon repaired it.
        LinkDisturbed = "link-disturbed",
        /// Packets of a client or an instance begin to be dropped, because no rule allows them. The detail has causes and
        /// counts. On a link that does not enforce its policy they pass.
        PacketsDropped = "packets-dropped",
        /// Another program had removed or changed rules of the packet filter. The daemon restored them.
        RulesRestored = "rules-restored",
        /// Another DHCPv6 server was observed on a link.
        OtherServer = "other-server",
        /// Another router was observed on a link.
        OtherRouter = "other-router",
        /// A template was declared.
        TemplateCreated = "template-created",
        /// A template was changed. New instances have the new version; running instances keep theirs.
        TemplateChanged = "template-changed",
        /// A template was removed.
        TemplateRemoved = "template-removed",
        /// A link or a class names a template that does not exist. Its clients get no instance.
        TemplateMissing = "template-missing",
        /// A volume was recorded for an owner.
        VolumeCreated = "volume-created",
        /// The time for which a volume is kept is over: it is removed.
        VolumeExpired = "volume-expired",
        /// Somebody asked for the removal of a volume.
        VolumeDestroyed = "volume-destroyed",
        /// A volume is gone, with all that it held.
        VolumeRemoved = "volume-removed",
        /// Somebody asked for a client's leases to be freed.
        ReleaseRequested = "release-requested",
        /// Somebody asked to end the quarantine of an address.
        LiftRequested = "lift-requested",
        /// Somebody asked for a Reconfigure of a client.
        ReconfigureRequested = "reconfigure-requested",
        /// Somebody reserved an address or a prefix for a client.
        Reserved = "reserved",
        /// Somebody removed a reservation.
        Unreserved = "unreserved",
        /// More new clients came than a link admits in a minute. Further ones get no answer, and ask again.
        IdentityLimit = "identity-limit",
        /// Somebody had no new instances made from now on: none at all, or none of a link or template.
        Paused = "paused",
        /// Somebody ended a pause.
        Resumed = "resumed",
        /// Somebody replaced the SSH keys of a client.
        KeysChanged = "keys-changed",
        /// Somebody reloaded the settings. The detail has the result.
        SettingsReloaded = "settings-reloaded",
        /// Somebody removed an instance that the database did not know.
        OrphanRemoved = "orphan-removed",
        /// Somebody loaded an image from an archive.
        ImageLoaded = "image-loaded",
        /// Somebody had an image fetched from its registry.
        ImagePulled = "image-pulled",
        /// An image was removed, or one of its names.
        ImageRemoved = "image-removed",
        /// A version of a template was first used on an engine: from then on its instances have this image, whatever the
        /// image's name comes to mean.
        ImagePinned = "image-pinned",
        /// Somebody gave the credentials for a registry.
        RegistryLogin = "registry-login",
        /// Somebody had the credentials for a registry forgotten.
        RegistryLogout = "registry-logout",
        /// Somebody made a token. The detail has its name and role.
        TokenAdded = "token-added",
        /// Somebody replaced the secret part of a token.
        TokenRotated = "token-rotated",
        /// Somebody removed a token. It is refused from now on.
        TokenRemoved = "token-removed",
        /// A key was set. The detail has its path; no value is in the timeline.
        KvSet = "kv-set",
        /// A key was removed: by somebody, or because what it was bound to ended. The detail has its path.
        KvRemoved = "kv-removed",
        /// Somebody deployed a version of a service.
        ServiceDeployed = "service-deployed",
        /// Somebody changed the number of instances of a service.
        ServiceScaled = "service-scaled",
        /// All instances of a service have its version, and serve.
        ServiceRolled = "service-rolled",
        /// A version of a service failed. The service goes back to the version before. The detail has the
        /// reason.
        ServiceRolledBack = "service-rolled-back",
        /// Somebody paused a service: none of its instances is replaced.
        ServicePaused = "service-paused",
        /// Somebody ended the pause of a service.
        ServiceResumed = "service-resumed",
        /// Somebody asked for the removal of a service.
        ServiceRemoving = "service-removing",
        /// A service is gone, with all its instances.
        ServiceRemoved = "service-removed",
        /// A service is to have an instance in one more slot.
        SlotOpened = "slot-opened",
        /// An instance of a service gets no new connections any more, and ends when it has none left.
        SlotDraining = "slot-draining",
        /// An instance of a service is drained, and is removed.
        SlotClosed = "slot-closed",
        /// An instance of a service began to answer its checks, or stopped answering them.
        HealthChanged = "health-changed",
        /// The wall clock was set between two runs of the daemon; every recorded end was moved by as much.
        ClockSet = "clock-set",
        /// The daemon refused something: an event for an unknown link, or a lease from a full pool.
        Refused = "refused",
    }
}

/// A row of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The event's number, which rises with every event. Give it as `after` to read on from here.
    pub id: i64,
    /// When it happened.
    #[schemars(with = "scalar::Timestamp")]
    pub at: Timestamp,
    /// The kind of the event.
    pub kind: EventKind,
    /// The link of the event.
    pub link: Option<String>,
    /// The client of the event.
    #[schemars(with = "Option<scalar::Id>")]
    pub client: Option<ClientId>,
    /// The instance of the event.
    #[schemars(with = "Option<scalar::Id>")]
    pub instance: Option<InstanceId>,
    /// The host of the event; `null` when the event concerns no host.
    #[serde(default)]
    pub host: Option<String>,
    /// The service of the event.
    #[serde(default)]
    pub service: Option<String>,
    /// The address of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "scalar::Ipv6Address")]
    pub address: Option<Ipv6Addr>,
    /// The prefix of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "scalar::Ipv6Prefix")]
    pub prefix: Option<Ipv6Net>,
    /// Further details, for people.
    pub detail: Option<String>,
    /// Who asked for it; `null` when the daemon acted by itself.
    #[serde(default)]
    pub by: Option<String>,
}
