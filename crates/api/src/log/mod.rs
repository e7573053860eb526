//! What instances wrote.

mod lines;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::future::ready;
use futures_util::{Stream, StreamExt, stream};
use orchestrator_api_types::{self as wire, LogLine, LogQuery, LogSource};
use orchestrator_model::{EventKind, Instance, LogRequest, Phase, Timestamp};
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::EventFilter;

use self::lines::lines_of;
use super::ControlError;
use super::connection::Connection;
use super::describe::{Operation, Output, Schemas};
use super::exec::container_of;
use super::params::{Params, Segment};
use super::problem::Fault;
use super::routes::Shared;
use super::view::View;

/// How long a stream may be silent before a comment keeps it alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Events with output that are shown for a container that is gone.
const EVENTS: u32 = 1000;

/// The event that says that a log is complete.
const END: &str = "end";

type Lines = std::pin::Pin<Box<dyn Stream<Item = LogLine> + Send>>;

/// Lines of a log, one in each message.
pub(super) struct Log(Response);

impl IntoResponse for Log {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for Log {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let line = schemas.given::<LogLine>().into();
        operation.answers(StatusCode::OK, "text/event-stream", line);
    }
}

/// `GET /v1/instances/{id}/log`
pub(super) async fn show(
    (State(shared), Extension(connection)): (State<Shared>, Extension<Connection>),
    view: View,
    Segment(id): Segment,
    Params(query): Params<LogQuery>,
) -> Result<Log, Fault> {
    let permits = shared.stream_permits(&connection)?;
    let instance = view.instance(&id).await?.instance;
    if let Some(name) = &query.container
        && instance.phase != Phase::Removed
    {
        container_of(&instance, Some(name))?;
    }
    let lines = match instance.phase == Phase::Removed {
        true => recorded(&view, &instance, &query).await?,
        false => match written(&shared, &instance, &query).await {
            // The container is not made, is gone, or its engine keeps nothing: the timeline has what there is.
            Err(ControlError::Engine { code, .. }) if is_nothing(code) && !query.follow => {
                recorded(&view, &instance, &query).await?
            }
            written => written?,
        },
    };
    let draining = shared.draining.clone();
    let is_whole = Arc::new(AtomicBool::new(true));
    let broke_off = is_whole.clone();
    let end = stream::once(async { Message::default().event(END).data("{}") });
    let messages = lines
        .map(move |line| {
            if line.problem.is_some() {
                broke_off.store(false, Ordering::Relaxed);
            }
            message(&line)
        })
        .chain(end.filter(move |_| ready(is_whole.load(Ordering::Relaxed))))
        // A log that breaks off, also because the daemon stops, has no end.
        .take_until(draining.cancelled_owned())
        .map(move |message| {
            // The stream holds its permits.
            let _ = &permits;
            Ok::<_, Infallible>(message)
        });
    let sse = Sse::new(messages).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(Log(sse.into_response()))
}

fn is_nothing(code: &str) -> bool {
    matches!(code, "not-running" | "engine-unsupported" | "no-such-container")
}

/// What the engine has of the output of the containers.
async fn written(shared: &Shared, instance: &Instance, query: &LogQuery) -> Result<Lines, ControlError> {
    let control = shared.app.control.runs()?;
    let request = LogRequest {
        since: query.since.map(moment),
        tail: query.tail,
        follow: query.follow,
        times: true,
    };
    let wanted = |name: &String| query.container.as_ref().is_none_or(|only| only == name);
    let mut streams = Vec::new();
    for container in instance.containers.iter().filter(|container| wanted(&container.name)) {
        let output = control.logs(instance, container, &request).await?;
        let now = shared.app.control.clone();
        let name = container.name.clone();
        streams.push(lines_of(name, output, move || now.now()));
    }
    Ok(Box::pin(stream::select_all(streams)))
}

fn moment(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at.0).unwrap_or_default())
}

/// The last lines of containers that the timeline has.
async fn recorded(view: &View, instance: &Instance, query: &LogQuery) -> Result<Lines, Fault> {
    let filter = EventFilter {
        instance: Some(instance.id),
        latest: true,
        limit: Some(EVENTS),
        ..EventFilter::default()
    };
    let events = view.events(filter).await?;
    let mut lines: Vec<LogLine> = Vec::new();
    for event in events.items {
        if event.kind.word() != EventKind::InstanceOutput.word() || query.since.is_some_and(|since| event.at < since) {
            continue;
        }
        let detail = event.detail.unwrap_or_default();
        let (container, text) = container_in(&detail);
        if query.container.as_deref().is_some_and(|only| only != container) {
            continue;
        }
        lines.extend(text.lines().map(|line| LogLine {
            at: event.at,
            container: container.to_owned(),
            source: LogSource::Timeline,
            line: line.to_owned(),
            problem: None,
        }));
    }
    if let Some(tail) = query.tail {
        let skipped = lines.len().saturating_sub(usize::try_from(tail).unwrap_or(usize::MAX));
        lines.drain(..skipped);
    }
    Ok(Box::pin(stream::iter(lines)))
}

/// The container that a detail of recorded output names, and the output.
fn container_in(detail: &str) -> (&str, &str) {
    let named = detail
        .strip_prefix("container ")
        .and_then(|rest| rest.split_once(":\n"));
    named.unwrap_or((orchestrator_model::Container::MAIN, detail))
}

fn message(line: &wire::LogLine) -> Message {
    // A line is plain text and numbers, of which JSON can be made.
    Message::default()
        .json_data(line)
        .unwrap_or_else(|_| Message::default().comment("a line that cannot be shown"))
}

/// The line that says why no further lines follow.
fn broken(container: &str, at: Timestamp, error: &orchestrator_model::EngineError) -> LogLine {
    let problem = ControlError::Engine {
        code: error.code(),
        reason: with_causes(error),
    };
    LogLine {
        at,
        container: container.to_owned(),
        source: LogSource::Stdout,
        line: String::new(),
        problem: Some(Fault::from(problem).into_problem()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeline_names_other_containers_than_the_first() {
        assert_eq!(container_in("one\ntwo"), ("main", "one\ntwo"));
        assert_eq!(container_in("container proxy:\none"), ("proxy", "one"));
        assert_eq!(container_in("container of goods"), ("main", "container of goods"));
    }
}
