//! Ids as people give them: any beginning that belongs to one thing only.

use serde::Deserialize;
use serde_json::Value;

use super::failure::Failure;
use super::http::{CallError, Client};
use super::page::{self, Query};
use crate::model::Id;

/// What an id may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Instance,
    Client,
}

impl Kind {
    /// Where the API has them.
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

#[derive(Deserialize)]
struct Named {
    id: Id,
}

/// The one thing whose id begins with `text`, and what kind of thing it is.
///
/// A whole id is asked for by name; for a beginning the lists are read, each with its query.
pub(super) async fn resolve(text: &str, among: &[(Kind, &Query<'_>)], client: &Client) -> Result<(Kind, Id), Failure> {
    let mut found = Vec::new();
    for (kind, query) in among {
        match text.parse::<Id>() {
            Ok(id) if exists(*kind, id, client).await? => return Ok((*kind, id)),
            Ok(_) => {}
            Err(_) => found.extend(beginning_with(
                text,
                *kind,
                &page::all(client, kind.path(), query).await?,
            )?),
        }
    }
    one_of(text, &found, among)
}

async fn exists(kind: Kind, id: Id, client: &Client) -> Result<bool, Failure> {
    match client.get(&format!("{}/{id}", kind.path())).await {
        Ok(_) => Ok(true),
        Err(CallError::Problem(problem)) if problem.status == 404 => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn beginning_with(text: &str, kind: Kind, items: &[Value]) -> Result<Vec<(Kind, Id)>, Failure> {
    let ids = items
        .iter()
        .map(|item| page::read::<Named>(item, "an item").map(|named| (kind, named.id)));
    let ids: Vec<(Kind, Id)> = ids.collect::<Result<_, _>>()?;
    Ok(ids
        .into_iter()
        .filter(|(_, id)| !text.is_empty() && id.to_string().starts_with(text))
        .collect())
}

fn one_of(text: &str, found: &[(Kind, Id)], among: &[(Kind, &Query<'_>)]) -> Result<(Kind, Id), Failure> {
    match found {
        [one] => Ok(*one),
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
            let shown: Vec<String> = several
                .iter()
                .take(5)
                .map(|(kind, id)| format!("{} {id}", kind.word()))
                .collect();
            let more = if several.len() > shown.len() { " and more" } else { "" };
            Err(Failure::Ambiguous {
                id: text.to_owned(),
                several: shown.join(", ") + more,
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
        let resolve = |text: &str| one_of(text, &beginning_with(text, Kind::Instance, &items).unwrap(), &among);
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
}
