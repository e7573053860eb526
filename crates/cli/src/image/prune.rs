//! Removes the images that nothing uses.

use orchestrator_api_types::{PruneOutcome, PrunedImage, PrunedImages};
use orchestrator_verbs::page;
use serde_json::json;

use super::amount;
use super::{refused, short};
use crate::failure::Failure;
use crate::http::Client;
use crate::{Output, table};

/// Removes them, or prints which they are.
pub(super) async fn run(dry_run: bool, keep: Option<u16>, output: Output, api: &Client) -> Result<(), Failure> {
    let body = json!({ "dry_run": dry_run, "keep": keep }).to_string();
    let answer = api.post("/v1/images/prune", body.into_bytes()).await.map_err(refused)?;
    let pruned: PrunedImages = page::parse(&answer, "images")?;
    match output {
        Output::Json | Output::Yaml | Output::Name => table::print(&table::data(output, &pruned)?)?,
        Output::Table | Output::Wide => table::print(&shown(&pruned.items))?,
    }
    for fault in &pruned.faults {
        eprintln!("orchestrator: engine {}: {}", fault.engine, fault.reason);
    }
    match pruned.faults.first() {
        None => Ok(()),
        Some(fault) => Err(Failure::Given {
            what: format!("the images of engine {} are not removed", fault.engine),
        }),
    }
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
