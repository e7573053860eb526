//! `orchestrator limits`, `pause` and `resume`: what is promised, of what, and for what nothing new is made.

use serde_json::{Value, json};

use super::ages::age;
use super::choose::{Consent, TEMPLATE, agree};
use super::failure::Failure;
use super::page::read;
use super::session::Session;
use super::table::{Column, Width};
use super::{glob, page, service, table};
use orchestrator_api_types::{Limits, Pause, PauseScope, Used};
use orchestrator_model::{Timestamp, show_lifespan};

/// The width limit of a reason.
const REASON: usize = 100;

/// What to pause or to resume; without an argument, everything.
#[derive(Debug, clap::Args)]
pub struct Scope {
    /// The link, also by a pattern
    #[arg(long, value_name = "LINK", conflicts_with = "template")]
    link: Option<String>,
    /// The template, also by a pattern
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,
    /// The service, also by a pattern like 'web-*': nothing of it is rolled
    #[arg(long, value_name = "SERVICE", conflicts_with_all = ["link", "template"])]
    service: Option<String>,
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn show(session: &mut Session<'_>) -> Result<(), Failure> {
    let answer = session.api.get("/v1/limits").await?;
    print(page::parse(&answer, "limits")?, session)
}

pub(super) async fn pause(scope: &Scope, session: &mut Session<'_>) -> Result<(), Failure> {
    change("pause", scope, session).await
}

pub(super) async fn resume(scope: &Scope, session: &mut Session<'_>) -> Result<(), Failure> {
    change("resume", scope, session).await
}

async fn change(verb: &str, scope: &Scope, session: &mut Session<'_>) -> Result<(), Failure> {
    if let Some(service) = &scope.service {
        return service::pause(std::slice::from_ref(service), verb, scope.consent, session).await;
    }
    let mut item = Value::Null;
    for body in scopes(verb, scope, session).await? {
        let body = json!(body).to_string().into_bytes();
        let answer = session.api.post(&format!("/v1/{verb}"), body).await?;
        // Each answer says all that is paused then.
        item = page::parse(&answer, "limits")?;
    }
    session.print_value(&item, |now, _| {
        let limits: Limits = read(&item, "limits")?;
        Ok(paused(&limits.paused, now))
    })
}

/// What the line means: a pattern may mean several links or templates.
async fn scopes(verb: &str, scope: &Scope, session: &Session<'_>) -> Result<Vec<PauseScope>, Failure> {
    let (api, local) = (session.api, session.local);
    if let Some(word) = &scope.template {
        let words = std::slice::from_ref(word);
        let names = TEMPLATE.meant_to(verb, words, scope.consent, api, local).await?;
        let of = |name| PauseScope {
            link: None,
            template: Some(name),
        };
        return Ok(names.into_iter().map(of).collect());
    }
    let of = |link| PauseScope { link, template: None };
    let Some(word) = scope.link.clone() else {
        return Ok(vec![of(None)]);
    };
    if !glob::is_pattern(&word) {
        return Ok(vec![of(Some(word))]);
    }
    let limits: Limits = page::parse(&api.get("/v1/limits").await?, "limits")?;
    let links = limits.links.into_iter().map(|link| link.link);
    let meant: Vec<String> = links.filter(|link| glob::matches(&word, link)).collect();
    if meant.is_empty() {
        return Err(Failure::NoneMatches {
            kind: "link",
            pattern: word,
            list: "limits",
        });
    }
    agree(verb, "links", &[word], &meant, scope.consent, local).await?;
    Ok(meant.into_iter().map(|link| of(Some(link))).collect())
}

fn print(item: Value, session: &mut Session<'_>) -> Result<(), Failure> {
    session.print_value(&item, |now, width| {
        let limits: Limits = read(&item, "limits")?;
        Ok(format!("{}\n\n{}", render(&limits, width), paused(&limits.paused, now)))
    })
}

/// A table of limits: a row for each, with what is used of it.
fn render(limits: &Limits, width: Width) -> String {
    let mut rows = Vec::new();
    let mut row = |of: String, what: &str, used: Used, show: fn(u64) -> String| {
        let limit = used.limit.map_or_else(|| "none".to_owned(), show);
        rows.push(vec![of, what.to_owned(), show(used.used), limit]);
    };
    for host in &limits.hosts {
        let name = || format!("host {}", host.host);
        row(name(), "instances", host.instances, plain);
        row(name(), "memory", host.memory, bytes);
        row(name(), "processors", host.millicpus, processors);
        row(name(), "processes", host.pids, plain);
        row(name(), "disk", host.disk, bytes);
    }
    for link in &limits.links {
        let name = || format!("link {}", link.link);
        row(name(), "instances", link.instances, plain);
        row(name(), "new in a minute", link.creations, plain);
    }
    for one in &limits.templates {
        row(format!("template {}", one.template), "instances", one.instances, plain);
    }
    row("queue".to_owned(), "waiting", limits.waiting, plain);
    let header = [
        Column::new("OF"),
        Column::new("WHAT"),
        Column::new("USED"),
        Column::new("LIMIT"),
    ];
    table::columns(&header, rows, width)
}

fn plain(number: u64) -> String {
    number.to_string()
}

/// An amount of memory or disk in MiB, rounded up.
fn bytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

fn processors(thousandths: u64) -> String {
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

/// A line for each pause.
pub(super) fn paused(pauses: &[Pause], now: Timestamp) -> String {
    let line = |pause: &Pause| {
        let scope = match (&pause.link, &pause.template) {
            (Some(link), _) => format!("link {link}"),
            (None, Some(template)) => format!("template {template}"),
            (None, None) => "everything".to_owned(),
        };
        let by = pause.by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
        format!("paused: {scope}, for {}{by}", age(pause.since, now))
    };
    match pauses {
        [] => "nothing is paused".to_owned(),
        some => some.iter().map(line).collect::<Vec<_>>().join("\n"),
    }
}

/// A table of those that wait for a place.
pub(super) fn waiting(items: &[Value], now: Timestamp, width: Width) -> Result<String, Failure> {
    let row = |item| {
        let waiting: orchestrator_api_types::Waiting = read(item, "an instance that waits")?;
        let expected = waiting.expected_ms.map(std::time::Duration::from_millis);
        Ok(vec![
            waiting.place.to_string(),
            waiting.client.map(|client| client.to_string()).unwrap_or_default(),
            waiting.link,
            waiting.template,
            waiting.port.unwrap_or_default(),
            age(waiting.since, now),
            expected.map(show_lifespan).unwrap_or_default(),
            waiting.reason,
        ])
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect::<Result<_, Failure>>()?;
    let header = [
        Column::new("WAITS"),
        Column::new("CLIENT"),
        Column::new("LINK"),
        Column::new("TEMPLATE"),
        Column::new("PORT"),
        Column::new("FOR"),
        Column::new("EXPECTED"),
        Column::new("REASON").at_most(REASON),
    ];
    Ok(table::columns(&header, rows, width))
}
