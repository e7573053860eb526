//! `orchestrator settings`: shows which settings are in force, and whether the written ones differ.

use serde_json::Value;

use super::failure::Failure;
use super::printable::printable;
use super::session::Session;
use super::view::ago;
use super::{page, reload, table};
use orchestrator_api_types::SettingsView;
use orchestrator_model::Timestamp;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    let item: Value = page::parse(&session.api.get("/v1/settings").await?, "the settings")?;
    session.print_value(&item, |now, _| Ok(render(&page::read(&item, "the settings")?, now)))
}

/// When the settings were loaded, the result of the last reload, and the effect of another.
pub(super) fn render(view: &SettingsView, now: Timestamp) -> String {
    let last = view.last_reload.as_ref().map(|last| {
        let outcome = if last.ok {
            "in force"
        } else {
            "refused, nothing was changed"
        };
        format!("{}: {outcome}", ago(last.at, now))
    });
    let written = match (view.faults.is_empty(), view.pending.is_empty()) {
        (false, _) => "wrong, and would be refused:",
        (true, true) => "as it runs",
        (true, false) => "otherwise than it runs:",
    };
    let record = table::record(&[
        ("file", Some(view.file.clone())),
        ("loaded", Some(ago(view.loaded, now))),
        ("last reload", last),
        ("written", Some(written.to_owned())),
    ]);
    let mut lines = vec![record];
    lines.extend(view.faults.iter().map(|fault| printable(fault)));
    if !view.pending.is_empty() {
        lines.push(reload::render(&view.pending));
    }
    lines.join("\n")
}
