//! `orchestrator rm`: removes instances.

use serde_json::Value;

use super::api::Api;
use super::choose::{Consent, ORPHAN};
use super::failure::Failure;
use super::page::{self, with_query};
use super::resolve::{Kind, resolve};
use super::select::{Selected, Which, select_to};
use super::session::{Output, Session};
use orchestrator_api_types::{Orphan, Phase};
use orchestrator_model::Id;

/// Arguments of `rm`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Instances: SERVICE-SLOT, or the ID, address or host name of an instance or its client, or the beginning of one;
    /// or a pattern over these, like 'web-*'
    #[arg(required_unless_present = "orphans", value_name = "INSTANCE")]
    ids: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// Destroy instances that the database does not know: those with these ids, or all of them
    #[arg(long, conflicts_with = "release")]
    orphans: bool,
    /// Free also the leases of their clients
    #[arg(long)]
    release: bool,
}

/// Removes each instance. A failure does not stop the others; the last failure is the result.
pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let api = session.api;
    let mut failed: Option<Failure> = None;
    let mut destroyed = Vec::new();
    let ids = match (args.orphans, args.ids.as_slice()) {
        (true, []) => orphans(api).await?,
        (true, words) => {
            let consent = Consent {
                force: args.which.force,
            };
            ORPHAN.meant_to("destroy", words, consent, api, session.local).await?
        }
        (false, named) => named.to_vec(),
    };
    for id in &ids {
        let outcomes = match args.orphans {
            true => vec![destroy_orphan(id, api).await],
            false => destroy(id, args, session).await,
        };
        for outcome in outcomes {
            match outcome {
                Ok(instance) => destroyed.push(instance),
                Err(failure) => {
                    if let Some(earlier) = failed.replace(failure) {
                        session.warn(&earlier);
                    }
                }
            }
        }
    }
    match session.output {
        Output::Json | Output::Yaml | Output::Name => session.print_json(&destroyed)?,
        Output::Table | Output::Wide => destroyed
            .iter()
            .try_for_each(|instance| session.print(&on_its_way(instance)))?,
    }
    failed.map_or(Ok(()), Err)
}

/// Removes the instances that a name or a pattern means.
async fn destroy(text: &str, args: &Args, session: &mut Session<'_>) -> Vec<Result<Value, Failure>> {
    if text.parse::<Id>().is_ok() {
        return vec![destroy_one(text, args.release, session.api).await];
    }
    let chosen = match select_to("remove", &[text.to_owned()], &args.which, session).await {
        Ok(chosen) => chosen,
        Err(failure) => return vec![Err(failure)],
    };
    let mut outcomes = Vec::with_capacity(chosen.len());
    for one in &chosen {
        outcomes.push(remove(one, args.release, session.api).await);
    }
    outcomes
}

/// Removes the instance that an id means: its own, or that of its client.
async fn destroy_one(text: &str, release: bool, api: &dyn Api) -> Result<Value, Failure> {
    let (kind, id) = resolve(text, &[(Kind::Instance, &[])], api).await?;
    delete(&format!("{}/{id}", kind.path()), release, api).await
}

/// Has an instance removed, and with `release` its client's leases.
pub(super) async fn remove(one: &Selected, release: bool, api: &dyn Api) -> Result<Value, Failure> {
    delete(&one.path(), release, api).await
}

async fn delete(path: &str, release: bool, api: &dyn Api) -> Result<Value, Failure> {
    let query: &[(&str, &str)] = if release { &[("release", "true")] } else { &[] };
    page::parse(&api.delete(&with_query(path, query)).await?, "an instance")
}

/// The ids of all instances that the database does not know.
async fn orphans(api: &dyn Api) -> Result<Vec<String>, Failure> {
    let items = page::all(api, "/v1/orphans", &[]).await?;
    let ids = items.iter().map(|item| page::read::<Orphan>(item, "an orphan"));
    ids.map(|orphan| Ok(orphan?.id.to_string())).collect()
}

async fn destroy_orphan(id: &str, api: &dyn Api) -> Result<Value, Failure> {
    let path = format!("/v1/orphans/{}", page::encode(id));
    page::parse(&api.delete(&path).await?, "an orphan")
}

fn on_its_way(instance: &Value) -> String {
    let field = |name: &str| instance.get(name).and_then(Value::as_str).unwrap_or_default();
    let id = field("id");
    match field("phase") == Phase::Removed.word() {
        true => format!("{id} is gone already; nothing was changed"),
        false => format!("{id} is on its way out"),
    }
}
