//! `orchestrator rm`: destroys instances.

use serde_json::Value;

use super::failure::Failure;
use super::http::Client;
use super::page::{self, with_query};
use super::resolve::{Kind, resolve};
use super::{Output, table};
use orchestrator_model::{Orphan, Phase};

/// Arguments of `rm`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ids or addresses of instances, or ids, host names, DUIDs or addresses of their clients, or beginnings
    #[arg(required_unless_present = "orphans", value_name = "ID")]
    ids: Vec<String>,
    /// Destroy instances that the database does not know: those with these ids, or all of them
    #[arg(long, conflicts_with = "release")]
    orphans: bool,
    /// Free the clients' leases, too
    #[arg(long)]
    release: bool,
}

/// Destroys each; one that fails keeps none of the others, and the last failure is the outcome.
pub(super) async fn run(args: &Args, output: Output, client: &Client) -> Result<(), Failure> {
    let mut failed: Option<Failure> = None;
    let mut destroyed = Vec::new();
    let ids = match (args.orphans, args.ids.as_slice()) {
        (true, []) => orphans(client).await?,
        (_, named) => named.to_vec(),
    };
    for id in &ids {
        let outcome = match args.orphans {
            true => destroy_orphan(id, client).await,
            false => destroy(id, args.release, client).await,
        };
        match outcome {
            Ok(instance) => destroyed.push(instance),
            Err(failure) => {
                if let Some(earlier) = failed.replace(failure) {
                    earlier.say();
                }
            }
        }
    }
    match output {
        Output::Json => table::print(&table::json(&destroyed)?)?,
        Output::Table | Output::Wide => destroyed
            .iter()
            .try_for_each(|instance| table::print(&on_its_way(instance)))?,
    }
    failed.map_or(Ok(()), Err)
}

async fn destroy(text: &str, release: bool, client: &Client) -> Result<Value, Failure> {
    let (kind, id) = resolve(text, &[(Kind::Instance, &[])], client).await?;
    let query: &[(&str, &str)] = if release { &[("release", "true")] } else { &[] };
    let path = with_query(&format!("{}/{id}", kind.path()), query);
    page::parse(&client.delete(&path).await?, "an instance")
}

/// The ids of all instances that the database does not know.
async fn orphans(client: &Client) -> Result<Vec<String>, Failure> {
    let items = page::all(client, "/v1/orphans", &[]).await?;
    let ids = items.iter().map(|item| page::read::<Orphan>(item, "an orphan"));
    ids.map(|orphan| Ok(orphan?.id.to_string())).collect()
}

async fn destroy_orphan(id: &str, client: &Client) -> Result<Value, Failure> {
    let path = format!("/v1/orphans/{}", page::encode(id));
    page::parse(&client.delete(&path).await?, "an orphan")
}

fn on_its_way(instance: &Value) -> String {
    let field = |name: &str| instance.get(name).and_then(Value::as_str).unwrap_or_default();
    let id = field("id");
    match field("phase") == Phase::Removed.word() {
        true => format!("{id} is gone already; nothing was changed"),
        false => format!("{id} is on its way out"),
    }
}
