//! `[engine.NAME]` of kind `docker` or `podman`: the engine's address and limits.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_plugin::{Engine, EngineKind, EngineSettings, Mark, SettingsSection};

use crate::{Dialect, DockerEngine, Host, LogLimit};

/// The smallest and the largest file of a log, in bytes.
const LOG_SIZES: RangeInclusive<u64> = 4 << 10..=1 << 30;

/// The kind of engine that is Docker Engine.
#[derive(Debug, Clone, Copy)]
pub struct DockerKind;

/// The kind of engine that is Podman's service.
#[derive(Debug, Clone, Copy)]
pub struct PodmanKind;

/// The address and the limits of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerSettings {
    /// The engine that listens there.
    pub dialect: Dialect,
    /// The address of the engine.
    pub host: Host,
    /// The time limit of each call.
    pub timeout: Duration,
    /// The number of containers that are created or started at the same time, at least one.
    ///
    /// An engine does not scale beyond about four; each start only takes longer.
    pub starts: usize,
    /// The limit on the stored output of each container.
    pub log: LogLimit,
}

impl DockerSettings {
    /// The default settings of an engine of this dialect.
    pub fn of(dialect: Dialect) -> Self {
        Self {
            dialect,
            host: Host::of(dialect),
            timeout: Duration::from_secs(30),
            starts: 4,
            log: LogLimit::of(dialect),
        }
    }

    fn read(dialect: Dialect, section: &mut dyn SettingsSection) -> Self {
        let default = Self::of(dialect);
        let remedy = format!("write it like \"unix://{}\"", dialect.socket());
        let host = section.parse("host", &remedy);
        let timeout = section.duration("timeout", Duration::from_secs(1)..=Duration::from_secs(600));
        let starts = section.whole("starts", 1..=256);
        let starts = starts.and_then(|starts| usize::try_from(starts).ok());
        let size = section.size("log_size", LOG_SIZES);
        // Podman has one file, so that there is no number to choose.
        let files = match dialect {
            // With only one file, Docker stores more than its size.
            Dialect::Docker => section.whole("log_files", 2..=100),
            Dialect::Podman => None,
        };
        let files = files.and_then(|files| u32::try_from(files).ok());
        Self {
            dialect,
            host: host.unwrap_or(default.host),
            timeout: timeout.unwrap_or(default.timeout),
            starts: starts.unwrap_or(default.starts),
            log: LogLimit {
                size: size.unwrap_or(default.log.size),
                files: files.unwrap_or(default.log.files),
            },
        }
    }
}

impl Default for DockerSettings {
    fn default() -> Self {
        Self::of(Dialect::default())
    }
}

impl EngineKind for DockerKind {
    fn name(&self) -> &'static str {
        Dialect::Docker.kind()
    }

    fn read(&self, section: &mut dyn SettingsSection) -> Arc<dyn EngineSettings> {
        Arc::new(DockerSettings::read(Dialect::Docker, section))
    }
}

impl EngineKind for PodmanKind {
    fn name(&self) -> &'static str {
        Dialect::Podman.kind()
    }

    fn read(&self, section: &mut dyn SettingsSection) -> Arc<dyn EngineSettings> {
        Arc::new(DockerSettings::read(Dialect::Podman, section))
    }
}

impl EngineSettings for DockerSettings {
    fn values(&self) -> Vec<(&'static str, String)> {
        let Self {
            dialect,
            host,
            timeout,
            starts,
            log,
        } = self;
        let mut values = vec![
            ("host", host.to_string()),
            ("timeout", format!("{timeout:?}")),
            ("starts", starts.to_string()),
            ("log_size", format!("{}KiB", log.size >> 10)),
        ];
        if *dialect == Dialect::Docker {
            values.push(("log_files", log.files.to_string()));
        }
        values
    }

    fn build(&self, name: &str, mark: Mark) -> Arc<dyn Engine> {
        Arc::new(DockerEngine::new(name, self.clone(), mark))
    }
}
