//! This project's daemon.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use orchestrator_lab::{Link, Program, Settings};

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
    let link = Link::new(BRIDGE)
        .existing()
        .pool(POOL)
        .lines(&format!("address = \"{ADDRESS}\""));
    let link = link.lines("preferred_lifetime = \"1h\"\nvalid_lifetime = \"1h\"");
    let link =
        link.lines("isolation = false\nrouter_advertisements = false\nclient_rate = 0\nlink_rate = 0\nlimits = { identities = \"none\" }");
    let settings = Settings::new(&place.display().to_string()).store(url);
    settings.with("[log]\nlevel = \"error\"").link(link).text()
}
