//! Watching the fake.

use orchestrator_plugin::{Change, EngineError};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use crate::FakeEngine;
use crate::request::{Verb, unavailable};
use crate::world::Event;

pub(crate) async fn watch(engine: &FakeEngine, changes: mpsc::Sender<Change>) -> EngineError {
    // Before it is said that the watch began: nothing in between is lost.
    let mut events = engine.world.events.subscribe();
    if let Err(fault) = engine.world.ask(Verb::Describe, |_| Ok(())).await {
        return fault;
    }
    let unheard = || EngineError::Failed {
        verb: "watch",
        subject: "containers".to_owned(),
        reason: "nobody listens any more".to_owned(),
    };
    if changes.send(Change::Everything).await.is_err() {
        return unheard();
    }
    loop {
        let change = tokio::select! {
            () = changes.closed() => return unheard(),
            event = events.recv() => match event {
                Ok(Event::Container(site, key)) if site == engine.mark.site => Change::Container(key),
                Ok(Event::Container(..)) => continue,
                Ok(Event::Down) | Err(RecvError::Closed) => return unavailable(),
                // It was too slow: anything may have happened.
                Err(RecvError::Lagged(_)) => Change::Everything,
            },
        };
        if changes.send(change).await.is_err() {
            return unheard();
        }
    }
}
