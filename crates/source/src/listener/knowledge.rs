//! What the listener knows about a message beyond its bytes.

use std::cell::OnceCell;
use std::num::NonZeroU32;
use std::sync::Arc;

use orchestrator_dhcp6::{KeyHolder, Knowledge, LinkLayerSource};

use super::origins::{Origin, Origins};
use super::watch::Watch;

/// How a message arrived.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arrival {
    /// On a bridge whose ports the listener learns, with the mark that the kernel gave it, if any.
    OnBridge(Option<NonZeroU32>),
    /// Elsewhere.
    NotObserved,
}

/// What the listener knows about one message.
pub(super) struct MessageKnowledge<'a> {
    watch: &'a Watch,
    origins: &'a Origins,
    arrival: Arrival,
    /// The origin of the message, once it was needed.
    found: OnceCell<Option<Arc<Origin>>>,
}

impl<'a> MessageKnowledge<'a> {
    pub(super) fn new(watch: &'a Watch, origins: &'a Origins, arrival: Arrival) -> Self {
        let found = OnceCell::new();
        Self {
            watch,
            origins,
            arrival,
            found,
        }
    }

    /// Looks for the origin of the message, if that was not done. `None` where it is not observed, or not known.
    pub(super) fn find_origin(&self) -> Option<&Arc<Origin>> {
        let Arrival::OnBridge(mark) = self.arrival else {
            return None;
        };
        self.found.get_or_init(|| self.origins.find(mark)).as_ref()
    }

    /// The origin of the message, if it was looked for.
    pub(super) fn into_origin(self) -> Option<Arc<Origin>> {
        self.found.into_inner().flatten()
    }
}

impl Knowledge for MessageKnowledge<'_> {
    fn holds_key(&self, holder: &KeyHolder<'_>) -> bool {
        self.watch.holds_key(holder)
    }

    fn link_layer_source(&self) -> LinkLayerSource {
        if matches!(self.arrival, Arrival::NotObserved) {
            return LinkLayerSource::NotObserved;
        }
        let bytes = self.find_origin().map(|origin| origin.link_layer.as_bytes());
        match bytes.and_then(|bytes| bytes.try_into().ok()) {
            Some(address) => LinkLayerSource::Known(address),
            None if self.origins.are_shown() => LinkLayerSource::Missed,
            None => LinkLayerSource::NotObserved,
        }
    }
}
