//! Removes the images that nothing uses.

use orchestrator_api_types::{PruneOutcome, PrunedImage, PrunedImages};
use serde_json::json;

use super::{amount, short, without_faults};
use crate::failure::Failure;
use crate::page;
use crate::session::Session;

/// Removes them, or prints which they are.
pub(super) async fn run(dry_run: bool, keep: Option<u16>, session: &mut Session<'_>) -> Result<(), Failure> {
    let body = json!({ "dry_run": dry_run, "keep": keep }).to_string();
    let answer = session.api.post("/v1/images/prune", body.into_bytes()).await?;
    let pruned: PrunedImages = page::parse(&answer, "images")?;
    session.print_value(&pruned, |_, _| Ok(shown(&pruned.items)))?;
    without_faults(&pruned.faults, "removed", session)
}

/// A line for each image that goes, and for each that should have gone.
fn shown(items: &[PrunedImage]) -> String {
    let mut lines: Vec<String> = items.iter().filter_map(line).collect();
    if lines.is_empty() {
        lines.push("nothing to remove".to_owned());
    }
    lines.join("\n")
}

fn line(item: &PrunedImage) -> Option<String> {
    let image = &item.image;
    let name = image.names.first().map_or("(no name)", String::as_str);
    let size = image.size.map(|size| format!(", {}", amount(size))).unwrap_or_default();
    let what = match (item.outcome, &item.reason) {
        (PruneOutcome::Removed, _) => "removed".to_owned(),
        (PruneOutcome::WouldGo, _) => "would be removed".to_owned(),
        (PruneOutcome::Failed, reason) => format!("not removed: {}", reason.as_deref().unwrap_or("no reason given")),
        (PruneOutcome::Newest, _) => "stays: the newest of its repository; --keep 0 removes it, too".to_owned(),
        (PruneOutcome::Used, _) => return None,
    };
    Some(format!(
        "{name} ({}{size}) on engine {}: {what}",
        short(&image.id),
        image.engine
    ))
}
