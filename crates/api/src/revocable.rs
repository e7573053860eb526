//! Answers that end when their caller's token does.
//!
//! An answer of the usual kind is over before anybody could remove the token. A stream would go on for ever.

use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::Response;
use futures_util::StreamExt;
use orchestrator_api_types::FRAMES;
use orchestrator_model::Timestamp;
use orchestrator_secrets::Granted;

use super::shell::RECORDS;

/// The longest that a timer is set for. A stream that is open for longer is opened anew by its reader.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// The media types of answers that go on: events, the frames of a command, the records of a line.
const GO_ON: [&str; 3] = ["text/event-stream", FRAMES, RECORDS];

/// Ends an answer that goes on when the token is removed, or at its end.
pub(super) fn end_with(response: Response, granted: &Granted, now: Option<Timestamp>) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_stream = GO_ON.iter().any(|known| kind.starts_with(known));
    if !is_stream {
        return response;
    }
    let over = over(granted, now);
    let (head, body) = response.into_parts();
    let body = body.into_data_stream().take_until(Box::pin(over));
    Response::from_parts(head, Body::from_stream(body))
}

/// Returns when the token is removed, or at its end. `now` is the time on the clock by which tokens end.
pub(super) fn over(granted: &Granted, now: Option<Timestamp>) -> impl Future<Output = ()> + Send + use<> {
    let removed = granted.removed.clone();
    let left = granted
        .until
        .zip(now)
        .map_or(LONGEST, |(until, now)| until.since(now))
        .min(LONGEST);
    async move {
        tokio::select! {
            () = removed.cancelled() => {}
            () = tokio::time::sleep(left) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use orchestrator_model::Role;
    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn granted(until: Option<Timestamp>) -> Granted {
        Granted {
            caller: "token ci".to_owned(),
            role: Role::Viewer,
            scope: Default::default(),
            until,
            removed: CancellationToken::new(),
        }
    }

    fn endless(kind: &str) -> Response {
        let body = Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>());
        Response::builder()
            .header(header::CONTENT_TYPE, kind)
            .body(body)
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_when_its_token_is_removed_or_ends() {
        let granted = granted(Some(Timestamp(60_000)));
        let begin = Instant::now();
        let ended = end_with(endless("text/event-stream"), &granted, Some(Timestamp(0)));
        assert!(ended.into_body().into_data_stream().next().await.is_none());
        assert_eq!(begin.elapsed().as_secs(), 60);

        granted.removed.cancel();
        for kind in ["text/event-stream; charset=utf-8", FRAMES, RECORDS] {
            let removed = end_with(endless(kind), &granted, Some(Timestamp(0)));
            assert!(removed.into_body().into_data_stream().next().await.is_none(), "{kind}");
        }
        assert_eq!(begin.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn other_answers_stay_as_they_are() {
        let granted = granted(None);
        granted.removed.cancel();
        let answer = end_with(endless("application/json"), &granted, Some(Timestamp(0)));
        let mut body = answer.into_body().into_data_stream();
        let more = tokio::time::timeout(Duration::from_secs(3600), body.next()).await;
        assert!(more.is_err(), "it still waits for its body");
    }
}
