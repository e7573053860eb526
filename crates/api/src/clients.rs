//! Clients.

use axum::Json;
use orchestrator_api_types::{Client, ClientQuery, ClientView, Page};
use orchestrator_store::ClientFilter;

use super::params::{Params, Segment, limit, name};
use super::problem::Fault;
use super::view::View;

/// `GET /v1/clients`
pub(super) async fn list(view: View, Params(query): Params<ClientQuery>) -> Result<Json<Page<Client>>, Fault> {
    let filter = ClientFilter {
        link: query.link,
        name: name(query.name.as_deref())?,
        after: query.after,
        limit: limit(query.limit)?,
    };
    Ok(Json(view.clients(filter).await?))
}

/// `GET /v1/clients/{id}`
pub(super) async fn show(view: View, Segment(id): Segment) -> Result<Json<ClientView>, Fault> {
    let client = view.client(&id).await?;
    Ok(Json(view.whole_client(client).await?))
}
