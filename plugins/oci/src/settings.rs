//! `[engine.NAME]` of kind `oci`: where the helper listens, and how hard it is pressed.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_plugin::{Engine, EngineKind, EngineSettings, Mark, SettingsSection};

use crate::OciEngine;
use crate::protocol::LogBounds;

/// Sizes that a log file may have, in bytes.
const LOG_SIZES: RangeInclusive<u64> = 4 << 10..=1 << 30;

/// The kind of engine that runs OCI bundles by `runc`, through the helper `orchestrator-oci`.
#[derive(Debug, Clone, Copy)]
pub struct OciKind;

/// Where the helper listens, and how hard it is pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciSettings {
    /// The helper's socket.
    pub socket: PathBuf,
    /// Limit for each single call of the helper, except for streams.
    pub timeout: Duration,
    /// Containers that are made or started at the same time, at least one.
    pub starts: usize,
    /// Whether containers run in network namespaces that the daemon makes before they start.
    ///
    /// The helper must see the daemon's mounts then: a daemon in a unit that protects its file system has mounts of its
    /// own, which nobody else sees.
    pub prepared: bool,
    /// What the helper keeps of the output of each container.
    pub log: LogBounds,
    /// Registries that are reached without TLS, besides those on the loopback interface.
    pub http_registries: Vec<String>,
}

impl Default for OciSettings {
    fn default() -> Self {
        Self {
            socket: PathBuf::from("/run/orchestrator-oci/helper.sock"),
            timeout: Duration::from_secs(30),
            starts: 8,
            prepared: false,
            log: LogBounds::default(),
            http_registries: Vec::new(),
        }
    }
}

impl EngineKind for OciKind {
    fn name(&self) -> &'static str {
        "oci"
    }

    fn read(&self, section: &mut dyn SettingsSection) -> Arc<dyn EngineSettings> {
        let default = OciSettings::default();
        let mut check = |text: &str| match text.starts_with('/') && !text.contains('\0') {
            true => Ok(()),
            false => Err(format!("{text:?} is not an absolute path")),
        };
        let remedy = "write it like \"/run/orchestrator-oci/helper.sock\"";
        let socket = section.text("socket", remedy, &mut check);
        let timeout = section.duration("timeout", Duration::from_secs(1)..=Duration::from_secs(600));
        let starts = section.whole("starts", 1..=256);
        let starts = starts.and_then(|starts| usize::try_from(starts).ok());
        let files = section.whole("log_files", 1..=100);
        let files = files.and_then(|files| u32::try_from(files).ok());
        Arc::new(OciSettings {
            socket: socket.map_or(default.socket, PathBuf::from),
            timeout: timeout.unwrap_or(default.timeout),
            starts: starts.unwrap_or(default.starts),
            prepared: section.flag("prepared").unwrap_or(default.prepared),
            log: LogBounds {
                size: section.size("log_size", LOG_SIZES).unwrap_or(default.log.size),
                files: files.unwrap_or(default.log.files),
            },
            http_registries: section.texts("http_registries", 64).unwrap_or_default(),
        })
    }
}

impl EngineSettings for OciSettings {
    fn values(&self) -> Vec<(&'static str, String)> {
        let Self {
            socket,
            timeout,
            starts,
            prepared,
            log,
            http_registries,
        } = self;
        vec![
            ("socket", socket.display().to_string()),
            ("timeout", format!("{timeout:?}")),
            ("starts", starts.to_string()),
            ("prepared", prepared.to_string()),
            ("log_size", log.size.to_string()),
            ("log_files", log.files.to_string()),
            ("http_registries", http_registries.join(",")),
        ]
    }

    fn build(&self, name: &str, mark: Mark) -> Arc<dyn Engine> {
        Arc::new(OciEngine::new(name, self.clone(), mark))
    }
}
