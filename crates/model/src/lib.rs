//! Plain types that all crates share: stored rows, views of them, and events.
//!
//! Nothing here does I/O or imports another crate of the daemon that does.

mod access;
mod attachment;
mod authorized_key;
mod client;
mod client_action;
mod clock_anchor;
mod container;
mod deadline;
mod endpoint;
mod event;
mod host;
mod image;
mod instance;
mod key_change;
mod kv;
mod lease;
mod lifespan;
mod limits;
mod orphan;
mod owner;
mod page;
mod pause;
mod policy;
mod reservation;
mod role;
mod service;
mod share;
mod spec;
mod template;
mod time_change;
mod time_refusal;
mod times;
mod timestamp;
mod token;
mod view;
mod volume;

pub use access::{Access, Egress, EgressError, Peer, Ports, PortsError, Rate, Transport};
pub use attachment::{Attachment, MacAddress, MacAddressError, attachment_of, host_end};
pub use authorized_key::{AuthorizedKeyError, ClientKeys, MOST_KEYS, fingerprint, parse_keys};
pub use client::Client;
pub use client_action::{ClientAction, ClientExtension};
pub use clock_anchor::{ClockAnchor, ClockAnchorError};
pub use container::Container;
pub use deadline::{Deadline, DeadlineCause};
pub use endpoint::{
    BALANCER_SERVICE, Endpoint, EndpointState, Endpoints, EndpointsChange, Listen, Route, RouteTls, ServiceEndpoints,
    ServicePort,
};
pub use event::{Event, EventKind, NewEvent};
pub use host::{Host, HostId, HostState};
pub use image::{BroughtImage, ImageKey, ImagePin, ImageSource, ImageState, is_same_image};
pub use instance::{Instance, Phase};
pub use key_change::KeyChange;
pub use kv::{KvChange, KvEntry, KvNamespace, KvOwner, KvPath, KvPathError};
pub use lease::{GrantedTo, Lease, LeaseChange, LeaseSource, LeaseState, LeaseVerb, UnknownWord};
pub use lifespan::{LifespanError, parse_lifespan, show_lifespan};
pub use limits::{HostUse, LimitsView, LinkUse, Used, WaitingView};
pub use orchestrator_dhcp6::{Duid, Holder, Iaid, Leased, LinkLayerAddress, OpaqueId, Place, Reservation};
pub use orchestrator_plugin::{
    ByteStream, ContainerName, ContainerSpec, Credentials, Device, DeviceAccess, EngineError, ExecControl, ExecRequest,
    ExecSession, File, FileContent, Id, Image, InstanceId, LogRequest, Mark, Output, OutputStream, PullProgress,
    Resolver, Resources, SiteId, Stats, TerminalSize, ValueSource, Volume, VolumeSource,
};
pub use orphan::Orphan;
pub use owner::{Owner, OwnerKind, Slot, SlotKey};
pub use page::Page;
pub use pause::{Pause, PauseScope};
pub use policy::{
    BindingState, Learnt, PolicyBinding, PolicyDecision, PolicyDirection, PolicyDrop, PolicyLink, PolicyRule,
    PolicySubject, PolicyTarget, PolicyView, Verdict,
};
pub use reservation::{RecordedReservation, ReservationView};
pub use role::Role;
pub use service::{
    Health, Operation, OperationId, OperationKind, OperationState, RecordedService, ServiceSlot, ServiceState,
    ServiceVersion, SlotState, service_of_template, service_template,
};
pub use share::Share;
pub use spec::{InstanceSpec, Mount, Sidecar, SshFiles};
pub use template::{Origin, RecordedTemplate, TemplateVersion};
pub use time_change::TimeChange;
pub use time_refusal::TimeRefusal;
pub use times::{Expiry, Times};
pub use timestamp::{Clock, Timestamp};
pub use token::{MOST_TOKENS, RecordedToken};
pub use view::{InstanceView, LeaseView};
pub use volume::{Keep, OwnerLease, RecordedVolume, VolumeState};

/// The id of a client: twelve hexadecimal digits. It stays as long as the client is remembered.
pub type ClientId = Id;

/// The id of an attachment, which is also a part of its interface's name on the host.
pub type AttachmentId = Id;

/// Names a volume, and its directory.
pub type VolumeId = Id;

/// The id of a reservation that was made through the API.
pub type ReservationId = Id;
