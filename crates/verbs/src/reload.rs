//! `orchestrator reload`: makes the daemon read its settings again.

use serde_json::Value;

use super::failure::Failure;
use super::page;
use super::session::Session;
use orchestrator_api_types::{Change, Effect, Reloaded};

/// Prints what changed. Wrong settings fail with all their faults, and change nothing.
pub(super) async fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    let answer = session.api.post("/v1/settings/reload", Vec::new()).await;
    let item: Value = page::parse(&answer?, "a reload")?;
    session.print_value(&item, |_, _| {
        let reloaded: Reloaded = page::read(&item, "a reload")?;
        Ok(render(&reloaded.changes))
    })
}

/// The differences, one on each line; those that need a restart come last.
pub(super) fn render(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "nothing is written otherwise than it runs".to_owned();
    }
    let needs_restart = |change: &&Change| change.effect == Effect::NeedsRestart;
    let (waiting, others): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(needs_restart);
    let waits = |change: &Change| format!("{}: stays as it is until the daemon is restarted", change.key);
    let lines = others.into_iter().map(ToString::to_string);
    lines
        .chain(waiting.into_iter().map(waits))
        .collect::<Vec<_>>()
        .join("\n")
}
