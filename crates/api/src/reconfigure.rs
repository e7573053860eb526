//! Makes a client send a message before its timers do.

use axum::extract::State;
use axum::http::StatusCode;
use orchestrator_api_types::{Asked, ReconfigureQuery, ReconfigureView};
use orchestrator_dhcp6::Reconfigure;
use orchestrator_source::listener::{NotReconfigured, Reconfiguring};

use super::caller::Caller;
use super::describe::Accepted;
use super::params::{Params, Segment};
use super::problem::Fault;
use super::routes::Shared;
use super::view::View;

fn message(asked: Asked) -> Reconfigure {
    match asked {
        Asked::Renew => Reconfigure::Renew,
        Asked::Rebind => Reconfigure::Rebind,
        Asked::InformationRequest => Reconfigure::InformationRequest,
    }
}

/// `POST /v1/clients/{id}/reconfigure`
pub(super) async fn reconfigure(
    State(shared): State<Shared>,
    caller: Caller,
    view: View,
    Segment(id): Segment,
    Params(query): Params<ReconfigureQuery>,
) -> Result<Accepted<ReconfigureView>, Fault> {
    let client = view.client(&id).await?;
    let begun = shared
        .app
        .control
        .reconfigure(&caller, &client, message(query.message))
        .await?;
    let Reconfiguring {
        client: address,
        relayed,
    } = begun;
    Ok(Accepted(ReconfigureView {
        client: client.id,
        message: query.message,
        address,
        relayed,
    }))
}

impl From<NotReconfigured> for Fault {
    fn from(refusal: NotReconfigured) -> Self {
        let status = match refusal {
            NotReconfigured::TooMany => StatusCode::SERVICE_UNAVAILABLE,
            NotReconfigured::Unmade(_) => StatusCode::INTERNAL_SERVER_ERROR,
            NotReconfigured::NotServed
            | NotReconfigured::NotHeard
            | NotReconfigured::NotAccepted
            | NotReconfigured::NoKey
            | NotReconfigured::BehindRelay => StatusCode::CONFLICT,
        };
        Self::new(status, refusal.word(), refusal.to_string())
    }
}
