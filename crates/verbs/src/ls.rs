//! `orchestrator ls`: lists of instances, leases, clients, services and other things.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, ValueEnum};
use serde_json::Value;

use super::api::Api;
use super::choose::{CLIENT, LEASE, ORPHAN};
use super::failure::Failure;
use super::session::{Output, Session};
use super::{glob, limits, order, page, select, service, table, token, view};
use orchestrator_api_types::Limits;
use orchestrator_model::Timestamp;

/// Arguments of `ls`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to list, instances if it is not said; and which of them: names or patterns, like 'web-*'
    #[arg(value_name = "PATTERN", value_parser = Word)]
    words: Vec<String>,
    /// Show also instances that are gone and leases that ended
    #[arg(short, long)]
    all: bool,
    /// Show only those of this link, also by a pattern like 'br*'
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
    Services,
    Tokens,
}

/// The first word may be a noun; any other is a name or a pattern.
#[derive(Debug, Clone, Copy)]
struct Word;

impl TypedValueParser for Word {
    type Value = String;

    fn parse_ref(&self, _: &Command, _: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        let text = value.to_str().map(str::to_owned);
        text.ok_or_else(|| clap::Error::new(clap::error::ErrorKind::InvalidUtf8))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let nouns = Noun::value_variants().iter();
        Some(Box::new(nouns.filter_map(ValueEnum::to_possible_value)))
    }
}

/// What the words mean: a noun, and names.
fn read(words: &[String]) -> (Noun, &[String]) {
    match words.split_first() {
        Some((first, names)) => match Noun::from_str(first, false) {
            Ok(noun) => (noun, names),
            Err(_) => (Noun::Instances, words),
        },
        None => (Noun::Instances, &[]),
    }
}

/// A list of the API, of the links that a name or a pattern means; of all where there is none.
pub(super) async fn of_link(
    api: &dyn Api,
    path: &str,
    query: &page::Query<'_>,
    link: Option<&str>,
) -> Result<Vec<Value>, Failure> {
    let mut query = query.to_vec();
    let is_name = |link: &&str| !glob::is_pattern(link) && path != ORPHAN.path;
    query.extend(link.filter(is_name).map(|link| ("link", link)));
    let mut items = page::all(api, path, &query).await?;
    if let Some(pattern) = link.filter(|link| !is_name(link)) {
        let link = |item: &Value| item.get("link").and_then(Value::as_str).unwrap_or_default().to_owned();
        items.retain(|item| glob::matches(pattern, &link(item)));
    }
    Ok(items)
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let (noun, names) = read(&args.words);
    let (api, link) = (session.api, args.link.as_deref());
    let items = match noun {
        Noun::Services => return service::show(names, session).await,
        Noun::Tokens => return token::list(names, session).await,
        Noun::Instances => {
            let query: &page::Query<'_> = if args.all { &[("all", "true")] } else { &[] };
            select::keep(of_link(api, "/v1/instances", query, link).await?, names)?
        }
        Noun::Leases => {
            let query: &page::Query<'_> = if args.all { &[] } else { &[("state", "active")] };
            let items = of_link(api, LEASE.path, query, link).await?;
            order::leases(&LEASE.keep(items, names)?)?
        }
        Noun::Clients => CLIENT.keep(of_link(api, CLIENT.path, &[], link).await?, names)?,
        Noun::Orphans => ORPHAN.keep(of_link(api, ORPHAN.path, &[], link).await?, names)?,
    };
    match session.output {
        Output::Json | Output::Yaml | Output::Name => session.print_json(&items),
        output @ (Output::Table | Output::Wide) => {
            let mut text = render(noun, &items, session.now, output.width())?;
            if noun == Noun::Instances && names.is_empty() {
                text.push_str(&places(args, session, output.width()).await?);
            }
            session.print(&text)
        }
    }
}

/// What waits for a place, and what is paused. Nothing where nobody can tell: the list of instances is what was asked for.
async fn places(args: &Args, session: &Session<'_>, width: table::Width) -> Result<String, Failure> {
    let waiting = of_link(session.api, "/v1/queue", &[], args.link.as_deref()).await;
    let waiting = waiting.unwrap_or_default();
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
        // They are printed by their own rooms.
        Noun::Services | Noun::Tokens => Ok(String::new()),
    }
}
