//! `orchestrator reservation`: lists, makes and removes reservations.

use std::net::Ipv6Addr;

use clap::Subcommand;
use ipnet::Ipv6Net;
use serde_json::{Map, Value, json};

use super::api::Api;
use super::choose::{Consent, RESERVATION};
use super::failure::Failure;
use super::ls::of_link;
use super::session::Session;
use super::{page, view};
use orchestrator_model::{Duid, LinkLayerAddress, OpaqueId};

/// Arguments of `reservation`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List reservations, also those of the settings
    List {
        /// Only on this link
        #[arg(long, value_name = "LINK")]
        link: Option<String>,
        /// Only these: ids, addresses or prefixes, also by a pattern like 'fd39::*'
        #[arg(value_name = "RESERVATION")]
        names: Vec<String>,
    },
    /// Reserve an address, a prefix or both for one client
    Add(Add),
    /// Remove reservations
    Remove {
        /// Ids of reservations, also patterns over their ids, addresses and links
        #[arg(required = true, value_name = "RESERVATION")]
        ids: Vec<String>,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Debug, clap::Args)]
struct Add {
    /// The link of the reservation
    #[arg(long)]
    link: String,
    #[command(flatten)]
    holder: Known,
    /// The address
    #[arg(long, required_unless_present_any = ["prefix", "authorized_keys"])]
    address: Option<Ipv6Addr>,
    /// The prefix
    #[arg(long)]
    prefix: Option<Ipv6Net>,
    /// A public SSH key that may log in to the client's instances; may be given several times
    #[arg(long = "key", value_name = "KEY")]
    authorized_keys: Vec<String>,
}

/// The identification of a client in a reservation.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Known {
    /// The client's DUID, like 00:03:00:01:02:00:5e:10:00:01
    #[arg(long)]
    duid: Option<Duid>,
    /// The client's link-layer address, like 02:00:5e:10:00:01
    #[arg(long, value_name = "ADDRESS")]
    link_layer_address: Option<LinkLayerAddress>,
    /// The remote-id that the client's relay adds, after its enterprise number: 9:port-7, or 9:0x00ff
    #[arg(long, value_name = "NUMBER:ID", value_parser = parse_remote_id)]
    remote_id: Option<(u32, OpaqueId)>,
    /// The interface-id that the client's relay adds: text, or bytes like 0x00ff
    #[arg(long, value_name = "ID")]
    interface_id: Option<OpaqueId>,
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    match &args.verb {
        Verb::List { link, names } => list(link.as_deref(), names, session).await,
        Verb::Add(add) => {
            let answer = session
                .api
                .post("/v1/reservations", add.body().to_string().into())
                .await?;
            let made: Value = page::parse(&answer, "a reservation")?;
            show(&[made], session)
        }
        Verb::Remove { ids, consent } => {
            let (api, local) = (session.api, session.local);
            let ids = RESERVATION.meant_to("remove", ids, *consent, api, local).await?;
            remove(&ids, session).await
        }
    }
}

/// Removes each reservation. A failure does not stop the others; the last failure is the result.
async fn remove(ids: &[String], session: &mut Session<'_>) -> Result<(), Failure> {
    let mut failed: Option<Failure> = None;
    let mut removed = Vec::new();
    for id in ids {
        match remove_one(id, session.api).await {
            Ok(reservation) => removed.push(reservation),
            Err(failure) => {
                if let Some(earlier) = failed.replace(failure) {
                    session.warn(&earlier);
                }
            }
        }
    }
    if failed.is_none() || !removed.is_empty() {
        show(&removed, session)?;
    }
    failed.map_or(Ok(()), Err)
}

async fn remove_one(id: &str, api: &dyn Api) -> Result<Value, Failure> {
    let path = format!("/v1/reservations/{}", page::encode(id));
    page::parse(&api.delete(&path).await?, "a reservation")
}

async fn list(link: Option<&str>, names: &[String], session: &mut Session<'_>) -> Result<(), Failure> {
    let items = of_link(session.api, RESERVATION.path, &[], link).await?;
    let items = RESERVATION.keep(items, names)?;
    show(&items, session)
}

fn show(items: &[Value], session: &mut Session<'_>) -> Result<(), Failure> {
    session.print_value(&items, |_, width| view::reservations(items, width))
}

impl Add {
    /// The body of the request.
    fn body(&self) -> Value {
        let Known {
            duid,
            link_layer_address,
            remote_id,
            interface_id,
        } = &self.holder;
        let remote_id = remote_id.as_ref();
        let fields = [
            ("link", Some(json!(self.link))),
            ("duid", duid.as_ref().map(|duid| json!(duid))),
            (
                "link_layer_address",
                link_layer_address.as_ref().map(|address| json!(address)),
            ),
            (
                "remote_id",
                remote_id.map(|(enterprise, id)| json!({ "enterprise": enterprise, "id": id })),
            ),
            ("interface_id", interface_id.as_ref().map(|id| json!(id))),
            ("address", self.address.map(|address| json!(address))),
            ("prefix", self.prefix.map(|prefix| json!(prefix))),
            (
                "authorized_keys",
                Some(json!(self.authorized_keys)).filter(|_| !self.authorized_keys.is_empty()),
            ),
        ];
        let given = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(given.collect::<Map<_, _>>())
    }
}

fn parse_remote_id(text: &str) -> Result<(u32, OpaqueId), String> {
    let (enterprise, id) = text
        .split_once(':')
        .ok_or("write it like 9:port-7, with the enterprise number before the colon")?;
    let enterprise = enterprise
        .parse()
        .map_err(|_| format!("{enterprise:?} is no enterprise number"))?;
    let id = id.parse().map_err(|fault| format!("the remote-id {fault}"))?;
    Ok((enterprise, id))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::table;

    #[test]
    fn reservations_as_a_table() {
        let items = [
            json!({"id": null, "link": "br0", "duid": "00:03:00:01:02", "address": "fd39::7", "prefix": null, "created": null,
                "in_force": true}),
            json!({"id": "3f9a2c01d2e4", "link": "br0", "remote_id": {"enterprise": 9, "id": "port-7"}, "address": null,
                "prefix": "fd40::/56", "created": "2023-11-14T22:13:10Z", "in_force": false}),
        ];
        let expected = "\
RESERVATION   LINK  FOR                               ADDRESS  PREFIX     BY
-             br0   DUID 00:03:00:01:02               fd39::7  -          settings
3f9a2c01d2e4  br0   remote-id port-7 of enterprise 9  -        fd40::/56  api, not in force";
        assert_eq!(view::reservations(&items, table::Width::Narrow).unwrap(), expected);
    }

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn body_of(line: &str) -> Option<Value> {
        let parsed = Line::try_parse_from(line.split(' ')).ok()?;
        match parsed.args.verb {
            Verb::Add(add) => Some(add.body()),
            _ => None,
        }
    }

    #[test]
    fn what_is_to_be_kept_is_told_as_the_api_takes_it() {
        let expected = json!({
            "link": "br0", "remote_id": {"enterprise": 9, "id": "0x00ff"}, "address": "fd39::7", "prefix": "fd40::/56"
        });
        let line = "reservation add --link br0 --remote-id 9:0x00ff --address fd39::7 --prefix fd40::/56";
        assert_eq!(body_of(line), Some(expected));
        let expected = json!({"link": "br0", "duid": "00:02:01", "prefix": "fd40::/56"});
        assert_eq!(
            body_of("reservation add --link br0 --duid 00:02:01 --prefix fd40::/56"),
            Some(expected)
        );
    }

    #[test]
    fn a_client_is_told_once_and_something_is_kept_for_it() {
        for line in [
            "reservation add --link br0 --address fd39::7",
            "reservation add --link br0 --duid 00:02:01",
            "reservation add --duid 00:02:01 --address fd39::7",
            "reservation add --link br0 --duid 00:02:01 --interface-id a --address fd39::7",
            "reservation add --link br0 --remote-id port --address fd39::7",
        ] {
            assert_eq!(body_of(line), None, "{line}");
        }
    }
}
