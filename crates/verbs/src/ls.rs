//! `orchestrator ls`: lists of instances, leases and clients.

use clap::ValueEnum;
use serde_json::Value;

use super::failure::Failure;
use super::session::{Output, Session};
use super::{limits, order, page, table, view};
use orchestrator_api_types::Limits;
use orchestrator_model::Timestamp;

/// Arguments of `ls`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to list
    #[arg(value_enum, default_value_t = Noun::Instances)]
    noun: Noun,
    /// Show also instances that are gone and leases that ended
    #[arg(short, long)]
    all: bool,
    /// Show only those of this link
    #[arg(long, value_name = "BRIDGE")]
    link: Option<String>,
}

/// The things that can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Noun {
    Instances,
    Leases,
    Clients,
    /// Instances that run and that the database does not know
    Orphans,
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
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
    let mut items = page::all(session.api, path, &query).await?;
    if args.noun == Noun::Orphans
        && let Some(link) = &args.link
    {
        items.retain(|item| item.get("link").and_then(Value::as_str) == Some(link.as_str()));
    }
    if args.noun == Noun::Leases {
        items = order::leases(&items)?;
    }
    match session.output {
        Output::Json | Output::Yaml | Output::Name => session.print_json(&items),
        output @ (Output::Table | Output::Wide) => {
            let mut text = render(args.noun, &items, session.now, output.width())?;
            if args.noun == Noun::Instances {
                text.push_str(&places(args, session, output.width()).await?);
            }
            session.print(&text)
        }
    }
}

/// What waits for a place, and what is paused. Nothing where nobody can tell: the list of instances is what was asked for.
async fn places(args: &Args, session: &Session<'_>, width: table::Width) -> Result<String, Failure> {
    let query: Vec<_> = args.link.as_deref().map(|link| ("link", link)).into_iter().collect();
    let waiting = page::all(session.api, "/v1/queue", &query).await.unwrap_or_default();
    let mut text = String::new();
    if !waiting.is_empty() {
        text.push_str("\n\n");
        text.push_str(&limits::waiting(&waiting, session.now, width)?);
    }
    let answer = session.api.get("/v1/limits").await;
    let read = answer
        .ok()
        .and_then(|answer| page::parse::<Limits>(&answer, "limits").ok());
    let paused = read.map(|limits| limits.paused).filter(|paused| !paused.is_empty());
    if let Some(paused) = paused {
        text.push_str("\n\n");
        text.push_str(&limits::paused(&paused, session.now));
    }
    Ok(text)
}

fn render(noun: Noun, items: &[Value], now: Timestamp, width: table::Width) -> Result<String, Failure> {
    match noun {
        Noun::Instances => view::instances(items, now, width),
        Noun::Leases => view::leases(items, now, width),
        Noun::Clients => view::clients(items, now, width),
        Noun::Orphans => view::orphans(items, width),
    }
}
