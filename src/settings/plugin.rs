//! `[plugin.NAME]`: the engines that instances are made with.

use std::time::Duration;

use super::reader::Table;

/// The plugins that are built in, by the names templates call them.
pub(super) const PLUGINS: [&str; 1] = ["docker"];

/// The engines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginSettings {
    /// Docker Engine, or Podman.
    pub docker: DockerSettings,
}

/// Docker Engine, or Podman.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerSettings {
    /// The engine's unix socket as a URL, like `unix:///run/docker.sock`.
    pub host: String,
    /// How long one call to the engine may take: 1 second to 10 minutes.
    pub timeout: Duration,
    /// How many instances are started at once: 1 to 256.
    pub starts: usize,
}

impl Default for DockerSettings {
    fn default() -> Self {
        Self {
            host: "unix:///run/docker.sock".to_owned(),
            timeout: Duration::from_secs(30),
            starts: 8,
        }
    }
}

impl PluginSettings {
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let docker = DockerSettings::read(table.section("docker"));
        table.finish();
        Self { docker }
    }
}

impl DockerSettings {
    fn read(mut table: Table<'_>) -> Self {
        let remedy = "write it like \"unix:///run/docker.sock\"";
        let default = Self::default();
        let host = table.take("host").and_then(|entry| entry.parse(remedy, parse_host));
        let limits = Duration::from_secs(1)..=Duration::from_secs(600);
        let timeout = table.take("timeout").and_then(|entry| entry.lifespan(limits));
        let starts = table.take("starts").and_then(|entry| entry.whole(1..=256));
        table.finish();
        Self {
            host: host.unwrap_or(default.host),
            timeout: timeout.unwrap_or(default.timeout),
            starts: starts.unwrap_or(default.starts),
        }
    }
}

fn parse_host(text: &str) -> Result<String, String> {
    match text.strip_prefix("unix://") {
        Some(path) if path.starts_with('/') && !path.ends_with('/') => Ok(text.to_owned()),
        _ => Err(format!("{text:?} is not the URL of a unix socket")),
    }
}
