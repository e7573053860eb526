//! Images on the engines.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use orchestrator_api_types as wire;
use orchestrator_model::{ByteStream, EngineError, ImageSource, PullProgress, Timestamp};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::body::JsonBody;
use super::caller::Caller;
use super::connection::Connection;
use super::control::{ImageControl, ListedImage, Pruned};
use super::describe::{Input, NoContent, Operation, Output, Schemas};
use super::params::Params;
use super::problem::Fault;
use super::routes::Shared;

/// The largest archive, in bytes.
const LARGEST_ARCHIVE: u64 = 32 << 30;

/// How long the next piece of an archive may take to arrive.
const PIECE_LIMIT: Duration = Duration::from_secs(20);

/// Steps of a pull that wait to be sent.
const STEPS: usize = 64;

/// How long a stream may be silent before a comment keeps it alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The path on which a body of any size is taken.
pub(super) const UPLOAD_PATH: &str = "/v1/images";

/// The body of a request that is read piece by piece.
pub(super) struct Upload(Body);

impl FromRequest<Shared> for Upload {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Infallible> {
        Ok(Self(request.into_body()))
    }
}

impl Input for Upload {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.takes_bytes("application/x-tar");
    }
}

impl Upload {
    /// The pieces as they come, until the archive is larger than allowed or the peer stops sending.
    fn pieces(self, connection: &Connection) -> ByteStream {
        let exchange = connection.exchange.clone();
        let state = (self.0.into_data_stream(), LARGEST_ARCHIVE, exchange, false);
        Box::pin(stream::unfold(
            state,
            |(mut pieces, left, exchange, ended)| async move {
                if ended {
                    return None;
                }
                let piece = match timeout(PIECE_LIMIT, pieces.next()).await {
                    Ok(None) => {
                        exchange.body_received();
                        return None;
                    }
                    Ok(Some(Ok(piece))) => Ok(piece),
                    Ok(Some(Err(_))) => Err("it breaks off before its end; send it whole".to_owned()),
                    Err(_) => Err(format!("nothing more of it came within {PIECE_LIMIT:?}; send it again")),
                };
                let counted = piece.and_then(|piece| match left.checked_sub(length(&piece)) {
                    Some(left) => Ok((piece, left)),
                    None => Err(format!("it has more than {LARGEST_ARCHIVE} bytes")),
                });
                Some(match counted {
                    Ok((piece, left)) => (Ok(piece), (pieces, left, exchange, false)),
                    Err(reason) => (Err(unreadable(reason)), (pieces, left, exchange, true)),
                })
            },
        ))
    }
}

fn length(piece: &Bytes) -> u64 {
    u64::try_from(piece.len()).unwrap_or(u64::MAX)
}

fn unreadable(reason: String) -> EngineError {
    EngineError::Refused {
        verb: "read",
        subject: "the archive".to_owned(),
        reason,
    }
}

/// Steps of a pull, one in each message.
pub(super) struct Steps(Response);

impl IntoResponse for Steps {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for Steps {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let step = schemas.given::<wire::PullStep>().into();
        operation.answers(StatusCode::OK, "text/event-stream", step);
    }
}

/// `GET /v1/images`
pub(super) async fn list(
    State(shared): State<Shared>,
    Params(query): Params<wire::ImageQuery>,
) -> Result<Json<wire::Images>, Fault> {
    let control = shared.app.control.images()?;
    let engines = match query.engine {
        Some(engine) => vec![control.engine(Some(&engine))?],
        None => control.engines(),
    };
    let mut images = wire::Images::default();
    for engine in engines {
        match control.list(&engine).await {
            Ok(listed) => images
                .items
                .extend(listed.into_iter().map(|image| view(&*control, &engine, image))),
            Err(fault) => images.faults.push(wire::EngineFault {
                engine,
                reason: fault.to_string(),
            }),
        }
    }
    Ok(Json(images))
}

/// `POST /v1/images`
pub(super) async fn load(
    (State(shared), Extension(connection)): (State<Shared>, Extension<Connection>),
    caller: Caller,
    Params(query): Params<wire::ImageQuery>,
    upload: Upload,
) -> Result<Json<wire::Images>, Fault> {
    let control = shared.app.control.images()?;
    let engine = control.engine(query.engine.as_deref())?;
    let _permits = shared.stream_permits(&connection)?;
    let archive = upload.pieces(&connection);
    let loaded = tokio::select! {
        loaded = control.load(&caller, &engine, archive) => loaded?,
        () = shared.draining.cancelled() => return Err(super::ControlError::Stopping.into()),
    };
    Ok(Json(wire::Images {
        items: loaded
            .into_iter()
            .map(|image| view(&*control, &engine, image))
            .collect(),
        ..wire::Images::default()
    }))
}

/// `POST /v1/images/pull`
///
/// The pull ends when the stream is closed.
pub(super) async fn pull(
    (State(shared), Extension(connection)): (State<Shared>, Extension<Connection>),
    caller: Caller,
    body: JsonBody<wire::PullImage>,
) -> Result<Steps, Fault> {
    let control = shared.app.control.images()?;
    let wire::PullImage { image, engine } = body.read("an image to fetch")?;
    let engine = control.engine(engine.as_deref())?;
    let permits = shared.stream_permits(&connection)?;
    let (sender, receiver) = mpsc::channel(STEPS);
    let draining = shared.draining.clone();
    let work = async move {
        let _permits = permits;
        let pulled = tokio::select! {
            pulled = control.pull(&caller, &engine, &image, sender) => pulled,
            () = draining.cancelled() => Err(super::ControlError::Stopping),
        };
        last_step(pulled.map(|image| view(&*control, &engine, image)))
    };
    let messages = steps_then(receiver, work).map(|step| Ok::<_, Infallible>(message(&step)));
    let sse = Sse::new(messages).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(Steps(sse.into_response()))
}

/// `DELETE /v1/images`
pub(super) async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    Params(query): Params<wire::RemoveImageQuery>,
) -> Result<NoContent, Fault> {
    let control = shared.app.control.images()?;
    let engine = control.engine(query.engine.as_deref())?;
    control.remove(&caller, &engine, &query.image).await?;
    Ok(NoContent)
}

/// `POST /v1/images/prune`
pub(super) async fn prune(
    State(shared): State<Shared>,
    caller: Caller,
    body: JsonBody<wire::PruneImages>,
) -> Result<Json<wire::PrunedImages>, Fault> {
    let control = shared.app.control.images()?;
    let wire::PruneImages { keep, dry_run } = body.read("which images are removed")?;
    let (images, faults) = control.prune(&caller, keep.map(usize::from), dry_run).await?;
    let pruned = images.into_iter().map(|(listed, pruned)| {
        let engine = listed.brought.as_ref().map(|brought| brought.key.engine.clone());
        let (outcome, reason) = outcome_of(pruned);
        wire::PrunedImage {
            image: view(&*control, &engine.unwrap_or_default(), listed),
            outcome,
            reason,
        }
    });
    let faults = faults.into_iter();
    Ok(Json(wire::PrunedImages {
        items: pruned.collect(),
        faults: faults
            .map(|(engine, reason)| wire::EngineFault { engine, reason })
            .collect(),
    }))
}

fn outcome_of(pruned: Pruned) -> (wire::PruneOutcome, Option<String>) {
    match pruned {
        Pruned::Used => (wire::PruneOutcome::Used, None),
        Pruned::Newest => (wire::PruneOutcome::Newest, None),
        Pruned::WouldGo => (wire::PruneOutcome::WouldGo, None),
        Pruned::Removed => (wire::PruneOutcome::Removed, None),
        Pruned::Failed(reason) => (wire::PruneOutcome::Failed, Some(reason)),
    }
}

fn view(control: &dyn ImageControl, engine: &str, listed: ListedImage) -> wire::Image {
    let ListedImage { image, brought, uses } = listed;
    let mut templates: Vec<String> = Vec::new();
    for name in image.names.iter().chain([&image.id]) {
        templates.extend(control.templates_of(engine, name));
    }
    templates.sort();
    templates.dedup();
    wire::Image {
        engine: engine.to_owned(),
        id: image.id,
        names: image.names,
        digests: image.digests,
        size: image.size,
        created: image.created.map(Timestamp::from),
        used: image.used.map(Timestamp::from),
        templates,
        ours: brought.is_some(),
        source: brought.as_ref().map(|brought| match brought.source {
            ImageSource::Loaded => wire::ImageSource::Loaded,
            ImageSource::Pulled => wire::ImageSource::Pulled,
        }),
        brought: brought.as_ref().map(|brought| brought.brought),
        unused: brought.as_ref().and_then(|brought| brought.unused),
        by: brought.and_then(|brought| brought.by),
        used_by: uses,
    }
}

fn step_of(progress: PullProgress) -> wire::PullStep {
    let (done, total) = progress.bytes.unzip();
    wire::PullStep {
        part: progress.part,
        status: progress.status,
        done,
        total,
        ..wire::PullStep::default()
    }
}

fn last_step(pulled: Result<wire::Image, super::ControlError>) -> wire::PullStep {
    match pulled {
        Ok(image) => wire::PullStep {
            status: "there".to_owned(),
            image: Some(image),
            ..wire::PullStep::default()
        },
        Err(error) => wire::PullStep {
            status: "failed".to_owned(),
            problem: Some(Fault::from(error).into_problem()),
            ..wire::PullStep::default()
        },
    }
}

fn message(step: &wire::PullStep) -> Message {
    // A step is plain text and numbers, of which JSON can be made.
    Message::default()
        .json_data(step)
        .unwrap_or_else(|_| Message::default().comment("a step that cannot be shown"))
}

/// The steps of a pull as they come, and its last one behind them. The pull goes on while the stream is read.
///
/// The pull owns the sender of the steps, so that they end with it.
fn steps_then(
    receiver: mpsc::Receiver<PullProgress>,
    pull: impl Future<Output = wire::PullStep> + Send + 'static,
) -> impl Stream<Item = wire::PullStep> + Send {
    let state = (receiver, Some(Box::pin(pull)), None);
    stream::unfold(state, |(mut receiver, mut pull, mut last)| async move {
        while let Some(under_way) = &mut pull {
            tokio::select! {
                biased;
                Some(step) = receiver.recv() => return Some((step_of(step), (receiver, pull, last))),
                ended = under_way => {
                    last = Some(ended);
                    pull = None;
                }
            }
        }
        let step = receiver.recv().await.map(step_of).or_else(|| last.take())?;
        Some((step, (receiver, pull, last)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(status: &str) -> PullProgress {
        PullProgress {
            part: None,
            status: status.to_owned(),
            bytes: Some((1, 2)),
        }
    }

    #[tokio::test]
    async fn the_last_step_comes_behind_all_others() {
        let (sender, receiver) = mpsc::channel(8);
        let pull = async move {
            sender.send(progress("one")).await.unwrap();
            tokio::task::yield_now().await;
            sender.send(progress("two")).await.unwrap();
            last_step(Err(super::super::ControlError::Stopping))
        };
        let steps: Vec<_> = steps_then(receiver, pull).collect().await;
        let words: Vec<_> = steps.iter().map(|step| step.status.as_str()).collect();
        assert_eq!(words, ["one", "two", "failed"]);
        assert_eq!(steps[2].problem.as_ref().unwrap().code, "stopping");
        assert_eq!((steps[0].done, steps[0].total), (Some(1), Some(2)));
    }

    #[tokio::test]
    async fn a_pull_ends_with_its_reader() {
        let (sender, receiver) = mpsc::channel(8);
        let watched = sender.clone();
        let pull = async move {
            sender.send(progress("one")).await.unwrap();
            std::future::pending().await
        };
        let mut steps = Box::pin(steps_then(receiver, pull));
        assert_eq!(steps.next().await.unwrap().status, "one");
        drop(steps);
        watched.closed().await;
    }
}
