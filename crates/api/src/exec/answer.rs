//! The answer to a command: its output as it comes, and how it ended.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use orchestrator_api_types::{ExecEnd, FRAMES, Frame, FrameKind, Problem};
use orchestrator_model::{EngineError, ExecControl, ExecSession, Output as Piece, OutputStream};
use orchestrator_runtime::causes::with_causes;
use serde_json::json;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::input::{FrameReader, Sent};
use super::size;
use crate::ControlError;
use crate::describe::{Operation, Output, Schemas};
use crate::problem::Fault;

/// How long the engine may take to know the exit code once the output has ended.
const CODE_LIMIT: Duration = Duration::from_secs(10);

/// How long to wait before the exit code is asked for again.
const CODE_PAUSE: Duration = Duration::from_millis(20);

/// The frames of a command.
pub(crate) struct Frames(Pin<Box<dyn Stream<Item = Bytes> + Send>>);

impl Frames {
    /// The output of a session. With a reader, its input comes from there; else it has none.
    ///
    /// The input ends when the answer is not read any more.
    pub(super) fn new(
        session: ExecSession,
        reader: Option<FrameReader>,
        draining: CancellationToken,
        permits: [OwnedSemaphorePermit; 2],
    ) -> Self {
        let ExecSession { input, output, control } = session;
        let feeding = AbortOnDropHandle::new(tokio::spawn(feed(input, reader, control.clone())));
        let running = Running {
            output,
            control,
            draining,
            _feeding: feeding,
            _permits: permits,
        };
        Self(Box::pin(stream::unfold(Some(running), |running| async move {
            let mut running = running?;
            let (frame, over) = running.next().await;
            Some((frame.encode(), (!over).then_some(running)))
        })))
    }
}

/// Gives a command its input.
async fn feed(mut input: Pin<Box<dyn AsyncWrite + Send>>, reader: Option<FrameReader>, control: Arc<dyn ExecControl>) {
    let Some(mut reader) = reader else {
        // A command that has ended already needs no end of its input.
        let _ = input.shutdown().await;
        return;
    };
    loop {
        let fed = match reader.sent().await {
            Sent::Input(bytes) if bytes.is_empty() => input.shutdown().await,
            Sent::Input(bytes) => async { input.write_all(&bytes).await.and(input.flush().await) }.await,
            Sent::Size(asked) => {
                // A command that has ended has no terminal.
                let _ = control.resize(size(asked)).await;
                Ok(())
            }
            Sent::Over => {
                let _ = input.shutdown().await;
                return;
            }
        };
        if let Err(error) = fed {
            // The command has closed its input. It may go on.
            tracing::debug!(%error, "a command takes no more input");
        }
    }
}

struct Running {
    output: OutputStream,
    control: Arc<dyn ExecControl>,
    draining: CancellationToken,
    _feeding: AbortOnDropHandle<()>,
    _permits: [OwnedSemaphorePermit; 2],
}

impl Running {
    /// The next frame, and whether it is the last.
    async fn next(&mut self) -> (Frame, bool) {
        let piece = tokio::select! {
            piece = self.output.next() => piece,
            () = self.draining.cancelled() => return (failed(ControlError::Stopping), true),
        };
        match piece {
            Some(Ok(Piece::Stdout(bytes))) => (Frame::new(FrameKind::Output, bytes), false),
            Some(Ok(Piece::Stderr(bytes))) => (Frame::new(FrameKind::Error, bytes), false),
            Some(Err(error)) => (failed(broken(&error)), true),
            None => (end(self.control.clone()).await, true),
        }
    }
}

/// How a command ended whose output has ended.
async fn end(control: Arc<dyn ExecControl>) -> Frame {
    let began = Instant::now();
    loop {
        match control.exit_code().await {
            Ok(Some(code)) => {
                return last(&ExecEnd {
                    exit_code: Some(code),
                    problem: None,
                });
            }
            Ok(None) if began.elapsed() < CODE_LIMIT => sleep(CODE_PAUSE).await,
            Ok(None) => {
                return failed(ControlError::Engine {
                    code: "engine-timeout",
                    reason: "the output of the command has ended, but it still runs".to_owned(),
                });
            }
            Err(error) => return failed(broken(&error)),
        }
    }
}

fn broken(error: &EngineError) -> ControlError {
    ControlError::Engine {
        code: error.code(),
        reason: with_causes(error),
    }
}

fn failed(error: ControlError) -> Frame {
    let problem: Problem = Fault::from(error).into_problem();
    last(&ExecEnd {
        exit_code: None,
        problem: Some(problem),
    })
}

fn last(end: &ExecEnd) -> Frame {
    // Plain text and numbers, of which JSON can be made.
    Frame::new(FrameKind::End, serde_json::to_vec(end).unwrap_or_default())
}

impl IntoResponse for Frames {
    fn into_response(self) -> Response {
        let frames = self.0.map(Ok::<_, Infallible>);
        ([(header::CONTENT_TYPE, FRAMES)], Body::from_stream(frames)).into_response()
    }
}

impl Output for Frames {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let schema = json!({ "type": "string", "format": "binary" });
        operation.answers(StatusCode::OK, FRAMES, schema);
    }
}
