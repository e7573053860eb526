//! Removes things in their order.

use futures_util::{StreamExt, stream};
use orchestrator_host::{LocalHost, MarkedThing};
use orchestrator_runtime::causes::with_causes;
use serde::Serialize;

/// Containers that are removed at the same time. An engine waits for the end of each.
const AT_ONCE: usize = 8;

/// What became of a thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Outcome {
    /// Its kind; `null` for what could not be listed.
    pub(super) kind: Option<&'static str>,
    /// What it is.
    pub(super) what: String,
    /// `would go`, `removed`, `still there` or `not seen`.
    pub(super) state: &'static str,
    /// Why it is still there.
    pub(super) reason: Option<String>,
}

impl Outcome {
    /// A thing that was found.
    pub(super) fn listed(thing: MarkedThing) -> Self {
        Self {
            kind: Some(thing.kind()),
            what: thing.to_string(),
            state: "would go",
            reason: None,
        }
    }

    /// Things that could not be listed.
    pub(super) fn unseen(what: &str, reason: String) -> Self {
        Self {
            kind: None,
            what: what.to_owned(),
            state: "not seen",
            reason: Some(reason),
        }
    }
}

/// Removes all things, a kind after the other. One that fails keeps no other from going.
pub(super) async fn remove_all(host: &LocalHost, things: Vec<MarkedThing>, used_bridges: bool) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(things.len());
    for of_one_kind in things.chunk_by(|one, other| one.kind() == other.kind()) {
        let at_once = match of_one_kind {
            // Those of one instance stay in their order.
            [MarkedThing::Container(_), ..] => AT_ONCE,
            _ => 1,
        };
        let instances = of_one_kind.chunk_by(|one, other| at_once > 1 && one.instance() == other.instance());
        let removed = instances.map(|some| remove(host, some, used_bridges));
        let removed: Vec<Vec<Outcome>> = stream::iter(removed).buffered(at_once).collect().await;
        outcomes.extend(removed.into_iter().flatten());
    }
    outcomes
}

async fn remove(host: &LocalHost, things: &[MarkedThing], used_bridges: bool) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(things.len());
    for thing in things {
        let removed = host.remove_marked(thing, used_bridges).await;
        outcomes.push(Outcome {
            state: if removed.is_ok() { "removed" } else { "still there" },
            reason: removed.err().map(|fault| with_causes(&fault)),
            ..Outcome::listed(thing.clone())
        });
    }
    outcomes
}
