//! `orchestrator show`: shows a client or an instance, and its events.

use serde_json::Value;

use super::failure::Failure;
use super::resolve::{Kind, resolve};
use super::session::Session;
use super::{order, page, table, view};
use orchestrator_model::Timestamp;

/// Arguments of `show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// ID, host name, DUID or address of a client or an instance, or the beginning of one
    id: String,
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let (api, now) = (session.api, session.now);
    let among: [(Kind, &page::Query<'_>); 2] = [(Kind::Instance, &[("all", "true")]), (Kind::Client, &[])];
    let (kind, id) = resolve(&args.id, &among, api).await?;
    let item: Value = page::parse(&api.get(&format!("{}/{id}", kind.path())).await?, "an item")?;
    if session.output.is_data() {
        return session.print_json(&item);
    }
    match kind {
        Kind::Instance => {
            let events = page::one(api, "/v1/events", &[("instance", &id.to_string())]).await?;
            session.print(&render_instance(&item, &events, now)?)
        }
        Kind::Client => session.print(&render_client(&item, now, session.output.width())?),
    }
}

pub(super) fn render_instance(item: &Value, events: &[Value], now: Timestamp) -> Result<String, Failure> {
    Ok([Some(view::instance(item, now)?), timeline(events)?]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n\n"))
}

pub(super) fn render_client(item: &Value, now: Timestamp, width: table::Width) -> Result<String, Failure> {
    let list = |key: &str| {
        item.get(key)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    let leases = order::leases(list("leases"))?;
    let mut parts = vec![view::client(item, now)?];
    if !leases.is_empty() {
        parts.push(view::leases(&leases, now, width)?);
    }
    for instance in list("instances") {
        parts.push(view::instance_of_client(instance, now)?);
    }
    parts.extend(timeline(list("events"))?);
    Ok(parts.join("\n\n"))
}

fn timeline(events: &[Value]) -> Result<Option<String>, Failure> {
    let lines: Vec<String> = events.iter().map(view::event).collect::<Result<_, _>>()?;
    Ok((!lines.is_empty()).then(|| lines.join("\n")))
}
