//! The tree of facts.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use orchestrator_model::Timestamp;
use serde_json::{Map, Value, json};

use crate::facts::{ClientFacts, End, InstanceFacts};

/// The metadata of one instance. A value that is not known is left out.
pub(super) fn of(facts: &InstanceFacts, now: Timestamp) -> Value {
    let mut parts = Map::new();
    let mut put = |name: &str, part: Value| parts.insert(name.to_owned(), part);
    put("instance", instance(facts));
    if let Some(client) = &facts.client {
        put("client", of_client(client));
    }
    put("time", time(facts, now));
    put("values", json!(facts.values));
    put("keys", json!(facts.authorized_keys));
    json!({ "v1": parts })
}

fn instance(facts: &InstanceFacts) -> Value {
    let networks: BTreeMap<&str, Ipv6Addr> = facts
        .addresses
        .iter()
        .map(|(network, address)| (network.as_str(), *address))
        .collect();
    let mut parts = json!({
        "id": facts.id.to_string(),
        "hostname": facts.hostname,
        "link": facts.link,
        "slot": facts.slot,
        "template": facts.template,
        "version": facts.version,
        "phase": facts.phase.word(),
        "created": facts.created,
        "networks": networks,
        "prefixes": facts.prefixes,
    });
    if let Some((token, keys)) = &facts.reach {
        parts["token"] = json!(token);
        parts["kv"] = json!(keys);
    }
    if let Some((_, address)) = facts.addresses.first() {
        parts["address"] = json!(address);
    }
    parts
}

fn of_client(client: &ClientFacts) -> Value {
    let mut parts = json!({
        "addresses": client.addresses,
        "prefixes": client.prefixes,
    });
    if let Some(name) = &client.name {
        parts["name"] = json!(name);
    }
    if let Some(until) = client.lease_until {
        parts["lease_until"] = json!(until);
    }
    parts
}

/// When the instance ends. Without an end there is only the present time.
fn time(facts: &InstanceFacts, now: Timestamp) -> Value {
    let mut parts = json!({ "now": now });
    if let Some(End { at, reason }) = facts.end {
        parts["left_seconds"] = json!(at.since(now).as_secs());
        parts["until"] = json!(at);
        parts["reason"] = json!(reason.word());
    }
    parts
}
