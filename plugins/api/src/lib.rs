//! The plugin trait: what provisions instances, and the types it speaks.
//!
//! A plugin makes, finds and removes instances. It never wires networks and never writes state: the
//! orchestrator records what it wants, calls the plugin, and wires what the plugin hands back.
//!
//! Every verb is idempotent and named after the instance's id, so that it may be repeated after a crash at any
//! point. Everything a plugin makes carries the [`Mark`] of the daemon that asked for it, so that it can be
//! found again and so that two daemons may share one engine. A plugin never touches what does not carry its mark.

mod error;
mod id;
mod spec;

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use tokio::sync::mpsc;

pub use error::{PluginError, Remedy};
pub use id::{Id, IdError, InstanceId, Mark, SiteId};
pub use spec::{InstanceSpec, Resources, ValueSource};

/// What a plugin found out about its engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFacts {
    /// Name of the engine, for people: `Docker Engine`, `Podman Engine`.
    pub name: String,
    /// Version as the engine tells it.
    pub version: String,
}

/// What a plugin found out about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// What the name stands for now: the engine's id of the image, which names its content.
    pub id: String,
    /// Whether the image brings a health check of its own. It is not run: the template's `ready` says what is healthy.
    pub has_health_check: bool,
}

/// An instance as the engine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The instance it was made for.
    pub id: InstanceId,
    /// The engine's own name for it: a container id.
    pub reference: String,
    /// What it does now.
    pub state: FoundState,
}

/// What an instance does now, as its engine tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundState {
    /// Made, never started.
    Created,
    /// Its first process runs.
    Running(Running),
    /// Its processes are frozen: it has a namespace, and answers nothing. `ensure` lets it go on.
    Paused(Running),
    /// Its first process ended.
    Exited {
        /// Exit code of the first process; 128 + signal when a signal ended it.
        code: i64,
    },
}

/// A running instance, with what is needed to wire it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The first process, as seen from the daemon's process namespace.
    pub pid: u32,
    /// Path of the network namespace to wire.
    ///
    /// It names the namespace of a *process*: by the time it is opened the process may be gone and its number
    /// taken by another. Whoever wires must make sure afterwards that the instance still runs under the same pid.
    pub netns: PathBuf,
}

/// Something happened to an instance and the plugin did not do it just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This instance started, ended or was removed: look again.
    Instance(InstanceId),
    /// The watch (re)started: anything may have happened before, look at everything.
    Everything,
}

/// Provisions instances on one engine.
///
/// # Cancellation
///
/// Any call may be dropped half-way. What it had asked of the engine may still happen; the next call of the same
/// verb finds it and goes on from there.
#[async_trait]
pub trait Plugin: Send + Sync + 'static {
    /// The name by which templates choose this plugin.
    fn name(&self) -> &'static str;

    /// Asks whether the engine answers and is one this plugin can drive.
    async fn check(&self) -> Result<EngineFacts, PluginError>;

    /// Asks whether the engine has what every instance needs of it besides images, such as an init program.
    async fn check_equipment(&self) -> Result<(), PluginError>;

    /// Asks whether `image` is there to be started.
    async fn check_image(&self, image: &str) -> Result<ImageFacts, PluginError>;

    /// Makes sure that the instance exists and runs; makes and starts it where it does not.
    async fn ensure(&self, id: &InstanceId, spec: &InstanceSpec) -> Result<Found, PluginError>;

    /// Makes sure that the instance does not run, and keeps all that it wrote: [`ensure`](Self::ensure) starts it again.
    ///
    /// Its first process is asked to end (SIGTERM), and killed when it has not ended a few seconds later.
    /// Stopping what does not run, or is not there, is success.
    async fn stop(&self, id: &InstanceId) -> Result<(), PluginError>;

    /// Finds one instance; `None` when the engine has none of that id with our mark.
    async fn find(&self, id: &InstanceId) -> Result<Option<Found>, PluginError>;

    /// Makes sure that the instance is gone. Removing what is not there is success.
    async fn remove(&self, id: &InstanceId) -> Result<(), PluginError>;

    /// Everything on the engine that carries our mark, in any state.
    async fn list(&self) -> Result<Vec<Found>, PluginError>;

    /// The variables that an instance was made with and whose names begin with `prefix`; `None` when the engine has none
    /// of that id with our mark, or does not keep what it was told.
    async fn environment(
        &self,
        _id: &InstanceId,
        _prefix: &str,
    ) -> Result<Option<BTreeMap<String, String>>, PluginError> {
        Ok(None)
    }

    /// Tells of changes behind our back until the engine's stream breaks, and returns why it broke.
    ///
    /// Sends [`Change::Everything`] as soon as the engine is watched, so that nothing between two watches is lost.
    async fn watch(&self, changes: mpsc::Sender<Change>) -> PluginError;
}
