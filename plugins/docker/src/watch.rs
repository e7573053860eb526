//! Watches our containers for changes that others make.
//!
//! The engine does not report when a watch has begun. It does replay events since a given moment. So every event after
//! that moment arrives, perhaps late or twice, but is never lost.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::EventMessage;
use bollard::query_parameters::{EventsOptions, EventsOptionsBuilder};
use futures_util::StreamExt;
use orchestrator_plugin::{Change, ContainerKey, EngineError, Mark};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::DockerEngine;
use crate::errors::ApiError;
use crate::mark::{claimed, site_filter};

/// After this time without an event, the engine is asked whether it is still there.
const QUIET: Duration = Duration::from_secs(30);

/// The actions that change a container, in the words of Docker and of Podman.
const ACTIONS: [&str; 11] = [
    "create", "start", "restart", "die", "died", "oom", "stop", "pause", "unpause", "destroy", "remove",
];

impl DockerEngine {
    /// Sends changes until the engine's stream breaks or the channel is closed, and returns the reason.
    pub(crate) async fn watch_containers(&self, changes: mpsc::Sender<Change>) -> EngineError {
        match self.follow(&changes).await {
            Ok(()) => EngineError::Failed {
                verb: "watch",
                subject: "containers".to_owned(),
                reason: "nobody listens any more".to_owned(),
            },
            Err(error) => self.connection.explain("watch", "containers", error),
        }
    }

    async fn follow(&self, changes: &mpsc::Sender<Change>) -> Result<(), ApiError> {
        let options = events_since(&self.mark, SystemTime::now());
        self.ping().await?;
        let mut events = self.connection.connect()?.events(Some(options));
        if changes.send(Change::Everything).await.is_err() {
            return Ok(());
        }
        loop {
            let event = match timeout(QUIET, events.next()).await {
                Ok(Some(event)) => event?,
                Ok(None) => return Err(closed()),
                Err(_) => {
                    self.ping().await?;
                    continue;
                }
            };
            if let Some(key) = changed(&self.mark, &event)
                && !self.is_of_our_own_doing(&event, &key)
                && changes.send(Change::Container(key)).await.is_err()
            {
                return Ok(());
            }
        }
    }

    /// Whether the event only reports a creation that is under way here. One that comes when nobody waits for the
    /// creation any more, perhaps after a removal, is news.
    fn is_of_our_own_doing(&self, event: &EventMessage, key: &ContainerKey) -> bool {
        event.action.as_deref() == Some("create") && self.creations.is_under_way(key)
    }

    async fn ping(&self) -> Result<(), ApiError> {
        self.connection
            .ask(|docker| async move { docker.ping().await })
            .await
            .map(drop)
    }
}

fn events_since(mark: &Mark, moment: SystemTime) -> EventsOptions {
    let moment = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut filters: HashMap<String, Vec<String>> = site_filter(mark);
    filters.insert("type".to_owned(), vec!["container".to_owned()]);
    let since = format!("{}.{:09}", moment.as_secs(), moment.subsec_nanos());
    EventsOptionsBuilder::new().since(&since).filters(&filters).build()
}

/// The container of an event, if it claims to be ours and the event changes it. The receiver checks for itself.
///
/// The engine was asked to filter, but engines differ in how they do it.
fn changed(mark: &Mark, event: &EventMessage) -> Option<ContainerKey> {
    let action = event.action.as_deref()?;
    if !ACTIONS.contains(&action) {
        return None;
    }
    claimed(mark, event.actor.as_ref()?.attributes.as_ref()?)
}

fn closed() -> ApiError {
    ApiError::IOError {
        err: std::io::Error::other("the engine closed its stream of events"),
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::EventActor;
    use orchestrator_plugin::{Container, InstanceId};

    use super::*;
    use crate::mark::labels;

    const MARK: Mark = Mark {
        site: InstanceId::from_bytes([1; 6]),
    };
    const ID: InstanceId = InstanceId::from_bytes([2; 6]);

    fn event(action: &str, attributes: HashMap<String, String>) -> EventMessage {
        EventMessage {
            action: Some(action.to_owned()),
            actor: Some(EventActor {
                id: Some("c0ffee".to_owned()),
                attributes: Some(attributes),
            }),
            ..Default::default()
        }
    }

    #[test]
    fn an_end_of_ours_is_told() {
        for action in ["create", "die", "died", "destroy", "remove", "start", "oom"] {
            assert_eq!(
                changed(
                    &MARK,
                    &event(action, labels(&MARK, &Container::main(ID), "sha256:0a1b"))
                ),
                Some(ContainerKey::main(ID)),
                "{action}"
            );
        }
    }

    #[test]
    fn what_changes_nothing_is_not_told() {
        for action in ["attach", "exec_start: sh", "health_status: healthy", "kill", "resize"] {
            assert_eq!(
                changed(
                    &MARK,
                    &event(action, labels(&MARK, &Container::main(ID), "sha256:0a1b"))
                ),
                None,
                "{action}"
            );
        }
    }

    #[test]
    fn a_stranger_s_end_is_not_told() {
        let other = Mark {
            site: InstanceId::from_bytes([3; 6]),
        };
        assert_eq!(
            changed(
                &MARK,
                &event("die", labels(&other, &Container::main(ID), "sha256:0a1b"))
            ),
            None
        );
        assert_eq!(changed(&MARK, &event("die", HashMap::new())), None);
    }

    #[test]
    fn the_moment_keeps_its_nanoseconds() {
        let options = events_since(&MARK, UNIX_EPOCH + Duration::new(1_700_000_000, 7));
        assert_eq!(options.since.as_deref(), Some("1700000000.000000007"));
    }
}
