//! Has the daemon fetch an image, and follows its steps.

use orchestrator_api_types::{Image, PullStep};
use serde_json::json;

use super::sum::Sum;
use crate::api::CallError;
use crate::failure::Failure;
use crate::page;
use crate::session::Session;
use crate::sse::{Following, Next};

/// Fetches an image. Returns it once it is there.
pub(super) async fn run(image: &str, engine: Option<&str>, session: &mut Session<'_>) -> Result<Image, Failure> {
    let body = json!({ "image": image, "engine": engine }).to_string();
    let stream = session.api.follow_post("/v1/images/pull", body.into_bytes()).await?;
    let pulled = follow(image, Following::new(stream), session).await;
    session.sink.progress("");
    pulled
}

async fn follow(image: &str, mut steps: Following, session: &mut Session<'_>) -> Result<Image, Failure> {
    let mut sum = Sum::default();
    while let Next::Data(all) = steps.next().await {
        for data in all {
            let step: PullStep = page::parse(&data.into(), "a step of a pull")?;
            if let Some(image) = step.image {
                return Ok(image);
            }
            if let Some(problem) = step.problem {
                return Err(CallError::Problem(Box::new(problem)).into());
            }
            if let (Some(part), Some(done), Some(total)) = (&step.part, step.done, step.total) {
                sum.add(part, &step.status, done, total);
            }
            session.sink.progress(&format!("{image}: {}", sum.text(&step.status)));
        }
    }
    Err(Failure::Given {
        what: format!("the daemon stopped fetching {image}; see its log, and try again"),
    })
}
