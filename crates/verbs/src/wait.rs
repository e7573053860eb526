//! Waits until instances are as they are to be.

use std::time::Duration;

use orchestrator_api_types::{InstanceView, Phase};
use orchestrator_model::show_lifespan;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::api::Api;
use super::failure::Failure;
use super::page;
use super::select::Selected;

/// How long it may take unless the line says how long.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// The first and the longest pause between two looks.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Waits until `is_done` holds for an instance. Returns it as it is then.
///
/// # Errors
///
/// When the API refuses, or the time is over; the reason of the instance is said then.
pub(crate) async fn until(
    one: &Selected,
    is_done: impl Fn(&InstanceView) -> bool,
    limit: Duration,
    api: &dyn Api,
) -> Result<Value, Failure> {
    let began = Instant::now();
    let mut pause = PAUSES.0;
    loop {
        let item: Value = page::parse(&api.get(&one.path()).await?, "an instance")?;
        let view: InstanceView = page::read(&item, "an instance")?;
        if is_done(&view) {
            return Ok(item);
        }
        if began.elapsed() >= limit {
            let reason = view
                .instance
                .reason
                .map(|reason| format!(": {reason}"))
                .unwrap_or_default();
            return Err(Failure::NotDone {
                name: one.name.clone(),
                limit: show_lifespan(limit),
                state: format!("{}{reason}", view.instance.phase),
            });
        }
        sleep(pause.min(limit.saturating_sub(began.elapsed()))).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Whether an instance runs and answers, and no restart of it is due.
pub(crate) fn runs(view: &InstanceView) -> bool {
    view.instance.phase == Phase::Ready && view.instance.times.reset.is_none()
}

/// Whether an instance is switched off, and has stopped.
pub(crate) fn is_off(view: &InstanceView) -> bool {
    view.instance.phase == Phase::Stopped && view.instance.due.is_none()
}

/// Whether an instance is gone.
pub(crate) fn is_gone(view: &InstanceView) -> bool {
    view.instance.phase == Phase::Removed
}
