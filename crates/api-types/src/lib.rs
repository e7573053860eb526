//! The types of the API: what requests and answers look like in JSON.
//!
//! They are apart from the model on purpose. The model changes with the daemon. These types change only when the API
//! does, and stay compatible with older programs: keys are added, but none is removed, renamed or given another
//! meaning. `crates/api` converts the model into these types.
//!
//! Each type carries its JSON Schema, and the OpenAPI document is made of these schemas. So a comment here is read by
//! users of the API. Values that are one text (ids, timestamps, DUIDs) are the model's own types.

mod attachment;
mod client;
mod container;
mod dnsmasq;
mod doctor;
mod engine;
mod event;
mod frame;
mod health;
mod image;
mod instance;
mod kv;
mod lease;
mod limits;
mod orphan;
mod owner;
mod page;
mod policy;
mod problem;
mod query;
mod reconfigure;
mod reservation;
mod run;
pub mod scalar;
mod service;
mod settings;
mod spec;
mod task;
mod template;
mod times;
mod token;
mod volume;
mod word;

pub use attachment::Attachment;
pub use client::{AuthorizedKeys, Client, ClientView, KeyList};
pub use container::Container;
pub use dnsmasq::{DnsmasqEvent, DnsmasqVerb};
pub use doctor::{AreaState, DaemonState, Doctor, ExaminedArea, Finding, Mended, Severity};
pub use engine::Engine;
pub use event::{Event, EventKind};
pub use frame::{FRAMES, Frame, FrameDecoder, FrameKind, LARGEST_FRAME, NoFrame};
pub use health::{Condition, Health, Readiness};
pub use image::{
    EngineFault, Image, ImageQuery, ImageSource, Images, PruneImages, PruneOutcome, PrunedImage, PrunedImages,
    PullImage, PullStep, Registry, RegistryLogin, RemoveImageQuery, TemplateImage, TemplateImageState,
};
pub use instance::{Instance, InstanceView, Phase};
pub use kv::{KvChange, KvDeleteQuery, KvEntry, KvNamespace, KvPage, KvPutQuery, KvQuery};
pub use lease::{GrantedTo, Lease, LeaseSource, LeaseState, LeaseView};
pub use limits::{HostUse, Limits, LinkUse, Pause, PauseScope, QueueQuery, TemplateUse, Used, Waiting};
pub use orphan::Orphan;
pub use owner::Owner;
pub use page::Page;
pub use policy::{
    BindingState, Learnt, PolicyBinding, PolicyDecision, PolicyDirection, PolicyDrop, PolicyLink, PolicyQuery,
    PolicyRule, PolicyView, Verdict,
};
pub use problem::Problem;
pub use query::{
    ClientQuery, DestroyQuery, EventQuery, InstanceQuery, LeaseQuery, NoQuery, QuarantineQuery, ReconfigureQuery,
    ReservationQuery,
};
pub use reconfigure::{Asked, ReconfigureView};
pub use reservation::{NewReservation, RemoteId, ReservationView};
pub use run::{
    ContainerStats, Exec, ExecEnd, ExecFile, InstanceStats, LogLine, LogQuery, LogSource, ShellLine, ShellRecord,
    TerminalSize,
};
pub use service::{
    BumpService, DeployQuery, Deployment, Endpoint, EndpointQuery, Endpoints, ExpectQuery, Operation, OperationQuery,
    RollbackService, ScaleService, Service, ServiceChange, ServiceEndpoints, ServiceSlot, Services, WaitQuery,
};
pub use settings::{Change, Effect, ReloadOutcome, Reloaded, SettingsView};
pub use spec::{
    Access, ClientExtension, ContainerSpec, Device, DeviceAccess, File, InstanceSpec, Mount, Resolver, Resources,
    Sidecar, SshFiles, ValueSource, Volume, VolumeSource,
};
pub use task::{Task, TaskResult, TaskState};
pub use template::{ChangedTemplate, NewTemplate, Origin, TemplateView};
pub use times::{DeadlineCause, Expiry, Extension, InstanceTimes};
pub use token::{MadeToken, NewToken, Role, RotateToken, Token};
pub use volume::{Keep, VolumeQuery, VolumeState, VolumeView};
pub use word::UnknownWord;
