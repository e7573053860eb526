//! `orchestrator volume`: directories that outlive instances.

use std::time::Instant;

use clap::Subcommand;
use futures_util::StreamExt;
use orchestrator_api_types::{Keep, Owner, VolumeView};
use orchestrator_model::Timestamp;
use orchestrator_runtime::causes::with_causes;
use serde_json::Value;

use crate::ages::age;
use crate::api::{Api, Method, Request, Stream};
use crate::choose::{Consent, VOLUME};
use crate::failure::Failure;
use crate::image::amount;
use crate::local::DASH;
use crate::page;
use crate::progress::copied;
use crate::session::{Channel, Output, Session};
use crate::table::{Column, Width, columns};

/// The media type of the archive of a volume.
const ARCHIVE: &str = "application/x-tar";

/// Arguments of `volume`.
#[derive(Debug, clap::Args)]
pub struct Args {
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
        file: String,
    },
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    match &args.verb {
        Verb::Ls { owner, names } => list(owner.as_deref(), names, session).await,
        Verb::Rm { ids, consent } => {
            let ids = VOLUME
                .meant_to("remove", ids, *consent, session.api, session.local)
                .await?;
            remove(&ids, session).await
        }
        Verb::Export { id, file } => {
            let id = resolve(id, session.api).await?;
            let path = format!("/v1/volumes/{}/export", page::encode(&id));
            match file == DASH {
                true => write_out(path, session).await,
                false => write_file(path, file, session).await,
            }
        }
    }
}

async fn list(owner: Option<&str>, names: &[String], session: &mut Session<'_>) -> Result<(), Failure> {
    let query: Vec<(&str, &str)> = owner.map(|owner| ("owner", owner)).into_iter().collect();
    let items = VOLUME.keep(page::all(session.api, VOLUME.path, &query).await?, names)?;
    session.print_value(&items, |now, width| listed(&items, now, width))
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
async fn remove(ids: &[String], session: &mut Session<'_>) -> Result<(), Failure> {
    let (mut removed, mut failed) = (Vec::new(), None);
    for id in ids {
        match remove_one(id, session.api).await {
            Ok(volume) => removed.push(volume),
            Err(failure) => {
                if let Some(earlier) = failed.replace(failure) {
                    session.warn(&earlier);
                }
            }
        }
    }
    match session.output {
        Output::Json | Output::Yaml | Output::Name => session.print_json(&removed)?,
        Output::Table | Output::Wide => {
            for volume in &removed {
                let id = volume.get("id").and_then(Value::as_str).unwrap_or_default();
                session.print(&format!("volume {id} is on its way out"))?;
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn remove_one(text: &str, api: &dyn Api) -> Result<Value, Failure> {
    let id = resolve(text, api).await?;
    let path = format!("/v1/volumes/{}", page::encode(&id));
    page::parse(&api.delete(&path).await?, "a volume")
}

/// The id of the volume that a text is the beginning of; the text itself when it is of none.
async fn resolve(text: &str, api: &dyn Api) -> Result<String, Failure> {
    if text.len() >= 12 {
        return Ok(text.to_owned());
    }
    let items = page::all(api, VOLUME.path, &[]).await?;
    let ids = items.iter().filter_map(|item| item.get("id").and_then(Value::as_str));
    let found: Vec<&str> = ids.filter(|id| id.starts_with(text)).collect();
    match found.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Ok(text.to_owned()),
        several => Err(Failure::Ambiguous {
            id: text.to_owned(),
            several: format!("several volumes: {}", several.join(", ")),
        }),
    }
}

/// Writes the archive to standard output, which must not be a terminal.
async fn write_out(path: String, session: &mut Session<'_>) -> Result<(), Failure> {
    if !session.sink.takes_bytes() {
        return Err(Failure::Given {
            what: "an archive is not for a terminal; name a file, or pipe it on".to_owned(),
        });
    }
    let mut archive = open(path, session.api).await?;
    let mut written = Written::begin();
    while let Some(piece) = next(&mut archive).await? {
        session.sink.ready().await;
        session.sink.write(Channel::Bytes, &piece).map_err(Failure::Print)?;
        written.add(&piece, session);
    }
    session.sink.progress("");
    Ok(())
}

/// Writes a file that is there as a whole or not at all, and is its owner's alone.
async fn write_file(path: String, file: &str, session: &mut Session<'_>) -> Result<(), Failure> {
    let fault = |source| Failure::Local {
        doing: "write",
        what: file.to_owned(),
        source,
    };
    let mut out = session.local.create(file).await.map_err(fault)?;
    let mut archive = open(path, session.api).await?;
    let mut written = Written::begin();
    while let Some(piece) = next(&mut archive).await? {
        out.write(&piece).await.map_err(fault)?;
        written.add(&piece, session);
    }
    session.sink.progress("");
    out.place().await.map_err(fault)
}

/// How much of an archive is written.
struct Written {
    bytes: u64,
    began: Instant,
}

impl Written {
    fn begin() -> Self {
        Self {
            bytes: 0,
            began: Instant::now(),
        }
    }

    fn add(&mut self, piece: &[u8], session: &mut Session<'_>) {
        self.bytes += piece.len() as u64;
        session
            .sink
            .progress(&copied("volume export", self.bytes, self.began.elapsed()));
    }
}

async fn open(path: String, api: &dyn Api) -> Result<Stream, Failure> {
    let request = Request {
        method: Method::Post,
        path,
        body: Vec::new(),
    };
    Ok(api.open(request, ARCHIVE).await?)
}

/// The next piece of an archive.
async fn next(archive: &mut Stream) -> Result<Option<bytes::Bytes>, Failure> {
    let piece = archive.next().await.transpose();
    piece.map_err(|error| Failure::Given {
        what: format!(
            "the archive broke off, and is not whole; the daemon's log says why ({})",
            with_causes(&error)
        ),
    })
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
