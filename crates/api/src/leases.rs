//! Leases.

use axum::Json;
use serde::Deserialize;

use super::params::{Database, Params, limit};
use super::problem::Fault;
use orchestrator_model::{ClientId, LeaseState, LeaseView, Page};
use orchestrator_store::LeaseFilter;

/// The parameters of a list of leases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    link: Option<String>,
    state: Option<LeaseState>,
    client: Option<ClientId>,
    after: Option<String>,
    limit: Option<u32>,
}

/// `GET /v1/leases`
pub(super) async fn list(
    Database(store): Database,
    Params(params): Params<ListParams>,
) -> Result<Json<Page<LeaseView>>, Fault> {
    let filter = LeaseFilter {
        link: params.link,
        state: params.state,
        client: params.client,
        after: params.after,
        limit: limit(params.limit)?,
    };
    Ok(Json(store.leases(filter).await?))
}
