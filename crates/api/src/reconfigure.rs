//! Has a client ask again, before it would by itself.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use orchestrator_dhcp6::Reconfigure;
use serde::{Deserialize, Serialize};

use super::params::{Database, Params, Segment};
use super::problem::Fault;
use super::routes::Shared;
use orchestrator_model::ClientId;
use orchestrator_source::listener::{NotReconfigured, Reconfiguring};

/// What the client is to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// A Renew: its leases and what it is told beside them.
    #[default]
    Renew,
    /// A Rebind: the same, from any server.
    Rebind,
    /// An Information-request: only what it is told beside its leases.
    InformationRequest,
}

impl From<Asked> for Reconfigure {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Renew => Self::Renew,
            Asked::Rebind => Self::Rebind,
            Asked::InformationRequest => Self::InformationRequest,
        }
    }
}

/// The parameters of a Reconfigure.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReconfigureParams {
    #[serde(default)]
    message: Asked,
}

/// A Reconfigure that has begun: it is sent until the client asks, eight times in some eight minutes at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconfigureView {
    /// The client.
    pub client: ClientId,
    /// What it is to send.
    pub message: Asked,
    /// Its link-local address.
    pub address: std::net::Ipv6Addr,
    /// Whether it is sent through relays.
    pub relayed: bool,
}

/// `POST /v1/clients/{id}/reconfigure`
pub(super) async fn reconfigure(
    State(shared): State<Shared>,
    Database(store): Database,
    Segment(id): Segment,
    Params(params): Params<ReconfigureParams>,
) -> Result<(StatusCode, Json<ReconfigureView>), Fault> {
    let client = match id.parse() {
        Ok(id) => store.client(id).await?,
        Err(_) => None,
    };
    let client = client.ok_or_else(|| Fault::no_such("client", "no-such-client", &id))?;
    let message = params.message;
    let begun = shared.app.control.reconfigure(&client, message.into()).await?;
    let Reconfiguring {
        client: address,
        relayed,
    } = begun;
    let view = ReconfigureView {
        client: client.id,
        message,
        address,
        relayed,
    };
    Ok((StatusCode::ACCEPTED, Json(view)))
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
