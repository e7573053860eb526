//! Addresses in quarantine: a client declined them, because another machine uses them.

use std::net::Ipv6Addr;

use axum::Json;
use axum::extract::State;
use orchestrator_api_types::{LeaseView, Page, QuarantineQuery};
use orchestrator_model::LeaseState;
use orchestrator_store::LeaseFilter;

use super::caller::Caller;
use super::describe::NoContent;
use super::params::{Params, Segment, limit};
use super::problem::Fault;
use super::routes::Shared;
use super::view::View;

/// `GET /v1/quarantine`
pub(super) async fn list(view: View, Params(query): Params<QuarantineQuery>) -> Result<Json<Page<LeaseView>>, Fault> {
    let filter = LeaseFilter {
        link: query.link,
        state: Some(LeaseState::Declined),
        client: None,
        after: query.after,
        limit: limit(query.limit)?,
    };
    Ok(Json(view.leases(filter).await?))
}

/// `DELETE /v1/quarantine/{address}`
pub(super) async fn lift(
    State(shared): State<Shared>,
    caller: Caller,
    Segment(address): Segment,
) -> Result<NoContent, Fault> {
    let missing = || Fault::no_such("quarantined address", "no-such-quarantine", &address);
    let parsed: Ipv6Addr = address.parse().map_err(|_| missing())?;
    match shared.app.control.lift(&caller, parsed).await? {
        true => Ok(NoContent),
        false => Err(missing()),
    }
}
