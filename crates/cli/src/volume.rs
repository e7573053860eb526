//! `orchestrator volume`: directories that outlive instances.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use futures_util::StreamExt;
use orchestrator_api_types::{Keep, Owner, VolumeView};
use orchestrator_model::Timestamp;
use serde_json::Value;

use super::backup::{is_dash, part_of, sync_directory};
use super::failure::Failure;
use super::http::Client;
use super::image::amount;
use super::local::Here;
use super::{Output, table};
use orchestrator_verbs::ages::age;
use orchestrator_verbs::choose::{Consent, VOLUME};
use orchestrator_verbs::table::{Column, Width, columns};
use orchestrator_verbs::{Api, CallError, page};

/// Arguments of `volume`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List volumes, in the order in which they were made
    Ls {
        /// Only those of this client, by its ID, or of this service
        #[arg(long, value_name = "ID")]
        owner: Option<String>,
        /// Only these: ids or names, also by a pattern like 'home*'
        #[arg(value_name = "VOLUME")]
        names: Vec<String>,
    },
    /// Remove volumes that no instance holds, with all that they hold
    Rm {
        /// Their IDs, or the beginning of each; also patterns over ids and names, like 'home*'
        #[arg(required = true, value_name = "VOLUME")]
        ids: Vec<String>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Write the content of a volume to a tar archive
    Export {
        /// Its ID, or the beginning of it
        #[arg(value_name = "VOLUME")]
        id: String,
        /// The archive; an existing file is replaced once the new one is complete. "-" is standard output
        file: PathBuf,
    },
}

pub(super) async fn run(args: &Args, output: Output, client: &Client) -> Result<(), Failure> {
    let api: &dyn Api = client;
    match &args.verb {
        Verb::Ls { owner, names } => list(owner.as_deref(), names, output, api).await,
        Verb::Rm { ids, consent } => {
            let ids = VOLUME.meant_to("remove", ids, *consent, api, &Here).await?;
            remove(&ids, output, api).await
        }
        Verb::Export { id, file } => {
            let id = resolve(id, api).await?;
            let path = format!("/v1/volumes/{}/export", page::encode(&id));
            match is_dash(file) {
                true => write_out(&path, client).await,
                false => write_file(&path, file, client).await,
            }
        }
    }
}

async fn list(owner: Option<&str>, names: &[String], output: Output, api: &dyn Api) -> Result<(), Failure> {
    let query: Vec<(&str, &str)> = owner.map(|owner| ("owner", owner)).into_iter().collect();
    let items = VOLUME.keep(page::all(api, VOLUME.path, &query).await?, names)?;
    match output {
        Output::Json | Output::Yaml | Output::Name => table::print(&table::data(output, &items)?),
        Output::Table | Output::Wide => table::print(&listed(&items, Timestamp::wall(), output.width())?),
    }
}

fn listed(items: &[Value], now: Timestamp, width: Width) -> Result<String, Failure> {
    let row = |item| {
        let volume: VolumeView = page::read(item, "a volume")?;
        let owner = match &volume.owner {
            Owner::Client(id) => id.to_string(),
            Owner::Service(name) => format!("service {name}"),
            Owner::Pool(name) => format!("pool {name}"),
            Owner::Operator(name) => format!("operator {name}"),
        };
        Ok(vec![
            volume.id.to_string(),
            volume.name,
            owner,
            volume.slot.unwrap_or_else(|| "any".to_owned()),
            volume.state.to_string(),
            volume.bytes.map(amount).unwrap_or_default(),
            size(volume.size, volume.not_enforced.is_some()),
            volume.holder.map(|holder| holder.to_string()).unwrap_or_default(),
            rule(volume.keep),
            age(volume.used, now),
        ])
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect::<Result<_, Failure>>()?;
    let header = [
        "VOLUME", "NAME", "OWNER", "SLOT", "STATE", "TAKES", "SIZE", "HELD BY", "KEPT", "USED",
    ]
    .map(Column::new);
    Ok(columns(&header, rows, width))
}

/// The size of a volume, and whether it is more than a wish.
fn size(size: Option<u64>, is_wish: bool) -> String {
    match size {
        Some(size) if is_wish => format!("{}, not enforced", amount(size)),
        Some(size) => amount(size),
        None => String::new(),
    }
}

fn rule(keep: Keep) -> String {
    match keep {
        Keep::Forever => "for ever".to_owned(),
        Keep::AfterLease(span) => format!("{span} after the lease"),
        Keep::Unused(span) => format!("{span} unused"),
    }
}

/// Removes each; one that fails keeps none of the others, and the last failure is the outcome.
async fn remove(ids: &[String], output: Output, api: &dyn Api) -> Result<(), Failure> {
    let (mut removed, mut failed) = (Vec::new(), None);
    for id in ids {
        match remove_one(id, api).await {
            Ok(volume) => removed.push(volume),
            Err(failure) => {
                if let Some(earlier) = failed.replace(failure) {
                    eprintln!("orchestrator: {earlier}");
                }
            }
        }
    }
    match output {
        Output::Json | Output::Yaml | Output::Name => table::print(&table::data(output, &removed)?)?,
        Output::Table | Output::Wide => {
            for volume in &removed {
                let id = volume.get("id").and_then(Value::as_str).unwrap_or_default();
                table::print(&format!("volume {id} is on its way out"))?;
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn remove_one(text: &str, api: &dyn Api) -> Result<Value, Failure> {
    let id = resolve(text, api).await?;
    let path = format!("/v1/volumes/{}", page::encode(&id));
    let answer = api.delete(&path).await.map_err(orchestrator_verbs::Failure::from)?;
    Ok(page::parse(&answer, "a volume")?)
}

/// The id of the volume that a text is the beginning of; the text itself when it is of none.
async fn resolve(text: &str, api: &dyn Api) -> Result<String, Failure> {
    if text.len() >= 12 {
        return Ok(text.to_owned());
    }
    let items = page::all(api, "/v1/volumes", &[]).await?;
    let ids = items.iter().filter_map(|item| item.get("id").and_then(Value::as_str));
    let found: Vec<&str> = ids.filter(|id| id.starts_with(text)).collect();
    match found.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Ok(text.to_owned()),
        several => Err(Failure::Ambiguous {
            what: format!("{text:?} is the beginning of several volumes: {}", several.join(", ")),
        }),
    }
}

async fn write_out(path: &str, client: &Client) -> Result<(), Failure> {
    if io::stdout().is_terminal() {
        return Err(Failure::Terminal);
    }
    write(path, &mut io::stdout().lock(), client, Failure::Print).await
}

/// Writes a file that is there as a whole or not at all, and is its owner's alone.
async fn write_file(path: &str, file: &Path, client: &Client) -> Result<(), Failure> {
    let fault = |source| Failure::File {
        doing: "write",
        path: file.to_owned(),
        source,
    };
    let part = part_of(file);
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
    let mut out = opened.map_err(fault)?;
    let written = write(path, &mut out, client, fault).await;
    let placed = written.and_then(|()| place(&out, &part, file).map_err(fault));
    if placed.is_err() {
        let _ = fs::remove_file(&part);
    }
    placed
}

fn place(out: &File, part: &Path, file: &Path) -> io::Result<()> {
    out.sync_all()?;
    fs::rename(part, file)?;
    sync_directory(file)
}

async fn write(
    path: &str,
    out: &mut impl Write,
    client: &Client,
    fault: impl Fn(io::Error) -> Failure,
) -> Result<(), Failure> {
    let opened = client.download(path).await;
    let mut archive = opened.map_err(|error| orchestrator_verbs::Failure::from(CallError::from(error)))?;
    while let Some(piece) = archive.next().await {
        let piece = piece.map_err(|error| Failure::Given {
            what: format!("the archive broke off, and is not kept; the daemon's log says why ({error})"),
        })?;
        out.write_all(&piece).map_err(&fault)?;
    }
    out.flush().map_err(fault)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn volumes_as_a_table() {
        let item = |id: &str, keep: Value, holder: Option<&str>, bytes: Value, not_enforced: Value| {
            json!({
                "id": id, "owner": {"kind": "client", "name": "0123456789ab"}, "slot": null, "name": "home",
                "host": "local", "size": 1 << 30, "bytes": bytes, "limit": null, "not_enforced": not_enforced, "keep": keep, "state": "kept", "created": "2023-11-14T22:13:10Z",
                "used": "2023-11-14T22:13:10Z", "holder": holder,
            })
        };
        let items = [
            item(
                "010101010101",
                json!("forever"),
                Some("3f9a2c01d2e4"),
                json!(12 << 20),
                json!("why"),
            ),
            item(
                "020202020202",
                json!({"after_lease": "1h"}),
                None,
                json!(4096),
                Value::Null,
            ),
            item("030303030303", json!({"unused": "30d"}), None, Value::Null, Value::Null),
        ];
        let expected = "\
VOLUME        NAME  OWNER         SLOT  STATE  TAKES     SIZE                   HELD BY       KEPT                USED
010101010101  home  0123456789ab  any   kept   12.0 MiB  1.0 GiB, not enforced  3f9a2c01d2e4  for ever            10s
020202020202  home  0123456789ab  any   kept   4.0 KiB   1.0 GiB                -             1h after the lease  10s
030303030303  home  0123456789ab  any   kept   -         1.0 GiB                -             30d unused          10s";
        let now = Timestamp(1_700_000_000_000);
        assert_eq!(listed(&items, now, Width::Narrow).unwrap(), expected);
    }
}
