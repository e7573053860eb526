//! `orchestrator engines`: shows what each engine can do.

use serde_json::Value;

use super::choose::ENGINE;
use super::failure::Failure;
use super::page::read;
use super::session::Session;
use super::table::{Column, Width};
use super::{page, table};
use orchestrator_api_types::Engine;

/// The width limit of what an engine can do.
const TEXT: usize = 100;

/// Arguments of `engines`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these, also by a pattern like '*'
    #[arg(value_name = "ENGINE")]
    names: Vec<String>,
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let items = ENGINE.keep(page::all(session.api, ENGINE.path, &[]).await?, &args.names)?;
    session.print_value(&items, |_, width| render(&items, width))
}

/// A table of engines.
pub(super) fn render(items: &[Value], width: Width) -> Result<String, Failure> {
    let row = |item| {
        let engine: Engine = read(item, "an engine")?;
        Ok(vec![
            engine.name,
            engine.kind,
            engine.host,
            engine.capabilities.join(" "),
        ])
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect::<Result<_, Failure>>()?;
    let header = [
        Column::new("ENGINE"),
        Column::new("KIND"),
        Column::new("HOST"),
        Column::new("CAN").at_most(TEXT),
    ];
    Ok(table::columns(&header, rows, width))
}
