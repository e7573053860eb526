//! Other servers and routers of the links, from the timeline to the facts of the doctor.

use orchestrator_doctor::{OtherFacts, OtherKind};
use orchestrator_model::{Event, EventKind};

/// The facts of the events about other servers and routers. Events of other kinds are left out.
pub fn facts_of_others(events: Vec<Event>) -> Vec<OtherFacts> {
    let fact = |event: Event| {
        let kind = match event.kind {
            EventKind::OtherServer => OtherKind::Server,
            EventKind::OtherRouter => OtherKind::Router,
            _ => return None,
        };
        Some(OtherFacts {
            link: event.link.unwrap_or_default(),
            kind,
            at: event.at.to_string(),
            detail: event.detail.unwrap_or_default(),
        })
    };
    events.into_iter().filter_map(fact).collect()
}
