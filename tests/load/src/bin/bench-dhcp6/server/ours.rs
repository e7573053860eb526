//! This project's daemon.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use orchestrator_lab::Program;

use crate::preload;
use crate::stage::{ADDRESS, BRIDGE, POOL, Stage};

/// How long it may take to start or stop on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn command(stage: &Stage, url: &str, place: &Path, bindings: u32) -> Result<Command> {
    fs::write(place.join("settings.toml"), settings(place, url))?;
    let command = || {
        let mut command = stage.servers.command(&stage.orchestrator);
        command.arg("serve").arg("--settings").arg(place.join("settings.toml"));
        command
    };
    if bindings > 0 {
        // It makes its tables itself; the API answers when they are there.
        let mut once = Program::start(command(), &place.join("once.log"))?;
        let served = || stage.servers.has_udp(547).then_some(());
        once.poll("the daemon to serve", PATIENCE, served)?;
        once.stop(PATIENCE)?;
        preload::orchestrator(url, bindings)?;
    }
    Ok(command())
}

fn settings(place: &Path, url: &str) -> String {
    format!(
        r#"
        [store]
        url = "{url}"
        identity = "{place}/orchestrator.identity"
        [api]
        listen = ["unix:{place}/api.sock"]
        [log]
        level = "error"
        [[link]]
        bridge = "{BRIDGE}"
        address = "{ADDRESS}"
        pool = "{POOL}"
        preferred_lifetime = "1h"
        valid_lifetime = "1h"
        router_advertisements = false
        client_rate = 0
        link_rate = 0
        "#,
        place = place.display()
    )
}
