//! `orchestrator pin`, `unpin`, `extend` and `expire`: change the time of instances.

use serde_json::Value;

use super::failure::Failure;
use super::page;
use super::resolve::{Kind, resolve};
use super::session::{Output, Session};
use super::view;
use orchestrator_api_types::{Extension, InstanceView};
use orchestrator_model::Timestamp;

/// Arguments of `pin`, `unpin` and `expire`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// ID or address of an instance, or ID, host name, DUID or address of its client, or the beginning of one
    #[arg(value_name = "INSTANCE")]
    id: String,
}

/// Arguments of `extend`.
#[derive(Debug, clap::Args)]
pub struct ExtendArgs {
    /// ID or address of an instance, or ID, host name, DUID or address of its client, or the beginning of one
    #[arg(value_name = "INSTANCE")]
    id: String,
    /// By how much each of its deadlines comes later, like 30m, 2h or 1h30m
    #[arg(value_name = "DURATION")]
    by: String,
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
    post(change.word(), &args.id, Vec::new(), session).await
}

pub(super) async fn extend(args: &ExtendArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    let body = Extension { by: args.by.clone() };
    let body = serde_json::to_vec(&body).unwrap_or_default();
    post("extend", &args.id, body, session).await
}

async fn post(verb: &str, id: &str, body: Vec<u8>, session: &mut Session<'_>) -> Result<(), Failure> {
    let (kind, id) = resolve(id, &[(Kind::Instance, &[])], session.api).await?;
    let path = format!("{}/{id}/{verb}", kind.path());
    let item: Value = page::parse(&session.api.post(&path, body).await?, "an instance")?;
    match session.output {
        Output::Json => session.print_json(&item),
        Output::Table | Output::Wide => session.print(&render(&page::read(&item, "an instance")?, session.now)),
    }
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
