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
        ("failures", failures(&service, now)),
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

/// Its failures in a row, the number at which its version is given up, and when the next one is replaced; `None` without any.
fn failures(service: &Service, now: Timestamp) -> Option<String> {
    if service.failures == 0 {
        return None;
    }
    let most = service
        .spec
        .get("strategy")
        .and_then(|strategy| strategy["failures"].as_u64());
    // A good version is never given up.
    let most = most.filter(|_| service.good_version != Some(service.version));
    let of = most.map(|most| format!(" of {most}")).unwrap_or_default();
    let later = service.next_try.filter(|next| *next > now);
    let next = later
        .map(|next| format!(", the next one is replaced at {next}"))
        .unwrap_or_default();
    Some(format!("{} in a row{of}{next}", service.failures))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn failures_are_shown_with_their_most_and_when_the_next_is_replaced() {
        let shown = |failures: u32, good: u64, next: Option<&str>| {
            let service = json!({
                "name": "web", "generation": 7, "version": 3, "good_version": good, "instances": 1, "serving": 0,
                "state": "active", "paused": null, "reason": null, "failures": failures, "next_try": next,
                "created": "2023-11-14T22:10:08Z", "changed": "2023-11-14T22:10:08Z", "by": null,
                "spec": {"strategy": {"failures": 3}}, "operation": null, "slots": []
            });
            let text = render_one(&service, Timestamp(1_700_000_000_000), Width::Wide).unwrap();
            let line = text.lines().find_map(|line| line.trim_start().strip_prefix("failures"));
            line.map(|line| line.trim().to_owned())
        };
        assert_eq!(shown(0, 2, None), None);
        let next = "the next one is replaced at 2023-11-14T22:13:22.000Z";
        assert_eq!(
            shown(2, 2, Some("2023-11-14T22:13:22Z")),
            Some(format!("2 in a row of 3, {next}"))
        );
        assert_eq!(
            shown(9, 3, Some("2023-11-14T22:13:22Z")),
            Some(format!("9 in a row, {next}")),
            "a good version is never given up"
        );
        assert_eq!(
            shown(1, 2, Some("2023-11-14T22:13:19Z")),
            Some("1 in a row of 3".to_owned())
        );
    }
}
