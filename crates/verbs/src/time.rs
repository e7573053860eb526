//! `orchestrator pin`, `unpin`, `extend` and `expire`: change the time of instances.

use serde_json::Value;

use super::failure::Failure;
use super::page;
use super::select::{Each, Names, Which, select_to};
use super::session::Session;
use super::view;
use orchestrator_api_types::{Extension, InstanceView};
use orchestrator_model::Timestamp;

/// Arguments of `pin`, `unpin` and `expire`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    names: Names,
}

/// Arguments of `extend`.
#[derive(Debug, clap::Args)]
pub struct ExtendArgs {
    /// An instance: SERVICE-SLOT, or the ID, address or host name of an instance or its client, or the beginning of one;
    /// or a pattern over these, like 'web-*'
    #[arg(value_name = "INSTANCE")]
    id: String,
    /// By how much each of its deadlines comes later, like 30m, 2h or 1h30m
    #[arg(value_name = "DURATION")]
    by: String,
    #[command(flatten)]
    which: Which,
}

/// Changes of time that take no further argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Pin,
    Unpin,
    Expire,
}

impl Change {
    const fn word(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Unpin => "unpin",
            Self::Expire => "expire",
        }
    }
}

pub(super) async fn run(change: Change, args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let Names { names, which } = &args.names;
    post(change.word(), names, which, Vec::new(), session).await
}

pub(super) async fn extend(args: &ExtendArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    let body = Extension { by: args.by.clone() };
    let body = serde_json::to_vec(&body).unwrap_or_default();
    post("extend", std::slice::from_ref(&args.id), &args.which, body, session).await
}

async fn post(
    verb: &str,
    names: &[String],
    which: &Which,
    body: Vec<u8>,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let chosen = select_to(verb, names, which, session).await?;
    let mut all = Each::of(&chosen);
    let mut changed: Vec<Value> = Vec::new();
    for one in &chosen {
        let answer = session.api.post(&format!("{}/{verb}", one.path()), body.clone()).await;
        let read = answer
            .map_err(Failure::from)
            .and_then(|answer| page::parse(&answer, "an instance"));
        match read {
            Ok(item) => changed.push(item),
            Err(failure) => all.failed(&one.name, failure, session),
        }
    }
    match (session.output.is_data(), changed.as_slice()) {
        // As it was when a line named one instance only.
        (true, [item]) if chosen.len() == 1 => session.print_json(item)?,
        (true, items) => session.print_json(&items)?,
        (false, items) => {
            for item in items {
                session.print(&render(&page::read(item, "an instance")?, session.now))?;
            }
        }
    }
    all.end()
}

pub(super) fn render(view: &InstanceView, now: Timestamp) -> String {
    let InstanceView { instance, .. } = view;
    let ends = match (instance.times.pinned, view::ends(&instance.times, now)) {
        (Some(_), _) => "is pinned: no time ends it".to_owned(),
        (None, Some(ends)) => format!("ends {ends}"),
        (None, None) if instance.phase.word() == "removing" => "is on its way out".to_owned(),
        (None, None) => "ends with its client's lease".to_owned(),
    };
    format!("{} {ends}", instance.id)
}
