//! Instances.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::hide::hide_view_values;
use super::params::{Database, Params, Segment, limit, name};
use super::problem::Fault;
use super::routes::Shared;
use orchestrator_model::{ClientId, InstanceId, InstanceView, Page, Phase};
use orchestrator_store::{InstanceFilter, Resolved, Store};

/// The parameters of a list of instances.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    #[serde(default)]
    all: bool,
    link: Option<String>,
    client: Option<ClientId>,
    name: Option<String>,
    phase: Option<Phase>,
    after: Option<String>,
    limit: Option<u32>,
}

/// The parameters of a removal.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DestroyParams {
    #[serde(default)]
    release: bool,
}

/// `GET /v1/instances`
pub(super) async fn list(
    Database(store): Database,
    Params(params): Params<ListParams>,
) -> Result<Json<Page<InstanceView>>, Fault> {
    let filter = InstanceFilter {
        // Who asks for those that are gone wants to see them.
        all: params.all || params.phase == Some(Phase::Removed),
        link: params.link,
        client: params.client,
        name: name(params.name.as_deref())?,
        phase: params.phase,
        after: params.after,
        limit: limit(params.limit)?,
    };
    let page = store.instances(filter).await?;
    Ok(Json(Page {
        items: page.items.into_iter().map(hide_view_values).collect(),
        ..page
    }))
}

/// `GET /v1/instances/{id}`
pub(super) async fn show(Database(store): Database, Segment(id): Segment) -> Result<Json<InstanceView>, Fault> {
    Ok(Json(hide_view_values(find(&store, &id).await?)))
}

/// `DELETE /v1/instances/{id}`
///
/// An instance that is gone already is answered as it is, and nothing is done. With `release` that is refused: its
/// client may hold a lease since that has nothing to do with it.
pub(super) async fn destroy(
    State(shared): State<Shared>,
    Database(store): Database,
    Segment(id): Segment,
    Params(params): Params<DestroyParams>,
) -> Result<(StatusCode, Json<InstanceView>), Fault> {
    let view = find(&store, &id).await?;
    if view.instance.phase == Phase::Removed {
        return match params.release {
            false => Ok((StatusCode::OK, Json(view))),
            true => Err(Fault::instance_gone(&view.instance, present(&store, &view).await?)),
        };
    }
    let instance = shared.app.control.destroy(view.instance.id, params.release).await?;
    let view = InstanceView { instance, ..view };
    Ok((StatusCode::ACCEPTED, Json(hide_view_values(view))))
}

/// The instance that the client of another one has now.
async fn present(store: &Store, of: &InstanceView) -> Result<Option<InstanceId>, Fault> {
    let situation = store.situation(of.instance.client).await?;
    Ok(situation
        .and_then(|situation| situation.instance)
        .map(|instance| instance.id))
}

/// The instance whose id begins with `id`.
async fn find(store: &Store, id: &str) -> Result<InstanceView, Fault> {
    let missing = || Fault::no_such("instance", "no-such-instance", id);
    match store.resolve_instance(id).await? {
        Resolved::One(id) => store.instance(id).await?.ok_or_else(missing),
        Resolved::None => Err(missing()),
        Resolved::Several(candidates) => Err(Fault::ambiguous(id, candidates)),
    }
}
