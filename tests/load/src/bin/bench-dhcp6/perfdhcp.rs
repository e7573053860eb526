//! ISC's perfdhcp, as a check of this project's own generator.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::figures::Said;
use crate::stage::{CABLE, Stage};

/// Has it send at a rate for so long, and gives what it says.
pub(crate) fn perfdhcp(stage: &Stage, asked: f64, span: Duration) -> Result<[(Said, f64); 4]> {
    let seconds = span.as_secs().max(1);
    let mut command = stage.clients.command("perfdhcp");
    // As many clients as there may be, a second for each answer, link-layer addresses from one on.
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
    let (mut rate, mut advertise, mut reply) = (f64::NAN, f64::NAN, f64::NAN);
    let mut in_reply = false;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let number = || line.split_whitespace().find_map(|word| word.parse::<f64>().ok());
        if line.contains("REQUEST-REPLY") {
            in_reply = true;
        } else if line.starts_with("received packets:") && in_reply {
            rate = number().unwrap_or(f64::NAN) / seconds as f64;
        } else if line.starts_with("avg delay:") {
            let mean = if in_reply { &mut reply } else { &mut advertise };
            *mean = number().unwrap_or(f64::NAN);
        }
    }
    ensure!(in_reply, "perfdhcp: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok([
        (Said::Asked, asked),
        (Said::Rate, rate),
        (Said::Advertise, advertise),
        (Said::Reply, reply),
    ])
}
