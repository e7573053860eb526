//! Clients.

use axum::Json;
use serde::{Deserialize, Serialize};

use super::hide::hide_values;
use super::params::{Database, Params, Segment, limit, name};
use super::problem::Fault;
use orchestrator_model::{Client, ClientId, Event, Instance, LeaseView, Page};
use orchestrator_store::{ClientFilter, EventFilter, InstanceFilter, LeaseFilter, Store};

/// Events that are shown with a client.
const LAST_EVENTS: u32 = 20;

/// The parameters of a list of clients.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    link: Option<String>,
    name: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// A client with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientView {
    /// The client.
    #[serde(flatten)]
    pub client: Client,
    /// Its leases, also those that ended.
    pub leases: Vec<LeaseView>,
    /// Its live instance.
    pub instance: Option<Instance>,
    /// Its last events, the oldest first.
    pub events: Vec<Event>,
}

/// `GET /v1/clients`
pub(super) async fn list(
    Database(store): Database,
    Params(params): Params<ListParams>,
) -> Result<Json<Page<Client>>, Fault> {
    let filter = ClientFilter {
        link: params.link,
        name: name(params.name.as_deref())?,
        after: params.after,
        limit: limit(params.limit)?,
    };
    Ok(Json(store.clients(filter).await?))
}

/// `GET /v1/clients/{id}`
pub(super) async fn show(Database(store): Database, Segment(id): Segment) -> Result<Json<ClientView>, Fault> {
    let client = match id.parse() {
        Ok(id) => store.client(id).await?,
        Err(_) => None,
    };
    match client {
        Some(client) => Ok(Json(view(&store, client).await?)),
        None => Err(Fault::no_such("client", "no-such-client", &id)),
    }
}

async fn view(store: &Store, client: Client) -> Result<ClientView, Fault> {
    let id: Option<ClientId> = Some(client.id);
    let leases = store
        .leases(LeaseFilter {
            client: id,
            ..LeaseFilter::default()
        })
        .await?
        .items;
    let live = store
        .instances(InstanceFilter {
            client: id,
            ..InstanceFilter::default()
        })
        .await?
        .items;
    let last = EventFilter {
        client: id,
        latest: true,
        limit: Some(LAST_EVENTS),
        ..EventFilter::default()
    };
    let events = store.events(last).await?.items;
    Ok(ClientView {
        client,
        leases,
        instance: live.into_iter().next().map(|view| hide_values(view.instance)),
        events,
    })
}
