//! Reservations.

use std::net::Ipv6Addr;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ipnet::Ipv6Net;
use serde::Deserialize;

use super::body::JsonBody;
use super::params::{Params, Segment, limit};
use super::problem::Fault;
use super::routes::Shared;
use orchestrator_model::{Duid, Holder, LinkLayerAddress, OpaqueId, Page, Reservation, ReservationId, ReservationView};
use orchestrator_settings::check_holder;

/// The parameters of a list of reservations.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    link: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// What is to be reserved for whom. One trait by which the client is known, and an address, a prefix or both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    link: String,
    duid: Option<Duid>,
    link_layer_address: Option<LinkLayerAddress>,
    remote_id: Option<RemoteId>,
    interface_id: Option<OpaqueId>,
    address: Option<Ipv6Addr>,
    prefix: Option<Ipv6Net>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RemoteId {
    enterprise: u32,
    id: OpaqueId,
}

/// `GET /v1/reservations`
///
/// Those of the settings, link by link, then those that were made here. A cursor is a place in that order: where one is
/// made or removed in between, one may come twice or be left out.
pub(super) async fn list(
    State(shared): State<Shared>,
    Params(params): Params<ListParams>,
) -> Result<Json<Page<ReservationView>>, Fault> {
    let limit = limit(params.limit)?.unwrap_or(1) as usize;
    let place = |cursor: &str| cursor.parse::<usize>().map_err(|_| bad_cursor(cursor));
    let skipped = params.after.as_deref().map_or(Ok(0), place)?;
    let all = shared.app.control.reservations().await?;
    let on_link = |view: &ReservationView| params.link.as_ref().is_none_or(|link| *link == view.link);
    let mut items: Vec<ReservationView> = all.into_iter().filter(on_link).skip(skipped).take(limit + 1).collect();
    let next = (items.len() > limit).then(|| (skipped + limit).to_string());
    items.truncate(limit);
    Ok(Json(Page { items, next }))
}

/// `POST /v1/reservations`
pub(super) async fn add(
    State(shared): State<Shared>,
    body: JsonBody,
) -> Result<(StatusCode, Json<ReservationView>), Fault> {
    let new: New = body.read("a reservation")?;
    let link = new.link.clone();
    let view = shared.app.control.reserve(link, new.reservation()?).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// `DELETE /v1/reservations/{id}`
pub(super) async fn remove(State(shared): State<Shared>, Segment(id): Segment) -> Result<Json<ReservationView>, Fault> {
    let missing = || Fault::no_such("reservation", "no-such-reservation", &id);
    let id: ReservationId = id.parse().map_err(|_| missing())?;
    Ok(Json(shared.app.control.unreserve(id).await?))
}

impl New {
    fn reservation(self) -> Result<Reservation, Fault> {
        let remote_id = self
            .remote_id
            .map(|RemoteId { enterprise, id }| Holder::RemoteId { enterprise, id });
        let given = [
            self.duid.map(Holder::Duid),
            self.link_layer_address.map(Holder::LinkLayer),
            remote_id,
            self.interface_id.map(Holder::InterfaceId),
        ];
        let mut given = given.into_iter().flatten();
        let (Some(holder), None) = (given.next(), given.next()) else {
            let detail =
                "a client is told by one of duid, link_layer_address, remote_id and interface_id; give just one";
            return Err(Fault::new(StatusCode::BAD_REQUEST, "bad-body", detail));
        };
        check_holder(&holder).map_err(|fault| {
            Fault::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad-link-layer-address",
                fault.to_string(),
            )
        })?;
        Ok(Reservation {
            holder,
            address: self.address,
            prefix: self.prefix.map(whole_prefix).transpose()?,
        })
    }
}

/// A prefix without bits beyond its length. Which prefix was meant is not guessed: the bits may be an address.
fn whole_prefix(prefix: Ipv6Net) -> Result<Ipv6Net, Fault> {
    let whole = prefix.trunc();
    if whole == prefix {
        return Ok(prefix);
    }
    let detail = format!("{prefix} has bits set beyond its length; the prefix is {whole}");
    Err(Fault::new(StatusCode::UNPROCESSABLE_ENTITY, "host-bits", detail))
}

fn bad_cursor(cursor: &str) -> Fault {
    let detail = format!("{cursor:?} is no cursor of this list; take `next` of an earlier answer as it is");
    Fault::new(StatusCode::BAD_REQUEST, "bad-cursor", detail)
}
