//! Keys and values.

mod answer;
mod changes;
mod target;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use orchestrator_api_types as wire;
use orchestrator_model::{KvOwner, KvPath};
use orchestrator_store::{KvListing, KvRemoval, KvWrite, Store};

use self::answer::{Read, show, show_all};
use super::caller::Caller;
use super::connection::Connection;
use super::params::Params;
use super::problem::Fault;
use super::resume::LastEventId;
use super::routes::Shared;
use super::view::View;
use super::waiting;
pub(super) use target::{KvTarget, Value};

/// `GET /v1/kv`
pub(super) async fn namespaces(
    view: View,
    Params(wire::NoQuery {}): Params<wire::NoQuery>,
) -> Result<Json<wire::Page<wire::KvNamespace>>, Fault> {
    let all = view.into_store().kv_namespaces().await?.into_iter();
    let items = all.map(|namespace| wire::KvNamespace {
        name: namespace.name,
        keys: namespace.keys,
        bytes: namespace.bytes,
    });
    Ok(Json(wire::Page {
        items: items.collect(),
        next: None,
    }))
}

/// `GET /v1/kv/{path}`
pub(super) async fn read(
    (State(shared), Extension(connection)): (State<Shared>, Extension<Connection>),
    view: View,
    KvTarget(path): KvTarget,
    (Params(query), LastEventId(last)): (Params<wire::KvQuery>, LastEventId),
    headers: HeaderMap,
) -> Result<Read, Fault> {
    let store = view.into_store();
    if super::events::wants_stream(&headers) {
        if query.raw || query.wait.is_some() {
            return Err(Fault::bad_parameter(
                "a stream has changes, and no values: leave `raw` and `wait` out",
            ));
        }
        let after = last.or(query.index);
        return changes::follow(&shared, &connection, store, path, after)
            .await
            .map(Read::Stream);
    }
    let _place = shared.place_if(query.index.is_some(), &connection)?;
    if let Some(index) = query.index {
        let limit = waiting::limit(query.wait.as_deref())?;
        changes::wait(&shared, &store, &path, index, limit).await?;
    }
    let listing = list(&store, &path, &query).await?;
    answer::of(&path, listing, &query)
}

async fn list(store: &Store, path: &KvPath, query: &wire::KvQuery) -> Result<KvListing, Fault> {
    if query.recurse || query.keys {
        return Ok(store.kv_below(path, !query.keys).await?);
    }
    if !path.names_a_key() {
        return Err(Fault::bad_parameter(format!(
            "{path} is a namespace, and no key: add `?recurse` for its keys and values, or `?keys` for its keys"
        )));
    }
    Ok(store.kv(path).await?)
}

/// `PUT /v1/kv/{path}`
pub(super) async fn put(
    (State(shared), caller): (State<Shared>, Caller),
    view: View,
    KvTarget(path): KvTarget,
    Params(query): Params<wire::KvPutQuery>,
    Value(value): Value,
) -> Result<Json<wire::KvEntry>, Fault> {
    require_key(&path)?;
    let write = KvWrite {
        path,
        value: Bytes::into(value),
        expected: query.cas,
        owner: owner(&query)?,
        at: shared.app.control.now(),
        by: Some(caller.to_string()),
    };
    Ok(Json(show(view.into_store().put_kv(write).await?)))
}

/// `DELETE /v1/kv/{path}`
pub(super) async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    view: View,
    KvTarget(path): KvTarget,
    Params(query): Params<wire::KvDeleteQuery>,
) -> Result<Json<wire::KvPage>, Fault> {
    if !query.recurse {
        require_key(&path)?;
    }
    if query.recurse && query.cas.is_some() {
        return Err(Fault::bad_parameter(
            "`cas` is the version of one key: leave `recurse` out",
        ));
    }
    let removal = KvRemoval {
        path,
        recurse: query.recurse,
        expected: query.cas,
        at: shared.app.control.now(),
        by: Some(caller.to_string()),
    };
    let store = view.into_store();
    let entries = store.remove_kv(removal).await?;
    let index = entries.iter().map(|entry| entry.version).max().unwrap_or_default();
    Ok(Json(show_all(KvListing { index, entries })))
}

fn require_key(path: &KvPath) -> Result<(), Fault> {
    match path.names_a_key() {
        true => Ok(()),
        false => Err(Fault::bad_parameter(format!(
            "{path} is a namespace, and no key: write NAMESPACE/KEY"
        ))),
    }
}

/// The life that a key is to be bound to.
fn owner(query: &wire::KvPutQuery) -> Result<Option<KvOwner>, Fault> {
    match (query.instance, &query.lease) {
        (None, None) => Ok(None),
        (Some(id), None) => Ok(Some(KvOwner::Instance(id))),
        (None, Some(text)) => {
            let bad = || Fault::bad_parameter(format!("lease is {text:?}; write it like \"br0/fd39::1\""));
            let (link, address) = text.split_once('/').ok_or_else(bad)?;
            Ok(Some(KvOwner::Lease {
                link: link.to_owned(),
                address: address.parse().map_err(|_| bad())?,
            }))
        }
        (Some(_), Some(_)) => Err(Fault::bad_parameter(
            "a key is bound to an instance or to a lease: leave one of them out",
        )),
    }
}
