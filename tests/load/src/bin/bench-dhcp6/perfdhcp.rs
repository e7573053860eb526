//! ISC's perfdhcp, as a check of this project's own generator.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::stage::{CABLE, Stage};

/// What it says of one server.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Said {
    /// The rate that it was asked for, in exchanges a second.
    pub(crate) asked: f64,
    /// The rate of complete exchanges.
    pub(crate) rate: f64,
    /// Mean times in milliseconds: Solicit to Advertise, and Request to Reply.
    pub(crate) advertise: f64,
    pub(crate) reply: f64,
}

/// Has it send for so long.
pub(crate) fn perfdhcp(stage: &Stage, asked: f64, span: Duration) -> Result<Said> {
    let seconds = span.as_secs().max(1);
    let mut command = stage.clients.command("perfdhcp");
    command.args([
        "-6",
        "-l",
        CABLE,
        "-R",
        "1000000",
        "-W",
        "1000000",
        "-b",
        "mac=00:0c:01:00:00:00",
    ]);
    command.args(["-r", &format!("{asked:.0}"), "-p", &seconds.to_string()]);
    // It tells loss by its exit status.
    let output = command.output().context("cannot run perfdhcp; kea-admin has it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut said = Said {
        asked,
        ..Said::default()
    };
    let mut in_reply = false;
    for line in text.lines() {
        let number = || line.split_whitespace().find_map(|word| word.parse::<f64>().ok());
        if line.contains("REQUEST-REPLY") {
            in_reply = true;
        } else if line.starts_with("received packets:") && in_reply {
            said.rate = number().unwrap_or_default() / seconds as f64;
        } else if line.starts_with("avg delay:") {
            let mean = if in_reply { &mut said.reply } else { &mut said.advertise };
            *mean = number().unwrap_or_default();
        }
    }
    Ok(said)
}
