//! Resolves a name, id or address, or the beginning of one, to the only thing that it identifies.

use std::fmt;
use std::net::Ipv6Addr;

use serde::Deserialize;
use serde_json::Value;

use super::api::{Api, CallError};
use super::failure::Failure;
use super::page::{self, Query};
use orchestrator_api_types::Phase;
use orchestrator_model::{Id, Slot};

/// How many candidates are shown when a name fits several things.
const SHOWN: usize = 5;

/// The kinds of things that have an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Instance,
    Client,
}

impl Kind {
    /// The path of the list in the API.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Instance => "/v1/instances",
            Self::Client => "/v1/clients",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Client => "client",
        }
    }
}

/// The keys of an answer that identify a thing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Named {
    id: Id,
    #[serde(default)]
    link: Option<String>,
    #[serde(default)]
    hostname: Option<String>,
    /// The client of an instance.
    #[serde(default)]
    client: Option<Id>,
    /// The address of an instance.
    #[serde(default)]
    address: Option<Ipv6Addr>,
    #[serde(default)]
    phase: Option<Phase>,
    /// The owner's slot that an instance fills.
    #[serde(default)]
    slot: Option<Slot>,
}

/// A thing that a name may identify.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    kind: Kind,
    named: Named,
}

impl Candidate {
    /// Whether its id begins with the text.
    fn begins_with(&self, text: &str) -> bool {
        self.named.id.to_string().starts_with(&text.to_lowercase())
    }

    fn is_instance_at(&self, address: Ipv6Addr) -> bool {
        self.kind == Kind::Instance && self.named.address == Some(address) && !self.is_removed()
    }

    fn is_removed(&self) -> bool {
        self.named.phase == Some(Phase::Removed)
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Named { id, hostname, link, .. } = &self.named;
        write!(f, "{} {id}", self.kind.word())?;
        match (hostname, link) {
            (Some(name), Some(link)) => write!(f, " ({name} on {link})"),
            _ => Ok(()),
        }
    }
}

/// The only thing that `text` identifies, and its kind. The text may be an id, a host name, a DUID, an address, or the
/// beginning of one.
///
/// A complete id is looked up first, so that no host name can stand for another thing's id. Otherwise the lists are
/// read, each with its query; the API decides what matches.
pub(super) async fn resolve(text: &str, among: &[(Kind, &Query<'_>)], api: &dyn Api) -> Result<(Kind, Id), Failure> {
    if let Ok(id) = text.parse::<Id>() {
        for (kind, _) in among {
            if exists(*kind, id, api).await? {
                return Ok((*kind, id));
            }
        }
    }
    let mut found = Vec::new();
    if !text.is_empty() {
        for (kind, query) in among {
            found.extend(going_by(text, *kind, query, api).await?);
        }
    }
    let found = meant(text, found);
    if let ([], [(Kind::Instance, _)]) = (found.as_slice(), among)
        && let [of, ..] = going_by(text, Kind::Client, &[], api).await?.as_slice()
    {
        let client = of.to_string();
        return Err(Failure::NoInstance { client });
    }
    one_of(text, &found, among)
}

async fn exists(kind: Kind, id: Id, api: &dyn Api) -> Result<bool, Failure> {
    match api.get(&format!("{}/{id}", kind.path())).await {
        Ok(_) => Ok(true),
        Err(CallError::Problem(problem)) if problem.status == 404 => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn going_by(text: &str, kind: Kind, query: &Query<'_>, api: &dyn Api) -> Result<Vec<Candidate>, Failure> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = query.to_vec();
    query.push(("name", text));
    candidates(kind, &page::all(api, kind.path(), &query).await?)
}

fn candidates(kind: Kind, items: &[Value]) -> Result<Vec<Candidate>, Failure> {
    let read = |item| page::read(item, "an item").map(|named| Candidate { kind, named });
    items.iter().map(read).collect()
}

/// Selects the candidates that are meant.
///
/// An instance matches whenever its client does. If the client matches too, the client is meant. But the address of an
/// instance means that instance. A thing that is gone is meant only by its id.
fn meant(text: &str, mut found: Vec<Candidate>) -> Vec<Candidate> {
    if let Ok(address) = text.parse()
        && found.iter().any(|candidate| candidate.is_instance_at(address))
    {
        found.retain(|candidate| candidate.is_instance_at(address));
        return found;
    }
    found.retain(|candidate| !candidate.is_removed() || candidate.begins_with(text));
    let clients: Vec<Id> = found
        .iter()
        .filter(|candidate| candidate.kind == Kind::Client)
        .map(|candidate| candidate.named.id)
        .collect();
    let is_behind_client = |named: &Named| named.client.is_some_and(|client| clients.contains(&client));
    found.retain(|candidate| candidate.kind == Kind::Client || !is_behind_client(&candidate.named));
    found
}

/// A candidate as text, with its slot if another candidate is of the same client.
fn shown(candidate: &Candidate, all: &[Candidate]) -> String {
    let client = candidate.named.client;
    let of_client = all.iter().filter(|other| other.named.client == client).count();
    match &candidate.named.slot {
        Some(slot) if client.is_some() && of_client > 1 => format!("{candidate} in slot {slot}"),
        _ => candidate.to_string(),
    }
}

fn one_of(text: &str, found: &[Candidate], among: &[(Kind, &Query<'_>)]) -> Result<(Kind, Id), Failure> {
    match found {
        [one] => Ok((one.kind, one.named.id)),
        [] => Err(Failure::NotFound {
            kind: match among {
                [(kind, _)] => kind.word(),
                _ => "instance or client",
            },
            id: text.to_owned(),
            list: match among {
                [(Kind::Instance, _)] => "instances",
                [(Kind::Client, _)] => "clients",
                _ => "-a",
            },
        }),
        several => {
            let shown: Vec<String> = several.iter().take(SHOWN).map(|one| shown(one, several)).collect();
            let more = if several.len() > shown.len() { " and more" } else { "" };
            let several_text = shown.join(", ") + more;
            Err(if several.iter().all(|candidate| candidate.begins_with(text)) {
                Failure::Ambiguous {
                    id: text.to_owned(),
                    several: several_text,
                }
            } else {
                Failure::AmbiguousName {
                    name: text.to_owned(),
                    several: several_text,
                }
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_beginning_is_enough_when_it_is_the_only_one() {
        let items = [json!({"id": "3f9a2c01d2e4"}), json!({"id": "3f9b00000000"})];
        let among: [(Kind, &Query<'_>); 1] = [(Kind::Instance, &[])];
        let resolve = |text: &str| {
            let mut fitting = candidates(Kind::Instance, &items).unwrap();
            fitting.retain(|candidate| !text.is_empty() && candidate.begins_with(text));
            one_of(text, &meant(text, fitting), &among)
        };
        assert_eq!(resolve("3f9a").unwrap().1.to_string(), "3f9a2c01d2e4");
        assert_eq!(
            resolve("3f9").unwrap_err().to_string(),
            "\"3f9\" is the beginning of instance 3f9a2c01d2e4, instance 3f9b00000000; give more of it"
        );
        for text in ["", "x"] {
            assert_eq!(
                resolve(text).unwrap_err().to_string(),
                format!("there is no instance {text:?}; `orchestrator ls instances` shows those there are")
            );
        }
    }
    fn all() -> Vec<Candidate> {
        let instances = [
            json!({"id": "aaaaaaaaaaa1", "client": "bbbbbbbbbbb1", "link": "br0", "hostname": "laptop", "address": "fd39::2:1",
                "phase": "ready"}),
            json!({"id": "aaaaaaaaaaa2", "client": "bbbbbbbbbbb2", "link": "br0", "hostname": null, "address": "fd39::2:2",
                "phase": "ready"}),
            json!({"id": "aaaaaaaaaaa3", "client": "bbbbbbbbbbb3", "link": "br0", "hostname": null, "address": "fd39::2:1",
                "phase": "removed"}),
        ];
        let clients = [json!({"id": "bbbbbbbbbbb1", "link": "br0", "hostname": "laptop"})];
        let mut all = candidates(Kind::Instance, &instances).unwrap();
        all.extend(candidates(Kind::Client, &clients).unwrap());
        all
    }

    fn ids(text: &str, found: Vec<Candidate>) -> Vec<String> {
        meant(text, found).iter().map(|one| one.named.id.to_string()).collect()
    }

    #[test]
    fn a_client_goes_before_its_instance_and_an_address_is_its_own() {
        assert_eq!(ids("laptop", all()), ["aaaaaaaaaaa2", "bbbbbbbbbbb1"]);
        assert_eq!(ids("fd39::2:1", all()), ["aaaaaaaaaaa1"]);
        assert_eq!(ids("fd39:0::2:2", all()), ["aaaaaaaaaaa2"]);
        // What is gone is found by its id.
        assert_eq!(ids("AAA", all()), ["aaaaaaaaaaa2", "aaaaaaaaaaa3", "bbbbbbbbbbb1"]);
    }

    #[test]
    fn instances_of_one_client_are_told_apart_by_their_slots() {
        let of = |id: &str, slot: &str| json!({"id": id, "client": "bbbbbbbbbbb1", "link": "br0", "hostname": "laptop", "slot": slot});
        let both = [of("aaaaaaaaaaa1", "web"), of("aaaaaaaaaaa2", "shell")];
        let among: [(Kind, &Query<'_>); 1] = [(Kind::Instance, &[])];
        let failure = one_of("laptop", &candidates(Kind::Instance, &both).unwrap(), &among).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "\"laptop\" may be instance aaaaaaaaaaa1 (laptop on br0) in slot web, instance aaaaaaaaaaa2 (laptop on br0) in slot shell; \
             give the whole name, or an id"
        );
    }

    #[test]
    fn several_are_told_with_their_names() {
        let among: [(Kind, &Query<'_>); 1] = [(Kind::Instance, &[])];
        let failure = one_of("lap", &all()[..2], &among).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "\"lap\" may be instance aaaaaaaaaaa1 (laptop on br0), instance aaaaaaaaaaa2; give the whole name, or an id"
        );
        assert_eq!(failure.code(), 1);
    }
}
