//! `orchestrator tasks`: shows the state of every task of the daemon.

use serde_json::Value;

use super::ages::{age, left};
use super::choose::TASK;
use super::failure::Failure;
use super::page::read;
use super::session::Session;
use super::table::{Column, Width};
use super::{page, table};
use orchestrator_api_types::{Task, TaskResult};
use orchestrator_model::Timestamp;

/// The width limit of a reason or a purpose.
const TEXT: usize = 100;

/// Arguments of `tasks`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these, also by a pattern like '*'
    #[arg(value_name = "TASK")]
    names: Vec<String>,
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let items = TASK.keep(page::all(session.api, TASK.path, &[]).await?, &args.names)?;
    session.print_value(&items, |now, width| render(&items, now, width))
}

/// A table of tasks. A wide one also shows the purpose of each.
pub(super) fn render(items: &[Value], now: Timestamp, width: Width) -> Result<String, Failure> {
    let row = |item| {
        let task: Task = read(item, "a task")?;
        let ago = |then: Option<Timestamp>| then.map(|then| age(then, now)).unwrap_or_default();
        let mut row = vec![
            task.name,
            task.state.to_string(),
            age(task.since, now),
            ago(task.last_start),
            task.last_duration_ms
                .map(|took| format!("{took} ms"))
                .unwrap_or_default(),
            result(task.last_result, task.failures),
            task.next_try.map(|next| next_try(next, now)).unwrap_or_default(),
            task.reason.or(task.detail).unwrap_or_default(),
        ];
        if width == Width::Wide {
            row.push(task.purpose);
        }
        Ok(row)
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect::<Result<_, Failure>>()?;
    let mut header = vec![
        Column::new("TASK"),
        Column::new("STATE"),
        Column::new("SINCE"),
        Column::new("STARTED"),
        Column::new("TOOK"),
        Column::new("RESULT"),
        Column::new("NEXT"),
        Column::new("REASON").at_most(TEXT),
    ];
    if width == Width::Wide {
        header.push(Column::new("PURPOSE").at_most(TEXT));
    }
    Ok(table::columns(&header, rows, width))
}

/// The result of the last run, and how often it failed in a row.
fn result(last: Option<TaskResult>, failures: u32) -> String {
    match last {
        None => String::new(),
        Some(TaskResult::Ok) => "ok".to_owned(),
        Some(TaskResult::Failed) => format!("failed x{failures}"),
    }
}

fn next_try(next: Timestamp, now: Timestamp) -> String {
    match next <= now {
        true => "now".to_owned(),
        false => format!("in {}", left(next, now)),
    }
}
