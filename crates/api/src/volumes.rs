//! Volumes.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use orchestrator_api_types::{self as wire, Page, VolumeQuery};
use orchestrator_model::RecordedVolume;
use serde_json::json;

use super::caller::Caller;
use super::describe::{Accepted, Operation, Output, Schemas};
use super::params::{Params, Segment, limit};
use super::problem::Fault;
use super::routes::Shared;
use super::view::View;
use super::wire::{IntoWire, with_usage};
use super::{ByteStream, VOLUME_ARCHIVE};

/// `GET /v1/volumes`
///
/// In the order in which they were made. A cursor is a place in that order.
pub(super) async fn list(
    State(shared): State<Shared>,
    view: View,
    Params(query): Params<VolumeQuery>,
) -> Result<Json<Page<wire::VolumeView>>, Fault> {
    let limit = limit(query.limit)?.unwrap_or(1) as usize;
    let bad = |cursor: &str| Fault::from(orchestrator_store::StoreError::BadCursor(cursor.to_owned()));
    let place = |cursor: &str| cursor.parse::<usize>().map_err(|_| bad(cursor));
    let skipped = query.after.as_deref().map_or(Ok(0), place)?;
    let all = view.volumes(query.owner.as_deref()).await?;
    let mut items: Vec<_> = all.into_iter().skip(skipped).take(limit + 1).collect();
    let next = (items.len() > limit).then(|| skipped.saturating_add(limit).to_string());
    items.truncate(limit);
    Ok(Json(Page {
        items: items.into_iter().map(|volume| shown(&shared, volume)).collect(),
        next,
    }))
}

/// `GET /v1/volumes/{id}`
pub(super) async fn show(
    State(shared): State<Shared>,
    view: View,
    Segment(id): Segment,
) -> Result<Json<wire::VolumeView>, Fault> {
    Ok(Json(shown(&shared, view.volume(&id).await?)))
}

/// A volume, with what it took when it was measured last.
fn shown(shared: &Shared, volume: RecordedVolume) -> wire::VolumeView {
    let usage = shared.app.control.volume_usage(volume.id);
    with_usage(volume.into_wire(), usage)
}

/// `DELETE /v1/volumes/{id}`
pub(super) async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    view: View,
    Segment(id): Segment,
) -> Result<Accepted<wire::VolumeView>, Fault> {
    let volume = view.volume(&id).await?.id;
    let removing = shared.app.control.destroy_volume(&caller, volume).await?;
    Ok(Accepted(shown(&shared, removing)))
}

/// `POST /v1/volumes/{id}/export`
pub(super) async fn export(State(shared): State<Shared>, view: View, Segment(id): Segment) -> Result<Archive, Fault> {
    let volume = view.volume(&id).await?.id;
    Ok(Archive(shared.app.control.export_volume(volume).await?))
}

/// A tar archive that is sent while it is read. When reading fails, the answer breaks off.
pub(super) struct Archive(ByteStream);

impl IntoResponse for Archive {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, VOLUME_ARCHIVE)], Body::from_stream(self.0)).into_response()
    }
}

impl Output for Archive {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let schema = json!({ "type": "string", "format": "binary" });
        operation.answers(StatusCode::OK, VOLUME_ARCHIVE, schema);
    }
}
