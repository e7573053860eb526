//! Formats answers of the API as tables.

use serde_json::Value;

use super::ages::{age, left};
use super::failure::Failure;
use super::page::read;
use super::printable::printable;
use super::table::{Column, Width, columns, record};
use orchestrator_api_types::{
    Client, DeadlineCause, Event, EventKind, Instance, InstanceTimes, InstanceView, Lease, LeaseState, Orphan, Owner,
    RemoteId, ReservationView, Sidecar,
};
use orchestrator_model::{Duid, Timestamp};

/// The width limit of a reason. It has room for what failed, on what, and the beginning of the advice.
const REASON: usize = 100;

/// The width of a prefix with its length. Such a cell is never cut.
const PREFIX: usize = 43;

/// The width limit of a client's host name. RFC 1035 allows 253 characters.
const NAME: usize = 32;

/// A table of instances.
pub(super) fn instances(items: &[Value], now: Timestamp, width: Width) -> Result<String, Failure> {
    let row = |item| {
        let InstanceView {
            instance,
            duid,
            hostname,
            outdated,
            ..
        } = read(item, "an instance")?;
        Ok(vec![
            instance.id.to_string(),
            whose(&instance.owner, hostname, duid),
            text(instance.link.as_deref()),
            match width {
                Width::Narrow => made_from(&instance),
                Width::Wide => made_from(&instance) + &version(&instance, outdated),
            },
            text(instance.address),
            instance.phase.to_string(),
            age(instance.created, now),
            time_left(&instance.times, now),
            instance.reason.unwrap_or_default(),
        ])
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect::<Result<_, Failure>>()?;
    let header = [
        Column::new("INSTANCE"),
        Column::duid("CLIENT"),
        Column::new("LINK"),
        Column::new("TEMPLATE"),
        Column::new("ADDRESS"),
        Column::new("PHASE"),
        Column::new("AGE"),
        Column::new("LEFT"),
        Column::new("REASON").at_most(REASON),
    ];
    let (header, rows) = without_empty(LEFT, header.into(), rows);
    Ok(columns(&header, rows, width))
}

/// The place of the column with the time until an instance ends.
const LEFT: usize = 7;

/// Takes out a column that has nothing in any row.
fn without_empty(place: usize, mut header: Vec<Column>, mut rows: Vec<Vec<String>>) -> (Vec<Column>, Vec<Vec<String>>) {
    if rows.iter().all(|row| row[place].is_empty()) {
        header.remove(place);
        rows.iter_mut().for_each(|row| drop(row.remove(place)));
    }
    (header, rows)
}

/// The time until an instance ends; empty if nothing but its client's lease ends it.
fn time_left(times: &InstanceTimes, now: Timestamp) -> String {
    match (times.pinned, times.deadline) {
        (Some(_), _) => "pinned".to_owned(),
        (None, Some(deadline)) => left(deadline, now),
        (None, None) => String::new(),
    }
}

/// When an instance ends, and why; `None` if nothing but its client's lease ends it.
pub(super) fn ends(times: &InstanceTimes, now: Timestamp) -> Option<String> {
    let deadline = times.deadline?;
    let why = match times.cause? {
        DeadlineCause::Lifetime => "its lifetime",
        DeadlineCause::Idle => "unless there is traffic",
        DeadlineCause::Grace => "unless its client returns",
        DeadlineCause::Kept => "it is stopped",
    };
    Some(format!("{deadline} ({}, {why})", left(deadline, now)))
}

/// The name of an owner for people: a client's host name or DUID.
fn whose(owner: &Owner, hostname: Option<String>, duid: Option<Duid>) -> String {
    let name = hostname.or_else(|| duid.map(|duid| duid.to_string()));
    name.unwrap_or_else(|| match owner {
        Owner::Client(id) => id.to_string(),
        Owner::Service(name) | Owner::Pool(name) | Owner::Operator(name) => name.clone(),
    })
}

/// The template of an instance, with its slot if that has another name.
fn made_from(instance: &Instance) -> String {
    match instance.slot == instance.template {
        true => instance.template.clone(),
        false => format!("{} ({})", instance.template, instance.slot),
    }
}

/// The version of an instance's template, as a suffix of its name; empty if it has none.
fn version(instance: &Instance, outdated: Option<bool>) -> String {
    match (instance.version, outdated) {
        (0, _) => String::new(),
        (version, Some(true)) => format!(", version {version}, outdated"),
        (version, _) => format!(", version {version}"),
    }
}

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A table of orphans: instances that the database does not know.
pub(super) fn orphans(items: &[Value], width: Width) -> Result<String, Failure> {
    let row = |item| {
        let orphan: Orphan = read(item, "an orphan")?;
        let duid = orphan.duid.map(|duid| duid.to_string());
        let address = orphan.address.map(|address| address.to_string());
        Ok(vec![
            orphan.id.to_string(),
            duid.unwrap_or_default(),
            orphan.link.unwrap_or_default(),
            address.unwrap_or_default(),
            if orphan.running { "running" } else { "stopped" }.to_owned(),
        ])
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect::<Result<_, Failure>>()?;
    let header = [
        Column::new("INSTANCE"),
        Column::duid("CLIENT"),
        Column::new("LINK"),
        Column::new("ADDRESS"),
        Column::new("STATE"),
    ];
    Ok(columns(&header, rows, width))
}

/// A table of leases.
pub(super) fn leases(items: &[Value], now: Timestamp, width: Width) -> Result<String, Failure> {
    let row = |item| {
        let lease: Lease = read(item, "a lease")?;
        let until = match lease.state {
            LeaseState::Active | LeaseState::Declined => left(lease.valid_until, now),
            LeaseState::Released | LeaseState::Expired => String::new(),
        };
        Ok(vec![
            or_empty(lease.address),
            or_empty(lease.prefix),
            lease.link,
            lease.client.to_string(),
            lease.duid.to_string(),
            lease.iaid.0.to_string(),
            lease.source.to_string(),
            lease.state.to_string(),
            until,
        ])
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect::<Result<_, Failure>>()?;
    let header = [
        Column::new("ADDRESS"),
        Column::new("PREFIX").at_most(PREFIX),
        Column::new("LINK"),
        Column::new("CLIENT"),
        Column::duid("DUID"),
        Column::new("IAID"),
        Column::new("SOURCE"),
        Column::new("STATE"),
        Column::new("LEFT"),
    ];
    Ok(columns(&header, rows, width))
}

/// A table of reservations.
pub(super) fn reservations(items: &[Value], width: Width) -> Result<String, Failure> {
    let row = |item| {
        let view: ReservationView = read(item, "a reservation")?;
        let kept_by = match (view.id, view.in_force) {
            (None, _) => "settings",
            (Some(_), true) => "api",
            (Some(_), false) => "api, not in force",
        };
        Ok(vec![
            or_empty(view.id),
            view.link.clone(),
            holder(&view),
            or_empty(view.address),
            or_empty(view.prefix),
            kept_by.to_owned(),
        ])
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect::<Result<_, Failure>>()?;
    let header = [
        Column::new("RESERVATION"),
        Column::new("LINK"),
        // "DUID " goes before one.
        Column::new("FOR").at_most(58),
        Column::new("ADDRESS"),
        Column::new("PREFIX").at_most(PREFIX),
        Column::new("BY"),
    ];
    Ok(columns(&header, rows, width))
}

/// The client of a reservation.
fn holder(view: &ReservationView) -> String {
    let known_by = [
        view.duid.as_ref().map(|duid| format!("DUID {duid}")),
        view.link_layer_address
            .as_ref()
            .map(|address| format!("link-layer address {address}")),
        view.remote_id
            .as_ref()
            .map(|RemoteId { enterprise, id }| format!("remote-id {id} of enterprise {enterprise}")),
        view.interface_id.as_ref().map(|id| format!("interface-id {id}")),
    ];
    known_by.into_iter().flatten().next().unwrap_or_default()
}

fn or_empty(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A table of clients.
pub(super) fn clients(items: &[Value], now: Timestamp, width: Width) -> Result<String, Failure> {
    let row = |item| {
        let client: Client = read(item, "a client")?;
        Ok(vec![
            client.id.to_string(),
            client.hostname.unwrap_or_default(),
            client.link,
            client.duid.to_string(),
            client.link_layer.map(|address| address.to_string()).unwrap_or_default(),
            age(client.last_seen, now),
        ])
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect::<Result<_, Failure>>()?;
    let header = [
        Column::new("CLIENT"),
        Column::new("NAME").at_most(NAME),
        Column::new("LINK"),
        Column::duid("DUID"),
        Column::new("LINK-LAYER"),
        Column::new("SEEN"),
    ];
    Ok(columns(&header, rows, width))
}

/// One line for an event.
pub(super) fn event(item: &Value) -> Result<String, Failure> {
    let event: Event = read(item, "an event")?;
    let mut line = format!("{}  {:<18}", event.at, event.kind);
    let (detail, output) = match event.kind {
        EventKind::InstanceOutput => (None, event.detail),
        _ => (event.detail, None),
    };
    let parts = [
        event.link,
        event.client.map(|client| format!("client {client}")),
        event.instance.map(|instance| format!("instance {instance}")),
        event.address.map(|address| address.to_string()),
        event.prefix.map(|prefix| prefix.to_string()),
        detail,
        event.by.map(|by| format!("by {by}")),
    ];
    for part in parts.into_iter().flatten() {
        line.push_str("  ");
        line.push_str(&part);
    }
    line = printable(&line);
    // The kind says that these are lines; they stand below, so that none passes for a line of the timeline.
    for output in output.iter().flat_map(|text| text.lines()) {
        line.push_str("\n    | ");
        line.push_str(&printable(output));
    }
    Ok(line)
}

/// Everything about one instance.
pub(super) fn instance(item: &Value, now: Timestamp) -> Result<String, Failure> {
    let InstanceView {
        instance,
        duid,
        hostname,
        outdated,
        ..
    } = read(item, "an instance")?;
    let whom = [
        ("client", instance.client.map(|client| client.to_string())),
        ("duid", duid.map(|duid| duid.to_string())),
        ("name", hostname),
    ];
    Ok(record(&[&fields(instance, outdated, now), whom.as_slice()].concat()))
}

/// Everything about an instance, as a part of its client's output.
pub(super) fn instance_of_client(item: &Value, now: Timestamp) -> Result<String, Failure> {
    Ok(record(&fields(read(item, "an instance")?, None, now)))
}

fn fields(instance: Instance, outdated: Option<bool>, now: Timestamp) -> Vec<(&'static str, Option<String>)> {
    let owner = match &instance.owner {
        Owner::Client(_) => None,
        Owner::Service(name) => Some(format!("service {name}")),
        Owner::Pool(name) => Some(format!("pool {name}")),
        Owner::Operator(name) => Some(format!("operator {name}")),
    };
    let version = version(&instance, outdated);
    let slot = Some(instance.slot.clone()).filter(|slot| *slot != instance.template);
    vec![
        ("instance", Some(instance.id.to_string())),
        ("owner", owner),
        ("slot", slot),
        ("phase", Some(instance.phase.to_string())),
        ("reason", instance.reason),
        ("due", instance.due.map(|due| format!("{due} ({})", left(due, now)))),
        (
            "attempts",
            (instance.attempts > 0).then(|| instance.attempts.to_string()),
        ),
        ("address", instance.address.map(|address| address.to_string())),
        ("link", instance.link),
        ("template", Some(format!("{}{version}", instance.template))),
        ("image", Some(instance.spec.main.image)),
        ("sidecars", sidecars(&instance.spec.sidecars)),
        ("plugin", Some(instance.plugin)),
        ("reference", instance.reference),
        ("ends", ends(&instance.times, now)),
        ("pinned", instance.times.pinned.map(|since| ago(since, now))),
        ("created", Some(ago(instance.created, now))),
        ("ready", instance.ready.map(|ready| ago(ready, now))),
    ]
}

/// The further containers of an instance, each with its image; `None` when there is none.
fn sidecars(all: &[Sidecar]) -> Option<String> {
    let names = all.iter().map(|one| format!("{} ({})", one.name, one.spec.image));
    let names: Vec<String> = names.collect();
    (!names.is_empty()).then(|| names.join(", "))
}

pub(super) fn ago(moment: Timestamp, now: Timestamp) -> String {
    format!("{moment} ({} ago)", age(moment, now))
}

/// Everything about one client.
pub(super) fn client(item: &Value, now: Timestamp) -> Result<String, Failure> {
    let client: Client = read(item, "a client")?;
    Ok(record(&[
        ("client", Some(client.id.to_string())),
        ("duid", Some(client.duid.to_string())),
        ("name", client.hostname),
        ("link", Some(client.link)),
        ("link-layer", client.link_layer.map(|address| address.to_string())),
        ("class", client.class),
        ("first seen", Some(ago(client.first_seen, now))),
        ("last seen", Some(ago(client.last_seen, now))),
    ]))
}
