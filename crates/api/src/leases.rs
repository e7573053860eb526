//! Leases.

use axum::Json;
use orchestrator_api_types::{LeaseQuery, LeaseView, Page};
use orchestrator_store::LeaseFilter;

use super::params::{Params, limit};
use super::problem::Fault;
use super::view::View;
use super::wire::words::lease_state;

/// `GET /v1/leases`
pub(super) async fn list(view: View, Params(query): Params<LeaseQuery>) -> Result<Json<Page<LeaseView>>, Fault> {
    let filter = LeaseFilter {
        link: query.link,
        state: query.state.map(lease_state),
        client: query.client,
        after: query.after,
        limit: limit(query.limit)?,
    };
    Ok(Json(view.leases(filter).await?))
}
