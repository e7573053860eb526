//! `[plugin.NAME]`: the engines that instances are made with.

use std::str::FromStr;
use std::time::Duration;

use orchestrator_plugin_docker::{DockerSettings, Host};

use super::reader::Table;

/// The plugins that are built in, by the names templates call them.
pub(super) const PLUGINS: [&str; 1] = ["docker"];

/// The engines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginSettings {
    /// Docker Engine, or Podman.
    pub docker: DockerSettings,
}

impl PluginSettings {
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let docker = read_docker(table.section("docker"));
        table.finish();
        Self { docker }
    }
}

fn read_docker(mut table: Table<'_>) -> DockerSettings {
    let default = DockerSettings::default();
    let host = table
        .take("host")
        .and_then(|entry| entry.parse("write it like \"unix:///run/docker.sock\"", Host::from_str));
    let limits = Duration::from_secs(1)..=Duration::from_secs(600);
    let timeout = table.take("timeout").and_then(|entry| entry.lifespan(limits));
    let starts = table.take("starts").and_then(|entry| entry.whole(1..=256));
    table.finish();
    DockerSettings {
        host: host.unwrap_or(default.host),
        timeout: timeout.unwrap_or(default.timeout),
        starts: starts.unwrap_or(default.starts),
    }
}
