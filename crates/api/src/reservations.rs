//! Reservations.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ipnet::Ipv6Net;
use orchestrator_api_types::{self as wire, NewReservation, Page, RemoteId, ReservationQuery};
use orchestrator_model::{Holder, Reservation, ReservationId, ReservationView};
use orchestrator_settings::check_holder;

use super::body::JsonBody;
use super::caller::Caller;
use super::describe::Created;
use super::keys;
use super::params::{Params, Segment, limit};
use super::problem::Fault;
use super::routes::Shared;
use super::wire::IntoWire;

/// `GET /v1/reservations`
///
/// The page has the reservations of the settings, link by link, then those made through the API. A cursor is a position
/// in that order: if a reservation is made or removed in between, one may be repeated or left out.
pub(super) async fn list(
    State(shared): State<Shared>,
    Params(query): Params<ReservationQuery>,
) -> Result<Json<Page<wire::ReservationView>>, Fault> {
    let limit = limit(query.limit)?.unwrap_or(1) as usize;
    let place = |cursor: &str| cursor.parse::<usize>().map_err(|_| bad_cursor(cursor));
    let skipped = query.after.as_deref().map_or(Ok(0), place)?;
    let all = shared.app.control.reservations().await?;
    let on_link = |view: &ReservationView| query.link.as_ref().is_none_or(|link| *link == view.link);
    let mut items: Vec<ReservationView> = all.into_iter().filter(on_link).skip(skipped).take(limit + 1).collect();
    let next = (items.len() > limit).then(|| (skipped + limit).to_string());
    items.truncate(limit);
    Ok(Json(Page {
        items: items.into_wire(),
        next,
    }))
}

/// `POST /v1/reservations`
pub(super) async fn add(
    State(shared): State<Shared>,
    caller: Caller,
    body: JsonBody<NewReservation>,
) -> Result<Created<wire::ReservationView>, Fault> {
    let mut new = body.read("a reservation")?;
    let link = new.link.clone();
    let keys = keys::read(&std::mem::take(&mut new.authorized_keys))?;
    let view = shared.app.control.reserve(&caller, link, read(new)?, keys).await?;
    Ok(Created(view.into_wire()))
}

/// `DELETE /v1/reservations/{id}`
pub(super) async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Json<wire::ReservationView>, Fault> {
    let missing = || Fault::no_such("reservation", "no-such-reservation", &id);
    let id: ReservationId = id.parse().map_err(|_| missing())?;
    Ok(Json(shared.app.control.unreserve(&caller, id).await?.into_wire()))
}

/// Reads a new reservation.
fn read(new: NewReservation) -> Result<Reservation, Fault> {
    let NewReservation {
        link: _,
        duid,
        link_layer_address,
        remote_id,
        interface_id,
        address,
        prefix,
        authorized_keys: _,
    } = new;
    let remote_id = remote_id.map(|RemoteId { enterprise, id }| Holder::RemoteId { enterprise, id });
    let given = [
        duid.map(Holder::Duid),
        link_layer_address.map(Holder::LinkLayer),
        remote_id,
        interface_id.map(Holder::InterfaceId),
    ];
    let mut given = given.into_iter().flatten();
    let (Some(holder), None) = (given.next(), given.next()) else {
        let detail = "a client is known by one of duid, link_layer_address, remote_id and interface_id; give just one";
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
        address,
        prefix: prefix.map(whole_prefix).transpose()?,
    })
}

/// Checks that a prefix has no bits beyond its length. The daemon does not drop such bits: they may be meant as an
/// address.
fn whole_prefix(prefix: Ipv6Net) -> Result<Ipv6Net, Fault> {
    let whole = prefix.trunc();
    if whole == prefix {
        return Ok(prefix);
    }
    let detail = format!("{prefix} has bits set beyond its length; the prefix is {whole}");
    Err(Fault::new(StatusCode::UNPROCESSABLE_ENTITY, "host-bits", detail))
}

fn bad_cursor(cursor: &str) -> Fault {
    let detail = format!("{cursor:?} is not a cursor of this list; use `next` of an earlier answer unchanged");
    Fault::new(StatusCode::BAD_REQUEST, "bad-cursor", detail)
}
