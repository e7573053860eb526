//! `orchestrator show`: shows clients, instances and services, and their events.

use serde_json::Value;

use super::api::Api;
use super::choose::{CLIENT, SERVICE};
use super::failure::Failure;
use super::glob;
use super::resolve::{Kind, resolve};
use super::select::{self, Each, Numbers, Selected};
use super::session::Session;
use super::{order, page, service, table, view};
use orchestrator_model::{Id, Timestamp};

/// Arguments of `show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Services by name; clients and instances by ID, host name, DUID or address, or the beginning of one. A pattern like
    /// 'web-*' means instances; where none has such a name, services, and else clients
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    which: Numbers,
}

/// A thing that is shown.
struct Shown {
    kind: What,
    item: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Service,
    Instance,
    Client,
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let mut all = Each::new(args.ids.len());
    let mut shown = Vec::new();
    for word in &args.ids {
        let found = match args.which.instances.is_empty() {
            true => meant(word, session).await,
            false => numbered_of(word, &args.which, session).await,
        };
        match found {
            Ok(found) => shown.extend(found),
            Err(failure) => all.failed(word, failure, session),
        }
    }
    if session.output.is_data() {
        match shown.as_slice() {
            [] => {}
            [one] => session.print_json(&one.item)?,
            several => {
                let items: Vec<&Value> = several.iter().map(|one| &one.item).collect();
                session.print_json(&items)?;
            }
        }
        return all.end();
    }
    for (place, one) in shown.iter().enumerate() {
        if place > 0 {
            session.print("")?;
        }
        print(one, session).await?;
    }
    all.end()
}

async fn print(one: &Shown, session: &mut Session<'_>) -> Result<(), Failure> {
    let (now, width) = (session.now, session.output.width());
    let text = match one.kind {
        What::Instance => {
            let id = one.item.get("id").and_then(Value::as_str).unwrap_or_default();
            let events = page::one(session.api, "/v1/events", &[("instance", id)]).await?;
            render_instance(&one.item, &events, now)?
        }
        What::Client => render_client(&one.item, now, width)?,
        What::Service => service::render_one(&one.item, now, width)?,
    };
    session.print(&text)
}

/// The instances of these numbers that a word means, also where the word alone means a service.
async fn numbered_of(word: &str, of: &Numbers, session: &Session<'_>) -> Result<Vec<Shown>, Failure> {
    let words = [word.to_owned()];
    let found = select::named_also_gone(&words, session).await?;
    instances(select::numbered(found, &words, of)?, session.api).await
}

/// What a word means.
async fn meant(word: &str, session: &Session<'_>) -> Result<Vec<Shown>, Failure> {
    let api = session.api;
    if glob::is_pattern(word) {
        return matching(word, session).await;
    }
    if word.parse::<Id>().is_err()
        && !word.contains(':')
        && let Some(item) = service::of_name(word, session).await?
    {
        let kind = What::Service;
        return Ok(vec![Shown { kind, item }]);
    }
    let among: [(Kind, &page::Query<'_>); 2] = [(Kind::Instance, &[("all", "true")]), (Kind::Client, &[])];
    let (kind, id) = match resolve(word, &among, api).await {
        Ok(found) => found,
        // The name of an instance of a service is in no list by that name.
        Err(missing @ Failure::NotFound { .. }) => {
            let words = [word.to_owned()];
            return match select::named_also_gone(&words, session).await {
                Ok(found) => instances(found, api).await,
                Err(_) => Err(missing),
            };
        }
        Err(failure) => return Err(failure),
    };
    let item: Value = page::parse(&api.get(&format!("{}/{id}", kind.path())).await?, "an item")?;
    let kind = match kind {
        Kind::Instance => What::Instance,
        Kind::Client => What::Client,
    };
    Ok(vec![Shown { kind, item }])
}

/// What a pattern means: instances, or else services, or else clients.
async fn matching(pattern: &str, session: &Session<'_>) -> Result<Vec<Shown>, Failure> {
    let (api, words) = (session.api, [pattern.to_owned()]);
    match select::named(&words, session).await {
        Err(Failure::NoneMatches { .. }) => {}
        found => return instances(found?, api).await,
    }
    let services = page::all(api, SERVICE.path, &[]).await?;
    let services = SERVICE.keep(services, &words).unwrap_or_default();
    if !services.is_empty() {
        let kind = What::Service;
        return Ok(services.into_iter().map(|item| Shown { kind, item }).collect());
    }
    let mut clients = Vec::new();
    for id in CLIENT.meant(&words, api).await? {
        let item: Value = page::parse(&api.get(&format!("{}/{id}", CLIENT.path)).await?, "a client")?;
        let kind = What::Client;
        clients.push(Shown { kind, item });
    }
    Ok(clients)
}

/// Instances with all that the API says of each.
async fn instances(found: Vec<Selected>, api: &dyn Api) -> Result<Vec<Shown>, Failure> {
    let mut shown = Vec::new();
    for one in found {
        let item: Value = page::parse(&api.get(&one.path()).await?, "an instance")?;
        let kind = What::Instance;
        shown.push(Shown { kind, item });
    }
    Ok(shown)
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
