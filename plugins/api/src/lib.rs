//! The trait of engines, which run containers, with its types.
//!
//! An *engine* runs containers on a host: Docker, Podman, a runtime. A *plugin* is the crate that reaches one kind of
//! engine and implements [`Engine`]. A plugin makes, finds and removes containers. It never wires networks and never
//! writes state: the daemon records what it wants, calls the engine, and wires what the engine hands back.
//!
//! Every verb is idempotent and takes the container's [key](ContainerKey), so that it may be repeated after a crash at
//! any point. Everything that a plugin makes carries the [`Mark`] of its daemon, so that it can be found again and two
//! daemons can share one engine. A plugin never changes anything that does not carry its mark.
//!
//! Engines differ. What one cannot do is missing in its [`Capabilities`], which callers check before they call.

mod capability;
mod container;
mod creations;
mod engine;
mod error;
mod exec;
mod facts;
mod found;
mod id;
mod image;
mod kind;
mod logs;
mod network;
mod preparing;
mod spec;
mod stats;
mod stream;

pub use capability::{Capabilities, Capability};
pub use container::{Container, ContainerKey, ContainerName, ContainerNameError};
pub use creations::{Creations, Turn};
pub use engine::{Change, Engine};
pub use error::{EngineError, Remedy};
pub use exec::{ExecControl, ExecRequest, ExecSession, TerminalSize};
pub use facts::{EngineFacts, ImageFacts};
pub use found::{Found, FoundState, Running, RunningNetwork};
pub use id::{Id, IdError, InstanceId, Mark, SiteId};
pub use image::{Credentials, Image, PullProgress, PullRequest};
pub use kind::{EngineKind, EngineSettings, SettingsSection};
pub use logs::LogRequest;
pub use network::NetworkMode;
pub use preparing::{Preparer, Preparing};
pub use spec::{
    ContainerSpec, Device, DeviceAccess, File, FileContent, Resolver, Resources, ValueSource, Volume, VolumeSource,
};
pub use stats::{DiskUse, Stats};
pub use stream::{ByteStream, Output, OutputStream};
