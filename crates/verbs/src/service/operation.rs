//! Operations on services: waits for their ends, shows how far they are, and says how they ended.

use std::time::Duration;

use orchestrator_api_types::{Deployment, Operation, Service};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::begun::Begun;
use super::path_of;
use crate::api::CallError;
use crate::failure::Failure;
use crate::page;
use crate::progress::elapsed;
use crate::session::Session;

/// How long an operation may take unless the line says how long.
const LIMIT: Duration = Duration::from_secs(600);

/// How long one request waits for the end of an operation: less than the command line waits for an answer.
const TURN: Duration = Duration::from_secs(5);

/// The same where somebody sees how far the operation is.
const SEEN_TURN: Duration = Duration::from_millis(500);

/// The pause before a daemon that does not answer is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// The pause between two requests, however soon the daemon answers.
const BETWEEN: Duration = Duration::from_millis(20);

/// How long the end of an operation is waited for.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Waiting {
    /// Do not wait for the end: print the operation, which `wait` waits for
    #[arg(short, long)]
    pub(super) detach: bool,
    /// Begin nothing: wait for the end of this operation, as `wait` does, also if another caller began it
    #[arg(long, value_name = "OPERATION", conflicts_with = "detach")]
    pub(super) resume: Option<String>,
}

/// Waits for the ends of operations that somebody began.
pub(super) async fn resume(ids: &[String], session: &mut Session<'_>) -> Result<(), Failure> {
    let limit = session.limit.unwrap_or(LIMIT);
    let until = Instant::now() + limit;
    let (mut outcome, mut items) = (Begun::default(), Vec::new());
    for id in ids {
        let read = async {
            let item: Value = page::parse(&session.api.get(&path(id)).await?, "an operation")?;
            page::read(&item, "an operation")
        };
        let ended = match read.await {
            Ok(operation) => end_of(&operation, until, limit, session).await,
            Err(failure) => Err(failure),
        };
        match ended {
            Ok(item) => said(item, &mut items, &mut outcome, session)?,
            Err(failure) => outcome.failed(Some(id), failure, session),
        }
    }
    session.print_items(&items)?;
    outcome.end()
}

/// Waits for the ends of what was begun. The last failure is that of the line; the others are reported.
pub(super) async fn finish(mut begun: Begun, waiting: &Waiting, session: &mut Session<'_>) -> Result<(), Failure> {
    let limit = session.limit.unwrap_or(LIMIT);
    let until = Instant::now() + limit;
    let mut items = Vec::new();
    for item in std::mem::take(&mut begun.items) {
        let deployment: Deployment = page::read(&item, "a deployment")?;
        for warning in &deployment.warnings {
            session.warn_of(&format!("{}: warning: {warning}", deployment.name));
        }
        let text = match &deployment.operation {
            Some(operation) if !waiting.detach => {
                match end_of(operation, until, limit, session).await {
                    Ok(item) => said(item, &mut items, &mut begun, session)?,
                    Err(failure) => begun.failed(None, failure, session),
                }
                continue;
            }
            Some(operation) => format!("{}: operation {}", deployment.name, operation.id),
            None => format!("{}: nothing more to do", deployment.name),
        };
        match session.output.is_data() {
            true => items.push(item),
            false => session.print(&text)?,
        }
    }
    session.print_items(&items)?;
    begun.end()
}

fn path(id: &str) -> String {
    format!("/v1/operations/{}", page::encode(id))
}

/// Waits until an operation has ended. A daemon that is being restarted is asked again: the operation outlives it.
async fn end_of(
    operation: &Operation,
    until: Instant,
    limit: Duration,
    session: &mut Session<'_>,
) -> Result<Value, Failure> {
    let id = operation.id.to_string();
    let began = Instant::now();
    let turn = match session.sink.shows_progress() {
        true => SEEN_TURN,
        false => TURN,
    };
    let mut is_away = false;
    // What it said last that it waits for.
    let mut waits = None;
    loop {
        show_progress(operation, began, session).await;
        let left = until.saturating_duration_since(Instant::now());
        let wait = format!("{}ms", left.min(turn).as_millis().max(1));
        let path = page::with_query(&path(&id), &[("wait", wait.as_str())]);
        let item: Option<Value> = match session.api.get(&path).await {
            Ok(answer) => {
                is_away = false;
                Some(page::parse(&answer, "an operation")?)
            }
            Err(error @ CallError::Problem(_)) => return Err(error.into()),
            Err(error) => {
                if !std::mem::replace(&mut is_away, true) {
                    session.warn(&error);
                }
                None
            }
        };
        match item {
            Some(item) if item["state"] != "running" => {
                session.sink.progress("");
                return Ok(item);
            }
            Some(item) => waits = item["detail"].as_str().map(str::to_owned),
            None => {}
        }
        if Instant::now() >= until {
            session.sink.progress("");
            let (service, kind) = (operation.service.clone(), operation.kind.clone());
            return Err(Failure::StillRuns {
                id,
                kind,
                service,
                limit,
                waits,
            });
        }
        let pause = if is_away { PAUSE } else { BETWEEN };
        sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
    }
}

async fn show_progress(operation: &Operation, began: Instant, session: &mut Session<'_>) {
    if !session.sink.shows_progress() {
        return;
    }
    let answer = session.api.get(&path_of(&operation.service, "")).await;
    let service: Option<Service> = answer.ok().and_then(|answer| page::parse(&answer, "a service").ok());
    let so_far = service.map(|service| so_far(operation, &service)).unwrap_or_default();
    let Operation { id, kind, service, .. } = operation;
    session.sink.progress(&format!(
        "{service}: {kind}{so_far}, {} (operation {id})",
        elapsed(began)
    ));
}

/// How far an operation is: `, 1 of 3 of version 2 pass, 1 drains`.
fn so_far(operation: &Operation, service: &Service) -> String {
    if operation.kind == "remove" {
        return format!(", {} left", service.slots.len());
    }
    let of_version =
        |wanted: &&orchestrator_api_types::ServiceSlot| wanted.version == operation.version && wanted.state == "wanted";
    let passing = service
        .slots
        .iter()
        .filter(of_version)
        .filter(|slot| slot.health == "passing");
    let draining = service.slots.iter().filter(|slot| slot.state == "draining").count();
    let of = service
        .instances
        .map(|count| format!(" of {count}"))
        .unwrap_or_default();
    let drains = match draining {
        0 => String::new(),
        some => format!(", {some} drain"),
    };
    let mut text = format!(
        ", {}{of} of version {} pass{drains}",
        passing.count(),
        operation.version
    );
    if let Some(detail) = service.slots.iter().find_map(|slot| slot.detail.as_deref()) {
        text.push_str(&format!(", {detail}"));
    }
    text
}

/// Says how an operation ended. One that failed is a failure of the line.
fn said(item: Value, items: &mut Vec<Value>, outcome: &mut Begun, session: &mut Session<'_>) -> Result<(), Failure> {
    let operation: Operation = page::read(&item, "an operation")?;
    let detail = operation.detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    let text = format!(
        "{}: {} of version {} is {}{detail}",
        operation.service, operation.kind, operation.version, operation.state
    );
    let is_done = operation.state == "done";
    match session.output.is_data() {
        true => items.push(item),
        false if is_done => session.print(&text)?,
        false => {}
    }
    if !is_done {
        outcome.failed(None, Failure::Operation { what: text }, session);
    }
    Ok(())
}
