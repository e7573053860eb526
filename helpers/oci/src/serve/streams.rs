//! Answers whose body is a stream.

use std::io;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::future::ready;
use futures_util::{StreamExt, stream};
use orchestrator_plugin_oci::protocol::{
    EnsureRequest, Ensuring, Fault, FilesRequest, Happening, LoadRequest, LogsRequest, REQUEST_HEADER, SiteRequest,
    Verb,
};
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::answer::{Answer, Failure, carried_out};
use crate::engine::{Changed, Helper, Pieces};

/// Pieces of an archive that wait to be unpacked.
const WAITING: usize = 4;

pub(super) async fn logs(State(helper): State<Helper>, Json(request): Json<LogsRequest>) -> Result<Response, Failure> {
    let frames = helper.logs(&request).await?;
    let body = stream::unfold(frames, |mut frames| async move {
        Some((Ok::<_, io::Error>(frames.recv().await?), frames))
    });
    Ok(Body::from_stream(body).into_response())
}

/// One line for each change of a site's containers, after one for the beginning.
pub(super) async fn watch(State(helper): State<Helper>, Json(request): Json<SiteRequest>) -> Response {
    let changes = helper.changes();
    let first = stream::iter([Ok(line(&Happening::Everything))]);
    let rest = stream::unfold(changes, move |changes| next(changes, request.site));
    Body::from_stream(first.chain(rest)).into_response()
}

async fn next(
    mut changes: Receiver<Changed>,
    site: orchestrator_plugin::SiteId,
) -> Option<(Result<Bytes, io::Error>, Receiver<Changed>)> {
    loop {
        match changes.recv().await {
            Ok(changed) if changed.site == site => {
                return Some((Ok(line(&Happening::Container(changed.container))), changes));
            }
            Ok(_) => {}
            // Changes were lost: the watch breaks, and the next one begins with everything.
            Err(error) => {
                warn!(%error, "a watch was too slow, and is ended");
                return None;
            }
        }
    }
}

/// Makes sure that a container runs, and says so in lines. It is carried out to its end, whether its caller waits or not.
pub(super) async fn ensure_early(State(helper): State<Helper>, Json(request): Json<EnsureRequest>) -> Response {
    let (early, namespace) = oneshot::channel();
    let ensuring = tokio::spawn(async move { helper.ensure(request, Some(early)).await });
    let first = stream::once(namespace).filter_map(|path| ready(path.ok().map(Ensuring::Namespace)));
    let last = stream::once(ensuring).map(|done| {
        let done = done.unwrap_or_else(|fault| Err(Fault::failed(Verb::Start, "a container", fault)));
        done.map_or_else(Ensuring::Fault, Ensuring::Found)
    });
    let lines = first.chain(last).map(|step| Ok::<_, io::Error>(line(&step)));
    Body::from_stream(lines).into_response()
}

/// A line of JSON.
fn line(content: &impl Serialize) -> Bytes {
    let mut line = serde_json::to_vec(content).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

pub(super) async fn read_files(
    State(helper): State<Helper>,
    Json(request): Json<FilesRequest>,
) -> Result<Response, Failure> {
    let (first, pieces) = helper.read_files(&request).await?;
    let first = stream::iter(first.map(Ok));
    let rest = stream::unfold(pieces, |mut pieces: Pieces| async move {
        Some((pieces.recv().await?, pieces))
    });
    Ok(Body::from_stream(first.chain(rest)).into_response())
}

pub(super) async fn write_files(State(helper): State<Helper>, headers: HeaderMap, body: Body) -> Answer<()> {
    let request = headers
        .get(REQUEST_HEADER)
        .and_then(|value| serde_json::from_slice(value.as_bytes()).ok());
    let request: FilesRequest = request.ok_or_else(|| {
        Fault::refused(
            Verb::WriteFiles,
            "a container",
            format!("the header {REQUEST_HEADER} is missing or wrong"),
        )
    })?;
    let archive = pieces(body);
    carried_out(async move { helper.write_files(&request, archive).await }).await
}

pub(super) async fn load_images(
    State(helper): State<Helper>,
    headers: HeaderMap,
    body: Body,
) -> Answer<impl serde::Serialize> {
    let request = match headers.get(REQUEST_HEADER) {
        None => Ok(None),
        Some(value) => serde_json::from_slice::<Option<LoadRequest>>(value.as_bytes()),
    };
    let request = request.map_err(|error| {
        let reason = format!("the header {REQUEST_HEADER} is wrong: {error}");
        Fault::refused(Verb::LoadImages, "an archive", reason)
    })?;
    let archive = pieces(body);
    carried_out(async move { helper.load_images(archive, &request.unwrap_or_default().layers).await }).await
}

/// The pieces of a body, as they come. A caller that goes away in the middle is an error.
fn pieces(body: Body) -> Pieces {
    let (sender, archive) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let mut pieces = body.into_data_stream();
        while let Some(piece) = pieces.next().await {
            if sender.send(piece.map_err(io::Error::other)).await.is_err() {
                return;
            }
        }
    });
    archive
}
