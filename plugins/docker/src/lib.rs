//! Provisions instances as containers of a Docker Engine (or Podman) through its API.
//!
//! ```text
//!            list by label, inspect image ─▶ create ─▶ start ─▶ inspect            ensure
//!              │ ours is there                  │ 409: the name is taken
//!              └─▶ start it where it does not   └────▶ inspect ─▶ ours? start it · a stranger's? refuse
//!                  run
//!
//!            wait for a creation under way, list by label ─▶ delete each by force        remove
//! ```
//!
//! Invariants:
//!
//! - Whose a container is, its mark says, never its name: labels, together with the image that we created it from.
//!   Without our mark it is a stranger's and stays untouched.
//! - A container is named after its instance when it is created, and the engine's refusal of a second one of that name
//!   is what keeps two calls for the same instance from making two.
//! - A creation that was asked for is watched to its end, and a removal waits for it.
//! - Nothing of the engine is remembered between calls: each connects anew, so that an engine may come, go and come back.
//! - Every call has a limit. Nothing here pulls an image, makes a network or restarts a container on its own.
//! - Only what both Docker 20.10 and Podman answer is asked for.

mod connect;
mod container;
mod creations;
mod ensure;
mod environment;
mod errors;
mod find;
mod list;
mod mark;
mod policy;
mod remove;
mod stop;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_plugin::{
    Change, EngineFacts, Found, ImageFacts, InstanceId, InstanceSpec, Mark, Plugin, PluginError,
};
use tokio::sync::{Semaphore, mpsc};

use connect::Engine;
pub use connect::{Host, HostError};
use creations::Creations;

/// How to reach the engine, and how hard to press it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerSettings {
    /// Where the engine listens.
    pub host: Host,
    /// Limit for each single call of the engine.
    pub timeout: Duration,
    /// Instances that are made or started at the same time, at least one.
    ///
    /// An engine stops scaling at about four, while each start takes longer and longer.
    pub starts: usize,
}

impl Default for DockerSettings {
    fn default() -> Self {
        Self {
            host: Host::default(),
            timeout: Duration::from_secs(30),
            starts: 4,
        }
    }
}

/// The plugin `docker`: one engine behind one unix socket.
#[derive(Debug)]
pub struct DockerPlugin {
    engine: Arc<Engine>,
    mark: Mark,
    creations: Creations,
    /// A permit for each create and start under way.
    starts: Semaphore,
}

impl DockerPlugin {
    /// A plugin for the engine of `settings` that marks what it makes with `mark`.
    ///
    /// Touches nothing: an engine that is not there yet is told by the calls.
    pub fn new(settings: DockerSettings, mark: Mark) -> Self {
        let DockerSettings { host, timeout, starts } = settings;
        Self {
            engine: Arc::new(Engine::new(host, timeout)),
            mark,
            creations: Creations::default(),
            starts: Semaphore::new(starts.max(1)),
        }
    }
}

#[async_trait]
impl Plugin for DockerPlugin {
    fn name(&self) -> &'static str {
        "docker"
    }

    async fn check(&self) -> Result<EngineFacts, PluginError> {
        self.engine.check().await
    }

    async fn check_equipment(&self) -> Result<(), PluginError> {
        self.engine.check_equipment().await
    }

    async fn check_image(&self, image: &str) -> Result<ImageFacts, PluginError> {
        self.engine.check_image(image).await
    }

    async fn ensure(&self, id: &InstanceId, spec: &InstanceSpec) -> Result<Found, PluginError> {
        self.ensure_container(id, spec).await
    }

    async fn stop(&self, id: &InstanceId) -> Result<(), PluginError> {
        self.stop_container(id).await
    }

    async fn find(&self, id: &InstanceId) -> Result<Option<Found>, PluginError> {
        self.find_container(id).await
    }

    async fn remove(&self, id: &InstanceId) -> Result<(), PluginError> {
        self.remove_containers(id).await
    }

    async fn list(&self) -> Result<Vec<Found>, PluginError> {
        self.list_containers().await
    }

    async fn environment(
        &self,
        id: &InstanceId,
        prefix: &str,
    ) -> Result<Option<BTreeMap<String, String>>, PluginError> {
        self.environment_of(id, prefix).await
    }

    async fn watch(&self, changes: mpsc::Sender<Change>) -> PluginError {
        self.watch_containers(changes).await
    }
}
