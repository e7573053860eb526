//! Instances.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use orchestrator_api_types::{self as wire, DestroyQuery, InstanceQuery, Page};
use orchestrator_model::{InstanceView, Phase};
use orchestrator_store::InstanceFilter;

use super::caller::Caller;
use super::describe::{Operation, Output, Schemas, describe_json};
use super::params::{Params, Segment, limit, name};
use super::problem::Fault;
use super::routes::Shared;
use super::view::View;
use super::wire::IntoWire;
use super::wire::words::phase;

/// `GET /v1/instances`
pub(super) async fn list(
    view: View,
    Params(query): Params<InstanceQuery>,
) -> Result<Json<Page<wire::InstanceView>>, Fault> {
    let filter = InstanceFilter {
        // A filter for removed instances implies that they are listed.
        all: query.all || query.phase == Some(wire::Phase::Removed),
        link: query.link,
        client: query.client,
        name: name(query.name.as_deref())?,
        phase: query.phase.map(phase),
        after: query.after,
        limit: limit(query.limit)?,
    };
    Ok(Json(view.instances(filter).await?))
}

/// `GET /v1/instances/{id}`
pub(super) async fn show(view: View, Segment(id): Segment) -> Result<Json<wire::InstanceView>, Fault> {
    let found = view.instance(&id).await?;
    Ok(Json(view.show(found)))
}

/// The progress of a removal.
pub(super) enum Removal {
    /// The removal has begun.
    Begun(wire::InstanceView),
    /// The instance was gone already.
    Over(wire::InstanceView),
}

impl IntoResponse for Removal {
    fn into_response(self) -> Response {
        match self {
            Self::Begun(view) => (StatusCode::ACCEPTED, Json(view)).into_response(),
            Self::Over(view) => Json(view).into_response(),
        }
    }
}

impl Output for Removal {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        describe_json::<wire::InstanceView>(StatusCode::ACCEPTED, operation, schemas);
        describe_json::<wire::InstanceView>(StatusCode::OK, operation, schemas);
    }
}

/// `DELETE /v1/instances/{id}`
///
/// An instance that is gone already is answered as it is, and nothing is done. With `release` the request is refused:
/// the client may by now hold a lease that has nothing to do with that instance.
pub(super) async fn destroy(
    State(shared): State<Shared>,
    caller: Caller,
    view: View,
    Segment(id): Segment,
    Params(query): Params<DestroyQuery>,
) -> Result<Removal, Fault> {
    let found = view.instance(&id).await?;
    if found.instance.phase == Phase::Removed {
        return match query.release {
            false => Ok(Removal::Over(found.into_wire())),
            true => {
                let present = view.instance_in(&found.instance.key()).await?;
                Err(Fault::instance_gone(&found.instance, present))
            }
        };
    }
    let instance = shared
        .app
        .control
        .destroy(&caller, found.instance.id, query.release)
        .await?;
    Ok(Removal::Begun(InstanceView { instance, ..found }.into_wire()))
}
