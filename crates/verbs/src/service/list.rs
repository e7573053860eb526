//! Services as tables.

use orchestrator_api_types::Service;
use orchestrator_model::Timestamp;
use serde_json::Value;

use super::path_of;
use crate::ages::age;
use crate::choose::SERVICE;
use crate::failure::Failure;
use crate::page;
use crate::session::{Output, Session};
use crate::table::{self, Column, Width};

/// Arguments of `services`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only these, also by a pattern like 'web-*'
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Lists services.
pub(crate) async fn list(args: &ListArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    show(&args.services, session).await
}

/// Lists the services that the words mean; all of them where there is no word.
pub(crate) async fn show(words: &[String], session: &mut Session<'_>) -> Result<(), Failure> {
    let items = SERVICE.keep(page::all(session.api, SERVICE.path, &[]).await?, words)?;
    match session.output {
        Output::Name => {
            let names: Vec<&str> = items.iter().filter_map(|item| item["name"].as_str()).collect();
            session.print_json(&names)
        }
        Output::Json | Output::Yaml => session.print_json(&items),
        output @ (Output::Table | Output::Wide) => {
            let text = render(&items, output.width())?;
            session.print(&text)
        }
    }
}

/// A service of this name, if there is one.
pub(crate) async fn of_name(name: &str, session: &Session<'_>) -> Result<Option<Value>, Failure> {
    match session.api.get(&path_of(name, "")).await {
        Ok(answer) => Ok(Some(page::parse(&answer, "a service")?)),
        Err(crate::CallError::Problem(problem)) if matches!(problem.status, 400 | 404) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A service with its slots, for people.
pub(crate) fn render_one(item: &Value, now: Timestamp, width: Width) -> Result<String, Failure> {
    let service: Service = page::read(item, "a service")?;
    let image = service.spec.get("image").and_then(Value::as_str).map(str::to_owned);
    let operation = service
        .operation
        .as_ref()
        .map(|operation| format!("{} to version {} ({})", operation.kind, operation.version, operation.id));
    let record = table::record(&[
        ("service", Some(service.name.clone())),
        ("state", Some(state(&service))),
        ("version", Some(service.version.to_string())),
        (
            "last good version",
            service.good_version.map(|version| version.to_string()),
        ),
        ("generation", Some(service.generation.to_string())),
        ("image", image),
        ("instances", Some(serving(&service))),
        ("operation", operation),
        ("reason", service.reason.clone()),
        ("changed", Some(format!("{} ago", age(service.changed, now)))),
        ("by", service.by.clone()),
    ]);
    let rows = service.slots.iter().map(|slot| {
        vec![
            slot.number.to_string(),
            slot.version.to_string(),
            slot.state.clone(),
            slot.health.clone(),
            slot.instance.map(|id| id.to_string()).unwrap_or_default(),
            age(slot.since, now),
            slot.detail.clone().unwrap_or_default(),
        ]
    });
    let header = [
        Column::new("SLOT"),
        Column::new("VERSION"),
        Column::new("STATE"),
        Column::new("HEALTH"),
        Column::new("INSTANCE"),
        Column::new("SINCE"),
        Column::new("DETAIL").at_most(80),
    ];
    match service.slots.is_empty() {
        true => Ok(record),
        false => Ok(format!("{record}\n\n{}", table::columns(&header, rows, width))),
    }
}

/// How many of its instances serve.
fn serving(service: &Service) -> String {
    let wanted = service
        .instances
        .map_or("per client".to_owned(), |count| count.to_string());
    format!("{}/{wanted}", service.serving)
}

fn state(service: &Service) -> String {
    match (&service.operation, service.paused) {
        (_, Some(_)) => "paused".to_owned(),
        (Some(operation), None) => operation.kind.clone(),
        (None, None) => service.state.clone(),
    }
}

/// A table of services.
fn render(items: &[Value], width: Width) -> Result<String, Failure> {
    let row = |item| {
        let service: Service = page::read(item, "a service")?;
        Ok(vec![
            service.name.clone(),
            service.version.to_string(),
            serving(&service),
            state(&service),
            service.reason.unwrap_or_default(),
        ])
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect::<Result<_, Failure>>()?;
    let header = [
        Column::new("SERVICE"),
        Column::new("VERSION"),
        Column::new("SERVING"),
        Column::new("STATE"),
        Column::new("REASON").at_most(80),
    ];
    Ok(table::columns(&header, rows, width))
}
