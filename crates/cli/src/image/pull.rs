//! Has the daemon fetch an image, and follows its steps.

use futures_util::StreamExt;
use orchestrator_api_types::{Image, PullStep};
use orchestrator_verbs::sse::Events;
use serde_json::json;

use super::progress::Sum;
use super::refused;
use crate::failure::Failure;
use crate::http::{CallError, Client};
use crate::progress::Line;

/// Fetches an image. Returns it once it is there.
pub(super) async fn run(image: &str, engine: Option<&str>, api: &Client) -> Result<Image, Failure> {
    let body = json!({ "image": image, "engine": engine }).to_string();
    let mut stream = api
        .post_stream("/v1/images/pull", body.into_bytes())
        .await
        .map_err(refused)?;
    let (mut events, mut line, mut sum) = (Events::default(), Line::new(), Sum::default());
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.map_err(refused)?;
        for data in events.feed(&bytes) {
            let step: PullStep = serde_json::from_str(&data).map_err(|source| orchestrator_verbs::Failure::Answer {
                what: "a step of a pull",
                source,
            })?;
            if let Some(image) = step.image {
                return Ok(image);
            }
            if let Some(problem) = step.problem {
                return Err(refused(CallError::Problem(Box::new(problem))));
            }
            if let (Some(part), Some(done), Some(total)) = (&step.part, step.done, step.total) {
                sum.add(part, &step.status, done, total);
            }
            line.show(&format!("{image}: {}", sum.text(&step.status)));
        }
    }
    Err(Failure::Given {
        what: format!("the daemon stopped fetching {image}; see its log, and try again"),
    })
}
