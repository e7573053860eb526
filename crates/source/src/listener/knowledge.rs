//! What the listener knows about a message beyond its bytes.

use std::cell::OnceCell;

use orchestrator_dhcp6::{Inbound, KeyHolder, Knowledge, LinkLayerSource};

use super::origins::{Origin, Origins};
use super::watch::Watch;

/// What the listener knows about one message.
pub(super) struct MessageKnowledge<'a> {
    watch: &'a Watch,
    origins: &'a Origins,
    inbound: &'a Inbound<'a>,
    /// The bridge on which the message arrived, if the listener learns ports.
    bridge: Option<u32>,
    /// The origin of the message, once it was needed.
    found: OnceCell<Option<Origin>>,
}

impl<'a> MessageKnowledge<'a> {
    pub(super) fn new(watch: &'a Watch, origins: &'a Origins, inbound: &'a Inbound<'a>, bridge: Option<u32>) -> Self {
        let found = OnceCell::new();
        Self {
            watch,
            origins,
            inbound,
            bridge,
            found,
        }
    }

    /// The origin of the message, if the answer needed it.
    pub(super) fn into_origin(self) -> Option<Origin> {
        self.found.into_inner().flatten()
    }
}

impl Knowledge for MessageKnowledge<'_> {
    fn holds_key(&self, holder: &KeyHolder<'_>) -> bool {
        self.watch.holds_key(holder)
    }

    fn link_layer_source(&self) -> LinkLayerSource {
        let Some(bridge) = self.bridge else {
            return LinkLayerSource::NotObserved;
        };
        let find = || {
            self.origins
                .find(bridge, *self.inbound.source.ip(), self.inbound.datagram)
        };
        let found = self.found.get_or_init(find);
        let bytes = found.as_ref().map(|origin| origin.link_layer.as_bytes());
        match bytes.and_then(|bytes| bytes.try_into().ok()) {
            Some(address) => LinkLayerSource::Known(address),
            None if self.origins.has_log() => LinkLayerSource::Missed,
            None => LinkLayerSource::NotObserved,
        }
    }
}
