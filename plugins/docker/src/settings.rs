//! `[engine.NAME]` of kind `docker`: how to reach the engine, and how hard to press it.

use std::sync::Arc;
use std::time::Duration;

use orchestrator_plugin::{Engine, EngineKind, EngineSettings, Mark, SettingsSection};

use crate::{DockerEngine, Host};

/// The kind of engine that speaks Docker's API: Docker Engine and Podman.
#[derive(Debug, Clone, Copy)]
pub struct DockerKind;

/// How to reach the engine, and how hard to press it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerSettings {
    /// Where the engine listens.
    pub host: Host,
    /// Limit for each single call of the engine.
    pub timeout: Duration,
    /// Containers that are made or started at the same time, at least one.
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

impl EngineKind for DockerKind {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn read(&self, section: &mut dyn SettingsSection) -> Arc<dyn EngineSettings> {
        let default = DockerSettings::default();
        let host = section.parse("host", "write it like \"unix:///run/docker.sock\"");
        let timeout = section.duration("timeout", Duration::from_secs(1)..=Duration::from_secs(600));
        let starts = section.whole("starts", 1..=256);
        let starts = starts.and_then(|starts| usize::try_from(starts).ok());
        Arc::new(DockerSettings {
            host: host.unwrap_or(default.host),
            timeout: timeout.unwrap_or(default.timeout),
            starts: starts.unwrap_or(default.starts),
        })
    }
}

impl EngineSettings for DockerSettings {
    fn values(&self) -> Vec<(&'static str, String)> {
        let Self { host, timeout, starts } = self;
        vec![
            ("host", host.to_string()),
            ("timeout", format!("{timeout:?}")),
            ("starts", starts.to_string()),
        ]
    }

    fn build(&self, name: &str, mark: Mark) -> Arc<dyn Engine> {
        Arc::new(DockerEngine::new(name, self.clone(), mark))
    }
}
