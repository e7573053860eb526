//! Finds out what changed by asking again and again.

use std::collections::BTreeMap;

use orchestrator_plugin::{Change, ContainerKey, Engine, EngineError, Found, FoundState};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::ExecEngine;

/// What there was, by the keys of containers. Copies have one key.
type Seen = BTreeMap<ContainerKey, Vec<(String, FoundState)>>;

impl ExecEngine {
    /// Asks for all containers each period, and sends the keys of those that differ, until an answer fails or nobody
    /// listens.
    pub(crate) async fn watch_by_asking(&self, changes: &mpsc::Sender<Change>) -> EngineError {
        let mut before = match self.list().await {
            Ok(listed) => seen(listed),
            Err(fault) => return fault,
        };
        if changes.send(Change::Everything).await.is_err() {
            return self.nobody();
        }
        loop {
            tokio::select! {
                () = sleep(self.settings.poll) => {}
                () = changes.closed() => return self.nobody(),
            }
            let now = match self.list().await {
                Ok(listed) => seen(listed),
                Err(fault) => return fault,
            };
            for key in differing(&before, &now) {
                if changes.send(Change::Container(key)).await.is_err() {
                    return self.nobody();
                }
            }
            before = now;
        }
    }

    fn nobody(&self) -> EngineError {
        self.caller
            .doing("watch", "containers")
            .failed("nobody listens any more")
    }
}

fn seen(listed: Vec<Found>) -> Seen {
    let mut seen = Seen::new();
    for found in listed {
        seen.entry(found.key).or_default().push((found.reference, found.state));
    }
    seen
}

/// The keys of what came, went or does something else.
fn differing(before: &Seen, now: &Seen) -> Vec<ContainerKey> {
    let gone = before.keys().filter(|key| !now.contains_key(*key));
    let other = now.iter().filter(|(key, found)| before.get(*key) != Some(*found));
    gone.chain(other.map(|(key, _)| key)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use orchestrator_plugin::InstanceId;

    use super::*;

    fn found(byte: u8, reference: &str, state: FoundState) -> Found {
        Found {
            key: ContainerKey::main(InstanceId::from_bytes([byte; 6])),
            reference: reference.to_owned(),
            state,
        }
    }

    #[test]
    fn what_comes_goes_or_changes_is_told_apart_from_what_stays() {
        let exited = |code| FoundState::Exited { code };
        let before = seen(vec![
            found(1, "a", FoundState::Created),
            found(2, "b", FoundState::Created),
            found(3, "c", exited(1)),
            found(4, "d", exited(1)),
        ]);
        let now = seen(vec![
            found(1, "a", FoundState::Created),
            found(3, "c", exited(2)),
            found(4, "other", exited(1)),
            found(5, "e", FoundState::Created),
        ]);
        let keys: Vec<u8> = differing(&before, &now)
            .iter()
            .map(|key| key.instance.bytes()[0])
            .collect();
        assert_eq!(keys, [2, 3, 4, 5]);
        assert_eq!(differing(&now, &now), []);
    }
}
