//! `orchestrator ls`: lists of instances, leases and clients.

use clap::ValueEnum;
use serde_json::Value;

use super::failure::Failure;
use super::http::Client;
use super::{Output, order, page, table, view};
use orchestrator_model::Timestamp;

/// Arguments of `ls`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to list
    #[arg(value_enum, default_value_t = Noun::Instances)]
    noun: Noun,
    /// Instances that are gone and leases that ended, too
    #[arg(short, long)]
    all: bool,
    /// Only those on this bridge
    #[arg(long, value_name = "BRIDGE")]
    link: Option<String>,
}

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Noun {
    Instances,
    Leases,
    Clients,
    /// Instances that run and that the database does not know
    Orphans,
}

pub(super) async fn run(args: &Args, output: Output, client: &Client) -> Result<(), Failure> {
    let mut query = Vec::new();
    match args.noun {
        Noun::Instances if args.all => query.push(("all", "true")),
        Noun::Leases if !args.all => query.push(("state", "active")),
        _ => {}
    }
    query.extend(args.link.as_deref().map(|link| ("link", link)));
    let path = match args.noun {
        Noun::Instances => "/v1/instances",
        Noun::Leases => "/v1/leases",
        Noun::Clients => "/v1/clients",
        Noun::Orphans => "/v1/orphans",
    };
    let mut items = page::all(client, path, &query).await?;
    if args.noun == Noun::Orphans
        && let Some(link) = &args.link
    {
        items.retain(|item| item.get("link").and_then(Value::as_str) == Some(link.as_str()));
    }
    if args.noun == Noun::Leases {
        items = order::leases(&items)?;
    }
    match output {
        Output::Json => table::print(&table::json(&items)?),
        Output::Table | Output::Wide => table::print(&render(args.noun, &items, Timestamp::wall(), output.width())?),
    }
}

fn render(noun: Noun, items: &[Value], now: Timestamp, width: table::Width) -> Result<String, Failure> {
    match noun {
        Noun::Instances => view::instances(items, now, width),
        Noun::Leases => view::leases(items, now, width),
        Noun::Clients => view::clients(items, now, width),
        Noun::Orphans => view::orphans(items, width),
    }
}
